// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A sparse autoencoder on disk, in the forms of the six families of io::SaeFormat: one form for all of them in memory.
// M latents on an input of D features. docs/formats-autoencoder.md says which files and what decides the numbers.
#include "core/base/run_context.h"
#include "core/io/sae_config.h"
#include "core/io/sae_options.h"
#include "core/tensor/dtype.h"
#include "core/tensor/matrix.h"

#include <filesystem>
#include <string>
#include <vector>

namespace tamis::io
{

/// One form for all files. For an input row x (D features, after `config.normalisation`) the scores are
///   h = encoder (x - decoderBias if config.subtractDecoderBias) + encoderBias,
/// config.activation selects latents by them, the value of a selected latent i is
///   v_i = valueScale_i h_i + valueBias_i  (h_i itself where these are empty; max(v_i, 0) for Gated),
/// and y = v decoder + decoderBias (+ skip x, of the x given), then the normalisation undone.
/// What multiplies whole rows is folded in on reading: scales of the input, a selection by the length of decoder rows
/// (encoder rows and bias times the length; the value then has 1 / length as its scale, or the decoder row).
struct SparseAutoencoder {
    SaeFormat format = SaeFormat::SaeLens; ///< what it was read from
    SaeConfig config; ///< width and latents are there and agree with the matrices; 1 <= k <= M where k counts
    tensor::Matrix<float> encoder;  ///< [M, D], one row a latent
    std::vector<float> encoderBias; ///< [M]
    tensor::Matrix<float> decoder;  ///< [M, D], one row a latent
    std::vector<float> decoderBias; ///< [D]
    std::vector<float> threshold;   ///< [M] of the scores, for JumpRelu, else empty
    std::vector<float> valueScale;  ///< [M] or empty
    std::vector<float> valueBias;   ///< [M] for Gated, else empty
    tensor::Matrix<float> skip;     ///< [D, D] where config.skips, else empty
    std::filesystem::path file;     ///< the weights it was read from, empty for what was made here
    std::vector<std::string> notes; ///< what the files leave open and was assumed, one sentence each

    std::int64_t width() const noexcept { return encoder.cols(); }
    std::int64_t latents() const noexcept { return encoder.rows(); }
    std::uint64_t parameters() const noexcept
    {
        return encoder.size() + encoderBias.size() + decoder.size() + decoderBias.size() + threshold.size() +
               valueScale.size() + valueBias.size() + skip.size();
    }
};

/// `path`: the directory that holds the files, or its weight file; of OpenAI the .pt. Every value must be finite.
/// Throws Error{MalformedFile, UnsupportedFeature, LimitExceeded, IoFailure, NonFinite, OutOfMemory, Cancelled}; the
/// subject is the file, or file and tensor.
SparseAutoencoder readSparseAutoencoder(const std::filesystem::path& path, const RunContext& context = {});
SparseAutoencoder readSparseAutoencoder(const std::filesystem::path& path, const SaeReadOptions& options,
                                        const RunContext& context = {});

/// True for a path whose files have the names of a format (a cheap probe, never throws). A .pt or .pth counts where it
/// is a zip archive.
bool looksLikeSparseAutoencoder(const std::filesystem::path& path);

/// Writes cfg.json and the weights of `layout` into `directory` (made if it is not there; files of these names are
/// replaced), weights rounded to `dtype` (F32, F16, BF16). Throws Error{InvalidParameter} for what the layout cannot
/// say (formatSaeConfig, values apart from scores) or shapes that do not agree, Error{IoFailure, Cancelled}.
void writeSparseAutoencoder(const std::filesystem::path& directory, const SparseAutoencoder& autoencoder,
                            SaeLayout layout, tensor::DType dtype = tensor::DType::F32, const RunContext& context = {});

} // namespace tamis::io
