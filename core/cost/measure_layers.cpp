// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cost/measure_layers.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/parallel.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <memory>

namespace tamis::cost {
namespace {
using Clock = std::chrono::steady_clock;
using tensor::Matrix;

constexpr double kSliceMacs = 1e9;
constexpr std::int64_t kSliceRows = 128; ///< fewer would read the weights more often than a real pass does

/// Uniform in [-1, 1): a linear congruential generator's upper bits are random enough to keep arithmetic honest.
void fillRandom(std::span<float> values, std::uint64_t seed, const RunContext& context)
{
    std::uint64_t state = seed * 2 + 1;
    for (std::size_t i = 0; i < values.size(); ++i) {
        if (i % (1u << 20) == 0)
            context.throwIfStopped();
        state = state * 6364136223846793005u + 1442695040888963407u;
        values[i] = static_cast<float>(static_cast<std::int32_t>(state >> 32)) * 0x1p-31f;
    }
}

class LayerTimer {
public:
    LayerTimer(const nn::Model& model, std::int64_t batch, const MeasureOptions& options, const RunContext& context);
    double milliseconds(const report::LayerCost& layer); ///< kNotMeasured where there is nothing to run alone

private:
    double linear(const report::LayerCost& layer, const nn::LinearOp& op);
    double attention(const report::LayerCost& layer, const nn::Block& block);
    double norm(const report::LayerCost& layer, const nn::Norm& norm);
    const nn::Norm* normOf(const report::LayerCost& layer) const;
    std::vector<Matrix<float>> activations(std::int64_t rows, std::int64_t cols, std::uint64_t seed) const;
    /// Median over repeats of body(sample, scratch) for every sample.
    double median(const std::function<void(std::size_t, nn::Scratch&)>& body);

