// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Traces of routes that leave blocks out instead of tokens.
#include "core/tokens/reduced_forward.h"
#include "core/tokens/scaled_model.h"

#include <cstddef>
#include <cstdint>

namespace tamis::tokens {

/// Of the patches' embedding: modelMacs without blocks and head.
std::uint64_t patchMacs(const nn::ModelSpec& spec);

/// A layer for every block: all tokens in the first `run`, with their multiply-adds; none in the others. trace.macs: the patches and the
/// blocks that are run, without a head.
void traceFirstBlocks(const nn::ModelSpec& spec, std::size_t run, Trace& trace);

} // namespace tamis::tokens
