// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Rotary positions in sums over pairs of tokens: how far a key stands from its query, and what the mean over those
// displacements makes of a head's second moments.
#include "core/nn/model_spec.h"
#include "core/tensor/matrix.h"

#include <complex>
#include <cstdint>
#include <string_view>
#include <vector>

namespace tamis::lowrank {

enum class Spread {
    Uniform,    ///< every displacement of the window counts the same
    Triangular, ///< as often as a sequence of `window` tokens has it: window - |d|
    Exponential ///< exp(-|d| / decay)
};
std::string_view spreadName(Spread spread) noexcept; ///< "uniform", "triangular", "exponential"
Spread parseSpread(std::string_view name);           ///< throws Error{InvalidParameter}

/// Position of the query minus that of the key, and how much it counts; the weights sum to 1.
struct Displacement {
    std::int64_t distance = 0;
    double weight = 0;
};

/// Distances 0 .. window - 1 of a causal model, -(window - 1) .. window - 1 of another. window >= 1, decay > 0
/// (Error{InvalidParameter}).
std::vector<Displacement> displacements(std::int64_t window, Spread spread, double decay, bool causal);

/// The score of a query and a key that stand `d` apart is q^T R_d^T k: R_d turns feature i of a head with feature
/// i + dimensions / 2 by d times the pair's frequency. The mean over displacements of R_d Y R_d^T acts on 2 x 2 blocks of
/// pairs, on their complex-linear part by the mean of e^{i d (f_j - f_l)}, on their conjugate part by that of
/// e^{i d (f_j + f_l)}: its cost does not grow with the window. Immutable.
class MeanRotation {
public:
    MeanRotation() = default; ///< no rotary positions: nothing turns
    /// Throws Error{UnsupportedFeature} where the features that do not turn are odd in number.
    MeanRotation(const nn::RopeSpec& rope, std::int64_t headDim, const std::vector<Displacement>& displacements, std::int64_t tokens);

    bool turns() const noexcept { return !m_difference.empty(); }
    /// y := sum_d w_d R_d y R_d^T, y [headDim, headDim]: a query's moments as keys see them.
    void forward(tensor::Matrix<double>& y) const { apply(y, false); }
    /// y := sum_d w_d R_d^T y R_d: a key's moments as queries see them.
    void backward(tensor::Matrix<double>& y) const { apply(y, true); }

private:
    void apply(tensor::Matrix<double>& y, bool conjugate) const;
    struct Pair {
        std::int64_t first = 0, second = 0;
    };
    std::vector<Pair> m_pairs;
    std::vector<std::complex<double>> m_difference, m_sum; ///< [pairs, pairs]: means of e^{i d (f_j -+ f_l)}
};

} // namespace tamis::lowrank
