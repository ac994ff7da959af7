// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A sparse autoencoder on disk: cfg.json and one safetensors file, as EleutherAI's sparsify writes them
// (sae.safetensors: encoder.weight [M, D], encoder.bias, W_dec [M, D], b_dec, W_skip) and as SAELens does
// (sae_weights.safetensors: W_enc [D, M], b_enc, W_dec [M, D], b_dec, threshold). M latents on an input of D features.
#include "core/base/run_context.h"
#include "core/io/sae_config.h"
#include "core/tensor/dtype.h"
#include "core/tensor/matrix.h"

#include <filesystem>
#include <string>
#include <vector>

namespace tamis::io
{

/// One form for both layouts. For an input row x (D features, after `config.normalisation`):
///   h = encoder (x - decoderBias if config.subtractDecoderBias) + encoderBias,  z = config.activation of h,
///   y = z decoder + decoderBias (+ skip x, of the x given), then the normalisation undone.
/// A selection by the length of decoder rows is folded in on reading (encoder rows and bias times the length, decoder
/// rows divided by it), so config.rescaleByDecoderNorm is false.
struct SparseAutoencoder {
    SaeConfig config; ///< width and latents are there and agree with the matrices; 1 <= k <= M where k counts
    tensor::Matrix<float> encoder;  ///< [M, D], one row a latent
    std::vector<float> encoderBias; ///< [M]
    tensor::Matrix<float> decoder;  ///< [M, D], one row a latent
    std::vector<float> decoderBias; ///< [D]
    std::vector<float> threshold;   ///< [M] for JumpRelu, else empty
    tensor::Matrix<float> skip;     ///< [D, D] where config.skips, else empty

    std::int64_t width() const noexcept { return encoder.cols(); }
    std::int64_t latents() const noexcept { return encoder.rows(); }
    std::uint64_t parameters() const noexcept
    {
        return encoder.size() + encoderBias.size() + decoder.size() + decoderBias.size() + threshold.size() +
               skip.size();
    }
};

/// `path`: the directory that holds both files, or its weight file. The layout is told by the names of the tensors.
/// Every value must be finite. Throws Error{MalformedFile, UnsupportedFeature, LimitExceeded, IoFailure, NonFinite,
/// OutOfMemory, Cancelled}; the subject is the file, or file and tensor.
SparseAutoencoder readSparseAutoencoder(const std::filesystem::path& path, const RunContext& context = {});

/// True for a directory that holds the two files, or a weight file under one of the two names (a cheap probe, never
/// throws).
bool looksLikeSparseAutoencoder(const std::filesystem::path& path);

/// Writes cfg.json and the weights of `layout` into `directory` (made if it is not there; files of these names are
/// replaced), weights rounded to `dtype` (F32, F16, BF16). Throws Error{InvalidParameter} for what the layout cannot
/// say (formatSaeConfig) or shapes that do not agree, Error{IoFailure, Cancelled}.
void writeSparseAutoencoder(const std::filesystem::path& directory, const SparseAutoencoder& autoencoder,
                            SaeLayout layout, tensor::DType dtype = tensor::DType::F32, const RunContext& context = {});

} // namespace tamis::io
