// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Dictionaries and tokens that are hard on bounds: outlier features, norms and scales far apart, rows of zeros, dead latents, ties.
#include "core/encoder/dictionary.h"

#include <cmath>
#include <memory>
#include <random>

namespace tamis::test {

struct HardCase {
    std::shared_ptr<const encoder::Dictionary> dictionary;
    tensor::Matrix<float> tokens;
};

struct HardShape {
    std::int64_t latents = 700, width = 100, k = 16, tokens = 6;
    float scale = 1;   ///< of rows and biases
    float outlier = 1; ///< of three features of every token
};

/// Random features with log-normal norms; tokens are sums of a few of them and noise. Every 11th latent is dead, every 13th row is of
/// zeros, every 17th repeats the one before it. The second token is of zeros, the third a thousandth of the first.
inline HardCase hardCase(const HardShape& shape, std::uint32_t seed = 1)
{
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    auto a = std::make_shared<io::SparseAutoencoder>();
    a->config.k = shape.k;
    a->config.subtractDecoderBias = false;
    a->encoder = tensor::Matrix<float>(shape.latents, shape.width);
    a->encoderBias.resize(static_cast<std::size_t>(shape.latents));
    a->decoderBias.resize(static_cast<std::size_t>(shape.width));
    const float unit = shape.scale / std::sqrt(static_cast<float>(shape.width));
    for (std::int64_t i = 0; i < shape.latents; ++i) {
        const float norm = unit * std::exp(0.25F * normal(random));
        for (float& w : a->encoder.view().row(i))
            w = i % 13 == 12 ? 0.0F : norm * normal(random);
        float& bias = a->encoderBias[static_cast<std::size_t>(i)];
        bias = shape.scale * (i % 11 == 10 ? -50.0F : -0.3F + 0.1F * normal(random));
        if (i % 17 == 16) {
            std::ranges::copy(a->encoder.view().row(i - 1), a->encoder.view().row(i).begin());
            bias = a->encoderBias[static_cast<std::size_t>(i - 1)];
        }
    }
    HardCase result{nullptr, tensor::Matrix<float>(shape.tokens, shape.width)};
    for (std::int64_t t = 0; t < shape.tokens; ++t) {
        for (float& x : result.tokens.view().row(t))
            x = t == 1 ? 0.0F : normal(random);
        if (t == 2)
            for (std::int64_t j = 0; j < shape.width; ++j)
                result.tokens(t, j) = result.tokens(0, j) * 1e-3F;
        if (t != 1)
            for (std::int64_t j = 0; j < std::min<std::int64_t>(3, shape.width); ++j)
                result.tokens(t, j * shape.width / 3) *= shape.outlier;
    }
    result.dictionary = encoder::Dictionary::of(std::move(a));
    return result;
}

} // namespace tamis::test
