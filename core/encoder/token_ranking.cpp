// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/token_ranking.h"

#include "core/base/error.h"
#include "core/encoder/coarse_scorer.h"

#include <algorithm>
#include <limits>
#include <string>
#include <unordered_map>
#include <unordered_set>

namespace tamis::encoder {
namespace {
using report::TokenRanking;

void addCoarse(const CoarseEncoder& encoder, tensor::MatrixView<const float> prepared, std::size_t depth, const SparseCodes& codes, TokenRanking& ranking,
               const RunContext& context)
{
    ranking.coarse = true;
    const auto ranks = coarseRanks(*encoder.scorer(), prepared, codes, context);
    for (std::size_t i = 0; i < ranking.exact.size(); ++i)
        ranking.exact[i].place = ranks[i];
    forBest(*encoder.scorer(), prepared, {.count = depth, .above = -std::numeric_limits<float>::infinity()}, context, [&](std::int64_t, const std::vector<kernels::Scored>& best) {
        for (const kernels::Scored& scored : best)
            ranking.ranked.push_back({scored.row, static_cast<double>(scored.value), false});
    });
}

void addReturned(const TopKEncoder& encoder, tensor::MatrixView<const float> prepared, TokenRanking& ranking, const RunContext& context)
{
    const SparseCodes codes = encoder.encode(prepared, context);
    std::unordered_map<std::int32_t, std::int64_t> places;
    for (std::size_t i = 0; i < codes.latents.size(); ++i) {
        ranking.ranked.push_back({codes.latents[i], static_cast<double>(codes.values[i]), false});
        places.emplace(codes.latents[i], static_cast<std::int64_t>(i));
    }
    for (TokenRanking::Wanted& wanted : ranking.exact)
        if (const auto found = places.find(wanted.latent); found != places.end())
            wanted.place = found->second;
}
} // namespace

TokenRanking tokenRanking(const TopKEncoder& exact, const TopKEncoder& encoder, tensor::MatrixView<const float> prepared, std::size_t depth, const RunContext& context)
{
    if (prepared.rows != 1)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(prepared.rows) + " tokens, expected one");
    if (exact.width() != encoder.width() || exact.latents() != encoder.latents() || exact.k() != encoder.k())
        throw Error(ErrorCode::InvalidParameter, "found encoders of different dictionaries, expected one dictionary");
    const SparseCodes codes = exact.encode(prepared, context);
    TokenRanking ranking;
    ranking.latents = exact.latents();
    ranking.k = exact.k();
    for (std::size_t i = 0; i < codes.latents.size(); ++i)
        ranking.exact.push_back({codes.latents[i], static_cast<double>(codes.values[i]), -1});
    if (const auto* coarse = dynamic_cast<const CoarseEncoder*>(&encoder))
        addCoarse(*coarse, prepared, depth, codes, ranking, context);
    else
        addReturned(encoder, prepared, ranking, context);
    const std::unordered_set<std::int32_t> wanted(codes.latents.begin(), codes.latents.end());
    for (TokenRanking::Ranked& ranked : ranking.ranked)
        ranked.wanted = wanted.contains(ranked.latent);
    return ranking;
}

} // namespace tamis::encoder
