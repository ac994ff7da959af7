// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/topk_autoencoder.h"

#include "core/base/error.h"
#include "core/base/parallel.h"

#include <cblas.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

namespace tamis::encoder
{
namespace
{
using io::SaeActivation;
using io::SaeNormalisation;
using io::SparseAutoencoder;
using tensor::Matrix;
using tensor::MatrixView;

constexpr std::int64_t kTileTokens = 32; // of the scores: 32 x 2048 floats stay in L2
constexpr std::int64_t kTileLatents =
    2048; // a tile of width 4096 is 0.27 GMAC, a few milliseconds between looks at the stop token
constexpr double kLayerNormEpsilon = 1e-5;

std::string shapeOf(std::int64_t rows, std::int64_t cols)
{
    return "[" + std::to_string(rows) + ", " + std::to_string(cols) + "]";
}

void requireWidth(const SparseAutoencoder& autoencoder, MatrixView<const float> inputs)
{
    if (inputs.cols != autoencoder.width() || inputs.rows < 0)
        throw Error(ErrorCode::InvalidParameter, "the autoencoder reads " + std::to_string(autoencoder.width()) +
                                                     " features a token, found activations of shape " +
                                                     shapeOf(inputs.rows, inputs.cols));
}

// x -> (x - shift) * scale before the encoder, y -> y / scale + shift after the decoder.
struct Affine {
    double shift = 0, scale = 1;
};

Affine affineOf(SaeNormalisation normalisation, std::span<const float> x)
{
    const double size = static_cast<double>(x.size());
    if (normalisation == SaeNormalisation::ConstantNorm) {
        double squares = 0;
        for (const float value : x)
            squares += static_cast<double>(value) * value;
        return {.shift = 0, .scale = squares > 0 ? std::sqrt(size / squares) : 1.0}; // a token of zeros stays as it is
    }
    if (normalisation == SaeNormalisation::LayerNorm) {
        double mean = 0, squares = 0;
        for (const float value : x)
            mean += value;
        mean /= size;
        for (const float value : x)
            squares += (value - mean) * (value - mean);
        const double deviation = x.size() > 1 ? std::sqrt(squares / (size - 1)) : 0;
        return {.shift = mean, .scale = 1 / (deviation + kLayerNormEpsilon)};
    }
    return {};
}

// What the encoder's rows are multiplied by, for some tokens.
Matrix<float> encoderInputs(const SparseAutoencoder& autoencoder, MatrixView<const float> inputs, std::int64_t begin,
                            std::int64_t count)
{
    Matrix<float> prepared =
        normalisedInputs(autoencoder, {inputs.data + begin * inputs.stride, count, inputs.cols, inputs.stride});
    if (autoencoder.config.subtractDecoderBias)
        for (std::int64_t t = 0; t < count; ++t)
            for (std::int64_t j = 0; j < inputs.cols; ++j)
                prepared(t, j) -= autoencoder.decoderBias[static_cast<std::size_t>(j)];
    return prepared;
}

double latentValue(const SparseAutoencoder& autoencoder, std::int32_t latent, float score)
{
    const auto i = static_cast<std::size_t>(latent);
    double value = score;
    if (!autoencoder.valueScale.empty())
        value *= autoencoder.valueScale[i];
    if (!autoencoder.valueBias.empty())
        value += autoencoder.valueBias[i];
    return autoencoder.config.activation == SaeActivation::Gated ? std::max(value, 0.0) : value;
}

struct Active {
    float value;
    std::int32_t latent;
};
bool before(const Active& a, const Active& b) // the order of SparseCodes
{
    return std::abs(a.value) != std::abs(b.value) ? std::abs(a.value) > std::abs(b.value) : a.latent < b.latent;
}

// Collects the active latents of one token from its scores, which come in pieces from the first latent to the last.
class Selection
{
public:
    explicit Selection(const SparseAutoencoder& autoencoder)
        : m_autoencoder(autoencoder), m_k(static_cast<std::size_t>(autoencoder.config.k))
    {
    }

