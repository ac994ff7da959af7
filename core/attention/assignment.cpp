// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/assignment.h"

#include "core/attention/block_map.h"
#include "core/attention/scratch_bytes.h"
#include "core/base/error.h"
#include "core/base/parallel.h"

#include <algorithm>
#include <set>

namespace tamis::attention {
namespace {
using kernels::ConstRows;
using kernels::Rows;

/// Heads side by side, each by its own operator.
class ByHead final : public nn::AttentionOp, public SparseReader {
public:
    ByHead(const nn::AttentionSpec& spec, std::vector<nn::AttentionPtr> heads) : m_spec(spec), m_heads(std::move(heads)) {}
    std::string_view kind() const noexcept override { return "by-head"; }
    std::int64_t heads() const noexcept override { return m_spec.heads; }
    std::int64_t headDim() const noexcept override { return m_spec.headDim; }
    nn::AttentionCost cost(std::int64_t tokens) const noexcept override
    {
        nn::AttentionCost all;
        for (const nn::AttentionPtr& head : m_heads) {
            const nn::AttentionCost own = head->cost(tokens);
            all.parameters += own.parameters;
            all.macs += own.macs;
            all.liveFloats = std::max(all.liveFloats, scratchFloats(*head, tokens));
        }
        return all;
    }
    void apply(const nn::AttentionInput& input, Rows out, nn::Scratch& scratch) const override
    {
        const auto one = [&](std::size_t head, nn::Scratch& own) {
            const std::int64_t d = m_spec.headDim;
            m_heads[head]->apply(inputOf(input, static_cast<std::int64_t>(head)), {out.data + static_cast<std::int64_t>(head) * d, out.rows, d, out.stride}, own);
        };
        if (!scratch.parallel()) {
            for (std::size_t head = 0; head < m_heads.size(); ++head)
                one(head, scratch);
            return;
        }
        parallelFor(scratch.context(), m_heads.size(), [&](std::size_t head) {
            nn::Scratch own(false, RunContext(scratch.context().stopToken()));
            one(head, own);
        });
    }
    std::int64_t maps(std::int64_t tokens) const noexcept override { return m_heads.front()->maps(tokens); }
    std::int64_t mapTokens(std::int64_t tokens) const noexcept override { return m_heads.front()->mapTokens(tokens); }
    tensor::Matrix<float> map(const nn::AttentionInput& input, std::int64_t head, std::int64_t map, const RunContext& context) const override
    {
        return m_heads[static_cast<std::size_t>(head)]->map(inputOf(input, head), 0, map, context);
    }
    report::BlockMap blockMap(const nn::AttentionInput& input, std::int64_t head, const RunContext& context) const override
    {
        return attention::blockMap(*m_heads[static_cast<std::size_t>(head)], inputOf(input, head), 0, context);
    }

private:
    nn::AttentionInput inputOf(const nn::AttentionInput& input, std::int64_t head) const noexcept
    {
        const std::int64_t d = m_spec.headDim, shared = head / (m_spec.heads / m_spec.keyValueHeads);
        const auto columns = [d](ConstRows rows, std::int64_t at) { return ConstRows{rows.data + at * d, rows.rows, d, rows.stride}; };
        const auto from = [d](const float* values, std::int64_t at) { return values ? values + at * d : nullptr; };
        nn::AttentionInput one = input;
        one.q = columns(input.q, head);
        one.k = columns(input.k, shared);
        one.v = columns(input.v, shared);
        one.paddingQuery = from(input.paddingQuery, head);
        one.paddingKey = from(input.paddingKey, shared);
        one.paddingValue = from(input.paddingValue, shared);
        return one;
    }
    nn::AttentionSpec m_spec;
    std::vector<nn::AttentionPtr> m_heads;
};

nn::AttentionPtr made(const nn::Model& model, const HeadChoice& choice, std::int64_t head, const AssignmentInputs& with)
{
    const Inputs inputs = inputsFor(model, choice.block, head, with);
    if (choice.method.empty())
        return nn::exactAttention(inputs.spec);
    const Method* method = findMethod(choice.method);
    if (!method)
        throw Error(ErrorCode::InvalidParameter, "found method '" + choice.method + "', expected one of the attention lab", "attention of block " + std::to_string(choice.block));
    if (method->fits && !inputs.samples)
        throw Error(ErrorCode::InvalidParameter, "found no samples to fit to, expected some", choice.method);
    return method->op(inputs, choice.parameters);
}

/// From the last choice that names each head.
BlockChoices choicesOf(const nn::Model& model, int block, std::span<const HeadChoice> choices)
{
    const nn::AttentionSpec& spec = model.spec().blocks[static_cast<std::size_t>(block)].attention;
    BlockChoices of{.block = block, .heads = std::vector<const HeadChoice*>(static_cast<std::size_t>(spec.heads), nullptr)};
    const HeadChoice* whole = nullptr; ///< stands for all heads
    for (const HeadChoice& choice : choices) {
        if (choice.block != block)
            continue;
        if (choice.head == kAllHeads)
            std::ranges::fill(of.heads, whole = &choice);
        else if (choice.head < 0 || choice.head >= spec.heads)
            throw Error(ErrorCode::InvalidParameter, "found head " + std::to_string(choice.head) + ", expected 0 to " + std::to_string(spec.heads - 1), "attention of block " + std::to_string(block));
        else
            of.heads[static_cast<std::size_t>(choice.head)] = &choice;
    }
    if (std::ranges::all_of(of.heads, [&](const HeadChoice* choice) { return choice == whole; }))
        of.whole = whole;
    return of;
}

nn::AttentionPtr operatorOf(const nn::Model& model, const BlockChoices& of, const AssignmentInputs& with)
{
    if (of.whole)
        return of.whole->method.empty() ? nullptr : made(model, *of.whole, kAllHeads, with);
    const nn::AttentionSpec& spec = model.spec().blocks[static_cast<std::size_t>(of.block)].attention;
    std::vector<nn::AttentionPtr> operators;
    for (std::int64_t head = 0; head < spec.heads; ++head) {
        const HeadChoice* choice = of.heads[static_cast<std::size_t>(head)];
        operators.push_back(choice ? made(model, *choice, head, with) : nn::exactAttention(specOfHead(spec)));
    }
    return byHead(spec, std::move(operators));
}
} // namespace

Inputs inputsFor(const nn::Model& model, int block, std::int64_t head, const AssignmentInputs& with)
{
    const nn::ModelSpec& spec = model.spec();
    const nn::BlockSpec& own = spec.blocks[static_cast<std::size_t>(block)];
    Inputs inputs{.spec = own.attention, .block = block, .blocks = static_cast<int>(spec.blocks.size()), .width = own.width, .seed = with.seed, .samples = nullptr, .context = with.context};
    if (spec.vision()) {
        inputs.prefix = spec.patch.prefixTokens;
        inputs.gridHeight = own.gridHeight > 0 ? own.gridHeight : spec.patch.gridHeight;
        inputs.gridWidth = own.gridWidth > 0 ? own.gridWidth : spec.patch.gridWidth;
    }
    const auto at = static_cast<std::size_t>(block);
    if (at < with.samples.size())
        inputs.samples = with.samples[at];
    if (head != kAllHeads) {
        inputs.spec = specOfHead(inputs.spec);
        inputs.head = head;
        if (inputs.samples)
            inputs.samples = std::make_shared<BlockSamples>(inputs.samples->ofHead(own.attention, head));
    }
    return inputs;
}

std::vector<HeadChoice> everywhere(const nn::Model& model, const std::string& method, const Parameters& parameters, std::span<const int> blocks)
{
    std::vector<HeadChoice> choices;
    for (const int block : blocks)
        choices.push_back({block, kAllHeads, method, parameters});
    if (blocks.empty())
        for (std::size_t block = 0; block < model.blocks().size(); ++block)
            choices.push_back({static_cast<int>(block), kAllHeads, method, parameters});
    return choices;
}

bool needsSamples(std::span<const HeadChoice> choices)
{
    return std::ranges::any_of(choices, [](const HeadChoice& choice) {
        const Method* method = findMethod(choice.method);
        return method && method->fits;
    });
}

std::vector<int> blocksOf(std::span<const HeadChoice> choices)
{
    std::set<int> blocks;
    for (const HeadChoice& choice : choices)
        blocks.insert(choice.block);
    return {blocks.begin(), blocks.end()};
}

std::vector<BlockChoices> choicesByBlock(const nn::Model& model, std::span<const HeadChoice> choices)
{
    const auto depth = static_cast<int>(model.blocks().size());
    for (const HeadChoice& choice : choices)
        if (choice.block < 0 || choice.block >= depth)
            throw Error(ErrorCode::InvalidParameter, "found block " + std::to_string(choice.block) + ", expected 0 to " + std::to_string(depth - 1), choice.method);
    std::vector<BlockChoices> all;
    for (const int block : blocksOf(choices))
        all.push_back(choicesOf(model, block, choices));
    return all;
}

BlockOperators operatorsFor(const nn::Model& model, std::span<const HeadChoice> choices, const AssignmentInputs& with)
{
    BlockOperators operators(model.blocks().size());
    const std::vector<BlockChoices> blocks = choicesByBlock(model, choices);
    parallelFor(RunContext(with.context.stopToken()), blocks.size(), [&](std::size_t i) { operators[static_cast<std::size_t>(blocks[i].block)] = operatorOf(model, blocks[i], with); }); // fits take long
    return operators;
}

nn::AttentionPtr byHead(const nn::AttentionSpec& spec, std::vector<nn::AttentionPtr> heads)
{
    if (spec.window > 0)
        throw Error(ErrorCode::UnsupportedFeature, "found attention in windows of a grid, expected attention over all tokens", "operators by head");
    if (static_cast<std::int64_t>(heads.size()) != spec.heads)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(heads.size()) + " operators, expected one for each of " + std::to_string(spec.heads) + " heads", "operators by head");
    return std::make_shared<ByHead>(spec, std::move(heads));
}

nn::AttentionPtr headsByRule(const nn::AttentionSpec& spec, const std::function<HeadRulePtr(std::int64_t)>& rule)
{
    std::vector<nn::AttentionPtr> heads;
    for (std::int64_t head = 0; head < spec.heads; ++head)
        heads.push_back(headwise(specOfHead(spec), rule(head)));
    return byHead(spec, std::move(heads));
}

std::shared_ptr<const nn::Model> replaced(std::shared_ptr<const nn::Model> model, const BlockOperators& operators)
{
    for (std::size_t block = 0; block < operators.size(); ++block)
        if (operators[block])
            model = model->withAttention(static_cast<int>(block), operators[block]);
    return model;
}

} // namespace tamis::attention
