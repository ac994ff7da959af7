// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/gram_update.h"

#include "core/linalg/tiles.h"

#include <cblas.h>

#include <algorithm>
#include <type_traits>

namespace tamis::linalg {
namespace {
constexpr std::int64_t kDepth = 384;      // inner block: OpenBLAS's own packing depth on AVX-512
constexpr std::int64_t kWholeSide = 1024; // up to here one task does the whole triangle
constexpr std::int64_t kTile = 512;

/// One tile of the triangle, one inner block. `block` is [n, depth] (Rows) or [depth, n] (Columns).
void updateTile(double alpha, ConstView block, Side side, TileRange rows, TileRange columns, View c)
{
    double* target = c.data + rows.begin * c.stride + columns.begin;
    const auto at = [&](std::int64_t i) { return block.data + (side == Side::Rows ? i * block.stride : i); };
    const int depth = toInt(side == Side::Rows ? block.cols : block.rows);
    const auto first = side == Side::Rows ? CblasNoTrans : CblasTrans;
    const auto second = side == Side::Rows ? CblasTrans : CblasNoTrans;
    if (rows.begin == columns.begin)
        cblas_dsyrk(CblasRowMajor, CblasUpper, first, toInt(rows.size()), depth, alpha, at(rows.begin), toInt(block.stride), 1.0,
                    target, toInt(c.stride));
    else
        cblas_dgemm(CblasRowMajor, first, second, toInt(rows.size()), toInt(columns.size()), depth, alpha, at(rows.begin),
                    toInt(block.stride), at(columns.begin), toInt(block.stride), 1.0, target, toInt(c.stride));
}

template <class T>
void addGramUpperOf(double alpha, tensor::MatrixView<const T> a, Side side, View c, const RunContext& context)
{
    const std::int64_t n = side == Side::Rows ? a.rows : a.cols, inner = side == Side::Rows ? a.cols : a.rows;
    if (n == 0)
        return;
    const std::int64_t tile = n <= kWholeSide ? n : kTile, tiles = tileCount(n, tile);
    tensor::Matrix<double> widened;
    if constexpr (!std::is_same_v<T, double>)
        widened = side == Side::Rows ? tensor::Matrix<double>(n, std::min(kDepth, inner))
                                     : tensor::Matrix<double>(std::min(kDepth, inner), n);
    for (std::int64_t k = 0; k < inner; k += kDepth) {
        const std::int64_t depth = std::min(kDepth, inner - k);
        const tensor::MatrixView<const T> source =
            side == Side::Rows ? tensor::MatrixView<const T>{a.data + k, n, depth, a.stride}
                               : tensor::MatrixView<const T>{a.data + k * a.stride, depth, n, a.stride};
        ConstView block;
        if constexpr (std::is_same_v<T, double>) {
            block = source;
        } else {
            const std::int64_t strips = tileCount(source.rows, kTile);
            forTiles(context, n <= kWholeSide ? 1 : strips, [&](std::int64_t strip) {
                const TileRange rows = n <= kWholeSide ? TileRange{0, source.rows} : tileRange(source.rows, kTile, strip);
                for (std::int64_t i = rows.begin; i < rows.end; ++i)
                    std::copy_n(source.data + i * source.stride, source.cols, widened.data() + i * widened.cols());
            });
            block = ConstView{widened.data(), source.rows, source.cols, widened.cols()};
        }
        forTiles(context, tiles * (tiles + 1) / 2, [&](std::int64_t index) {
            const TrianglePosition position = trianglePosition(tiles, index);
            updateTile(alpha, block, side, tileRange(n, tile, position.row), tileRange(n, tile, position.column), c);
        });
    }
}
} // namespace

void addGramUpper(double alpha, tensor::MatrixView<const float> a, Side side, View c, const RunContext& context)
{
    addGramUpperOf(alpha, a, side, c, context);
}

void addGramUpper(double alpha, ConstView a, Side side, View c, const RunContext& context)
{
    addGramUpperOf(alpha, a, side, c, context);
}

} // namespace tamis::linalg
