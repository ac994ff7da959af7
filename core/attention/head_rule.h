// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Attention of one head by another rule than the exact one. Every rule is linear in the values: out = M v, and M is the map that is compared
// with the exact map.
#include "core/nn/attention_op.h"
#include "core/nn/model_spec.h"

#include <cstdint>
#include <memory>
#include <string_view>

namespace tamis::attention {

/// Of one head, from the block's AttentionSpec.
struct HeadShape {
    std::int64_t dim = 0;           ///< features of q and k
    float scale = 0;                ///< of the scores q . k
    bool causal = false;            ///< query i sees keys 0 .. i; there are as many keys as queries
    std::int64_t slidingWindow = 0; ///< with causal: of these the last so many; 0: all
};

/// Immutable, shared between threads.
class HeadRule {
public:
    virtual ~HeadRule() = default;
    virtual std::string_view kind() const noexcept = 0; ///< "performer"
    /// Multiply-adds of one head for `tokens` queries and keys and `width` features of the values, masked as the shape says: products of rows. What goes element by element
    /// (exponentials and other features, their squares, means, quotients, rescaling) is not counted.
    virtual std::uint64_t macs(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept = 0;
    /// Floats of one head beside q, k, v and the output that are live at once: the most that mix() takes of its scratch, and lists that rules say they count as well.
    virtual std::uint64_t liveFloats(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept = 0;
    /// q, k [tokens, dim], v [tokens, width], out as v; all strides alike or not. The result does not depend on threads.
    virtual void mix(const HeadShape& shape, kernels::ConstRows q, kernels::ConstRows k, kernels::ConstRows v, kernels::Rows out, nn::Scratch& scratch) const = 0;
};
using HeadRulePtr = std::shared_ptr<const HeadRule>;

/// The operator of a block that mixes every head by `rule`; heads in parallel where the scratch allows. Grouped queries share keys and values.
/// Throws Error{UnsupportedFeature} for attention in windows of a grid. The operator throws Error{UnsupportedFeature} for a bias on the keys.
nn::AttentionPtr headwise(const nn::AttentionSpec& spec, HeadRulePtr rule);
HeadShape headShape(const nn::AttentionSpec& spec);
/// The same for one head alone: heads = keyValueHeads = 1.
nn::AttentionSpec specOfHead(nn::AttentionSpec spec);

} // namespace tamis::attention
