// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/certified.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/exact.h"
#include "core/encoder/scored_codes.h"
#include "core/kernels/score_scan.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <string>
#include <unordered_map>

namespace tamis::encoder {
namespace {
using kernels::kStripe;
using kernels::Scored;
using kernels::TopScores;

constexpr std::int64_t kShardStripes = 32; // of one task: 1024 latents
constexpr std::int64_t kBlockStripes = 4;  // summed before they are compared
constexpr std::int64_t kBlockRows = kBlockStripes * kStripe;
constexpr std::int64_t kChunkTokens = 64;
constexpr std::size_t kPieceRows = 64;     // of the exact scores of one task
constexpr float kNothing = -std::numeric_limits<float>::infinity();

struct Candidate {
    float upper;
    std::int32_t latent;
};

/// What one shard knows of one token.
struct Part {
    std::vector<Candidate> candidates; ///< in ascending order of latents
    float outside = kNothing;          ///< the largest upper bound of the others
};

/// A token on its way from bounds to its result.
struct Work {
    QuantisedToken quantised;
    std::span<const float> x;
    std::optional<kernels::SharedTopScores> lower; ///< the k largest lower bounds above 0
    std::vector<Candidate> candidates; ///< not scored yet
    std::vector<Scored> scored;
    std::vector<std::int32_t> listed;  ///< to be scored next
    std::vector<float> scores;         ///< of `listed`
    std::vector<Candidate> ranking;    ///< what was scored
    float outside = kNothing;
    bool dense = false;
};

/// By falling upper bound.
std::vector<std::int32_t> ranked(std::vector<Candidate>& candidates)
{
    std::ranges::sort(candidates, [](const Candidate& a, const Candidate& b) { return a.upper != b.upper ? a.upper > b.upper : a.latent < b.latent; });
    std::vector<std::int32_t> latents;
    for (const Candidate& each : candidates)
        latents.push_back(each.latent);
    return latents;
}

/// By how much upper bounds lie above the exact scores, mean over what was scored.
float meanBound(const Work& work)
{
    std::unordered_map<std::int32_t, float> upper;
    for (const Candidate& each : work.ranking)
        upper.emplace(each.latent, each.upper);
    double sum = 0;
    std::size_t count = 0;
    for (const Scored& each : work.scored)
        if (const auto found = upper.find(each.row); found != upper.end() && std::isfinite(each.value)) {
            sum += static_cast<double>(found->second) - static_cast<double>(each.value);
            ++count;
        }
    return count > 0 ? static_cast<float>(sum / static_cast<double>(count)) : std::numeric_limits<float>::quiet_NaN();
}

class CertifiedEncoder final : public TopKEncoder {
public:
    CertifiedEncoder(std::shared_ptr<const Dictionary> dictionary, const CertifiedSettings& settings, const RunContext& context)
        : m_dictionary(std::move(dictionary)), m_rows(*m_dictionary, settings.quantisation, context),
          m_cap(std::max(static_cast<std::size_t>(settings.cap * static_cast<double>(m_dictionary->latents())), static_cast<std::size_t>(m_dictionary->k()))),
          m_failure(settings.quantisation.bits == 4 ? static_cast<float>(settings.quantisation.delta) : 0.0F)
    {
    }
    std::int64_t width() const noexcept override { return m_rows.width(); }
    std::int64_t latents() const noexcept override { return m_rows.latents(); }
    std::int64_t k() const noexcept override { return m_dictionary->k(); }
    EncoderCost cost() const noexcept override
    {
        const auto weights = static_cast<std::uint64_t>(latents()) * static_cast<std::uint64_t>(width());
        return {.parameters = 2 * weights + static_cast<std::uint64_t>(latents()),
                .bytes = m_rows.bytes() + (weights + static_cast<std::uint64_t>(latents())) * sizeof(float),
                .macs = 2 * static_cast<double>(weights), // two planes of the input
                .bytesRead = static_cast<double>(m_rows.bytes())};
    }
    SparseCodes encode(tensor::MatrixView<const float> prepared, const RunContext& context, EncodeTrace* trace) const override
    {
        requireWidth(*this, prepared);
        EncodeTrace own{.wantsRanking = trace && trace->wantsRanking};
        std::vector<std::vector<Scored>> found;
        for (std::int64_t begin = 0; begin < prepared.rows; begin += kChunkTokens) {
            std::vector<Work> works(static_cast<std::size_t>(std::min(kChunkTokens, prepared.rows - begin)));
            for (std::size_t t = 0; t < works.size(); ++t)
                works[t].x = prepared.row(begin + static_cast<std::int64_t>(t));
            encodeChunk(works, context);
            for (Work& work : works)
                found.push_back(finished(work, trace ? &own : nullptr));
            context.setFraction(static_cast<double>(begin + static_cast<std::int64_t>(works.size())) / static_cast<double>(prepared.rows));
        }
        if (trace) {
            for (const TokenCertificate& each : own.certificates)
                own.rowsScored += static_cast<double>(each.candidates) / static_cast<double>(prepared.rows);
            *trace = std::move(own);
        }
        context.finish();
        return codesOf(found);
    }

private:
    void encodeChunk(std::vector<Work>& works, const RunContext& context) const
    {
        parallelFor(context, works.size(), [&](std::size_t t) {
            works[t].quantised = m_rows.quantised(works[t].x);
            works[t].lower.emplace(static_cast<std::size_t>(k()));
        });
        const std::int64_t shards = (m_rows.stripes() + kShardStripes - 1) / kShardStripes;
        std::vector<std::vector<Part>> parts(static_cast<std::size_t>(shards));
        parallelFor(context, parts.size(), [&](std::size_t shard) { parts[shard] = boundShard(works, static_cast<std::int64_t>(shard), context); });
        for (std::size_t t = 0; t < works.size(); ++t)
            listSure(works[t], parts, t);
        score(works, context);
        for (Work& work : works)
            listPossible(work);
        score(works, context);
        for (Work& work : works)
            if (work.dense)
                scoreAll(work, context);
    }

