// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/reduced_forward.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/nn/token_hook.h"
#include "core/tokens/rollout.h"
#include "core/tokens/route.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <mutex>
#include <optional>
#include <utility>
#include <string>

namespace tamis::tokens {
namespace {
using kernels::Rows;
using Clock = std::chrono::steady_clock;

/// Rows of x where they go; `sizes` are those before. A row of one token alone is copied, bit by bit, unless it is a sum.
void moveRows(const Assignment& a, const std::vector<float>& sizes, Rows x, nn::Scratch& scratch)
{
    nn::Scratch::Frame frame(scratch);
    const Rows next = frame.take(a.count, x.cols);
    const std::vector<float>& weights = a.weights.empty() ? sizes : a.weights;
    std::vector<std::int32_t> members(static_cast<std::size_t>(a.count));
    std::vector<float> totals(static_cast<std::size_t>(a.count));
    for (std::size_t i = 0; i < a.to.size(); ++i)
        if (a.to[i] >= 0) {
            ++members[static_cast<std::size_t>(a.to[i])];
            totals[static_cast<std::size_t>(a.to[i])] += weights[i];
        }
    std::vector<std::uint8_t> started(static_cast<std::size_t>(a.count));
    for (std::int64_t i = 0; i < x.rows; ++i) {
        const std::int32_t to = a.to[static_cast<std::size_t>(i)];
        if (to < 0)
            continue;
        const auto place = static_cast<std::size_t>(to);
        const bool isSum = !a.sum.empty() && a.sum[place] != 0;
        const float* from = x.data + i * x.stride;
        float* row = next.data + to * next.stride;
        if (members[place] == 1 && !isSum) {
            std::copy_n(from, x.cols, row);
            continue;
        }
        const float weight = weights[static_cast<std::size_t>(i)];
        if (!started[place])
            std::fill_n(row, x.cols, 0.0f);
        started[place] = 1;
        for (std::int64_t j = 0; j < x.cols; ++j)
            row[j] += weight * from[j];
    }
    for (std::int64_t i = 0; i < a.count; ++i) {
        float* row = next.data + i * next.stride;
        const auto place = static_cast<std::size_t>(i);
        if (started[place] && (a.sum.empty() || a.sum[place] == 0))
            for (std::int64_t j = 0; j < x.cols; ++j)
                row[j] /= totals[place];
        std::copy_n(row, x.cols, x.data + i * x.stride);
    }
}

bool leavesAllWhereTheyAre(const Assignment& a)
{
    if (a.count != static_cast<std::int64_t>(a.to.size()) || std::ranges::find(a.sum, 1) != a.sum.end())
        return false;
    for (std::size_t i = 0; i < a.to.size(); ++i)
        if (a.to[i] != static_cast<std::int32_t>(i))
            return false;
    return true;
}

/// Does the chain's steps at their places and keeps the account of the tokens.
class ChainHook final : public nn::TokenHook {
public:
    ChainHook(const Chain& chain, TokenSet set, std::span<const float> image, const RunContext& context, Trace* trace)
        : m_chain(chain), m_set(std::move(set)), m_image(image), m_trace(trace)
    {
        if (chain.imageScorer)
            m_imageScores = chain.imageScorer->score(image, context);
        if (chain.rollout)
            m_rollout.emplace(m_set);
    }
    TokenSet& set() noexcept { return m_set; }

