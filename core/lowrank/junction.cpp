// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/junction.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/qr.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/lowrank/operator_loss.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace tamis::lowrank {
namespace {
using linalg::Op;
using linalg::Side;
using tensor::Matrix;
constexpr double kSmallest = 1e-12; // of the largest singular value: what is below counts as this

constexpr std::array<std::pair<std::string_view, Junction>, 7> kJunctions{{{"auto", Junction::Automatic},
                                                                         {"identity", Junction::Identity},
                                                                         {"symmetric", Junction::Symmetric},
                                                                         {"left", Junction::Left},
                                                                         {"right", Junction::Right},
                                                                         {"block-identity", Junction::BlockIdentity},
                                                                         {"optimised", Junction::Optimised}}};

void requireAgreement(const Factors& factors, const Matrix<double>& gram)
{
    if (factors.b.cols() != factors.a.rows() || factors.a.cols() != gram.rows())
        throw Error(ErrorCode::InvalidParameter, "factors of rank " + std::to_string(factors.b.cols()) + " and " + std::to_string(factors.a.rows()) + " over " +
                                                     std::to_string(factors.a.cols()) + " inputs do not go with statistics of " + std::to_string(gram.rows()));
}

void scaleRows(Matrix<double>& a, const std::vector<double>& scales)
{
    for (std::int64_t k = 0; k < a.rows(); ++k)
        for (double& value : a.view().row(k))
            value *= scales[static_cast<std::size_t>(k)];
}

void scaleColumns(Matrix<double>& b, const std::vector<double>& scales)
{
    for (std::int64_t i = 0; i < b.rows(); ++i)
        for (std::int64_t k = 0; k < b.cols(); ++k)
            b(i, k) *= scales[static_cast<std::size_t>(k)];
}

std::vector<double> powers(const std::vector<double>& values, double exponent)
{
    std::vector<double> result;
    const double least = std::max(values.empty() ? 0.0 : kSmallest * values.front(), std::numeric_limits<double>::min());
    for (const double value : values)
        result.push_back(std::pow(std::max(value, least), exponent));
    return result;
}

std::vector<double> diagonalOf(const Matrix<double>& square)
{
    std::vector<double> values;
    for (std::int64_t i = 0; i < square.rows(); ++i)
        values.push_back(square(i, i));
    return values;
}

/// a G a^T; a without G.
Matrix<double> gramUnder(const Matrix<double>& a, const Matrix<double>& g, const RunContext& context)
{
    return linalg::product(Op::None, Op::Transpose, linalg::product(a.view(), g.view(), context).view(), a.view(), context);
}

Matrix<double> withDoubledDiagonal(Matrix<double> c)
{
    for (std::int64_t j = 0; j < c.rows(); ++j)
        c(j, j) *= 2;
    return c;
}

/// Rotates rows i and j of `q` and both sides of the symmetric `t`.
void rotate(Matrix<double>& t, Matrix<double>& q, std::int64_t i, std::int64_t j, double c, double s)
{
    for (std::int64_t k = 0; k < t.cols(); ++k) {
        const double a = t(i, k), b = t(j, k);
        t(i, k) = c * a - s * b;
        t(j, k) = s * a + c * b;
    }
    for (std::int64_t k = 0; k < t.rows(); ++k) {
        const double a = t(k, i), b = t(k, j);
        t(k, i) = c * a - s * b;
        t(k, j) = s * a + c * b;
    }
    for (std::int64_t k = 0; k < q.cols(); ++k) {
        const double a = q(i, k), b = q(j, k);
        q(i, k) = c * a - s * b;
        q(j, k) = s * a + c * b;
    }
}

/// Q^T [r, r], rows orthonormal, so that Q^T diag(values) Q has a constant diagonal: one rotation an entry.
Matrix<double> levellingRotation(const std::vector<double>& values, const RunContext& context)
{
    const auto r = static_cast<std::int64_t>(values.size());
    Matrix<double> t(r, r), q(r, r);
    for (std::int64_t i = 0; i < r; ++i) {
        t(i, i) = values[static_cast<std::size_t>(i)];
        q(i, i) = 1;
    }
    const double target = std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(std::max<std::int64_t>(r, 1));
    for (std::int64_t i = 0; i + 1 < r; ++i) {
        context.throwIfStopped();
        std::int64_t partner = i + 1; // the rest's mean is the target, so there is one on the other side
        for (std::int64_t j = i + 1; j < r; ++j)
            if ((t(i, i) - target) * (t(j, j) - target) < (t(i, i) - target) * (t(partner, partner) - target))
                partner = j;
        const double below = t(i, i) - target, above = t(partner, partner) - target, cross = t(i, partner);
        if (!(below * above < 0)) // level but for rounding
            continue;
        const double root = std::sqrt(std::max(0.0, cross * cross - below * above));
        // Smaller root of above x^2 - 2 cross x + below = 0, x the rotation's tangent.
        const double x = below / (cross >= 0 ? cross + root : cross - root);
        const double c = 1 / std::sqrt(1 + x * x);
        rotate(t, q, i, partner, c, c * x);
    }
    return q;
}

/// A power of two that brings the entries of both factors to one size.
void balanceSizes(Factors& factors)
{
    const double b = linalg::squaredNorm(factors.b.view()) / static_cast<double>(std::max<std::size_t>(factors.b.size(), 1));
    const double a = linalg::squaredNorm(factors.a.view()) / static_cast<double>(std::max<std::size_t>(factors.a.size(), 1));
    if (!(a > 0 && b > 0))
        return;
    const int exponent = static_cast<int>(std::lround(std::log2(a / b) / 4));
    for (double& value : factors.b.values())
        value = std::ldexp(value, exponent);
    for (double& value : factors.a.values())
        value = std::ldexp(value, -exponent);
}

/// tr(B^T H B), H = I when empty.
double outputSize(const Matrix<double>& b, const Matrix<double>& metric, const RunContext& context)
{
    if (metric.empty())
        return linalg::squaredNorm(b.view());
    const Matrix<double> image = linalg::product(metric.view(), b.view(), context);
    return std::inner_product(image.values().begin(), image.values().end(), b.values().begin(), 0.0);
}
} // namespace

