// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cost/model_cost.h"

#include "core/base/error.h"
#include "core/cost/layer_chain.h"
#include "core/io/layout.h"

#include <algorithm>

namespace tamis::cost {
namespace {

void checkRange(std::int64_t value, std::int64_t least, std::int64_t most, const char* what)
{
    if (value < least || value > most)
        throw Error(ErrorCode::InvalidParameter,
                    std::to_string(value) + " is out of range; expected " + std::to_string(least) + " to " + std::to_string(most), what);
}

void checkOptions(const CostOptions& options)
{
    checkRange(options.tokens, 0, 1 << 24, "tokens");
    checkRange(options.batch, 1, 1 << 20, "batch");
    checkRange(options.weightBytes, 1, 8, "bytes of a weight");
    checkRange(options.activationBytes, 1, 8, "bytes of an activation");
    checkRange(options.cacheBytes, 1, 8, "bytes of a cached number");
}

std::uint64_t sumOf(std::uint64_t a, std::uint64_t b)
{
    std::uint64_t result = 0;
    if (__builtin_add_overflow(a, b, &result))
        throw Error(ErrorCode::LimitExceeded, "a cost does not fit in 64 bits", "model cost");
    return result;
}

/// Keys and values of every token that a later one may look at.
std::uint64_t keyValueCache(const nn::ModelSpec& spec, std::int64_t tokens, std::int64_t bytes)
{
    if (spec.task != nn::Task::CausalLanguage)
        return 0;
    std::uint64_t total = 0;
    for (const auto& block : spec.blocks) {
        const auto& attention = block.attention;
        const std::int64_t kept = attention.slidingWindow > 0 ? std::min(tokens, attention.slidingWindow) : tokens;
        total = sumOf(total, countOf({2, attention.keyValueHeads, attention.headDim, kept, bytes}));
    }
    return total;
}

void addTotals(report::ModelCostReport& report)
{
    for (const auto& layer : report.layers) {
        report.parameters = sumOf(report.parameters, layer.parameters);
        report.weightBytes = sumOf(report.weightBytes, layer.weightBytes);
        report.macs = sumOf(report.macs, layer.macs);
        (layer.kind == "attention" ? report.attentionMacs : report.linearMacs) += layer.macs;
    }
}

void addMemory(report::ModelCostReport& report, const std::vector<LiveBuffer>& buffers)
{
    const auto live = liveBytes(buffers, report.layers.size());
    for (std::size_t i = 0; i < live.size(); ++i) {
        report.memory.push_back({report.layers[i].name, live[i]});
        if (live[i] > report.peakActivationBytes) {
            report.peakActivationBytes = live[i];
            report.peakAt = report.layers[i].name;
        }
    }
}

} // namespace

void predictLatency(report::ModelCostReport& report, const report::Ceilings& ceilings)
{
    report.ceilings = ceilings;
    const bool predicts = ceilings.gflops > 0 && ceilings.gigabytesPerSecond > 0;
    const double batch = static_cast<double>(report.batch);
    double total = 0;
    for (auto& layer : report.layers) {
        const double flops = 2.0 * static_cast<double>(layer.macs) * batch;
        const double bytes = static_cast<double>(layer.weightReadBytes) + static_cast<double>(layer.activationBytes) * batch;
        layer.intensity = bytes > 0 ? flops / bytes : 0;
        layer.predictedMs = predicts ? 1e-6 * std::max(flops / ceilings.gflops, bytes / ceilings.gigabytesPerSecond) : report::kNotMeasured;
        total += layer.predictedMs;
    }
    report.predictedMs = predicts ? total : report::kNotMeasured;
}

report::ModelCostReport modelCost(const nn::ModelSpec& spec, const CostOptions& options)
{
    checkOptions(options);
    LayerChain chain = layerChain(spec, options);
    report::ModelCostReport report;
    report.family = io::familyName(spec.family);
    report.architecture = spec.architecture;
    report.task = nn::taskName(spec.task);
    report.tokens = chain.tokens;
    report.batch = options.batch;
    report.layers = std::move(chain.layers);
    report.warnings = std::move(chain.warnings);
    addTotals(report);
    addMemory(report, chain.buffers);
    report.keyValueCacheBytes = keyValueCache(spec, chain.tokens, options.cacheBytes);
    predictLatency(report, options.ceilings);
    return report;
}

} // namespace tamis::cost
