// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Keys and values projected along the tokens: softmax(q (E k)^T) F v. Source: Wang et al. 2020, Linformer.
#include "core/attention/method.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <filesystem>
#include <memory>

namespace tamis::attention {

enum class TokenProjection {
    MeanPool, ///< means over segments of neighbouring tokens, for keys and for values
    Random    ///< entries N(0, 1 / rows) of their own for keys and for values: noise unless the model was trained with them
};

/// `rows` projected tokens; as many as there are tokens or more with MeanPool: exact attention. Random projections
/// are drawn at the first call with a number of tokens, and kept for the last four numbers.
HeadRulePtr linformerRule(TokenProjection projection, std::int64_t rows, std::uint64_t seed);

/// E and F of one head, [rows, tokens]: for that number of tokens alone.
struct TokenProjections {
    tensor::Matrix<float> keys, values;
};
/// softmax(q (E k)^T) F v. It throws Error{InvalidParameter} for another number of tokens.
HeadRulePtr projectedRule(std::shared_ptr<const TokenProjections> projections);
/// From a .npy file: [rows, tokens] for both, or [2, rows, tokens]: keys, values. Throws Error{InvalidParameter (another shape; `tokens` other than asked, 0: any),
/// NonFinite} with the file, and what reading throws.
TokenProjections readProjections(const std::filesystem::path& file, std::int64_t tokens);
/// Segment means as a matrix [rows, tokens]; rows <= tokens.
tensor::Matrix<float> poolingMatrix(std::int64_t rows, std::int64_t tokens);

/// On the tape, every key head with projections of its own, parameters "keys.<head>" and "values.<head>": start[i] of key head i.
std::unique_ptr<TapeOperator> projectedOnTape(const nn::AttentionSpec& spec, const std::vector<TokenProjections>& start);
/// Tokens of the block's sequences, where there is only one such number. Throws Error{UnsupportedFeature} with `method` for texts, and for causal attention:
/// a projected key holds tokens that a query must not see.
std::int64_t fixedTokens(const Inputs& inputs, std::string_view method);
void requireNotCausal(const nn::AttentionSpec& spec, std::string_view method);

/// id attention.linformer. Not causal.
Method linformerMethod();

} // namespace tamis::attention