    std::vector<Part> boundShard(std::vector<Work>& works, std::int64_t shard, const RunContext& context) const
    {
        const auto size = static_cast<std::int64_t>(works.size()), stride = 2 * kBlockRows;
        std::vector<kernels::BoundToken> tokens;
        for (const Work& work : works)
            tokens.push_back(work.quantised.token);
        std::vector<Part> parts(works.size());
        std::vector<TopScores> lowest(works.size(), TopScores(static_cast<std::size_t>(k())));
        std::vector<std::int32_t> sums(static_cast<std::size_t>(size * stride));
        const std::int64_t end = std::min(m_rows.stripes(), (shard + 1) * kShardStripes);
        for (std::int64_t stripe = shard * kShardStripes; stripe < end; stripe += kBlockStripes) {
            context.throwIfStopped();
            const std::int64_t count = std::min(kBlockStripes, end - stripe);
            m_rows.sums(stripe, count, tokens, sums.data(), stride);
            for (std::size_t t = 0; t < works.size(); ++t)
                boundBlock(works[t], tokens[t], sums.data() + static_cast<std::int64_t>(t) * stride, stripe, count, lowest[t], parts[t]);
        }
        for (std::size_t t = 0; t < works.size(); ++t)
            works[t].lower->merge(lowest[t]);
        return parts;
    }

    void boundBlock(Work& work, const kernels::BoundToken& token, const std::int32_t* sums, std::int64_t stripe, std::int64_t count, TopScores& lowest, Part& part) const
    {
        std::array<float, kBlockRows> lower, upper;
        std::array<std::int32_t, kBlockRows> survivors;
        const float known = std::max({work.lower->bound(), lowest.bound(), 0.0F});
        lowest.raiseFloor(work.lower->floor());
        const kernels::BoundRows rows = m_rows.constants(stripe);
        const std::int64_t found = kernels::bounds().bound(&token, &rows, sums, count * kStripe, std::max(known, std::numeric_limits<float>::denorm_min()), lower.data(), upper.data(),
                                                           survivors.data(), &part.outside);
        for (std::int64_t i = 0; i < found; ++i) {
            const auto at = static_cast<std::size_t>(survivors[static_cast<std::size_t>(i)]);
            const auto latent = static_cast<std::int32_t>(stripe * kStripe + static_cast<std::int64_t>(at));
            part.candidates.push_back({upper[at], latent});
            lowest.offer({lower[at], latent}); // a lower bound that counts belongs to a survivor
        }
    }

