// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Keys and values of one key-value head, laid out for the register tiles of core/kernels: what is generated token by token appends to it, and
// every query head of the group reads a block of it at once. Private to the lab and its benches.
#include "core/kernels/kernel_table.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tamis::attention {

/// Blocks of `blockTokens` tokens, each in one piece of memory: key panels [ceil(blockTokens / 32)][dim][32], behind them value panels
/// [ceil(width / 32)][blockTokens][32]. Not thread-safe.
class PanelCache {
public:
    PanelCache(std::int64_t dim, std::int64_t width, std::int64_t blockTokens);
    void append(const float* key, const float* value); ///< [dim], [width]
    std::int64_t tokens() const noexcept { return m_tokens; }
    std::int64_t dim() const noexcept { return m_dim; }
    std::int64_t width() const noexcept { return m_width; }
    std::int64_t blockTokens() const noexcept { return m_blockTokens; }
    std::int64_t blocks() const noexcept { return (m_tokens + m_blockTokens - 1) / m_blockTokens; }
    const float* keys(std::int64_t block) const noexcept { return m_blocks[static_cast<std::size_t>(block)]; }
    const float* values(std::int64_t block) const noexcept { return keys(block) + m_keyFloats; }
    void readKey(std::int64_t token, float* key) const noexcept;     ///< [dim]
    void readValue(std::int64_t token, float* value) const noexcept; ///< [width]
    std::int64_t bytes() const noexcept { return static_cast<std::int64_t>(m_blocks.size()) * m_blockFloats * static_cast<std::int64_t>(sizeof(float)); }

private:
    struct Free {
        void operator()(float* memory) const noexcept;
    };
    void addBlocks();
    std::int64_t m_dim, m_width, m_blockTokens, m_keyFloats, m_blockFloats, m_tokens = 0;
    std::vector<std::unique_ptr<float[], Free>> m_memory; ///< pieces of several blocks, growing
    std::vector<float*> m_blocks;
};

/// Up to 256 neighbouring tokens of one block of a cache.
struct Segment {
    const float* keys = nullptr;   ///< of the panel that holds the first token
    const float* values = nullptr; ///< of the first token, in the first panel of values
    std::int64_t skip = 0;         ///< tokens of that panel before it
    std::int64_t count = 0;
    std::int64_t first = 0;        ///< token of the cache
};
/// Appends the tokens [begin, end) of the cache.
void addSegments(const PanelCache& cache, std::int64_t begin, std::int64_t end, std::vector<Segment>& segments);
inline std::int64_t tokensOf(std::span<const Segment> segments) noexcept
{
    std::int64_t count = 0;
    for (const Segment& segment : segments)
        count += segment.count;
    return count;
}

/// What a row reads of a segment: tokens from `skip` of its panel on.
struct Piece {
    std::size_t segment = 0;
    std::int64_t skip = 0, count = 0;
};
/// Appends what tokens [begin, end) of the cache are of segments that are ascending.
void addPieces(std::span<const Segment> segments, std::int64_t begin, std::int64_t end, std::vector<Piece>& pieces);

/// Softmax attention of a group's query heads, of one query or of several, over segments; buffers are kept from call to call.
class SegmentAttention {
public:
    /// The rows are the queries of `rows` heads, [rows, dim] with this stride, times scale.
    void setQueries(const float* q, std::int64_t stride, std::int64_t rows, std::int64_t dim, float scale);
    /// Of `queries` of them, `queryStride` floats from one to the next: rows query by query.
    void setQueries(const float* q, std::int64_t queryStride, std::int64_t queries, std::int64_t stride, std::int64_t rows, std::int64_t dim, float scale);
    /// probabilities(row, segment) for all segments, each row summing to 1. A row with a score that is not a number, or with one that is +infinity, is not a
    /// number throughout; one whose scores are all -infinity is 0. Every block is read once for all rows.
    void score(std::span<const Segment> segments);
    /// The same in two steps, where rows read unlike pieces of the segments: scores of all, and each row's probabilities by the pieces that it reads, ascending, at most one of a segment; 0 elsewhere.
    /// The sums are those of the row alone, bit by bit.
    void multiply(std::span<const Segment> segments);
    void normalise(std::span<const Segment> segments, std::int64_t row, std::span<const Piece> pieces);
    /// Of `segments` as given to score(): `count` numbers.
    const float* probabilities(std::int64_t row, std::size_t segment, std::int64_t skip) const noexcept { return at(row, segment) + skip; }
    /// out[row] += factors[row] * (probabilities v) for the same segments of the same cache: out [rows, width] with this stride.
    void mix(std::span<const Segment> segments, const PanelCache& cache, const float* factors, float* out, std::int64_t stride);
    /// Of several queries: out and factors row by row, the rows of a query `queryStride` floats behind those of the one before it; `rows` of each.
    void mix(std::span<const Segment> segments, const PanelCache& cache, const float* factors, float* out, std::int64_t queryStride, std::int64_t stride, std::int64_t rows);

private:
    float* at(std::int64_t row, std::size_t segment) const noexcept
    {
        return m_scores.get() + (static_cast<std::int64_t>(segment) * m_rows + row) * kernels::kTileStride;
    }
    std::vector<Piece> m_pieces;
    std::int64_t m_rows = 0, m_dim = 0;
    std::unique_ptr<float[]> m_queries, m_scores, m_mixed;
    std::size_t m_queryFloats = 0, m_scoreFloats = 0, m_mixedFloats = 0;
};

} // namespace tamis::attention
