// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Reductions of one model at many settings, over the same photos: accuracy and fidelity against cost.
#include "core/base/run_context.h"
#include "core/report/token_report.h"
#include "core/tokens/folder_run.h"
#include "core/tokens/method.h"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace tamis::tokens {

struct ComparedReduction {
    const Method* method = nullptr;
    Parameters parameters;         ///< complete
    std::vector<std::string> told; ///< names of the parameters that its line says, in their order
};

/// A method at `steps` (>= 1) settings from much kept to little: `keep` in equal steps from 1 down, `r` up to what leaves a token in each block's
/// share, `most` down from all patches; everything else as in `given`, which is completed. A method without such a parameter: as given.
std::vector<ComparedReduction> spreadSettings(const Method& method, const Parameters& given, const nn::ModelSpec& spec, std::size_t steps);

struct ComparisonOptions {
    bool latency = true;
    LatencyOptions latencyOptions;
};

/// Called with all points so far.
using PointFinished = std::function<void(const report::TokenComparison&)>;

/// The whole model first, then each of `reductions`. One that gives up leaves its sentence and the others go on. Throws Error{Cancelled}, and
/// what wholeFolder throws; what was finished was told before.
report::TokenComparison compareReductions(const Inputs& inputs, const measure::SampleSource& source, const std::vector<ComparedReduction>& reductions, const ComparisonOptions& options,
                                          const RunContext& context, const PointFinished& finished = {});

} // namespace tamis::tokens
