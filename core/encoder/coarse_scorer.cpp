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
constexpr std::int64_t kScoresAtOnce = std::int64_t{1} << 21; // of a tile of tokens: 8 MB

MatrixView<const float> rowsOf(MatrixView<const float> x, std::int64_t first, std::int64_t count)
{
    return {x.data + first * x.stride, count, x.cols, x.stride};
}

void requireWidth(const CoarseScorer& scorer, MatrixView<const float> prepared)
{
    if (prepared.cols != scorer.width())
        throw Error(ErrorCode::InvalidParameter,
                    "found activations of " + std::to_string(prepared.cols) + " features, expected the " + std::to_string(scorer.width()) + " that the encoder reads");
}

/// All scores of one tile, then the best of each token: slabs and tokens on all threads, or on this one where tiles are.
void scanTile(const CoarseScorer& scorer, MatrixView<const float> prepared, std::int64_t first, const Selection& selection, bool parallel, const RunContext& context,
              const TokenFound& found)
{
    const Matrix<float> reduced = scorer.reduced(prepared);
    const auto memory = std::make_unique_for_overwrite<float[]>(static_cast<std::size_t>(prepared.rows * scorer.latents()));
    const MatrixView<float> scores{memory.get(), prepared.rows, scorer.latents(), scorer.latents()};
    const auto each = [&](std::int64_t count, const std::function<void(std::size_t)>& body) {
        if (parallel)
            return parallelFor(context, static_cast<std::size_t>(count), body);
        for (std::int64_t i = 0; i < count; ++i) {
            context.throwIfStopped();
            body(static_cast<std::size_t>(i));
        }
    };
    each(scorer.slabs(), [&](std::size_t index) {
        const auto slab = static_cast<std::int64_t>(index);
        scorer.slab(reduced.view(), slab, {scores.data + slab * kSlabLatents, scores.rows, scorer.slabSize(slab), scores.stride});
    });
    each(prepared.rows, [&](std::size_t t) {
        const auto token = static_cast<std::int64_t>(t);
        found(first + token, bestScores(scores.row(token), selection.count, selection.above, selection.order));
    });
}
} // namespace

std::int64_t CoarseScorer::slabSize(std::int64_t index) const noexcept
{
    return std::min(kSlabLatents, latents() - index * kSlabLatents);
}

void forBest(const CoarseScorer& scorer, MatrixView<const float> prepared, const Selection& selection, const RunContext& context, const TokenFound& found)
{
    requireWidth(scorer, prepared);
    const std::int64_t size = std::clamp<std::int64_t>(kScoresAtOnce / scorer.latents(), 1, kTileTokens), tiles = (prepared.rows + size - 1) / size;
    const auto scan = [&](std::int64_t tile, bool parallel) {
        scanTile(scorer, rowsOf(prepared, tile * size, std::min(size, prepared.rows - tile * size)), tile * size, selection, parallel, context, found);
    };
    if (tiles >= 2 * threadCount())
        return parallelFor(context, static_cast<std::size_t>(tiles), [&](std::size_t tile) { scan(static_cast<std::int64_t>(tile), false); });
    for (std::int64_t tile = 0; tile < tiles; ++tile)
        scan(tile, true);
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
        forBest(*m_scorer, prepared, {static_cast<std::size_t>(m_k), 0.0F, Order::Falling}, context,
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
