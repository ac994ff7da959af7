// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a runnable model is made of and what it costs: the layer chain, costs, memory, roofline, activation statistics.
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace tamis::report {

inline constexpr double kNotMeasured = std::numeric_limits<double>::quiet_NaN();

/// One step of the chain, in execution order: a linear operator, an attention, a norm, an embedding.
struct LayerCost {
    std::string name;  ///< "blocks.0.attn.qkv"; attentions: "blocks.0.attention"
    /// "patch", "embedding", "norm", "linear", "rope", "attention", "scale", "activation", "merge", "pool", "head"
    std::string kind;
    std::string form;  ///< of linear operators and attentions: "dense", "factors", ..., "exact", "window"
    std::string role;  ///< "q", "qkv", "up", ... or ""
    std::int64_t rank = 0; ///< of a linear operator that is not dense; 0 elsewhere
    int block = -1;
    std::vector<std::int64_t> inputShape, outputShape; ///< one sample: [tokens, features]
    std::uint64_t parameters = 0;
    std::uint64_t weightBytes = 0;     ///< stored; 0 for a head that shares the embedding's matrix
    std::uint64_t weightReadBytes = 0; ///< read from memory in one pass: the stored ones as a rule, the shared matrix, no lookup table
    std::uint64_t activationBytes = 0; ///< read and written, one sample; rows fetched from a lookup table included
    std::uint64_t macs = 0;            ///< one sample
    double intensity = 0;              ///< FLOP / byte at the report's batch: 2 macs batch / (weights read + activations x batch)
    double predictedMs = kNotMeasured; ///< by the roofline, at the report's batch
    double measuredMs = kNotMeasured;  ///< median, at the report's batch
};

struct MemoryPoint {
    std::string at;                ///< layer whose execution this is
    std::uint64_t liveBytes = 0;   ///< activations alive while it runs, one sample
};

/// A machine's ceilings: measured on this one, or a preset that the user edits.
struct Ceilings {
    std::string name;
    double gflops = 0;             ///< float32, all cores
    double gigabytesPerSecond = 0; ///< reading, all cores
    bool measured = false;
    std::string source;            ///< where the two figures are from, in words
};

struct ModelCostReport {
    std::string family, architecture, task;
    std::int64_t tokens = 0, batch = 1;
    std::vector<LayerCost> layers;
    std::uint64_t parameters = 0, weightBytes = 0, macs = 0;
    std::uint64_t linearMacs = 0, attentionMacs = 0;
    std::uint64_t peakActivationBytes = 0; ///< by the liveness planner, one sample
    std::string peakAt;                    ///< layer where the peak is
    std::vector<MemoryPoint> memory;
    std::uint64_t keyValueCacheBytes = 0;  ///< decoders, float16, at `tokens`; 0 elsewhere
    Ceilings ceilings;
    double predictedMs = kNotMeasured, measuredMs = kNotMeasured;
    std::vector<std::string> warnings;
};

/// Statistics of one linear input over a calibration set or a live run.
struct ActivationStatistics {
    std::string name;
    int block = -1;
    std::uint64_t tokens = 0;
    double rms = 0, meanAbsolute = 0, maximum = 0;
    double kurtosis = 0;        ///< of all entries; 3 for a Gaussian
    double outlierShare = 0;    ///< entries beyond 6 rms
    double topFeatureShare = 0; ///< share of the energy in the 1 % strongest features
    double effectiveRank = 0;   ///< exp(entropy) of the second moment's eigenvalues; 0: not computed
    std::vector<float> featureRms; ///< [features]
};

} // namespace tamis::report
