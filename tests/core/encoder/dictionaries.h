// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Small dictionaries of whole numbers, on which float arithmetic is exact, and the codes that follow from the definition.
#include "core/encoder/dictionary.h"

#include <algorithm>
#include <memory>
#include <numeric>
#include <random>

namespace tamis::test {

inline void fillWhole(std::span<float> values, int most, std::uint32_t seed)
{
    std::mt19937 random(seed);
    std::uniform_int_distribution<int> draw(-most, most);
    for (float& value : values)
        value = static_cast<float>(draw(random));
}

/// Products and sums stay below 2^24: exact in float whatever their order; ties abound.
inline io::SparseAutoencoder wholeAutoencoder(std::int64_t latents, std::int64_t width, std::int64_t k, io::SaeActivation activation = io::SaeActivation::TopK)
{
    io::SparseAutoencoder a;
    a.config.activation = activation;
    a.config.k = k;
    a.encoder = tensor::Matrix<float>(latents, width);
    a.decoder = tensor::Matrix<float>(latents, width);
    a.encoderBias.resize(static_cast<std::size_t>(latents));
    a.decoderBias.resize(static_cast<std::size_t>(width));
    fillWhole(a.encoder.values(), 3, 1);
    fillWhole(a.decoder.values(), 3, 2);
    fillWhole(a.encoderBias, 3, 3);
    fillWhole(a.decoderBias, 3, 4);
    if (activation == io::SaeActivation::JumpRelu) {
        a.threshold.resize(static_cast<std::size_t>(latents));
        fillWhole(a.threshold, 9, 5);
    }
    return a;
}

inline std::shared_ptr<const encoder::Dictionary> wholeDictionary(std::int64_t latents, std::int64_t width, std::int64_t k)
{
    return encoder::Dictionary::of(std::make_shared<const io::SparseAutoencoder>(wholeAutoencoder(latents, width, k)));
}

inline tensor::Matrix<float> wholeTokens(std::int64_t tokens, std::int64_t width)
{
    tensor::Matrix<float> x(tokens, width);
    fillWhole(x.values(), 4, 11);
    return x;
}

/// Of prepared inputs, scored in double one latent after the other and sorted whole.
inline encoder::SparseCodes bruteCodes(const encoder::Dictionary& dictionary, tensor::MatrixView<const float> prepared)
{
    encoder::SparseCodes codes;
    for (std::int64_t t = 0; t < prepared.rows; ++t) {
        std::vector<std::pair<double, std::int32_t>> scored;
        for (std::int64_t i = 0; i < dictionary.latents(); ++i) {
            double z = static_cast<double>(dictionary.bias()[static_cast<std::size_t>(i)]);
            for (std::int64_t j = 0; j < prepared.cols; ++j)
                z += static_cast<double>(dictionary.rows()(i, j)) * static_cast<double>(prepared(t, j));
            if (z > 0)
                scored.emplace_back(-z, static_cast<std::int32_t>(i));
        }
        std::ranges::sort(scored);
        scored.resize(std::min(scored.size(), static_cast<std::size_t>(dictionary.k())));
        for (const auto& [minus, latent] : scored) {
            codes.latents.push_back(latent);
            codes.values.push_back(static_cast<float>(-minus));
        }
        codes.first.push_back(codes.latents.size());
    }
    return codes;
}

/// Bit for bit.
inline bool sameCodes(const encoder::SparseCodes& a, const encoder::SparseCodes& b)
{
    return a.first == b.first && a.latents == b.latents && a.values == b.values;
}

} // namespace tamis::test
