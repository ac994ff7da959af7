// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/sparse_decoder.h"

#include "core/base/parallel.h"

#include <algorithm>
#include <vector>

namespace tamis::encoder {
namespace {
constexpr std::int64_t kTokensATask = 32;
double at(const std::vector<float>& values, std::int32_t latent, double otherwise)
{
    return values.empty() ? otherwise : static_cast<double>(values[static_cast<std::size_t>(latent)]);
}
} // namespace

SparseDecoder::SparseDecoder(std::shared_ptr<const Dictionary> dictionary) : m_dictionary(std::move(dictionary)) {}

double SparseDecoder::value(std::int32_t latent, double score) const
{
    const io::SparseAutoencoder& a = m_dictionary->autoencoder();
    if (a.config.activation == io::SaeActivation::JumpRelu)
        score += std::max(0.0, at(a.threshold, latent, 0));
    const double value = at(a.valueScale, latent, 1) * score + at(a.valueBias, latent, 0);
    return a.config.activation == io::SaeActivation::Gated ? std::max(value, 0.0) : value;
}

double SparseDecoder::slope(std::int32_t latent, double score) const
{
    const io::SparseAutoencoder& a = m_dictionary->autoencoder();
    if (a.config.activation == io::SaeActivation::Gated && value(latent, score) <= 0)
        return 0;
    return at(a.valueScale, latent, 1);
}

tensor::Matrix<float> SparseDecoder::decoded(const SparseCodes& codes, const RunContext& context) const
{
    tensor::Matrix<float> result(codes.tokens(), width());
    parallelFor(context, static_cast<std::size_t>((codes.tokens() + kTokensATask - 1) / kTokensATask), [&](std::size_t task) {
        const std::int64_t first = static_cast<std::int64_t>(task) * kTokensATask;
        std::vector<double> sum(static_cast<std::size_t>(width()));
        for (std::int64_t t = first; t < std::min(codes.tokens(), first + kTokensATask); ++t) {
            context.throwIfStopped();
            std::ranges::fill(sum, 0.0);
            const auto latents = codes.latentsOf(t);
            for (std::size_t i = 0; i < latents.size(); ++i) {
                const double v = value(latents[i], static_cast<double>(codes.valuesOf(t)[i]));
                const auto d = row(latents[i]);
                for (std::size_t j = 0; j < sum.size(); ++j)
                    sum[j] += v * static_cast<double>(d[j]);
            }
            std::ranges::transform(sum, result.view().row(t).begin(), [](double each) { return static_cast<float>(each); });
        }
    });
    return result;
}

bool SparseDecoder::decodesItsInput() const noexcept
{
    const io::SaeConfig& config = m_dictionary->autoencoder().config;
    return !config.transcodes && !config.skips;
}

tensor::Matrix<float> SparseDecoder::inputsAsTargets(tensor::MatrixView<const float> prepared) const
{
    const auto& bias = m_dictionary->autoencoder().decoderBias;
    tensor::Matrix<float> targets(prepared.rows, prepared.cols);
    for (std::int64_t t = 0; t < prepared.rows; ++t)
        for (std::size_t j = 0; j < bias.size(); ++j)
            targets(t, static_cast<std::int64_t>(j)) = prepared(t, static_cast<std::int64_t>(j)) - bias[j];
    return targets;
}

} // namespace tamis::encoder
