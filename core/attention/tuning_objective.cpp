// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/tuning_objective.h"

#include "core/base/error.h"
#include "core/measure/model_on_tape.h"
#include "core/train/loss_ops.h"
#include "core/train/pointwise_ops.h"

#include <algorithm>
#include <map>
#include <utility>
#include <variant>

namespace tamis::attention {
namespace {
using train::Tape;
using train::Variable;
using train::View;
constexpr std::size_t kTaughtBytes = std::size_t{256} << 20U;

/// Samples of one length, with their places in the source.
struct Group {
    std::vector<const measure::LoadedSample*> samples;
    std::vector<std::size_t> places;
};

std::vector<Group> groupsOf(std::span<const measure::LoadedSample* const> samples, std::span<const std::size_t> places)
{
    std::map<std::size_t, Group> byLength;
    for (std::size_t i = 0; i < samples.size(); ++i) {
        Group& group = byLength[samples[i]->tokens.size()];
        group.samples.push_back(samples[i]);
        group.places.push_back(places[i]);
    }
    std::vector<Group> groups;
    for (auto& [length, group] : byLength)
        groups.push_back(std::move(group));
    return groups;
}

/// mean (a - target)^2 / mean target^2
Variable<float> relativeError(Variable<float> a, Variable<float> target)
{
    double square = 0;
    const View<const float> values = target.value();
    for (std::int64_t i = 0; i < values.rows; ++i)
        for (std::int64_t j = 0; j < values.cols; ++j)
            square += static_cast<double>(values(i, j)) * static_cast<double>(values(i, j));
    square /= static_cast<double>(values.rows * values.cols);
    return train::scale(train::meanSquaredError(a, target), static_cast<float>(1 / std::max(square, 1e-30)));
}
} // namespace

struct TuningObjective::Content {
    measure::ModelOnTape onTape;
    const nn::Model& teacher;
    TapeOperators& operators;
    ObjectiveWeights weights;
    nn::ForwardPass pass;
    std::map<std::size_t, tensor::Matrix<float>> taught; ///< the teacher's logits by place
    std::size_t taughtBytes = 0;

    bool decoder() const { return std::holds_alternative<train::DecoderOnTape<float>>(onTape); }
    bool classes() const { return decoder() || teacher.spec().classes > 0; }

    Variable<float> logits(Tape<float>& tape, std::span<const measure::LoadedSample* const> samples)
    {
        train::ForwardHooks<float> hooks;
        hooks.replaceAttention = [this, &tape](std::size_t block, const train::AttentionRows<float>& rows) {
            return operators[block] ? operators[block]->mix(tape, rows) : Variable<float>{};
        };
        return measure::logits(onTape, tape, samples, hooks);
    }

    /// The teacher's logits of a group, in the tape's memory.
    Variable<float> teaching(Tape<float>& tape, const Group& group, std::int64_t rows, std::int64_t cols)
    {
        std::vector<nn::Sample> asked;
        std::vector<std::size_t> askedAt;
        for (std::size_t i = 0; i < group.samples.size(); ++i)
            if (!taught.contains(group.places[i])) {
                asked.push_back(group.samples[i]->view());
                askedAt.push_back(i);
            }
        const std::int64_t each = rows / static_cast<std::int64_t>(group.samples.size());
        const View<float> all{tape.scratch<float>(rows * cols), rows, cols, cols};
        const auto place = [&](std::size_t i, const tensor::Matrix<float>& values) { std::ranges::copy(values.values(), all.data + static_cast<std::int64_t>(i) * each * cols); };
        for (std::size_t i = 0; i < group.samples.size(); ++i)
            if (const auto found = taught.find(group.places[i]); found != taught.end())
                place(i, found->second);
        if (!asked.empty()) {
            const auto& outputs = pass.run(asked, tape.context());
            for (std::size_t a = 0; a < asked.size(); ++a) {
                place(askedAt[a], outputs[a]);
                if (taughtBytes + 4 * outputs[a].size() <= kTaughtBytes && taught.emplace(group.places[askedAt[a]], outputs[a]).second)
                    taughtBytes += 4 * outputs[a].size();
            }
        }
        return tape.constant({all.data, rows, cols, cols});
    }

