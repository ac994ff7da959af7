// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/gemm.h"

#include "core/base/error.h"
#include "core/linalg/gram_update.h"
#include "core/linalg/tiles.h"

#include <cblas.h>

#include <algorithm>
#include <string>

namespace tamis::linalg {
namespace {
constexpr std::int64_t kTileRows = 384, kTileColumns = 512; // of the output: a tile and its panels stay within L2
constexpr std::int64_t kTileInner = 1024;                   // 0.4 GFLOP a tile and inner block: some 5 ms

std::string shapeOf(std::int64_t rows, std::int64_t cols)
{
    return "[" + std::to_string(rows) + ", " + std::to_string(cols) + "]";
}
} // namespace

void gemm(Op opA, Op opB, double alpha, ConstView a, ConstView b, double beta, View c, const RunContext& context)
{
    const std::int64_t m = opA == Op::None ? a.rows : a.cols, inner = opA == Op::None ? a.cols : a.rows;
    const std::int64_t innerB = opB == Op::None ? b.rows : b.cols, n = opB == Op::None ? b.cols : b.rows;
    if (inner != innerB || c.rows != m || c.cols != n)
        throw Error(ErrorCode::InvalidParameter, "a product of " + shapeOf(m, inner) + " and " + shapeOf(innerB, n) +
                                                     " was asked for into " + shapeOf(c.rows, c.cols));
    if (m == 0 || n == 0)
        return;
    const std::int64_t tilesDown = tileCount(m, kTileRows), tilesAcross = tileCount(n, kTileColumns);
    forTiles(context, tilesDown * tilesAcross, [&](std::int64_t tile) {
        const TileRange rows = tileRange(m, kTileRows, tile / tilesAcross);
        const TileRange columns = tileRange(n, kTileColumns, tile % tilesAcross);
        double* target = c.data + rows.begin * c.stride + columns.begin;
        double keep = beta;
        for (std::int64_t k = 0; k < std::max<std::int64_t>(inner, 1); k += kTileInner) {
            context.throwIfStopped();
            const std::int64_t depth = std::min(kTileInner, inner - k);
            const double* left = a.data + (opA == Op::None ? rows.begin * a.stride + k : k * a.stride + rows.begin);
            const double* right = b.data + (opB == Op::None ? k * b.stride + columns.begin : columns.begin * b.stride + k);
            cblas_dgemm(CblasRowMajor, opA == Op::None ? CblasNoTrans : CblasTrans, opB == Op::None ? CblasNoTrans : CblasTrans,
                        toInt(rows.size()), toInt(columns.size()), toInt(depth), alpha, left,
                        toInt(std::max<std::int64_t>(1, a.stride)), right, toInt(std::max<std::int64_t>(1, b.stride)), keep, target,
                        toInt(c.stride));
            keep = 1.0;
        }
    });
}

tensor::Matrix<double> product(Op opA, Op opB, ConstView a, ConstView b, const RunContext& context)
{
    tensor::Matrix<double> c(opA == Op::None ? a.rows : a.cols, opB == Op::None ? b.cols : b.rows);
    gemm(opA, opB, 1.0, a, b, 0.0, c.view(), context);
    return c;
}

tensor::Matrix<double> gramUpper(tensor::MatrixView<const float> a, Side side, const RunContext& context)
{
    const std::int64_t n = side == Side::Rows ? a.rows : a.cols;
    tensor::Matrix<double> c(n, n);
    addGramUpper(1.0, a, side, c.view(), context);
    return c;
}

tensor::Matrix<double> gramUpper(ConstView a, Side side, const RunContext& context)
{
    const std::int64_t n = side == Side::Rows ? a.rows : a.cols;
    tensor::Matrix<double> c(n, n);
    addGramUpper(1.0, a, side, c.view(), context);
    return c;
}

tensor::Matrix<double> gram(tensor::MatrixView<const float> a, Side side, const RunContext& context)
{
    tensor::Matrix<double> c = gramUpper(a, side, context);
    mirrorUpper(c.view());
    return c;
}

tensor::Matrix<double> gram(ConstView a, Side side, const RunContext& context)
{
    tensor::Matrix<double> c = gramUpper(a, side, context);
    mirrorUpper(c.view());
    return c;
}

void mirrorUpper(View square)
{
    constexpr std::int64_t kBlock = 32; // both sides of a block pair stay in L1
    for (std::int64_t i0 = 0; i0 < square.rows; i0 += kBlock)
        for (std::int64_t j0 = i0; j0 < square.cols; j0 += kBlock)
            for (std::int64_t i = i0; i < std::min(i0 + kBlock, square.rows); ++i)
                for (std::int64_t j = std::max(j0, i + 1); j < std::min(j0 + kBlock, square.cols); ++j)
                    square(j, i) = square(i, j);
}

tensor::Matrix<double> toDouble(tensor::MatrixView<const float> a)
{
    tensor::Matrix<double> result(a.rows, a.cols);
    for (std::int64_t i = 0; i < a.rows; ++i)
        std::copy_n(a.data + i * a.stride, a.cols, result.data() + i * a.cols);
    return result;
}

double squaredNorm(ConstView a)
{
    double sum = 0;
    for (std::int64_t i = 0; i < a.rows; ++i)
        sum += cblas_ddot(toInt(a.cols), a.data + i * a.stride, 1, a.data + i * a.stride, 1);
    return sum;
}

} // namespace tamis::linalg
