// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A runnable model: an architecture, operators, norms and embeddings. Immutable; replacing operators makes a new model
// that shares everything else.
#include "core/base/run_context.h"
#include "core/io/checkpoint.h"
#include "core/nn/attention_op.h"
#include "core/nn/linear_op.h"
#include "core/nn/model_spec.h"
#include "core/nn/tensor_source.h"

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tamis::nn {

struct Norm {
    NormSpec spec{NormKind::None};
    std::vector<float> weight, bias;
    void apply(kernels::ConstRows x, kernels::Rows y) const; ///< y may be x; None copies; Error{InvalidParameter} for another width
    bool present() const noexcept { return spec.kind != NormKind::None; }
};

/// A named place for a linear operator. `op` is null where the architecture has none.
struct LinearSlot {
    std::string name;
    io::Role role = io::Role::Other;
    int layer = -1;
    LinearPtr op;
    explicit operator bool() const noexcept { return op != nullptr; }
};

struct Block {
    BlockSpec spec;
    Norm attentionNorm, mlpNorm;           ///< before (pre-norm) or after (post-norm) their branch
    LinearSlot qkv, query, key, value, output;
    Norm queryNorm, keyNorm;               ///< over a head's features
    AttentionPtr attention;
    LinearSlot up, gate, down;
    std::vector<float> attentionScale, mlpScale; ///< LayerScale, [width] or empty
    Norm mergeNorm;
    LinearSlot merge;
};

/// One image or one token sequence. Views: the caller keeps the values alive while the model runs.
struct Sample {
    std::span<const float> image;               ///< [channels, height, width], normalised
    std::span<const std::int32_t> tokens;
    std::span<const std::int32_t> tokenTypes;   ///< BERT; empty: all 0
};

/// Called while a model runs, at every place where labs look. With samples in parallel, calls for different samples come
/// from different threads at once; `sample` tells them apart. Views are valid during the call only.
class Observer {
public:
    virtual ~Observer() = default;
    /// Once for every distinct input: q, k and v projections that share one input report it for each of them.
    virtual void linearInput(std::size_t sample, const LinearSlot& slot, kernels::ConstRows x);
    virtual void attentionInput(std::size_t sample, int block, const Block& layer, const AttentionInput& input);
    virtual void blockOutput(std::size_t sample, int block, kernels::ConstRows x); ///< [tokens, width]
    virtual void finalHidden(std::size_t sample, kernels::ConstRows x);            ///< after the last norm
};

class TokenHook;

class Model {
public:
    /// Throws Error{UnsupportedFeature (unknown family, refused option), MalformedFile (missing tensor, shape against
    /// config), Cancelled}: one sentence with tensor, found and expected. `imageHeight/Width`: run at another size than
    /// config.json says (0: as it says).
    static std::shared_ptr<const Model> load(const io::Checkpoint& checkpoint, const RunContext& context = {},
                                             std::int64_t imageHeight = 0, std::int64_t imageWidth = 0);
    /// The same architecture reading from any source: random weights for benches.
    static std::shared_ptr<const Model> load(const io::ModelConfig& config, const TensorSource& source,
                                             const RunContext& context = {}, std::int64_t imageHeight = 0, std::int64_t imageWidth = 0);
    ~Model();

    const ModelSpec& spec() const noexcept;
    const std::vector<Block>& blocks() const noexcept;
    const Norm& finalNorm() const noexcept;
    const LinearSlot& head() const noexcept;              ///< null op: features are the output
    const LinearSlot* find(std::string_view name) const;  ///< any linear operator by name, nullptr
    std::vector<const LinearSlot*> linears() const;       ///< in execution order
    const tensor::Matrix<float>& tokenEmbedding() const noexcept; ///< [vocabulary, width], empty for vision

    /// A model with these operators instead: (name, operator) pairs. Throws Error{InvalidParameter} for an unknown name or
    /// other shapes.
    struct Replacement {
        std::string name;
        LinearPtr op;
    };
    std::shared_ptr<const Model> replaced(const std::vector<Replacement>& replacements) const;
    std::shared_ptr<const Model> withAttention(int block, AttentionPtr attention) const;

    /// Rows of the output for `sample`: 1 for images and sequence classification, its tokens otherwise.
    std::int64_t outputRows(const Sample& sample) const;
    std::int64_t outputWidth() const noexcept;
    /// Checks a sample: image size, token ids within the vocabulary, length. Throws Error{InvalidParameter}.
    void check(const Sample& sample) const;
    /// output [outputRows, outputWidth].
    void run(const Sample& sample, kernels::Rows output, Scratch& scratch, std::size_t index = 0, Observer* observer = nullptr) const;
    /// Up to the last norm: [hiddenTokens, width]; decoders: runHead on slices of it bounds memory.
    void runHidden(const Sample& sample, kernels::Rows hidden, Scratch& scratch, std::size_t index = 0, Observer* observer = nullptr) const;

    std::int64_t hiddenTokens(const Sample& sample) const; ///< rows of runHidden's result (Swin: of the last stage)

    // The stages of run(), for labs that change tokens between blocks.
    std::int64_t embeddedTokens(const Sample& sample) const;
    void embed(const Sample& sample, kernels::Rows x, Scratch& scratch) const;   ///< x [embeddedTokens, width]
    void runBlock(int block, kernels::Rows x, Scratch& scratch, std::size_t index = 0, Observer* observer = nullptr) const; ///< in place
    /// In place, with tokens changed as `hook` says; returns the rows left, the first of x. Throws Error{UnsupportedFeature} for blocks that
    /// norm behind their branches, blocks over a grid (Swin) and rotary positions of a text; those of patches go with their tokens (TokenHook::turns).
    std::int64_t runBlock(int block, kernels::Rows x, Scratch& scratch, TokenHook& hook, std::size_t index = 0, Observer* observer = nullptr) const;
    /// What follows the blocks, for any number of rows: the last norm (x is overwritten), the pool and the head. `weights` [tokens] of the mean
    /// over patches, where the model takes it; empty: all alike. `pooled` may be null: what goes into the head.
    void runTail(kernels::Rows x, std::span<const float> weights, kernels::Rows output, Scratch& scratch, std::size_t index = 0, Observer* observer = nullptr,
                 std::vector<float>* pooled = nullptr) const;
    /// features: pooled, or one row a token. Distilled models: the class and the distillation token.
    void runHead(kernels::ConstRows features, kernels::Rows output, Scratch& scratch, std::size_t index = 0, Observer* observer = nullptr) const;

    struct Content; ///< model_content.h

private:
    void poolAndHead(kernels::ConstRows hidden, std::span<const float> weights, kernels::Rows output, Scratch& scratch, std::size_t index, Observer* observer,
                     std::vector<float>* pooled) const;
    explicit Model(std::shared_ptr<const Content> content);
    std::shared_ptr<const Content> m_content;
};

/// Runs batches over and over in the same memory: after the first batch of a shape nothing is allocated but by the thread
/// scheduler. Not thread-safe; the model must outlive it.
class ForwardPass {
public:
    explicit ForwardPass(const Model& model);
    ~ForwardPass();
    ForwardPass(const ForwardPass&) = delete;
    ForwardPass& operator=(const ForwardPass&) = delete;
    /// As runBatch; the result is good until the next call.
    const std::vector<tensor::Matrix<float>>& run(std::span<const Sample> samples, const RunContext& context = {}, Observer* observer = nullptr);

private:
    struct Workers;
    std::unique_ptr<Workers> m_workers;
};

/// Outputs of all samples, in order: samples in parallel when there are enough of them, each sample's operators in parallel
/// otherwise. Bit-identical whatever the number of threads. Throws Error{Cancelled, InvalidParameter}.
std::vector<tensor::Matrix<float>> runBatch(const Model& model, std::span<const Sample> samples, const RunContext& context = {},
                                            Observer* observer = nullptr);

} // namespace tamis::nn
