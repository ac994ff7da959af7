// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What reuse between frames saves in time, beside what its multiply-adds promise.
#include "core/bench/bench.h"
#include "core/reuse/frame_sequence.h"

#include <cstdint>
#include <memory>
#include <optional>

namespace tamis::nn {
class Model;
} // namespace tamis::nn

namespace tamis::bench {

struct ReuseBenchInputs {
    std::shared_ptr<const nn::Model> model;        ///< null: the methods are left out
    std::optional<reuse::FrameSequence> sequence;  ///< likewise
    std::int64_t side = 224, patch = 16;           ///< pixels of the search for blocks
    int rounds = 3;
};

/// An exhaustive search for blocks against plain loops over all displacements, which must find the same sums (else Error{InvalidParameter}); then every reuse
/// method over the sequence against the model run whole on each frame, least times of the rounds. The bound of a method is its share of the multiply-adds, of the
/// search the rate of the plain loops. Under a minute on the bundled sequence. Throws Error{UnsupportedFeature (the model), Cancelled}.
std::vector<BenchResult> benchReuse(const RunContext& context, const ReuseBenchInputs& inputs);

} // namespace tamis::bench
