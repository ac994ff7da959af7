// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/singular_values.h"

#include "core/linalg/gemm.h"
#include "core/linalg/symmetric_eigen.h"

#include <cmath>
#include <limits>

namespace tamis::linalg {
namespace {
template <class T> std::vector<double> squaresOf(tensor::MatrixView<const T> a, const RunContext& context)
{
    const Side side = a.rows <= a.cols ? Side::Rows : Side::Columns;
    std::vector<double> squares = symmetricEigenvalues(gramUpper(a, side, context), context);
    for (double& square : squares)
        square = std::max(square, 0.0);
    return squares;
}
} // namespace

std::vector<double> squaredSingularValues(tensor::MatrixView<const float> a, const RunContext& context) { return squaresOf(a, context); }
std::vector<double> squaredSingularValues(tensor::MatrixView<const double> a, const RunContext& context) { return squaresOf(a, context); }

std::vector<double> resolvedRoots(const std::vector<double>& squares)
{
    std::vector<double> roots(squares.size());
    if (squares.empty())
        return roots;
    const double floor = static_cast<double>(squares.size()) * std::numeric_limits<double>::epsilon() * squares.front();
    for (std::size_t i = 0; i < squares.size(); ++i)
        roots[i] = squares[i] > floor ? std::sqrt(squares[i]) : 0.0;
    return roots;
}

std::vector<double> singularValues(tensor::MatrixView<const float> a, const RunContext& context)
{
    return resolvedRoots(squaresOf(a, context));
}

std::vector<double> singularValues(tensor::MatrixView<const double> a, const RunContext& context)
{
    return resolvedRoots(squaresOf(a, context));
}

} // namespace tamis::linalg