    void offer(std::int64_t firstLatent, std::span<const float> scores)
    {
        for (std::size_t i = 0; i < scores.size(); ++i)
            offerOne({scores[i], static_cast<std::int32_t>(firstLatent + static_cast<std::int64_t>(i))});
    }
    std::vector<Active> take()
    {
        std::sort(m_found.begin(), m_found.end(), before);
        return std::move(m_found);
    }

private:
    void offerOne(Active each)
    {
        switch (m_autoencoder.config.activation) {
        case SaeActivation::TopK:
            if (each.value > 0)
                keepBest(each);
            break;
        case SaeActivation::SignedTopK:
            if (each.value != 0)
                keepBest(each);
            break;
        case SaeActivation::GroupMax:
            if (each.value > 0)
                keepBestOfGroup(each);
            break;
        case SaeActivation::Relu:
            if (each.value > 0)
                m_found.push_back(each);
            break;
        case SaeActivation::JumpRelu:
            if (each.value > 0 && each.value > m_autoencoder.threshold[static_cast<std::size_t>(each.latent)])
                m_found.push_back(each);
            break;
        case SaeActivation::Gated:
            if (each.value > 0 && latentValue(m_autoencoder, each.latent, each.value) > 0)
                m_found.push_back(each);
            break;
        }
    }
    // A heap whose front is the worst of the k best so far.
    void keepBest(Active each)
    {
        if (m_found.size() < m_k) {
            m_found.push_back(each);
            std::push_heap(m_found.begin(), m_found.end(), before);
        } else if (before(each, m_found.front())) {
            std::pop_heap(m_found.begin(), m_found.end(), before);
            m_found.back() = each;
            std::push_heap(m_found.begin(), m_found.end(), before);
        }
    }
    // Latents come in order, so the group in progress is the last one found.
    void keepBestOfGroup(Active each)
    {
        const std::int64_t groupSize = m_autoencoder.latents() / m_autoencoder.config.k;
        if (m_found.empty() || m_found.back().latent / groupSize != each.latent / groupSize)
            m_found.push_back(each);
        else if (each.value > m_found.back().value)
            m_found.back() = each;
    }

    const SparseAutoencoder& m_autoencoder;
    std::size_t m_k;
    std::vector<Active> m_found;
};

std::vector<std::vector<Active>> encodeTile(const SparseAutoencoder& autoencoder, MatrixView<const float> inputs,
                                            std::int64_t begin, std::int64_t count, const RunContext& context)
{
    const Matrix<float> prepared = encoderInputs(autoencoder, inputs, begin, count);
    const std::int64_t width = autoencoder.width();
    Matrix<float> scores(count, std::min(kTileLatents, autoencoder.latents()));
    std::vector<Selection> selections(static_cast<std::size_t>(count), Selection(autoencoder));
    for (std::int64_t latent = 0; latent < autoencoder.latents(); latent += kTileLatents) {
        context.throwIfStopped();
        const std::int64_t size = std::min(kTileLatents, autoencoder.latents() - latent);
        const auto bias = autoencoder.encoderBias.begin() + latent;
        for (std::int64_t t = 0; t < count; ++t)
            std::copy(bias, bias + size, scores.view().row(t).begin());
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, static_cast<int>(count), static_cast<int>(size),
                    static_cast<int>(width), 1.0F, prepared.data(), static_cast<int>(width),
                    autoencoder.encoder.view().row(latent).data(), static_cast<int>(width), 1.0F, scores.data(),
                    static_cast<int>(scores.cols()));
        for (std::int64_t t = 0; t < count; ++t)
            selections[static_cast<std::size_t>(t)].offer(latent,
                                                          scores.view().row(t).first(static_cast<std::size_t>(size)));
    }
    std::vector<std::vector<Active>> found;
    for (Selection& selection : selections)
        found.push_back(selection.take());
    return found;
}

void decodeToken(const SparseAutoencoder& autoencoder, std::span<const std::int32_t> latents,
                 std::span<const float> values, std::span<const float> x, std::span<double> sum,
                 std::span<float> target)
{
    std::copy(autoencoder.decoderBias.begin(), autoencoder.decoderBias.end(), sum.begin());
    for (std::size_t i = 0; i < latents.size(); ++i) {
        const std::span<const float> row = autoencoder.decoder.view().row(latents[i]);
        const double value = latentValue(autoencoder, latents[i], values[i]);
        for (std::size_t j = 0; j < sum.size(); ++j)
            sum[j] += value * row[j];
    }
    const Affine affine = affineOf(autoencoder.config.normalisation, x);
    for (std::size_t j = 0; j < sum.size(); ++j) {
        double y = sum[j] / affine.scale + affine.shift;
        if (autoencoder.config.skips) {
            const std::span<const float> row = autoencoder.skip.view().row(static_cast<std::int64_t>(j));
            for (std::size_t i = 0; i < x.size(); ++i)
                y += static_cast<double>(row[i]) * x[i];
        }
        target[j] = static_cast<float>(y);
    }
}

void requireFittingCodes(const SparseAutoencoder& autoencoder, const SparseCodes& codes, std::int64_t tokens)
{
    const auto refuse = [](const std::string& what) {
        throw Error(ErrorCode::InvalidParameter, "the codes do not fit: " + what);
    };
    if (codes.tokens() != tokens)
        refuse("found " + std::to_string(codes.tokens()) + " tokens, expected " + std::to_string(tokens));
    if (codes.first.front() != 0 || !std::is_sorted(codes.first.begin(), codes.first.end()) ||
        codes.first.back() != codes.latents.size() || codes.values.size() != codes.latents.size())
        refuse("their lists do not agree in length");
    for (const std::int32_t latent : codes.latents)
        if (latent < 0 || latent >= autoencoder.latents())
            refuse("found latent " + std::to_string(latent) + ", expected one below " +
                   std::to_string(autoencoder.latents()));
}
} // namespace

