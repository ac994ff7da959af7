// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/encoder_quality.h"

#include "core/base/error.h"
#include "core/encoder/coarse_scorer.h"
#include "core/encoder/encoder_latency.h"
#include "core/encoder/exact.h"
#include "core/encoder/measurement.h"

#include <algorithm>
#include <chrono>
#include <string>

namespace tamis::encoder {
using report::EncoderReport;
using tensor::Matrix;

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

void requireSameDictionary(const Dictionary& dictionary, const TopKEncoder& encoder)
{
    const auto described = [](std::int64_t width, std::int64_t latents, std::int64_t k) {
        return std::to_string(latents) + " latents on " + std::to_string(width) + " features with k = " + std::to_string(k);
    };
    if (encoder.width() != dictionary.width() || encoder.latents() != dictionary.latents() || encoder.k() != dictionary.k())
        throw Error(ErrorCode::InvalidParameter, "found an encoder of " + described(encoder.width(), encoder.latents(), encoder.k()) + ", expected one of " +
                                                     described(dictionary.width(), dictionary.latents(), dictionary.k()));
}

EncoderReport startedReport(const Dictionary& dictionary, const TopKEncoder& exact, const TopKEncoder& encoder, const std::string& method, const Parameters& parameters)
{
    EncoderReport report;
    report.method = method;
    report.parameters = parameters;
    report.width = dictionary.width();
    report.latents = dictionary.latents();
    report.k = dictionary.k();
    report.cost = estimateOf(encoder.cost());
    report.exactCost = estimateOf(exact.cost());
    return report;
}

void addRanksAndLatency(EncoderReport& report, const QualitySums& sums, const TopKEncoder& exact, const TopKEncoder& encoder, const MeasureOptions& options, const RunContext& context)
{
    context.setParts(2 + static_cast<double>(options.latencyBatches.size()));
    if (const auto* coarse = dynamic_cast<const CoarseEncoder*>(&encoder)) {
        const auto ranks = coarseRanks(*coarse->scorer(), sums.keptRows(), sums.keptExact(), context.part(2, "ranking"));
        report.coarseRanks.assign(ranks.begin(), ranks.end());
    }
    for (const std::int64_t batch : options.latencyBatches)
        report.latency.push_back(measureLatency(encoder, exact, sums.keptRows(), batch, options.latencySeconds, context.part(1, "measuring latency")));
    context.finish();
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
    RowSpread spread(inputs.cols());
    spread.add(inputs.view(), context);
    exact->spread = spread.total();
    SquaredErrors errors;
    errors.add(inputs.view(), decoded.view(), context);
    exact->fvu = unexplained(errors.total(), exact->spread);
    exact->inputs = std::move(inputs);
    exact->dictionary = std::move(dictionary);
    return exact;
}

EncoderReport measureEncoder(const ExactTokens& exact, const TopKEncoder& encoder, const std::string& method, const Parameters& parameters,
                             const MeasureOptions& options, const RunContext& context)
{
    const auto start = std::chrono::steady_clock::now();
    const Dictionary& dictionary = *exact.dictionary;
    requireSameDictionary(dictionary, encoder);
    context.setParts(4 + static_cast<double>(options.latencyBatches.size()));
    EncoderReport report = startedReport(dictionary, *exact.encoder, encoder, method, parameters);
    EncodeTrace trace{.wantsRanking = false};
    const SparseCodes codes = encoder.encode(exact.prepared.view(), context.part(1, "encoding"), &trace);
    QualitySums sums(exact.dictionary, exact.inputs.rows(), options.outcomes);
    sums.add({exact.prepared.view(), &exact.codes, &codes, &trace});
    sums.fill(report, options.missed);
    const Matrix<float> decoded = dictionary.decoded(codes, exact.inputs.view(), context.part(1, "reconstructing"));
    SquaredErrors errors;
    errors.add(exact.inputs.view(), decoded.view(), context);
    report.quality.fvu = unexplained(errors.total(), exact.spread);
    report.quality.fvuExact = exact.fvu;
    addRanksAndLatency(report, sums, *exact.encoder, encoder, options, context.part(2 + static_cast<double>(options.latencyBatches.size()), "measuring"));
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    context.finish();
    return report;
}

} // namespace tamis::encoder
