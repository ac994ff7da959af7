// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/triangular_solve.h"

#include "core/base/error.h"
#include "core/linalg/tiles.h"

#include <cblas.h>

#include <string>

namespace tamis::linalg {
namespace {
constexpr std::int64_t kBlock = 192;  // of the diagonal: solves are a small share beside the products
constexpr std::int64_t kStrip = 1024; // right-hand sides a task: 0.04 GFLOP

void requireTriangle(ConstView l, std::int64_t side)
{
    if (l.rows != l.cols || l.rows != side)
        throw Error(ErrorCode::InvalidParameter, "found a triangle [" + std::to_string(l.rows) + ", " + std::to_string(l.cols) +
                                                     "], expected one of side " + std::to_string(side));
}

ConstView blockOf(ConstView a, TileRange rows, TileRange columns)
{
    return {a.data + rows.begin * a.stride + columns.begin, rows.size(), columns.size(), a.stride};
}
View blockOf(View a, TileRange rows, TileRange columns)
{
    return {a.data + rows.begin * a.stride + columns.begin, rows.size(), columns.size(), a.stride};
}

/// The diagonal block's solve, right-hand sides in strips.
void solveDiagonal(CBLAS_SIDE side, Op op, ConstView corner, View x, const RunContext& context)
{
    const std::int64_t count = side == CblasLeft ? x.cols : x.rows;
    forTiles(context, tileCount(count, kStrip), [&](std::int64_t tile) {
        const TileRange strip = tileRange(count, kStrip, tile);
        const View part = side == CblasLeft ? blockOf(x, {0, x.rows}, strip) : blockOf(x, strip, {0, x.cols});
        cblas_dtrsm(CblasRowMajor, side, CblasLower, op == Op::None ? CblasNoTrans : CblasTrans, CblasNonUnit, toInt(part.rows), toInt(part.cols), 1.0,
                    corner.data, toInt(corner.stride), part.data, toInt(part.stride));
    });
}
} // namespace

void solveLeft(Op op, ConstView l, View x, const RunContext& context)
{
    requireTriangle(l, x.rows);
    const std::int64_t n = x.rows, blocks = tileCount(n, kBlock);
    if (x.cols == 0)
        return;
    for (std::int64_t step = 0; step < blocks; ++step) {
        const TileRange here = tileRange(n, kBlock, op == Op::None ? step : blocks - 1 - step);
        const View solved = blockOf(x, here, {0, x.cols});
        solveDiagonal(CblasLeft, op, blockOf(l, here, here), solved, context);
        const TileRange rest = op == Op::None ? TileRange{here.end, n} : TileRange{0, here.begin};
        if (rest.size() == 0)
            continue;
        if (op == Op::None)
            gemm(Op::None, Op::None, -1.0, blockOf(l, rest, here), solved, 1.0, blockOf(x, rest, {0, x.cols}), context);
        else
            gemm(Op::Transpose, Op::None, -1.0, blockOf(l, here, rest), solved, 1.0, blockOf(x, rest, {0, x.cols}), context);
    }
}

void solveRight(Op op, ConstView l, View x, const RunContext& context)
{
    requireTriangle(l, x.cols);
    const std::int64_t n = x.cols, blocks = tileCount(n, kBlock);
    if (x.rows == 0)
        return;
    for (std::int64_t step = 0; step < blocks; ++step) {
        const TileRange here = tileRange(n, kBlock, op == Op::Transpose ? step : blocks - 1 - step);
        const View solved = blockOf(x, {0, x.rows}, here);
        solveDiagonal(CblasRight, op, blockOf(l, here, here), solved, context);
        const TileRange rest = op == Op::Transpose ? TileRange{here.end, n} : TileRange{0, here.begin};
        if (rest.size() == 0)
            continue;
        if (op == Op::Transpose)
            gemm(Op::None, Op::Transpose, -1.0, solved, blockOf(l, rest, here), 1.0, blockOf(x, {0, x.rows}, rest), context);
        else
            gemm(Op::None, Op::None, -1.0, solved, blockOf(l, here, rest), 1.0, blockOf(x, {0, x.rows}, rest), context);
    }
}

} // namespace tamis::linalg
