// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/two_stage.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/exact.h"
#include "core/encoder/listed_scores.h"
#include "core/encoder/low_rank.h"
#include "core/encoder/product_quantiser.h"
#include "core/encoder/quantised_scorer.h"
#include "core/encoder/random_projection.h"
#include "core/encoder/scored_codes.h"
#include "core/kernels/score_scan.h"

#include <algorithm>

namespace tamis::encoder {
namespace {
using tensor::Matrix;
using tensor::MatrixView;
constexpr const char* kId = "encoder.two-stage";
constexpr std::int64_t kChunk = 256;       // candidates of one token that one task scores
constexpr std::int64_t kTokensAtOnce = 512; // whose candidates are kept before they are scored

class TwoStage final : public CoarseEncoder {
public:
    TwoStage(std::shared_ptr<const Dictionary> dictionary, ScorerPtr scorer, std::int64_t candidates)
        : m_dictionary(std::move(dictionary)), m_scorer(std::move(scorer)), m_candidates(candidates)
    {
    }
    const ScorerPtr& scorer() const noexcept override { return m_scorer; }
    std::int64_t k() const noexcept override { return m_dictionary->k(); }
    EncoderCost cost() const noexcept override
    {
        const auto width = static_cast<std::uint64_t>(m_dictionary->width()), latents = static_cast<std::uint64_t>(m_dictionary->latents());
        const auto candidates = static_cast<double>(m_candidates);
        EncoderCost cost = m_scorer->cost();
        cost.parameters += latents * (width + 1);
        cost.bytes += 4 * latents * (width + 1);
        cost.macs += candidates * static_cast<double>(width);
        cost.bytesRead += candidates * static_cast<double>(4 * (width + 1));
        return cost;
    }
    SparseCodes encode(MatrixView<const float> prepared, const RunContext& context, EncodeTrace* trace) const override;

private:
    std::vector<std::vector<kernels::Scored>> rerank(MatrixView<const float> prepared, const std::vector<std::vector<std::int32_t>>& listed, const RunContext& context) const;
    std::shared_ptr<const Dictionary> m_dictionary;
    ScorerPtr m_scorer;
    std::int64_t m_candidates;
};

/// Exact scores of each token's candidates, the k best of which are positive; candidates in ascending order.
std::vector<std::vector<kernels::Scored>> TwoStage::rerank(MatrixView<const float> prepared, const std::vector<std::vector<std::int32_t>>& listed, const RunContext& context) const
{
    const std::int64_t chunks = (m_candidates + kChunk - 1) / kChunk;
    std::vector<std::vector<float>> scores(listed.size());
    for (std::size_t t = 0; t < listed.size(); ++t)
        scores[t].resize(listed[t].size());
    parallelFor(context, listed.size() * static_cast<std::size_t>(chunks), [&](std::size_t task) {
        const std::size_t t = task / static_cast<std::size_t>(chunks), first = task % static_cast<std::size_t>(chunks) * kChunk;
        if (first >= listed[t].size())
            return;
        const auto part = std::span(listed[t]).subspan(first, std::min<std::size_t>(kChunk, listed[t].size() - first));
        kernels::scoreListed(m_dictionary->rows(), m_dictionary->bias(), prepared.row(static_cast<std::int64_t>(t)), part, scores[t].data() + first);
    });
    std::vector<std::vector<kernels::Scored>> found(listed.size());
    for (std::size_t t = 0; t < listed.size(); ++t) {
        kernels::TopScores best(static_cast<std::size_t>(k()));
        for (std::size_t i = 0; i < listed[t].size(); ++i)
            best.offer({scores[t][i], listed[t][i]});
        found[t] = best.take();
        kernels::keepBest(found[t], static_cast<std::size_t>(k()));
    }
    return found;
}

SparseCodes TwoStage::encode(MatrixView<const float> prepared, const RunContext& context, EncodeTrace* trace) const
{
    const bool ranked = trace && trace->wantsRanking;
    if (trace)
        *trace = {.certificates = {}, .ranking = {}, .rowsScored = static_cast<double>(m_candidates), .wantsRanking = ranked};
    requireWidth(*this, prepared);
    std::vector<std::vector<kernels::Scored>> tokens;
    for (std::int64_t first = 0; first < prepared.rows; first += kTokensAtOnce) {
        const MatrixView<const float> some{prepared.data + first * prepared.stride, std::min(kTokensAtOnce, prepared.rows - first), prepared.cols, prepared.stride};
        std::vector<std::vector<std::int32_t>> listed(static_cast<std::size_t>(some.rows));
        const bool all = m_candidates == latents() && !ranked; // no order is needed to name all of them
        if (all)
            for (auto& each : listed)
                for (std::int32_t i = 0; i < static_cast<std::int32_t>(m_candidates); ++i)
                    each.push_back(i);
        else
            forBest(*m_scorer, some, {static_cast<std::size_t>(m_candidates), -std::numeric_limits<float>::infinity(), ranked ? Order::Falling : Order::None}, context,
                    [&](std::int64_t token, const std::vector<kernels::Scored>& best) {
                        for (const kernels::Scored& each : best)
                            listed[static_cast<std::size_t>(token)].push_back(each.row);
                    });
        if (ranked)
            trace->ranking.insert(trace->ranking.end(), listed.begin(), listed.end());
        for (auto& each : listed)
            std::ranges::sort(each);
        auto found = rerank(some, listed, context);
        std::ranges::move(found, std::back_inserter(tokens));
        context.setFraction(static_cast<double>(first + some.rows) / static_cast<double>(prepared.rows));
    }
    context.finish();
    return codesOf(tokens);
}

/// What the axes and the bias are fitted to, or nothing where nothing is to be weighed.
std::vector<double> meanOf(const Inputs& inputs, const Parameters& parameters, const RunContext& context)
{
    if (!parameters.boolean("centre") || inputs.calibration.empty())
        return {};
    return momentsOf(inputs.calibration.view(), true, context).mean;
}

Built build(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = twoStageMethod().declaration.schema.complete(given);
    Built built;
    const std::int64_t candidates = candidatesWithin(*inputs.dictionary, parameters.integer("candidates"), built.warnings);
    ScorerPtr scorer = coarseScorer(inputs, parameters, built.warnings, context);
    built.encoder = twoStageEncoder(inputs.dictionary, std::move(scorer), candidates);
    return built;
}

std::vector<ParameterSpec> twoStageParameters()
{
    std::vector<ParameterSpec> specs{
        {.name = "coarse",
         .title = "Coarse scores",
         .type = ParameterType::Choice,
         .defaultValue = std::string("low-rank"),
         .help = "What names the candidates: few directions, small integers, codes into tables, or random directions",
         .choices = {"low-rank", "int8", "int4", "product", "random"}},
        {.name = "candidates", .title = "Candidates", .type = ParameterType::Integer, .defaultValue = std::int64_t{256}, .minimum = 1, .maximum = 4'194'304, .step = 1, .logarithmic = true,
         .help = "Latents a token that are scored exactly"},
        {.name = "rank", .title = "Rank", .type = ParameterType::Integer, .defaultValue = std::int64_t{32}, .minimum = 1, .maximum = 4096, .step = 1, .logarithmic = true,
         .help = "low-rank, random: directions that coarse scores are made from"},
        {.name = "subvectors", .title = "Sub-vectors", .type = ParameterType::Integer, .defaultValue = std::int64_t{64}, .minimum = 1, .maximum = 256, .step = 1, .logarithmic = true,
         .help = "product: parts that a row is cut into, a code each"},
        {.name = "centroids", .title = "Centroids", .type = ParameterType::Choice, .defaultValue = std::string("16"),
         .help = "product: of each part; 16 are looked up 32 at a time in tables of bytes, 256 one by one in floats", .choices = {"16", "256"}},
        {.name = "seed", .title = "Seed", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 1'000'000'000, .step = 1,
         .help = "product, random: of the first centroids and of the directions"}};
    for (ParameterSpec& spec : weightingParameters())
        specs.push_back(std::move(spec));
    return specs;
}
} // namespace

ScorerPtr coarseScorer(const Inputs& inputs, const Parameters& parameters, std::vector<std::string>& warnings, const RunContext& context)
{
    const Dictionary& dictionary = *inputs.dictionary;
    const std::string& coarse = parameters.text("coarse");
    if (coarse == "int8" || coarse == "int4")
        return quantisedScorer(dictionary, coarse == "int8" ? 8 : 4, meanOf(inputs, parameters, context), context);
    const auto seed = inputs.seed + static_cast<std::uint64_t>(parameters.integer("seed"));
    const auto limited = [&](const char* name, std::int64_t most) {
        const std::int64_t asked = parameters.integer(name);
        if (asked > most)
            warnings.push_back("The " + std::string(name) + " are " + std::to_string(most) + ", not " + std::to_string(asked) + ": activations have no more features.");
        return std::min(asked, most);
    };
    if (coarse == "random")
        return randomProjectionScorer(dictionary, parameters.integer("rank"), seed, meanOf(inputs, parameters, context), context);
    const Weighting weighting = weightingFrom(parameters);
    if (coarse == "product") {
        ProductSettings settings;
        settings.parts = limited("subvectors", std::min<std::int64_t>(dictionary.width(), 256));
        settings.centroids = parameters.text("centroids") == "16" ? 16 : 256;
        settings.seed = seed;
        const Moments moments = weightedMoments(inputs, weighting, context);
        return productScorer(dictionary, settings, weighting.activations ? &moments : nullptr, context);
    }
    return weightedLowRankScorer(inputs, weighting, parameters.integer("rank"), warnings, context);
}

std::shared_ptr<const CoarseEncoder> twoStageEncoder(std::shared_ptr<const Dictionary> dictionary, ScorerPtr scorer, std::int64_t candidates)
{
    if (scorer->width() != dictionary->width() || scorer->latents() != dictionary->latents())
        throw Error(ErrorCode::InvalidParameter, "found coarse scores of " + std::to_string(scorer->latents()) + " latents on " + std::to_string(scorer->width()) +
                                                     " features, expected " + std::to_string(dictionary->latents()) + " on " + std::to_string(dictionary->width()));
    if (candidates < dictionary->k() || candidates > dictionary->latents())
        throw Error(ErrorCode::InvalidParameter,
                    "found " + std::to_string(candidates) + " candidates, expected from k = " + std::to_string(dictionary->k()) + " to all " + std::to_string(dictionary->latents()) + " latents", "candidates");
    return std::make_shared<TwoStage>(std::move(dictionary), std::move(scorer), candidates);
}

Method twoStageMethod()
{
    Method method;
    method.declaration = {.id = kId,
                          .lab = "encoder",
                          .title = "Two-stage",
                          .reference = "Candidates by cheap scores, then exact ones: low rank, integers, product quantisation (Jegou et al. 2011), random projection (Johnson, Lindenstrauss 1984)",
                          .schema = ParameterSchema(twoStageParameters())};
    method.needsCalibration = true;
    method.build = build;
    return method;
}

} // namespace tamis::encoder
