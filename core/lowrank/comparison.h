// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Methods side by side on one protocol: the same calibration, held-out samples, budget and accounting for all.
#include "core/lowrank/method.h"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace tamis::lowrank {

struct ComparisonEntry {
    std::string label;             ///< "whitened, uniform"
    std::string method;            ///< id of a method of the lab, "dense", or "round-to-nearest" (bits in `bits`)
    Parameters parameters;         ///< of the method; what is missing has its default
    plan::BudgetRequest budget;
    int bits = 8;                  ///< of round-to-nearest: 8 or 4
};

struct ComparisonOptions {
    int latencyRuns = 5;           ///< forward passes of one sample whose median is the latency; 0: not measured
    bool layers = true;            ///< error growth by depth too
};

/// `soFar` holds the finished rows; called from the thread that runs the comparison.
using RowFinished = std::function<void(const report::MethodComparison& soFar)>;

/// A row an entry, in their order, the dense model first. What one method cannot do (Error other than Cancelled and OutOfMemory)
/// becomes its row's `failure`, and the others go on. `heldOut` must not hold calibration samples. Throws Error{Cancelled}: rows
/// that were finished went to `finished`.
report::MethodComparison compareMethods(const Inputs& inputs, const measure::SampleSource& heldOut, const std::vector<ComparisonEntry>& entries,
                                        const ComparisonOptions& options, const RunContext& context, const RowFinished& finished = {});

/// Every method of the lab that `inputs` allow, with its defaults, at each keep, and round-to-nearest 8 and 4 bit. Methods that
/// train are left out unless `trained`.
std::vector<ComparisonEntry> standardEntries(const Inputs& inputs, const std::vector<double>& keeps, bool trained);

} // namespace tamis::lowrank
