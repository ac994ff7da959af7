// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/measure/sample_run.h"

#include "core/measure/logit_metrics.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace tamis::measure {
namespace {
using tensor::Matrix;
constexpr std::int64_t kSliceLogits = 1 << 20; ///< of both models in memory at once
constexpr std::size_t kGuesses = 3;

Matrix<float> copied(kernels::ConstRows x)
{
    Matrix<float> copy(x.rows, x.cols);
    for (std::int64_t i = 0; i < x.rows; ++i)
        std::ranges::copy(x.row(i), copy.data() + i * x.cols);
    return copy;
}

/// Row by row of logits; decoders' rows come out of the head.
class Logits {
public:
    Logits(const nn::Model& model, const Matrix<float>& features, const RunContext& context)
        : m_model(model), m_features(features), m_scratch(true, RunContext(context.stopToken())), m_head(headBySlices(model))
    {
    }
    kernels::ConstRows slice(std::int64_t first, std::int64_t count)
    {
        const kernels::ConstRows kept{m_features.data() + first * m_features.cols(), count, m_features.cols(), m_features.cols()};
        if (!m_head)
            return kept;
        m_logits = Matrix<float>(count, m_model.outputWidth());
        m_model.runHead(kept, m_logits.view(), m_scratch);
        return m_logits.view();
    }

private:
    const nn::Model& m_model;
    const Matrix<float>& m_features;
    nn::Scratch m_scratch;
    bool m_head;
    Matrix<float> m_logits;
};

bool hasClasses(const nn::Model& model)
{
    const nn::Task task = model.spec().task;
    return task != nn::Task::ImageFeatures && task != nn::Task::TextFeatures && model.head();
}

/// Calls each(row, a, b) for every row of the two outputs.
void eachRow(const nn::Model& dense, const Matrix<float>& features, const nn::Model& other, const Matrix<float>& otherFeatures, const RunContext& context,
             const std::function<void(std::int64_t, std::span<const float>, std::span<const float>)>& each)
{
    Logits before(dense, features, context), after(other, otherFeatures, context);
    const std::int64_t slice = std::clamp<std::int64_t>(kSliceLogits / std::max<std::int64_t>(dense.outputWidth(), 1), 1, features.rows());
    for (std::int64_t first = 0; first < features.rows(); first += slice) {
        context.throwIfStopped();
        const std::int64_t rows = std::min(slice, features.rows() - first);
        const kernels::ConstRows a = before.slice(first, rows), b = after.slice(first, rows);
        for (std::int64_t i = 0; i < rows; ++i)
            each(first + i, a.row(i), b.row(i));
    }
}

std::vector<report::Guess> guessesOf(std::span<const float> logits)
{
    const auto classes = bestClasses(logits, kGuesses);
    const auto p = probabilities(logits, classes);
    std::vector<report::Guess> guesses;
    for (std::size_t i = 0; i < classes.size(); ++i)
        guesses.push_back({.index = classes[i], .name = {}, .probability = static_cast<double>(p[i])});
    return guesses;
}

report::LayerError blockError(int block, const Matrix<float>& dense, const Matrix<float>& other, const Matrix<float>* own)
{
    double difference = 0, reference = 0, compressed = 0, product = 0, ownDifference = 0;
    for (std::size_t i = 0; i < dense.size(); ++i) {
        const double a = static_cast<double>(dense.data()[i]), b = static_cast<double>(other.data()[i]);
        difference += (a - b) * (a - b);
        reference += a * a;
        compressed += b * b;
        product += a * b;
        if (own) {
            const double d = a - static_cast<double>(own->data()[i]);
            ownDifference += d * d;
        }
    }
    const auto relative = [&](double squares) { return reference > 0 ? std::sqrt(squares / reference) : (squares > 0 ? INFINITY : 0.0); };
    return {.block = block, .relativeError = relative(difference),
            .cosine = reference > 0 && compressed > 0 ? product / std::sqrt(reference * compressed) : (reference == compressed ? 1.0 : 0.0),
            .ownError = own ? relative(ownDifference) : report::kNotMeasured};
}
} // namespace

