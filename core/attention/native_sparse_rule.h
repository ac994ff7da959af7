// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Native sparse attention of one key-value head and the query heads that share it: keys appended one after another, queries answered. Prefill and
// decoding are this one loop. Source: Yuan et al. 2025, Native Sparse Attention (arXiv 2502.11089); formulas in docs/methods/attention.native-sparse.md.
// Private to the lab and its benches.
#include "core/attention/block_choice.h"
#include "core/attention/panel_cache.h"
#include "core/tensor/matrix.h"

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tamis::attention {

enum Branch : std::size_t { kCompression, kSelection, kWindow, kBranches };

struct NativeSparseSettings {
    BlockSizes sizes;
    std::int64_t selected = 16;         ///< blocks a query reads, forced ones among them
    ForcedBlocks forced{1, 2};
    std::int64_t window = 512;          ///< last tokens; not causal: around the query
    Overlap overlap = Overlap::Geometric;
    std::array<double, kBranches> gates{1.0 / 3, 1.0 / 3, 1.0 / 3}; ///< where none are learned; shared out anew where nothing is compressed yet
};
/// Throws Error{InvalidParameter}: sizes that the stride does not divide, a compressed block above a selected one, fewer blocks than forced ones.
void check(const NativeSparseSettings& settings);

/// phi of one block of keys or of values, for all heads: mean + W2 relu(W1 flat(rows + positions) + b1) + b2.
struct BlockEncoder {
    tensor::Matrix<float> positions; ///< [1, tokens dim], token by token
    tensor::Matrix<float> w1, b1;    ///< [hidden, tokens dim], [1, hidden]
    tensor::Matrix<float> w2, b2;    ///< [dim, hidden], [1, dim]
    bool empty() const noexcept { return w1.size() == 0; }
};

/// What is learned; empty parts: the mean, fixed gates.
struct NativeSparseWeights {
    BlockEncoder key, value;
    tensor::Matrix<float> gate;     ///< [3 heads, width]: compression of all heads, selection, window
    tensor::Matrix<float> gateBias; ///< [1, 3 heads]
    std::uint64_t count() const noexcept;
};

struct NativeSparseRule {
    NativeSparseSettings settings;
    NativeSparseWeights weights;
    std::int64_t heads = 1, keyValueHeads = 1, dim = 0;
    float scale = 0;
    bool causal = true;
    bool fixedGates() const noexcept { return weights.gate.size() == 0; }
    /// sigmoid(W x + b), or the fixed ones: [3 heads]. x [width] is not read where they are fixed.
    void gates(const float* x, float* gates) const;
};

/// Keys [begin, end) in the window of query `query` of `tokens`.
std::array<std::int64_t, 2> windowOf(const NativeSparseRule& rule, std::int64_t query, std::int64_t tokens);

/// Keys that one query of one group reads with their values; compressed keys that are read to choose alone count as half as many.
struct NativeSparseReads {
    std::int64_t compressed = 0, selected = 0, window = 0;
    std::int64_t total() const noexcept { return compressed + selected + window; }
};
/// Predicted: query `query` of `tokens`. Not causal: of the selected, the most that there can be.
NativeSparseReads predictedReads(const NativeSparseRule& rule, std::int64_t query, std::int64_t tokens);
/// Multiply-adds of all heads for one query, without making compressed keys.
std::uint64_t predictedMacs(const NativeSparseRule& rule, std::int64_t query, std::int64_t tokens);
/// Of making those of `tokens` tokens, all key-value heads.
std::uint64_t compressionMacs(const NativeSparseRule& rule, std::int64_t tokens);

/// Not thread-safe; keeps its memory.
class NativeSparseHead {
public:
    explicit NativeSparseHead(std::shared_ptr<const NativeSparseRule> rule);
    void append(const float* key, const float* value);
    std::int64_t tokens() const noexcept { return m_cache.tokens(); }
    std::int64_t bytes() const noexcept { return m_cache.bytes() + m_compressed.bytes(); }
    /// The group's heads at token `query`, which is there; causal: tokens behind it are not seen. q [group, dim] and out [group, dim] with dim
    /// floats from head to head; gates: of compression of the first of the group's heads, of all heads behind one another.
    void attend(const float* q, std::int64_t query, const float* gates, float* out);

    // What the last attend() did.
    const NativeSparseReads& reads() const noexcept { return m_reads; }
    std::span<const std::int64_t> chosen() const noexcept { return m_chosen; } ///< blocks, ascending
    std::span<const float> importance() const noexcept { return m_importance; } ///< of the visible blocks, over the group
    float gate(Branch branch, std::int64_t row) const noexcept { return m_gates[static_cast<std::size_t>(branch)][static_cast<std::size_t>(row)]; }
    /// Adds the weights of the tokens to map [tokens], compressed ones spread evenly over their tokens.
    void addMap(std::int64_t row, float* map) const;

private:
    void compress();
    void placeGates(const float* gates, bool compressed);
    void choose(std::int64_t query);
    bool used(Branch branch) const noexcept;
    std::shared_ptr<const NativeSparseRule> m_rule;
    std::int64_t m_group;
    PanelCache m_cache, m_compressed;
    std::array<SegmentAttention, kBranches> m_attention;
    std::array<std::vector<Segment>, kBranches> m_segments;
    std::array<std::vector<float>, kBranches> m_gates;
    std::vector<std::int64_t> m_chosen;
    std::vector<float> m_importance, m_summed, m_block, m_hidden, m_key, m_value;
    NativeSparseReads m_reads;
};

} // namespace tamis::attention
