// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/bench/bench.h"
#include "core/bench/encoder_bench.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tamis::bench {

struct BundledAutoencoder {
    std::string name;
    std::filesystem::path autoencoder, tokens; ///< .npy of rows: the first half is fitted to, the second measured
};

struct EncoderRecallInputs {
    std::vector<BundledAutoencoder> autoencoders;
    EncoderBenchShape synthetic{768, 32768, 32, 30}; ///< latents 0: left out
    double recall = 0.99;                            ///< mean over tokens, at least
    std::int64_t mostCandidates = 1024;              ///< that two-stage encoders are tried with
    double latencySeconds = 0.3;                     ///< for each encoder and batch size
};

/// Of each autoencoder, the fastest encoder that is not trained and has at least that recall, at batch 1 and 64, against the exact float32
/// encoder in the same run; the note has its recall and what it loses. No line where none is timed. A minute or two. Throws Error{Cancelled}.
std::vector<BenchResult> benchEncoderRecall(const RunContext& context, const EncoderRecallInputs& inputs);

} // namespace tamis::bench
