// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a model still does: docs/evaluation.md.
#include "core/measure/sample_source.h"
#include "core/nn/model.h"
#include "core/report/evaluation_report.h"

#include <cstdint>

namespace tamis::measure {

struct EvaluateOptions {
    std::size_t batch = 32;      ///< samples a batch: what the spread is over; at least 1
    std::size_t mapSamples = 4;  ///< samples, from the first, whose attention maps are compared
    std::size_t predictions = 10'000; ///< most photos whose classes are kept
    bool ownErrors = true;       ///< run every block on the dense model's input too
    int latencyRuns = 5;         ///< forward passes of the first sample whose median is the latency; 0: not measured
};

/// Quality of `compressed` (null: of `dense` alone) and of `dense`, and fidelity of the one to the other. With labels: top-1
/// and top-5. Decoders: perplexity of the tokens that the source scores. Memory does not grow with the number of samples but
/// for `predictions`. Sums in double in the order of the samples: the same numbers for any number of threads. The report's
/// costs hold the latency alone; names, words and class names are the caller's.
/// Throws Error{InvalidParameter (no sample, one that does not fit the model, a label beyond its classes, models of other
/// outputs), NonFinite (an output, with its sample), Cancelled}, and what loading a sample throws.
report::EvaluationReport evaluate(const nn::Model& dense, const nn::Model* compressed, const SampleSource& source,
                                  const EvaluateOptions& options, const RunContext& context);

} // namespace tamis::measure
