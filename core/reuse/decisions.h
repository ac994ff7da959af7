// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a method decides of frames, without the answers: which patches would be computed and which kept. No block of the model runs, so that it can be had for a
// whole sequence while one frame is computed.
#include "core/base/run_context.h"
#include "core/report/reuse_report.h"
#include "core/reuse/run_reuse.h"

#include <cstddef>
#include <functional>

namespace tamis::reuse {

/// Frames first .. first + count - 1 as if the first of them were the sequence's first, told in order: file, key frame, patches, change, where they moved from,
/// multiply-adds and their overhead; nothing of times, errors and labels. All that is told is what runReuse() finds on these frames, to the bit, but the multiply-adds of
/// reuse.eventful, whose inner gates depend on features: these are kNotMeasured. Throws what runReuse() throws of the method, its settings and the model, and
/// Error{Cancelled}.
void decide(std::shared_ptr<const nn::Model> model, const FrameSequence& sequence, const Configuration& configuration, std::size_t first, std::size_t count,
            const std::function<void(std::size_t frame, report::FrameResult result)>& onFrame, const RunContext& context);

/// What a frame's answer tells without features: what decide() tells of it.
report::FrameResult decisionsOf(const Frame& frame, const FrameAnswer& answer, const TokenModel& model);

} // namespace tamis::reuse
