// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The blocks that a product is cut into, for weights that lie in panels and for weights that are decoded into panels first.
// Private to kernels.
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/kernels/compact_matrix.h"
#include "core/kernels/kernel_table.h"
#include "core/kernels/packed_matrix.h"
#include "core/kernels/tile_buffers.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <type_traits>

namespace tamis::kernels {

inline constexpr std::int64_t kBlockRows = 14 * kTileRows; // with kBlockColumns: sums and weights of a block fill half of 1 MB
inline constexpr std::int64_t kBlockColumns = 8 * kPanelWidth;

/// [begin, end) of `count` rows in `parts` nearly equal parts.
inline std::int64_t cutRows(std::int64_t count, std::int64_t parts, std::int64_t part)
{
    return count * part / parts;
}

inline std::int64_t panelCount(std::int64_t rows)
{
    return (rows + kPanelWidth - 1) / kPanelWidth;
}

template <class Weight> struct Product {
    static constexpr bool kDecoded = std::is_same_v<Weight, CompactMatrix>;
    ConstRows x;
    const Weight& weight;
    const Epilogue& epilogue;
    Rows y;

    /// y[r0:r1, c0:c1), c0 a multiple of the panel width. A decoded weight is read once a block, whatever its rows.
    void block(std::int64_t r0, std::int64_t r1, std::int64_t c0, std::int64_t c1) const
    {
        static thread_local TileBuffer buffer;
        const KernelTable& kernel = kernels();
        const std::int64_t depth = weight.cols(), rows = r1 - r0;
        const std::int64_t width = panelCount(c1 - c0) * kPanelWidth, tiles = (rows + kTileRows - 1) / kTileRows;
        float* packed = buffer.ensure(static_cast<std::size_t>(kTileRows * kTileStride + rows * width + (kDecoded ? width * kTileDepth : 0)));
        float *sums = packed + kTileRows * kTileStride, *decoded = sums + rows * width;
        for (std::int64_t k0 = 0; k0 < depth; k0 += kTileDepth) {
            const std::int64_t k = std::min(kTileDepth, depth - k0);
            if constexpr (kDecoded)
                for (std::int64_t c = 0; c < width; c += kPanelWidth)
                    weight.decode((c0 + c) / kPanelWidth, k0, k, decoded + c * kTileDepth);
            for (std::int64_t t = 0; t < tiles; ++t) {
                const std::int64_t begin = cutRows(rows, tiles, t), count = cutRows(rows, tiles, t + 1) - begin;
                for (std::int64_t r = 0; r < count; ++r)
                    std::memcpy(packed + r * kTileStride, x.data + (r0 + begin + r) * x.stride + k0, static_cast<std::size_t>(k) * sizeof(float));
                for (std::int64_t c = 0; c < width; c += kPanelWidth)
                    kernel.tile(packed, panel(c0 + c, k0, decoded + c * kTileDepth), k, sums + begin * width + c, width, count, k0 > 0);
            }
        }
        for (std::int64_t r = 0; r < rows; ++r)
            finishRow(kernel, r0 + r, c0, c1, sums + r * width);
    }
    const float* panel(std::int64_t column, std::int64_t k0, const float* decoded) const
    {
        if constexpr (kDecoded)
            return decoded;
        else
            return weight.panel(column / kPanelWidth) + k0 * kPanelWidth;
    }
    void finishRow(const KernelTable& kernel, std::int64_t row, std::int64_t c0, std::int64_t c1, float* sums) const
    {
        const Epilogue& e = epilogue;
        kernel.epilogueRow(sums, e.bias ? e.bias + c0 : nullptr, e.activation, e.factor.data ? e.factor.data + row * e.factor.stride + c0 : nullptr,
                           e.scale ? e.scale + c0 : nullptr, e.base.data ? e.base.data + row * e.base.stride + c0 : nullptr,
                           y.data + row * y.stride + c0, c1 - c0);
    }
    void checkShapes() const
    {
        const Epilogue& e = epilogue;
        const bool fits = x.cols == weight.cols() && y.cols == weight.rows() && x.rows == y.rows &&
                          (!e.factor.data || (e.factor.rows == y.rows && e.factor.cols == y.cols)) &&
                          (!e.base.data || (e.base.rows == y.rows && e.base.cols == y.cols));
        if (!fits)
            throw Error(ErrorCode::InvalidParameter, "a product of [" + std::to_string(x.rows) + ", " + std::to_string(x.cols) + "] by weights [" +
                                                         std::to_string(weight.rows()) + ", " + std::to_string(weight.cols()) + "] cannot fill [" +
                                                         std::to_string(y.rows) + ", " + std::to_string(y.cols) + "]");
    }
};

/// y = epilogue(x weight^T), see multiply().
template <class Weight> void multiplyInBlocks(ConstRows x, const Weight& weight, const Epilogue& epilogue, Rows y, bool parallel)
{
    const Product<Weight> product{x, weight, epilogue, y};
    product.checkShapes();
    if (y.rows == 0 || y.cols == 0)
        return;
    std::int64_t rowBlocks = (y.rows + kBlockRows - 1) / kBlockRows;
    const std::int64_t allPanels = panelCount(y.cols);
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
        product.block(cutRows(y.rows, rowBlocks, i), cutRows(y.rows, rowBlocks, i + 1), cutRows(allPanels, columnBlocks, j) * kPanelWidth,
                      std::min(y.cols, cutRows(allPanels, columnBlocks, j + 1) * kPanelWidth));
    };
    const auto blocks = static_cast<std::size_t>(rowBlocks * columnBlocks);
    static const RunContext neverStopped; // a product is too short to be stopped inside
    if (threads > 1 && blocks > 1)
        parallelFor(neverStopped, blocks, block);
    else
        for (std::size_t i = 0; i < blocks; ++i)
            block(i);
}

} // namespace tamis::kernels