Matrix<float> normalisedInputs(const SparseAutoencoder& autoencoder, MatrixView<const float> inputs)
{
    requireWidth(autoencoder, inputs);
    Matrix<float> normalised(inputs.rows, inputs.cols);
    for (std::int64_t t = 0; t < inputs.rows; ++t) {
        const std::span<const float> x = inputs.row(t);
        const std::span<float> target = normalised.view().row(t);
        const Affine affine = affineOf(autoencoder.config.normalisation, x);
        for (std::size_t j = 0; j < x.size(); ++j)
            target[j] = autoencoder.config.normalisation == SaeNormalisation::None
                            ? x[j]
                            : static_cast<float>((x[j] - affine.shift) * affine.scale);
    }
    return normalised;
}

SparseCodes encode(const SparseAutoencoder& autoencoder, MatrixView<const float> inputs, const RunContext& context)
{
    requireWidth(autoencoder, inputs);
    const std::int64_t tiles = (inputs.rows + kTileTokens - 1) / kTileTokens;
    std::vector<std::vector<Active>> found(static_cast<std::size_t>(inputs.rows));
    parallelFor(context, static_cast<std::size_t>(tiles), [&](std::size_t tile) {
        const std::int64_t begin = static_cast<std::int64_t>(tile) * kTileTokens;
        std::vector<std::vector<Active>> part =
            encodeTile(autoencoder, inputs, begin, std::min(kTileTokens, inputs.rows - begin), context);
        std::move(part.begin(), part.end(), found.begin() + begin);
    });
    SparseCodes codes;
    for (const std::vector<Active>& token : found) {
        for (const Active& each : token) {
            codes.latents.push_back(each.latent);
            codes.values.push_back(each.value);
        }
        codes.first.push_back(codes.latents.size());
    }
    context.finish();
    return codes;
}

Matrix<float> decode(const SparseAutoencoder& autoencoder, const SparseCodes& codes, MatrixView<const float> inputs,
                     const RunContext& context)
{
    requireWidth(autoencoder, inputs);
    requireFittingCodes(autoencoder, codes, inputs.rows);
    Matrix<float> reconstructions(inputs.rows, inputs.cols);
    const std::int64_t tiles = (inputs.rows + kTileTokens - 1) / kTileTokens;
    parallelFor(context, static_cast<std::size_t>(tiles), [&](std::size_t tile) {
        const std::int64_t begin = static_cast<std::int64_t>(tile) * kTileTokens;
        std::vector<double> sum(static_cast<std::size_t>(inputs.cols));
        for (std::int64_t t = begin; t < std::min(inputs.rows, begin + kTileTokens); ++t) {
            context.throwIfStopped();
            decodeToken(autoencoder, codes.latentsOf(t), codes.valuesOf(t), inputs.row(t), sum,
                        reconstructions.view().row(t));
        }
    });
    context.finish();
    return reconstructions;
}

std::vector<float> latentValues(const SparseAutoencoder& autoencoder, const SparseCodes& codes)
{
    requireFittingCodes(autoencoder, codes, codes.tokens());
    std::vector<float> values;
    for (std::size_t i = 0; i < codes.latents.size(); ++i)
        values.push_back(static_cast<float>(latentValue(autoencoder, codes.latents[i], codes.values[i])));
    return values;
}

double explainedVariance(MatrixView<const float> targets, MatrixView<const float> reconstructions)
{
    if (targets.rows != reconstructions.rows || targets.cols != reconstructions.cols || targets.rows < 1)
        throw Error(ErrorCode::InvalidParameter,
                    "targets of shape " + shapeOf(targets.rows, targets.cols) + " and reconstructions of shape " +
                        shapeOf(reconstructions.rows, reconstructions.cols) + " cannot be compared");
    std::vector<double> mean(static_cast<std::size_t>(targets.cols));
    for (std::int64_t t = 0; t < targets.rows; ++t)
        for (std::size_t j = 0; j < mean.size(); ++j)
            mean[j] += targets.row(t)[j];
    for (double& value : mean)
        value /= static_cast<double>(targets.rows);
    double error = 0, variance = 0;
    for (std::int64_t t = 0; t < targets.rows; ++t)
        for (std::size_t j = 0; j < mean.size(); ++j) {
            const double x = targets.row(t)[j], difference = x - reconstructions.row(t)[j];
            error += difference * difference;
            variance += (x - mean[j]) * (x - mean[j]);
        }
    if (variance > 0)
        return 1 - error / variance;
    return error > 0 ? -std::numeric_limits<double>::infinity() : 1.0;
}

AutoencoderQuality measureAutoencoder(std::int64_t latents, const SparseCodes& codes, MatrixView<const float> targets,
                                      MatrixView<const float> reconstructions)
{
    AutoencoderQuality quality;
    quality.explainedVariance = explainedVariance(targets, reconstructions);
    quality.meanActive = static_cast<double>(codes.latents.size()) / static_cast<double>(targets.rows);
    std::vector<bool> active(static_cast<std::size_t>(latents));
    for (const std::int32_t latent : codes.latents)
        active.at(static_cast<std::size_t>(latent)) = true;
    quality.deadLatents = std::count(active.begin(), active.end(), false);
    return quality;
}

} // namespace tamis::encoder
