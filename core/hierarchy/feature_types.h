// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Features as they are stored: bytes, and what reading them back loses.
#include <cstdint>
#include <span>
#include <string_view>

namespace tamis::hierarchy {

enum class StoredType {
    F32,
    F16, ///< nearest, ties to even
    Int8 ///< a row over its largest magnitude / 127, rounded to the nearest; the scale is kept as f32
};
std::string_view storedTypeName(StoredType type) noexcept; ///< "f32", "f16", "int8"
/// Throws Error{InvalidParameter}.
StoredType storedTypeNamed(std::string_view name);
std::uint64_t storedBytes(StoredType type, std::int64_t width) noexcept; ///< of a row
/// A row as it is read back, in place.
void roundTrip(StoredType type, std::span<float> row);

} // namespace tamis::hierarchy
