// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Measurements that `tamis-cli bench` prints: ours against a peer, in one run, and how near the bound it is.
#include "core/base/run_context.h"

#include <filesystem>
#include <string>
#include <vector>

namespace tamis::bench {

struct BenchResult {
    std::string name;
    double oursSeconds = 0;
    double peerSeconds = 0; ///< NaN: no peer, only a figure
    std::string peerName;   ///< how the peer was run; says so when it was scaled from fewer matrices
    double ratio = 0;       ///< peerSeconds / oursSeconds (above 1: ours is faster); NaN without a peer
    std::string unit;       ///< of the seconds: "s for 12 matrices", "s"
    std::string bound;      ///< what limits it and the arithmetic behind it
    double boundFraction = 0; ///< bound / ours, 0..1; NaN where no bound is stated
};

struct SpectrumBenchInputs {
    std::filesystem::path model;       ///< bundled checkpoint directory; empty: that measurement is left out
    std::filesystem::path calibration; ///< its calibration set; empty: no whitened measurement
};

/// Singular values of 12 matrices 1024x4096 and 12 of 512x512 against Eigen's BDCSVD and LAPACK's sgesdd, and all spectra
/// of the model. Medians of runs in alternation. Takes about a minute. Throws Error{NonFinite} never, Error{Cancelled}
/// between runs; throws Error{InvalidParameter} should ours and the peers disagree beyond 1e-5 relative above 1e-4 s_1.
std::vector<BenchResult> benchSpectrum(const RunContext& context, const SpectrumBenchInputs& inputs = {});

} // namespace tamis::bench
