// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a head does, from its exact map: how spread it looks, how far, at what. Terms: docs/attention-lab.md.
#include "core/base/run_context.h"
#include "core/nn/model_spec.h"
#include "core/report/attention_report.h"
#include "core/tensor/matrix.h"

#include <cstdint>

namespace tamis::attention {

/// Where tokens stand: `prefix` ones, then the patches of a grid row by row; no grid: a text, token i at place i.
struct TokenPlaces {
    std::int64_t prefix = 0, gridHeight = 0, gridWidth = 0;
    bool causal = false;
    std::int64_t slidingWindow = 0; ///< with causal: query i sees the last so many keys; 0: all
    bool photo() const noexcept { return gridHeight > 0 && gridWidth > 0; }
};
/// Of one block. A grid that `tokens` do not fit (tokens were dropped): a text's places.
TokenPlaces placesOf(const nn::ModelSpec& spec, int block, std::int64_t tokens);

/// Side of a map up to which singular values are taken: beyond, the effective rank is not measured.
inline constexpr std::int64_t kMostRankTokens = 1024;

/// Of one map [tokens, tokens], rows summing to 1, in double: means over queries. Evenness leaves out queries that see one key, distance those
/// that have nothing on patches. `rank` false: effectiveRank is not measured. Throws Error{NonFinite, Cancelled}.
report::HeadTraits headTraits(tensor::MatrixView<const float> map, const TokenPlaces& places, bool rank, const RunContext& context = {});
/// Running mean over samples: `mean` of `before` samples takes one more. What either has not, the mean has not.
void addTraits(report::HeadTraits& mean, const report::HeadTraits& one, std::size_t before);

} // namespace tamis::attention
