// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/overlay.h"

#include "core/measure/logit_metrics.h"
#include "core/tokens/unmerge.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace tamis::tokens {
namespace {
constexpr std::size_t kBestClasses = 5;

std::vector<report::ClassProbability> bestOf(std::span<const float> logits, std::span<const std::string> names)
{
    std::vector<report::ClassProbability> best;
    const std::vector<int> classes = measure::bestClasses(logits, kBestClasses);
    const std::vector<float> probabilities = measure::probabilities(logits, classes);
    for (std::size_t i = 0; i < classes.size(); ++i) {
        const auto index = static_cast<std::size_t>(classes[i]);
        best.push_back({classes[i], index < names.size() ? names[index] : std::string(), static_cast<double>(probabilities[i])});
    }
    return best;
}
} // namespace

double cosineShift(std::span<const float> one, std::span<const float> other)
{
    double product = 0, first = 0, second = 0;
    for (std::size_t i = 0; i < one.size(); ++i) {
        const auto a = static_cast<double>(one[i]), b = static_cast<double>(other[i]);
        product += a * b;
        first += a * a;
        second += b * b;
    }
    if (first == 0 || second == 0)
        return first == second ? 0 : 1;
    return std::max(0.0, 1 - product / std::sqrt(first * second));
}

WholeResult wholeResult(const nn::Model& model, const nn::Sample& sample, nn::Scratch& scratch)
{
    WholeResult whole;
    whole.output.resize(static_cast<std::size_t>(model.outputWidth()));
    Trace trace;
    runReduced(model, {}, sample, {}, {whole.output.data(), 1, model.outputWidth(), model.outputWidth()}, scratch, &trace);
    whole.features = std::move(trace.features);
    whole.rows = std::move(trace.rows);
    return whole;
}

tensor::Matrix<float> unmergedRows(const Trace& trace)
{
    const auto last = std::ranges::find_if(trace.layers.rbegin(), trace.layers.rend(), [](const TracedLayer& layer) { return layer.tokens.mlp > 0; });
    return trace.rows.empty() || last == trace.layers.rend() ? tensor::Matrix<float>() : unmerge(last->set, trace.rows.view());
}

tensor::Matrix<float> unmergedFeatures(const nn::Model& model, const Chain& chain, const nn::Sample& sample, std::span<const Wish> wishes, nn::Scratch& scratch)
{
    Trace trace;
    std::vector<float> output(static_cast<std::size_t>(model.outputWidth()));
    runReduced(model, chain, sample, wishes, {output.data(), 1, model.outputWidth(), model.outputWidth()}, scratch, &trace);
    return unmergedRows(trace);
}

std::vector<float> unmergedShift(const Trace& trace, kernels::ConstRows whole)
{
    const tensor::Matrix<float> rows = unmergedRows(trace);
    std::vector<float> shifts;
    if (rows.empty() || rows.rows() != whole.rows)
        return shifts;
    for (std::int64_t source = trace.layers.front().set.prefix; source < rows.rows(); ++source)
        shifts.push_back(static_cast<float>(cosineShift(whole.row(source), rows.view().row(source))));
    return shifts;
}

std::vector<report::TokenLayer> layersOf(const Trace& trace)
{
    std::vector<report::TokenLayer> layers;
    for (std::size_t i = 0; i < trace.layers.size(); ++i) {
        const TracedLayer& from = trace.layers[i];
        layers.push_back({static_cast<int>(i), from.tokens.attention, from.tokens.mlp, from.set.row, from.set.sizes, from.scores, from.macs});
    }
    return layers;
}

report::TokenOverlay overlay(const nn::Model& model, const Chain& chain, const nn::Sample& sample, std::span<const Wish> wishes, const WholeResult& whole,
                             std::span<const std::string> classNames, nn::Scratch& scratch)
{
    const nn::ModelSpec& spec = model.spec();
    Trace trace;
    std::vector<float> output(static_cast<std::size_t>(model.outputWidth()));
    runReduced(model, chain, sample, wishes, {output.data(), 1, model.outputWidth(), model.outputWidth()}, scratch, &trace);
    report::TokenOverlay result;
    const TokenSet& set = trace.layers.front().set; // a route may see patches of other sizes than the model's
    result.gridRows = set.gridRows;
    result.gridCols = set.gridCols;
    result.prefix = set.prefix;
    result.layers = layersOf(trace);
    result.remark = trace.remark;
    if (spec.classes > 0) {
        result.before = bestOf(whole.output, classNames);
        result.after = bestOf(output, classNames);
    }
    result.embeddingShift = cosineShift(whole.features, trace.features);
    result.unmergedShift = unmergedShift(trace, whole.rows.view());
    result.macs = trace.macs;
    result.fullMacs = modelMacs(spec, wholeTokens(spec));
    result.scoreTitle = chain.scoreTitle;
    return result;
}

} // namespace tamis::tokens
