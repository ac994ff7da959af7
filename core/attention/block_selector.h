// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Exact attention over chosen blocks of keys: whoever scores the blocks, the operator around it is one.
#include "core/attention/block_map.h"
#include "core/nn/model_spec.h"

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

namespace tamis::attention {

/// Scores of blocks on one sample. Thread-safe.
class BlockScorer {
public:
    virtual ~BlockScorer() = default;
    /// Of the first scores.size() blocks for query head `head`; the last of them may be seen in part. Of heads that choose together: head 0.
    virtual void score(std::int64_t query, std::int64_t head, std::span<float> scores) const = 0;
    /// What blocks are chosen by: of the queries from `first` on, a row [blocks] each, what score() gives to rounding, and not a number or infinite where
    /// that is. Of a query's own block, which is read whatever its score, and of blocks behind it where attention is causal: anything.
    virtual void rank(std::int64_t first, std::int64_t head, kernels::Rows scores) const = 0;
};

/// Immutable, shared between threads.
class BlockSelector {
public:
    virtual ~BlockSelector() = default;
    virtual std::string_view kind() const noexcept = 0;               ///< "moba"
    virtual std::int64_t blockTokens() const noexcept = 0;
    virtual std::int64_t most() const noexcept = 0;                   ///< blocks a query reads, its own always among them
    virtual bool together() const noexcept = 0;                       ///< all heads of the layer read the same
    virtual std::uint64_t parameters() const noexcept { return 0; }
    /// To score what one query of all heads sees, `seen` tokens.
    virtual std::uint64_t scoreMacs(std::int64_t seen) const noexcept = 0;
    /// Read to do so, for one key-value head, as the tokens whose keys and values have as many bytes; rounded up.
    virtual std::int64_t scoreTokens(std::int64_t seen) const noexcept = 0;
    virtual std::unique_ptr<BlockScorer> prepare(const nn::AttentionInput& input) const = 0;
};

/// nn::AttentionOp and SparseReader: each query attends exactly to its own block and to those of the largest scores. Throws
/// Error{UnsupportedFeature} for attention in windows. The operator throws Error{UnsupportedFeature} for a bias on the keys. A row with a score
/// that is not a number is not a number throughout; one whose scores are all -infinity is 0. What keys and values are at tokens that a query does not
/// read, it does not see, be they numbers or not.
nn::AttentionPtr selectedAttention(const nn::AttentionSpec& spec, std::shared_ptr<const BlockSelector> selector);

} // namespace tamis::attention
