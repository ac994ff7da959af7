// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Features of frames that have nothing in common, but are said to move to the right by one cell each.
#include "core/base/split_mix.h"
#include "core/hierarchy/frame_features.h"

/// `grid` cells a side, two blocks, features of one value.
inline tamis::hierarchy::FrameFeatures noiseFrames(std::size_t frames, std::int64_t grid)
{
    tamis::hierarchy::FrameFeatures made;
    made.source = "noise";
    made.gridRows = made.gridColumns = grid;
    made.layers = 2;
    made.width = 1;
    made.patchHeight = made.patchWidth = 4;
    made.frames = frames;
    made.encodeNs = 1000;
    made.contents.resize(frames * made.cells());
    std::uint64_t state = 11;
    for (tamis::hierarchy::CellContent& content : made.contents)
        for (float& value : content)
            value = static_cast<float>(tamis::nextBits(state) >> 40U);
    made.motion.assign(made.contents.size(), {.across = 4, .down = 0});
    made.features.assign(2 * made.contents.size(), 1.0F);
    return made;
}
