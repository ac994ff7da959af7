// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A vision transformer that runs with a chain of reductions inside.
#include "core/base/run_context.h"
#include "core/nn/model.h"
#include "core/tokens/reduction.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::tokens {

/// The tokens that leave a block.
struct TracedLayer {
    std::int64_t before = 0, after = 0; ///< tokens in attention and in the MLP
    TokenSet set;
    std::vector<float> scores;          ///< [source tokens], NaN: none; empty: no step here
};

struct Trace {
    std::vector<TracedLayer> layers; ///< [blocks]
    std::vector<float> features;     ///< before the head, pooled
};

/// Throws Error{UnsupportedFeature} for models without one token grid through all blocks (Swin, text), and steps outside of its blocks.
void requireReducible(const nn::Model& model, const Chain& chain);

/// Output of one sample; `wishes` [source tokens] or empty; `trace` may be null. Without steps the bits of Model::run.
void runReduced(const nn::Model& model, const Chain& chain, const nn::Sample& sample, std::span<const Wish> wishes, kernels::Rows output, nn::Scratch& scratch, Trace* trace = nullptr);

/// All samples, in parallel where there are enough; the same bits for any number of threads. `traces` null or resized to the samples.
std::vector<tensor::Matrix<float>> runReducedBatch(const nn::Model& model, const Chain& chain, std::span<const nn::Sample> samples, const RunContext& context = {},
                                                   std::vector<Trace>* traces = nullptr);

/// MACs of every block and of the whole model for counts of tokens as traced: 4 N d^2 + 2 N^2 d in the attention, 8 N' d^2 (or as the MLP is) behind it,
/// patches and head as core/cost counts them.
std::vector<std::uint64_t> blockMacs(const nn::ModelSpec& spec, std::span<const TracedLayer> layers);
std::uint64_t modelMacs(const nn::ModelSpec& spec, std::span<const TracedLayer> layers);

} // namespace tamis::tokens
