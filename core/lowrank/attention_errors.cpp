// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/attention_errors.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/linalg/gemm.h"
#include "core/measure/forward.h"
#include "core/measure/logit_metrics.h"

#include <algorithm>
#include <cmath>

namespace tamis::lowrank {
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

class Recorder : public measure::StoppingObserver {
public:
    Recorder(const RunContext& context, SampleRun& run) : StoppingObserver(context), m_run(run) {}
    void attentionInput(std::size_t, int block, const nn::Block& layer, const nn::AttentionInput& input) override
    {
        m_run.attention.at(static_cast<std::size_t>(block)) = AttentionCopy(layer, input);
    }
    void blockOutput(std::size_t, int block, kernels::ConstRows x) override { m_run.blockOutputs.at(static_cast<std::size_t>(block)) = copied(x); }
    void linearInput(std::size_t sample, const nn::LinearSlot& slot, kernels::ConstRows x) override
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

private:
    SampleRun& m_run;
};

class OneAttention : public measure::StoppingObserver {
public:
    OneAttention(const RunContext& context, AttentionCopy& copy) : StoppingObserver(context), m_copy(copy) {}
    void attentionInput(std::size_t, int, const nn::Block& layer, const nn::AttentionInput& input) override { m_copy = AttentionCopy(layer, input); }

private:
    AttentionCopy& m_copy;
};

/// Columns [first, first + count) in double.
Matrix<double> columnsOf(kernels::ConstRows x, std::int64_t first, std::int64_t count)
{
    return linalg::toDouble({x.data + first, x.rows, count, x.stride});
}

/// S = scale q k^T of one head; pairs that may not see one another are 0.
Matrix<double> scoresOf(const AttentionCopy& side, std::int64_t head)
{
    const nn::AttentionSpec& spec = side.block->spec.attention;
    const nn::AttentionInput input = side.input();
    const std::int64_t group = head / (spec.heads / spec.keyValueHeads);
    Matrix<double> s(input.q.rows, input.k.rows);
    linalg::gemm(linalg::Op::None, linalg::Op::Transpose, static_cast<double>(spec.scale), columnsOf(input.q, head * spec.headDim, spec.headDim).view(),
                 columnsOf(input.k, group * spec.headDim, spec.headDim).view(), 0, s.view());
    if (spec.causal)
        for (std::int64_t i = 0; i < s.rows(); ++i)
            for (std::int64_t j = 0; j < s.cols(); ++j)
                if (j > i || (spec.slidingWindow > 0 && j <= i - spec.slidingWindow))
                    s(i, j) = 0;
    return s;
}

struct Side {
    const AttentionCopy* attention = nullptr;
    Matrix<float> mixed;  ///< [tokens, heads headDim]: the attention's output
    Matrix<float> output; ///< the projection's weight, [width, heads headDim]
};

Side sideOf(const AttentionCopy& attention, const RunContext& context)
{
    Side side{.attention = &attention, .mixed = {}, .output = attention.block->output.op->dense()};
    const nn::AttentionInput input = attention.input();
    side.mixed = Matrix<float>(input.q.rows, input.q.cols);
    nn::Scratch scratch(true, context);
    attention.block->attention->apply(input, side.mixed.view(), scratch);
    return side;
}

/// The head's share of the projection's output, [tokens, width].
Matrix<double> contribution(const Side& side, std::int64_t head)
{
    const std::int64_t dim = side.attention->block->attention->headDim();
    return linalg::product(linalg::Op::None, linalg::Op::Transpose, columnsOf(side.mixed.view(), head * dim, dim).view(),
                           columnsOf(side.output.view(), head * dim, dim).view());
}

double relativeDifference(const Matrix<double>& exact, const Matrix<double>& other)
{
    double difference = 0, energy = 0;
    for (std::size_t i = 0; i < exact.size(); ++i) {
        const double a = exact.data()[i], d = a - other.data()[i];
        difference += d * d;
        energy += a * a;
    }
    return energy > 0 ? std::sqrt(difference / energy) : (difference > 0 ? INFINITY : 0.0);
}

void requireSameTokens(const AttentionCopy& exact, const AttentionCopy& other)
{
    const auto& a = *exact.block->attention;
    const auto& b = *other.block->attention;
    if (a.heads() != b.heads() || exact.input().q.rows != other.input().q.rows || exact.input().q.cols != other.input().q.cols)
        throw Error(ErrorCode::InvalidParameter, "the attentions have " + std::to_string(a.heads()) + " heads over " + std::to_string(exact.input().q.rows) +
                                                     " tokens and " + std::to_string(b.heads()) + " over " + std::to_string(other.input().q.rows) +
                                                     ", expected the same, so their maps cannot be compared");
}

/// Row by row of logits; decoders' rows come out of the head.
class Logits {
public:
    Logits(const SampleRun& run, const RunContext& context) : m_run(run), m_scratch(true, context), m_head(measure::headBySlices(*run.model)) {}
    std::int64_t rows() const { return m_run.features.rows(); }
    kernels::ConstRows slice(std::int64_t first, std::int64_t count)
    {
        const kernels::ConstRows kept{m_run.features.data() + first * m_run.features.cols(), count, m_run.features.cols(), m_run.features.cols()};
        if (!m_head)
            return kept;
        m_logits = Matrix<float>(count, m_run.model->outputWidth());
        m_run.model->runHead(kept, m_logits.view(), m_scratch);
        return m_logits.view();
    }

private:
    const SampleRun& m_run;
    nn::Scratch m_scratch;
    bool m_head;
    Matrix<float> m_logits;
};

std::vector<report::Guess> guessesOf(std::span<const float> logits)
{
    const auto classes = measure::bestClasses(logits, kGuesses);
    const auto p = measure::probabilities(logits, classes);
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

AttentionCopy::AttentionCopy(const nn::Block& of, const nn::AttentionInput& input)
    : block(&of), m_q(copied(input.q)), m_k(copied(input.k)), m_v(copied(input.v)), m_paddingQuery(input.paddingQuery), m_paddingKey(input.paddingKey),
      m_paddingValue(input.paddingValue)
{
}

nn::AttentionInput AttentionCopy::input() const { return {m_q.view(), m_k.view(), m_v.view(), m_paddingQuery, m_paddingKey, m_paddingValue}; }

std::shared_ptr<const SampleRun> runSample(std::shared_ptr<const nn::Model> model, const measure::LoadedSample& sample, const RunContext& context)
{
    auto run = std::make_shared<SampleRun>();
    run->model = std::move(model);
    const nn::Model& m = *run->model;
    const nn::Sample view = sample.view();
    const std::size_t blocks = m.blocks().size();
    run->blockInputs.resize(blocks);
    run->blockOutputs.resize(blocks);
    run->attention.resize(blocks);
    nn::Scratch scratch(true, context);
    Recorder recorder(context, *run);
    run->blockInputs.front() = Matrix<float>(m.embeddedTokens(view), m.spec().width);
    m.embed(view, run->blockInputs.front().view(), scratch);
    if (measure::headBySlices(m)) {
        run->features = Matrix<float>(m.hiddenTokens(view), m.spec().blocks.back().width);
        m.runHidden(view, run->features.view(), scratch, 0, &recorder);
    } else {
        run->features = Matrix<float>(m.outputRows(view), m.outputWidth());
        m.run(view, run->features.view(), scratch, 0, &recorder);
    }
    for (std::size_t b = 1; b < blocks; ++b)
        if (run->blockInputs[b].empty())
            run->blockInputs[b] = run->blockOutputs[b - 1];
    return run;
}

BlockRun runBlockOn(const nn::Model& model, const SampleRun& dense, int block, const RunContext& context)
{
    BlockRun made;
    made.output = dense.blockInputs.at(static_cast<std::size_t>(block));
    nn::Scratch scratch(true, context);
    OneAttention observer(context, made.attention);
    model.runBlock(block, made.output.view(), scratch, 0, &observer);
    return made;
}

double meanTotalVariation(const Matrix<float>& p, const Matrix<float>& q)
{
    double sum = 0;
    for (std::size_t i = 0; i < p.size(); ++i)
        sum += std::abs(static_cast<double>(p.data()[i]) - static_cast<double>(q.data()[i]));
    return p.rows() > 0 ? sum / 2 / static_cast<double>(p.rows()) : 0;
}

std::vector<std::vector<report::MapErrors>> headErrors(const AttentionCopy& exact, std::span<const AttentionCopy* const> others,
                                                       std::int64_t firstHead, std::int64_t count, const RunContext& context)
{
    const auto& attention = *exact.block->attention;
    const std::int64_t tokens = exact.input().q.rows, maps = attention.maps(tokens);
    const std::int64_t heads = count < 0 ? attention.heads() - firstHead : count;
    std::vector<std::vector<report::MapErrors>> errors(others.size(), std::vector<report::MapErrors>(static_cast<std::size_t>(heads)));
    const Side reference = sideOf(exact, context);
    std::vector<Side> sides;
    for (const AttentionCopy* other : others) {
        requireSameTokens(exact, *other);
        sides.push_back(sideOf(*other, context));
    }
    const bool scored = attention.kind() == "exact";
    parallelFor(context, static_cast<std::size_t>(heads), [&](std::size_t index) {
        const std::int64_t head = firstHead + static_cast<std::int64_t>(index);
        for (std::int64_t map = 0; map < maps; ++map) {
            context.throwIfStopped();
            const Matrix<float> p = attention.map(exact.input(), head, map);
            for (std::size_t o = 0; o < others.size(); ++o) {
                double& mean = errors[o][index].map;
                mean = (map == 0 ? 0.0 : mean) + meanTotalVariation(p, others[o]->block->attention->map(others[o]->input(), head, map)) / static_cast<double>(maps);
            }
        }
        const Matrix<double> s = scored ? scoresOf(exact, head) : Matrix<double>();
        const Matrix<double> share = contribution(reference, head);
        for (std::size_t o = 0; o < others.size(); ++o) {
            context.throwIfStopped();
            if (scored && others[o]->block->attention->kind() == "exact")
                errors[o][index].logit = relativeDifference(s, scoresOf(*others[o], head));
            errors[o][index].output = relativeDifference(share, contribution(sides[o], head));
        }
    });
    return errors;
}

report::OutputEffect outputEffect(const SampleRun& dense, const SampleRun& other, const std::vector<Matrix<float>>& ownOutputs, const RunContext& context)
{
    report::OutputEffect effect;
    for (std::size_t b = 0; b < dense.blockOutputs.size(); ++b)
        effect.layers.push_back(blockError(static_cast<int>(b), dense.blockOutputs[b], other.blockOutputs.at(b), b < ownOutputs.size() ? &ownOutputs[b] : nullptr));
    effect.rows = dense.features.rows();
    effect.shownRow = effect.rows - 1;
    const nn::Task task = dense.model->spec().task;
    if (task == nn::Task::ImageFeatures || task == nn::Task::TextFeatures || !dense.model->head())
        return effect; // no classes
    Logits before(dense, context), after(other, context);
    const std::int64_t slice = std::clamp<std::int64_t>(kSliceLogits / std::max<std::int64_t>(dense.model->outputWidth(), 1), 1, effect.rows);
    double kl = 0, agreed = 0;
    for (std::int64_t first = 0; first < effect.rows; first += slice) {
        context.throwIfStopped();
        const std::int64_t rows = std::min(slice, effect.rows - first);
        const kernels::ConstRows a = before.slice(first, rows), b = after.slice(first, rows);
        for (std::int64_t i = 0; i < rows; ++i) {
            const auto difference = measure::compareLogits(a.row(i), b.row(i));
            kl += difference.kl;
            agreed += difference.agree ? 1 : 0;
            if (first + i == effect.shownRow) {
                effect.before = guessesOf(a.row(i));
                effect.after = guessesOf(b.row(i));
            }
        }
    }
    effect.kl = kl / static_cast<double>(effect.rows);
    effect.agreement = agreed / static_cast<double>(effect.rows);
    return effect;
}

} // namespace tamis::lowrank
