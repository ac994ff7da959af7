// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/block_identity.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/qr.h"
#include "core/linalg/singular_values.h"
#include "core/linalg/tiles.h"

#include <cblas.h>
#include <lapack.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace tamis::linalg {
namespace {
/// 2-norm condition of an upper triangle from its Gram matrix, or, where that cannot resolve the smallest singular value,
/// LAPACK's 1-norm estimate.
double conditionOfTriangle(const tensor::Matrix<double>& r, const RunContext& context)
{
    const std::vector<double> values = singularValues(r.view(), context);
    if (values.empty())
        return 1.0;
    if (values.back() > 0)
        return values.front() / values.back();
    const int n = toInt(r.rows());
    std::vector<double> work(static_cast<std::size_t>(3 * n));
    std::vector<int> integers(static_cast<std::size_t>(n));
    double reciprocal = 0;
    int status = 0;
    LAPACK_dtrcon("1", "L", "N", &n, r.data(), &n, &reciprocal, work.data(), integers.data(), &status); // memory of R: R^T, lower
    return reciprocal > 0 ? 1.0 / reciprocal : std::numeric_limits<double>::infinity();
}
} // namespace

BlockIdentity toBlockIdentity(const tensor::Matrix<double>& b, const tensor::Matrix<double>& a, const RunContext& context)
{
    const std::int64_t r = a.rows(), n = a.cols(), m = b.rows();
    if (b.cols() != r || r > n)
        throw Error(ErrorCode::InvalidParameter, "factors [" + std::to_string(m) + ", " + std::to_string(b.cols()) + "] and [" +
                                                     std::to_string(r) + ", " + std::to_string(n) +
                                                     "] cannot be joined with an identity block; b needs r columns, a r rows, r <= n");
    PivotedQr pivoted = pivotedQr(a.view(), context);
    if (pivoted.rank < r)
        throw Error(ErrorCode::InvalidParameter, "factor a of rank " + std::to_string(pivoted.rank) + " has " + std::to_string(r) +
                                                     " rows; an identity block needs full row rank, so choose a smaller rank");
    tensor::Matrix<double> triangle(r, r), chosen(r, r);
    BlockIdentity result{{}, tensor::Matrix<double>(r, n - r), std::move(pivoted.permutation)};
    for (std::int64_t i = 0; i < r; ++i) {
        std::copy_n(pivoted.r.data() + i * n, r, triangle.data() + i * r);
        std::copy_n(pivoted.r.data() + i * n + r, n - r, result.coefficients.data() + i * (n - r));
        for (std::int64_t j = 0; j < r; ++j)
            chosen(i, j) = a(i, result.permutation[static_cast<std::size_t>(j)]);
    }
    constexpr std::int64_t kColumns = 64; // r^2 columns MACs a task: under 10 ms at rank 4096
    forTiles(context, r > 0 ? tileCount(n - r, kColumns) : 0, [&](std::int64_t tile) {
        const TileRange columns = tileRange(n - r, kColumns, tile);
        cblas_dtrsm(CblasRowMajor, CblasLeft, CblasUpper, CblasNoTrans, CblasNonUnit, toInt(r), toInt(columns.size()), 1.0,
                    triangle.data(), toInt(r), result.coefficients.data() + columns.begin, toInt(n - r));
    });
    result.b = product(b.view(), chosen.view(), context);
    result.condition = conditionOfTriangle(triangle, context);
    for (const double value : result.coefficients.values())
        result.maxCoefficient = std::max(result.maxCoefficient, std::abs(value));
    return result;
}

} // namespace tamis::linalg
