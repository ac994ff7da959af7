// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Attention by features: M_ij = f_i . g_j / sum_j f_i . g_j, without ever forming M.
#include "core/attention/head_rule.h"

#include <span>

namespace tamis::attention {

/// out = M v for query features f and key features g [tokens, features]. Causal: sums over j <= i, by prefix sums over blocks of rows. A row
/// whose denominator is zero (no feature in common with any key) is the mean of the values it may see. Private to the lab.
void mixByFeatures(bool causal, kernels::ConstRows f, kernels::ConstRows g, kernels::ConstRows v, kernels::Rows out, nn::Scratch& scratch);
/// Causal, for key features that are kept in range by a stabiliser that grows along the sequence: where the query is i, key j <= i has the features
/// g_j exp(shifts[j] - shifts[i]) + floor. shifts [tokens], never falling, from keys 0 .. j alone: then row i is a function of tokens 0 .. i.
void mixByRunningFeatures(kernels::ConstRows f, kernels::ConstRows g, std::span<const float> shifts, float floor, kernels::ConstRows v, kernels::Rows out, nn::Scratch& scratch);
/// Of mixByFeatures; `floored`: of mixByRunningFeatures with a floor above 0. Sums of features count as their denominators do; blocks on the diagonal are whole squares of scores.
std::uint64_t featureMixMacs(bool causal, bool floored, std::int64_t tokens, std::int64_t features, std::int64_t width);
/// That either takes.
std::uint64_t featureMixFloats(bool causal, std::int64_t features, std::int64_t width);
/// Throws Error{UnsupportedFeature} for a sliding window: prefix sums cannot forget.
void requireNoSlidingWindow(const nn::AttentionSpec& spec, std::string_view kind);

} // namespace tamis::attention
