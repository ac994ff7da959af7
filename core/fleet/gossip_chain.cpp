// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/fleet/gossip_chain.h"

#include <algorithm>
#include <cmath>

namespace tamis::fleet {
namespace {
/// [j] probability that `balls`, each hitting one of `bins` bins alike with probability `hit` in all and none otherwise, hit j different ones.
std::vector<double> occupancy(int balls, int bins, double hit)
{
    std::vector<double> now(static_cast<std::size_t>(bins) + 1);
    now[0] = 1;
    for (int ball = 0; ball < balls; ++ball)
        for (int j = std::min(ball + 1, bins); j >= 0; --j) {
            const double taken = hit * j / bins, fresh = j > 0 ? hit * (bins - j + 1) / bins : 0;
            now[static_cast<std::size_t>(j)] = now[static_cast<std::size_t>(j)] * (1 - hit + taken) + (j > 0 ? now[static_cast<std::size_t>(j) - 1] * fresh : 0);
        }
    return now;
}

class Binomial {
public:
    explicit Binomial(int most) : m_logFactorials(static_cast<std::size_t>(most) + 1)
    {
        for (int i = 1; i <= most; ++i)
            m_logFactorials[static_cast<std::size_t>(i)] = m_logFactorials[static_cast<std::size_t>(i) - 1] + std::log(i);
    }
    double operator()(int count, int of, double probability) const
    {
        if (probability <= 0 || probability >= 1)
            return count == (probability <= 0 ? 0 : of) ? 1 : 0;
        const auto log = [this](int i) { return m_logFactorials[static_cast<std::size_t>(i)]; };
        return std::exp(log(of) - log(count) - log(of - count) + count * std::log(probability) + (of - count) * std::log1p(-probability));
    }

private:
    std::vector<double> m_logFactorials;
};

/// [k'] probability that as many know after a round as k did before; k' counted from k.
std::vector<double> step(const GossipRule& rule, int k, const Binomial& binomial)
{
    const int open = rule.devices - k;
    const double others = rule.devices - 1;
    const double told = (1 - rule.loss) * open / others, asks = (1 - rule.loss) * k / others;
    const double learns = rule.mode == GossipMode::Push ? 0 : 1 - std::pow(1 - asks, rule.fanout);
    const std::vector<double> pushed = rule.mode == GossipMode::Pull ? std::vector<double>{1.0} : occupancy(rule.fanout * k, open, told);
    std::vector<double> next(static_cast<std::size_t>(open) + 1);
    for (int j = 0; j < static_cast<int>(pushed.size()); ++j)
        for (int more = 0; more <= open - j; ++more)
            next[static_cast<std::size_t>(j + more)] += pushed[static_cast<std::size_t>(j)] * binomial(more, open - j, learns);
    return next;
}
} // namespace

ChainResult solveChain(const GossipRule& rule, const RunContext& context)
{
    constexpr std::size_t kMostRounds = 100'000;
    const int n = rule.devices;
    const Binomial binomial(n);
    std::vector<std::vector<double>> steps(static_cast<std::size_t>(n));
    for (int k = 1; k < n; ++k) {
        context.throwIfStopped();
        steps[static_cast<std::size_t>(k)] = step(rule, k, binomial);
    }
    std::vector<double> expected(static_cast<std::size_t>(n) + 1); // rounds from k to all
    for (int k = n - 1; k >= 1; --k) {
        const auto& next = steps[static_cast<std::size_t>(k)];
        double sum = 1;
        for (int more = 1; more <= n - k; ++more)
            sum += next[static_cast<std::size_t>(more)] * expected[static_cast<std::size_t>(k + more)];
        expected[static_cast<std::size_t>(k)] = sum / (1 - next[0]);
    }
    ChainResult result{expected[1], {}};
    std::vector<double> now(static_cast<std::size_t>(n) + 1);
    now[1] = 1;
    for (double share = 0; result.informed.size() < kMostRounds;) {
        context.throwIfStopped();
        share = 0;
        for (int k = 1; k <= n; ++k)
            share += now[static_cast<std::size_t>(k)] * k / n;
        result.informed.push_back(share);
        if (1 - share < 1e-9)
            break;
        std::vector<double> after(static_cast<std::size_t>(n) + 1);
        after[static_cast<std::size_t>(n)] = now[static_cast<std::size_t>(n)];
        for (int k = 1; k < n; ++k)
            for (int more = 0; more <= n - k; ++more)
                after[static_cast<std::size_t>(k + more)] += now[static_cast<std::size_t>(k)] * steps[static_cast<std::size_t>(k)][static_cast<std::size_t>(more)];
        now = std::move(after);
    }
    return result;
}

} // namespace tamis::fleet
