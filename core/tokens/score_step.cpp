// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/score_step.h"

#include "core/tokens/selection.h"

namespace tamis::tokens {
namespace {
class PruneByScore final : public Reduction {
public:
    PruneByScore(Score score, Keep keep, std::uint64_t seed) : m_score(score), m_keep(keep), m_seed(seed) {}
    Assignment assign(const Look& look) const override
    {
        return keepBest(look.set, scoreTokens(m_score, look, m_seed), m_keep.of(look.set.tokens() - look.set.prefix));
    }

private:
    Score m_score;
    Keep m_keep;
    std::uint64_t m_seed;
};

class PruneToCount final : public Reduction {
public:
    PruneToCount(Score score, std::int64_t count, std::uint64_t seed) : m_score(score), m_count(count), m_seed(seed) {}
    Assignment assign(const Look& look) const override
    {
        const std::vector<float> scores = look.remembered.empty() ? scoreTokens(m_score, look, m_seed) : std::vector<float>(look.remembered.begin(), look.remembered.end());
        return keepBest(look.set, scores, m_count);
    }

private:
    Score m_score;
    std::int64_t m_count;
    std::uint64_t m_seed;
};

class RememberScores final : public Reduction {
public:
    RememberScores(Score score, std::uint64_t seed) : m_score(score), m_seed(seed) {}
    Assignment assign(const Look& look) const override { return keepAll(look.set, scoreTokens(m_score, look, m_seed)); }

private:
    Score m_score;
    std::uint64_t m_seed;
};
} // namespace

ReductionPtr pruneByScore(Score score, Keep keep, std::uint64_t seed) { return std::make_shared<PruneByScore>(score, keep, seed); }
ReductionPtr pruneToCount(Score score, std::int64_t count, std::uint64_t seed) { return std::make_shared<PruneToCount>(score, count, seed); }
ReductionPtr rememberScores(Score score, std::uint64_t seed) { return std::make_shared<RememberScores>(score, seed); }

} // namespace tamis::tokens