    std::vector<std::int32_t> labelsOf(const Group& group) const
    {
        std::vector<std::int32_t> labels;
        for (const measure::LoadedSample* sample : group.samples) {
            if (decoder()) {
                auto next = train::nextTokens(sample->tokens, 1);
                std::fill_n(next.begin(), std::min(next.size(), std::max<std::size_t>(sample->firstScored, 1) - 1), train::kIgnored);
                labels.insert(labels.end(), next.begin(), next.end());
            } else if (sample->label >= 0 || weights.teacher > 0) {
                labels.push_back(sample->label >= 0 ? sample->label : train::kIgnored);
            } else {
                throw Error(ErrorCode::InvalidParameter, "found a photo without a label, expected one for each: without a teacher there is nothing else to learn", "labels");
            }
        }
        return labels;
    }

    Variable<float> lossOf(Tape<float>& tape, const Group& group, double& rows)
    {
        const Variable<float> out = logits(tape, group.samples);
        rows = static_cast<double>(out.rows());
        Variable<float> sum;
        if (weights.teacher > 0) {
            const Variable<float> target = teaching(tape, group, out.rows(), out.cols());
            sum = train::scale(classes() ? train::distillation(out, target, weights.temperature) : relativeError(out, target), static_cast<float>(weights.teacher));
        }
        if (weights.labels > 0) {
            const Variable<float> own = train::scale(train::crossEntropy<float>(out, labelsOf(group)), static_cast<float>(weights.labels));
            sum = sum ? train::add(sum, own) : own;
        }
        return sum;
    }
};

TuningObjective::TuningObjective(const io::Checkpoint& checkpoint, const nn::Model& model, TapeOperators& operators, const ObjectiveWeights& weights, const RunContext& context)
    : m_content(new Content{measure::loadOnTape(checkpoint, model, context), model, operators, weights, nn::ForwardPass(model), {}, 0})
{
    if (!(weights.teacher >= 0 && weights.labels >= 0 && weights.teacher + weights.labels > 0 && weights.temperature > 0))
        throw Error(ErrorCode::InvalidParameter, "found weights " + std::to_string(weights.teacher) + " of the teacher and " + std::to_string(weights.labels) + " of the labels, expected one above 0", "training");
    if (weights.labels > 0 && !m_content->classes())
        throw Error(ErrorCode::InvalidParameter, "has no classes for labels to be of, expected a model with a head; a teacher needs none", checkpoint.path().string());
}

TuningObjective::~TuningObjective() = default;

train::ParameterSet<float>& TuningObjective::parameters() noexcept
{
    return std::visit([](auto& model) -> train::ParameterSet<float>& { return model.parameters(); }, m_content->onTape);
}

Variable<float> TuningObjective::logits(Tape<float>& tape, std::span<const measure::LoadedSample* const> samples) { return m_content->logits(tape, samples); }

Variable<float> TuningObjective::loss(Tape<float>& tape, std::span<const measure::LoadedSample* const> samples, std::span<const std::size_t> places)
{
    std::vector<std::pair<Variable<float>, double>> parts;
    double total = 0;
    for (const Group& group : groupsOf(samples, places)) {
        double own = 0;
        const Variable<float> part = m_content->lossOf(tape, group, own);
        parts.emplace_back(part, own);
        total += own;
    }
    if (parts.size() == 1)
        return parts.front().first;
    Variable<float> sum;
    for (const auto& [part, own] : parts) {
        const Variable<float> share = train::scale(part, static_cast<float>(own / total));
        sum = sum ? train::add(sum, share) : share;
    }
    return sum;
}

} // namespace tamis::attention
