// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Keys from embedded patches: their principal components, hashed by random hyperplanes (Indyk and Motwani 1998; Charikar 2002).
#include "core/base/run_context.h"
#include "core/kernels/packed_matrix.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::reuse {

/// Mean and principal axes of rows, from their covariance in double. Immutable.
class PrincipalAxes {
public:
    PrincipalAxes() = default;
    /// rows [n, width], n >= 1; as many axes as asked for, or the width where that is less. Throws Error{NonFinite, Cancelled}.
    PrincipalAxes(kernels::ConstRows rows, std::int64_t components, const RunContext& context = {});
    /// Multiply-adds of finding them: means, differences from them, the upper triangle of the covariance, its eigenvectors.
    static double fitMacs(std::int64_t rows, std::int64_t width) noexcept;
    bool empty() const noexcept { return m_axes.empty(); }
    std::int64_t components() const noexcept { return m_axes.rows(); }
    /// Coordinates of one row, [components].
    void project(std::span<const float> row, std::span<float> to) const;
    double projectMacs() const noexcept { return static_cast<double>((m_axes.rows() + 1) * m_axes.cols()); } ///< of one row: its difference from the mean, and products with the axes

private:
    std::vector<float> m_mean;
    tensor::Matrix<float> m_axes; ///< [components, width]
};

/// `tables` keys of `bits` bits for a vector: the signs of its products with random normal directions. Immutable.
class Hyperplanes {
public:
    Hyperplanes(std::int64_t tables, std::int64_t bits, std::int64_t width, std::uint64_t seed); ///< bits 1 .. 64
    std::vector<std::uint64_t> keys(std::span<const float> vector) const;                       ///< [tables]
    double macs() const noexcept { return static_cast<double>(m_directions.rows() * m_directions.cols()); }

private:
    std::int64_t m_tables, m_bits;
    tensor::Matrix<float> m_directions; ///< [tables * bits, width]
};

} // namespace tamis::reuse
