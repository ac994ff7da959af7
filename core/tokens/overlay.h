// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// One photo through a model, whole and reduced, as views show it.
#include "core/report/token_report.h"
#include "core/tokens/reduced_forward.h"

#include <span>
#include <string>
#include <vector>

namespace tamis::tokens {

/// What the whole model says of a photo: computed once, compared with every setting of a slider.
struct WholeResult {
    std::vector<float> output, features; ///< logits; what goes into the head
    tensor::Matrix<float> rows;          ///< [source tokens, width] behind the last norm; empty: not kept, and nothing is said of unmerged features
};
/// Throws as runReduced.
WholeResult wholeResult(const nn::Model& model, const nn::Sample& sample, nn::Scratch& scratch);

/// 1 - cosine, 0 to 2; 1 where one of them is zero and the other is not. Sums in double.
double cosineShift(std::span<const float> one, std::span<const float> other);

/// What the tokens hold at the end, spread back to the source tokens: [source tokens, width] behind the last norm, zeros where one was pruned. Empty
/// where the trace has no rows.
tensor::Matrix<float> unmergedRows(const Trace& trace);
/// The same of one photo. `wishes` [source tokens] or empty. Empty for a route with tokens of its own. Throws as runReduced.
tensor::Matrix<float> unmergedFeatures(const nn::Model& model, const Chain& chain, const nn::Sample& sample, std::span<const Wish> wishes, nn::Scratch& scratch);
/// [patches] as report::TokenOverlay's; empty where the trace has no rows or another grid than `whole` [source tokens, width].
std::vector<float> unmergedShift(const Trace& trace, kernels::ConstRows whole);

/// `wishes` [source tokens] or empty; `classNames` by index, may be empty or too short. The file and the method's title are the caller's to
/// set. Throws as runReduced, and Error{NonFinite} for an output that is not a number.
report::TokenOverlay overlay(const nn::Model& model, const Chain& chain, const nn::Sample& sample, std::span<const Wish> wishes, const WholeResult& whole,
                             std::span<const std::string> classNames, nn::Scratch& scratch);

/// The layers alone, of a trace.
std::vector<report::TokenLayer> layersOf(const Trace& trace);

} // namespace tamis::tokens
