// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the demonstration computes: plain values that its report, tables and pictures are made from.
#include "app/cli/plain_baseline.h"
#include "core/plan/export.h"
#include "core/plan/plan.h"
#include "core/report/budget_report.h"
#include "core/report/series.h"
#include "core/report/spectrum_report.h"
#include "core/spectrum/method.h"

#include <filesystem>
#include <string>
#include <vector>

namespace tamis::cli {

/// Mean of the matrices' relative losses, and loss of all together over energy of all together.
struct SweepLoss {
    RelativeLoss mean, total;
};

/// One keep of the sweep.
struct SweepPoint {
    double keep = 1;
    SweepLoss uniform, energy, greedy; ///< whitened decomposition, three allocations
    SweepLoss plainUniform;            ///< baseline: plain SVD at the ranks of `uniform`
};

struct DemoResults {
    report::SpectrumReport plain, whitened;
    std::vector<SweepPoint> sweep;
    report::BudgetReport uniform, energy, greedy; ///< at kDemoKeep; greedy with its latency measured
    RelativeLoss plainAtKeep;
    plan::Plan plan;            ///< greedy at kDemoKeep
    plan::ExportResult exported;
};

inline constexpr double kDemoKeep = 0.6;

/// Runs everything on `inputs` and exports the plan into `exportDirectory`. Throws what the labs throw.
DemoResults computeDemo(const spectrum::Inputs& inputs, std::int64_t seed, const std::filesystem::path& exportDirectory,
                        const RunContext& context);

/// A chart as values: drawn where there is Qt, a table everywhere.
struct DemoChart {
    std::string file;    ///< without suffix
    std::string title;
    std::string caption; ///< settings
    std::string xTitle, yTitle;
    bool logX = false, logY = false;
    std::vector<report::Series> series;
};
std::vector<DemoChart> demoCharts(const DemoResults& results);

} // namespace tamis::cli
