// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Windows of a patch grid, or of a text, that do not overlap. Private to the lab.
#include "core/attention/method.h"

#include <cstdint>
#include <string_view>
#include <vector>

namespace tamis::attention {

/// Where the tokens are: prefix tokens, then patches row by row; width 0: a text.
struct TokenGrid {
    std::int64_t prefix = 0, height = 0, width = 0;
    bool text() const noexcept { return width == 0; }
    std::int64_t tokens() const noexcept { return text() ? 0 : prefix + height * width; } ///< 0: any number
};
/// Throws Error{UnsupportedFeature} for attention that is already in windows of a grid, with `method` as its subject.
TokenGrid gridOf(const Inputs& inputs, std::string_view method);

/// Places of the tokens behind the prefix, window by window, each ascending. Windows of `side` x `side` patches begin at multiples of `side` plus `shift` (texts:
/// runs of `side` tokens); those at the edges hold what is left. With a grid that `side` divides and 0 < shift < side, these are Swin's
/// shifted windows, each cut into the regions that its mask keeps apart. Where a side of the grid is no longer than a window, nothing is shifted
/// along it. Throws Error{InvalidParameter} for another number of tokens than the grid's.
std::vector<std::vector<std::int32_t>> windowsOf(const TokenGrid& grid, std::int64_t tokens, std::int64_t side, std::int64_t shift);

} // namespace tamis::attention
