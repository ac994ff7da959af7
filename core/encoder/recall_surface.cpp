// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/recall_surface.h"

#include "core/base/error.h"
#include "core/encoder/low_rank.h"

#include <algorithm>
#include <chrono>

namespace tamis::encoder {
namespace {
using report::RecallPoint;

/// Recall of each token with a non-empty exact set when the first `candidates` of the coarse order are taken.
std::vector<double> recalls(const SparseCodes& exact, const std::vector<std::int32_t>& ranks, std::int64_t candidates)
{
    std::vector<double> found;
    for (std::int64_t t = 0; t < exact.tokens(); ++t) {
        const auto begin = ranks.begin() + static_cast<std::ptrdiff_t>(exact.first[static_cast<std::size_t>(t)]);
        const auto count = static_cast<std::ptrdiff_t>(exact.latentsOf(t).size());
        if (count > 0)
            found.push_back(static_cast<double>(std::count_if(begin, begin + count, [&](std::int32_t rank) { return rank < candidates; })) / static_cast<double>(count));
    }
    return found;
}

void fillRecall(const std::vector<double>& found, RecallPoint& point)
{
    if (found.empty())
        return;
    double sum = 0;
    for (const double recall : found)
        sum += recall;
    point.recallMean = sum / static_cast<double>(found.size());
    point.recallP5 = nearestRank(found, 5);
    point.recallP1 = nearestRank(found, 1);
    point.recallMin = nearestRank(found, 0);
}
} // namespace

report::RecallSurface recallSurface(const ExactTokens& exact, const std::string& coarse, std::span<const RankedScorer> scorers, std::vector<std::int64_t> candidates,
                                    const RunContext& context)
{
    const auto start = std::chrono::steady_clock::now();
    const Dictionary& dictionary = *exact.dictionary;
    for (const std::int64_t each : candidates)
        if (each < 1 || each > dictionary.latents())
            throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(each) + " candidates, expected 1 to the " + std::to_string(dictionary.latents()) + " latents", "candidates");
    report::RecallSurface surface;
    surface.coarse = coarse;
    surface.candidates = std::move(candidates);
    surface.tokens = exact.codes.tokens();
    surface.exactMacs = exact.encoder->cost().macs;
    surface.exactBytesRead = exact.encoder->cost().bytesRead;
    context.setParts(static_cast<double>(scorers.size()));
    for (const RankedScorer& each : scorers) {
        if (each.scorer->latents() != dictionary.latents())
            throw Error(ErrorCode::InvalidParameter, "found coarse scores of " + std::to_string(each.scorer->latents()) + " latents, expected the " + std::to_string(dictionary.latents()) + " of the autoencoder");
        const auto ranks = coarseRanks(*each.scorer, exact.prepared.view(), exact.codes, context.part(1, "ranking"));
        const EncoderCost cost = each.scorer->cost();
        surface.ranks.push_back(each.rank);
        for (const std::int64_t count : surface.candidates) {
            RecallPoint point{.rank = each.rank, .candidates = count};
            fillRecall(recalls(exact.codes, ranks, count), point);
            point.macs = cost.macs + static_cast<double>(count) * static_cast<double>(dictionary.width());
            point.bytesRead = cost.bytesRead + static_cast<double>(count) * 4.0 * static_cast<double>(dictionary.width() + 1);
            surface.points.push_back(point);
        }
    }
    surface.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    context.finish();
    return surface;
}

std::vector<RankedScorer> lowRankScorers(const Dictionary& dictionary, const Moments& moments, const std::vector<std::int64_t>& ranks, const RunContext& context)
{
    const std::int64_t most = std::min(dictionary.width(), dictionary.latents());
    std::int64_t largest = 1;
    for (const std::int64_t rank : ranks)
        if (rank <= most)
            largest = std::max(largest, rank);
    const WeightedFactors all = weightedFactors(dictionary.rows(), moments, largest, context);
    std::vector<RankedScorer> scorers;
    for (const std::int64_t rank : ranks) {
        if (rank < 1 || rank > all.b.cols())
            continue;
        WeightedFactors leading{tensor::Matrix<double>(all.b.rows(), rank), tensor::Matrix<double>(rank, all.a.cols()), {}};
        for (std::int64_t i = 0; i < all.b.rows(); ++i)
            std::copy_n(all.b.view().row(i).begin(), rank, leading.b.view().row(i).begin());
        std::copy_n(all.a.data(), leading.a.size(), leading.a.data());
        auto bias = foldedBias(dictionary.rows(), dictionary.bias(), leading, moments.mean, context);
        scorers.push_back({rank, lowRankScorer(leading.b.view(), leading.a.view(), std::move(bias))});
    }
    return scorers;
}

} // namespace tamis::encoder
