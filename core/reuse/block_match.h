// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Where the block around each patch was in an earlier frame: the least sum of absolute differences.
#include "core/base/run_context.h"
#include "core/reuse/motion_field.h"

#include <cstdint>
#include <span>
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

/// [gridRows * gridColumns]. Of equal sums the shorter displacement counts, of equally short ones the upper, then the left; blocks do not leave the earlier frame.
/// A sum is given up where it cannot be the least any more, which changes no result. The exhaustive search goes in rings around the best of no displacement, the
/// left neighbour's and `starts`; the others begin at the best of no displacement and `starts` ([gridRows * gridColumns] or empty; rounded to whole pixels).
/// Rows of the grid are spread over threads; neither result nor `differences` depends on their number. `differences`, where given, gets the number of pixels that
/// were compared. Throws Error{Cancelled}, within some thousand comparisons.
std::vector<Displacement> matchBlocks(ConstPlane current, ConstPlane before, std::int64_t gridRows, std::int64_t gridColumns, const BlockMatchSettings& settings, double* differences = nullptr, const RunContext& context = {},
                                      std::span<const Displacement> starts = {});

} // namespace tamis::reuse
