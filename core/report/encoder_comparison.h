// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Encoders of one dictionary at many settings, measured on the same tokens.
#include "core/report/encoder_report.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tamis::report {

struct EncoderPoint {
    std::string method, title; ///< id, and name for people: those of one title are one encoder at several settings
    Parameters parameters;     ///< complete
    std::string settings;      ///< those that differ from their defaults, one line
    EncoderQuality quality;
    EncoderCostEstimate cost;
    std::vector<EncoderLatency> latency;
    double buildSeconds = 0;
    std::string failure; ///< why there are no numbers; empty: there are
    bool exact = false;  ///< the reference
};

struct EncoderComparison {
    std::string dictionary, tokens; ///< what was measured, for captions
    std::int64_t width = 0, latents = 0, k = 0, tokenCount = 0;
    std::size_t planned = 0;
    std::vector<EncoderPoint> points; ///< as they finish, the exact encoder first
};

} // namespace tamis::report
