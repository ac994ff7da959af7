// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Sums over rows that come a few at a time, in double. What they give depends neither on where the pieces end nor on the number of threads.
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <vector>

namespace tamis::encoder {

/// Adds with the rounding error carried along (Neumaier 1974): as good as one rounding for as many terms as there will be.
class CompensatedSum {
public:
    void add(double term) noexcept;
    double value() const noexcept { return m_sum + m_lost; }

private:
    double m_sum = 0, m_lost = 0;
};

/// sum |x - mean|^2 over all rows, the mean of all rows included, in one pass. In tiles of kTileRows, counted from the first row: within one
/// each row moves mean and spread of its column (Welford 1962), a full one is merged into those before (Chan, Golub, LeVeque 1979):
/// S = S_a + S_b + (m_b - m_a)^2 n_a n_b / (n_a + n_b). Large means cost no digits, as they do in sum x^2 - n mean^2.
class RowSpread {
public:
    explicit RowSpread(std::int64_t width);
    void add(tensor::MatrixView<const float> rows, const RunContext& context = {});
    std::int64_t rows() const noexcept { return m_merged + m_open; }
    double total() const;

private:
    static constexpr std::int64_t kTileRows = 256, kColumns = 64; ///< columns of one task
    void addColumns(tensor::MatrixView<const float> rows, std::size_t begin, std::size_t end);
    std::vector<double> m_mean, m_spread, m_tileMean, m_tileSpread; ///< [width]
    std::int64_t m_merged = 0, m_open = 0; ///< rows in full tiles, and in the open one
};

/// sum |x - y|^2 over rows.
class SquaredErrors {
public:
    /// Two views of one shape.
    void add(tensor::MatrixView<const float> rows, tensor::MatrixView<const float> reconstructions, const RunContext& context = {});
    double total() const noexcept { return m_sum.value(); }

private:
    CompensatedSum m_sum;
};

/// error / spread, the fraction of variance unexplained; where nothing varies 0 or infinity.
double unexplained(double error, double spread);

} // namespace tamis::encoder
