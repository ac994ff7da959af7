// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/token_windows.h"

#include "core/base/error.h"

#include <string>

namespace tamis::attention {
namespace {
/// Runs of `side` along a line of `length`, the first one of `shift` where that is not 0.
struct Cuts {
    std::int64_t side, shift;
    Cuts(std::int64_t length, std::int64_t run, std::int64_t by) : side(run), shift(run >= length ? 0 : by % run) {}
    std::int64_t of(std::int64_t place) const noexcept { return shift == 0 ? place / side : (place + side - shift) / side; }
};
} // namespace

TokenGrid gridOf(const Inputs& inputs, std::string_view method)
{
    if (inputs.spec.window > 0)
        throw Error(ErrorCode::UnsupportedFeature, "found attention in windows of a grid, expected attention over all tokens", std::string(method));
    if (inputs.gridWidth <= 0 || inputs.gridHeight <= 0)
        return {};
    return {inputs.prefix, inputs.gridHeight, inputs.gridWidth};
}

std::vector<std::vector<std::int32_t>> windowsOf(const TokenGrid& grid, std::int64_t tokens, std::int64_t side, std::int64_t shift)
{
    if (!grid.text() && tokens != grid.tokens())
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(tokens) + " tokens, expected " + std::to_string(grid.tokens()) + ": " + std::to_string(grid.prefix) + " and a grid of " +
                                                     std::to_string(grid.height) + " x " + std::to_string(grid.width), "windows");
    const std::int64_t height = grid.text() ? 1 : grid.height, width = grid.text() ? tokens : grid.width;
    const Cuts rows(height, side, shift), columns(width, side, shift);
    const std::int64_t across = columns.of(width - 1) + 1;
    std::vector<std::vector<std::int32_t>> windows(static_cast<std::size_t>((rows.of(height - 1) + 1) * across));
    for (std::int64_t y = 0; y < height; ++y)
        for (std::int64_t x = 0; x < width; ++x)
            windows[static_cast<std::size_t>(rows.of(y) * across + columns.of(x))].push_back(static_cast<std::int32_t>(grid.prefix + y * width + x));
    return windows;
}

} // namespace tamis::attention
