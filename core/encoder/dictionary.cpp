// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/dictionary.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace tamis::encoder {
namespace {
using io::SaeActivation;

std::int64_t chosenK(const io::SparseAutoencoder& autoencoder, std::int64_t asked)
{
    const SaeActivation activation = autoencoder.config.activation;
    if (activation == SaeActivation::SignedTopK || activation == SaeActivation::GroupMax)
        throw Error(ErrorCode::UnsupportedFeature, "found an autoencoder with the activation " + std::string(io::saeActivationName(activation)) +
                                                       ", expected topk, relu or jumprelu: cheaper encoders look for the k largest positive scores");
    const std::int64_t k = asked > 0 ? asked : autoencoder.config.k;
    if (asked < 0 || k < 1 || k > autoencoder.latents())
        throw Error(ErrorCode::InvalidParameter, "found k = " + std::to_string(asked < 0 ? asked : k) + ", expected 1 to the " + std::to_string(autoencoder.latents()) +
                                                     " latents of the autoencoder" + (k == 0 ? "; its activation " + std::string(io::saeActivationName(activation)) + " states none" : ""));
    return k;
}

/// With the thresholds of JumpReLU, which Dictionary::bias() takes away, added back.
SparseCodes raised(SparseCodes codes, const io::SparseAutoencoder& autoencoder)
{
    for (std::size_t i = 0; i < codes.values.size(); ++i)
        codes.values[i] += std::max(0.0F, autoencoder.threshold[static_cast<std::size_t>(codes.latents[i])]);
    return codes;
}
} // namespace

std::shared_ptr<const Dictionary> Dictionary::of(std::shared_ptr<const io::SparseAutoencoder> autoencoder, std::int64_t k)
{
    std::shared_ptr<Dictionary> dictionary(new Dictionary);
    dictionary->m_k = chosenK(*autoencoder, k);
    const std::int64_t latents = autoencoder->latents(), width = autoencoder->width();
    for (std::int64_t i = 0; i < latents; ++i) {
        double shift = 0, squares = 0;
        for (std::int64_t j = 0; j < width; ++j) {
            const auto w = static_cast<double>(autoencoder->encoder(i, j));
            squares += w * w;
            if (autoencoder->config.subtractDecoderBias)
                shift += w * static_cast<double>(autoencoder->decoderBias[static_cast<std::size_t>(j)]);
        }
        double bias = static_cast<double>(autoencoder->encoderBias[static_cast<std::size_t>(i)]) - shift;
        if (autoencoder->config.activation == SaeActivation::JumpRelu)
            bias -= std::max(0.0, static_cast<double>(autoencoder->threshold[static_cast<std::size_t>(i)]));
        dictionary->m_bias.push_back(static_cast<float>(bias));
        dictionary->m_rowNorms.push_back(std::sqrt(squares));
    }
    dictionary->m_autoencoder = std::move(autoencoder);
    return dictionary;
}

tensor::Matrix<float> Dictionary::prepared(tensor::MatrixView<const float> inputs) const
{
    for (std::int64_t t = 0; t < inputs.rows; ++t)
        if (!std::ranges::all_of(inputs.row(t), [](float value) { return std::isfinite(value); }))
            throw Error(ErrorCode::NonFinite, "token " + std::to_string(t) + " holds a value that is no finite number, expected finite activations");
    return normalisedInputs(*m_autoencoder, inputs);
}

tensor::Matrix<float> Dictionary::decoded(const SparseCodes& codes, tensor::MatrixView<const float> inputs, const RunContext& context) const
{
    if (m_autoencoder->config.activation != SaeActivation::JumpRelu)
        return decode(*m_autoencoder, codes, inputs, context);
    return decode(*m_autoencoder, raised(codes, *m_autoencoder), inputs, context);
}

std::vector<float> Dictionary::activations(const SparseCodes& codes) const
{
    if (m_autoencoder->config.activation != SaeActivation::JumpRelu)
        return latentValues(*m_autoencoder, codes);
    return latentValues(*m_autoencoder, raised(codes, *m_autoencoder));
}

} // namespace tamis::encoder
