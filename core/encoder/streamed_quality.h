// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The measurement of encoder_quality.h over rows that need not fit in memory, in one pass, and the codes on their way through.
#include "core/encoder/activation_rows.h"
#include "core/encoder/encoder_quality.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace tamis::encoder {

struct StreamOptions {
    MeasureOptions measure;
    std::int64_t chunk = 0; ///< rows held at a time; 0: about 2 MB of them
    /// The codes of rows [first, first + codes.tokens()), in order, from the calling thread. May be empty.
    std::function<void(std::int64_t first, const SparseCodes& codes)> codes;
    /// The figures of the rows so far (report.tokens of them), some five times a second and once more after the last row; without coarse ranks and
    /// latencies. May be empty.
    std::function<void(const report::EncoderReport& soFar)> seen;
};

/// As measureEncoder() over all rows: recalls, sets and counts are the same, sums agree to rounding; neither depends on the chunk.
/// `exact` scores every latent in float32; where `encoder` is that same object it runs once. Outcomes, coarse ranks and the tokens of
/// the latencies are of measure.outcomes evenly spread rows. Memory: a few chunks, codes of a chunk, and those outcomes. The
/// context's label counts rows and rows a second. Throws as measureEncoder(), what reading throws (a row that holds no numbers is named by its
/// number in the file), Error{Cancelled} within 100 ms.
report::EncoderReport measureRows(const std::shared_ptr<const Dictionary>& dictionary, const TopKEncoder& exact, const ActivationRows& rows, const TopKEncoder& encoder,
                                  const std::string& method, const Parameters& parameters, const StreamOptions& options, const RunContext& context = {});

} // namespace tamis::encoder
