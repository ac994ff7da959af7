// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/packed_matrix.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/kernels/kernel_table.h"
#include "core/kernels/tile_buffers.h"

#include <algorithm>
#include <cstring>
#include <new>

namespace tamis::kernels {

namespace {
constexpr std::int64_t kBlockRows = 14 * kTileRows; // with kBlockColumns: sums and weights of a block fill half of 1 MB
const RunContext kNeverStopped; // a product is too short to be stopped inside
constexpr std::int64_t kBlockColumns = 8 * kPanelWidth;

std::int64_t panels(std::int64_t rows)
{
    return (rows + kPanelWidth - 1) / kPanelWidth;
}

/// Rows [begin, end) of `count` rows in `parts` nearly equal parts.
std::int64_t cut(std::int64_t count, std::int64_t parts, std::int64_t part)
{
    return count * part / parts;
}

struct Product {
    ConstRows x;
    const PackedMatrix* weight;
    const Epilogue* epilogue;
    Rows y;
};

/// y[r0:r1, c0:c1), c0 a multiple of the panel width.
void multiplyBlock(const Product& product, std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1)
{
    static thread_local TileBuffer buffer;
    const KernelTable& kernel = kernels();
    const std::int64_t depth = product.weight->cols(), rows = r1 - r0;
    const std::int64_t width = panels(c1 - c0) * kPanelWidth, tiles = (rows + kTileRows - 1) / kTileRows;
    float* packed = buffer.ensure(static_cast<std::size_t>(kTileRows * kTileStride + rows * width));
    float* sums = packed + kTileRows * kTileStride;
    for (std::int64_t k0 = 0; k0 < depth; k0 += kTileDepth) {
        const std::int64_t k = std::min(kTileDepth, depth - k0);
        for (std::int64_t t = 0; t < tiles; ++t) {
            const std::int64_t begin = cut(rows, tiles, t), count = cut(rows, tiles, t + 1) - begin;
            for (std::int64_t r = 0; r < count; ++r)
                std::memcpy(packed + r * kTileStride, product.x.data + (r0 + begin + r) * product.x.stride + k0, static_cast<std::size_t>(k) * sizeof(float));
            for (std::int64_t c = 0; c < width; c += kPanelWidth)
                kernel.tile(packed, product.weight->panel((c0 + c) / kPanelWidth) + k0 * kPanelWidth, k, sums + begin * width + c, width, count, k0 > 0);
        }
    }
    const Epilogue& e = *product.epilogue;
    for (std::int64_t r = 0; r < rows; ++r)
        kernel.epilogueRow(sums + r * width, e.bias ? e.bias + c0 : nullptr, e.activation,
                           e.factor.data ? e.factor.data + (r0 + r) * e.factor.stride + c0 : nullptr, e.scale ? e.scale + c0 : nullptr,
                           e.base.data ? e.base.data + (r0 + r) * e.base.stride + c0 : nullptr, product.y.data + (r0 + r) * product.y.stride + c0,
                           c1 - c0);
}

void checkShapes(ConstRows x, const PackedMatrix& weight, const Epilogue& e, Rows y)
{
    const bool fits = x.cols == weight.cols() && y.cols == weight.rows() && x.rows == y.rows &&
                      (!e.factor.data || (e.factor.rows == y.rows && e.factor.cols == y.cols)) &&
                      (!e.base.data || (e.base.rows == y.rows && e.base.cols == y.cols));
    if (!fits)
        throw Error(ErrorCode::InvalidParameter, "a product of [" + std::to_string(x.rows) + ", " + std::to_string(x.cols) + "] by weights [" +
                                                     std::to_string(weight.rows()) + ", " + std::to_string(weight.cols()) + "] cannot fill [" +
                                                     std::to_string(y.rows) + ", " + std::to_string(y.cols) + "]");
}
} // namespace

PackedMatrix::PackedMatrix(ConstRows weight) : m_rows(weight.rows), m_cols(weight.cols)
{
    const auto count = static_cast<std::size_t>(panels(m_rows) * kPanelWidth * m_cols);
    constexpr std::align_val_t kAlignment{64};
    m_values = std::shared_ptr<float[]>(new (kAlignment) float[std::max<std::size_t>(count, 1)],
                                        [](float* values) { ::operator delete[](values, kAlignment); });
    for (std::int64_t p = 0; p < panels(m_rows); ++p) {
        const std::int64_t first = p * kPanelWidth;
        kernels().packTransposed(weight.data + first * weight.stride, weight.stride, m_cols, std::min(kPanelWidth, m_rows - first),
                                 m_values.get() + first * m_cols);
    }
}

const float* PackedMatrix::panel(std::int64_t index) const noexcept
{
    return m_values.get() + index * kPanelWidth * m_cols;
}

tensor::Matrix<float> PackedMatrix::unpack() const
{
    tensor::Matrix<float> weight(m_rows, m_cols);
    for (std::int64_t i = 0; i < m_rows; ++i)
        for (std::int64_t j = 0; j < m_cols; ++j)
            weight(i, j) = panel(i / kPanelWidth)[j * kPanelWidth + i % kPanelWidth];
    return weight;
}

void multiply(ConstRows x, const PackedMatrix& weight, const Epilogue& epilogue, Rows y, bool parallel)
{
    checkShapes(x, weight, epilogue, y);
    if (y.rows == 0 || y.cols == 0)
        return;
    const Product product{x, &weight, &epilogue, y};
    std::int64_t rowBlocks = (y.rows + kBlockRows - 1) / kBlockRows;
    const std::int64_t allPanels = panels(y.cols);
    std::int64_t columnBlocks = (y.cols + kBlockColumns - 1) / kBlockColumns;
    const int threads = parallel ? threadCount() : 1;
    if (threads > 1) { // finer blocks until every thread has work of equal size; the sums stay the same
        while (columnBlocks * rowBlocks < threads && columnBlocks < allPanels)
            ++columnBlocks;
        while (columnBlocks * rowBlocks < threads && rowBlocks < (y.rows + kTileRows - 1) / kTileRows)
            ++rowBlocks;
        if (columnBlocks * rowBlocks % threads != 0 && columnBlocks < allPanels)
            columnBlocks = std::min(allPanels, (columnBlocks + threads - 1) / threads * threads);
    }
    const auto block = [&](std::size_t index) {
        const auto i = static_cast<std::int64_t>(index) % rowBlocks, j = static_cast<std::int64_t>(index) / rowBlocks;
        multiplyBlock(product, cut(y.rows, rowBlocks, i), cut(y.rows, rowBlocks, i + 1), cut(allPanels, columnBlocks, j) * kPanelWidth,
                      std::min(y.cols, cut(allPanels, columnBlocks, j + 1) * kPanelWidth));
    };
    const auto blocks = static_cast<std::size_t>(rowBlocks * columnBlocks);
    if (threads > 1 && blocks > 1)
        parallelFor(kNeverStopped, blocks, block);
    else
        for (std::size_t i = 0; i < blocks; ++i)
            block(i);
}

} // namespace tamis::kernels
