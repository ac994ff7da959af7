// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Keys and values projected along the tokens: softmax(q (E^T k)^T) F^T v. Source: Wang et al. 2020, Linformer.
#include "core/attention/method.h"

namespace tamis::attention {

enum class TokenProjection {
    MeanPool, ///< means over segments of neighbouring tokens, for keys and for values
    Random    ///< entries N(0, 1 / rows) of their own for keys and for values: noise unless the model was trained with them
};

/// `rows` projected tokens; as many as there are tokens or more with MeanPool: exact attention.
HeadRulePtr linformerRule(TokenProjection projection, std::int64_t rows, std::uint64_t seed);
/// id attention.linformer. Not causal: a projected key mixes later tokens in.
Method linformerMethod();

} // namespace tamis::attention
