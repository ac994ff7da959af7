// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/reuse/method.h"

namespace tamis::reuse {

/// reuse.crops: windows that slide over one large picture; patches that an earlier window held bring their features along.
Method cropsMethod();

/// Windows of the model's size over `sequence.picture`, brought to `scale` times the model's image on its shorter side: rows of windows from the top, forth and back, `step`
/// patches apart, the last ones at the border. Each knows its place. Throws Error{InvalidParameter} where no picture is kept or there is one window only,
/// Error{LimitExceeded}.
FrameSequence windowsOf(const TokenModel& model, const FrameSequence& sequence, double scale, std::int64_t step, const RunContext& context = {});

} // namespace tamis::reuse
