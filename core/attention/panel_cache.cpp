// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/panel_cache.h"

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

void SegmentAttention::setQueries(const float* q, std::int64_t stride, std::int64_t rows, std::int64_t dim, float scale)
{
    m_rows = rows;
    m_dim = dim;
    const std::int64_t parts = (dim + kTileDepth - 1) / kTileDepth;
    float* queries = ensure(m_queries, m_queryFloats, parts * rows * kTileStride);
    for (std::int64_t part = 0; part < parts; ++part)
        for (std::int64_t row = 0; row < rows; ++row)
            kernels().scaleCopy(q + row * stride + part * kTileDepth, scale, queries + (part * rows + row) * kTileStride, std::min(kTileDepth, dim - part * kTileDepth));
}

void SegmentAttention::score(std::span<const Segment> segments)
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
    for (std::int64_t row = 0; row < m_rows; ++row)
        normalise(segments, row);
}

void SegmentAttention::normalise(std::span<const Segment> segments, std::int64_t row)
{
    float top = -std::numeric_limits<float>::infinity();
    bool numbers = true; // the kernels' exponential takes what is not a number for something small
    for (std::size_t s = 0; s < segments.size(); ++s) {
        const float* scores = at(row, s) + segments[s].skip;
        top = std::max(top, kernels().maximum(scores, segments[s].count));
        for (std::int64_t j = 0; j < segments[s].count; ++j)
            numbers &= scores[j] == scores[j];
    }
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    if (numbers && top == -kInfinity) { // nothing is seen
        for (std::size_t s = 0; s < segments.size(); ++s)
            std::fill_n(at(row, s) + segments[s].skip, segments[s].count, 0.0F);
        return;
    }
    numbers = numbers && top != kInfinity;
    float sum = 0;
    for (std::size_t s = 0; s < segments.size() && numbers; ++s)
        sum += kernels().exponential(at(row, s) + segments[s].skip, top, segments[s].count);
    const float factor = numbers ? 1 / sum : std::numeric_limits<float>::quiet_NaN();
    for (std::size_t s = 0; s < segments.size(); ++s)
        kernels().scaleCopy(at(row, s) + segments[s].skip, factor, at(row, s) + segments[s].skip, segments[s].count);
}

void SegmentAttention::mix(std::span<const Segment> segments, const PanelCache& cache, const float* factors, float* out, std::int64_t stride)
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
        kernels().add(mixed + row * padded, out + row * stride, width);
    }
}

} // namespace tamis::attention
