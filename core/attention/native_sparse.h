// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Native sparse attention: compressed blocks, selected blocks, a window, and gates between them.
// Source: Yuan et al. 2025 (arXiv 2502.11089); docs/methods/attention.native-sparse.md.
#include "core/attention/method.h"
#include "core/attention/native_sparse_rule.h"

namespace tamis::attention {

/// A rule for the heads of this block, checked. Throws Error{InvalidParameter, UnsupportedFeature (windows of a grid, sliding windows)}.
std::shared_ptr<const NativeSparseRule> nativeSparseRule(const nn::AttentionSpec& spec, const NativeSparseSettings& settings, NativeSparseWeights weights = {});
/// nn::AttentionOp and SparseReader. Learned gates need AttentionInput::x; throws Error{InvalidParameter} without.
nn::AttentionPtr nativeSparseAttention(std::shared_ptr<const NativeSparseRule> rule);
/// From the method's parameters.
NativeSparseSettings nativeSparseSettings(const Parameters& complete);

/// id attention.native-sparse.
Method nativeSparseMethod();

} // namespace tamis::attention
