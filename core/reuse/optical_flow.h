// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Dense optical flow by iterated least squares over windows, coarse to fine (Lucas and Kanade 1981; Bouguet 2000).
#include "core/base/run_context.h"
#include "core/reuse/motion_field.h"

#include <cstdint>

namespace tamis::reuse {

struct FlowSettings {
    std::int64_t levels = 3;     ///< of the pyramid, each half as large; levels below 16 pixels are left out
    std::int64_t radius = 4;     ///< of the window, pixels of each level
    std::int64_t iterations = 4; ///< a level
};

/// Of every pixel. In a window G d = b with G the sum of gradient products of `current`, b of gradients times differences; where the smaller eigenvalue of
/// G / pixels is below 1 (grey levels squared) the pixel keeps what the coarser level found. `macs`, where given, gets the multiply-adds.
MotionField denseFlow(ConstPlane current, ConstPlane before, const FlowSettings& settings, double* macs = nullptr, const RunContext& context = {});

} // namespace tamis::reuse
