// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A checkpoint of LLaMA-shaped blocks with random weights and statistics to go with it: what a large model weighs on disk and in
// memory, without one.
#include "core/base/run_context.h"

#include <cstdint>
#include <filesystem>
#include <string>

namespace tamis::bench {

struct RandomLlama {
    int layers = 4;
    std::int64_t width = 4096, hidden = 11008;
    int matricesPerShard = 2; ///< seven matrices a layer, cut into files in their order
    std::uint64_t seed = 1;
};

/// Writes model-00001-of-N.safetensors ... and their index into `directory`, which is made: float16, uniform of variance
/// 1 / inputs. The numbers depend on seed, shapes and tensor names alone, not on shards or threads. Memory: one matrix of floats.
/// Throws Error{IoFailure, InvalidParameter (a count below 1), Cancelled}.
void writeRandomLlama(const RandomLlama& shape, const std::filesystem::path& directory, const RunContext& context = {});

/// A calibration set for it: one covariance of `width` and one of `hidden` inputs, 512 directions on a decaying diagonal, positive
/// definite. Every site of one width links to the same statistics, so that the file stays that of two sites.
void writeRandomCovariances(const RandomLlama& shape, const std::string& modelSha256, const std::filesystem::path& file, const RunContext& context = {});

} // namespace tamis::bench
