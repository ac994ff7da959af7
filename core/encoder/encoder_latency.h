// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// How long encoders take, one beside the other in the same run.
#include "core/base/run_context.h"
#include "core/encoder/topk_encoder.h"
#include "core/report/encoder_report.h"

namespace tamis::encoder {

/// Calls both encoders, each first as often as the other, with `batch` of the tokens, other ones each time (from the first again after the last), for `seconds` and
/// at least 20 times after two that warm up; percentiles by the nearest rank. Throws Error{InvalidParameter} for a batch below 1 or no
/// token, Error{Cancelled}.
report::EncoderLatency measureLatency(const TopKEncoder& encoder, const TopKEncoder& exact, tensor::MatrixView<const float> prepared, std::int64_t batch,
                                      double seconds, const RunContext& context);

} // namespace tamis::encoder
