// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A matrix of features in fewer bytes for the way, and back.
#include "core/remote/feature_value.h"
#include "core/tensor/matrix.h"

#include <optional>
#include <string_view>

namespace tamis::remote {

/// F32: bit for bit. F16: rounded to nearest even. I8: rows divided by their largest magnitude / 127, rounded; 4 bytes a row for that scale.
enum class Transfer { F32, F16, I8 };
std::string_view transferName(Transfer transfer) noexcept; ///< "f32", "f16", "int8"
std::optional<Transfer> transferNamed(std::string_view name) noexcept;
std::uint64_t transferBytes(Transfer transfer, std::uint64_t rows, std::uint64_t cols) noexcept; ///< without header and checksum

/// Throws Error{NonFinite} for I8 of rows that are not finite.
Features pack(const tensor::Matrix<float>& features, Transfer transfer);
/// What pack() makes of a matrix of so many rows and columns.
FeatureForm formOf(Transfer transfer, std::int64_t rows, std::int64_t cols);
/// Throws Error{MalformedFile} unless these are rows of f32, f16 or scaled int8.
tensor::Matrix<float> unpack(const Features& features);

} // namespace tamis::remote
