// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// How the kernels of this folder are cut. Private to linalg.
#include "core/base/parallel.h"
#include "core/base/run_context.h"

#include <cstddef>
#include <cstdint>
#include <functional>

namespace tamis::linalg {

/// [begin, end) of tile `index` when `length` is cut into pieces of `size`.
struct TileRange {
    std::int64_t begin = 0, end = 0;
    std::int64_t size() const noexcept { return end - begin; }
};
TileRange tileRange(std::int64_t length, std::int64_t size, std::int64_t index) noexcept;
std::int64_t tileCount(std::int64_t length, std::int64_t size) noexcept;

/// body(i) for i in [0, count) on all threads, with a stop check before each. A thread that waits for the end of the loop
/// takes no foreign work, so that one matrix's workspace is not joined by another's.
void forTiles(const RunContext& context, std::int64_t count, const std::function<void(std::int64_t)>& body);

/// Tile (row, column) of the upper triangle of a square of `tiles` x `tiles`, numbered row by row.
struct TrianglePosition {
    std::int64_t row = 0, column = 0;
};
TrianglePosition trianglePosition(std::int64_t tiles, std::int64_t index) noexcept;

/// length as LAPACK's 32-bit integer; throws Error{LimitExceeded} above 32768 * 32768 / 8.
int toInt(std::int64_t length);

} // namespace tamis::linalg
