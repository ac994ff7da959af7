// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// How much each block changes what flows through it (ShortGPT's block influence, MoDeGPT's importance).
#include "core/measure/sample_source.h"
#include "core/nn/model.h"
#include "core/report/sensitivity_report.h"

#include <cstddef>
#include <vector>

namespace tamis::lowrank {

/// `count` indices out of `total`, evenly spread; all of them when there are no more or `count` is 0.
std::vector<std::size_t> evenIndices(std::size_t total, std::size_t count);

/// 1 - mean over all tokens of `samples` samples (evenly spread, 0: all) of cos(input, output) of every block; NaN for a block
/// that changes the number of tokens or features. Throws Error{InvalidParameter (no sample), Cancelled} and what loading throws.
std::vector<report::BlockInfluence> blockInfluence(const nn::Model& model, const measure::SampleSource& source, std::size_t samples,
                                                   const RunContext& context = {});

} // namespace tamis::lowrank
