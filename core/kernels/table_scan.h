// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Sums of table entries that codes point to: what product-quantised rows cost in place of multiplications. Rows are in blocks of 32,
// the last one padded; single-threaded.
#include <cstdint>

namespace tamis::kernels {

inline constexpr std::int64_t kTableBlock = 32; ///< rows

/// sums[32 b + i] = sum over s < parts of tables[256 s + code], code = codes[(b * parts + s) * 32 + i]; added up from the first part to the
/// last, in float.
void sumTables256(const std::uint8_t* codes, const float* tables, std::int64_t parts, std::int64_t blocks, float* sums);

/// The same for 16 entries a table, of bytes; `parts` is even and at most 256, so that sums fit. Codes are packed: byte
/// (b * parts / 2 + s / 2) * 32 + i holds part s (even) in its low and part s + 1 in its high half.
void sumTables16(const std::uint8_t* packed, const std::uint8_t* tables, std::int64_t parts, std::int64_t blocks, std::uint16_t* sums);

/// Two rows of 32 bytes from each of packed: the low halves, then the high ones, each less 8.
void splitNibbles(const std::uint8_t* packed, std::int64_t rows, std::int8_t* split);

} // namespace tamis::kernels
