// SPDX-License-Identifier: GPL-3.0-or-later
// Gemma Scope: params.npz alone. W_enc [D, M], W_dec [M, D] (also w_enc, w_dec), b_enc, b_dec, threshold; JumpReLU, the
// decoder's bias does not leave the input. Reference: Lieberum et al., "Gemma Scope" (2024), and SAELens's loader of
// it.
#include "core/base/error.h"
#include "core/io/sae_fold.h"
#include "core/io/sae_formats.h"

#include <algorithm>
#include <cmath>

namespace tamis::io
{
namespace
{
// Gemma Scope's directories: embedding/width_4k/average_l0_6/params.npz
bool namesAnEmbedding(const std::filesystem::path& file)
{
    std::error_code failure;
    std::filesystem::path directory = std::filesystem::absolute(file, failure).parent_path();
    for (int level = 0; level < 3; ++level, directory = directory.parent_path())
        if (directory.filename().string().find("embedding") != std::string::npos)
            return true;
    return false;
}

// Numbers that would change what is computed, of kinds that are not computed here.
void refuseOthers(const SaeTensors& tensors)
{
    for (const char* name : {"affine_skip_connection", "W_skip", "w_skip"})
        if (tensors.has(name))
            throw Error(ErrorCode::UnsupportedFeature, "is a skip connection, expected an autoencoder without one",
                        tensors.subject(name));
    if (tensors.has("scaling_factor")) {
        const std::int64_t m = tensors.shape("threshold").empty() ? 0 : tensors.shape("threshold")[0];
        const std::vector<float> factors = tensors.vectorOf("scaling_factor", m);
        if (!std::ranges::all_of(factors, [](float factor) { return std::abs(factor - 1.0F) <= 1e-5F; }))
            throw Error(ErrorCode::UnsupportedFeature, "holds other numbers than 1, expected none to be scaled",
                        tensors.subject("scaling_factor"));
    }
}
} // namespace

SparseAutoencoder readGemmaScope(const SaeFiles& files, const SaeReadOptions& options, const RunContext& context)
{
    const SaeTensors tensors = SaeTensors::ofNpz(files.weights, context);
    const char *encoder = tensors.has("w_enc") ? "w_enc" : "W_enc", *decoder = tensors.has("w_dec") ? "w_dec" : "W_dec";
    SparseAutoencoder autoencoder;
    SaeConfig& config = autoencoder.config;
    config.activation = SaeActivation::JumpRelu;
    config.subtractDecoderBias = false;
    settleSizes(tensors, encoder, false, config, files.weights.string());
    const std::int64_t m = *config.latents, d = *config.width;
    refuseOthers(tensors);
    autoencoder.encoder = tensors.matrix(encoder, m, d, true);
    autoencoder.decoder = tensors.matrix(decoder, m, d, false);
    autoencoder.encoderBias = tensors.vectorOf("b_enc", m);
    autoencoder.decoderBias = tensors.vectorOf("b_dec", d);
    autoencoder.threshold = tensors.vectorOf("threshold", m);

    const bool embedding = chosen(options.embedding, namesAnEmbedding(files.weights));
    if (embedding) {
        const double root = std::sqrt(static_cast<double>(d));
        scaleRows(autoencoder, 1 / root, root, context); // b_dec stays
    }
    if (options.embedding == SaeChoice::AsStated)
        autoencoder.notes.push_back(
            embedding
                ? "The directory's name says that embeddings are read: encoder rows are divided and decoder rows "
                  "multiplied by sqrt(D) (switch embedding)."
                : "The file does not say whether embeddings are read: they are not, weights are taken as they are "
                  "(switch embedding).");
    noteUnusedTensors(autoencoder, tensors);
    return autoencoder;
}

} // namespace tamis::io
