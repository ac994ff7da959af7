// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Pairs B A of low rank that stand in for an encoder's rows W, best for the activations that it really sees.
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::encoder {

/// Second moment of prepared rows [t, D]: C = sum (x - mean) (x - mean)^T / t, mean 0 unless `centre`.
struct Moments {
    tensor::Matrix<double> c; ///< [D, D]
    std::vector<double> mean; ///< [D]
};
/// Throws Error{InvalidParameter} for no row, Error{Cancelled}.
Moments momentsOf(tensor::MatrixView<const float> rows, bool centre, const RunContext& context = {});
/// Of white inputs without mean: with it the factors are those of the plain SVD.
Moments whiteMoments(std::int64_t width);
/// C + ridge * mean(diag C) * I.
void addRidge(Moments& moments, double ridge);

/// W (x - mean) ~ B A (x - mean).
struct WeightedFactors {
    tensor::Matrix<double> b, a;     ///< [M, r] orthonormal columns, [r, D]
    std::vector<double> squares;     ///< [min(M, D)] squared singular values of W C^{1/2}, descending: the expected squared error of the
                                     ///< scores of one token at rank r is the sum of those from r on
};

/// The pair that minimises E |(W - B A)(x - mean)|^2: B = U_r, A = U_r^T W with U_r the leading left singular vectors of W C^{1/2}; no
/// matrix is inverted. `rank` is lowered to the directions of W C^{1/2} that are resolved (squares above 1e-12 of the largest): b.cols()
/// tells. w is [M, D]. Throws Error{InvalidParameter} for a rank outside 1 to min(M, D) or another width, Error{Cancelled}.
WeightedFactors weightedFactors(tensor::MatrixView<const float> w, const Moments& moments, std::int64_t rank, const RunContext& context = {});

/// b + (W - B A) mean in double, rounded once: what makes B A x + it the scores of the pair.
std::vector<float> foldedBias(tensor::MatrixView<const float> w, const std::vector<float>& bias, const WeightedFactors& factors, const std::vector<double>& mean,
                              const RunContext& context = {});

/// factor * W a^T [M, rows of a], W widened a piece at a time.
tensor::Matrix<double> productOfRows(tensor::MatrixView<const float> w, const tensor::Matrix<double>& a, double factor, const RunContext& context = {});

} // namespace tamis::encoder
