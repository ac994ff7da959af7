// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Decoding of stored elements (little-endian) to float and double, and the way back for export.
#include "core/tensor/dtype.h"

#include <cstdint>
#include <span>

namespace tamis::tensor {

/// `bytes` holds destination.size() elements of `type`; sizes must agree (Error{MalformedFile}). Unaligned input is fine.
void decode(DType type, std::span<const std::byte> bytes, std::span<float> destination);
void decode(DType type, std::span<const std::byte> bytes, std::span<double> destination);

/// Rounds to nearest even for F16 / BF16; only floating types (Error{UnsupportedFeature} otherwise).
void encode(DType type, std::span<const float> values, std::span<std::byte> destination);
void encode(DType type, std::span<const double> values, std::span<std::byte> destination); ///< rounded once

struct FiniteCount {
    std::uint64_t nan = 0, infinite = 0;
    std::uint64_t total() const noexcept { return nan + infinite; }
    bool operator==(const FiniteCount&) const = default;
};
FiniteCount countNonFinite(std::span<const float> values) noexcept;
FiniteCount countNonFinite(std::span<const double> values) noexcept;

} // namespace tamis::tensor
