// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/compact_matrix.h"

#include "core/kernels/product_blocks.h"

namespace tamis::kernels {

CompactMatrix::CompactMatrix(tensor::MatrixView<const std::int8_t> stored, std::vector<float> rowScale, std::vector<float> columnScale)
    : m_rows(stored.rows), m_cols(stored.cols)
{
    setScales(std::move(rowScale), std::move(columnScale));
    pack(stored, m_bytes);
}

CompactMatrix::CompactMatrix(tensor::MatrixView<const std::uint16_t> stored, std::vector<float> rowScale, std::vector<float> columnScale)
    : m_rows(stored.rows), m_cols(stored.cols)
{
    setScales(std::move(rowScale), std::move(columnScale));
    pack(stored, m_halves);
}

void CompactMatrix::setScales(std::vector<float> rowScale, std::vector<float> columnScale)
{
    const auto rows = static_cast<std::size_t>(m_rows), cols = static_cast<std::size_t>(m_cols);
    if ((!rowScale.empty() && rowScale.size() != rows) || (!columnScale.empty() && columnScale.size() != cols))
        throw Error(ErrorCode::InvalidParameter, std::to_string(rowScale.size()) + " row and " + std::to_string(columnScale.size()) + " column scales do not fit [" +
                                                     std::to_string(m_rows) + ", " + std::to_string(m_cols) + "]");
    m_rowScale = rowScale.empty() ? std::vector<float>(rows, 1.0F) : std::move(rowScale);
    m_rowScale.resize(static_cast<std::size_t>(panelCount(m_rows) * kPanelWidth), 0.0F);
    m_columnScale = columnScale.empty() ? std::vector<float>(cols, 1.0F) : std::move(columnScale);
}

template <class Element> void CompactMatrix::pack(tensor::MatrixView<const Element> stored, std::vector<Element>& panels)
{
    panels.resize(static_cast<std::size_t>(panelCount(m_rows) * kPanelWidth * m_cols));
    if (panels.empty())
        return;
    for (std::int64_t i = 0; i < m_rows; ++i) {
        Element* panel = panels.data() + i / kPanelWidth * kPanelWidth * m_cols + i % kPanelWidth;
        for (std::int64_t j = 0; j < m_cols; ++j)
            panel[j * kPanelWidth] = stored(i, j);
    }
}

template <class Element> tensor::Matrix<Element> CompactMatrix::unpacked(const std::vector<Element>& panels) const
{
    if (panels.empty())
        return {};
    tensor::Matrix<Element> stored(m_rows, m_cols);
    for (std::int64_t i = 0; i < m_rows; ++i)
        for (std::int64_t j = 0; j < m_cols; ++j)
            stored(i, j) = panels[static_cast<std::size_t>((i / kPanelWidth * m_cols + j) * kPanelWidth + i % kPanelWidth)];
    return stored;
}

tensor::Matrix<std::int8_t> CompactMatrix::storedBytes() const { return unpacked(m_bytes); }
tensor::Matrix<std::uint16_t> CompactMatrix::storedHalves() const { return unpacked(m_halves); }

void CompactMatrix::decode(std::int64_t index, std::int64_t begin, std::int64_t depth, float* panel) const
{
    const std::int64_t offset = (index * m_cols + begin) * kPanelWidth;
    const float *rowScale = m_rowScale.data() + index * kPanelWidth, *columnScale = m_columnScale.data() + begin;
    if (!m_bytes.empty())
        kernels().decodeBytes(m_bytes.data() + offset, rowScale, columnScale, depth, panel);
    else
        kernels().decodeHalves(m_halves.data() + offset, rowScale, columnScale, depth, panel);
}

tensor::Matrix<float> CompactMatrix::unpack() const
{
    tensor::Matrix<float> weight(m_rows, m_cols);
    std::vector<float> panel(static_cast<std::size_t>(kPanelWidth * m_cols));
    for (std::int64_t p = 0; p < panelCount(m_rows); ++p) {
        decode(p, 0, m_cols, panel.data());
        for (std::int64_t i = p * kPanelWidth; i < std::min(m_rows, (p + 1) * kPanelWidth); ++i)
            for (std::int64_t j = 0; j < m_cols; ++j)
                weight(i, j) = panel[static_cast<std::size_t>(j * kPanelWidth + i % kPanelWidth)];
    }
    return weight;
}

void multiply(ConstRows x, const CompactMatrix& weight, const Epilogue& epilogue, Rows y, bool parallel)
{
    multiplyInBlocks(x, weight, epilogue, y, parallel);
}

} // namespace tamis::kernels
