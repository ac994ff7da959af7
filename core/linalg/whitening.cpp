// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/whitening.h"

#include "core/linalg/gram_update.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/linalg/tiles.h"

#include <cblas.h>
#include <lapack.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace tamis::linalg {
namespace {
constexpr std::int64_t kPanel = 128, kColumns = 256;
}

double meanDiagonal(const tensor::Matrix<double>& c)
{
    double sum = 0;
    for (std::int64_t i = 0; i < c.rows(); ++i)
        sum += c(i, i);
    return c.rows() > 0 ? sum / static_cast<double>(c.rows()) : 0.0;
}

GramCondition gramCondition(const std::vector<double>& eigenvaluesDescending, double meanOfDiagonal)
{
    GramCondition result{.meanDiagonal = meanOfDiagonal};
    if (eigenvaluesDescending.empty())
        return result;
    const double largest = eigenvaluesDescending.front(), smallest = eigenvaluesDescending.back();
    for (const double value : eigenvaluesDescending)
        result.rank += value > kRankTolerance * largest && value > 0;
    result.condition = smallest > 0 ? largest / smallest : std::numeric_limits<double>::infinity();
    return result;
}

GramCondition gramCondition(const tensor::Matrix<double>& c, const RunContext& context)
{
    return gramCondition(symmetricEigenvalues(c, context), meanDiagonal(c));
}

tensor::Matrix<double> withRidge(tensor::Matrix<double> c, double value)
{
    for (std::int64_t i = 0; i < c.rows(); ++i)
        c(i, i) += value;
    return c;
}

std::optional<tensor::Matrix<double>> choleskyRoot(tensor::Matrix<double> c, const RunContext& context)
{
    // Upper triangle of the row-major matrix, C = U^T U, block row by block row; L = U^T at the end.
    const std::int64_t n = c.rows();
    std::vector<double> diagonal(static_cast<std::size_t>(n));
    for (std::int64_t i = 0; i < n; ++i)
        diagonal[static_cast<std::size_t>(i)] = c(i, i);
    const int ld = toInt(std::max<std::int64_t>(1, n));
    for (std::int64_t first = 0; first < n; first += kPanel) {
        context.throwIfStopped();
        const std::int64_t count = std::min(kPanel, n - first), right = first + count;
        double* corner = c.data() + first * n + first;
        const int order = toInt(count);
        int status = 0;
        LAPACK_dpotrf("L", &order, corner, &ld, &status); // row-major upper is column-major lower
        if (status != 0)
            return std::nullopt;
        const double floor = static_cast<double>(n) * std::numeric_limits<double>::epsilon();
        for (std::int64_t i = first; i < right; ++i)
            if (!(c(i, i) * c(i, i) > floor * diagonal[static_cast<std::size_t>(i)]))
                return std::nullopt;
        forTiles(context, tileCount(n - right, kColumns), [&](std::int64_t tile) {
            const TileRange columns = tileRange(n - right, kColumns, tile);
            cblas_dtrsm(CblasRowMajor, CblasLeft, CblasUpper, CblasTrans, CblasNonUnit, order, toInt(columns.size()), 1.0, corner,
                        ld, c.data() + first * n + right + columns.begin, ld);
        });
        if (right < n)
            addGramUpper(-1.0, ConstView{c.data() + first * n + right, count, n - right, n}, Side::Columns,
                         View{c.data() + right * n + right, n - right, n - right, n}, context);
        context.setFraction(0.999 * static_cast<double>(right) / static_cast<double>(n));
    }
    for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t j = i + 1; j < n; ++j)
            c(j, i) = std::exchange(c(i, j), 0.0);
    context.finish();
    return c;
}

tensor::Matrix<double> eigenRoot(tensor::Matrix<double> c, const RunContext& context)
{
    const std::int64_t n = c.rows();
    const double mean = meanDiagonal(c);
    const SymmetricEigen eigen = symmetricEigen(std::move(c), context);
    const std::int64_t rank = gramCondition(eigen.values, mean).rank;
    tensor::Matrix<double> root(n, rank);
    for (std::int64_t k = 0; k < rank; ++k) {
        const double scale = std::sqrt(eigen.values[static_cast<std::size_t>(k)]);
        for (std::int64_t i = 0; i < n; ++i)
            root(i, k) = scale * eigen.vectors(k, i);
    }
    return root;
}

} // namespace tamis::linalg
