// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/remapping.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/qr.h"
#include "core/linalg/singular_values.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/tensor/convert.h"
#include "core/tensor/transpose.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis::lowrank {
namespace {
using linalg::Op;
using tensor::Matrix;

constexpr std::int64_t kExactSide = 1024;
constexpr int kPowerSteps = 100;

/// B A once more, as U [m, r] with orthonormal columns and U^T B A [r, n].
struct Orthogonal {
    Matrix<double> u, rest;
};
Orthogonal orthogonal(const Matrix<double>& b, const Matrix<double>& a, const RunContext& context)
{
    const linalg::ThinQr left = linalg::thinQr(b.view(), context);
    const Matrix<double> right = linalg::thinQrTriangle(transposed(a).view(), context);
    const Matrix<double> core = linalg::product(Op::None, Op::Transpose, left.r.view(), right.view(), context); // singular values of B A
    const auto eigen = linalg::symmetricEigen(linalg::gram(core.view(), linalg::Side::Rows, context), context);
    const Matrix<double> turned = linalg::product(eigen.vectors.view(), left.r.view(), context);
    return {linalg::product(Op::None, Op::Transpose, left.q.view(), eigen.vectors.view(), context), linalg::product(turned.view(), a.view(), context)};
}

double root(double square)
{
    return std::sqrt(std::max(0.0, square));
}

double spectralNorm(const Matrix<double>& d, const RunContext& context)
{
    if (std::min(d.rows(), d.cols()) <= kExactSide)
        return root(linalg::squaredSingularValues(d.view(), context).front());
    Matrix<double> x(d.cols(), 1);
    for (std::int64_t j = 0; j < d.cols(); ++j)
        x(j, 0) = 1 + 0.5 * std::sin(static_cast<double>(j)); // no vector of a structure that D may have
    double norm = 0;
    for (int step = 0; step < kPowerSteps; ++step) {
        const double length = std::sqrt(linalg::squaredNorm(x.view()));
        if (!(length > 0))
            return 0;
        for (double& value : x.values())
            value /= length;
        const Matrix<double> y = linalg::product(d.view(), x.view(), context);
        norm = std::sqrt(linalg::squaredNorm(y.view()));
        x = linalg::product(Op::Transpose, Op::None, d.view(), y.view(), context);
    }
    return norm;
}

/// Squares of the largest errors of each line of a factor added up: half a step of 8 bits, half a unit of the last place of a half
/// float at the line's largest magnitude (or of its subnormals).
double squaredSteps(const std::vector<float>& scales, const Matrix<std::uint16_t>& halves, bool linesAreRows)
{
    double sum = 0;
    for (const float scale : scales) {
        const double step = static_cast<double>(scale) / 254;
        sum += step * step;
    }
    std::vector<float> values(halves.size());
    tensor::decode(tensor::DType::F16, std::as_bytes(halves.values()), values);
    const std::int64_t lines = halves.empty() ? 0 : linesAreRows ? halves.rows() : halves.cols();
    std::vector<double> largest(static_cast<std::size_t>(lines));
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t line = linesAreRows ? i / static_cast<std::size_t>(halves.cols()) : i % static_cast<std::size_t>(halves.cols());
        largest[line] = std::max(largest[line], static_cast<double>(std::abs(values[i])));
    }
    for (const double magnitude : largest) {
        const double step = std::max(magnitude * 0x1p-11, 0x1p-25);
        sum += step * step;
    }
    return sum;
}

/// |A|_2 of L^{1/2} Unit, whose rows are those of `rest` over the root of their length.
double weightedNorm(const Matrix<double>& rest, const std::vector<float>& lengths, const RunContext& context)
{
    Matrix<double> gram = linalg::gramUpper(rest.view(), linalg::Side::Rows, context);
    for (std::int64_t i = 0; i < gram.rows(); ++i)
        for (std::int64_t j = i; j < gram.cols(); ++j) {
            const double scale = static_cast<double>(lengths[static_cast<std::size_t>(i)]) * static_cast<double>(lengths[static_cast<std::size_t>(j)]);
            gram(i, j) = scale > 0 ? gram(i, j) / std::sqrt(scale) : 0.0;
        }
    return root(linalg::symmetricEigenvalues(std::move(gram), context).front());
}
} // namespace

Remapping remap(const Matrix<double>& b, const Matrix<double>& a, std::vector<float> bias, const RunContext& context)
{
    const std::int64_t most = std::min(b.rows(), a.cols());
    if (b.cols() != a.rows() || b.cols() < 1 || b.cols() > most)
        throw Error(ErrorCode::InvalidParameter, "found factors of rank " + std::to_string(b.cols()) + " and " + std::to_string(a.rows()) + ", expected an equal one of 1 to " +
                                                     std::to_string(most), "remapped");
    const Orthogonal factors = orthogonal(b, a, context);
    const nn::RemappedFactors packed = nn::remapFactors(factors.u.view(), factors.rest.view());
    Remapping result;
    result.op = nn::remappedOp(packed, std::move(bias));
    Matrix<double> difference = linalg::product(b.view(), a.view(), context);
    const Matrix<float> stored = result.op->dense();
    for (std::size_t i = 0; i < difference.size(); ++i)
        difference.values()[i] -= static_cast<double>(stored.values()[i]);
    result.error = spectralNorm(difference, context);
    // W' - W = dB L A + (B + dB) L dA: |dB L^(1/2)|_F and |L^(1/2) dA|_F from the steps, |B L^(1/2)|_2 = l_1^(1/2), and a
    // few roundings of float in decoding.
    const double sum = std::accumulate(packed.scale.begin(), packed.scale.end(), 0.0);
    const double largest = static_cast<double>(*std::ranges::max_element(packed.scale));
    const double stepB = std::sqrt(sum * squaredSteps(packed.scaleB, packed.halvesB, true)), stepA = std::sqrt(sum * squaredSteps(packed.scaleA, packed.halvesA, false));
    result.errorBound = stepB * weightedNorm(factors.rest, packed.scale, context) + (std::sqrt(largest) * (1 + 1e-6) + stepB) * stepA + 0x1p-21 * sum;
    return result;
}

} // namespace tamis::lowrank
