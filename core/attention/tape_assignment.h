// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The operators of an assignment on the tape.
#include "core/attention/assignment.h"
#include "core/attention/tape_operator.h"

#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace tamis::attention {

/// [blocks]; null: the block keeps its own attention.
using TapeOperators = std::vector<std::unique_ptr<TapeOperator>>;

/// As operatorsFor(), on the tape. Methods that fit to samples may do without them here: what they start from is then their own affair. Throws
/// Error{InvalidParameter} as operatorsFor(), Error{UnsupportedFeature} for a method that has no form on the tape, and what methods throw.
TapeOperators tapeOperatorsFor(const nn::Model& model, std::span<const HeadChoice> choices, const AssignmentInputs& with = {});

/// The model's own softmax attention.
std::unique_ptr<TapeOperator> exactOnTape(const nn::AttentionSpec& spec);

/// Keys or values [rows, keyValueHeads width] with each head's own side by side: [rows, heads width].
train::Variable<float> forEachHead(train::Tape<float>& tape, train::Variable<float> x, const nn::AttentionSpec& spec);

/// What `each` makes of 0 .. count - 1, columns beside columns.
train::Variable<float> sideBySide(std::int64_t count, const std::function<train::Variable<float>(std::int64_t)>& each);

/// Whether a query sees a key of a sequence of so many tokens; a causal mask and a sliding window hold besides.
using Visible = std::function<bool(std::int64_t tokens, std::int64_t query, std::int64_t key)>;
/// Exact attention over the keys that are visible: a mask on all scores, whatever `op` leaves out when it runs. Every query sees one key at least.
std::unique_ptr<TapeOperator> maskedOnTape(const nn::AttentionSpec& spec, Visible visible, nn::AttentionPtr op);

} // namespace tamis::attention
