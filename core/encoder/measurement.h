// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What measuring an encoder on tokens in memory and on tokens from a file have in common. Private to the lab.
#include "core/encoder/encoder_quality.h"
#include "core/encoder/quality_sums.h"

#include <string>

namespace tamis::encoder {

/// Throws Error{InvalidParameter} where width, latents or k differ.
void requireSameDictionary(const Dictionary& dictionary, const TopKEncoder& encoder);

/// What is known of a report before any token: names, shape, costs.
report::EncoderReport startedReport(const Dictionary& dictionary, const TopKEncoder& exact, const TopKEncoder& encoder, const std::string& method, const Parameters& parameters);

/// From the tokens that `sums` kept: their coarse ranks, and the latencies.
void addRanksAndLatency(report::EncoderReport& report, const QualitySums& sums, const TopKEncoder& exact, const TopKEncoder& encoder, const MeasureOptions& options,
                        const RunContext& context);

} // namespace tamis::encoder
