// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/packed_matrix.h"

#include "core/kernels/kernel_table.h"
#include "core/kernels/product_blocks.h"

#include <algorithm>
#include <new>

namespace tamis::kernels {

PackedMatrix::PackedMatrix(ConstRows weight) : m_rows(weight.rows), m_cols(weight.cols)
{
    const auto count = static_cast<std::size_t>(panelCount(m_rows) * kPanelWidth * m_cols);
    constexpr std::align_val_t kAlignment{64};
    m_values = std::shared_ptr<float[]>(new (kAlignment) float[std::max<std::size_t>(count, 1)],
                                        [](float* values) { ::operator delete[](values, kAlignment); });
    for (std::int64_t p = 0; p < panelCount(m_rows); ++p) {
        const std::int64_t first = p * kPanelWidth;
        kernels().packTransposed(weight.data + first * weight.stride, weight.stride, m_cols, std::min(kPanelWidth, m_rows - first),
                                 m_values.get() + first * m_cols);
    }
}

const float* PackedMatrix::panel(std::int64_t index) const noexcept
{
    return m_values.get() + index * kPanelWidth * m_cols;
}

tensor::Matrix<float> PackedMatrix::unpack() const
{
    tensor::Matrix<float> weight(m_rows, m_cols);
    for (std::int64_t i = 0; i < m_rows; ++i)
        for (std::int64_t j = 0; j < m_cols; ++j)
            weight(i, j) = panel(i / kPanelWidth)[j * kPanelWidth + i % kPanelWidth];
    return weight;
}

void multiply(ConstRows x, const PackedMatrix& weight, const Epilogue& epilogue, Rows y, bool parallel)
{
    multiplyInBlocks(x, weight, epilogue, y, parallel);
}

} // namespace tamis::kernels
