// SPDX-License-Identifier: GPL-3.0-or-later
// The two families with a cfg.json. sparsify: encoder.weight [M, D], encoder.bias, W_dec [M, D], b_dec, W_skip.
// SAELens: W_enc [D, M], b_enc, W_dec [M, D], b_dec, threshold; gated b_gate, b_mag, r_mag for b_enc; scaling_factor.
#include "core/base/error.h"
#include "core/io/json_limits.h"
#include "core/io/sae_fields.h"
#include "core/io/sae_fold.h"
#include "core/io/sae_formats.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace tamis::io
{
namespace
{
constexpr std::size_t kConfigBytes = 1u << 20;
constexpr const char *kScaler = "activation_scaler.json", *kScalingFactor = "scaling_factor";

SaeConfig configOf(const SaeFiles& files, SaeLayout layout)
{
    return parseSaeConfig(readSmallFile(files.config, kConfigBytes), layout, files.config.string());
}

void readShared(SparseAutoencoder& autoencoder, const SaeTensors& tensors)
{
    const std::int64_t m = *autoencoder.config.latents, d = *autoencoder.config.width;
    autoencoder.decoder = tensors.matrix("W_dec", m, d, false);
    autoencoder.decoderBias = tensors.vectorOf("b_dec", d);
}

// v = exp(r_mag) (h - b_gate) + b_mag, active where the gate's h > 0.
void readGate(SparseAutoencoder& autoencoder, const SaeTensors& tensors)
{
    const std::int64_t m = *autoencoder.config.latents;
    autoencoder.encoderBias = tensors.vectorOf("b_gate", m);
    const std::vector<float> r = tensors.vectorOf("r_mag", m), b = tensors.vectorOf("b_mag", m);
    setGate(autoencoder, r, b, tensors.subject("r_mag"));
}

// A number a latent that multiplies its value before the decoder; all ones in files that do not use it.
void foldScalingFactor(SparseAutoencoder& autoencoder, const SaeTensors& tensors)
{
    const std::int64_t m = *autoencoder.config.latents;
    const std::vector<float> factors = tensors.vectorOf(kScalingFactor, m);
    const bool ones = std::ranges::all_of(factors, [](float factor) { return std::abs(factor - 1.0F) <= 1e-5F; });
    if (!ones && !autoencoder.config.scalesValues)
        throw Error(ErrorCode::MalformedFile, "holds other numbers than 1 although finetuning_scaling_factor is false",
                    tensors.subject(kScalingFactor));
    autoencoder.config.scalesValues = false;
    if (ones)
        return;
    for (std::int64_t i = 0; i < m; ++i)
        for (float& value : autoencoder.decoder.view().row(i))
            value *= factors[static_cast<std::size_t>(i)];
    autoencoder.notes.push_back("scaling_factor multiplies the decoder's rows.");
}

double inputScale(const SaeFiles& files, const SaeTensors& tensors, const SaeReadOptions& options,
                  SparseAutoencoder& autoencoder)
{
    std::error_code ignored;
    const std::filesystem::path scaler = files.weights.parent_path() / kScaler;
    const auto told = [&](double scale, const std::string& source) {
        autoencoder.notes.push_back("normalize_activations is expected_average_only_in: inputs are multiplied by " +
                                    std::to_string(scale) + ", " + source + ".");
        return scale;
    };
    if (options.inputScale)
        return told(*options.inputScale, "given by hand (switch input-scale)");
    if (std::filesystem::is_regular_file(scaler, ignored)) {
        const nlohmann::json document = readSaeDocument(scaler);
        const std::string subject = scaler.string();
        const SaeFields fields(document, subject);
        if (const std::optional<double> scale = fields.positive("scaling_factor"))
            return told(*scale, std::string("as ") + kScaler + " has it");
        fields.lacks("scaling_factor", "a number above 0");
    }
    if (tensors.has(kScalingFactor) && tensors.shape(kScalingFactor).size() <= 1 &&
        (tensors.shape(kScalingFactor).empty() || tensors.shape(kScalingFactor)[0] == 1)) {
        const double scale = tensors.scalar(kScalingFactor);
        if (!(scale > 0))
            throw Error(ErrorCode::MalformedFile, "is " + std::to_string(scale) + ", expected a number above 0",
                        tensors.subject(kScalingFactor));
        return told(scale, "as the tensor scaling_factor has it");
    }
    throw Error(ErrorCode::UnsupportedFeature,
                "normalize_activations is \"expected_average_only_in\" but the scale is not stated: expected " +
                    std::string(kScaler) +
                    " beside it, or the switch input-scale (1 where it was folded into the "
                    "weights)",
                files.config.string());
}
} // namespace

SparseAutoencoder readSparsify(const SaeFiles& files, const SaeReadOptions&, const RunContext& context)
{
    const SaeTensors tensors = SaeTensors::ofSafetensors(files.weights, context);
    SparseAutoencoder autoencoder;
    SaeConfig& config = autoencoder.config;
    config = configOf(files, SaeLayout::Sparsify);
    settleSizes(tensors, "encoder.weight", true, config, files.config.string());
    const std::int64_t m = *config.latents, d = *config.width;
    readShared(autoencoder, tensors);
    autoencoder.encoder = tensors.matrix("encoder.weight", m, d, false);
    autoencoder.encoderBias = tensors.vectorOf("encoder.bias", m);
    if (config.skips)
        autoencoder.skip = tensors.matrix("W_skip", d, d, false);
    noteUnknownKeys(autoencoder, config.unknownKeys, files.config.filename().string());
    noteUnusedTensors(autoencoder, tensors);
    return autoencoder;
}

SparseAutoencoder readSaeLens(const SaeFiles& files, const SaeReadOptions& options, const RunContext& context)
{
    const SaeTensors tensors = SaeTensors::ofSafetensors(files.weights, context);
    SparseAutoencoder autoencoder;
    SaeConfig& config = autoencoder.config;
    config = configOf(files, SaeLayout::SaeLens);
    settleSizes(tensors, "W_enc", false, config, files.config.string());
    const std::int64_t m = *config.latents, d = *config.width;
    readShared(autoencoder, tensors);
    autoencoder.encoder = tensors.matrix("W_enc", m, d, true);
    if (config.activation == SaeActivation::Gated)
        readGate(autoencoder, tensors);
    else
        autoencoder.encoderBias = tensors.vectorOf("b_enc", m);
    if (config.activation == SaeActivation::JumpRelu)
        autoencoder.threshold = tensors.vectorOf("threshold", m);
    if (config.rescaleByDecoderNorm)
        foldDecoderNorms(autoencoder, context);
    const bool factorALatent = tensors.has(kScalingFactor) && tensors.shape(kScalingFactor) == std::vector{m};
    if (config.scalesValues || factorALatent)
        foldScalingFactor(autoencoder, tensors);
    if (config.scalesInput) {
        const double scale = inputScale(files, tensors, options, autoencoder);
        foldInputScale(autoencoder, scale, scale, context);
        config.scalesInput = false;
    }
    noteUnknownKeys(autoencoder, config.unknownKeys, files.config.filename().string());
    noteUnusedTensors(autoencoder, tensors);
    return autoencoder;
}

} // namespace tamis::io
