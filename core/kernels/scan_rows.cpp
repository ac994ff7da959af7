// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/scan_rows.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/kernels/kernel_table.h"
#include "core/kernels/scan_table.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <new>
#include <string>

namespace tamis::kernels {
namespace {
constexpr std::size_t kLargePage = std::size_t{2} << 20;
constexpr std::int64_t kPanelsAtOnce = 16; ///< of packing: some milliseconds between looks at the stop token

std::uint16_t toBfloat16(float value) // finite
{
    const auto bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t rounded = (bits + 0x7FFFU + ((bits >> 16) & 1U)) >> 16;
    return static_cast<std::uint16_t>((rounded & 0x7F80U) == 0x7F80U ? bits >> 16 : rounded); // never up to infinity
}
} // namespace

std::string_view scanPrecisionName(ScanPrecision precision) noexcept
{
    switch (precision) {
    case ScanPrecision::Float32: return "f32";
    case ScanPrecision::Bfloat16: return "bf16";
    case ScanPrecision::Int8: return "int8";
    }
    return "f32";
}

std::shared_ptr<std::byte[]> scanMemory(std::size_t bytes)
{
    const bool large = bytes >= kLargePage;
    const std::align_val_t alignment{large ? kLargePage : 64};
    const std::size_t whole = large ? (bytes + kLargePage - 1) / kLargePage * kLargePage : std::max<std::size_t>(bytes, 64);
    std::shared_ptr<std::byte[]> memory(new (alignment) std::byte[whole], [alignment](std::byte* p) { ::operator delete[](p, alignment); });
    if (large)
        ::madvise(memory.get(), whole, MADV_HUGEPAGE); // a hint: refused, the scan is only slower
    return memory;
}

ScanRows::ScanRows(tensor::MatrixView<const float> rows, std::span<const float> bias, ScanPrecision precision, const RunContext& context)
    : m_rows(rows.rows), m_width(rows.cols), m_precision(precision)
{
    if (rows.rows < 1 || rows.cols < 1 || static_cast<std::int64_t>(bias.size()) != rows.rows)
        throw Error(ErrorCode::InvalidParameter, "found rows of shape [" + std::to_string(rows.rows) + ", " + std::to_string(rows.cols) + "] and " +
                                                     std::to_string(bias.size()) + " biases, expected at least one row and input, and a bias a row");
    const auto padded = static_cast<std::size_t>(panels() * kPanelWidth);
    m_bias.assign(padded, -std::numeric_limits<float>::infinity());
    std::copy(bias.begin(), bias.end(), m_bias.begin());
    if (precision == ScanPrecision::Int8)
        m_scale.assign(padded, 0.0F);
    m_memory = scanMemory(padded * static_cast<std::size_t>(m_width) * elementSize());
    const std::int64_t parts = (panels() + kPanelsAtOnce - 1) / kPanelsAtOnce;
    parallelFor(context, static_cast<std::size_t>(parts), [&](std::size_t part) {
        const std::int64_t first = static_cast<std::int64_t>(part) * kPanelsAtOnce;
        for (std::int64_t p = first; p < std::min(panels(), first + kPanelsAtOnce); ++p)
            packPanel(rows, p);
    });
    context.finish();
}

std::size_t ScanRows::elementSize() const noexcept
{
    return m_precision == ScanPrecision::Float32 ? 4 : m_precision == ScanPrecision::Bfloat16 ? 2 : 1;
}

std::uint64_t ScanRows::bytes() const noexcept
{
    return static_cast<std::uint64_t>(panels() * kPanelWidth) * static_cast<std::uint64_t>(m_width) * elementSize() + (m_bias.size() + m_scale.size()) * sizeof(float);
}

void ScanRows::packPanel(tensor::MatrixView<const float> rows, std::int64_t index)
{
    const std::int64_t first = index * kPanelWidth, count = std::min(kPanelWidth, m_rows - first), size = kPanelWidth * m_width;
    std::byte* const target = m_memory.get() + static_cast<std::size_t>(index * size) * elementSize();
    const float* const from = rows.data + first * rows.stride;
    if (m_precision == ScanPrecision::Float32)
        return kernels().packTransposed(from, rows.stride, m_width, count, reinterpret_cast<float*>(target));
    std::vector<float> panel(static_cast<std::size_t>(size));
    kernels().packTransposed(from, rows.stride, m_width, count, panel.data());
    if (m_precision == ScanPrecision::Bfloat16) {
        std::transform(panel.begin(), panel.end(), reinterpret_cast<std::uint16_t*>(target), toBfloat16);
        return;
    }
    auto* const bytes = reinterpret_cast<std::int8_t*>(target);
    for (std::int64_t j = 0; j < kPanelWidth; ++j) {
        float most = 0;
        for (std::int64_t p = 0; p < m_width; ++p)
            most = std::max(most, std::abs(panel[static_cast<std::size_t>(p * kPanelWidth + j)]));
        const float scale = most / 127.0F; // 0 for a row of zeros, and for one too small to be divided
        m_scale[static_cast<std::size_t>(first + j)] = scale;
        for (std::int64_t p = 0; p < m_width; ++p) {
            const double steps = scale > 0 ? static_cast<double>(panel[static_cast<std::size_t>(p * kPanelWidth + j)]) / static_cast<double>(scale) : 0.0;
            bytes[p * kPanelWidth + j] = static_cast<std::int8_t>(std::clamp(std::lround(steps), -127L, 127L));
        }
    }
}

tensor::Matrix<float> ScanRows::unpack() const
{
    tensor::Matrix<float> rows(m_rows, m_width);
    std::vector<float> panelValues(static_cast<std::size_t>(kPanelWidth * m_width));
    for (std::int64_t i = 0; i < m_rows; ++i) {
        const std::int64_t index = i / kPanelWidth, size = kPanelWidth * m_width;
        if (i % kPanelWidth == 0) {
            if (m_precision == ScanPrecision::Float32)
                std::copy_n(static_cast<const float*>(panel(index)), size, panelValues.begin());
            else if (m_precision == ScanPrecision::Bfloat16)
                scans().widenHalves(static_cast<const std::uint16_t*>(panel(index)), size, panelValues.data());
            else
                scans().widenBytes(static_cast<const std::int8_t*>(panel(index)), size, panelValues.data());
        }
        for (std::int64_t j = 0; j < m_width; ++j)
            rows(i, j) = panelValues[static_cast<std::size_t>(j * kPanelWidth + i % kPanelWidth)] * (m_scale.empty() ? 1.0F : m_scale[static_cast<std::size_t>(i)]);
    }
    return rows;
}

} // namespace tamis::kernels
