// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/linalg/tiles.h"

#include "core/base/error.h"

#include <tbb/task_arena.h>

#include <algorithm>
#include <string>

namespace tamis::linalg {

TileRange tileRange(std::int64_t length, std::int64_t size, std::int64_t index) noexcept
{
    return {index * size, std::min(length, (index + 1) * size)};
}

std::int64_t tileCount(std::int64_t length, std::int64_t size) noexcept { return (length + size - 1) / size; }

void forTiles(const RunContext& context, std::int64_t count, const std::function<void(std::int64_t)>& body)
{
    if (count <= 1) {
        context.throwIfStopped();
        if (count == 1)
            body(0);
        return;
    }
    tbb::this_task_arena::isolate([&] {
        parallelFor(context, static_cast<std::size_t>(count), [&](std::size_t i) { body(static_cast<std::int64_t>(i)); });
    });
}

TrianglePosition trianglePosition(std::int64_t tiles, std::int64_t index) noexcept
{
    std::int64_t row = 0;
    while (index >= tiles - row) {
        index -= tiles - row;
        ++row;
    }
    return {row, row + index};
}

int toInt(std::int64_t length)
{
    constexpr std::int64_t kLimit = std::int64_t{32768} * 4096;
    if (length < 0 || length > kLimit)
        throw Error(ErrorCode::LimitExceeded, "a matrix side of " + std::to_string(length) + " was given, at most " +
                                                  std::to_string(kLimit) + " can be computed with");
    return static_cast<int>(length);
}

} // namespace tamis::linalg
