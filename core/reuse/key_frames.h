// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/reuse/method.h"

namespace tamis::reuse {

/// reuse.key-frames: which frames are computed whole; what is between them repeats the answer or reuses as another method does.
Method keyFramesMethod();

/// Half the sum of absolute differences of two histograms of 64 grey levels, 0 .. 1: the share of pixels that fall elsewhere.
double histogramChange(const tensor::Matrix<float>& a, const tensor::Matrix<float>& b);

} // namespace tamis::reuse