    std::int64_t beforeBlock(int block, const nn::Block& layer, Rows x, nn::Scratch& scratch) override
    {
        m_scores.clear();
        return steps(block, Place::BeforeBlock, layer, nullptr, x, scratch);
    }
    const float* keyBias(int, std::int64_t tokens) override
    {
        if (!m_chain.proportionalAttention || std::ranges::all_of(m_set.keyWeights, [](float weight) { return weight == 1.0f; }))
            return nullptr;
        m_bias.resize(static_cast<std::size_t>(tokens));
        std::ranges::transform(m_set.keyWeights, m_bias.begin(), [](float weight) { return std::log(weight); });
        return m_bias.data();
    }
    std::span<const std::int32_t> heldBy(int, std::int64_t) override
    {
        for (std::size_t source = 0; source < m_set.row.size(); ++source)
            if (m_set.row[source] != static_cast<std::int32_t>(source))
                return m_set.row;
        return {}; // as the model has them
    }
    std::int64_t betweenBranches(int block, const nn::Block& layer, const nn::AttentionInput& input, Rows x, nn::Scratch& scratch) override
    {
        const std::int64_t before = x.rows;
        if (m_rollout && hasStepFrom(block))
            m_rollout->follow(layer, input, scratch);
        x.rows = steps(block, Place::BetweenBranches, layer, &input, x, scratch);
        if (m_trace)
            m_trace->layers.push_back({{before, x.rows}, m_set, std::move(m_scores), std::exchange(m_macs, 0)});
        return x.rows;
    }

private:
    std::int64_t steps(int block, Place place, const nn::Block& layer, const nn::AttentionInput* input, Rows x, nn::Scratch& scratch)
    {
        bool first = true;
        for (const Step& step : m_chain.steps) {
            if (step.block != block || step.place != place)
                continue;
            const auto start = Clock::now();
            // a second step at one place has no attention of its own tokens
            const Assignment a = step.reduction->assign({block, layer, first ? input : nullptr, x, m_set, m_image, m_remembered, m_rollout ? &m_rollout->rows() : nullptr,
                                                         m_imageScores.empty() ? nullptr : &m_imageScores, scratch});
            if (m_trace && !a.scores.empty())
                keepScores(a.scores);
            m_macs += a.macs;
            if (m_trace && !a.remark.empty() && m_trace->remark.find(a.remark) == std::string::npos)
                m_trace->remark += (m_trace->remark.empty() ? "" : "; ") + a.remark;
            const std::vector<float> sizes = m_set.sizes;
            const bool same = leavesAllWhereTheyAre(a);
            m_set.apply(a);
            m_remembered = same ? a.scores : std::vector<float>();
            if (!same) {
                moveRows(a, sizes, x, scratch);
                if (m_rollout)
                    m_rollout->reduce(a, sizes);
                x.rows = a.count;
                first = false;
            }
            if (m_trace)
                m_trace->reductionMs += std::chrono::duration<double, std::milli>(Clock::now() - start).count();
        }
        return x.rows;
    }
    void keepScores(const std::vector<float>& scores)
    {
        m_scores.assign(m_set.row.size(), std::numeric_limits<float>::quiet_NaN());
        for (std::size_t source = 0; source < m_set.row.size(); ++source)
            if (m_set.row[source] >= 0)
                m_scores[source] = scores[static_cast<std::size_t>(m_set.row[source])];
    }
    bool hasStepFrom(int block) const
    {
        return std::ranges::any_of(m_chain.steps, [block](const Step& step) { return step.block >= block; });
    }
    const Chain& m_chain;
    TokenSet m_set;
    std::span<const float> m_image;
    Trace* m_trace;
    std::vector<float> m_bias, m_scores, m_remembered;
    tensor::Matrix<float> m_imageScores;
    std::optional<Rollout> m_rollout;
    std::uint64_t m_macs = 0; ///< of the choices since the last block
};

void countMacs(const nn::ModelSpec& spec, Trace& trace)
{
    const std::vector<BlockTokens> tokens = trace.tokens();
    const std::vector<std::uint64_t> macs = blockMacs(spec, tokens);
    trace.macs = modelMacs(spec, tokens);
    for (std::size_t block = 0; block < macs.size(); ++block) {
        trace.macs += trace.layers[block].macs; // of what chose its tokens
        trace.layers[block].macs += macs[block];
    }
}

/// Takes what the user dropped out of x before the first block.
std::int64_t dropWished(TokenSet& set, Rows x, nn::Scratch& scratch)
{
    if (std::ranges::find(set.wishes, Wish::Drop) == set.wishes.end())
        return x.rows;
    Assignment a;
    for (std::int64_t i = 0; i < x.rows; ++i)
        a.to.push_back(i >= set.prefix && set.wishes[static_cast<std::size_t>(i)] == Wish::Drop ? -1 : static_cast<std::int32_t>(a.count++));
    if (a.count <= set.prefix)
        throw Error(ErrorCode::InvalidParameter, "found every patch dropped by hand, expected one at least to be left");
    const std::vector<float> sizes = set.sizes;
    set.apply(a);
    moveRows(a, sizes, x, scratch);
    return a.count;
}
} // namespace

std::vector<BlockTokens> Trace::tokens() const
{
    std::vector<BlockTokens> result;
    for (const TracedLayer& layer : layers)
        result.push_back(layer.tokens);
    return result;
}

void keepRows(Trace& trace, kernels::ConstRows x)
{
    trace.rows = tensor::Matrix<float>(x.rows, x.cols);
    for (std::int64_t i = 0; i < x.rows; ++i)
        std::ranges::copy(x.row(i), trace.rows.view().row(i).begin());
}

void requireReducible(const nn::Model& model, const Chain& chain)
{
    const nn::ModelSpec& spec = model.spec();
    const auto refuse = [&](const std::string& found) {
        throw Error(ErrorCode::UnsupportedFeature, "found " + found + ", expected a vision transformer whose blocks all see one set of tokens", spec.architecture);
    };
    if (!spec.vision())
        refuse("a language model");
    if (spec.pool == nn::Pool::None)
        refuse("a model with one output for every token");
    for (const nn::BlockSpec& block : spec.blocks) {
        if (block.gridHeight > 0 || block.mergeAfter)
            refuse("attention within windows of a grid");
        if (block.postNorm)
            refuse("norms behind the branches");
        if (block.attention.causal)
            refuse("causal attention");
    }
    if (chain.route && !chain.steps.empty())
        throw Error(ErrorCode::InvalidParameter, "found reductions of tokens beside a route of its own, expected one or the other", spec.architecture);
    int last = 0;
    for (const Step& step : chain.steps) {
        if (step.block < 0 || step.block >= static_cast<int>(spec.blocks.size()))
            throw Error(ErrorCode::InvalidParameter, "found a reduction in block " + std::to_string(step.block) + ", expected 0 to " + std::to_string(spec.blocks.size() - 1), spec.architecture);
        const int place = 2 * step.block + (step.place == Place::BetweenBranches ? 1 : 0);
        if (place < last)
            throw Error(ErrorCode::InvalidParameter, "found a reduction in block " + std::to_string(step.block) + " behind one of a later place, expected them in order", spec.architecture);
        last = place;
    }
}

bool takesWishes(const Chain& chain) { return !chain.route || chain.route->takesWishes(); }

void runReduced(const nn::Model& model, const Chain& chain, const nn::Sample& sample, std::span<const Wish> wishes, Rows output, nn::Scratch& scratch, Trace* trace)
{
    requireReducible(model, chain);
    model.check(sample);
    const nn::ModelSpec& spec = model.spec();
    if (chain.route) {
        const bool wished = std::ranges::any_of(wishes, [](Wish wish) { return wish != Wish::None; });
        if (wished && !takesWishes(chain))
            throw Error(ErrorCode::InvalidParameter, "found tokens kept or dropped by hand, expected none: this method has tokens of its own");
        if (trace)
            *trace = {};
        return chain.route->run(sample, wished ? wishes : std::span<const Wish>(), output, scratch, trace);
    }
    TokenSet set = wholeSet(spec.patch.prefixTokens, spec.patch.gridHeight, spec.patch.gridWidth);
    if (!wishes.empty() && wishes.size() != set.sizes.size())
        throw Error(ErrorCode::InvalidParameter, "found wishes for " + std::to_string(wishes.size()) + " tokens, expected none or " + std::to_string(set.sizes.size()));
    set.wishes.assign(wishes.begin(), wishes.end());
    if (trace) {
        *trace = {};
        trace->layers.reserve(spec.blocks.size());
    }
    nn::Scratch::Frame frame(scratch);
    Rows x = frame.take(set.tokens(), spec.width);
    model.embed(sample, x, scratch);
    x.rows = dropWished(set, x, scratch);
    ChainHook hook(chain, std::move(set), sample.image, scratch.context(), trace);
    for (int block = 0; block < static_cast<int>(spec.blocks.size()); ++block)
        x.rows = model.runBlock(block, x, scratch, hook);
    const std::vector<float>& sizes = hook.set().sizes;
    const bool weighted = chain.weightedPool && std::ranges::any_of(sizes, [](float size) { return size != 1.0f; });
    model.runTail(x, weighted ? std::span<const float>(sizes) : std::span<const float>(), output, scratch, 0, nullptr, trace ? &trace->features : nullptr);
    if (trace) {
        keepRows(*trace, x);
        countMacs(spec, *trace);
    }
}

struct ReducedPass::Workers {
    const nn::Model& model;
    const Chain& chain;
    std::vector<tensor::Matrix<float>> outputs{};
    std::unique_ptr<nn::Scratch> shared{};
    std::mutex mutex{};
    std::vector<std::unique_ptr<nn::Scratch>> idle{};
    std::unique_ptr<nn::Scratch> take()
    {
        const std::scoped_lock lock(mutex);
        if (idle.empty())
            return std::make_unique<nn::Scratch>(false);
        auto scratch = std::move(idle.back());
        idle.pop_back();
        return scratch;
    }
    void give(std::unique_ptr<nn::Scratch> scratch)
    {
        const std::scoped_lock lock(mutex);
        idle.push_back(std::move(scratch));
    }
};

ReducedPass::ReducedPass(const nn::Model& model, const Chain& chain) : m_workers(new Workers{model, chain})
{
    requireReducible(model, chain);
}
ReducedPass::~ReducedPass() = default;

const std::vector<tensor::Matrix<float>>& ReducedPass::run(std::span<const nn::Sample> samples, const RunContext& context, std::vector<Trace>* traces)
{
    Workers& w = *m_workers;
    w.outputs.resize(samples.size());
    if (traces)
        traces->resize(samples.size());
    for (tensor::Matrix<float>& output : w.outputs)
        if (output.cols() != w.model.outputWidth())
            output = tensor::Matrix<float>(1, w.model.outputWidth());
    const auto one = [&](std::size_t i, nn::Scratch& scratch) {
        scratch.setContext(context);
        runReduced(w.model, w.chain, samples[i], {}, w.outputs[i].view(), scratch, traces ? &(*traces)[i] : nullptr);
    };
    if (samples.size() < static_cast<std::size_t>(threadCount())) {
        if (!w.shared)
            w.shared = std::make_unique<nn::Scratch>(true);
        for (std::size_t i = 0; i < samples.size(); ++i)
            one(i, *w.shared);
        return w.outputs;
    }
    parallelFor(context, samples.size(), [&](std::size_t i) {
        std::unique_ptr<nn::Scratch> scratch = w.take();
        one(i, *scratch);
        w.give(std::move(scratch));
    });
    return w.outputs;
}

std::vector<tensor::Matrix<float>> runReducedBatch(const nn::Model& model, const Chain& chain, std::span<const nn::Sample> samples, const RunContext& context,
                                                   std::vector<Trace>* traces)
{
    ReducedPass pass(model, chain);
    return pass.run(samples, context, traces);
}

} // namespace tamis::tokens
