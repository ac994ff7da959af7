// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/sae_fold.h"

#include "core/base/error.h"

#include <cmath>

namespace tamis::io
{
namespace
{
void multiply(std::span<float> values, double factor)
{
    for (float& value : values)
        value = static_cast<float>(value * factor);
}

// A row at a time, so that a stop is seen after each.
void multiplyRows(tensor::Matrix<float>& matrix, const RunContext& context, auto factorOf)
{
    for (std::int64_t i = 0; i < matrix.rows(); ++i) {
        context.throwIfStopped();
        multiply(matrix.view().row(i), factorOf(static_cast<std::size_t>(i)));
    }
}

void scaleEncoder(SparseAutoencoder& a, const std::vector<double>& factors, const RunContext& context)
{
    multiplyRows(a.encoder, context, [&](std::size_t i) { return factors[i]; });
    for (std::size_t i = 0; i < factors.size(); ++i)
        a.encoderBias[i] = static_cast<float>(a.encoderBias[i] * factors[i]);
}

// A row of zeros stays: its scores are 0, or its values have no effect.
void normaliseDecoder(SparseAutoencoder& a, const std::vector<double>& norms, const RunContext& context)
{
    multiplyRows(a.decoder, context, [&](std::size_t i) { return norms[i] > 0 ? 1 / norms[i] : 1.0; });
}

// The bias that leaves the input and the one that joins the output are the same vector; where their scales differ the
// first goes into the encoder's bias.
void partBiases(SparseAutoencoder& a, const RunContext& context)
{
    for (std::int64_t i = 0; i < a.latents(); ++i) {
        context.throwIfStopped();
        double shift = 0;
        for (std::int64_t j = 0; j < a.width(); ++j)
            shift += static_cast<double>(a.encoder(i, j)) * a.decoderBias[static_cast<std::size_t>(j)];
        float& bias = a.encoderBias[static_cast<std::size_t>(i)];
        bias = static_cast<float>(bias - shift);
    }
    a.config.subtractDecoderBias = false;
}
} // namespace

std::vector<double> decoderNorms(const SparseAutoencoder& autoencoder, const RunContext& context)
{
    std::vector<double> norms;
    for (std::int64_t i = 0; i < autoencoder.latents(); ++i) {
        context.throwIfStopped();
        double squares = 0;
        for (const float value : autoencoder.decoder.view().row(i))
            squares += static_cast<double>(value) * value;
        norms.push_back(std::sqrt(squares));
    }
    return norms;
}

void foldDecoderNorms(SparseAutoencoder& autoencoder, const RunContext& context)
{
    const std::vector<double> norms = decoderNorms(autoencoder, context);
    scaleEncoder(autoencoder, norms, context);
    normaliseDecoder(autoencoder, norms, context);
    autoencoder.config.rescaleByDecoderNorm = false;
}

void selectByDecoderNorms(SparseAutoencoder& autoencoder, const RunContext& context)
{
    const std::vector<double> norms = decoderNorms(autoencoder, context);
    scaleEncoder(autoencoder, norms, context);
    autoencoder.valueScale.clear();
    for (const double norm : norms)
        autoencoder.valueScale.push_back(norm > 0 ? static_cast<float>(1 / norm) : 0.0F);
}

void countByDecoderNorms(SparseAutoencoder& autoencoder, const RunContext& context)
{
    const std::vector<double> norms = decoderNorms(autoencoder, context);
    if (autoencoder.valueScale.empty())
        scaleEncoder(autoencoder, norms, context);
    for (std::vector<float>* values : {&autoencoder.threshold, &autoencoder.valueScale, &autoencoder.valueBias})
        for (std::size_t i = 0; i < values->size(); ++i)
            (*values)[i] = static_cast<float>((*values)[i] * norms[i]);
    normaliseDecoder(autoencoder, norms, context);
}

void scaleRows(SparseAutoencoder& autoencoder, double encoder, double decoder, const RunContext& context)
{
    multiplyRows(autoencoder.encoder, context, [&](std::size_t) { return encoder; });
    multiplyRows(autoencoder.decoder, context, [&](std::size_t) { return decoder; });
}

void foldInputScale(SparseAutoencoder& autoencoder, double input, double output, const RunContext& context)
{
    if (autoencoder.config.subtractDecoderBias && input != output)
        partBiases(autoencoder, context);
    scaleRows(autoencoder, input, 1 / output, context);
    multiply(autoencoder.decoderBias, 1 / output);
}

void foldInputScaleIntoBiases(SparseAutoencoder& autoencoder, double input, double output, const RunContext& context)
{
    multiply(autoencoder.encoderBias, 1 / input);
    scaleRows(autoencoder, 1, input / output, context);
    multiply(autoencoder.decoderBias, 1 / output);
}

void setGate(SparseAutoencoder& autoencoder, const std::vector<float>& r, const std::vector<float>& bias,
             const std::string& subject)
{
    autoencoder.valueScale.clear();
    autoencoder.valueBias.clear();
    for (std::size_t i = 0; i < r.size(); ++i) {
        const double scale = std::exp(static_cast<double>(r[i]));
        const double shift = bias[i] - scale * autoencoder.encoderBias[i];
        if (!std::isfinite(static_cast<float>(scale)) || !std::isfinite(static_cast<float>(shift)))
            throw Error(ErrorCode::NonFinite, "exp(" + std::to_string(r[i]) + ") is too large, expected finite scales",
                        subject);
        autoencoder.valueScale.push_back(static_cast<float>(scale));
        autoencoder.valueBias.push_back(static_cast<float>(shift));
    }
}

} // namespace tamis::io
