// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The tokens of one photo or text seen closely: which latents fire where, and which of them an encoder finds.
#include "core/base/run_context.h"
#include "core/encoder/topk_encoder.h"
#include "core/report/encoder_tokens.h"

#include <cstdint>

namespace tamis::encoder {

/// `exact`: the exact codes of `prepared` [tokens, D]. Places as tokenRanking() has them for each of the tokens. `first` is handed on. Throws
/// Error{InvalidParameter} for as many rows as `exact` has not or another width, Error{Cancelled}.
report::SampleLatents sampleLatents(const SparseCodes& exact, tensor::MatrixView<const float> prepared, const TopKEncoder& encoder, std::int64_t first = 0,
                                    const RunContext& context = {});

/// The codes of `count` tokens from `first` on.
SparseCodes codesOf(const SparseCodes& all, std::int64_t first, std::int64_t count);

} // namespace tamis::encoder
