// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/randomised_svd.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/qr.h"
#include "core/linalg/symmetric_eigen.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <string>

namespace tamis::linalg {
namespace {
constexpr std::int64_t kProbes = 10; // failure probability 10^-kProbes with the factor 10 below

/// Gaussian by Box and Muller on the bits of the generator: the same numbers with every standard library.
tensor::Matrix<double> gaussian(std::int64_t rows, std::int64_t cols, std::mt19937_64& generator)
{
    tensor::Matrix<double> result(rows, cols);
    const auto uniform = [&] { return (static_cast<double>(generator() >> 11) + 0.5) * 0x1p-53; };
    for (double& value : result.values()) {
        const double radius = std::sqrt(-2.0 * std::log(uniform()));
        value = radius * std::cos(2.0 * std::numbers::pi * uniform());
    }
    return result;
}

/// y -= Q Q^T y
void removeRange(const tensor::Matrix<double>& q, tensor::Matrix<double>& y, const RunContext& context)
{
    const tensor::Matrix<double> inside = product(Op::Transpose, Op::None, q.view(), y.view(), context);
    gemm(Op::None, Op::None, -1.0, q.view(), inside.view(), 1.0, y.view(), context);
}
} // namespace

RandomisedEigen randomisedEigen(std::int64_t p, const PsdOperator& apply, const RandomisedOptions& options, const RunContext& context)
{
    if (options.rank < 1 || options.oversampling < 0 || options.powerIterations < 0)
        throw Error(ErrorCode::InvalidParameter, "a randomised decomposition of rank " + std::to_string(options.rank) + ", oversampling " +
                                                     std::to_string(options.oversampling) + ", " + std::to_string(options.powerIterations) +
                                                     " power iterations was asked for; rank must be 1 or more, the others not negative");
    if (p == 0)
        return {};
    const std::int64_t width = std::min(p, options.rank + options.oversampling), kept = std::min(width, options.rank);
    std::mt19937_64 generator(options.seed);
    tensor::Matrix<double> y = apply(gaussian(p, width, generator).view());
    for (int i = 0; i < options.powerIterations; ++i) {
        context.throwIfStopped();
        y = apply(thinQr(y.view(), context.part(1, "range")).q.view());
    }
    const tensor::Matrix<double> q = thinQr(y.view(), context.part(1, "range")).q;
    tensor::Matrix<double> image = apply(q.view());
    const tensor::Matrix<double> small = product(Op::Transpose, Op::None, q.view(), image.view(), context);
    const SymmetricEigen eigen = symmetricEigen(small, context.part(1, "small eigen-problem"));

    RandomisedEigen result;
    result.values.assign(eigen.values.begin(), eigen.values.begin() + kept);
    for (double& value : result.values)
        value = std::max(value, 0.0);
    const ConstView leading{eigen.vectors.data(), kept, width, width};
    result.vectors = product(Op::None, Op::Transpose, leading, q.view(), context);
    if (width < p) {
        tensor::Matrix<double> probes = gaussian(p, kProbes, generator);
        removeRange(q, probes, context);
        tensor::Matrix<double> residual = apply(probes.view());
        removeRange(q, residual, context);
        double largest = 0;
        for (std::int64_t j = 0; j < kProbes; ++j) {
            double sum = 0;
            for (std::int64_t i = 0; i < p; ++i)
                sum += residual(i, j) * residual(i, j);
            largest = std::max(largest, std::sqrt(sum));
        }
        result.residualNorm = std::sqrt(10.0 * std::sqrt(2.0 / std::numbers::pi) * largest);
    }
    return result;
}

} // namespace tamis::linalg
