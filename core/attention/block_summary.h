// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Blocks chosen by a short summary of each block's keys that stands in their place: whatever the summary is, the selector around it is one.
#include "core/attention/block_selector.h"

#include <cstdint>
#include <memory>
#include <string_view>

namespace tamis::attention {

/// What is kept of a block of keys, and how a query scores the block by it. Immutable, shared between threads.
class BlockSummary {
public:
    virtual ~BlockSummary() = default;
    virtual std::string_view kind() const noexcept = 0; ///< "moba"
    virtual std::int64_t rows() const noexcept = 0;     ///< of a summary, each as long as a key
    /// Of keys [one at least, columns]: row r goes to summary + r stride.
    virtual void summarise(kernels::ConstRows keys, float* summary, std::int64_t stride) const = 0;
    virtual float score(const float* query, const float* summary, std::int64_t stride, std::int64_t dim) const = 0;
    /// What of the query (or of another, entry by entry) row r of a summary is multiplied by: of numbers, score = sum over r of part(r, query) . row r.
    virtual void part(std::int64_t row, const float* query, std::int64_t dim, float* part) const = 0;
};

/// Head by head; of the query's own block the part that is seen counts, and it is read whatever its score. A query of a head takes rows() dim
/// multiply-adds a block, and reads rows() keys of it.
std::shared_ptr<const BlockSelector> summarySelector(const nn::AttentionSpec& spec, std::shared_ptr<const BlockSummary> summary, std::int64_t blockTokens, std::int64_t blocks);

} // namespace tamis::attention
