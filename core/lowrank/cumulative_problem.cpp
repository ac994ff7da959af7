// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/cumulative_problem.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/inner_product.h"
#include "core/linalg/qr.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/linalg/triangular_solve.h"
#include "core/linalg/whitening.h"
#include "core/tensor/convert.h"
#include "core/tensor/transpose.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <limits>

namespace tamis::lowrank {
namespace {
using linalg::Op;
using linalg::Side;
using tensor::Matrix;

linalg::ConstView leadingRows(const Matrix<double>& a, std::int64_t count) { return {a.data(), count, a.cols(), a.cols()}; }

/// Eigenvectors of g g^T or g^T g, whichever is smaller.
linalg::SymmetricEigen smallerSide(const Matrix<double>& g, const RunContext& context)
{
    return linalg::symmetricEigen(linalg::gramUpper(g.view(), g.rows() <= g.cols() ? Side::Rows : Side::Columns, context), context);
}

double spectralNorm(const Matrix<double>& d, const RunContext& context)
{
    const auto values = linalg::symmetricEigenvalues(linalg::gramUpper(d.view(), d.rows() <= d.cols() ? Side::Rows : Side::Columns, context), context);
    return values.empty() ? 0.0 : std::sqrt(std::max(0.0, values.front()));
}

/// x - q q^T x for q with orthonormal columns.
void removeRange(const Matrix<double>& q, Matrix<double>& x, const RunContext& context)
{
    const Matrix<double> inside = linalg::product(Op::Transpose, Op::None, q.view(), x.view(), context);
    linalg::gemm(Op::None, Op::None, -1.0, q.view(), inside.view(), 1.0, x.view(), context);
}
/// x - x q q^T.
void removeCoRange(const Matrix<double>& q, Matrix<double>& x, const RunContext& context)
{
    const Matrix<double> inside = linalg::product(x.view(), q.view(), context);
    linalg::gemm(Op::None, Op::Transpose, -1.0, inside.view(), q.view(), 1.0, x.view(), context);
}

std::string inWords(double value)
{
    char text[32];
    std::snprintf(text, sizeof text, "%.3g", value);
    return text;
}

void requireRank(std::int64_t rank, const Matrix<double>& w)
{
    if (rank < 0 || rank > std::min(w.rows(), w.cols()))
        throw Error(ErrorCode::InvalidParameter, "found rank " + std::to_string(rank) + " for a matrix [" + std::to_string(w.rows()) + ", " +
                                                     std::to_string(w.cols()) + "], expected 0 to " + std::to_string(std::min(w.rows(), w.cols())), "rank");
}
} // namespace

Matrix<double> DriftMoments::dense() const
{
    Matrix<double> result(h.rows(), h.cols());
    for (std::int64_t i = 0; i < h.rows(); ++i)
        for (std::int64_t j = i; j < h.cols(); ++j)
            result(i, j) = result(j, i) = h(i, j) + (delta(i, j) + delta(j, i)) + drift(i, j);
    return result;
}

double cumulativeObjective(const Matrix<double>& w, const Matrix<double>& m, const DriftMoments& moments, double beta, const RunContext& context)
{
    // With D = W - M the two terms are |D X|^2 and |D X + W E|^2: nothing cancels where the paths agree.
    Matrix<double> d(w.rows(), w.cols());
    for (std::size_t i = 0; i < d.size(); ++i)
        d.values()[i] = w.values()[i] - m.values()[i];
    const double own = linalg::innerProduct(linalg::product(d.view(), moments.h.view(), context).view(), d.view());
    const double cross = linalg::innerProduct(linalg::product(w.view(), moments.delta.view(), context).view(), d.view());
    const double drift = linalg::innerProduct(linalg::product(w.view(), moments.drift.view(), context).view(), w.view());
    return std::max(0.0, own + beta * (2 * cross + drift));
}

double AcesCurve::value(double beta) const
{
    const double whole = wholeS + 2 * wholeCross * beta + wholeD * beta * beta;
    return whole > 0 ? std::max(0.0, tailS + 2 * tailCross * beta + tailD * beta * beta) / whole : 0.0;
}

double AcesCurve::best(double least, double most) const
{
    double best = least;
    const auto tryOne = [&](double beta) {
        if (beta > least && beta <= most && value(beta) < value(best))
            best = beta;
    };
    // The numerator of rho': p beta^2 + q beta + s.
    const double p = tailD * wholeCross - tailCross * wholeD, q = tailD * wholeS - tailS * wholeD, s = tailCross * wholeS - tailS * wholeCross;
    const double discriminant = q * q - 4 * p * s;
    if (discriminant >= 0) {
        const double t = -0.5 * (q + std::copysign(std::sqrt(discriminant), q)); // without cancellation
        if (t != 0)
            tryOne(s / t);
        if (p != 0)
            tryOne(t / p);
    }
    tryOne(most);
    return best;
}

double AcesCurve::bestEnergy(double least, double most) const { return tailD > 0 ? std::clamp(-tailCross / tailD, least, most) : least; }

double AcesCurve::validity(double beta) const
{
    if (beta * normD == 0)
        return 0.0;
    return gap > 0 ? beta * normD / gap : std::numeric_limits<double>::infinity();
}

CumulativeProblem::CumulativeProblem(DriftMoments moments, double ridge, const RunContext& context) : m_moments(std::move(moments))
{
    const std::int64_t n = m_moments.h.rows();
    if (m_moments.h.cols() != n || m_moments.delta.rows() != n || m_moments.delta.cols() != n)
        throw Error(ErrorCode::InvalidParameter, "found moments of sides " + std::to_string(n) + " and " + std::to_string(m_moments.delta.rows()) + ", expected one side");
    if (tensor::countNonFinite(m_moments.h.values()).total() + tensor::countNonFinite(m_moments.delta.values()).total() > 0)
        throw Error(ErrorCode::NonFinite, "the statistics of the compressed path hold NaN or infinity");
    const double mean = linalg::meanDiagonal(m_moments.h);
    if (!(mean > 0))
        throw Error(ErrorCode::InvalidParameter, "the statistics of the compressed path are zero: every input that the calibration shows is zero");
    constexpr double kLeastRidge = 1e-12, kMostRidge = 1.0;
    for (double relative = ridge;; relative = std::max(10 * relative, kLeastRidge)) {
        m_ridge = relative * mean;
        m_h = linalg::withRidge(m_moments.h, m_ridge);
        auto root = linalg::choleskyRoot(m_h, context);
        if (root) {
            m_root = std::move(*root);
            if (relative > ridge)
                m_warnings.push_back("The calibration shows too few input directions for a Cholesky root with a ridge of " + inWords(ridge) +
                                     " x mean diagonal; it was raised to " + inWords(relative) + ".");
            return;
        }
        if (relative > kMostRidge)
            throw Error(ErrorCode::NonFinite, "the statistics of the compressed path have no Cholesky root even with a ridge of their mean diagonal");
    }
}

Matrix<double> CumulativeProblem::target(const Matrix<double>& w, double beta, const RunContext& context) const
{
    Matrix<double> t = linalg::product(w.view(), m_h.view(), context);
    if (beta != 0)
        linalg::gemm(Op::None, Op::None, beta, w.view(), m_moments.delta.view(), 1.0, t.view(), context);
    return t;
}

AcesCurve CumulativeProblem::curve(const Matrix<double>& w, std::int64_t rank, const RunContext& context) const
{
    requireRank(rank, w);
    AcesCurve curve;
    Matrix<double> s = linalg::product(w.view(), m_root.view(), context);
    Matrix<double> d = linalg::product(w.view(), m_moments.delta.view(), context);
    linalg::solveRight(Op::Transpose, m_root.view(), d.view(), context);
    curve.wholeS = linalg::innerProduct(s.view(), s.view());
    curve.wholeCross = linalg::innerProduct(s.view(), d.view());
    curve.wholeD = linalg::innerProduct(d.view(), d.view());
    curve.normD = curve.wholeD > 0 ? spectralNorm(d, context) : 0.0;
    const linalg::SymmetricEigen eigen = smallerSide(s, context);
    const auto singular = [&](std::int64_t i) {
        return i < static_cast<std::int64_t>(eigen.values.size()) ? std::sqrt(std::max(0.0, eigen.values[static_cast<std::size_t>(i)])) : 0.0;
    };
    curve.gap = rank > 0 ? singular(rank - 1) - singular(rank) : 0.0;
    // One side's leading vectors are eigenvectors; the other's span the image, which QR makes orthonormal without dividing by s.
    Matrix<double> left, right;
    if (rank > 0 && w.rows() <= w.cols()) {
        left = transposed(leadingRows(eigen.vectors, rank));
        right = linalg::thinQr(linalg::product(Op::Transpose, Op::None, s.view(), left.view(), context).view(), context).q;
    } else if (rank > 0) {
        right = transposed(leadingRows(eigen.vectors, rank));
        left = linalg::thinQr(linalg::product(s.view(), right.view(), context).view(), context).q;
    }
    for (Matrix<double>* x : {&s, &d})
        if (rank > 0) {
            removeRange(left, *x, context);
            removeCoRange(right, *x, context);
        }
    curve.tailS = linalg::innerProduct(s.view(), s.view());
    curve.tailCross = linalg::innerProduct(s.view(), d.view());
    curve.tailD = linalg::innerProduct(d.view(), d.view());
    return curve;
}

CumulativeFactors CumulativeProblem::factors(const Matrix<double>& w, std::int64_t rank, double beta, const RunContext& context) const
{
    requireRank(rank, w);
    Matrix<double> g = target(w, beta, context);
    linalg::solveRight(Op::Transpose, m_root.view(), g.view(), context);
    linalg::SymmetricEigen eigen = smallerSide(g, context);
    CumulativeFactors result{{}, {}, std::move(eigen.values)};
    for (double& square : result.squares)
        square = std::max(0.0, square);
    const linalg::ConstView leading = leadingRows(eigen.vectors, rank);
    if (w.rows() <= w.cols()) { // B = U_r, A = U_r^T G L^{-1}
        result.b = transposed(leading);
        result.a = linalg::product(leading, g.view(), context);
    } else { // B = G V_r, A = V_r^T L^{-1}
        result.b = linalg::product(Op::None, Op::Transpose, g.view(), leading, context);
        result.a = Matrix<double>(rank, w.cols());
        std::copy_n(leading.data, rank * w.cols(), result.a.data());
    }
    linalg::solveRight(Op::None, m_root.view(), result.a.view(), context);
    return result;
}

Matrix<double> CumulativeProblem::updated(const Matrix<double>& w, const Matrix<double>& a, const RunContext& context) const
{
    Matrix<double> b = linalg::product(Op::None, Op::Transpose, target(w, 1.0, context).view(), a.view(), context);
    const Matrix<double> seen = linalg::product(a.view(), m_root.view(), context); // A H A^T = (A L)(A L)^T
    const auto root = linalg::choleskyRoot(linalg::gram(seen.view(), Side::Rows, context), context);
    if (!root)
        throw Error(ErrorCode::InvalidParameter, "the factor a [" + std::to_string(a.rows()) + ", " + std::to_string(a.cols()) +
                                                     "] has not full row rank on the calibration inputs, so b has no unique update");
    linalg::solveRight(Op::Transpose, root->view(), b.view(), context);
    linalg::solveRight(Op::None, root->view(), b.view(), context);
    return b;
}

} // namespace tamis::lowrank
