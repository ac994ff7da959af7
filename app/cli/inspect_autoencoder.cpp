// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/inspect_autoencoder.h"

#include "app/cli/table.h"

#include <nlohmann/json.hpp>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

std::string normalisationName(io::SaeNormalisation normalisation)
{
    switch (normalisation) {
    case io::SaeNormalisation::None:
        return "none";
    case io::SaeNormalisation::ConstantNorm:
        return "constant norm";
    case io::SaeNormalisation::LayerNorm:
        return "layer norm";
    }
    return "none";
}

bool valuesAreApart(const io::SparseAutoencoder& autoencoder) { return !autoencoder.valueScale.empty() || !autoencoder.valueBias.empty(); }
} // namespace

ordered_json autoencoderJson(const io::SparseAutoencoder& autoencoder)
{
    const auto& config = autoencoder.config;
    return {{"format", io::saeFormatName(autoencoder.format)}, {"width", autoencoder.width()}, {"latents", autoencoder.latents()},
            {"k", config.k > 0 ? ordered_json(config.k) : ordered_json(nullptr)}, {"activation", io::saeActivationName(config.activation)},
            {"normalisation", normalisationName(config.normalisation)}, {"subtractsDecoderBias", config.subtractDecoderBias},
            {"transcodes", config.transcodes}, {"skips", config.skips}, {"valuesApartFromScores", valuesAreApart(autoencoder)},
            {"model", config.model}, {"site", config.site}, {"notes", autoencoder.notes}};
}

std::string describedAutoencoder(const io::SparseAutoencoder& autoencoder)
{
    const auto& config = autoencoder.config;
    std::string text = "sparse autoencoder, " + std::string(io::saeFormatName(autoencoder.format)) + "\n" +
                       "  features D     " + grouped(static_cast<std::uint64_t>(autoencoder.width())) + "\n" +
                       "  latents M      " + grouped(static_cast<std::uint64_t>(autoencoder.latents())) + "\n" +
                       "  k              " + (config.k > 0 ? std::to_string(config.k) : "-") + "\n" +
                       "  activation     " + std::string(io::saeActivationName(config.activation)) +
                       (valuesAreApart(autoencoder) ? ", values apart from the scores that select" : "") + "\n" +
                       "  normalisation  " + normalisationName(config.normalisation) + "\n" +
                       "  decoder bias   " + (config.subtractDecoderBias ? "leaves the input first" : "stays in the input") + "\n";
    if (config.transcodes || config.skips)
        text += std::string("  decodes        ") + (config.transcodes ? "another site" : "its own site") + (config.skips ? ", with a skip connection" : "") + "\n";
    if (!config.model.empty() || !config.site.empty())
        text += "  trained on     " + config.model + (config.model.empty() || config.site.empty() ? "" : ", ") + config.site + "\n";
    text += "  parameters     " + grouped(autoencoder.parameters()) + "\n";
    for (const auto& note : autoencoder.notes)
        text += "note: " + note + "\n";
    return text;
}

} // namespace tamis::cli
