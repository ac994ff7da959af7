// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// How the singular values are shared between the two factors of B A = (B J)(J^-1 A): loss-neutral in exact arithmetic, not in
// what is stored, multiplied or rounded. docs/methods/junctions.md.
#include "core/lowrank/decomposition.h"
#include "core/tensor/matrix.h"

#include <optional>
#include <string_view>

namespace tamis::lowrank {

enum class Junction {
    Automatic,     ///< what the accounting counts: block identity, or symmetric
    Identity,      ///< J = I in B = U S J, A = J^-1 V P^-1: the same factors as Left
    Symmetric,     ///< sqrt(S) on both sides
    Left,          ///< all of S in B
    Right,         ///< all of S in A, B orthonormal
    BlockIdentity, ///< A = [I, C] P by column-pivoted QR: r^2 parameters and multiplications fewer
    Optimised      ///< for a JunctionObjective
};
enum class JunctionObjective {
    F16Rounding,  ///< least expected loss from rounding both factors to float16, over all invertible J
    Amplification ///< least bound on what the next operator makes of a relative error of the latent, over all invertible J
};

std::vector<ParameterSpec> junctionParameters(); ///< "junction", "junction-objective", "factor-dtype"
Junction parseJunction(std::string_view name);   ///< throws Error{InvalidParameter}
JunctionObjective parseJunctionObjective(std::string_view name);

/// B J and J^-1 A for the rank-r factors of `decomposition`; Automatic as Symmetric; BlockIdentity is made by makeOperator().
/// S is that of W P over the root of the number of tokens; values below 1e-12 of the largest count as that.
Factors joinedFactors(const Decomposition& decomposition, std::int64_t rank, Junction junction);

/// The junction that minimises expectedRoundingLoss() under C = `gram`, from any factors of full rank, scaled by a power of two
/// so that both factors have entries of one size.
///
/// With B orthonormal and M = A (C + diag C) A^T the loss is sum_k |b_k|^2 (J^-1 M J^-T)_kk >= (tr M^{1/2})^2 / r by Cauchy and
/// Schwarz twice; J = M^{1/4} Q attains it where the rotation Q makes the diagonal of Q^T M^{1/2} Q constant (a rotation for
/// each entry, Bendel and Mickey 1978). An own derivation. Throws Error{InvalidParameter} when shapes disagree.
Factors leastRounding(const Factors& factors, const tensor::Matrix<double>& gram, const RunContext& context = {});

/// The junction that minimises amplification(): |N B J|_F |J^-1 A C^{1/2}|_F >= |N B A C^{1/2}|_*, attained where both
/// Gramians are diagonal and proportional (balanced truncation's transformation, Moore 1981), scaled as leastRounding(). `metric` is N^T N [m, m]; empty: I.
Factors leastAmplification(const Factors& factors, const tensor::Matrix<double>& gram, const tensor::Matrix<double>& metric, const RunContext& context = {});

/// Expected |E X|^2 of E = B'A' - B A when each entry of both factors is rounded to float16 on its own: 2^-22 / 6 (mantissas
/// spread evenly) times sum_k |b_k|^2 a_k (C + diag C) a_k^T. Underflow is not in it.
double expectedRoundingLoss(const Factors& factors, const tensor::Matrix<double>& gram, const RunContext& context = {});

/// |N B|_F |A C^{1/2}|_F / |N B A C^{1/2}|_F: a relative error e of the latent A X moves N y by at most e times this, relative to N y.
double amplification(const Factors& factors, const tensor::Matrix<double>& gram, const tensor::Matrix<double>& metric, const RunContext& context = {});

/// Each entry rounded to float16 (to nearest even; beyond its range infinite).
tensor::Matrix<double> toHalf(const tensor::Matrix<double>& exact);
/// |E X|^2 as it comes out, E = half(B) half(A) - B A.
double measuredRoundingLoss(const Factors& factors, const tensor::Matrix<double>& gram, const RunContext& context = {});

/// 2-norm condition of B.
double conditionOf(const tensor::Matrix<double>& b, const RunContext& context = {});
double largestCoefficient(const Factors& factors) noexcept;

/// N^T N of the operator that reads the outputs of `matrix`: down after up or gate, output after value (key-value heads that
/// several heads share are added up); otherwise diag of the mean-squared output gradients where the calibration has them;
/// otherwise empty. What stands between (activation, attention's averaging) is taken as neutral. `words` says which.
tensor::Matrix<double> nextMetric(const Inputs& inputs, const io::MatrixRef& matrix, const io::CalibrationSite& site, std::string& words, const RunContext& context = {});

} // namespace tamis::lowrank
