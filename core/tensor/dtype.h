// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cstddef>
#include <optional>
#include <string_view>

namespace tamis::tensor {

enum class DType { F64, F32, F16, BF16, I64, I32, I16, I8, U8, Bool };

/// The safetensors spelling: "F64", "BF16", "BOOL" ...
std::string_view dtypeName(DType type) noexcept;
std::optional<DType> parseDType(std::string_view safetensorsName) noexcept;
std::size_t dtypeSize(DType type) noexcept; ///< bytes an element
bool isFloating(DType type) noexcept;

} // namespace tamis::tensor