    /// First the latents with the k largest lower bounds: their exact scores say how large the k-th is at least.
    void listSure(Work& work, std::vector<std::vector<Part>>& parts, std::size_t token) const
    {
        if (!work.quantised.bounded) {
            work.dense = true;
            return;
        }
        const float bound = work.lower->bound();
        for (const Scored& each : work.lower->take())
            work.listed.push_back(each.row);
        std::ranges::sort(work.listed);
        for (auto& shard : parts) {
            work.outside = std::max(work.outside, shard[token].outside);
            for (const Candidate& each : shard[token].candidates) {
                if (each.upper < bound)
                    work.outside = std::max(work.outside, each.upper);
                else if (!std::ranges::binary_search(work.listed, each.latent))
                    work.candidates.push_back(each);
                else
                    work.ranking.push_back(each);
            }
            shard[token] = {};
        }
    }

    /// Then all whose upper bound reaches it.
    void listPossible(Work& work) const
    {
        if (work.dense)
            return;
        float bound = 0;
        if (work.scored.size() == static_cast<std::size_t>(k()))
            bound = std::max(0.0F, std::ranges::min(work.scored, {}, &Scored::value).value);
        for (const Candidate& each : work.candidates) {
            if (each.upper < bound)
                work.outside = std::max(work.outside, each.upper);
            else {
                work.listed.push_back(each.latent);
                work.ranking.push_back(each);
            }
        }
        if (work.ranking.size() > m_cap) {
            work.dense = true;
            work.listed.clear();
        }
    }

    /// Exact scores of what is listed, of all tokens together.
    void score(std::vector<Work>& works, const RunContext& context) const
    {
        struct Piece {
            std::size_t token, begin;
        };
        std::vector<Piece> pieces;
        for (std::size_t t = 0; t < works.size(); ++t) {
            works[t].scores.resize(works[t].listed.size());
            for (std::size_t begin = 0; begin < works[t].listed.size(); begin += kPieceRows)
                pieces.push_back({t, begin});
        }
        const auto scorePiece = [&](std::size_t i) {
            Work& work = works[pieces[i].token];
            const std::size_t begin = pieces[i].begin, count = std::min(kPieceRows, work.listed.size() - begin);
            kernels::scoreListed(m_dictionary->rows(), m_dictionary->bias(), work.x, std::span(work.listed).subspan(begin, count), work.scores.data() + begin);
        };
        parallelFor(context, pieces.size(), scorePiece);
        for (Work& work : works) {
            for (std::size_t i = 0; i < work.listed.size(); ++i)
                work.scored.push_back({work.scores[i], work.listed[i]});
            work.listed.clear();
        }
    }

    void scoreAll(Work& work, const RunContext& context) const
    {
        constexpr std::int64_t kRows = kShardStripes * kStripe;
        const std::int64_t shards = (latents() + kRows - 1) / kRows;
        std::vector<std::vector<Scored>> best(static_cast<std::size_t>(shards));
        parallelFor(context, best.size(), [&](std::size_t shard) {
            const std::int64_t first = static_cast<std::int64_t>(shard) * kRows, count = std::min(kRows, latents() - first);
            std::vector<std::int32_t> listed(static_cast<std::size_t>(count));
            std::iota(listed.begin(), listed.end(), static_cast<std::int32_t>(first));
            std::vector<float> scores(listed.size());
            kernels::scoreListed(m_dictionary->rows(), m_dictionary->bias(), work.x, listed, scores.data());
            TopScores top(static_cast<std::size_t>(k()) + 1, kNothing); // one more, for the margin
            for (std::size_t i = 0; i < listed.size(); ++i)
                if (scores[i] > top.threshold())
                    top.offer({scores[i], listed[i]});
            best[shard] = top.take();
        });
        work.scored.clear();
        for (const auto& shard : best)
            work.scored.insert(work.scored.end(), shard.begin(), shard.end());
        work.outside = kNothing;
    }

