// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/score_scan.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/kernels/kernel_table.h"
#include "core/kernels/product_blocks.h"
#include "core/kernels/scan_table.h"
#include "core/kernels/tile_buffers.h"

#include <algorithm>
#include <array>
#include <deque>
#include <memory>
#include <string>

namespace tamis::kernels {
namespace {
constexpr std::int64_t kShardPanels = 32;            // of one task: 1024 rows, selected on their own whatever the threads
constexpr std::int64_t kBlockPanels = 8;             // scored before they are compared
constexpr std::int64_t kBlockWidth = kBlockPanels * kPanelWidth;
constexpr std::int64_t kChunkTokens = 14 * kScanTile; // with a block's scores: some 200 KB of the second-level cache
constexpr std::int64_t kSliceDepth = 128;            // 16 KB of weights and 7 KB of tokens: together in the first-level cache
constexpr std::int64_t kTasksAtOnce = 16;

std::int64_t ceilDivide(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Tokens as ScanTable::scoreTile reads them, tile after tile for each slice of inputs. Shared by all shards.
class TokenTiles {
public:
    explicit TokenTiles(ConstRows x) : m_rows(x.rows), m_tiles(ceilDivide(x.rows, kScanTile)), m_values(static_cast<std::size_t>(x.rows * x.cols))
    {
        for (std::int64_t k0 = 0; k0 < x.cols; k0 += kSliceDepth)
            for (std::int64_t t = 0; t < m_tiles; ++t) {
                const std::int64_t depth = std::min(kSliceDepth, x.cols - k0), rows = first(t + 1) - first(t);
                float* const tile = m_values.data() + k0 * m_rows + first(t) * depth;
                for (std::int64_t r = 0; r < rows; ++r)
                    for (std::int64_t p = 0; p < depth; ++p)
                        tile[p * rows + r] = x(first(t) + r, k0 + p);
            }
    }
    std::int64_t count() const { return m_tiles; }
    std::int64_t first(std::int64_t tile) const { return m_tiles > 0 ? cutRows(m_rows, m_tiles, tile) : 0; }
    /// Of inputs [k0, k0 + depth).
    const float* at(std::int64_t k0, std::int64_t depth, std::int64_t tile) const { return m_values.data() + k0 * m_rows + first(tile) * depth; }

private:
    std::int64_t m_rows, m_tiles;
    std::vector<float> m_values;
};

/// One chunk of tokens against shards of rows. Safe to use from several threads.
class Chunk {
public:
    Chunk(const ScanRows& rows, ConstRows x, std::size_t k)
        : m_rows(rows), m_x(x), m_k(k), m_few(x.rows <= scans().fewTokens), m_tiles(m_few ? ConstRows{} : x)
    {
        for (std::int64_t t = 0; t < x.rows; ++t)
            m_best.emplace_back(k);
    }

    void shard(std::int64_t index, const RunContext& context)
    {
        std::vector<TopScores> best(static_cast<std::size_t>(m_x.rows), TopScores(m_k));
        static thread_local TileBuffer buffer;
        float* const scores = buffer.ensure(static_cast<std::size_t>(m_x.rows * kBlockWidth + (m_few ? 0 : kPanelWidth * kSliceDepth)));
        const std::int64_t end = std::min(m_rows.panels(), (index + 1) * kShardPanels);
        for (std::int64_t panel = index * kShardPanels; panel < end; panel += kBlockPanels) {
            context.throwIfStopped();
            const std::int64_t count = std::min(kBlockPanels, end - panel);
            if (m_few)
                scoreFew(panel, count, scores);
            else
                scoreMany(panel, count, scores);
            for (std::int64_t t = 0; t < m_x.rows; ++t)
                select(best[static_cast<std::size_t>(t)], m_best[static_cast<std::size_t>(t)].floor(), panel, count, scores + t * kBlockWidth);
        }
        for (std::int64_t t = 0; t < m_x.rows; ++t)
            m_best[static_cast<std::size_t>(t)].merge(best[static_cast<std::size_t>(t)]);
    }
    /// Once all shards are done: of token `t`, in order.
    std::vector<Scored> result(std::size_t t)
    {
        std::vector<Scored> found = m_best[t].take();
        keepBest(found, m_k);
        return found;
    }
    std::int64_t tokens() const { return m_x.rows; }

private:
    void scoreFew(std::int64_t panel, std::int64_t count, float* scores) const
    {
        const ScanTable& scan = scans();
        for (std::int64_t p = 0; p < count; p += 2) {
            const std::int64_t two = std::min<std::int64_t>(2, count - p);
            const void* const from = m_rows.panel(panel + p);
            float* const to = scores + p * kPanelWidth;
            switch (m_rows.precision()) {
            case ScanPrecision::Float32: scan.scoreFloats(static_cast<const float*>(from), two, m_x.cols, m_x.data, m_x.stride, m_x.rows, to, kBlockWidth); break;
            case ScanPrecision::Bfloat16: scan.scoreHalves(static_cast<const std::uint16_t*>(from), two, m_x.cols, m_x.data, m_x.stride, m_x.rows, to, kBlockWidth); break;
            case ScanPrecision::Int8: scan.scoreBytes(static_cast<const std::int8_t*>(from), two, m_x.cols, m_x.data, m_x.stride, m_x.rows, to, kBlockWidth); break;
            }
        }
    }
    void scoreMany(std::int64_t panel, std::int64_t count, float* scores) const
    {
        float* const widened = scores + m_x.rows * kBlockWidth;
        const auto element = static_cast<std::int64_t>(m_rows.elementSize());
        for (std::int64_t p = 0; p < count; ++p)
            for (std::int64_t k0 = 0; k0 < m_x.cols; k0 += kSliceDepth) {
                const std::int64_t depth = std::min(kSliceDepth, m_x.cols - k0);
                const auto* const stored = static_cast<const std::byte*>(m_rows.panel(panel + p)) + k0 * kPanelWidth * element;
                const float* const weights = asFloats(stored, depth * kPanelWidth, widened);
                const std::byte* const next = stored + depth * kPanelWidth * element;
                const std::int64_t step = ceilDivide(kPanelWidth * element, m_tiles.count()); // the next slice, spread over the tiles
                for (std::int64_t t = 0; t < m_tiles.count(); ++t)
                    scans().scoreTile(m_tiles.at(k0, depth, t), m_tiles.first(t + 1) - m_tiles.first(t), weights, depth, scores + m_tiles.first(t) * kBlockWidth + p * kPanelWidth,
                                      kBlockWidth, k0 > 0, next + t * step * depth, step);
            }
    }
    const float* asFloats(const std::byte* stored, std::int64_t count, float* widened) const
    {
        if (m_rows.precision() == ScanPrecision::Float32)
            return reinterpret_cast<const float*>(stored);
        if (m_rows.precision() == ScanPrecision::Bfloat16)
            scans().widenHalves(reinterpret_cast<const std::uint16_t*>(stored), count, widened);
        else
            scans().widenBytes(reinterpret_cast<const std::int8_t*>(stored), count, widened);
        return widened;
    }
    void select(TopScores& best, float floor, std::int64_t panel, std::int64_t count, float* scores) const
    {
        best.raiseFloor(floor);
        std::array<std::int32_t, kBlockWidth> survivors;
        const std::int64_t found = scans().finish(scores, m_rows.scale(panel), m_rows.bias(panel), count * kPanelWidth, best.threshold(), survivors.data());
        for (std::int64_t i = 0; i < found; ++i) {
            const std::int32_t at = survivors[static_cast<std::size_t>(i)];
            best.offer({scores[at], static_cast<std::int32_t>(panel * kPanelWidth) + at});
        }
    }

    const ScanRows& m_rows;
    ConstRows m_x;
    std::size_t m_k;
    bool m_few;
    TokenTiles m_tiles;
    std::deque<SharedTopScores> m_best; ///< by token
};
} // namespace

std::vector<std::vector<Scored>> scanTopScores(const ScanRows& rows, tensor::MatrixView<const float> inputs, std::int64_t k, const RunContext& context)
{
    if (inputs.cols != rows.width() || k < 1)
        throw Error(ErrorCode::InvalidParameter, "found inputs of " + std::to_string(inputs.cols) + " features and k = " + std::to_string(k) + ", expected " +
                                                     std::to_string(rows.width()) + " features and k of at least 1");
    const std::int64_t shards = ceilDivide(rows.panels(), kShardPanels), chunksAtOnce = std::max<std::int64_t>(1, kTasksAtOnce / shards);
    std::vector<std::vector<Scored>> result;
    for (std::int64_t begin = 0; begin < inputs.rows; begin += chunksAtOnce * kChunkTokens) {
        std::vector<std::unique_ptr<Chunk>> chunks;
        for (std::int64_t from = begin; from < std::min(inputs.rows, begin + chunksAtOnce * kChunkTokens); from += kChunkTokens)
            chunks.push_back(std::make_unique<Chunk>(rows, ConstRows{inputs.data + from * inputs.stride, std::min(kChunkTokens, inputs.rows - from), inputs.cols, inputs.stride},
                                                     static_cast<std::size_t>(std::min(k, rows.rows()))));
        const std::size_t count = chunks.size();
        parallelFor(context, count * static_cast<std::size_t>(shards), [&](std::size_t task) { chunks[task % count]->shard(static_cast<std::int64_t>(task / count), context); });
        for (const auto& chunk : chunks)
            for (std::int64_t t = 0; t < chunk->tokens(); ++t)
                result.push_back(chunk->result(static_cast<std::size_t>(t)));
        context.setFraction(static_cast<double>(std::min(inputs.rows, begin + chunksAtOnce * kChunkTokens)) / static_cast<double>(inputs.rows));
    }
    context.finish();
    return result;
}

void scoreListed(tensor::MatrixView<const float> rows, std::span<const float> bias, std::span<const float> x, std::span<const std::int32_t> listed, float* scores)
{
    std::array<const float*, kScanGroup> group;
    for (std::size_t first = 0; first < listed.size(); first += kScanGroup) {
        const std::size_t count = std::min<std::size_t>(kScanGroup, listed.size() - first);
        for (std::size_t i = 0; i < count; ++i)
            group[i] = rows.data + listed[first + i] * rows.stride;
        scans().rowDots(group.data(), static_cast<std::int64_t>(count), x.data(), rows.cols, scores + first);
        for (std::size_t i = 0; i < count; ++i)
            scores[first + i] += bias[static_cast<std::size_t>(listed[first + i])];
    }
}

} // namespace tamis::kernels
