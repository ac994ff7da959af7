// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/inspect_cost.h"

#include "app/cli/json_output.h"
#include "app/cli/table.h"
#include "core/base/memory_estimate.h"
#include "core/cost/ceilings.h"
#include "core/cost/checkpoint_cost.h"
#include "core/cost/measure_layers.h"
#include "core/cost/model_cost.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

/// What was not measured is null without a warning.
ordered_json measured(double value) { return std::isnan(value) ? ordered_json(nullptr) : ordered_json(value); }

ordered_json layerJson(const report::LayerCost& layer, std::uint64_t liveBytes)
{
    return {{"name", layer.name}, {"kind", layer.kind}, {"form", layer.form}, {"role", layer.role},
            {"block", layer.block < 0 ? ordered_json(nullptr) : ordered_json(layer.block)}, {"inputShape", layer.inputShape},
            {"outputShape", layer.outputShape}, {"parameters", layer.parameters}, {"weightBytes", layer.weightBytes},
            {"weightReadBytes", layer.weightReadBytes}, {"activationBytes", layer.activationBytes}, {"macs", layer.macs},
            {"intensity", layer.intensity}, {"liveBytes", liveBytes}, {"predictedMs", measured(layer.predictedMs)},
            {"measuredMs", measured(layer.measuredMs)}};
}

std::string sides(const std::vector<std::int64_t>& shape)
{
    std::string text;
    for (const std::int64_t side : shape)
        text += (text.empty() ? "" : "x") + std::to_string(side);
    return text;
}

std::string millions(std::uint64_t macs) { return macs == 0 ? "-" : fixed(static_cast<double>(macs) * 1e-6, 3); }

} // namespace

report::ModelCostReport costOf(const io::Checkpoint& checkpoint, const CostRequest& request, const RunContext& context)
{
    context.setParts(request.measure ? 10 : 2);
    cost::CostOptions options;
    options.tokens = request.tokens;
    options.batch = request.batch;
    auto report = cost::modelCost(checkpoint, options); // before half a second is spent on ceilings: it may be refused
    if (!request.measure) {
        cost::predictLatency(report, cost::ceilingsNamed(request.ceilings, context.part(1, "measuring this machine")));
        return report;
    }
    const auto ceilings = cost::ceilingsNamed(request.ceilings, context.part(1, "measuring this machine"));
    requireMemory(report.weightBytes, "running the model");
    const auto model = nn::Model::load(checkpoint, context.part(3, "loading the model"));
    options.ceilings = ceilings;
    report = cost::modelCost(*model, options);
    cost::measureLayers(report, *model, {}, context.part(6, "measuring"));
    return report;
}

void addCost(ordered_json& document, const report::ModelCostReport& report)
{
    ordered_json layers = ordered_json::array();
    for (std::size_t i = 0; i < report.layers.size(); ++i)
        layers.push_back(layerJson(report.layers[i], report.memory[i].liveBytes));
    document["cost"] = {{"architecture", report.architecture}, {"task", report.task}, {"tokens", report.tokens}, {"batch", report.batch},
                        {"parameters", report.parameters}, {"weightBytes", report.weightBytes}, {"macs", report.macs},
                        {"linearMacs", report.linearMacs}, {"attentionMacs", report.attentionMacs},
                        {"peakActivationBytes", report.peakActivationBytes}, {"peakAt", report.peakAt},
                        {"keyValueCacheBytes", report.keyValueCacheBytes},
                        {"ceilings", {{"name", report.ceilings.name}, {"gflops", report.ceilings.gflops},
                                      {"gigabytesPerSecond", report.ceilings.gigabytesPerSecond},
                                      {"measured", report.ceilings.measured}, {"source", report.ceilings.source}}},
                        {"predictedMs", measured(report.predictedMs)}, {"measuredMs", measured(report.measuredMs)},
                        {"layers", std::move(layers)}};
    for (const auto& warning : report.warnings)
        addWarning(document, warning);
}

std::string describedCost(const report::ModelCostReport& report)
{
    const bool timed = !std::isnan(report.measuredMs);
    std::vector<std::string> heading{"layer", "kind", "form", "in", "out", "parameters", "MMAC", "FLOP/byte", "live", "roofline ms"};
    if (timed)
        heading.push_back("measured ms");
    Table table(heading, 3);
    for (std::size_t i = 0; i < report.layers.size(); ++i) {
        const auto& layer = report.layers[i];
        std::vector<std::string> row{layer.name, layer.kind, layer.form.empty() ? "-" : layer.form, sides(layer.inputShape), sides(layer.outputShape),
                                     layer.parameters ? grouped(layer.parameters) : "-", millions(layer.macs), fixed(layer.intensity, 1),
                                     byteSize(report.memory[i].liveBytes), significant(layer.predictedMs, 3)};
        if (timed)
            row.push_back(significant(layer.measuredMs, 3));
        table.add(std::move(row));
    }
    std::string text = table.text() + "\n" + report.architecture + " (" + report.task + "), " + std::to_string(report.tokens) + " tokens, batch " +
                       std::to_string(report.batch) + "; a layer's MACs and memory are those of one sample, 1 MAC = 2 FLOP\n" +
                       "  parameters   " + grouped(report.parameters) + ", " + byteSize(report.weightBytes) + " as they are run\n" +
                       "  MACs         " + grouped(report.macs) + " a sample, attention " +
                       percent(report.macs ? static_cast<double>(report.attentionMacs) / static_cast<double>(report.macs) : 0) + "\n" +
                       "  activations  " + byteSize(report.peakActivationBytes) + " at most at once, in " + report.peakAt + "\n";
    if (report.keyValueCacheBytes > 0)
        text += "  KV cache     " + byteSize(report.keyValueCacheBytes) + " in float16\n";
    text += "  roofline     " + significant(report.predictedMs, 3) + " ms on " + report.ceilings.name + " (" + fixed(report.ceilings.gflops, 1) +
            " GFLOP/s, " + fixed(report.ceilings.gigabytesPerSecond, 1) + " GB/s)\n";
    if (timed)
        text += "  measured     " + significant(report.measuredMs, 3) + " ms, " + percent(report.predictedMs / report.measuredMs) + " of the roofline\n";
    return text;
}

} // namespace tamis::cli
