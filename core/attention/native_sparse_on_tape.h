// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Native sparse attention while a model is trained around it.
#include "core/attention/method.h"
#include "core/attention/native_sparse_rule.h"

#include <cstdint>
#include <memory>

namespace tamis::attention {

/// phi (from the mean on: its last layer is zero at first) and gates (weights zero, biases -4, 0, 0 for compression, selection, window) are
/// learned; the choice of blocks has no gradient. `hidden` units of phi's MLP; 0: the mean. `width` of the rows that queries are projected from.
/// Needs sequences of one token at least. The operator that op() gives has learned gates. Throws as nativeSparseRule(), and
/// Error{InvalidParameter} for a width below 1.
std::unique_ptr<TapeOperator> nativeSparseTraining(const nn::AttentionSpec& spec, const NativeSparseSettings& settings, std::int64_t hidden, std::int64_t width, std::uint64_t seed);
/// Of the method.
std::unique_ptr<TapeOperator> nativeSparseOnTape(const Inputs& inputs, const Parameters& given);

/// Numbers that nativeSparseOnTape() would train. Throws what a schema throws.
std::uint64_t nativeSparseNumbers(const Inputs& inputs, const Parameters& given);

} // namespace tamis::attention
