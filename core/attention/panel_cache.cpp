// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/panel_cache.h"

#include "core/attention/row_scan.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <new>
#include <sys/mman.h>
#include <utility>

namespace tamis::attention {
namespace {
using kernels::kernels;
using kernels::kPanelWidth;
using kernels::kTileDepth;
using kernels::kTileRows;
using kernels::kTileStride;

constexpr std::size_t kPageBytes = std::size_t{2} << 20U, kMostBytes = std::size_t{8} << 20U;

std::int64_t panels(std::int64_t count) { return (count + kPanelWidth - 1) / kPanelWidth; }

float* ensure(std::unique_ptr<float[]>& memory, std::size_t& size, std::int64_t count)
{
    const auto wanted = static_cast<std::size_t>(count);
    if (wanted > size) {
        memory = std::make_unique<float[]>(wanted + wanted / 2);
        size = wanted + wanted / 2;
    }
    return memory.get();
}
} // namespace

void PanelCache::Free::operator()(float* memory) const noexcept { std::free(memory); }

PanelCache::PanelCache(std::int64_t dim, std::int64_t width, std::int64_t blockTokens)
    : m_dim(dim), m_width(width), m_blockTokens(blockTokens), m_keyFloats(panels(blockTokens) * dim * kPanelWidth),
      m_blockFloats(m_keyFloats + panels(width) * blockTokens * kPanelWidth)
{
}

/// As many blocks again as there are, up to 8 MiB at once. Large pieces lie on large pages: a step reads all of a cache once, and a walk through
/// the page tables for every 4 KiB costs more than their bytes.
void PanelCache::addBlocks()
{
    const std::size_t blockBytes = static_cast<std::size_t>(m_blockFloats) * sizeof(float);
    const std::size_t count = std::max<std::size_t>(1, std::min(m_blocks.size(), kMostBytes / blockBytes));
    const std::size_t side = count * blockBytes >= kPageBytes ? kPageBytes : 128, bytes = (count * blockBytes + side - 1) / side * side;
    std::unique_ptr<float[], Free> memory(static_cast<float*>(std::aligned_alloc(side, bytes)));
    if (!memory)
        throw std::bad_alloc();
    if (side == kPageBytes)
        madvise(memory.get(), bytes, MADV_HUGEPAGE); // a wish: without it everything is as right and slower
    std::fill_n(memory.get(), bytes / sizeof(float), 0.0F); // lanes that no token fills are read and left unused
    m_blocks.reserve(m_blocks.size() + count);
    for (std::size_t i = 0; i < count; ++i)
        m_blocks.push_back(memory.get() + i * static_cast<std::size_t>(m_blockFloats));
    m_memory.push_back(std::move(memory));
}

void PanelCache::append(const float* key, const float* value)
{
    const std::int64_t block = m_tokens / m_blockTokens, token = m_tokens % m_blockTokens;
    if (block == static_cast<std::int64_t>(m_blocks.size()))
        addBlocks();
    float* panel = m_blocks[static_cast<std::size_t>(block)];
    float* column = panel + token / kPanelWidth * m_dim * kPanelWidth + token % kPanelWidth;
    for (std::int64_t p = 0; p < m_dim; ++p)
        column[p * kPanelWidth] = key[p];
    float* row = panel + m_keyFloats + token * kPanelWidth;
    for (std::int64_t j = 0; j < m_width; j += kPanelWidth)
        std::copy_n(value + j, std::min(kPanelWidth, m_width - j), row + j * m_blockTokens);
    ++m_tokens;
}

void PanelCache::readKey(std::int64_t token, float* key) const noexcept
{
    const std::int64_t inBlock = token % m_blockTokens;
    const float* column = keys(token / m_blockTokens) + inBlock / kPanelWidth * m_dim * kPanelWidth + inBlock % kPanelWidth;
    for (std::int64_t p = 0; p < m_dim; ++p)
        key[p] = column[p * kPanelWidth];
}

void PanelCache::readValue(std::int64_t token, float* value) const noexcept
{
    const float* row = values(token / m_blockTokens) + token % m_blockTokens * kPanelWidth;
    for (std::int64_t j = 0; j < m_width; j += kPanelWidth)
        std::copy_n(row + j * m_blockTokens, std::min(kPanelWidth, m_width - j), value + j);
}

void addSegments(const PanelCache& cache, std::int64_t begin, std::int64_t end, std::vector<Segment>& segments)
{
    while (begin < end) {
        const std::int64_t block = begin / cache.blockTokens(), inBlock = begin % cache.blockTokens();
        const std::int64_t panel = inBlock / kPanelWidth, skip = inBlock % kPanelWidth;
        const std::int64_t most = std::min(cache.blockTokens() - inBlock, kTileDepth - skip), count = std::min(most, end - begin);
        segments.push_back({cache.keys(block) + panel * cache.dim() * kPanelWidth, cache.values(block) + inBlock * kPanelWidth, skip, count, begin});
        begin += count;
    }
}

void addPieces(std::span<const Segment> segments, std::int64_t begin, std::int64_t end, std::vector<Piece>& pieces)
{
    for (std::size_t s = 0; s < segments.size(); ++s) {
        const Segment& segment = segments[s];
        const std::int64_t from = std::max(begin, segment.first), to = std::min(end, segment.first + segment.count);
        if (from < to)
            pieces.push_back({s, segment.skip + from - segment.first, to - from});
    }
}

void SegmentAttention::setQueries(const float* q, std::int64_t stride, std::int64_t rows, std::int64_t dim, float scale) { setQueries(q, 0, 1, stride, rows, dim, scale); }

void SegmentAttention::setQueries(const float* q, std::int64_t queryStride, std::int64_t queries, std::int64_t stride, std::int64_t rows, std::int64_t dim, float scale)
{
    m_rows = queries * rows;
    m_dim = dim;
    const std::int64_t parts = (dim + kTileDepth - 1) / kTileDepth;
    float* own = ensure(m_queries, m_queryFloats, parts * m_rows * kTileStride);
    for (std::int64_t part = 0; part < parts; ++part)
        for (std::int64_t query = 0; query < queries; ++query)
            for (std::int64_t row = 0; row < rows; ++row, own += kTileStride)
                kernels().scaleCopy(q + query * queryStride + row * stride + part * kTileDepth, scale, own, std::min(kTileDepth, dim - part * kTileDepth));
}

void SegmentAttention::score(std::span<const Segment> segments)
{
    multiply(segments);
    m_pieces.clear();
    for (std::size_t s = 0; s < segments.size(); ++s)
        m_pieces.push_back({s, segments[s].skip, segments[s].count});
    for (std::int64_t row = 0; row < m_rows; ++row)
        normalise(segments, row, m_pieces);
}

void SegmentAttention::multiply(std::span<const Segment> segments)
{
    ensure(m_scores, m_scoreFloats, static_cast<std::int64_t>(segments.size()) * m_rows * kTileStride);
    for (std::size_t s = 0; s < segments.size(); ++s) {
        const Segment& segment = segments[s];
        for (std::int64_t token = 0; token < segment.skip + segment.count; token += kPanelWidth)
            for (std::int64_t row = 0; row < m_rows; row += kTileRows) // the panel stays in the first-level cache for all heads
                for (std::int64_t d = 0; d < m_dim; d += kTileDepth)
                    kernels().tile(m_queries.get() + (d / kTileDepth * m_rows + row) * kTileStride, segment.keys + token * m_dim + d * kPanelWidth, std::min(kTileDepth, m_dim - d),
                                   at(row, s) + token, kTileStride, std::min(kTileRows, m_rows - row), d > 0);
    }
}

void SegmentAttention::normalise(std::span<const Segment> segments, std::int64_t row, std::span<const Piece> pieces)
{
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    float top = -kInfinity;
    bool numbers = true; // the kernels' exponential takes what is not a number for something small
    for (const Piece& piece : pieces) {
        const float* scores = at(row, piece.segment) + piece.skip;
        top = std::max(top, kernels().maximum(scores, piece.count));
        if (!allNumbers(scores, piece.count))
            numbers &= std::none_of(scores, scores + piece.count, [](float score) { return score != score; });
    }
    const bool nothing = numbers && top == -kInfinity; // is seen
    numbers = numbers && !nothing && top != kInfinity;
    float sum = 0;
    for (const Piece& piece : pieces)
        if (numbers)
            sum += kernels().exponential(at(row, piece.segment) + piece.skip, top, piece.count);
    const float factor = numbers ? 1 / sum : std::numeric_limits<float>::quiet_NaN();
    auto piece = pieces.begin();
    for (std::size_t s = 0; s < segments.size(); ++s) {
        float *p = at(row, s), *end = p + segments[s].skip + segments[s].count;
        p += segments[s].skip;
        if (piece != pieces.end() && piece->segment == s) {
            float* own = at(row, s) + piece->skip;
            std::fill(p, own, 0.0F);
            p = own + piece->count;
            if (nothing)
                std::fill(own, p, 0.0F);
            else
                kernels().scaleCopy(own, factor, own, piece->count);
            ++piece;
        }
        std::fill(p, end, 0.0F);
    }
}

void SegmentAttention::mix(std::span<const Segment> segments, const PanelCache& cache, const float* factors, float* out, std::int64_t stride) { mix(segments, cache, factors, out, 0, stride, m_rows); }

void SegmentAttention::mix(std::span<const Segment> segments, const PanelCache& cache, const float* factors, float* out, std::int64_t queryStride, std::int64_t stride, std::int64_t rows)
{
    if (segments.empty())
        return;
    const std::int64_t width = cache.width(), padded = panels(width) * kPanelWidth;
    float* mixed = ensure(m_mixed, m_mixedFloats, m_rows * padded);
    bool started = false;
    for (std::size_t s = 0; s < segments.size(); ++s) {
        const Segment& segment = segments[s];
        for (std::int64_t j = 0; j < width; j += kPanelWidth)
            for (std::int64_t row = 0; row < m_rows; row += kTileRows)
                kernels().tile(at(row, s) + segment.skip, segment.values + j * cache.blockTokens(), segment.count, mixed + row * padded + j, padded, std::min(kTileRows, m_rows - row), started);
        started = true;
    }
    for (std::int64_t row = 0; row < m_rows; ++row) {
        kernels().scaleCopy(mixed + row * padded, factors[row], mixed + row * padded, width);
        kernels().add(mixed + row * padded, out + row / rows * queryStride + row % rows * stride, width);
    }
}

} // namespace tamis::attention
