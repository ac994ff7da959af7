// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/head_effects.h"

#include "core/base/error.h"
#include "core/base/parallel.h"

#include <algorithm>
#include <cmath>
#include <mutex>

namespace tamis::attention {
namespace {
using tensor::Matrix;

/// The choice of every head that has one that is not exact, as a choice of that head alone.
std::vector<HeadChoice> aloneChoices(const nn::Model& model, std::span<const HeadChoice> choices)
{
    std::vector<HeadChoice> all;
    for (std::size_t block = 0; block < model.blocks().size(); ++block)
        for (std::int64_t head = 0; head < model.spec().blocks[block].attention.heads; ++head) {
            const HeadChoice* last = nullptr;
            for (const HeadChoice& choice : choices)
                if (choice.block == static_cast<int>(block) && (choice.head == kAllHeads || choice.head == head))
                    last = &choice;
            if (last && !last->method.empty())
                all.push_back({static_cast<int>(block), head, last->method, last->parameters});
        }
    return all;
}

/// One head of an operator, the others exact.
class OneHead final : public nn::AttentionOp {
public:
    OneHead(nn::AttentionPtr exact, nn::AttentionPtr op, std::int64_t head) : m_exact(std::move(exact)), m_op(std::move(op)), m_head(head) {}
    std::string_view kind() const noexcept override { return "one-head"; }
    std::int64_t heads() const noexcept override { return m_exact->heads(); }
    std::int64_t headDim() const noexcept override { return m_exact->headDim(); }
    nn::AttentionCost cost(std::int64_t tokens) const noexcept override { return m_exact->cost(tokens); }
    void apply(const nn::AttentionInput& input, kernels::Rows out, nn::Scratch& scratch) const override
    {
        nn::Scratch::Frame frame(scratch);
        const kernels::Rows all = frame.take(out.rows, out.cols);
        m_op->apply(input, all, scratch);
        m_exact->apply(input, out, scratch);
        for (std::int64_t i = 0; i < out.rows; ++i)
            std::copy_n(all.data + i * all.stride + m_head * headDim(), headDim(), out.data + i * out.stride + m_head * headDim());
    }
    std::int64_t maps(std::int64_t tokens) const noexcept override { return m_exact->maps(tokens); }
    std::int64_t mapTokens(std::int64_t tokens) const noexcept override { return m_exact->mapTokens(tokens); }
    Matrix<float> map(const nn::AttentionInput& input, std::int64_t head, std::int64_t map, const RunContext& context) const override { return (head == m_head ? m_op : m_exact)->map(input, head, map, context); }

private:
    nn::AttentionPtr m_exact, m_op;
    std::int64_t m_head;
};

/// The output's features after the blocks from `block` on, from what the whole model gave that block.
Matrix<float> featuresFrom(const nn::Model& model, int block, const AttentionCapture& sample, nn::Scratch& scratch)
{
    Matrix<float> x = sample.blockInputs[static_cast<std::size_t>(block)];
    for (std::size_t b = static_cast<std::size_t>(block); b < model.blocks().size(); ++b)
        model.runBlock(static_cast<int>(b), x.view(), scratch);
    Matrix<float> features(sample.features.rows(), sample.features.cols());
    if (measure::headBySlices(model))
        model.finalNorm().apply(x.view(), features.view());
    else
        model.runTail(x.view(), {}, features.view(), scratch);
    return features;
}
} // namespace

std::vector<HeadEffect> logitEffects(const std::shared_ptr<const nn::Model>& model, std::span<const HeadChoice> choices, const AssignmentInputs& with,
                                     std::span<const std::shared_ptr<const AttentionCapture>> samples, const RunContext& context,
                                     const std::function<void(const HeadEffect&)>& finished, const BlockOperators& made)
{
    if (samples.empty())
        throw Error(ErrorCode::InvalidParameter, "found no sample, expected one at least", "effects of heads");
    (void)operatorsFor(*model, choices, with); // refused before anything is run
    const std::vector<HeadChoice> heads = aloneChoices(*model, choices);
    std::vector<HeadEffect> effects(heads.size());
    std::mutex mutex;
    std::size_t done = 0;
    parallelFor(RunContext(context.stopToken()), heads.size(), [&](std::size_t i) {
        const HeadChoice& choice = heads[i];
        const auto at = static_cast<std::size_t>(choice.block);
        const nn::AttentionPtr op = at < made.size() && made[at] ? std::make_shared<OneHead>(model->blocks()[at].attention, made[at], choice.head) : operatorsFor(*model, {&choice, 1}, with)[at];
        const auto changed = model->withAttention(choice.block, op);
        nn::Scratch scratch(false, RunContext(context.stopToken()));
        double sum = 0;
        for (const auto& sample : samples) {
            context.throwIfStopped();
            const Matrix<float> features = featuresFrom(*changed, choice.block, *sample, scratch);
            const measure::OutputDifference difference = measure::outputDifference(*model, sample->features, *changed, features, RunContext(context.stopToken()));
            sum += std::isnan(difference.kl) ? 1 - difference.cosine : difference.kl;
        }
        effects[i] = {choice.block, choice.head, sum / static_cast<double>(samples.size())};
        const std::lock_guard lock(mutex);
        context.setFraction(static_cast<double>(++done) / static_cast<double>(heads.size()));
        if (finished)
            finished(effects[i]);
    });
    return effects;
}

} // namespace tamis::attention
