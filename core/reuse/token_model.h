// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A vision transformer that is run on some of its tokens, the others standing by with what was kept of them.
#include "core/nn/model.h"
#include "core/nn/patch_embedding.h"
#include "core/nn/scratch.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tamis::reuse {

/// What is kept of every token: keys and values of each block, and what leaves the last one.
struct TokenState {
    std::vector<tensor::Matrix<float>> keys, values; ///< [blocks] of [tokens, keyValueHeads * headDim]
    tensor::Matrix<float> hidden;                    ///< [tokens, width], before the last norm
    bool empty() const noexcept { return hidden.empty(); }
};

/// Output and what goes into the head.
struct Answer {
    std::vector<float> output, pooled;
};

/// Immutable, shared between threads. Holds the model.
class TokenModel {
public:
    /// Throws Error{UnsupportedFeature} with one sentence for models that read text, blocks over windows (Swin), rotary positions and relative biases, norms
    /// behind branches, and attention other than exact softmax over all tokens.
    /// EmbeddingAlone: runRows() and answer() do nothing and states hold no keys and values, while multiply-adds are counted as if. What is decided before any block
    /// has run comes out the same.
    enum class Runs { Everything, EmbeddingAlone };
    explicit TokenModel(std::shared_ptr<const nn::Model> model, Runs runs = Runs::Everything);
    Runs runs() const noexcept { return m_runs; }

    const nn::Model& model() const noexcept { return *m_model; }
    const nn::PatchEmbedding& embedding() const noexcept { return m_embedding; }
    std::int64_t tokens() const noexcept { return m_prefix + m_gridRows * m_gridColumns; }
    std::int64_t prefix() const noexcept { return m_prefix; }
    std::int64_t patches() const noexcept { return m_gridRows * m_gridColumns; }
    std::int64_t gridRows() const noexcept { return m_gridRows; }
    std::int64_t gridColumns() const noexcept { return m_gridColumns; }
    std::int64_t width() const noexcept { return m_width; }

    // Multiply-adds.
    double embeddingMacs() const noexcept { return m_patchMacs * static_cast<double>(patches()); } ///< of all patches
    double patchMacs() const noexcept { return m_patchMacs; }                                      ///< of the embedding of one
    double headMacs() const noexcept { return m_headMacs; }
    double attentionMacs(double queries, double keys) const noexcept { return queries * keys * m_pairMacs; } ///< of all blocks
    /// `rows` tokens through all blocks, each attending to `keys`.
    double rowsMacs(double rows, double keys) const noexcept { return rows * m_rowMacs + attentionMacs(rows, keys); }
    double wholeMacs() const noexcept; ///< of a frame run whole
    double stateFloats() const noexcept; ///< of one token in a TokenState

    TokenState emptyState(std::int64_t tokens) const;
    /// x [tokens, width]: as Model::embed.
    void embed(std::span<const float> image, kernels::Rows x, nn::Scratch& scratch) const;
    /// The prefix and some patches (ascending) alone: x [prefix + n, width]. The bits of embed().
    void embedSome(std::span<const float> image, std::span<const std::int32_t> patches, kernels::Rows x, nn::Scratch& scratch) const;
    /// Rows x [n, width] that entered the first block are taken through all blocks, in place. Their keys and values replace those of the tokens `rows` (ascending,
    /// [n]) in `state` first; they attend to all its tokens. What leaves the last block goes into state.hidden. All rows: the bits of the model.
    void runRows(kernels::Rows x, std::span<const std::int32_t> rows, TokenState& state, nn::Scratch& scratch) const;
    /// The last norm, the pool and the head over hidden [tokens, width], which stays as it is.
    /// `weights` [tokens] of a mean over patches; empty: all alike.
    void answer(kernels::ConstRows hidden, Answer& answer, nn::Scratch& scratch, std::span<const float> weights = {}) const;

    // The parts of a block, over any rows.
    /// q, k and v side by side, [n, queries + 2 keys], of normed rows, head norms applied.
    void project(const nn::Block& block, kernels::ConstRows normed, kernels::Rows qkv, nn::Scratch& scratch) const;
    /// out = base + scale * output(mixed); base without rows: nothing is added.
    void projectOut(const nn::Block& block, kernels::ConstRows mixed, kernels::ConstRows base, kernels::Rows out, nn::Scratch& scratch) const;
    /// out = base + scale * mlp(norm(x)); nothing but base in a block without.
    void mlp(const nn::Block& block, kernels::ConstRows x, kernels::ConstRows base, kernels::Rows out, nn::Scratch& scratch) const;

private:
    std::shared_ptr<const nn::Model> m_model;
    Runs m_runs;
    nn::PatchEmbedding m_embedding;
    std::int64_t m_prefix = 0, m_gridRows = 0, m_gridColumns = 0, m_width = 0;
    double m_patchMacs = 0, m_rowMacs = 0, m_pairMacs = 0, m_headMacs = 0;
};

// Multiply-adds of one token.
double projectionMacs(const nn::Block& block) noexcept;
double outputMacs(const nn::Block& block) noexcept;
double mlpMacs(const nn::Block& block) noexcept;

void gatherRows(kernels::ConstRows from, std::span<const std::int32_t> rows, kernels::Rows to);
void scatterRows(kernels::ConstRows from, std::span<const std::int32_t> rows, kernels::Rows to);
/// The prefix tokens, then `patches` (ascending) as tokens.
std::vector<std::int32_t> withPrefix(std::int64_t prefix, std::span<const std::int32_t> patches);

} // namespace tamis::reuse
