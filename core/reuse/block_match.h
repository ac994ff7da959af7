// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Where the block around each patch was in an earlier frame: the least sum of absolute differences.
#include "core/base/run_context.h"
#include "core/reuse/motion_field.h"

#include <cstdint>
#include <vector>

namespace tamis::reuse {

enum class BlockSearch {
    Exhaustive, ///< all whole displacements in range
    ThreeStep,  ///< Koga et al. 1981: the eight neighbours at half the range, at half of that, ..., at 1
    Diamond     ///< Zhu and Ma 2000: the large diamond until its centre is best, then the small one
};

struct BlockMatchSettings {
    std::int64_t range = 8;  ///< pixels, each way
    std::int64_t margin = 2; ///< pixels that a block extends beyond its patch, each way, as far as there is a picture
    BlockSearch search = BlockSearch::Exhaustive;
    bool subPixel = true;    ///< where two lines of one slope through the best and its neighbours meet
};

/// [gridRows * gridColumns]. Of equal sums the shorter displacement counts; blocks do not leave the earlier frame. `differences`, where given, gets the number of
/// pixels compared. Throws Error{Cancelled}.
std::vector<Displacement> matchBlocks(ConstPlane current, ConstPlane before, std::int64_t gridRows, std::int64_t gridColumns, const BlockMatchSettings& settings, double* differences = nullptr, const RunContext& context = {});

} // namespace tamis::reuse
