// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/nn/scratch.h"

#include <algorithm>

namespace tamis::nn {

namespace {
constexpr std::size_t kAlignment = 16;       // floats in 64 bytes
constexpr std::size_t kFirstBlock = 1 << 18; // 1 MB
} // namespace

kernels::Rows Scratch::take(std::int64_t rows, std::int64_t cols)
{
    const std::size_t count = static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols);
    const std::size_t padded = (count + kAlignment - 1) / kAlignment * kAlignment;
    while (m_block < m_blocks.size() && m_used + padded > m_blocks[m_block].size) {
        ++m_block;
        m_used = 0;
    }
    if (m_block == m_blocks.size()) {
        Block block;
        block.size = std::max({padded, kFirstBlock, m_blocks.empty() ? 0 : 2 * m_blocks.back().size});
        block.values.reset(new float[block.size + kAlignment]);
        void* start = block.values.get();
        std::size_t space = (block.size + kAlignment) * sizeof(float);
        block.start = static_cast<float*>(std::align(kAlignment * sizeof(float), block.size * sizeof(float), start, space));
        m_blocks.push_back(std::move(block));
        m_used = 0;
    }
    float* taken = m_blocks[m_block].start + m_used;
    m_used += padded;
    m_live += count;
    m_peak = std::max(m_peak, m_live);
    return {taken, rows, cols, cols};
}

} // namespace tamis::nn
