// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Ways to reuse features over one sequence, each frame held against the model run whole on it, and against dropping frames at the same cost.
#include "core/base/run_context.h"
#include "core/report/reuse_report.h"
#include "core/reuse/method.h"
#include "core/reuse/whole_answers.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tamis::reuse {

struct Configuration {
    std::string method;    ///< id
    Parameters parameters; ///< those that are not the defaults
};

struct ReuseSettings {
    bool baselines = true; ///< everything computed, and frames dropped at the cost of the first run
    int rounds = 1;        ///< the sequence is run so many times; the least time of each frame counts
    std::shared_ptr<const WholeAnswers> whole{};     ///< from runWhole(): used where they are of this model and these frames, else found anew
    std::shared_ptr<const FrameSequence> made{};     ///< what the first method's frames() makes of the sequence, where the caller has that; else made here
};

/// What the frames of so many runs take at most; grids of `patches`.
std::uint64_t resultBytes(std::uint64_t patches, std::uint64_t frames, std::uint64_t runs) noexcept;

/// A frame of a run is done: its result is whole but for what is summed over the run. Called from the thread that runs, in order, in the first round alone.
using OnFrame = std::function<void(std::size_t run, std::size_t frame, const report::FrameResult& result)>;

/// The runs of the configurations in their order, then the baselines. Where the first method makes frames of its own, all run on those. A later
/// configuration that cannot run on this model or sequence has a `failure`. Throws Error{InvalidParameter (no configuration, an unknown method, a setting, a
/// sequence of fewer than two frames), UnsupportedFeature (the model), LimitExceeded, NonFinite (an output, with its frame), OutOfMemory,
/// Cancelled}.
report::ReuseReport runReuse(std::shared_ptr<const nn::Model> model, const FrameSequence& sequence, std::span<const Configuration> configurations, const ReuseSettings& settings,
                             const RunContext& context, const OnFrame& onFrame = {});

/// One run for every value of one parameter, in their order: cost, error and false hits against it. Throws as runReuse().
report::ReuseReport sweepReuse(std::shared_ptr<const nn::Model> model, const FrameSequence& sequence, const Configuration& configuration, const std::string& parameter,
                               std::span<const ParameterValue> values, const ReuseSettings& settings, const RunContext& context);

} // namespace tamis::reuse
