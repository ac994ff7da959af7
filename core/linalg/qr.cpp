// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/qr.h"

#include "core/base/error.h"
#include "core/linalg/householder.h"
#include "core/linalg/tiles.h"

#include <cblas.h>
#include <lapack.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

extern "C" {
// The panel of dgeqp3, which lapack.h does not declare.
void dlaqps_(const int* m, const int* n, const int* offset, const int* nb, int* kb, double* a, const int* lda, int* jpvt,
             double* tau, double* vn1, double* vn2, double* auxv, double* f, const int* ldf);
}

namespace tamis::linalg {
namespace {
constexpr std::int64_t kPanel = 32;
constexpr std::int64_t kColumns = 128;      // a task
constexpr std::int64_t kPivotedPanel = 8;   // columns between two looks at the stop flag: two passes over the matrix each
constexpr std::int64_t kTransposeBlock = 32;

/// Row-major view -> column-major copy; throws Error{NonFinite}.
std::vector<double> columnMajor(tensor::MatrixView<const double> a)
{
    std::vector<double> result(static_cast<std::size_t>(a.rows * a.cols));
    bool finite = true;
    for (std::int64_t i0 = 0; i0 < a.rows; i0 += kTransposeBlock)
        for (std::int64_t j = 0; j < a.cols; ++j)
            for (std::int64_t i = i0; i < std::min(i0 + kTransposeBlock, a.rows); ++i) {
                finite = finite && std::isfinite(a(i, j));
                result[static_cast<std::size_t>(j * a.rows + i)] = a(i, j);
            }
    if (!finite)
        throw Error(ErrorCode::NonFinite, "a QR decomposition was asked for of a matrix with elements that are not finite");
    return result;
}

struct Factored {
    std::vector<double> a; ///< column-major, reflectors below the diagonal, R on and above
    std::vector<double> tau;
};

Factored factor(tensor::MatrixView<const double> matrix, const RunContext& context)
{
    if (matrix.rows < matrix.cols)
        throw Error(ErrorCode::InvalidParameter, "a thin QR decomposition needs at least as many rows as columns, found " +
                                                     std::to_string(matrix.rows) + " x " + std::to_string(matrix.cols));
    const std::int64_t m = matrix.rows, n = matrix.cols;
    Factored result{columnMajor(matrix), std::vector<double>(static_cast<std::size_t>(n))};
    double* a = result.a.data();
    const int ld = toInt(m);
    for (std::int64_t first = 0; first < n; first += kPanel) {
        context.throwIfStopped();
        const std::int64_t count = std::min(kPanel, n - first), rows = m - first, right = first + count;
        double* panel = a + first * m + first;
        const int height = toInt(rows), width = toInt(count);
        double work[kPanel];
        int status = 0;
        LAPACK_dgeqr2(&height, &width, panel, &ld, result.tau.data() + first, work, &status);
        double t[kPanel * kPanel];
        blockFactor(rows, count, panel, m, result.tau.data() + first, t, kPanel);
        forTiles(context, tileCount(n - right, kColumns), [&](std::int64_t tile) {
            const TileRange columns = tileRange(n - right, kColumns, tile);
            applyBlock(true, rows, columns.size(), count, panel, m, t, kPanel, a + (right + columns.begin) * m + first, m);
        });
        context.setFraction(0.999 * static_cast<double>(right) / static_cast<double>(n));
    }
    return result;
}

tensor::Matrix<double> triangle(const std::vector<double>& a, std::int64_t m, std::int64_t rows, std::int64_t n)
{
    tensor::Matrix<double> r(rows, n);
    for (std::int64_t j = 0; j < n; ++j)
        for (std::int64_t i = 0; i <= std::min(j, rows - 1); ++i)
            r(i, j) = a[static_cast<std::size_t>(j * m + i)];
    return r;
}
} // namespace

tensor::Matrix<double> thinQrTriangle(tensor::MatrixView<const double> a, const RunContext& context)
{
    const Factored factored = factor(a, context);
    return triangle(factored.a, a.rows, a.cols, a.cols);
}

ThinQr thinQr(tensor::MatrixView<const double> a, const RunContext& context)
{
    const std::int64_t m = a.rows, n = a.cols;
    const Factored factored = factor(a, context);
    std::vector<double> q(static_cast<std::size_t>(m * n));
    for (std::int64_t j = 0; j < n; ++j)
        q[static_cast<std::size_t>(j * m + j)] = 1.0;
    const BlockReflectors reflectors({.v = factored.a.data(), .stride = m, .rows = m, .count = n, .first = 0, .tau = factored.tau.data()});
    forTiles(context, tileCount(n, kColumns), [&](std::int64_t tile) {
        const TileRange columns = tileRange(n, kColumns, tile);
        reflectors.apply(q.data(), m, columns.begin, columns.end, columns.end, context);
    });
    ThinQr result{tensor::Matrix<double>(m, n), triangle(factored.a, m, n, n)};
    for (std::int64_t j0 = 0; j0 < n; j0 += kTransposeBlock)
        for (std::int64_t i = 0; i < m; ++i)
            for (std::int64_t j = j0; j < std::min(j0 + kTransposeBlock, n); ++j)
                result.q(i, j) = q[static_cast<std::size_t>(j * m + i)];
    context.finish();
    return result;
}

PivotedQr pivotedQr(tensor::MatrixView<const double> matrix, const RunContext& context)
{
    const std::int64_t m = matrix.rows, n = matrix.cols, steps = std::min(m, n);
    std::vector<double> a = columnMajor(matrix);
    std::vector<double> tau(static_cast<std::size_t>(steps)), norms(static_cast<std::size_t>(n)), exactNorms, scratch(kPivotedPanel);
    std::vector<double> f(static_cast<std::size_t>(n * kPivotedPanel));
    std::vector<int> pivots(static_cast<std::size_t>(n));
    for (std::int64_t j = 0; j < n; ++j) {
        pivots[static_cast<std::size_t>(j)] = toInt(j + 1);
        norms[static_cast<std::size_t>(j)] = cblas_dnrm2(toInt(m), a.data() + j * m, 1);
    }
    exactNorms = norms;
    const int rows = toInt(m), ld = toInt(std::max<std::int64_t>(1, m));
    for (std::int64_t first = 0; first < steps;) {
        context.throwIfStopped();
        const int columns = toInt(n - first), offset = toInt(first), wanted = toInt(std::min(kPivotedPanel, steps - first)), ldf = columns;
        int made = 0;
        dlaqps_(&rows, &columns, &offset, &wanted, &made, a.data() + first * m, &ld, pivots.data() + first, tau.data() + first,
                norms.data() + first, exactNorms.data() + first, scratch.data(), f.data(), &ldf);
        first += made;
        context.setFraction(0.999 * static_cast<double>(first) / static_cast<double>(steps));
    }
    PivotedQr result{triangle(a, m, steps, n), std::vector<std::int64_t>(static_cast<std::size_t>(n)), 0};
    std::ranges::transform(pivots, result.permutation.begin(), [](int pivot) { return std::int64_t{pivot} - 1; });
    const double floor = steps > 0 ? static_cast<double>(std::max(m, n)) * std::numeric_limits<double>::epsilon() * std::abs(result.r(0, 0)) : 0;
    while (result.rank < steps && std::abs(result.r(result.rank, result.rank)) > floor)
        ++result.rank;
    context.finish();
    return result;
}

} // namespace tamis::linalg
