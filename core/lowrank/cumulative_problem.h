// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The local problem of SAES-SVD (CEALC): one matrix whose input has drifted, because everything before it is compressed already.
//
// X [n, T] is the input on the compressed path, Xf the dense model's, E = Xf - X the drift. For 0 <= beta <= 1
//     min over M = B A of rank r of (1 - beta) |M X - W X|^2 + beta |M X - W Xf|^2 + ridge |M - W|^2
// which is, but for a constant, |M X' - W (X' + beta E')|^2 with X' = [X, sqrt(ridge) I] and E' = [E, 0]. With
// H = X X^T + ridge I = L L^T and Delta = E X^T the optimum is the truncated SVD of G = W (H + beta Delta) L^{-T}, divided by L.
// alpha = beta / (1 - beta) is the paper's weight of the second term; beta = 0 is the whitened SVD on the drifted inputs
// (SVD-LLM), beta = 1 the anchored target (AA-SVD). Source: SAES-SVD (2602.03051), docs/methods/lowrank.saes.md.
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::lowrank {

/// Sums over the tokens of one linear input on both paths, in double.
struct DriftMoments {
    std::uint64_t tokens = 0;
    tensor::Matrix<double> h;     ///< [n, n] X X^T
    tensor::Matrix<double> delta; ///< [n, n] (Xf - X) X^T
    tensor::Matrix<double> drift; ///< [n, n] (Xf - X) (Xf - X)^T

    explicit DriftMoments(std::int64_t features = 0) : h(features, features), delta(features, features), drift(features, features) {}
    /// Xf Xf^T = h + delta + delta^T + drift: what a capture of the dense model sums.
    tensor::Matrix<double> dense() const;
};

/// (1 - beta) |M X - W X|^2 + beta |M X - W Xf|^2 for w, m [rows, n]; never below 0.
double cumulativeObjective(const tensor::Matrix<double>& w, const tensor::Matrix<double>& m, const DriftMoments& moments, double beta,
                           const RunContext& context = {});
/// |M X - W Xf|^2: how far the compressed path's output is from the dense model's.
inline double cumulativeLoss(const tensor::Matrix<double>& w, const tensor::Matrix<double>& m, const DriftMoments& moments, const RunContext& context = {})
{
    return cumulativeObjective(w, m, moments, 1.0, context);
}

/// ACES: the share of the target's energy that truncation loses, to first order in beta:
/// rho(beta) = (a + 2 b beta + c beta^2) / (A + 2 B beta + C beta^2), from S = W L and D = W Delta L^{-T} and their parts outside
/// the leading singular subspaces of S.
struct AcesCurve {
    double tailS = 0, tailCross = 0, tailD = 0;    ///< a, b, c
    double wholeS = 0, wholeCross = 0, wholeD = 0; ///< A, B, C
    double normD = 0;                              ///< |D|_2
    double gap = 0;                                ///< s_r - s_{r+1} of S

    double value(double beta) const; ///< 0 for a target of zero
    /// Where rho is least in [least, most]: at a stationary point or an end. `least` where rho is constant.
    double best(double least, double most) const;
    /// -b / c, which minimises the numerator alone, held within [least, most]; `least` without drift.
    double bestEnergy(double least, double most) const;
    /// beta |D|_2 / (s_r - s_{r+1}): the first-order curve holds where this is well below 1. Infinity for a gap of zero, 0
    /// without drift.
    double validity(double beta) const;
};

struct CumulativeFactors {
    tensor::Matrix<double> b, a; ///< [m, r], [r, n]
    std::vector<double> squares; ///< [p]: squared singular values of G, descending
};

/// What the matrices that share one input (q, k and v; up and gate) share: the Cholesky root of its statistics.
class CumulativeProblem {
public:
    /// `ridge`: times the mean of h's diagonal. It is raised tenfold from 1e-12 on until h has a Cholesky root; warnings() says so.
    /// Throws Error{NonFinite} when h or delta is not finite, Error{InvalidParameter} when their sides disagree or h is zero.
    CumulativeProblem(DriftMoments moments, double ridge, const RunContext& context = {});

    const DriftMoments& moments() const noexcept { return m_moments; }
    double ridge() const noexcept { return m_ridge; } ///< absolute, as it was added
    const std::vector<std::string>& warnings() const noexcept { return m_warnings; }

    /// W (H + beta Delta), the target against the input: [m, n].
    tensor::Matrix<double> target(const tensor::Matrix<double>& w, double beta, const RunContext& context = {}) const;
    /// w [m, n] finite, 0 <= rank <= min(m, n).
    AcesCurve curve(const tensor::Matrix<double>& w, std::int64_t rank, const RunContext& context = {}) const;
    CumulativeFactors factors(const tensor::Matrix<double>& w, std::int64_t rank, double beta, const RunContext& context = {}) const;
    /// The b that minimises |B A X' - W (X' + E')|^2 for a fixed a (SVD-LLM's update): B = W (H + Delta) A^T (A H A^T)^{-1}. Throws
    /// Error{InvalidParameter} when a has not full row rank.
    tensor::Matrix<double> updated(const tensor::Matrix<double>& w, const tensor::Matrix<double>& a, const RunContext& context = {}) const;

private:
    DriftMoments m_moments;
    tensor::Matrix<double> m_h, m_root; ///< with ridge; lower triangle L
    double m_ridge = 0;
    std::vector<std::string> m_warnings;
};

} // namespace tamis::lowrank
