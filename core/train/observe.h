// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/train/tape.h"

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace tamis::train {

/// What an observer of a forward pass is told: the output of every linear layer, before activation and residual, which are
/// then nodes of their own, so that tape.keepGradient(output) keeps the gradient at the layer's output side.
template <class T> using ObserveLinear = std::function<void(const std::string& name, Variable<T> output)>;

/// What stands in the place of x W^T + b: a variable [x.rows, out], before activation and residual, or an empty one: the
/// layer's own. `bias` [1, out] is the model's, empty where it has none.
template <class T> using ReplaceLinear = std::function<Variable<T>(const std::string& name, Variable<T> x, Variable<T> bias)>;

/// The rows [tokens, width] that leave a block.
template <class T> using ObserveBlock = std::function<void(std::size_t block, Variable<T> output)>;

/// Asked before each block for the policy [rows of x, 1] that its attention is masked by (policy_ops.h), x the rows that enter it; an empty
/// variable: none. Vision transformers alone ask.
template <class T> using AttentionPolicy = std::function<Variable<T>(std::size_t block, Variable<T> x)>;

/// Rows of one block's attention, [sequences * tokens, ...] as AttentionOp takes them: norms and rotary positions applied. x is what they were
/// projected from.
template <class T> struct AttentionRows {
    Variable<T> x, q, k, v;
    std::int64_t sequences = 1;
};
/// What stands in the place of a block's softmax attention: the mixed values [rows, heads * headDim], before the output projection, or an empty
/// variable: the block's own.
template <class T> using ReplaceAttention = std::function<Variable<T>(std::size_t block, const AttentionRows<T>& rows)>;

/// Where a forward pass on the tape lets others in; what is empty does not take part. An observer of linear layers alone
/// converts.
template <class T> struct ForwardHooks {
    ForwardHooks() = default;
    template <std::invocable<const std::string&, Variable<T>> Observe> ForwardHooks(Observe&& observe) : observeLinear(std::forward<Observe>(observe)) {}

    ObserveLinear<T> observeLinear; ///< sees the replaced outputs, too
    ReplaceLinear<T> replaceLinear;
    ObserveBlock<T> observeBlock;
    AttentionPolicy<T> attentionPolicy;
    ReplaceAttention<T> replaceAttention;
};

} // namespace tamis::train
