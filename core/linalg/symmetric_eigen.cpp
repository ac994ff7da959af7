// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/symmetric_eigen.h"

#include "core/base/error.h"
#include "core/linalg/householder.h"
#include "core/linalg/tiles.h"
#include "core/linalg/tridiagonal.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace tamis::linalg {
namespace {
constexpr std::int64_t kLimit = 32768;
constexpr std::int64_t kColumns = 256; // eigenvectors a task of the back-transformation

void checkSymmetricInput(const tensor::Matrix<double>& a)
{
    if (a.rows() != a.cols())
        throw Error(ErrorCode::InvalidParameter, "eigenvalues of a [" + std::to_string(a.rows()) + ", " +
                                                     std::to_string(a.cols()) + "] matrix were asked for; it must be square");
    if (a.rows() > kLimit)
        throw Error(ErrorCode::LimitExceeded, "an eigen-problem of side " + std::to_string(a.rows()) + " exceeds the limit of " +
                                                  std::to_string(kLimit));
    for (std::int64_t i = 0; i < a.rows(); ++i)
        for (std::int64_t j = i; j < a.cols(); ++j)
            if (!std::isfinite(a(i, j)))
                throw Error(ErrorCode::NonFinite, "element (" + std::to_string(i) + ", " + std::to_string(j) +
                                                      ") of a symmetric matrix is not finite");
}

void fixSign(std::span<double> vector)
{
    const auto largest =
        std::ranges::max_element(vector, [](double x, double y) { return std::abs(x) < std::abs(y); });
    if (largest != vector.end() && *largest < 0)
        for (double& value : vector)
            value = -value;
}
} // namespace

std::vector<double> symmetricEigenvalues(tensor::Matrix<double> a, const RunContext& context)
{
    checkSymmetricInput(a);
    std::vector<double> values = tridiagonalEigenvalues(reduceForValues(a.view(), context), context);
    std::ranges::reverse(values);
    context.finish();
    return values;
}

SymmetricEigen symmetricEigen(tensor::Matrix<double> a, const RunContext& context)
{
    checkSymmetricInput(a);
    const std::int64_t n = a.rows();
    context.setParts(4);
    Tridiagonal reduced = reduceToTridiagonal(a.view(), context.part(1.3, "tridiagonal form"));
    const std::vector<double> tau = std::move(reduced.tau);
    SymmetricEigen result{{}, tensor::Matrix<double>(n, n)};
    result.values = divideAndConquer(std::move(reduced), result.vectors.view(), context.part(1.2, "divide and conquer"));
    if (n > 1) {
        const RunContext part = context.part(1.5, "eigenvectors");
        const BlockReflectors q({.v = a.data(), .stride = n, .rows = n, .count = n - 1, .first = 1, .tau = tau.data()});
        forTiles(part, tileCount(n, kColumns), [&](std::int64_t tile) {
            const TileRange range = tileRange(n, kColumns, tile);
            q.apply(result.vectors.data(), n, range.begin, range.end, n, part);
        });
    }
    std::ranges::reverse(result.values);
    for (std::int64_t i = 0; i < n / 2; ++i)
        std::swap_ranges(result.vectors.view().row(i).begin(), result.vectors.view().row(i).end(),
                         result.vectors.view().row(n - 1 - i).begin());
    for (std::int64_t i = 0; i < n; ++i)
        fixSign(result.vectors.view().row(i));
    context.finish();
    return result;
}

std::uint64_t symmetricEigenvaluesBytes(std::int64_t n) noexcept
{
    return 8 * static_cast<std::uint64_t>(n) * (static_cast<std::uint64_t>(n) + 64 + static_cast<std::uint64_t>(n) / 256);
}
std::uint64_t symmetricEigenBytes(std::int64_t n) noexcept { return 4 * symmetricEigenvaluesBytes(n); }
double symmetricEigenvaluesMacs(std::int64_t n) noexcept { return 2.0 / 3.0 * std::pow(static_cast<double>(n), 3); }
double symmetricEigenMacs(std::int64_t n) noexcept { return 3.0 * std::pow(static_cast<double>(n), 3); }

} // namespace tamis::linalg
