// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Everything that a session file holds, as one value.
#include "core/base/parameter_schema.h"
#include "core/plan/allocate.h"
#include "core/report/budget_report.h"
#include "core/report/spectrum_series.h"

#include <string>
#include <vector>

namespace tamis::app {

/// What decides a configuration.
struct Settings {
    std::string method = "spectrum.whitened";
    Parameters parameters; ///< of the method; complete once a method is chosen
    plan::BudgetRequest budget;
    bool operator==(const Settings&) const = default;
};

/// One line for captions and tables: "spectrum.whitened, ridge 0.01, keep 60 %, greedy, factors, ranks of 8".
std::string settingsLine(const Settings& settings);

/// A configuration worth keeping, with the way back to it.
struct KeptPoint {
    std::string label;
    Settings settings;
    double keep = 1, relativeLoss = 0;
    report::Cost cost;
    bool baseline = false;
    /// A latency or loss that is not a number on both sides counts as equal: a state equals its copy.
    bool operator==(const KeptPoint& other) const;
};

/// `points` as the views show them, with the front marked: no other point is at least as good in both parameters and loss and
/// better in one. A loss that is not a number is never on the front.
std::vector<report::OperatingPoint> operatingPoints(const std::vector<KeptPoint>& points);

/// What is looked at; not undoable.
struct Selection {
    std::string current;              ///< matrix in focus
    std::vector<std::string> overlay; ///< matrices drawn together
    std::string photos;               ///< folder of photos that is open, "" for none
    bool operator==(const Selection&) const = default;
};

struct ChartChoice {
    report::SeriesOptions series;
    bool logX = false, logY = true;
    bool operator==(const ChartChoice&) const = default;
};

struct SessionState {
    std::string modelPath, calibrationPath;
    Settings settings;
    Selection selection;
    ChartChoice chart;
    std::vector<KeptPoint> points;
    bool operator==(const SessionState&) const = default;
};

} // namespace tamis::app
