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
};
/// Throws as runReduced.
WholeResult wholeResult(const nn::Model& model, const nn::Sample& sample, nn::Scratch& scratch);

/// 1 - cosine, 0 to 2; 1 where one of them is zero and the other is not. Sums in double.
double cosineShift(std::span<const float> one, std::span<const float> other);

/// `wishes` [source tokens] or empty; `classNames` by index, may be empty or too short. The file and the method's title are the caller's to
/// set. Throws as runReduced, and Error{NonFinite} for an output that is not a number.
report::TokenOverlay overlay(const nn::Model& model, const Chain& chain, const nn::Sample& sample, std::span<const Wish> wishes, const WholeResult& whole,
                             std::span<const std::string> classNames, nn::Scratch& scratch);

/// The layers alone, of a trace.
std::vector<report::TokenLayer> layersOf(const Trace& trace);

} // namespace tamis::tokens
