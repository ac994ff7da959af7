// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A vision transformer that runs with a chain of reductions inside.
#include "core/base/run_context.h"
#include "core/nn/model.h"
#include "core/tokens/reduction.h"
#include "core/tokens/token_cost.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tamis::tokens {

/// The tokens that leave a block.
struct TracedLayer {
    BlockTokens tokens;
    TokenSet set;
    std::vector<float> scores; ///< [source tokens] what the block's last step went by, NaN: none; empty: no step here
    std::uint64_t macs = 0;    ///< of the block
};

struct Trace {
    std::vector<TracedLayer> layers; ///< [blocks]
    std::vector<float> features;     ///< what goes into the head
    tensor::Matrix<float> rows;      ///< [tokens, width] behind the last norm, those of the last layer that was run; empty where a route has tokens of its own
    double reductionMs = 0;          ///< of it all: choosing tokens and moving rows
    std::uint64_t macs = 0;          ///< of it all, patches and head included
    std::string remark;              ///< what a route, or a step that decides by the image, did with it, for people: "left behind block 3"; empty: nothing to say
    std::vector<BlockTokens> tokens() const;
};

/// Copies what runTail left of the rows.
void keepRows(Trace& trace, kernels::ConstRows x);

/// Throws Error{UnsupportedFeature} for models without one token grid through all blocks (Swin, text, norms behind the branches), Error{InvalidParameter} for steps outside of its blocks or out of their order.
void requireReducible(const nn::Model& model, const Chain& chain);

/// Whether tokens can be kept and dropped by hand.
bool takesWishes(const Chain& chain);

/// Output of one sample. `wishes` [source tokens] or empty: dropped tokens do not enter the first block. `trace` may be null. With neither
/// steps nor tokens dropped the bits of Model::run. Throws Error{InvalidParameter (a sample or wishes that do not fit), Cancelled} and what
/// requireReducible throws.
void runReduced(const nn::Model& model, const Chain& chain, const nn::Sample& sample, std::span<const Wish> wishes, kernels::Rows output, nn::Scratch& scratch,
                Trace* trace = nullptr);

/// All samples, in parallel where there are enough; the same bits for any number of threads. `traces` null or resized to the samples.
std::vector<tensor::Matrix<float>> runReducedBatch(const nn::Model& model, const Chain& chain, std::span<const nn::Sample> samples, const RunContext& context = {},
                                                   std::vector<Trace>* traces = nullptr);

/// Batches over and over in the same memory, as nn::ForwardPass: for latencies. Not thread-safe; model and chain must outlive it.
class ReducedPass {
public:
    ReducedPass(const nn::Model& model, const Chain& chain);
    ~ReducedPass();
    ReducedPass(const ReducedPass&) = delete;
    ReducedPass& operator=(const ReducedPass&) = delete;
    /// The result is good until the next call.
    const std::vector<tensor::Matrix<float>>& run(std::span<const nn::Sample> samples, const RunContext& context = {}, std::vector<Trace>* traces = nullptr);

private:
    struct Workers;
    std::unique_ptr<Workers> m_workers;
};

} // namespace tamis::tokens
