// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Rows that are scored against few inputs again and again, laid out for it: panels of 32 rows, input after input, so that a scan
// reads memory once from the first byte to the last and 16 scores grow in one register.
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace tamis::kernels {

enum class ScanPrecision {
    Float32,
    Bfloat16, ///< rounded to nearest, ties to even
    Int8      ///< q in [-127, 127] with a scale a row, max |w| / 127
};
std::string_view scanPrecisionName(ScanPrecision precision) noexcept; ///< "f32", "bf16", "int8"

/// Memory aligned to the pages that the kernel of the operating system can make large ones of.
std::shared_ptr<std::byte[]> scanMemory(std::size_t bytes);

/// z = W x + b with W as it is stored. Immutable; copies share memory.
class ScanRows {
public:
    ScanRows() = default;
    /// Copies rows [M, D] and `bias` [M]. Throws Error{InvalidParameter} for an empty matrix or another number of biases, Error{Cancelled}.
    ScanRows(tensor::MatrixView<const float> rows, std::span<const float> bias, ScanPrecision precision, const RunContext& context = {});
    std::int64_t rows() const noexcept { return m_rows; }  ///< M
    std::int64_t width() const noexcept { return m_width; } ///< D
    ScanPrecision precision() const noexcept { return m_precision; }
    std::uint64_t bytes() const noexcept; ///< read by one scan
    /// The numbers that a scan multiplies by, [M, D].
    tensor::Matrix<float> unpack() const;

    std::int64_t panels() const noexcept { return (m_rows + 31) / 32; }
    const void* panel(std::int64_t index) const noexcept { return m_memory.get() + static_cast<std::size_t>(index * 32 * m_width) * elementSize(); }
    std::size_t elementSize() const noexcept;
    const float* scale(std::int64_t panelIndex) const noexcept { return m_scale.empty() ? nullptr : m_scale.data() + panelIndex * 32; } ///< Int8
    const float* bias(std::int64_t panelIndex) const noexcept { return m_bias.data() + panelIndex * 32; } ///< minus infinity beyond M

private:
    void packPanel(tensor::MatrixView<const float> rows, std::int64_t index);
    std::int64_t m_rows = 0, m_width = 0;
    ScanPrecision m_precision = ScanPrecision::Float32;
    std::shared_ptr<std::byte[]> m_memory;
    std::vector<float> m_scale, m_bias; ///< padded to whole panels
};

} // namespace tamis::kernels
