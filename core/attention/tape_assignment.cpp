// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/tape_assignment.h"

#include "core/base/error.h"
#include "core/train/attention_ops.h"
#include "core/train/token_ops.h"

#include <algorithm>
#include <map>
#include <string>

namespace tamis::attention {
namespace {
using Variable = train::Variable<float>;
using Tape = train::Tape<float>;
using Rows = train::AttentionRows<float>;

constexpr float kHidden = -1e30F; ///< added to a score that is not seen: exp of it is 0

train::AttentionShape shapeOf(const nn::AttentionSpec& spec, std::int64_t sequences)
{
    return {.sequences = sequences, .heads = spec.heads, .keyValueHeads = spec.keyValueHeads, .scale = static_cast<double>(spec.scale), .causal = spec.causal,
            .window = spec.causal ? spec.slidingWindow : 0};
}

class Exact final : public TapeOperator {
public:
    explicit Exact(const nn::AttentionSpec& spec) : m_spec(spec) {}
    Variable mix(Tape&, const Rows& rows) override { return train::attention(rows.q, rows.k, rows.v, shapeOf(m_spec, rows.sequences)); }
    nn::AttentionPtr op() const override { return nn::exactAttention(m_spec); }

private:
    nn::AttentionSpec m_spec;
};

class Masked final : public TapeOperator {
public:
    Masked(const nn::AttentionSpec& spec, Visible visible, nn::AttentionPtr op) : m_spec(spec), m_visible(std::move(visible)), m_op(std::move(op)) {}
    Variable mix(Tape& tape, const Rows& rows) override
    {
        return train::attention(rows.q, rows.k, rows.v, shapeOf(m_spec, rows.sequences), tape.constant(maskFor(rows.q.rows() / rows.sequences).view()));
    }
    nn::AttentionPtr op() const override { return m_op; }

private:
    /// [heads tokens, tokens]; kept for each length, for a tape borrows it.
    const tensor::Matrix<float>& maskFor(std::int64_t tokens)
    {
        const auto [place, added] = m_masks.try_emplace(tokens);
        if (!added)
            return place->second;
        tensor::Matrix<float> mask(m_spec.heads * tokens, tokens);
        for (std::int64_t i = 0; i < tokens; ++i)
            for (std::int64_t j = 0; j < tokens; ++j)
                if (!m_visible(tokens, i, j))
                    for (std::int64_t head = 0; head < m_spec.heads; ++head)
                        mask(head * tokens + i, j) = kHidden;
        return place->second = std::move(mask);
    }
    nn::AttentionSpec m_spec;
    Visible m_visible;
    nn::AttentionPtr m_op;
    std::map<std::int64_t, tensor::Matrix<float>> m_masks;
};

/// Heads side by side, each by its own operator. Their own parameters stand in one set, as "head.<head>.<name>".
class ByHead final : public TapeOperator {
public:
    ByHead(const nn::AttentionSpec& spec, std::vector<std::unique_ptr<TapeOperator>> heads) : m_spec(spec), m_heads(std::move(heads)) {}
    std::vector<OwnParameters> parameterSets() override
    {
        std::vector<OwnParameters> all;
        for (std::size_t head = 0; head < m_heads.size(); ++head)
            for (OwnParameters own : m_heads[head]->parameterSets())
                all.push_back({"head." + std::to_string(head) + "." + own.prefix, own.set});
        return all;
    }
    void beginStep(std::int64_t step) override
    {
        for (const auto& head : m_heads)
            head->beginStep(step);
    }
    Variable mix(Tape& tape, const Rows& rows) override
    {
        const std::int64_t d = m_spec.headDim, group = m_spec.heads / m_spec.keyValueHeads;
        return sideBySide(m_spec.heads, [&](std::int64_t head) {
            const Rows own{rows.x, tape.window(rows.q, head * d, d), tape.window(rows.k, head / group * d, d), tape.window(rows.v, head / group * d, d), rows.sequences};
            return m_heads[static_cast<std::size_t>(head)]->mix(tape, own);
        });
    }
    nn::AttentionPtr op() const override
    {
        std::vector<nn::AttentionPtr> heads;
        for (const auto& head : m_heads)
            heads.push_back(head->op());
        return byHead(m_spec, std::move(heads));
    }

private:
    nn::AttentionSpec m_spec;
    std::vector<std::unique_ptr<TapeOperator>> m_heads;
};

std::unique_ptr<TapeOperator> made(const nn::Model& model, const HeadChoice& choice, std::int64_t head, const AssignmentInputs& with)
{
    const Inputs inputs = inputsFor(model, choice.block, head, with);
    if (choice.method.empty())
        return exactOnTape(inputs.spec);
    const Method* method = findMethod(choice.method);
    if (!method)
        throw Error(ErrorCode::InvalidParameter, "found method '" + choice.method + "', expected one of the attention lab", "attention of block " + std::to_string(choice.block));
    if (!method->onTape)
        throw Error(ErrorCode::UnsupportedFeature, "has no form that a model can be trained around, expected a method that has one", choice.method);
    return method->onTape(inputs, choice.parameters);
}
} // namespace

Variable sideBySide(std::int64_t count, const std::function<Variable(std::int64_t)>& each)
{
    Variable all;
    for (std::int64_t i = 0; i < count; ++i) {
        const Variable own = each(i);
        all = all ? train::joinColumns(all, own) : own;
    }
    return all;
}

Variable forEachHead(Tape& tape, Variable x, const nn::AttentionSpec& spec)
{
    if (spec.heads == spec.keyValueHeads)
        return x;
    const std::int64_t width = x.cols() / spec.keyValueHeads, group = spec.heads / spec.keyValueHeads;
    return sideBySide(spec.heads, [&](std::int64_t head) { return tape.window(x, head / group * width, width); });
}

std::unique_ptr<TapeOperator> exactOnTape(const nn::AttentionSpec& spec) { return std::make_unique<Exact>(spec); }
std::unique_ptr<TapeOperator> maskedOnTape(const nn::AttentionSpec& spec, Visible visible, nn::AttentionPtr op) { return std::make_unique<Masked>(spec, std::move(visible), std::move(op)); }

TapeOperators tapeOperatorsFor(const nn::Model& model, std::span<const HeadChoice> choices, const AssignmentInputs& with)
{
    TapeOperators operators(model.blocks().size());
    for (const BlockChoices& block : choicesByBlock(model, choices)) {
        auto& place = operators[static_cast<std::size_t>(block.block)];
        const nn::AttentionSpec& spec = model.spec().blocks[static_cast<std::size_t>(block.block)].attention;
        if (block.whole) {
            if (!block.whole->method.empty())
                place = made(model, *block.whole, kAllHeads, with);
            continue;
        }
        std::vector<std::unique_ptr<TapeOperator>> heads;
        for (std::int64_t head = 0; head < spec.heads; ++head) {
            const HeadChoice* choice = block.heads[static_cast<std::size_t>(head)];
            heads.push_back(choice ? made(model, *choice, head, with) : exactOnTape(specOfHead(spec)));
        }
        place = std::make_unique<ByHead>(spec, std::move(heads));
    }
    return operators;
}

} // namespace tamis::attention
