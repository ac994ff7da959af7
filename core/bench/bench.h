// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Measurements that `tamis-cli bench` prints: ours against a peer, in one run, and how near the bound it is.
#include "core/base/run_context.h"

#include <cstdint>
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
    std::string note;         ///< agreement of the results, and anything a reader must know
};

struct SpectrumBenchInputs {
    std::filesystem::path model;       ///< bundled checkpoint directory; empty: that measurement is left out
    std::filesystem::path calibration; ///< its calibration set; empty: no whitened measurement
};

/// Singular values of 12 float matrices 1024x4096 and 12 of 512x512 against Eigen's BDCSVD (one matrix of each shape,
/// scaled) and LAPACK's sgesdd (matrix by matrix, with as many BLAS threads as there are cores), and all spectra of the
/// model. Medians of rounds in alternation; some 20 s. Throws Error{Cancelled} between calls, and Error{InvalidParameter}
/// should our values differ from LAPACK's dgesdd in double by more than 1e-5 relative above 1e-4 s_1.
/// Not beside other BLAS work: it changes the number of BLAS threads for the peer.
std::vector<BenchResult> benchSpectrum(const RunContext& context, const SpectrumBenchInputs& inputs = {});

/// Forward passes of random models shaped like vit20 (batch 1 and 32), ViT-B/16 and LLaMA-160M against PyTorch (the fastest
/// of its ways, in a child process; without it the peer is NaN and its name says why). Best of a few passes; a minute or
/// two. Throws Error{Cancelled}.
std::vector<BenchResult> benchForward(const RunContext& context);

/// One training step (forward, cross entropy, backward, AdamW) of the vision transformer in `model`, a checkpoint directory,
/// at batch 32: the median of rounds before and after the same step in PyTorch with as many threads. Some 15 s. The
/// first losses of both must agree to 1e-4 relative: Error{InvalidParameter} otherwise. Without PyTorch the figure stands
/// alone and `note` says why. Throws Error{Cancelled} within 100 ms of a stop.
std::vector<BenchResult> benchTrain(const RunContext& context, const std::filesystem::path& model);

struct ShardBenchInputs {
    int layers = 4;
    std::int64_t width = 4096, hidden = 11008; ///< of a 7B LLaMA
    double keep = 0.6;
    std::filesystem::path directory;           ///< where a few GB are written and removed; empty: the system's place
};

/// Compresses random weights of a large LLaMA's shape matrix by matrix (lowrank::compressShards): seconds for 1, 2, 4, ... layers, for one
/// layer in 7 shards and in 1, and the most memory that was resident. Minutes at full size. Throws Error{Cancelled, IoFailure}.
std::vector<BenchResult> benchShards(const RunContext& context, const ShardBenchInputs& inputs = {});

} // namespace tamis::bench
