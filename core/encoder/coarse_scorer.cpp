// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/coarse_scorer.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/scored_codes.h"

#include <algorithm>
#include <limits>
#include <string>

namespace tamis::encoder {
namespace {
using tensor::Matrix;
using tensor::MatrixView;
constexpr std::int64_t kGroups = 8; // of slabs, whose bests are found apart: work for so many threads where there is one token

MatrixView<const float> rowsOf(MatrixView<const float> x, std::int64_t first, std::int64_t count)
{
    return {x.data + first * x.stride, count, x.cols, x.stride};
}

/// Memory of one thread, kept from call to call.
std::vector<float>& scoreBuffer()
{
    static thread_local std::vector<float> buffer(static_cast<std::size_t>(kTileTokens * kSlabLatents));
    return buffer;
}

void requireWidth(const CoarseScorer& scorer, MatrixView<const float> prepared)
{
    if (prepared.cols != scorer.width())
        throw Error(ErrorCode::InvalidParameter,
                    "found activations of " + std::to_string(prepared.cols) + " features, expected the " + std::to_string(scorer.width()) + " that the encoder reads");
}

/// The bests of one tile of tokens among the slabs of one group.
using TileBests = std::vector<BestScores>;

TileBests scanGroup(const CoarseScorer& scorer, MatrixView<const float> reduced, std::int64_t group, std::int64_t groups, std::size_t count, float above,
                    const RunContext& context)
{
    TileBests bests(static_cast<std::size_t>(reduced.rows), BestScores(count, above));
    for (std::int64_t slab = scorer.slabs() * group / groups; slab < scorer.slabs() * (group + 1) / groups; ++slab) {
        context.throwIfStopped();
        const std::int64_t size = scorer.slabSize(slab);
        const MatrixView<float> scores{scoreBuffer().data(), reduced.rows, size, size};
        scorer.slab(reduced, slab, scores);
        for (std::int64_t t = 0; t < reduced.rows; ++t)
            bests[static_cast<std::size_t>(t)].offer(static_cast<std::int32_t>(slab * kSlabLatents), scores.row(t));
    }
    return bests;
}

/// One tile on all threads: groups of slabs at once, then the tokens.
void scanTile(const CoarseScorer& scorer, MatrixView<const float> prepared, std::int64_t first, std::size_t count, float above, const RunContext& context,
              const TokenFound& found)
{
    const Matrix<float> reduced = scorer.reduced(prepared);
    const std::int64_t groups = std::min(kGroups, scorer.slabs());
    std::vector<TileBests> parts(static_cast<std::size_t>(groups));
    parallelFor(context, parts.size(), [&](std::size_t group) {
        parts[group] = scanGroup(scorer, reduced.view(), static_cast<std::int64_t>(group), groups, count, above, context);
    });
    parallelFor(context, static_cast<std::size_t>(prepared.rows), [&](std::size_t t) {
        BestScores& best = parts.front()[t];
        for (std::size_t group = 1; group < parts.size(); ++group)
            best.offer(parts[group][t].take());
        found(first + static_cast<std::int64_t>(t), best.take());
    });
}
} // namespace

std::int64_t CoarseScorer::slabSize(std::int64_t index) const noexcept
{
    return std::min(kSlabLatents, latents() - index * kSlabLatents);
}

void forBest(const CoarseScorer& scorer, MatrixView<const float> prepared, std::size_t count, float above, const RunContext& context, const TokenFound& found)
{
    requireWidth(scorer, prepared);
    const std::int64_t tiles = (prepared.rows + kTileTokens - 1) / kTileTokens;
    const auto tileOf = [&](std::int64_t tile) { return rowsOf(prepared, tile * kTileTokens, std::min(kTileTokens, prepared.rows - tile * kTileTokens)); };
    if (tiles < 2 * threadCount()) {
        for (std::int64_t tile = 0; tile < tiles; ++tile)
            scanTile(scorer, tileOf(tile), tile * kTileTokens, count, above, context, found);
        return;
    }
    parallelFor(context, static_cast<std::size_t>(tiles), [&](std::size_t index) {
        const auto tile = static_cast<std::int64_t>(index);
        const Matrix<float> reduced = scorer.reduced(tileOf(tile));
        TileBests bests = scanGroup(scorer, reduced.view(), 0, 1, count, above, context);
        for (std::size_t t = 0; t < bests.size(); ++t)
            found(tile * kTileTokens + static_cast<std::int64_t>(t), bests[t].take());
    });
}

Matrix<float> allScores(const CoarseScorer& scorer, MatrixView<const float> prepared, const RunContext& context)
{
    requireWidth(scorer, prepared);
    Matrix<float> scores(prepared.rows, scorer.latents());
    const std::int64_t tiles = (prepared.rows + kTileTokens - 1) / kTileTokens;
    parallelFor(context, static_cast<std::size_t>(tiles), [&](std::size_t tile) {
        const std::int64_t first = static_cast<std::int64_t>(tile) * kTileTokens, count = std::min(kTileTokens, prepared.rows - first);
        const Matrix<float> reduced = scorer.reduced(rowsOf(prepared, first, count));
        for (std::int64_t slab = 0; slab < scorer.slabs(); ++slab) {
            context.throwIfStopped();
            scorer.slab(reduced.view(), slab, {scores.data() + first * scores.cols() + slab * kSlabLatents, count, scorer.slabSize(slab), scores.cols()});
        }
    });
    return scores;
}

std::vector<std::int32_t> coarseRanks(const CoarseScorer& scorer, MatrixView<const float> prepared, const SparseCodes& codes, const RunContext& context)
{
    requireWidth(scorer, prepared);
    if (codes.tokens() != prepared.rows)
        throw Error(ErrorCode::InvalidParameter, "found codes of " + std::to_string(codes.tokens()) + " tokens, expected the " + std::to_string(prepared.rows) + " that are ranked");
    std::vector<std::int32_t> ranks(codes.latents.size());
    const std::int64_t tile = std::clamp<std::int64_t>((std::int64_t{1} << 22) / scorer.latents(), 1, kTileTokens); // some 16 MB of scores a thread
    parallelFor(context, static_cast<std::size_t>((prepared.rows + tile - 1) / tile), [&](std::size_t index) {
        const std::int64_t first = static_cast<std::int64_t>(index) * tile, count = std::min(tile, prepared.rows - first);
        const Matrix<float> scores = allScores(scorer, rowsOf(prepared, first, count), context);
        for (std::int64_t t = 0; t < count; ++t) {
            context.throwIfStopped();
            const std::span<const float> row = scores.view().row(t);
            const auto begin = codes.first[static_cast<std::size_t>(first + t)], end = codes.first[static_cast<std::size_t>(first + t) + 1];
            for (std::size_t i = begin; i < end; ++i) {
                const auto latent = static_cast<std::size_t>(codes.latents[i]);
                const float own = row[latent];
                std::int32_t better = 0;
                for (std::size_t j = 0; j < row.size(); ++j)
                    better += static_cast<std::int32_t>(row[j] > own) + static_cast<std::int32_t>(j < latent && row[j] == own);
                ranks[i] = better;
            }
        }
    });
    return ranks;
}

namespace {
class CoarseOnly final : public CoarseEncoder {
public:
    CoarseOnly(ScorerPtr scorer, std::int64_t k) : m_scorer(std::move(scorer)), m_k(k) {}
    const ScorerPtr& scorer() const noexcept override { return m_scorer; }
    std::int64_t k() const noexcept override { return m_k; }
    EncoderCost cost() const noexcept override { return m_scorer->cost(); }
    SparseCodes encode(MatrixView<const float> prepared, const RunContext& context, EncodeTrace* trace) const override
    {
        std::vector<std::vector<kernels::Scored>> tokens(static_cast<std::size_t>(prepared.rows));
        forBest(*m_scorer, prepared, static_cast<std::size_t>(m_k), 0.0F, context,
                [&](std::int64_t token, const std::vector<kernels::Scored>& best) { tokens[static_cast<std::size_t>(token)] = best; });
        if (trace)
            *trace = {};
        return codesOf(tokens);
    }

private:
    ScorerPtr m_scorer;
    std::int64_t m_k;
};
} // namespace

std::shared_ptr<const CoarseEncoder> coarseOnly(ScorerPtr scorer, std::int64_t k)
{
    if (k < 1 || k > scorer->latents())
        throw Error(ErrorCode::InvalidParameter, "found k = " + std::to_string(k) + ", expected 1 to the " + std::to_string(scorer->latents()) + " latents");
    return std::make_shared<CoarseOnly>(std::move(scorer), k);
}

} // namespace tamis::encoder
