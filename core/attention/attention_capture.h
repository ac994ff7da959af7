// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The whole model's run of one sample with every attention's queries, keys and values: what all comparisons of heads are made from.
#include "core/attention/block_samples.h"
#include "core/measure/sample_run.h"

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

namespace tamis::attention {

/// Immutable; keeps the model.
struct AttentionCapture : measure::SampleRun {
    std::size_t index = 0; ///< of the sample in its source
    std::string name;
    std::vector<AttentionSample> attention; ///< a block
    std::size_t bytes() const noexcept;
};

/// Runs the model once. Throws Error{UnsupportedFeature} for attention in windows of a grid, and what loading and running throw.
std::shared_ptr<const AttentionCapture> captureAttention(std::shared_ptr<const nn::Model> model, const measure::SampleSource& source, std::size_t index, const RunContext& context);
/// Throws Error{UnsupportedFeature} where a block attends in windows of a grid: its maps are not those of all tokens.
void requireAttentionOverAllTokens(const nn::Model& model);

} // namespace tamis::attention