void RunRecorder::blockOutput(std::size_t, int block, kernels::ConstRows x) { m_run.blockOutputs.at(static_cast<std::size_t>(block)) = copied(x); }

void RunRecorder::linearInput(std::size_t sample, const nn::LinearSlot& slot, kernels::ConstRows x)
{
    StoppingObserver::linearInput(sample, slot, x);
    const auto& blocks = m_run.model->blocks();
    for (std::size_t b = 0; b + 1 < blocks.size(); ++b)
        if (blocks[b].merge && &slot == &blocks[b].merge) { // what the next block reads
            Matrix<float> merged(x.rows, slot.op->outFeatures());
            nn::Scratch scratch(true, context());
            slot.op->apply(x, {}, merged.view(), scratch);
            m_run.blockInputs[b + 1] = std::move(merged);
        }
}

void recordRun(SampleRun& run, const LoadedSample& sample, RunRecorder& recorder, const RunContext& context)
{
    const nn::Model& m = *run.model;
    const nn::Sample view = sample.view();
    const std::size_t blocks = m.blocks().size();
    run.blockInputs.resize(blocks);
    run.blockOutputs.resize(blocks);
    nn::Scratch scratch(true, context);
    run.blockInputs.front() = Matrix<float>(m.embeddedTokens(view), m.spec().width);
    m.embed(view, run.blockInputs.front().view(), scratch);
    if (headBySlices(m)) {
        run.features = Matrix<float>(m.hiddenTokens(view), m.spec().blocks.back().width);
        m.runHidden(view, run.features.view(), scratch, 0, &recorder);
    } else {
        run.features = Matrix<float>(m.outputRows(view), m.outputWidth());
        m.run(view, run.features.view(), scratch, 0, &recorder);
    }
    for (std::size_t b = 1; b < blocks; ++b)
        if (run.blockInputs[b].empty())
            run.blockInputs[b] = run.blockOutputs[b - 1];
}

report::OutputEffect outputEffect(const SampleRun& dense, const SampleRun& other, const std::vector<Matrix<float>>& ownOutputs, const RunContext& context)
{
    report::OutputEffect effect;
    for (std::size_t b = 0; b < dense.blockOutputs.size(); ++b)
        effect.layers.push_back(blockError(static_cast<int>(b), dense.blockOutputs[b], other.blockOutputs.at(b), b < ownOutputs.size() ? &ownOutputs[b] : nullptr));
    effect.rows = dense.features.rows();
    effect.shownRow = effect.rows - 1;
    if (!hasClasses(*dense.model))
        return effect;
    double kl = 0, agreed = 0;
    eachRow(*dense.model, dense.features, *other.model, other.features, context, [&](std::int64_t row, std::span<const float> a, std::span<const float> b) {
        const auto difference = compareLogits(a, b);
        kl += difference.kl;
        agreed += difference.agree ? 1 : 0;
        if (row == effect.shownRow) {
            effect.before = guessesOf(a);
            effect.after = guessesOf(b);
        }
    });
    effect.kl = kl / static_cast<double>(effect.rows);
    effect.agreement = agreed / static_cast<double>(effect.rows);
    return effect;
}

OutputDifference outputDifference(const nn::Model& dense, const Matrix<float>& features, const nn::Model& other, const Matrix<float>& otherFeatures, const RunContext& context)
{
    OutputDifference sum{0, 0, 0};
    eachRow(dense, features, other, otherFeatures, context, [&](std::int64_t, std::span<const float> a, std::span<const float> b) {
        const auto difference = compareLogits(a, b);
        sum.kl += difference.kl;
        sum.agreement += difference.agree ? 1 : 0;
        sum.cosine += difference.cosine;
    });
    const auto rows = static_cast<double>(features.rows());
    if (!hasClasses(dense))
        return {.cosine = sum.cosine / rows};
    return {sum.kl / rows, sum.agreement / rows, sum.cosine / rows};
}

} // namespace tamis::measure
