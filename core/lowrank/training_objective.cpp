// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/training_objective.h"

#include "core/base/error.h"
#include "core/measure/model_on_tape.h"
#include "core/train/loss_ops.h"
#include "core/train/pointwise_ops.h"

#include <algorithm>
#include <variant>

namespace tamis::lowrank {
namespace {
using train::Tape;
using train::Variable;
using train::View;
using Group = std::vector<const measure::LoadedSample*>;

measure::ModelOnTape loadOnTape(const Inputs& inputs, const RunContext& context)
{
    if (!inputs.checkpoint || !inputs.model)
        throw Error(ErrorCode::InvalidParameter, "needs a checkpoint and its model", "training");
    return measure::loadOnTape(*inputs.checkpoint, *inputs.model, context);
}

/// What the dense model gives for the samples of a group, in the tape's memory.
class Teaching : public nn::Observer {
public:
    Teaching(Tape<float>& tape, nn::ForwardPass& pass, const nn::Model& model, const Group& group, bool blocks)
    {
        std::vector<nn::Sample> samples;
        for (const measure::LoadedSample* sample : group)
            samples.push_back(sample->view());
        const auto count = static_cast<std::int64_t>(group.size());
        m_tokens = model.embeddedTokens(samples.front());
        const std::int64_t rows = model.outputRows(samples.front()), cols = model.outputWidth(), width = model.spec().width;
        if (blocks)
            for (std::size_t b = 0; b < model.blocks().size(); ++b)
                m_blocks.push_back({tape.scratch<float>(count * m_tokens * width), count * m_tokens, width, width});
        const View<float> all{tape.scratch<float>(count * rows * cols), count * rows, cols, cols};
        const auto& outputs = pass.run(samples, tape.context(), blocks ? this : nullptr);
        for (std::int64_t i = 0; i < count; ++i)
            std::ranges::copy(outputs[static_cast<std::size_t>(i)].values(), all.data + i * rows * cols);
        m_outputs = all;
    }
    void blockOutput(std::size_t sample, int block, kernels::ConstRows x) override
    {
        const View<float>& to = m_blocks[static_cast<std::size_t>(block)];
        for (std::int64_t i = 0; i < x.rows; ++i)
            std::copy_n(x.data + i * x.stride, x.cols, to.data + (static_cast<std::int64_t>(sample) * m_tokens + i) * to.stride);
    }
    View<const float> outputs() const { return m_outputs; }
    const std::vector<View<float>>& blocks() const { return m_blocks; }

private:
    std::int64_t m_tokens = 0;
    View<const float> m_outputs;
    std::vector<View<float>> m_blocks;
};

double meanSquare(View<const float> x)
{
    double sum = 0;
    for (std::int64_t i = 0; i < x.rows; ++i) {
        double row = 0;
        for (std::int64_t j = 0; j < x.cols; ++j)
            row += static_cast<double>(x(i, j)) * static_cast<double>(x(i, j));
        sum += row;
    }
    return sum / static_cast<double>(x.rows * x.cols);
}

/// mean (a - target)^2 / mean target^2
Variable<float> relativeError(Tape<float>& tape, Variable<float> a, View<const float> target)
{
    const double size = meanSquare(target);
    return train::scale(train::meanSquaredError(a, tape.constant(target)), static_cast<float>(1 / std::max(size, 1e-30)));
}

std::vector<std::int32_t> scoredTokens(const Group& group)
{
    std::vector<std::int32_t> labels;
    for (const measure::LoadedSample* sample : group) {
        auto next = train::nextTokens(sample->tokens, 1);
        std::fill_n(next.begin(), std::min(next.size(), std::max<std::size_t>(sample->firstScored, 1) - 1), train::kIgnored);
        labels.insert(labels.end(), next.begin(), next.end());
    }
    return labels;
}
} // namespace

struct TrainingObjective::Content {
    measure::ModelOnTape onTape;
    std::shared_ptr<const nn::Model> dense;
    nn::ForwardPass teacher;
    ObjectiveSettings settings;

    bool decoder() const { return std::holds_alternative<train::DecoderOnTape<float>>(onTape); }
    bool classes() const { return decoder() || dense->spec().classes > 0; }

    Variable<float> logits(Tape<float>& tape, std::span<const measure::LoadedSample* const> samples, const train::ForwardHooks<float>& hooks)
    {
        for (const measure::LoadedSample* sample : samples)
            dense->check(sample->view());
        return measure::logits(onTape, tape, samples, hooks);
    }

    std::vector<std::int32_t> labels(Tape<float>& tape, const Group& group)
    {
        if (decoder())
            return scoredTokens(group);
        std::vector<std::int32_t> labels;
        for (const measure::LoadedSample* sample : group)
            labels.push_back(sample->label);
        if (std::ranges::all_of(labels, [](std::int32_t label) { return label >= 0; }))
            return labels;
        const Teaching teaching(tape, teacher, *dense, group, false);
        for (std::size_t i = 0; i < labels.size(); ++i)
            if (labels[i] < 0) {
                const auto row = teaching.outputs().row(static_cast<std::int64_t>(i));
                labels[i] = static_cast<std::int32_t>(std::ranges::max_element(row) - row.begin());
            }
        return labels;
    }

