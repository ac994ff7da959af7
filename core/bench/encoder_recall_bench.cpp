// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/bench/encoder_recall_bench.h"

#include "core/base/error.h"
#include "core/bench/synthetic_dictionary.h"
#include "core/encoder/activation_rows.h"
#include "core/encoder/encoder_comparison.h"
#include "core/io/sae_checkpoint.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>

namespace tamis::bench {
namespace {
using encoder::ComparedEncoder;
using tensor::Matrix;
constexpr std::array<std::int64_t, 2> kBatches{1, 64};
constexpr std::int64_t kSyntheticFitted = 2048, kSyntheticMeasured = 256;

ComparedEncoder compared(const char* id, std::vector<std::pair<std::string, ParameterValue>> settings)
{
    const auto* method = encoder::findMethod(id);
    if (!method)
        throw Error(ErrorCode::InvalidParameter, std::string("found no method ") + id + ", expected one of the encoder lab");
    ComparedEncoder result{method, {}, method->declaration.title, {}};
    for (auto& [name, value] : settings) {
        result.told.push_back(name);
        result.parameters.set(name, value);
    }
    result.parameters = method->declaration.schema.complete(result.parameters);
    return result;
}

/// What may reach the recall: other number types, proofs, and candidates from every kind of coarse score in doublings.
std::vector<ComparedEncoder> candidates(const encoder::Dictionary& dictionary, std::int64_t mostCandidates)
{
    const auto text = [](const char* value) { return ParameterValue(std::string(value)); };
    std::vector<ComparedEncoder> all;
    for (const char* precision : {"bf16", "int8"})
        all.push_back(compared("encoder.exact", {{"precision", text(precision)}}));
    for (const char* bits : {"8", "4"})
        all.push_back(compared("encoder.certified", {{"bits", text(bits)}}));
    const std::int64_t most = std::min<std::int64_t>(dictionary.latents() / 4, mostCandidates);
    for (std::int64_t count = 2 * dictionary.k(); count <= most; count *= 2) {
        for (const char* coarse : {"int8", "int4"})
            if (count <= 256)
                all.push_back(compared("encoder.two-stage", {{"coarse", text(coarse)}, {"candidates", count}}));
        for (const std::int64_t parts : {8, 4})
            all.push_back(compared("encoder.two-stage", {{"coarse", text("product")}, {"subvectors", std::min<std::int64_t>(dictionary.width() / parts, 256)}, {"candidates", count}}));
        for (const std::int64_t part : {4, 2})
            all.push_back(compared("encoder.two-stage", {{"coarse", text("low-rank")}, {"rank", dictionary.width() / part}, {"candidates", count}}));
    }
    return all;
}

std::string sentence(const char* format, double a, double b, double c, double d, double e)
{
    std::array<char, 200> text;
    std::snprintf(text.data(), text.size(), format, a, b, c, d, e);
    return text.data();
}

/// `decodes`: what the codes reconstruct means something.
void addFastest(std::vector<BenchResult>& results, const std::string& name, const encoder::Inputs& inputs, Matrix<float> measured, const EncoderRecallInputs& settings, bool decodes, const RunContext& context)
{
    const auto exact = encoder::exactTokens(inputs.dictionary, std::move(measured), context);
    encoder::MeasureOptions options;
    options.latencyBatches.assign(kBatches.begin(), kBatches.end());
    options.latencySeconds = settings.latencySeconds;
    const auto comparison = encoder::compareEncoders(*exact, inputs, candidates(*inputs.dictionary, settings.mostCandidates), options, context);
    for (const std::int64_t batch : kBatches) {
        const auto* point = encoder::fastestAt(comparison, settings.recall, batch);
        if (!point)
            continue;
        const auto& latency = *std::ranges::find(point->latency, batch, &report::EncoderLatency::batch);
        const auto& q = point->quality;
        results.push_back({.name = "fastest at recall " + std::to_string(settings.recall).substr(0, 4) + ", " + name + ", batch " + std::to_string(batch) + ": " + point->title + ", " + point->settings,
                           .oursSeconds = latency.p50 / 1e3,
                           .peerSeconds = latency.exactP50 / 1e3,
                           .peerName = "own dense f32 scan",
                           .ratio = latency.exactP50 / latency.p50,
                           .unit = "s",
                           .bound = {},
                           .boundFraction = std::numeric_limits<double>::quiet_NaN(),
                           .note = (decodes ? sentence("recall %.4f mean, %.3f p5, %.3f min; FVU %.5f, exact %.5f; ", q.recallMean, q.recallP5, q.recallMin, q.fvu, q.fvuExact)
                                           : sentence("recall %.4f mean, %.3f p5, %.3f min; value error %.2g; no FVU: nothing trained its decoder; ", q.recallMean, q.recallP5, q.recallMin, q.valueError, 0)) +
                                   "of " +
                                   std::to_string(comparison.points.size()) + " encoders on " + std::to_string(comparison.tokenCount) + " tokens"});
    }
}

Matrix<float> rowsOf(const Matrix<float>& all, std::int64_t begin, std::int64_t end)
{
    Matrix<float> rows(end - begin, all.cols());
    std::copy_n(all.data() + begin * all.cols(), rows.size(), rows.data());
    return rows;
}
} // namespace

std::vector<BenchResult> benchEncoderRecall(const RunContext& context, const EncoderRecallInputs& inputs)
{
    const bool synthetic = inputs.synthetic.latents > 0;
    context.setParts(static_cast<double>(inputs.autoencoders.size() + (synthetic ? 2 : 0)));
    std::vector<BenchResult> results;
    for (const BundledAutoencoder& each : inputs.autoencoders) {
        auto autoencoder = std::make_shared<const io::SparseAutoencoder>(io::readSparseAutoencoder(each.autoencoder, context));
        encoder::Inputs fit{.dictionary = encoder::Dictionary::of(std::move(autoencoder)), .calibration = {}, .seed = 0, .trainingSeen = {}, .enough = {}};
        const auto rows = encoder::readActivations(each.tokens, fit.dictionary->width(), context);
        fit.calibration = fit.dictionary->prepared(rowsOf(rows, 0, rows.rows() / 2).view());
        addFastest(results, each.name, fit, rowsOf(rows, rows.rows() / 2, rows.rows()), inputs, true, context.part(1, each.name));
    }
    if (synthetic) {
        const auto& shape = inputs.synthetic;
        const std::string name = "synthetic " + std::to_string(shape.width) + " x " + std::to_string(shape.latents);
        encoder::Inputs fit{.dictionary = syntheticDictionary(shape.width, shape.latents, shape.k, context, true), .calibration = {}, .seed = 0, .trainingSeen = {}, .enough = {}};
        fit.calibration = fit.dictionary->prepared(syntheticTokens(*fit.dictionary, kSyntheticFitted, shape.outlier, 13).view());
        addFastest(results, name, fit, syntheticTokens(*fit.dictionary, kSyntheticMeasured, shape.outlier, 14), inputs, false, context.part(2, name));
    }
    return results;
}

} // namespace tamis::bench
