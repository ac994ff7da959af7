// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/scores.h"

#include "core/base/error.h"
#include "core/base/split_mix.h"
#include "core/tokens/gradient_scorer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <span>

namespace tamis::tokens {
namespace {
struct ScoreEntry {
    Score score;
    std::string_view name, title;
    bool attention;
};
constexpr std::array kScores{
    ScoreEntry{Score::ClassAttention, "class-attention", "Attention of the class token (mean over heads)", true},
    ScoreEntry{Score::AttentionReceived, "attention-received", "Attention received (mean over heads and queries)", true},
    ScoreEntry{Score::AttentionValueNorm, "attention-value-norm", "Attention of the class token times value norm (share of all)", true},
    ScoreEntry{Score::Rollout, "rollout", "Attention rollout of the class token (share)", true},
    ScoreEntry{Score::Gradient, "gradient", "Loss when removed, first order |x . grad| (nats)", false},
    ScoreEntry{Score::FeatureNorm, "feature-norm", "Norm of the features", false},
    ScoreEntry{Score::ChannelVariance, "channel-variance", "Variance over the channels", false},
    ScoreEntry{Score::Entropy, "entropy", "Entropy over the channels (nats)", false},
    ScoreEntry{Score::Random, "random", "Random number", false},
};

const ScoreEntry& entryOf(Score score) noexcept
{
    return *std::ranges::find(kScores, score, &ScoreEntry::score);
}

void requireClassToken(const Look& look, Score score)
{
    if (look.set.prefix < 1)
        throw Error(ErrorCode::UnsupportedFeature, "found a model without a class token, expected one for the score " + std::string(scoreName(score)), "block " + std::to_string(look.block));
}

/// One head's probabilities of the queries in rows [first, first + count), all keys.
tensor::Matrix<float> mapRows(const Look& look, std::int64_t head, std::int64_t first, std::int64_t count)
{
    nn::AttentionInput input = *look.attention;
    if (look.layer.attention->kind() == "relative") { // its biases are those of all queries
        const tensor::Matrix<float> whole = look.layer.attention->map(input, head, 0, look.scratch.context());
        tensor::Matrix<float> rows(count, whole.cols());
        std::copy_n(whole.data() + first * whole.cols(), count * whole.cols(), rows.data());
        return rows;
    }
    input.q.data += first * input.q.stride;
    input.q.rows = count;
    return look.layer.attention->map(input, head, 0, look.scratch.context());
}

double norm(std::span<const float> values)
{
    double squares = 0;
    for (const float value : values)
        squares += static_cast<double>(value) * static_cast<double>(value);
    return std::sqrt(squares);
}

/// A[class, i] |v_i| over its sum over the patches; v_i: all heads side by side.
std::vector<float> attentionValueNorm(const Look& look)
{
    std::vector<float> scores = meanAttention(look, 0, 1);
    double sum = 0;
    for (std::size_t i = 0; i < scores.size(); ++i) {
        scores[i] *= static_cast<float>(norm(look.attention->v.row(static_cast<std::int64_t>(i))));
        sum += static_cast<std::int64_t>(i) < look.set.prefix ? 0.0 : static_cast<double>(scores[i]);
    }
    for (float& score : scores)
        score = sum > 0 ? static_cast<float>(static_cast<double>(score) / sum) : 0.0f;
    return scores;
}

double channelVariance(std::span<const float> x)
{
    double mean = 0, squares = 0;
    for (const float value : x)
        mean += static_cast<double>(value);
    mean /= static_cast<double>(x.size());
    for (const float value : x)
        squares += (static_cast<double>(value) - mean) * (static_cast<double>(value) - mean);
    return squares / static_cast<double>(x.size());
}

double channelEntropy(std::span<const float> x)
{
    double sum = 0, entropy = 0;
    for (const float value : x)
        sum += std::abs(static_cast<double>(value));
    if (sum == 0)
        return 0;
    for (const float value : x)
        if (const double p = std::abs(static_cast<double>(value)) / sum; p > 0)
            entropy -= p * std::log(p);
    return entropy;
}

/// Of every token by the source token that it holds first: other numbers in other images and blocks, the same for any number of threads.
std::vector<float> randomScores(const Look& look, std::uint64_t seed)
{
    std::uint64_t state = mixedBits(seed + 0x9E3779B97F4A7C15ULL * static_cast<std::uint64_t>(look.block + 1));
    for (const float value : look.image)
        state = mixedBits(state ^ std::bit_cast<std::uint32_t>(value)) + 0x9E3779B97F4A7C15ULL;
    std::vector<float> scores(static_cast<std::size_t>(look.x.rows), -1.0f);
    for (std::size_t source = 0; source < look.set.row.size(); ++source)
        if (const std::int32_t row = look.set.row[source]; row >= 0 && scores[static_cast<std::size_t>(row)] < 0)
            scores[static_cast<std::size_t>(row)] = static_cast<float>(static_cast<double>(mixedBits(state + source * 0xD1342543DE82EF95ULL) >> 40U) * 0x1.0p-24);
    return scores;
}

/// Of every token the sum over the sources that it stands for.
std::vector<float> bySources(const Look& look, std::span<const float> sources)
{
    std::vector<float> scores(static_cast<std::size_t>(look.x.rows));
    for (std::size_t source = 0; source < sources.size(); ++source)
        if (const std::int32_t row = look.set.row[source]; row >= 0)
            scores[static_cast<std::size_t>(row)] += sources[source];
    return scores;
}

template <class Measure> std::vector<float> eachRow(const Look& look, Measure measure)
{
    std::vector<float> scores;
    for (std::int64_t i = 0; i < look.x.rows; ++i)
        scores.push_back(static_cast<float>(measure(look.x.row(i))));
    return scores;
}
} // namespace

std::vector<Score> allScores()
{
    std::vector<Score> all;
    for (const ScoreEntry& entry : kScores)
        all.push_back(entry.score);
    return all;
}

std::string_view scoreName(Score score) noexcept { return entryOf(score).name; }
std::string_view scoreTitle(Score score) noexcept { return entryOf(score).title; }
bool needsAttention(Score score) noexcept { return entryOf(score).attention; }

Score scoreNamed(std::string_view name)
{
    const auto found = std::ranges::find(kScores, name, &ScoreEntry::name);
    if (found == kScores.end())
        throw Error(ErrorCode::InvalidParameter, "found the score '" + std::string(name) + "', expected one of those that the method lists", "score");
    return found->score;
}

std::vector<float> meanAttention(const Look& look, std::int64_t first, std::int64_t count)
{
    const std::int64_t heads = look.layer.attention->heads();
    std::vector<double> sums(static_cast<std::size_t>(look.x.rows));
    for (std::int64_t head = 0; head < heads; ++head) {
        look.scratch.context().throwIfStopped();
        const tensor::Matrix<float> map = mapRows(look, head, first, count);
        for (std::int64_t i = 0; i < count; ++i)
            for (std::size_t j = 0; j < sums.size(); ++j)
                sums[j] += static_cast<double>(map(i, static_cast<std::int64_t>(j)));
    }
    std::vector<float> means;
    for (const double sum : sums)
        means.push_back(static_cast<float>(sum / static_cast<double>(heads * count)));
    return means;
}

std::vector<float> attentionRowSums(const Look& look)
{
    const std::int64_t heads = look.layer.attention->heads();
    std::vector<double> sums(static_cast<std::size_t>(look.x.rows));
    for (std::int64_t head = 0; head < heads; ++head) {
        const tensor::Matrix<float> map = mapRows(look, head, 0, look.x.rows);
        for (std::int64_t i = 0; i < map.rows(); ++i)
            for (const float value : map.view().row(i))
                sums[static_cast<std::size_t>(i)] += static_cast<double>(value) / static_cast<double>(heads);
    }
    return {sums.begin(), sums.end()};
}

void prepareScore(Score score, const Inputs& inputs, Chain& chain, const RunContext& context)
{
    const nn::PatchSpec& patch = inputs.model->spec().patch;
    if ((score == Score::ClassAttention || score == Score::AttentionValueNorm || score == Score::Rollout) && !patch.classToken)
        throw Error(ErrorCode::UnsupportedFeature, "found a model without a class token, expected one for the score " + std::string(scoreName(score)), inputs.model->spec().architecture);
    chain.rollout = chain.rollout || score == Score::Rollout;
    chain.scoreTitle = scoreTitle(score);
    if (score != Score::Gradient)
        return;
    if (!inputs.checkpoint)
        throw Error(ErrorCode::InvalidParameter, "found the score gradient for a model without its checkpoint, expected one to take gradients of", "score");
    chain.imageScorer = gradientScorer(*inputs.checkpoint, context, patch.imageHeight, patch.imageWidth);
}

bool isSlowToPrepare(Score score) noexcept { return score == Score::Gradient; }

ParameterSpec scoreParameter(Score byDefault)
{
    ParameterSpec spec{.name = "score", .title = "Score", .type = ParameterType::Choice, .defaultValue = std::string(scoreName(byDefault)), 
                       .help = "What a patch is kept by. The sum of its own row of the attention is not among them: softmax makes it 1 for every patch of every image"};
    for (const ScoreEntry& entry : kScores)
        spec.choices.emplace_back(entry.name);
    return spec;
}

std::vector<float> scoreTokens(Score score, const Look& look, std::uint64_t seed)
{
    if (needsAttention(score) && !look.attention)
        throw Error(ErrorCode::InvalidParameter, "found the score " + std::string(scoreName(score)) + " at a place without attention, expected it behind the attention of its block",
                    "block " + std::to_string(look.block));
    switch (score) {
    case Score::ClassAttention:
        requireClassToken(look, score);
        return meanAttention(look, 0, 1);
    case Score::AttentionReceived:
        return meanAttention(look, 0, look.x.rows);
    case Score::AttentionValueNorm:
        requireClassToken(look, score);
        return attentionValueNorm(look);
    case Score::Rollout:
        requireClassToken(look, score);
        if (!look.rollout)
            throw Error(ErrorCode::InvalidParameter, "found the score rollout in a chain that does not follow it", "score");
        return bySources(look, look.rollout->view().row(0));
    case Score::Gradient:
        if (!look.imageScores)
            throw Error(ErrorCode::InvalidParameter, "found the score gradient in a chain without gradients", "score");
        return bySources(look, look.imageScores->view().row(look.block));
    case Score::FeatureNorm:
        return eachRow(look, norm);
    case Score::ChannelVariance:
        return eachRow(look, channelVariance);
    case Score::Entropy:
        return eachRow(look, channelEntropy);
    case Score::Random:
        break;
    }
    return randomScores(look, seed);
}

} // namespace tamis::tokens
