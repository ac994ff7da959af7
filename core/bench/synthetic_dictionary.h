// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A dictionary as large as published ones, and tokens for it. Private to bench.
#include "core/base/run_context.h"
#include "core/encoder/dictionary.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <memory>

namespace tamis::bench {

/// Rows: random unit features times exp(N(0, 0.25^2)); biases N(-0.3, 0.1^2). `decodes`: the decoder's rows are the features,
/// divided by the length of the encoder's; otherwise there is none.
std::shared_ptr<const encoder::Dictionary> syntheticDictionary(std::int64_t width, std::int64_t latents, std::int64_t k, const RunContext& context, bool decodes = false);

/// Sums of 60 unit features, drawn by Zipf's law (exponent 1) with weights in [1, 3], and noise of 0.1 a feature; then three features are set to
/// `outlier` times the others' root mean square (1: left as they are). [tokens, D].
tensor::Matrix<float> syntheticTokens(const encoder::Dictionary& dictionary, std::int64_t tokens, float outlier, std::uint64_t seed);

} // namespace tamis::bench
