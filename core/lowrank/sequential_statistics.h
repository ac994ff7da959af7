// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The dense model and a partly compressed one side by side, block by block: what the linear inputs of one block look like on both
// paths. The hidden states of all samples before the current block are kept, so a whole model costs a fixed number of runs of each
// block, whatever their number.
#include "core/lowrank/cumulative_problem.h"
#include "core/measure/sample_source.h"
#include "core/nn/model.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace tamis::lowrank {

struct PathOptions {
    std::size_t samples = 0;   ///< evenly spread over the source; 0: all
    double heldOut = 0.125;    ///< share of them that is held out, evenly spread, 0 to 0.5; the first never is
    bool reference = false;    ///< follow a third path, advanced through another compressed model
    std::uint64_t bufferBytes = 128u << 20; ///< inputs kept of a batch of samples; does not change the result
};

/// Of one linear input.
struct InputMoments {
    DriftMoments calibration, heldOut; ///< held out: zero tokens and an empty side without held-out samples
};

/// |x - xf|_F / |xf|_F of the residual stream after a block, over all tokens; NaN where there are none.
struct PathError {
    double calibration = 0, heldOut = 0;
};

/// Results depend on the model, the source and the options alone: not on threads, not on bufferBytes. One thread at a time calls it.
class ModelPaths {
public:
    /// Embeds all samples. `source` is only read here. Throws Error{InvalidParameter} (no samples, a sample that does not fit the
    /// model), Error{UnsupportedFeature} for a model whose blocks merge patches (Swin), Error{OutOfMemory} when the hidden states do
    /// not fit, Error{Cancelled}, and what loading throws.
    ModelPaths(std::shared_ptr<const nn::Model> dense, const measure::SampleSource& source, const PathOptions& options, const RunContext& context = {});
    ~ModelPaths();
    ModelPaths(const ModelPaths&) = delete;
    ModelPaths& operator=(const ModelPaths&) = delete;

    int block() const noexcept; ///< the block before which all paths stand
    std::size_t samples() const noexcept, heldOutSamples() const noexcept;

    /// The input of linear operator `site` of the current block, on the dense path and through `compressed`, whose operators before
    /// that site in the block are used. Throws Error{InvalidParameter} when the block does not run it, Error{NonFinite} naming sample
    /// and site, Error{Cancelled}.
    InputMoments measure(const std::string& site, const nn::Model& compressed, const RunContext& context = {});

    struct Errors {
        PathError compressed, reference; ///< reference: NaN without that path
    };
    /// Runs the current block on all paths and steps behind it. `reference` may be null without that path.
    Errors advance(const nn::Model& compressed, const nn::Model* reference, const RunContext& context = {});

private:
    struct State;
    std::unique_ptr<State> m_state;
};

} // namespace tamis::lowrank
