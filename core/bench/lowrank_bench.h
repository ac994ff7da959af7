// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/bench/bench.h"

#include <cstdint>
#include <filesystem>
#include <vector>

namespace tamis::bench {

struct LowRankBenchInputs {
    std::int64_t size = 4096;           ///< side of the decomposed matrix
    std::filesystem::path model;        ///< LLaMA-family checkpoint directory with calibration.npy (token ids); empty: left out
};

/// Three measurements: one whitened decomposition with factors of a size x size matrix against LAPACK's sgesdd (float, all cores)
/// on the same matrix; the block-identity operator at keep 0.6 against the dense one on square shapes 256 to 4096 at 1, 32 and 256
/// tokens, with the crossover; the whole of `model` compressed by whitened SVD from a calibration set captured before.
/// At 4096 some minute. Throws Error{Cancelled} between calls, and Error{InvalidParameter} should our loss exceed the peer's by more
/// than 1e-6 relative. Not beside other BLAS work: it changes the number of BLAS threads for the peer.
std::vector<BenchResult> benchLowRank(const RunContext& context, const LowRankBenchInputs& inputs = {});

} // namespace tamis::bench
