// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// One subspace for many: leading directions of sums of projectors V_i^T V_i, never centred. docs/methods/lowrank.dobi.md.
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <vector>

namespace tamis::lowrank {

/// Directions that a sample's activations use.
struct Subspace {
    tensor::Matrix<double> vectors; ///< [k, width], orthonormal rows
    std::vector<double> values;     ///< [k], singular values; used by the weighted mean
};

/// Principal directions of sum_i V_i^T diag(w_i^2) V_i, one sample at a time: what is kept of the sum is its best approximation of
/// rank `capacity` (Ross, Lim, Lin, Yang 2008, without their mean: it is the sum of projectors that has the wanted directions,
/// and the mean of singular vectors, whose signs are free, says nothing). As long as the samples' directions span no more than `capacity`
/// dimensions nothing is lost.
class IncrementalPca {
public:
    /// Throws Error{InvalidParameter} unless 1 <= capacity <= width.
    IncrementalPca(std::int64_t width, std::int64_t capacity);
    /// `rows` [k, width]: row j counts with weights[j]^2; no weights: 1. Throws Error{InvalidParameter} for another width or number.
    void add(tensor::MatrixView<const double> rows, const std::vector<double>& weights = {}, const RunContext& context = {});
    /// The leading directions, [at most `count`, width], orthonormal rows.
    tensor::Matrix<double> components(std::int64_t count) const;
    const std::vector<double>& values() const noexcept { return m_values; } ///< eigenvalues of what is kept, descending

private:
    std::int64_t m_width, m_capacity;
    tensor::Matrix<double> m_rows; ///< sqrt(eigenvalue) times a direction
    std::vector<double> m_values;
};

enum class SubspaceMean {
    Equal,          ///< every direction of every sample counts 1
    Weighted,       ///< by its squared singular value over the sample's sum of them
    GeometricMedian ///< of the projectors under the Frobenius norm: outlying samples lose their pull
};

/// `count` directions [count, width] (fewer when the samples span fewer) for all samples. Geometric median: Weiszfeld's iteration on
/// the projectors, at most 100 steps, until it moves by less than 1e-9 of its norm; `width` squared doubles twice. Throws
/// Error{InvalidParameter} without a sample or for widths that differ, Error{Cancelled}.
tensor::Matrix<double> meanSubspace(const std::vector<Subspace>& samples, std::int64_t count, SubspaceMean mean, const RunContext& context = {});

} // namespace tamis::lowrank
