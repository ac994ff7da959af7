// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// How long a model's operators really take here, each alone, beside what the roofline says.
#include "core/base/run_context.h"
#include "core/nn/model.h"
#include "core/report/model_report.h"

#include <cstdint>

namespace tamis::cost {

struct MeasureOptions {
    double secondsPerLayer = 0.05; ///< repeats stop after so long, but not before the third
    int maxRepeats = 31;
    std::uint64_t seed = 1;        ///< of the activations
    bool wholeForward = true;      ///< also run the model as a whole
};

/// Fills measuredMs of every linear operator, attention and norm of `report` (the cost of this very model: its tokens and
/// batch are used) with the median time of that operator alone on uniformly random activations of its shape, and
/// report.measuredMs with that of the whole forward pass. Several samples run in parallel where there are as many as
/// threads, as runBatch does. Embeddings and steps that are fused into others stay kNotMeasured. Throws Error{Cancelled}
/// (seen between slices of at most 128 rows or 1e9 multiply-adds, and after each attention), Error{OutOfMemory} when the
/// activations do not fit.
void measureLayers(report::ModelCostReport& report, const nn::Model& model, const MeasureOptions& options = {},
                   const RunContext& context = {});

} // namespace tamis::cost
