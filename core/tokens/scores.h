// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a token may be kept or pruned by.
#include "core/tokens/method.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::tokens {

enum class Score {
    ClassAttention,     ///< mean over heads of A[class, i] (EViT)
    AttentionReceived,  ///< mean over heads and queries of A[., i]: the column, for the row sums to 1 whatever the token
    AttentionValueNorm, ///< sum over heads of A[class, i], times |v_i|, normalised to sum 1 over the patches (ATS)
    Rollout,            ///< of the class token over the source tokens that i stands for, summed (Abnar and Zuidema 2020)
    Gradient,           ///< |x . dL / dx| of the source tokens that i stands for, summed; L: the whole model's loss for its own first choice
    FeatureNorm,        ///< |x_i|
    ChannelVariance,    ///< of x_i over its features
    Entropy,            ///< of |x_i| / sum |x_i|, nats; a token of zeros has none
    Random
};
std::vector<Score> allScores();
std::string_view scoreName(Score score) noexcept;  ///< "class-attention": in parameters
std::string_view scoreTitle(Score score) noexcept; ///< with unit, for charts
/// Throws Error{InvalidParameter}.
Score scoreNamed(std::string_view name);
/// What the score needs of a place: the attention of its block.
bool needsAttention(Score score) noexcept;

/// [tokens], higher: sooner kept. `seed` is of Random alone, which also looks at the image. Throws Error{UnsupportedFeature} where there is
/// no class token and the score is of one, Error{InvalidParameter} where attention is needed and the place has none.
std::vector<float> scoreTokens(Score score, const Look& look, std::uint64_t seed = 0);

/// Makes a chain give its steps what the score needs beyond their place. Throws Error{InvalidParameter} when there is no checkpoint to take
/// gradients of, Error{UnsupportedFeature} for a score of the class token in a model without one.
void prepareScore(Score score, const Inputs& inputs, Chain& chain, const RunContext& context);
/// Whether that reads the checkpoint.
bool isSlowToPrepare(Score score) noexcept;

/// Mean over heads and over `count` queries from `first` of A, [tokens].
std::vector<float> meanAttention(const Look& look, std::int64_t first, std::int64_t count);
/// Mean over heads of the sum of each query's row, [tokens]: 1 for every token, which is why it is no score.
std::vector<float> attentionRowSums(const Look& look);

/// Choice "score" of all scores.
ParameterSpec scoreParameter(Score byDefault);

} // namespace tamis::tokens