std::vector<ParameterSpec> junctionParameters()
{
    std::vector<std::string> names;
    for (const auto& [name, junction] : kJunctions)
        names.emplace_back(name);
    return {{.name = "junction",
             .title = "Junction",
             .type = ParameterType::Choice,
             .defaultValue = std::string("auto"),
             .help = "How B and A share the singular values: loss-neutral; block-identity saves r^2 parameters; auto: what the accounting counts",
             .choices = std::move(names)},
            {.name = "junction-objective",
             .title = "Objective of an optimised junction",
             .type = ParameterType::Choice,
             .defaultValue = std::string("f16-rounding"),
             .help = "Least expected loss from rounding the factors to float16, or least bound on what the next operator makes of an error of the latent",
             .choices = {"f16-rounding", "amplification"}},
            {.name = "factor-dtype",
             .title = "Factors rounded to",
             .type = ParameterType::Choice,
             .defaultValue = std::string("float32"),
             .help = "float16 rounds the factors before they are measured and run (they are still stored as float32)",
             .choices = {"float32", "float16"}}};
}

Junction parseJunction(std::string_view name)
{
    for (const auto& [known, junction] : kJunctions)
        if (known == name)
            return junction;
    throw Error(ErrorCode::InvalidParameter, "there is no junction '" + std::string(name) + "'");
}

JunctionObjective parseJunctionObjective(std::string_view name)
{
    if (name != "f16-rounding" && name != "amplification")
        throw Error(ErrorCode::InvalidParameter, "there is no junction objective '" + std::string(name) + "', expected f16-rounding or amplification");
    return name == "amplification" ? JunctionObjective::Amplification : JunctionObjective::F16Rounding;
}

Factors joinedFactors(const Decomposition& decomposition, std::int64_t rank, Junction junction)
{
    Factors factors = factorsOf(decomposition, rank);
    const double left = junction == Junction::Left || junction == Junction::Identity ? 1.0 : junction == Junction::Right ? 0.0 : 0.5;
    if (left == 0.0 || rank == 0)
        return factors;
    std::vector<double> perToken(decomposition.singular.begin(), decomposition.singular.begin() + rank);
    for (double& value : perToken)
        value /= std::sqrt(static_cast<double>(std::max<std::uint64_t>(decomposition.tokens, 1)));
    if (!(perToken.front() > 0))
        return factors;
    scaleColumns(factors.b, powers(perToken, left));
    scaleRows(factors.a, powers(perToken, -left));
    return factors;
}

Factors leastRounding(const Factors& factors, const Matrix<double>& gram, const RunContext& context)
{
    requireAgreement(factors, gram);
    linalg::ThinQr qr = linalg::thinQr(factors.b.view(), context);
    const Matrix<double> a = linalg::product(qr.r.view(), factors.a.view(), context);
    const auto eigen = linalg::symmetricEigen(gramUnder(a, withDoubledDiagonal(gram), context), context);
    const Matrix<double> rotation = levellingRotation(powers(eigen.values, 0.5), context); // Q^T
    // J = V Lambda^{1/4} Q
    Matrix<double> right = linalg::product(eigen.vectors.view(), a.view(), context);
    Matrix<double> left = linalg::product(Op::None, Op::Transpose, qr.q.view(), eigen.vectors.view(), context);
    scaleRows(right, powers(eigen.values, -0.25));
    scaleColumns(left, powers(eigen.values, 0.25));
    Factors result{linalg::product(Op::None, Op::Transpose, left.view(), rotation.view(), context), linalg::product(rotation.view(), right.view(), context)};
    balanceSizes(result);
    return result;
}

