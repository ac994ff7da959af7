// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/encoder_quality.h"

#include "core/base/error.h"
#include "core/encoder/coarse_scorer.h"
#include "core/encoder/encoder_latency.h"
#include "core/encoder/exact.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <unordered_map>

namespace tamis::encoder {
namespace {
using report::EncoderReport;
using tensor::Matrix;

void requireSame(const Dictionary& dictionary, const TopKEncoder& encoder)
{
    const auto described = [](std::int64_t width, std::int64_t latents, std::int64_t k) {
        return std::to_string(latents) + " latents on " + std::to_string(width) + " features with k = " + std::to_string(k);
    };
    if (encoder.width() != dictionary.width() || encoder.latents() != dictionary.latents() || encoder.k() != dictionary.k())
        throw Error(ErrorCode::InvalidParameter, "found an encoder of " + described(encoder.width(), encoder.latents(), encoder.k()) + ", expected one of " +
                                                     described(dictionary.width(), dictionary.latents(), dictionary.k()));
}

/// What was found of one exact set, added up over tokens.
struct Comparison {
    std::vector<double> recalls; ///< of tokens with an exact set
    double error = 0, energy = 0;
    std::vector<std::int64_t> missed, active; ///< [M]
};

report::TokenOutcome compareToken(const SparseCodes& exact, const SparseCodes& codes, std::int64_t token, Comparison& comparison)
{
    const auto wanted = exact.latentsOf(token), got = codes.latentsOf(token);
    const auto wantedValues = exact.valuesOf(token), gotValues = codes.valuesOf(token);
    std::unordered_map<std::int32_t, float> found;
    for (std::size_t i = 0; i < got.size(); ++i)
        found.emplace(got[i], gotValues[i]);
    report::TokenOutcome outcome;
    outcome.exact = static_cast<std::int64_t>(wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const auto latent = static_cast<std::size_t>(wanted[i]);
        ++comparison.active[latent];
        const auto place = found.find(wanted[i]);
        if (place == found.end()) {
            ++comparison.missed[latent];
            continue;
        }
        ++outcome.found;
        const double value = static_cast<double>(wantedValues[i]), difference = static_cast<double>(place->second) - value;
        comparison.error += difference * difference;
        comparison.energy += value * value;
    }
    if (outcome.exact > 0) {
        outcome.recall = static_cast<double>(outcome.found) / static_cast<double>(outcome.exact);
        comparison.recalls.push_back(outcome.recall);
    }
    return outcome;
}

void fillRecall(const Comparison& comparison, report::EncoderQuality& quality)
{
    if (comparison.recalls.empty())
        return;
    double sum = 0;
    for (const double recall : comparison.recalls)
        sum += recall;
    quality.recallMean = sum / static_cast<double>(comparison.recalls.size());
    quality.recallP5 = nearestRank(comparison.recalls, 5);
    quality.recallP1 = nearestRank(comparison.recalls, 1);
    quality.recallMin = nearestRank(comparison.recalls, 0);
    if (comparison.energy > 0)
        quality.valueError = std::sqrt(comparison.error / comparison.energy);
}

std::vector<report::MissedLatent> mostMissed(const Comparison& comparison, std::size_t most)
{
    std::vector<report::MissedLatent> missed;
    for (std::size_t i = 0; i < comparison.missed.size(); ++i)
        if (comparison.missed[i] > 0)
            missed.push_back({static_cast<std::int32_t>(i), comparison.missed[i], comparison.active[i]});
    std::ranges::sort(missed, [](const auto& a, const auto& b) { return a.count != b.count ? a.count > b.count : a.latent < b.latent; });
    missed.resize(std::min(missed.size(), most));
    return missed;
}

/// Bounds are told over the spread that scores have where rows point anywhere: rms |w| |x| / sqrt(D).
void addCertificates(const EncodeTrace& trace, const ExactTokens& exact, EncoderReport& report)
{
    report.certified = !trace.certificates.empty();
    double energy = 0;
    for (const double norm : exact.dictionary->rowNorms())
        energy += norm * norm;
    const double row = std::sqrt(energy / static_cast<double>(report.latents) / static_cast<double>(report.width));
    for (std::size_t t = 0; t < trace.certificates.size(); ++t) {
        double length = 0;
        for (const float value : exact.prepared.view().row(static_cast<std::int64_t>(t)))
            length += static_cast<double>(value) * static_cast<double>(value);
        auto& outcome = report.outcomes[t];
        outcome.candidates = trace.certificates[t].candidates;
        outcome.margin = static_cast<double>(trace.certificates[t].margin);
        outcome.dense = trace.certificates[t].dense;
        outcome.failure = static_cast<double>(trace.certificates[t].failure);
        if (const double spread = row * std::sqrt(length); spread > 0)
            outcome.bound = static_cast<double>(trace.certificates[t].bound) / spread;
    }
}

double meanActive(const SparseCodes& codes)
{
    return static_cast<double>(codes.latents.size()) / static_cast<double>(codes.tokens());
}
} // namespace

double nearestRank(std::vector<double> values, int percent)
{
    const std::size_t rank = std::max<std::size_t>(1, (values.size() * static_cast<std::size_t>(percent) + 99) / 100);
    std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(rank - 1));
    return values[rank - 1];
}

