// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Token merging (Bolya et al. 2023) with other ways to match and to weigh.
#include "core/tokens/method.h"

#include <cstdint>
#include <vector>

namespace tamis::tokens {

enum class Matching {
    Alternate, ///< even tokens into the most similar odd ones (ToMe)
    Random,    ///< the same between halves drawn for each image and block
    Greedy,    ///< over all pairs the most similar first, a token in one pair only
    Hungarian, ///< between the even and the odd: of r pairs the largest sum of similarities, a token in one pair only
    Lsh,       ///< as alternate, among those in one bucket of random hyperplanes
    Nearest    ///< as alternate, among a token's nearest neighbours
};
enum class MergeWeights {
    Size,             ///< source tokens that each stands for (ToMe)
    Plain,            ///< all alike
    ClassAttention,   ///< mean over heads of A[class, i]
    AttentionReceived ///< mean over heads and queries of A[., i]
};

struct MergeSettings {
    Matching matching = Matching::Alternate;
    MergeWeights weights = MergeWeights::Size;
    double radius = 0;          ///< of mean source positions, in patches; 0: none
    std::int64_t neighbours = 8; ///< Nearest
    bool mutualNeighbours = false;
    int hyperplanes = 4, tables = 4; ///< Lsh
    std::uint64_t seed = 0;     ///< Random, Lsh
};

/// Merges r tokens at most: (tokens - prefix) / 2 at most, and no more than have partners.
ReductionPtr mergeStep(std::int64_t r, const MergeSettings& settings = {});

// Of methods that merge r tokens in every block: r, inflection and schedule; what attention and pool make of sizes.
ParameterSpec mergedParameter();
ParameterSpec inflectionParameter();
ParameterSpec mergeScheduleParameter();
ParameterSpec proportionalAttentionParameter();
ParameterSpec weightedPoolParameter();
/// The chain of those five, complete among `parameters`. Throws Error{InvalidParameter} and what requireReducible throws.
Chain mergingChain(const nn::Model& model, const Parameters& parameters, const MergeSettings& settings = {});

Method mergeMethod();

} // namespace tamis::tokens
