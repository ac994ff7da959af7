// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/bench/synthetic_dictionary.h"

#include "core/base/parallel.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace tamis::bench {
namespace {
constexpr int kActive = 60;
constexpr std::int64_t kRowsAtOnce = 512;

/// Normal to what a bench needs: the sum of eight 16-bit uniforms, within 4.9 deviations. A billion of them take seconds.
class FastNormal {
public:
    explicit FastNormal(std::uint64_t seed) : m_state(seed) {}
    float operator()()
    {
        std::uint32_t sum = 0;
        for (int draw = 0; draw < 2; ++draw)
            for (std::uint64_t bits = next(), part = 0; part < 4; ++part, bits >>= 16)
                sum += static_cast<std::uint32_t>(bits & 0xFFFF);
        return (static_cast<float>(sum) - 4 * 65535.0F) * (1.2247449F / 65536.0F); // variance 8 / 12 of the uniforms
    }

private:
    std::uint64_t next() // splitmix64
    {
        std::uint64_t z = m_state += 0x9E3779B97F4A7C15U;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
        return z ^ (z >> 31);
    }
    std::uint64_t m_state;
};
} // namespace

std::shared_ptr<const encoder::Dictionary> syntheticDictionary(std::int64_t width, std::int64_t latents, std::int64_t k, const RunContext& context, bool decodes)
{
    auto autoencoder = std::make_shared<io::SparseAutoencoder>();
    autoencoder->config.k = k;
    autoencoder->config.subtractDecoderBias = false;
    autoencoder->encoder = tensor::Matrix<float>(latents, width);
    autoencoder->encoderBias.resize(static_cast<std::size_t>(latents));
    if (decodes)
        autoencoder->decoder = tensor::Matrix<float>(latents, width);
    autoencoder->decoderBias.resize(static_cast<std::size_t>(width));
    parallelFor(context, static_cast<std::size_t>((latents + kRowsAtOnce - 1) / kRowsAtOnce), [&](std::size_t piece) {
        const std::int64_t first = static_cast<std::int64_t>(piece) * kRowsAtOnce;
        for (std::int64_t i = first; i < std::min(latents, first + kRowsAtOnce); ++i) {
            FastNormal normal(static_cast<std::uint64_t>(i) * 0xD1342543DE82EF95U + 1);
            const std::span<float> row = autoencoder->encoder.view().row(i);
            double squares = 0;
            for (float& w : row) {
                w = normal();
                squares += static_cast<double>(w) * w;
            }
            const float scale = static_cast<float>(std::exp(0.25 * static_cast<double>(normal())) / std::sqrt(squares));
            for (float& w : row)
                w *= scale;
            if (decodes) {
                const float length = scale * static_cast<float>(std::sqrt(squares));
                std::ranges::transform(row, autoencoder->decoder.view().row(i).begin(), [length](float w) { return w / (length * length); });
            }
            autoencoder->encoderBias[static_cast<std::size_t>(i)] = -0.3F + 0.1F * normal();
        }
    });
    return encoder::Dictionary::of(std::move(autoencoder));
}

tensor::Matrix<float> syntheticTokens(const encoder::Dictionary& dictionary, std::int64_t tokens, float outlier, std::uint64_t seed)
{
    std::mt19937_64 random(seed);
    std::uniform_real_distribution<double> uniform;
    FastNormal normal(seed);
    const auto latents = static_cast<double>(dictionary.latents());
    tensor::Matrix<float> x(tokens, dictionary.width());
    for (std::int64_t t = 0; t < tokens; ++t) {
        const std::span<float> token = x.view().row(t);
        for (int j = 0; j < kActive; ++j) {
            const auto latent = std::min(dictionary.latents() - 1, static_cast<std::int64_t>(std::pow(latents, uniform(random))) - 1);
            const double weight = (1 + 2 * uniform(random)) / dictionary.rowNorms()[static_cast<std::size_t>(latent)];
            for (std::size_t d = 0; d < token.size(); ++d)
                token[d] += static_cast<float>(weight) * dictionary.rows().row(latent)[d];
        }
        double squares = 0;
        for (float& value : token) {
            value += 0.1F * normal();
            squares += static_cast<double>(value) * value;
        }
        const auto size = static_cast<float>(std::sqrt(squares / static_cast<double>(token.size())));
        if (outlier != 1.0F)
            for (std::size_t j = 0; j < std::min<std::size_t>(3, token.size()); ++j)
                token[(2 * j + 1) * token.size() / 6] = outlier * size * (1 + 0.1F * normal());
    }
    return x;
}

} // namespace tamis::bench