    const nn::Model& m_model;
    const MeasureOptions& m_options;
    const RunContext& m_context;
    std::vector<std::unique_ptr<nn::Scratch>> m_scratch; ///< one a sample
    bool m_samplesInParallel;
};

LayerTimer::LayerTimer(const nn::Model& model, std::int64_t batch, const MeasureOptions& options, const RunContext& context)
    : m_model(model), m_options(options), m_context(context), m_samplesInParallel(batch > 1 && batch >= threadCount())
{
    for (std::int64_t i = 0; i < batch; ++i)
        m_scratch.push_back(std::make_unique<nn::Scratch>(!m_samplesInParallel));
}

/// Repeats `once` within the options' time; the median of its milliseconds.
double medianOf(const MeasureOptions& options, const std::function<void()>& once)
{
    std::vector<double> times;
    const auto begin = Clock::now();
    const auto since = [](Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); };
    once(); // pages, caches, scratch
    do {
        const auto start = Clock::now();
        once();
        times.push_back(since(start) * 1e3);
    } while (static_cast<int>(times.size()) < options.maxRepeats && (times.size() < 3 || since(begin) < options.secondsPerLayer));
    const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
    std::nth_element(times.begin(), middle, times.end());
    return *middle;
}

double LayerTimer::median(const std::function<void(std::size_t, nn::Scratch&)>& body)
{
    return medianOf(m_options, [&] {
        if (m_samplesInParallel)
            parallelFor(m_context, m_scratch.size(), [&](std::size_t i) { body(i, *m_scratch[i]); });
        else
            for (std::size_t i = 0; i < m_scratch.size(); ++i) {
                m_context.throwIfStopped();
                body(i, *m_scratch[i]);
            }
    });
}

std::vector<Matrix<float>> LayerTimer::activations(std::int64_t rows, std::int64_t cols, std::uint64_t seed) const
{
    const double bytes = static_cast<double>(rows) * static_cast<double>(cols) * static_cast<double>(m_scratch.size()) * sizeof(float);
    requireMemory(static_cast<std::uint64_t>(std::min(bytes, 1e18)), "measuring a layer");
    std::vector<Matrix<float>> samples;
    for (std::size_t i = 0; i < m_scratch.size(); ++i) {
        samples.emplace_back(rows, cols);
        fillRandom(samples.back().values(), m_options.seed + seed * 1'000'003 + i, m_context);
    }
    return samples;
}

double LayerTimer::linear(const report::LayerCost& layer, const nn::LinearOp& op)
{
    const std::int64_t rows = layer.outputShape.front();
    auto inputs = activations(rows, op.inFeatures(), 1), outputs = activations(rows, op.outFeatures(), 2);
    const double macsPerRow = static_cast<double>(std::max<std::uint64_t>(1, op.cost().macsPerToken));
    const std::int64_t slice = std::max(kSliceRows, static_cast<std::int64_t>(kSliceMacs / macsPerRow));
    return median([&](std::size_t i, nn::Scratch& scratch) {
        for (std::int64_t at = 0; at < rows; at += slice) {
            m_context.throwIfStopped();
            const std::int64_t count = std::min(slice, rows - at);
            const kernels::ConstRows x{inputs[i].data() + at * op.inFeatures(), count, op.inFeatures(), op.inFeatures()};
            const kernels::Rows y{outputs[i].data() + at * op.outFeatures(), count, op.outFeatures(), op.outFeatures()};
            op.apply(x, {}, y, scratch);
        }
    });
}

double LayerTimer::attention(const report::LayerCost& layer, const nn::Block& block)
{
    const auto& spec = block.spec.attention;
    const std::int64_t tokens = layer.inputShape.front(), q = spec.heads * spec.headDim, kv = spec.keyValueHeads * spec.headDim;
    const auto queries = activations(tokens, q, 1), keys = activations(tokens, kv, 2), values = activations(tokens, kv, 3);
    auto outputs = activations(tokens, q, 4);
    return median([&](std::size_t i, nn::Scratch& scratch) {
        nn::AttentionInput input;
        input.q = queries[i].view();
        input.k = keys[i].view();
        input.v = values[i].view();
        block.attention->apply(input, outputs[i].view(), scratch);
    });
}

double LayerTimer::norm(const report::LayerCost& layer, const nn::Norm& norm)
{
    const auto inputs = activations(layer.inputShape.front(), layer.inputShape.back(), 1);
    auto outputs = activations(layer.inputShape.front(), layer.inputShape.back(), 2);
    return median([&](std::size_t i, nn::Scratch&) { norm.apply(inputs[i].view(), outputs[i].view()); });
}

const nn::Norm* LayerTimer::normOf(const report::LayerCost& layer) const
{
    if (layer.block < 0)
        return layer.name == "finalNorm" ? &m_model.finalNorm() : nullptr;
    const nn::Block& block = m_model.blocks()[static_cast<std::size_t>(layer.block)];
    if (layer.name.ends_with(".attentionNorm"))
        return &block.attentionNorm;
    if (layer.name.ends_with(".mlpNorm"))
        return &block.mlpNorm;
    return layer.name.ends_with(".mergeNorm") ? &block.mergeNorm : nullptr;
}

double LayerTimer::milliseconds(const report::LayerCost& layer)
{
    if (layer.block >= static_cast<int>(m_model.blocks().size()))
        throw Error(ErrorCode::InvalidParameter, "is in block " + std::to_string(layer.block) + ", which the model to measure has not", layer.name);
    if (layer.kind == "attention")
        return attention(layer, m_model.blocks()[static_cast<std::size_t>(layer.block)]);
    if (layer.kind == "norm") {
        const nn::Norm* found = normOf(layer);
        return found && found->present() ? norm(layer, *found) : report::kNotMeasured;
    }
    const nn::LinearSlot* slot = m_model.find(layer.name);
    return slot && slot->op ? linear(layer, *slot->op) : report::kNotMeasured;
}

double wholeForward(const nn::Model& model, const report::ModelCostReport& report, const MeasureOptions& options, const RunContext& context)
{
    const auto& spec = model.spec();
    const double bytes = static_cast<double>(report.peakActivationBytes) * static_cast<double>(report.batch);
    requireMemory(static_cast<std::uint64_t>(std::min(bytes, 1e18)), "measuring the whole model");
    std::vector<float> image;
    std::vector<std::int32_t> tokens;
    nn::Sample sample;
    if (spec.vision()) {
        image.resize(static_cast<std::size_t>(spec.patch.channels * spec.patch.imageHeight * spec.patch.imageWidth));
        fillRandom(image, options.seed, context);
        sample.image = image;
    } else {
        for (std::int64_t i = 0; i < report.tokens; ++i)
            tokens.push_back(static_cast<std::int32_t>(i * 7919 % spec.text.vocabulary));
        sample.tokens = tokens;
    }
    const std::vector<nn::Sample> samples(static_cast<std::size_t>(report.batch), sample);
    return medianOf(options, [&] { nn::runBatch(model, samples, context); });
}

} // namespace

void measureLayers(report::ModelCostReport& report, const nn::Model& model, const MeasureOptions& options, const RunContext& context)
{
    const double count = static_cast<double>(report.layers.size());
    context.setParts(count + (options.wholeForward ? 10 : 0));
    {
        const RunContext operators = context.part(count, "measuring operators");
        LayerTimer timer(model, report.batch, options, operators);
        for (std::size_t i = 0; i < report.layers.size(); ++i) {
            report.layers[i].measuredMs = timer.milliseconds(report.layers[i]);
            operators.setFraction(static_cast<double>(i + 1) / count);
        }
    }
    if (options.wholeForward)
        report.measuredMs = wholeForward(model, report, options, context.part(10, "measuring the whole model"));
}

} // namespace tamis::cost
