// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Attention from small whole numbers: scores in 8 or 4 bits, mixing in 8 bits or in floats. Source: Zhang et al. 2024, SageAttention.
#include "core/attention/method.h"
#include "core/kernels/quantised_attention.h"

namespace tamis::attention {

/// Causal, sliding window, grouped queries and merged tokens' weights as exactAttention(). Its map is that of the coded scores (and weights);
/// 8-bit values are coded beside it. Scratch: the buffers of one worker. Throws Error{UnsupportedFeature} for attention in windows of a grid,
/// Error{InvalidParameter} as kernels::quantisedAttention().
nn::AttentionPtr quantisedAttention(const nn::AttentionSpec& spec, const kernels::QuantisedScheme& scheme);
/// id attention.quantised.
Method quantisedMethod();

} // namespace tamis::attention
