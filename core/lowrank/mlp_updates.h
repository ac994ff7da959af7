// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The block updates of the auxiliary-variable problem of one MLP (SparseLLM), each the minimiser of the objective in its own
// block, or a step that never raises it. Rows are tokens. Private to the lab.
//
//   F = alpha |z - X W1^T - b1|^2 [+ alpha |s - X Wg^T - bg|^2] + gamma |p - f|^2 + beta |p W2^T - Y|^2
//   with f = sigma(z), or sigma(s) o z where the MLP is gated; Y the dense outputs without their bias.
#include "core/base/run_context.h"
#include "core/kernels/activation.h"
#include "core/tensor/matrix.h"

#include <cstdint>

namespace tamis::lowrank {

/// sigma in double, with its first two derivatives.
struct ActivationPoint {
    double value = 0, slope = 0, curvature = 0;
};
ActivationPoint activationAt(kernels::Activation activation, double z) noexcept;

/// Weights of the terms; all positive.
struct MlpPenalties {
    double alpha = 1, beta = 1, gamma = 1;
};

/// argmin_z alpha (z - m)^2 + gamma (p - max(z, 0))^2: the better of (gamma p + alpha m) / (gamma + alpha), where that is not
/// negative, and min(m, 0).
double reluUpdate(double m, double p, double alpha, double gamma) noexcept;
/// argmin_z alpha (z - m)^2 + gamma (p - sigma(z))^2 for smooth sigma: Newton's method, halved until it descends, from the best
/// few of ten starts; stationary to 1e-8 of the slopes' size, and never above z = m.
double smoothUpdate(kernels::Activation activation, double m, double p, double alpha, double gamma) noexcept;
/// argmin_z alpha (z - m)^2 + gamma (p - a z)^2 = (alpha m + gamma a p) / (alpha + gamma a^2); a = sigma(s).
double gatedUpdate(double m, double p, double a, double alpha, double gamma) noexcept;
/// `steps` steps down alpha (s - g)^2 + gamma (p - sigma(s) z)^2 with `rate`, from s; a step that would climb is halved until it
/// does not. 0 steps: the minimum, as smoothUpdate() finds it, from s too.
double gateUpdate(kernels::Activation activation, double s, double g, double z, double p, double alpha, double gamma, int steps, double rate) noexcept;

/// argmin_p gamma |p - f|^2 + beta |p W2^T - Y|^2 = (gamma f + beta Y W2) (gamma I + beta W2^T W2)^-1 by a Cholesky factor: f [t, h],
/// y [t, m], w2 [m, h].
tensor::Matrix<double> hiddenUpdate(const tensor::Matrix<double>& f, const tensor::Matrix<double>& y, const tensor::Matrix<double>& w2, double beta,
                                    double gamma, const RunContext& context = {});

/// argmin over W of rank `rank` of |target - X W^T|^2 + ridge |W - prior|^2: regularised least squares, then the whitened SVD of
/// its solution under X^T X + ridge I, which is exact for this problem. x [t, n], target [t, m], prior [m, n].
struct FittedPair {
    tensor::Matrix<double> b, a; ///< [m, r], [r, n]
};
FittedPair fitPair(const tensor::Matrix<double>& x, const tensor::Matrix<double>& target, const tensor::Matrix<double>& prior, double ridge, std::int64_t rank,
                   const RunContext& context = {});

} // namespace tamis::lowrank
