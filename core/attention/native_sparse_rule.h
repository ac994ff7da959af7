// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Native sparse attention of one key-value head and the query heads that share it: keys appended one after another, queries answered. Prefill and
// decoding are this one loop. Source: Yuan et al. 2025, Native Sparse Attention (arXiv 2502.11089); formulas in docs/methods/attention.native-sparse.md.
// Private to the lab and its benches.
#include "core/attention/block_choice.h"
#include "core/attention/panel_cache.h"
#include "core/kernels/packed_matrix.h"
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
    /// floats from head to head, or null where only what is read and how it is weighed is wanted; gates: of compression of the first of the group's
    /// heads, of all heads behind one another.
    void attend(const float* q, std::int64_t query, const float* gates, float* out);
    /// The same for some queries behind one another, [queries] of such rows each, and bit by bit what each alone gives. Nothing is done where that would take longer or cannot be, and false returned:
    /// where what they all read is more than kTimesAsMany what each reads, and where a value that is infinite or not a number, times the weight 0 of a token that is not read, would not be 0.
    bool attendTogether(kernels::ConstRows q, std::int64_t firstQuery, kernels::ConstRows gates, kernels::Rows out);
    std::int64_t queriesTogether() const noexcept { return m_group < kRows ? kRows / m_group : 1; } ///< for which the register tiles are full

    // What the last attend() did; of several queries the at-th.
    const NativeSparseReads& reads(std::size_t at = 0) const noexcept { return m_queries[at].reads; }
    std::span<const std::int64_t> chosen(std::size_t at = 0) const noexcept { return m_queries[at].chosen; } ///< blocks, ascending
    std::span<const float> importance(std::size_t at = 0) const noexcept { return m_queries[at].importance; } ///< of the visible blocks, over the group
    float gate(Branch branch, std::int64_t row, std::size_t at = 0) const noexcept { return m_gates[static_cast<std::size_t>(branch)][at * static_cast<std::size_t>(m_group) + static_cast<std::size_t>(row)]; }
    /// Adds the weights of the tokens to map [tokens], compressed ones spread evenly over their tokens.
    void addMap(std::int64_t row, float* map, std::size_t at = 0) const;

private:
    static constexpr std::int64_t kRows = 12;       ///< of a register tile, about
    static constexpr std::int64_t kTimesAsMany = 2; ///< one row of a tile is at most four times as slow by the multiply-add as twelve
    struct Query {
        std::int64_t token = 0, seen = 0;
        NativeSparseReads reads;
        std::vector<std::int64_t> chosen;
        std::vector<float> importance;
        std::array<std::vector<Piece>, kBranches> pieces;
    };
    void compress();
    void placeGates(const float* gates, bool compressed, std::size_t at);
    void readCompressed(const float* q, std::int64_t queryStride);
    void choose(Query& query, std::size_t at);
    void findSegments(Branch branch);
    bool takesLonger() const;
    bool used(Branch branch) const noexcept;
    bool answer(const float* q, std::int64_t queryStride, std::int64_t first, std::int64_t count, const float* gates, std::int64_t gateStride, float* out, std::int64_t stride);
    std::shared_ptr<const NativeSparseRule> m_rule;
    std::int64_t m_group;
    PanelCache m_cache, m_compressed;
    bool m_strange = false; ///< a value, or a compressed one, is infinite or not a number
    std::array<SegmentAttention, kBranches> m_attention;
    std::array<std::vector<Segment>, kBranches> m_segments;
    std::array<std::vector<float>, kBranches> m_gates; ///< a row
    std::vector<Query> m_queries;                      ///< of the last attend(), kept for their memory
    std::size_t m_count = 0;
    std::vector<std::int64_t> m_blocks;
    std::vector<float> m_summed, m_block, m_hidden, m_key, m_value;
};

} // namespace tamis::attention