    /// Lets `blocks` grow by each block's relative error against the dense model's.
    void watchBlocks(Tape<float>& tape, const Teaching& teaching, train::ForwardHooks<float>& hooks, Variable<float>& blocks) const
    {
        if (settings.hiddenWeight <= 0)
            return;
        hooks.observeBlock = [&tape, &teaching, &blocks](std::size_t block, Variable<float> x) {
            const Variable<float> error = relativeError(tape, x, teaching.blocks()[block]);
            blocks = blocks ? train::add(blocks, error) : error;
        };
    }
    Variable<float> withBlocks(Variable<float> loss, Variable<float> blocks) const
    {
        return blocks ? train::add(loss, train::scale(blocks, static_cast<float>(settings.hiddenWeight / static_cast<double>(dense->blocks().size())))) : loss;
    }

    Variable<float> taskLoss(Tape<float>& tape, const Group& group, train::ForwardHooks<float> hooks, double& weight)
    {
        const auto wanted = labels(tape, group);
        weight = static_cast<double>(wanted.size()) - static_cast<double>(std::ranges::count(wanted, train::kIgnored));
        if (settings.hiddenWeight <= 0)
            return train::crossEntropy<float>(logits(tape, group, hooks), wanted);
        const Teaching teaching(tape, teacher, *dense, group, true);
        Variable<float> blocks;
        watchBlocks(tape, teaching, hooks, blocks);
        const Variable<float> loss = train::crossEntropy<float>(logits(tape, group, hooks), wanted);
        return withBlocks(loss, blocks);
    }

    Variable<float> distilledLoss(Tape<float>& tape, const Group& group, train::ForwardHooks<float> hooks, double& weight)
    {
        const Teaching teaching(tape, teacher, *dense, group, settings.hiddenWeight > 0);
        Variable<float> blocks;
        watchBlocks(tape, teaching, hooks, blocks);
        const Variable<float> out = logits(tape, group, hooks);
        weight = static_cast<double>(out.rows());
        const Variable<float> loss = classes() ? train::distillation(out, tape.constant(teaching.outputs()), settings.temperature)
                                               : relativeError(tape, out, teaching.outputs());
        return withBlocks(loss, blocks);
    }
};

TrainingObjective::TrainingObjective(const Inputs& inputs, const ObjectiveSettings& settings, const RunContext& context)
    : m_content(new Content{loadOnTape(inputs, context), inputs.model, nn::ForwardPass(*inputs.model), settings})
{
    if (!settings.distil && !m_content->classes())
        throw Error(ErrorCode::InvalidParameter, "has no classes to be trained on, expected a model with a head; distillation needs none", inputs.checkpoint->path().string());
    std::visit([](auto& model) {
        for (auto& parameter : model.parameters().all())
            parameter.rate = 0;
    }, m_content->onTape);
}

TrainingObjective::~TrainingObjective() = default;

std::string TrainingObjective::unit() const
{
    if (!m_content->settings.distil)
        return "cross entropy, nats";
    return std::string(m_content->classes() ? "KL divergence from the dense model, nats" : "squared error of the features, relative") +
           (m_content->settings.hiddenWeight > 0 ? ", with the blocks' relative error" : "");
}

Variable<float> TrainingObjective::logits(Tape<float>& tape, std::span<const measure::LoadedSample* const> samples, const train::ForwardHooks<float>& hooks)
{
    return m_content->logits(tape, samples, hooks);
}

Variable<float> TrainingObjective::loss(Tape<float>& tape, std::span<const measure::LoadedSample> samples, const train::ReplaceLinear<float>& replace,
                                        double* weight)
{
    train::ForwardHooks<float> hooks;
    hooks.replaceLinear = replace;
    std::vector<std::pair<Variable<float>, double>> parts;
    double total = 0;
    for (const auto& positions : groupsOfOneLength(samples)) {
        Group group;
        for (const std::size_t position : positions)
            group.push_back(&samples[position]);
        double rows = 0;
        const Variable<float> part = m_content->settings.distil ? m_content->distilledLoss(tape, group, hooks, rows) : m_content->taskLoss(tape, group, hooks, rows);
        parts.emplace_back(part, rows);
        total += rows;
    }
    if (weight)
        *weight = total;
    if (parts.size() == 1)
        return parts.front().first;
    Variable<float> sum;
    for (const auto& [part, rows] : parts) {
        const Variable<float> share = train::scale(part, static_cast<float>(rows / std::max(total, 1.0)));
        sum = sum ? train::add(sum, share) : share;
    }
    return sum;
}

} // namespace tamis::lowrank
