// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Queries, keys and values of calibration samples, for operators that are fitted to them.
#include "core/measure/sample_source.h"
#include "core/nn/model.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tamis::attention {

/// One sample at one block, as nn::AttentionInput has them. Owns its rows.
struct AttentionSample {
    tensor::Matrix<float> x, q, k, v;
    nn::AttentionInput view() const noexcept;
};

/// Of one block, or of one of its heads.
struct BlockSamples {
    std::vector<AttentionSample> samples;
    /// Queries of head `head` alone, with the keys and values that it reads.
    BlockSamples ofHead(const nn::AttentionSpec& spec, std::int64_t head) const;
};

/// [blocks]: of the first `count` samples of the source at those of `blocks` (empty: all); null for others. The whole model's, so that no error
/// of an earlier block is in them. Throws Error{InvalidParameter (no sample), LimitExceeded (more than 2 GiB), Cancelled} and what loading throws.
std::vector<std::shared_ptr<const BlockSamples>> collectSamples(const nn::Model& model, const measure::SampleSource& source, std::size_t count,
                                                                std::span<const int> blocks, const RunContext& context);

} // namespace tamis::attention
