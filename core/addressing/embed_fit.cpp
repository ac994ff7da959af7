// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/addressing/embed_fit.h"

#include "core/addressing/mlp_rows.h"
#include "core/base/error.h"
#include "core/base/memory_estimate.h"

#include <algorithm>
#include <cmath>

namespace tamis::addressing {
namespace {
constexpr std::uint64_t kMaximumSumBytes = std::uint64_t{4} << 30U;

/// Sums over rows, [layers][tokens][width].
struct Sums {
    std::vector<double> product, square; ///< c o, c^2
    std::vector<double> whole;           ///< [layers][width] o^2
};

void requireTwins(const nn::Model& whole, const nn::Model& cheaper, const EmbedFitSettings& settings)
{
    if (!(settings.ridge >= 0))
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(settings.ridge) + ", expected at least 0", "ridge");
    if (whole.blocks().size() != cheaper.blocks().size() || whole.spec().text.vocabulary != cheaper.spec().text.vocabulary)
        throw Error(ErrorCode::InvalidParameter, "found models of " + std::to_string(whole.blocks().size()) + " and " + std::to_string(cheaper.blocks().size()) + " blocks, expected two forms of one model", "deep-embed");
    for (std::size_t b = 0; b < whole.blocks().size(); ++b)
        if (whole.blocks()[b].spec.width != whole.blocks()[0].spec.width || cheaper.blocks()[b].spec.width != whole.blocks()[0].spec.width || !cheaper.blocks()[b].down)
            throw Error(ErrorCode::UnsupportedFeature, "block " + std::to_string(b) + " has another width or no feed-forward part", "deep-embed");
}

Sums sumUp(const nn::Model& whole, const nn::Model& cheaper, const measure::SampleSource& source, const EmbedFitSettings& settings, std::vector<std::uint64_t>& seen, const RunContext& context)
{
    const std::size_t layers = whole.blocks().size(), width = static_cast<std::size_t>(whole.blocks()[0].spec.width), tokens = seen.size();
    Sums sums{std::vector<double>(layers * tokens * width), std::vector<double>(layers * tokens * width), std::vector<double>(layers * width)};
    nn::Scratch scratch(true, context);
    visitMlps(whole, source, settings.samples, [&](const MlpRows& rows) {
        nn::Scratch::Frame frame(scratch);
        const kernels::Rows output = frame.take(rows.output.rows, rows.output.cols);
        const auto layer = static_cast<std::size_t>(rows.block);
        applyMlp(cheaper.blocks()[layer], rows.input, output, scratch);
        for (std::int64_t t = 0; t < output.rows; ++t) {
            const auto token = static_cast<std::size_t>(rows.tokens[static_cast<std::size_t>(t)]);
            seen[token] += layer == 0;
            double* const product = sums.product.data() + (layer * tokens + token) * width;
            double* const square = sums.square.data() + (layer * tokens + token) * width;
            for (std::size_t j = 0; j < width; ++j) {
                const double c = static_cast<double>(output(t, static_cast<std::int64_t>(j))), o = static_cast<double>(rows.output(t, static_cast<std::int64_t>(j)));
                product[j] += c * o;
                square[j] += c * c;
                sums.whole[layer * width + j] += o * o;
            }
        }
    }, context);
    return sums;
}

/// 0 / 0 is `otherwise`: a feature that is never there needs no other scale.
double ratio(double above, double below, double otherwise) { return below > 0 ? above / below : otherwise; }
} // namespace

std::span<const float> EmbedFit::row(std::int64_t layer, std::int64_t token) const noexcept
{
    return {m_rows.data() + (layer * m_tokens + token) * m_width, static_cast<std::size_t>(m_width)};
}

std::span<const float> EmbedFit::shared(std::int64_t layer) const noexcept { return {m_shared.data() + layer * m_width, static_cast<std::size_t>(m_width)}; }

EmbedFit fitDeepEmbed(const nn::Model& whole, const nn::Model& cheaper, const measure::SampleSource& source, const EmbedFitSettings& settings, const RunContext& context)
{
    requireTwins(whole, cheaper, settings);
    EmbedFit fit;
    fit.m_layers = static_cast<std::int64_t>(whole.blocks().size());
    fit.m_width = whole.blocks()[0].spec.width;
    fit.m_tokens = whole.spec().text.vocabulary;
    const std::size_t layers = whole.blocks().size(), width = static_cast<std::size_t>(fit.m_width), tokens = static_cast<std::size_t>(fit.m_tokens);
    if (2 * 8 * static_cast<double>(layers) * static_cast<double>(width) * static_cast<double>(tokens) > static_cast<double>(kMaximumSumBytes))
        throw Error(ErrorCode::LimitExceeded, "the sums for " + std::to_string(tokens) + " tokens, " + std::to_string(layers) + " layers and width " + std::to_string(width) + " need more than 4 GiB", "deep-embed");
    requireMemory((2 * sizeof(double) + sizeof(float)) * layers * width * tokens + sizeof(std::uint64_t) * tokens, "a table fitted to " + std::to_string(tokens) + " tokens");
    fit.m_seen.resize(tokens);
    const Sums sums = sumUp(whole, cheaper, source, settings, fit.m_seen, context);
    double rows = 0;
    for (const std::uint64_t count : fit.m_seen)
        rows += static_cast<double>(count);
    fit.m_rows.resize(layers * tokens * width);
    fit.m_shared.resize(layers * width);
    for (std::size_t layer = 0; layer < layers; ++layer) {
        context.throwIfStopped();
        EmbedFitErrors errors;
        double all = 0;
        for (std::size_t j = 0; j < width; ++j) {
            double product = 0, square = 0;
            for (std::size_t v = 0; v < tokens; ++v) {
                product += sums.product[(layer * tokens + v) * width + j];
                square += sums.square[(layer * tokens + v) * width + j];
            }
            const double weight = settings.ridge * square / rows, wholeSquares = sums.whole[layer * width + j];
            const double shared = ratio(product + weight, square + weight, 1), toward = settings.shared ? shared : 1;
            fit.m_shared[layer * width + j] = static_cast<float>(shared);
            all += wholeSquares;
            errors.before += wholeSquares - 2 * product + square;
            errors.shared += wholeSquares - 2 * shared * product + shared * shared * square;
            errors.after += wholeSquares;
            for (std::size_t v = 0; v < tokens; ++v) {
                const std::size_t at = (layer * tokens + v) * width + j;
                const double scale = ratio(sums.product[at] + weight * toward, sums.square[at] + weight, toward);
                if (!std::isfinite(scale))
                    throw Error(ErrorCode::NonFinite, "the outputs of block " + std::to_string(layer) + " hold NaN or infinity", "deep-embed");
                fit.m_rows[at] = static_cast<float>(scale);
                errors.after += scale * (scale * sums.square[at] - 2 * sums.product[at]);
            }
        }
        const auto relative = [&](double error) { return all > 0 ? std::max(error, 0.0) / all : 0; };
        fit.m_errors.push_back({relative(errors.before), relative(errors.shared), relative(errors.after)});
    }
    return fit;
}

} // namespace tamis::addressing
