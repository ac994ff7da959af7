// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/zero_tprune.h"

#include "core/base/error.h"
#include "core/kernels/packed_matrix.h"
#include "core/tokens/matching_metric.h"
#include "core/tokens/protection.h"
#include "core/tokens/reduced_forward.h"
#include "core/tokens/selection.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <string>

namespace tamis::tokens {
namespace {
constexpr int kFirstVotes = 50, kMiddleVotes = 10, kLastVotes = 1;

/// What `tokens` pay each other of one head's map: rows of a softmax over them alone.
tensor::Matrix<double> graphOf(const tensor::Matrix<float>& map, const std::vector<std::int32_t>& tokens)
{
    const auto count = static_cast<std::int64_t>(tokens.size());
    tensor::Matrix<double> graph(count, count);
    for (std::int64_t i = 0; i < count; ++i) {
        double sum = 0;
        for (std::int64_t j = 0; j < count; ++j)
            sum += graph(i, j) = static_cast<double>(map(tokens[static_cast<std::size_t>(i)], tokens[static_cast<std::size_t>(j)]));
        for (std::int64_t j = 0; j < count; ++j)
            graph(i, j) = sum > 0 ? graph(i, j) / sum : 1.0 / static_cast<double>(count); // one that attends to none of them votes for all alike
    }
    return graph;
}

class ZeroTpruneStep final : public Reduction {
public:
    explicit ZeroTpruneStep(const ZeroTprune& settings) : m_settings(settings) {}
    Assignment assign(const Look& look) const override
    {
        if (!look.attention)
            throw Error(ErrorCode::InvalidParameter, "found a place without attention, expected it behind the attention of its block", "block " + std::to_string(look.block));
        std::vector<tensor::Matrix<float>> maps;
        for (std::int64_t head = 0; head < look.layer.attention->heads(); ++head) {
            look.scratch.context().throwIfStopped();
            maps.push_back(look.layer.attention->map(*look.attention, head, 0, look.scratch.context()));
        }
        const std::int64_t patches = look.set.tokens() - look.set.prefix, kept = m_settings.keep.of(patches);
        std::vector<std::int32_t> tokens(static_cast<std::size_t>(look.set.tokens()));
        std::iota(tokens.begin(), tokens.end(), 0);
        const auto alike = static_cast<std::int64_t>(m_settings.similar * static_cast<double>(patches - kept));
        if (alike > 0) {
            const std::vector<std::int32_t> gone = mostAlike(look, importance(look, maps, tokens, 1), alike);
            std::erase_if(tokens, [&](std::int32_t token) { return std::ranges::find(gone, token) != gone.end(); });
        }
        const std::vector<double> found = importance(look, maps, tokens, m_settings.votes);
        // those that went for their likeness are behind all others, and no picture has a score for them
        std::vector<float> scores(static_cast<std::size_t>(look.set.tokens()), -1.0f);
        for (std::size_t i = 0; i < tokens.size(); ++i)
            scores[static_cast<std::size_t>(tokens[i])] = static_cast<float>(found[i]);
        Assignment a = keepBest(look.set, scores, kept);
        std::ranges::replace(a.scores, -1.0f, std::numeric_limits<float>::quiet_NaN());
        return a;
    }

private:
    /// Of `tokens`, in their order.
    std::vector<double> importance(const Look& look, const std::vector<tensor::Matrix<float>>& maps, const std::vector<std::int32_t>& tokens, int votes) const
    {
        const double count = static_cast<double>(tokens.size()), first = m_settings.classStart && look.set.prefix > 0 ? std::sqrt(count) : 1.0;
        std::vector<double> start(tokens.size(), 1 / (count - 1 + first));
        start.front() *= first;
        std::vector<std::vector<double>> heads;
        for (const tensor::Matrix<float>& map : maps)
            heads.push_back(weightedPageRank(graphOf(map, tokens).view(), start, votes, look.scratch.context()));
        return emphasisedImportance(heads, static_cast<std::size_t>(look.set.prefix), m_settings.leastVariance, m_settings.mostVariance);
    }
    /// Of the less important half of the patches the `count` that are most alike to one of the other half, fewer where protected ones are among them.
    std::vector<std::int32_t> mostAlike(const Look& look, const std::vector<double>& importance, std::int64_t count) const
    {
        const std::vector<std::uint8_t> stays = look.set.protectedRows();
        std::vector<std::int32_t> order(static_cast<std::size_t>(look.set.tokens() - look.set.prefix));
        std::iota(order.begin(), order.end(), static_cast<std::int32_t>(look.set.prefix));
        std::ranges::stable_sort(order, [&](std::int32_t one, std::int32_t other) { return importance[static_cast<std::size_t>(one)] > importance[static_cast<std::size_t>(other)]; });
        std::vector<std::int32_t> candidates, others;
        for (std::size_t place = 0; place < order.size(); ++place) {
            const bool lower = m_settings.alternate ? place % 2 == 1 : 2 * place >= order.size() + order.size() % 2;
            (lower && !stays[static_cast<std::size_t>(order[place])] ? candidates : others).push_back(order[place]);
        }
        if (candidates.empty() || others.empty())
            return {};
        const kernels::ConstRows rows = m_settings.keys ? look.attention->k : look.x;
        tensor::Matrix<float> likeness(static_cast<std::int64_t>(candidates.size()), static_cast<std::int64_t>(others.size()));
        kernels::multiply(unitRows(rows, candidates).view(), kernels::PackedMatrix(unitRows(rows, others).view()), {}, likeness.view(), look.scratch.parallel());
        std::vector<std::pair<float, std::int32_t>> best;
        for (std::int64_t i = 0; i < likeness.rows(); ++i)
            best.emplace_back(std::ranges::max(likeness.view().row(i)), candidates[static_cast<std::size_t>(i)]);
        // of equal likeness the less important one goes: it is behind the other
        std::ranges::reverse(best);
        std::ranges::stable_sort(best, [](const auto& one, const auto& other) { return one.first > other.first; });
        best.resize(std::min(best.size(), static_cast<std::size_t>(count)));
        std::vector<std::int32_t> gone;
        for (const auto& [value, token] : best)
            gone.push_back(token);
        return gone;
    }
    ZeroTprune m_settings;
};

Chain zeroTpruneChain(const Inputs& inputs, const Parameters& given, const RunContext&)
{
    const Parameters parameters = zeroTpruneMethod().declaration.schema.complete(given);
    const nn::PatchSpec& patch = inputs.model->spec().patch;
    const int depth = static_cast<int>(inputs.model->blocks().size());
    ZeroTprune settings{.similar = parameters.real("similar"),
                        .classStart = parameters.text("start") == "class",
                        .alternate = parameters.text("partition") == "alternate",
                        .keys = parameters.text("likeness") == "keys",
                        .leastVariance = parameters.real("least-variance"),
                        .mostVariance = parameters.real("most-variance")};
    if (settings.classStart && !patch.classToken)
        throw Error(ErrorCode::UnsupportedFeature, "found a model without a class token, expected one for start = class", inputs.model->spec().architecture);
    if (settings.leastVariance > settings.mostVariance)
        throw Error(ErrorCode::InvalidParameter, "found a least variance above the most, expected it below or the same", "least-variance");
    const std::vector<int> blocks = blocksOf(parameters.text("blocks"), depth, "blocks");
    const std::vector<Keep> keeps = keepsOf(parameters, blocks.size());
    Chain chain;
    for (std::size_t i = 0; i < blocks.size(); ++i) {
        settings.keep = keeps[i];
        settings.votes = parameters.integer("votes") > 0 ? static_cast<int>(parameters.integer("votes")) : votesOf(blocks[i], depth);
        chain.steps.push_back({blocks[i], Place::BetweenBranches, zeroTpruneStep(settings)});
    }
    chain.scoreTitle = "Weighted page rank (root mean square over heads)";
    protectPatches(patch, parameters, chain);
    requireReducible(*inputs.model, chain);
    return chain;
}
} // namespace

std::vector<double> weightedPageRank(tensor::MatrixView<const double> graph, std::vector<double> signal, int votes, const RunContext& context)
{
    std::vector<double> next(signal.size());
    for (int vote = 0; vote < votes; ++vote) {
        context.throwIfStopped();
        std::ranges::fill(next, 0.0);
        for (std::int64_t i = 0; i < graph.rows; ++i) {
            const auto row = graph.row(i);
            const double voice = signal[static_cast<std::size_t>(i)];
            for (std::size_t j = 0; j < next.size(); ++j)
                next[j] += voice * row[j];
        }
        std::swap(signal, next);
    }
    return signal;
}

std::vector<double> emphasisedImportance(const std::vector<std::vector<double>>& heads, std::size_t first, double least, double most)
{
    std::vector<const std::vector<double>*> heard;
    for (const std::vector<double>& head : heads) {
        double sum = 0, squares = 0;
        for (std::size_t i = first; i < head.size(); ++i)
            sum += head[i];
        const double mean = sum / static_cast<double>(head.size() - first);
        for (std::size_t i = first; i < head.size(); ++i)
            squares += (head[i] - mean) * (head[i] - mean);
        const double variance = mean > 0 ? squares / static_cast<double>(head.size() - first) / (mean * mean) : 0;
        if (variance >= least && variance <= most)
            heard.push_back(&head);
    }
    if (heard.empty())
        for (const std::vector<double>& head : heads)
            heard.push_back(&head);
    std::vector<double> result(heads.empty() ? 0 : heads.front().size());
    for (std::size_t i = 0; i < result.size(); ++i) {
        for (const std::vector<double>* head : heard)
            result[i] += (*head)[i] * (*head)[i];
        result[i] = std::sqrt(result[i] / static_cast<double>(heard.size()));
    }
    return result;
}

int votesOf(int block, int depth)
{
    if (block < depth / 4)
        return kFirstVotes;
    return block >= depth - depth / 4 ? kLastVotes : kMiddleVotes;
}

ReductionPtr zeroTpruneStep(const ZeroTprune& settings)
{
    return std::make_shared<ZeroTpruneStep>(settings);
}

Method zeroTpruneMethod()
{
    Method method;
    method.declaration = {
        .id = "tokens.zero-tprune",
        .lab = "tokens",
        .title = "Prune by page rank and likeness (Zero-TPrune)",
        .reference = "Wang, Dedhia, Jha 2024, Zero-TPrune: weighted page rank on the attention graph, and pairs of like keys; nothing is trained",
        .schema = ParameterSchema({
            keepParameter(),
            blocksParameter(),
            scheduleParameter(),
            {.name = "similar", .title = "Pruned as alike", .type = ParameterType::Real, .defaultValue = 0.3, .minimum = 0, .maximum = 1, .step = 0.05,
             .help = "Part of the pruned patches that go because another is like them; the rest go by importance"},
            {.name = "votes", .title = "Votes", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 200, .step = 1,
             .help = "Rounds of the page rank; 0: 50, 10 and 1 in the first quarter, the middle and the last quarter of the depth"},
            {.name = "start", .title = "Start", .type = ParameterType::Choice, .defaultValue = std::string("uniform"),
             .help = "All tokens alike, or the class token with the square root of their number times the signal of another", .choices = {"uniform", "class"}},
            {.name = "partition", .title = "Partition", .type = ParameterType::Choice, .defaultValue = std::string("lower-half"),
             .help = "Which patches may go as alike: the less important half, or every second by importance", .choices = {"lower-half", "alternate"}},
            {.name = "likeness", .title = "Likeness", .type = ParameterType::Choice, .defaultValue = std::string("keys"),
             .help = "Cosine of the keys, heads side by side, or of the features behind the attention", .choices = {"keys", "features"}},
            {.name = "least-variance", .title = "Least variance", .type = ParameterType::Real, .defaultValue = 0.01, .minimum = 0, .maximum = 100, .step = 0.01,
             .help = "Heads of a flatter importance are not heard; of the patches', scaled to a mean of 1"},
            {.name = "most-variance", .title = "Most variance", .type = ParameterType::Real, .defaultValue = 0.7, .minimum = 0, .maximum = 100, .step = 0.05,
             .help = "Heads of a more pointed importance are not heard; where none is left all are"},
            protectParameter(),
            protectShareParameter(),
        })};
    method.chain = zeroTpruneChain;
    return method;
}

} // namespace tamis::tokens
