// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Weights that stay small in memory: 8-bit integers or half floats with a scale a row and a scale a column, decoded into the
// cache by the product itself.
#include "core/kernels/packed_matrix.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <vector>

namespace tamis::kernels {

/// w(i, j) = columnScale[j] * rowScale[i] * stored(i, j), [out, in]: the two scales are multiplied first, rounded to float once
/// each. Immutable.
class CompactMatrix {
public:
    CompactMatrix() = default;
    /// Copies. `rowScale` is [rows], `columnScale` [cols]; empty ones are 1. Throws Error{InvalidParameter} for other sizes.
    CompactMatrix(tensor::MatrixView<const std::int8_t> stored, std::vector<float> rowScale, std::vector<float> columnScale);
    /// IEEE half floats by their bits.
    CompactMatrix(tensor::MatrixView<const std::uint16_t> stored, std::vector<float> rowScale, std::vector<float> columnScale);
    std::int64_t rows() const noexcept { return m_rows; } ///< outputs
    std::int64_t cols() const noexcept { return m_cols; } ///< inputs

    /// Inputs [begin, begin + depth) of panel `index` (kernel_table.h) as floats.
    void decode(std::int64_t index, std::int64_t begin, std::int64_t depth, float* panel) const;
    tensor::Matrix<std::int8_t> storedBytes() const;    ///< [out, in] as given; empty when it holds half floats
    tensor::Matrix<std::uint16_t> storedHalves() const; ///< empty when it holds 8-bit integers
    tensor::Matrix<float> unpack() const; ///< [out, in], the numbers that a product multiplies by

private:
    template <class Element> void pack(tensor::MatrixView<const Element> stored, std::vector<Element>& panels);
    template <class Element> tensor::Matrix<Element> unpacked(const std::vector<Element>& panels) const;
    void setScales(std::vector<float> rowScale, std::vector<float> columnScale);
    std::int64_t m_rows = 0, m_cols = 0;
    std::vector<std::int8_t> m_bytes;    ///< panels of 32 outputs, zero-padded; empty when m_halves are used
    std::vector<std::uint16_t> m_halves;
    std::vector<float> m_rowScale, m_columnScale; ///< rows padded to whole panels
};

/// As multiply() with a PackedMatrix.
void multiply(ConstRows x, const CompactMatrix& weight, const Epilogue& epilogue, Rows y, bool parallel);

} // namespace tamis::kernels
