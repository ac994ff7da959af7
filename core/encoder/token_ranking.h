// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// One token seen closely: where an encoder puts the latents of its exact set.
#include "core/base/run_context.h"
#include "core/encoder/topk_encoder.h"
#include "core/report/encoder_report.h"

#include <cstddef>

namespace tamis::encoder {

/// Of one prepared row [1, D]. An encoder with a coarse stage is asked for that order of all latents, of which the first `depth` are
/// kept; of any other the codes that it returns are taken, all of them. Both encoders must be of one dictionary. Throws
/// Error{InvalidParameter} for another shape or encoders that differ in width, latents or k, Error{Cancelled}.
report::TokenRanking tokenRanking(const TopKEncoder& exact, const TopKEncoder& encoder, tensor::MatrixView<const float> prepared, std::size_t depth,
                                  const RunContext& context = {});

} // namespace tamis::encoder
