// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The tables behind unicode.h, sorted by code point.
#include <cstddef>
#include <cstdint>

namespace tamis::inputs::tables {

/// Every step-th code point of [first, last] has the lower-case form of itself + delta.
struct LowerRun {
    std::uint32_t first, last;
    std::int32_t step, delta;
};

/// One step of the canonical decomposition; second is 0 where there is but one.
struct Decomposition {
    std::uint32_t codePoint, first, second;
    std::int32_t composes; ///< 1: NFC puts the two together again
};

extern const std::uint32_t kClassRuns[]; ///< start << 3 | CharacterClass of a run that ends where the next begins
extern const std::size_t kClassRunsCount;
extern const LowerRun kLowerRuns[];
extern const std::size_t kLowerRunsCount;
extern const std::uint32_t kCombiningRuns[]; ///< start << 8 | canonical combining class
extern const std::size_t kCombiningRunsCount;
extern const Decomposition kDecompositions[];
extern const std::size_t kDecompositionsCount;

} // namespace tamis::inputs::tables
