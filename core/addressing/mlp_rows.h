// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What goes into the feed-forward parts of a model and what comes out of them, and cheaper feed-forward parts.
#include "core/measure/sample_source.h"
#include "core/nn/model.h"

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace tamis::addressing {

/// out = down(activation(gate x) * up x), without the residual and LayerScale; x [tokens, width], out alike.
void applyMlp(const nn::Block& block, kernels::ConstRows x, kernels::Rows out, nn::Scratch& scratch);

/// Of one sample, block by block while the model runs; views are good during the call.
struct MlpRows {
    std::size_t sample = 0;
    int block = 0;
    kernels::ConstRows input, hidden, output; ///< what up reads; what down reads; what down gives
    std::span<const std::int32_t> tokens;
};
using MlpVisitor = std::function<void(const MlpRows& rows)>;

/// Runs `model` over the first `samples` samples of the source (0: all), one after the other. Throws Error{UnsupportedFeature} for a model that reads
/// images, Error{Cancelled} and what loading throws.
void visitMlps(const nn::Model& model, const measure::SampleSource& source, std::size_t samples, const MlpVisitor& visit, const RunContext& context);

/// Rows of one block. Throws as visitMlps, Error{InvalidParameter} for a block that is not there.
struct MlpSamples {
    tensor::Matrix<float> input, output;  ///< [rows, width]
    std::vector<std::int32_t> tokens;     ///< [rows]
    std::vector<std::size_t> starts;      ///< rows that begin a sample
};
MlpSamples collectMlpRows(const nn::Model& model, const measure::SampleSource& source, int block, std::size_t rows, const RunContext& context);

enum class MlpCompression {
    None,
    LowRank, ///< truncated singular value decomposition of up, gate and down
    Pruned   ///< hidden features whose output, mean h^2 |down column|^2 over the samples, is smallest are left out
};

/// The model with cheaper feed-forward parts: `keep` of their parameters (LowRank: factors; at least rank 1), 0 < keep <= 1. Throws
/// Error{InvalidParameter}, and as visitMlps.
std::shared_ptr<const nn::Model> compressedMlps(const nn::Model& model, MlpCompression compression, double keep, const measure::SampleSource& source, std::size_t samples,
                                                const RunContext& context);

} // namespace tamis::addressing