Factors leastAmplification(const Factors& factors, const Matrix<double>& gram, const Matrix<double>& metric, const RunContext& context)
{
    requireAgreement(factors, gram);
    // Wc = V Lambda V^T; then the output Gramian in the coordinates where the inputs are white.
    const auto inputs = linalg::symmetricEigen(gramUnder(factors.a, gram, context), context);
    Matrix<double> b = linalg::product(Op::None, Op::Transpose, factors.b.view(), inputs.vectors.view(), context);
    Matrix<double> a = linalg::product(inputs.vectors.view(), factors.a.view(), context);
    scaleColumns(b, powers(inputs.values, 0.5));
    scaleRows(a, powers(inputs.values, -0.5));
    const Matrix<double> image = metric.empty() ? Matrix<double>() : linalg::product(metric.view(), b.view(), context);
    const auto outputs = linalg::symmetricEigen(linalg::product(Op::Transpose, Op::None, b.view(), image.empty() ? b.view() : image.view(), context), context);
    Factors result{linalg::product(Op::None, Op::Transpose, b.view(), outputs.vectors.view(), context), linalg::product(outputs.vectors.view(), a.view(), context)};
    scaleColumns(result.b, powers(outputs.values, -0.25)); // values are sigma^2
    scaleRows(result.a, powers(outputs.values, 0.25));
    balanceSizes(result);
    return result;
}

double expectedRoundingLoss(const Factors& factors, const Matrix<double>& gram, const RunContext& context)
{
    requireAgreement(factors, gram);
    const Matrix<double> image = linalg::product(factors.a.view(), withDoubledDiagonal(gram).view(), context);
    double sum = 0;
    for (std::int64_t k = 0; k < factors.a.rows(); ++k) {
        double column = 0;
        for (std::int64_t i = 0; i < factors.b.rows(); ++i)
            column += factors.b(i, k) * factors.b(i, k);
        const auto a = factors.a.view().row(k);
        sum += column * std::inner_product(a.begin(), a.end(), image.view().row(k).begin(), 0.0);
    }
    return 0x1p-22 / 6 * sum;
}

double amplification(const Factors& factors, const Matrix<double>& gram, const Matrix<double>& metric, const RunContext& context)
{
    requireAgreement(factors, gram);
    const Matrix<double> latent = gramUnder(factors.a, gram, context);
    const std::vector<double> diagonal = diagonalOf(latent);
    const double inputs = std::accumulate(diagonal.begin(), diagonal.end(), 0.0);
    const Matrix<double> image = metric.empty() ? factors.b : linalg::product(metric.view(), factors.b.view(), context);
    const Matrix<double> outputs = linalg::product(Op::Transpose, Op::None, factors.b.view(), image.view(), context);
    const double whole = std::inner_product(outputs.values().begin(), outputs.values().end(), latent.values().begin(), 0.0);
    return std::sqrt(outputSize(factors.b, metric, context) * inputs / whole);
}

Matrix<double> toHalf(const Matrix<double>& exact)
{
    std::vector<std::byte> bytes(2 * exact.size());
    tensor::encode(tensor::DType::F16, exact.values(), bytes);
    Matrix<double> result(exact.rows(), exact.cols());
    tensor::decode(tensor::DType::F16, bytes, result.values());
    return result;
}

double measuredRoundingLoss(const Factors& factors, const Matrix<double>& gram, const RunContext& context)
{
    requireAgreement(factors, gram);
    Matrix<double> error = linalg::product(toHalf(factors.b).view(), toHalf(factors.a).view(), context);
    linalg::gemm(Op::None, Op::None, -1.0, factors.b.view(), factors.a.view(), 1.0, error.view(), context);
    return gramLoss(error, gram, context);
}

double conditionOf(const Matrix<double>& b, const RunContext& context)
{
    const std::vector<double> values = linalg::symmetricEigenvalues(linalg::gramUpper(b.view(), Side::Columns, context), context);
    if (values.empty())
        return 1;
    return values.back() > 0 ? std::sqrt(values.front() / values.back()) : std::numeric_limits<double>::infinity();
}

double largestCoefficient(const Factors& factors) noexcept
{
    double largest = 0;
    for (const Matrix<double>* each : {&factors.b, &factors.a})
        for (const double value : each->values())
            largest = std::max(largest, std::abs(value));
    return largest;
}

} // namespace tamis::lowrank
