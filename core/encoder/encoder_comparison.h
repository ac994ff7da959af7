// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Encoders of one dictionary at many settings, built from the same rows and measured on the same tokens.
#include "core/base/run_context.h"
#include "core/encoder/encoder_quality.h"
#include "core/encoder/method.h"
#include "core/report/encoder_comparison.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

namespace tamis::encoder {

struct ComparedEncoder {
    const Method* method = nullptr;
    Parameters parameters; ///< complete
    std::string title;             ///< those of one title lie on one frontier
    std::vector<std::string> told; ///< names of the parameters that its line says, in their order
};

/// A method at settings that spread over what it trades: its first parameter that is a choice or a whole number with a logarithmic
/// slider, and its candidates where it re-ranks some. A choice at each of its values; a number at most at `steps` (>= 1) values, in
/// doublings, the first and the last among them: candidates from k to the latents, a rank from a sixteenth of the width and all others from
/// 1 to the width. Everything else as in `given`, which is completed. A method that trains is tried once, as `given`.
std::vector<ComparedEncoder> spreadSettings(const Method& method, const Parameters& given, const Dictionary& dictionary, std::size_t steps);

/// Called with all points so far.
using PointFinished = std::function<void(const report::EncoderComparison&)>;

/// The exact encoder first, then each of `encoders`. A method that gives up leaves its sentence and the others go on. Throws
/// Error{Cancelled}; what was finished was told before.
report::EncoderComparison compareEncoders(const ExactTokens& exact, const Inputs& inputs, const std::vector<ComparedEncoder>& encoders, const MeasureOptions& options,
                                          const RunContext& context, const PointFinished& finished = {});

/// The point that is fastest beside the exact encoder of its own run, among those with a mean recall of at least `recall`, at `batch` tokens
/// a call; the first of equals. nullptr: none was measured.
const report::EncoderPoint* fastestAt(const report::EncoderComparison& comparison, double recall, std::int64_t batch);

} // namespace tamis::encoder