report::EncoderCostEstimate estimateOf(const EncoderCost& cost)
{
    return {cost.parameters, cost.bytes, cost.macs, cost.bytesRead};
}

std::shared_ptr<const ExactTokens> exactTokens(std::shared_ptr<const Dictionary> dictionary, Matrix<float> inputs, const RunContext& context)
{
    if (inputs.rows() < 1)
        throw Error(ErrorCode::InvalidParameter, "found no token, expected activations to measure encoders on");
    context.setParts(3);
    auto exact = std::make_shared<ExactTokens>();
    exact->prepared = dictionary->prepared(inputs.view());
    exact->encoder = exactEncoder(dictionary, kernels::ScanPrecision::Float32, context.part(1, "exact encoder"));
    exact->codes = exact->encoder->encode(exact->prepared.view(), context.part(1, "exact codes"));
    const Matrix<float> decoded = dictionary->decoded(exact->codes, inputs.view(), context.part(1, "reconstructing"));
    exact->fvu = 1 - explainedVariance(inputs.view(), decoded.view());
    exact->inputs = std::move(inputs);
    exact->dictionary = std::move(dictionary);
    return exact;
}

EncoderReport measureEncoder(const ExactTokens& exact, const TopKEncoder& encoder, const std::string& method, const Parameters& parameters,
                             const MeasureOptions& options, const RunContext& context)
{
    const auto start = std::chrono::steady_clock::now();
    const Dictionary& dictionary = *exact.dictionary;
    requireSame(dictionary, encoder);
    context.setParts(4 + static_cast<double>(options.latencyBatches.size()));
    EncoderReport report;
    report.method = method;
    report.parameters = parameters;
    report.width = dictionary.width();
    report.latents = dictionary.latents();
    report.k = dictionary.k();
    report.tokens = exact.inputs.rows();
    EncodeTrace trace;
    const SparseCodes codes = encoder.encode(exact.prepared.view(), context.part(1, "encoding"), &trace);
    Comparison comparison;
    comparison.missed.resize(static_cast<std::size_t>(report.latents));
    comparison.active.resize(static_cast<std::size_t>(report.latents));
    for (std::int64_t t = 0; t < report.tokens; ++t)
        report.outcomes.push_back(compareToken(exact.codes, codes, t, comparison));
    report.exactLatents = exact.codes.latents;
    fillRecall(comparison, report.quality);
    report.missed = mostMissed(comparison, options.missed);
    addCertificates(trace, exact, report);
    const Matrix<float> decoded = dictionary.decoded(codes, exact.inputs.view(), context.part(1, "reconstructing"));
    report.quality.fvu = 1 - explainedVariance(exact.inputs.view(), decoded.view());
    report.quality.fvuExact = exact.fvu;
    report.quality.meanActive = meanActive(codes);
    report.quality.meanActiveExact = meanActive(exact.codes);
    if (const auto* coarse = dynamic_cast<const CoarseEncoder*>(&encoder)) {
        const auto ranks = coarseRanks(*coarse->scorer(), exact.prepared.view(), exact.codes, context.part(2, "ranking"));
        report.coarseRanks.assign(ranks.begin(), ranks.end());
    }
    report.cost = estimateOf(encoder.cost());
    if (report.certified) { // what its exact scores took on these tokens, which no shape foretells
        report.cost.macs += trace.rowsScored * static_cast<double>(report.width);
        report.cost.bytesRead += trace.rowsScored * 4 * static_cast<double>(report.width + 1);
    }
    report.exactCost = estimateOf(exact.encoder->cost());
    for (const std::int64_t batch : options.latencyBatches)
        report.latency.push_back(measureLatency(encoder, *exact.encoder, exact.prepared.view(), batch, options.latencySeconds, context.part(1, "measuring latency")));
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    context.finish();
    return report;
}

} // namespace tamis::encoder