    std::vector<Scored> finished(Work& work, EncodeTrace* trace) const
    {
        const auto size = static_cast<std::size_t>(k());
        const float bound = trace && !work.dense ? meanBound(work) : std::numeric_limits<float>::quiet_NaN();
        std::vector<Scored> result = std::move(work.scored);
        std::erase_if(result, [](const Scored& each) { return std::isnan(each.value); });
        const std::size_t scored = work.dense ? static_cast<std::size_t>(latents()) : work.ranking.size();
        kernels::keepBest(result, size + 1);
        if (result.size() > size) {
            work.outside = std::max(work.outside, result.back().value);
            result.pop_back();
        }
        while (!result.empty() && !(result.back().value > 0)) {
            work.outside = std::max(work.outside, result.back().value);
            result.pop_back();
        }
        if (trace) {
            const float least = result.size() == size ? result.back().value : 0;
            trace->certificates.push_back({.candidates = static_cast<std::int32_t>(scored), .margin = least - work.outside, .dense = work.dense,
                                           .failure = scored == static_cast<std::size_t>(latents()) ? 0.0F : m_failure, .bound = bound});
            if (trace->wantsRanking)
                trace->ranking.push_back(work.dense ? std::vector<std::int32_t>{} : ranked(work.ranking));
        }
        return result;
    }

    std::shared_ptr<const Dictionary> m_dictionary;
    QuantisedRows m_rows;
    std::size_t m_cap;
    float m_failure; ///< of a token's certificate
};

ParameterSchema certifiedSchema()
{
    return ParameterSchema({{.name = "bits",
                             .title = "Bits a weight",
                             .type = ParameterType::Choice,
                             .defaultValue = std::string("8"),
                             .help = "8: the set is proven for every token; 4: with probability 1 - delta a token, over the draw of the dither",
                             .choices = {"8", "4"}},
                            {.name = "rotation",
                             .title = "Rotation",
                             .type = ParameterType::Choice,
                             .defaultValue = std::string("hadamard"),
                             .help = "Spreads large features over the others before rows and inputs are quantised (hadamard), or not (none)",
                             .choices = {"none", "hadamard"}},
                            {.name = "cap",
                             .title = "Candidates at most",
                             .type = ParameterType::Real,
                             .defaultValue = 0.5,
                             .minimum = 0,
                             .maximum = 1,
                             .unit = "x latents",
                             .help = "A token with more candidates is scored densely, and its certificate says so; k are always allowed"},
                            {.name = "delta",
                             .title = "Failure probability",
                             .type = ParameterType::Real,
                             .defaultValue = 1e-3,
                             .minimum = 1e-12,
                             .maximum = 0.5,
                             .logarithmic = true,
                             .help = "bits = 4 only: a token's certificate fails with at most this probability"}});
}
} // namespace

EncoderPtr certifiedEncoder(const std::shared_ptr<const Dictionary>& dictionary, const CertifiedSettings& settings, const RunContext& context)
{
    if (!(settings.cap >= 0 && settings.cap <= 1))
        throw Error(ErrorCode::InvalidParameter, "found a cap of " + std::to_string(settings.cap) + ", expected a share of the latents from 0 to 1");
    return std::make_shared<CertifiedEncoder>(dictionary, settings, context);
}

Method certifiedMethod()
{
    Method method;
    method.declaration = {.id = "encoder.certified",
                          .lab = "encoder",
                          .title = "Certified two-stage",
                          .reference = "Quantised scan with exact residual norms, exact re-ranking of a proven superset; subtractive dither: Roberts (1962), Schuchman (1964)",
                          .schema = certifiedSchema()};
    method.build = [](const Inputs& inputs, const Parameters& given, const RunContext& context) {
        const Parameters parameters = certifiedSchema().complete(given);
        const CertifiedSettings settings{.quantisation = {.bits = parameters.text("bits") == "4" ? 4 : 8,
                                                          .rotated = parameters.text("rotation") == "hadamard",
                                                          .delta = parameters.real("delta"),
                                                          .seed = inputs.seed},
                                         .cap = parameters.real("cap")};
        Built built{.encoder = certifiedEncoder(inputs.dictionary, settings, context), .warnings = {}, .training = {}, .trained = {}};
        if (settings.quantisation.bits == 4)
            built.warnings.push_back("The certificate is probabilistic: a token's set is proven with probability 1 - " + toText(settings.quantisation.delta) +
                                     " over the draw of the dither, for inputs that do not depend on it.");
        return built;
    };
    return method;
}

} // namespace tamis::encoder
