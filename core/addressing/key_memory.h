// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A memory that is looked up instead of a feed-forward part: y' = mean + sum over the cells that x reads of weight * value.
#include "core/addressing/addresser.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::addressing {

enum class ValueFit {
    LeastSquares, ///< of all values together: (G^T G + ridge I) V = G^T (Y - mean), G [rows, cells] the weights; at most kMostSolvedCells cells
    Means         ///< each cell's own: sum of w (y - mean) / (sum of w + ridge)
};
inline constexpr std::int64_t kMostSolvedCells = 4096;

class KeyMemory {
public:
    /// Fitted to rows x and what comes out of them y, by `reads` = addressAll(addresser, x). ridge > 0: weight in rows of the mean output. Throws
    /// Error{InvalidParameter, LimitExceeded (cells to solve for), OutOfMemory, NonFinite, Cancelled}.
    KeyMemory(AddresserPtr addresser, std::span<const Reads> reads, tensor::MatrixView<const float> y, ValueFit fit, double ridge, const RunContext& context = {});

    const Addresser& addresser() const noexcept { return *m_addresser; }
    const tensor::Matrix<float>& values() const noexcept { return m_values; } ///< [cells, width of y], beside the mean
    const std::vector<float>& mean() const noexcept { return m_mean; }
    /// y' [width of y]
    void combine(const Reads& reads, std::span<float> y) const;

private:
    void solve(std::span<const Reads> reads, const tensor::Matrix<double>& target, double ridge, const RunContext& context);
    void average(std::span<const Reads> reads, const tensor::Matrix<double>& target, double ridge, const RunContext& context);
    AddresserPtr m_addresser;
    tensor::Matrix<float> m_values;
    std::vector<float> m_mean;
};

/// Fraction of variance unexplained: sum |y - y'|^2 / sum |y - mean of these y|^2. Throws Error{InvalidParameter} for other rows, or outputs that are all alike,
/// Error{Cancelled}.
double unexplained(const KeyMemory& memory, std::span<const Reads> reads, tensor::MatrixView<const float> y, const RunContext& context = {});
/// Of one output for all rows.
double unexplainedBy(std::span<const float> constant, tensor::MatrixView<const float> y);
/// Of the affine map that is fitted to (x, y) by least squares, on (x2, y2): what as cheap a function can do without a memory.
double unexplainedByAffine(tensor::MatrixView<const float> x, tensor::MatrixView<const float> y, tensor::MatrixView<const float> x2, tensor::MatrixView<const float> y2, const RunContext& context = {});

/// cost_e = |sqrt(v_e)|, v_e the mean over the rows of the squared gradient of |y' - y|^2 / 2 by value e, component by component: the Fisher cost of an
/// expert, by which FARS routes (Tiny-ONN's notes; its own v_e is Adam's running second moment). [cells]
std::vector<double> fisherCosts(const KeyMemory& memory, std::span<const Reads> reads, tensor::MatrixView<const float> y, const RunContext& context = {});

} // namespace tamis::addressing
