// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What an operator that reads only some of the keys has read: what a view of selected blocks shows.
#include "core/nn/attention_op.h"
#include "core/report/attention_report.h"

#include <cstdint>
#include <memory>

namespace tamis::attention {

/// Implemented, beside nn::AttentionOp, by operators that choose blocks of keys.
class SparseReader {
public:
    virtual ~SparseReader() = default;
    /// Of one query head on one sample. BlockMap::tokensRead counts keys with their values; what else is read to choose (pooled keys, bounds,
    /// indices) counts as the tokens whose keys and values have as many bytes, rounded up. Throws as AttentionOp::apply.
    virtual report::BlockMap blockMap(const nn::AttentionInput& input, std::int64_t head, const RunContext& context) const = 0;
};

/// The maps of an operator's heads on one input, with what the heads have in common done once. Thread-safe; the operator and the input must outlive it.
class HeadMaps {
public:
    virtual ~HeadMaps() = default;
    /// As AttentionOp::map(input, head, 0).
    virtual tensor::Matrix<float> map(std::int64_t head, const RunContext& context = {}) const = 0;
};
/// Implemented, beside nn::AttentionOp, by operators whose heads have work in common.
class SharedReader {
public:
    virtual ~SharedReader() = default;
    /// Throws as AttentionOp::apply.
    virtual std::unique_ptr<const HeadMaps> headMaps(const nn::AttentionInput& input, const RunContext& context = {}) const = 0;
};

/// Of an operator that chooses blocks; BlockMap::queries is 0 for others.
inline report::BlockMap blockMap(const nn::AttentionOp& op, const nn::AttentionInput& input, std::int64_t head, const RunContext& context = {})
{
    const auto* reader = dynamic_cast<const SparseReader*>(&op);
    return reader ? reader->blockMap(input, head, context) : report::BlockMap{};
}

} // namespace tamis::attention
