// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Perplexity of a model whose rows are scaled by token, as measure::evaluate() counts it.
#include "core/addressing/token_scales.h"
#include "core/measure/sample_source.h"

#include <cstdint>
#include <functional>

namespace tamis::addressing {

struct TextQuality {
    double nll = 0;             ///< mean of -ln p over the scored tokens, nats
    double perplexity = 0;      ///< exp(nll)
    std::uint64_t tokens = 0;   ///< scored
};

/// Rows for a sample's tokens; called from several threads at once.
using ScalesOf = std::function<TokenScales(std::span<const std::int32_t> tokens)>;

/// `scales` empty: the model as it is. Sums in double in the order of the samples: the same for any number of threads. Throws Error{UnsupportedFeature}
/// for a model that predicts no tokens, Error{InvalidParameter (no sample), NonFinite, Cancelled}, and what loading and `scales` throw.
TextQuality textQuality(const nn::Model& model, const measure::SampleSource& source, const ScalesOf& scales, const RunContext& context);

} // namespace tamis::addressing
