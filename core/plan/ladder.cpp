// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/ladder.h"

#include "core/base/parallel.h"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>
#include <queue>

namespace tamis::plan {
namespace {

// Finds the boundary of a predicate that is false up to some double and true above it, over the positive doubles: returns
// the two neighbouring doubles {last false, first true}. low must be false, high true, both >= 0. At most 63 calls.
struct Boundary {
    double lastFalse, firstTrue;
};
Boundary bisect(double low, double high, const RunContext& context, const std::function<bool(double)>& holds)
{
    auto from = std::bit_cast<std::uint64_t>(low), to = std::bit_cast<std::uint64_t>(high); // ordered like the doubles
    while (to - from > 1) {
        context.throwIfStopped();
        const std::uint64_t middle = from + (to - from) / 2;
        (holds(std::bit_cast<double>(middle)) ? to : from) = middle;
    }
    return {std::bit_cast<double>(from), std::bit_cast<double>(to)};
}

Choice lowest(std::span<const Ladder> ladders)
{
    return Choice(ladders.size(), 0);
}

Choice dense(std::span<const Ladder> ladders)
{
    Choice choice(ladders.size());
    for (std::size_t i = 0; i < ladders.size(); ++i)
        choice[i] = ladders[i].denseRung();
    return choice;
}

Choice atKeeps(std::span<const Ladder> ladders, const std::vector<double>& keeps)
{
    Choice choice(ladders.size());
    for (std::size_t i = 0; i < ladders.size(); ++i) {
        const auto& rungs = ladders[i].rungs;
        const double keep = std::min(keeps[i], 1.0);
        const std::int64_t share = keep > 0 ? unitsForKeep(keep, ladders[i].denseUnits()) : 0;
        const auto above = std::ranges::upper_bound(rungs, share, {}, &Rung::units);
        choice[i] = above == rungs.begin() ? 0 : static_cast<std::size_t>(above - rungs.begin() - 1);
    }
    return choice;
}

Choice atRelativeLoss(std::span<const Ladder> ladders, double bound)
{
    Choice choice(ladders.size());
    for (std::size_t i = 0; i < ladders.size(); ++i) {
        const auto& ladder = ladders[i];
        const auto meets = [&](const Rung& rung) { return rung.loss <= 0 || rung.loss / ladder.energy <= bound; };
        const auto first = std::ranges::partition_point(ladder.rungs, std::not_fn(meets)); // losses descend
        choice[i] = static_cast<std::size_t>(first - ladder.rungs.begin());
    }
    return choice;
}

double efficiency(const Rung& from, const Rung& to)
{
    return (from.loss - to.loss) / static_cast<double>(to.units - from.units);
}

// Lower convex hull of (units, loss): corner rungs, and the descent per unit of the edge that leaves each (never increasing).
struct Hull {
    std::vector<std::uint32_t> corners;
    std::vector<double> slopes; // one fewer than corners
};

Hull makeHull(const Ladder& ladder)
{
    Hull hull;
    for (std::uint32_t i = 0; i < ladder.rungs.size(); ++i) {
        double slope = 0;
        while (!hull.corners.empty()) {
            slope = efficiency(ladder.rungs[hull.corners.back()], ladder.rungs[i]);
            if (hull.slopes.empty() || slope <= hull.slopes.back())
                break;
            hull.corners.pop_back();
            hull.slopes.pop_back();
        }
        if (!hull.corners.empty())
            hull.slopes.push_back(slope);
        hull.corners.push_back(i);
    }
    return hull;
}

struct Step {
    double efficiency = 0;
    std::size_t ladder = 0;
    std::size_t target = 0; // rung
    bool operator<(const Step& other) const // std::priority_queue: the greatest comes first; ties go to the lower index
    {
        return efficiency != other.efficiency ? efficiency < other.efficiency : ladder > other.ladder;
    }
};

// One step at a time from a given choice; what is left of the budget only shrinks.
class StepSearch {
public:
    StepSearch(std::span<const Ladder> ladders, std::span<const Hull> hulls, Choice start, std::int64_t left)
        : m_ladders(ladders), m_hulls(hulls), m_choice(std::move(start)), m_left(left)
    {
    }
    Choice run(const RunContext& context, std::uint64_t* steps)
    {
        for (std::size_t i = 0; i < m_ladders.size(); ++i)
            offer(i);
        std::uint64_t taken = 0;
        while (!m_queue.empty()) {
            if (++taken % 256 == 0)
                context.throwIfStopped();
            const Step step = m_queue.top();
            m_queue.pop();
            const auto& rungs = m_ladders[step.ladder].rungs;
            const std::int64_t units = rungs[step.target].units - rungs[m_choice[step.ladder]].units;
            if (units <= m_left) { // else it was offered when more was left
                m_choice[step.ladder] = step.target;
                m_left -= units;
            }
            offer(step.ladder);
        }
        if (steps)
            *steps += taken;
        return std::move(m_choice);
    }

private:
    // Queues the most efficient step of a ladder that fits in what is left.
    void offer(std::size_t i)
    {
        const auto& rungs = m_ladders[i].rungs;
        const Hull& hull = m_hulls[i];
        const std::size_t current = m_choice[i];
        const auto corner = std::ranges::lower_bound(hull.corners, current);
        if (corner != hull.corners.end() && *corner == current) { // on the hull no step is better than its next edge
            const auto k = static_cast<std::size_t>(corner - hull.corners.begin());
            if (k + 1 == hull.corners.size())
                return;
            if (rungs[hull.corners[k + 1]].units - rungs[current].units <= m_left) {
                if (hull.slopes[k] > 0)
                    m_queue.push({hull.slopes[k], i, hull.corners[k + 1]});
                return;
            }
        }
        Step best{0, i, current};
        for (std::size_t r = current + 1; r < rungs.size() && rungs[r].units - rungs[current].units <= m_left; ++r)
            if (const double e = efficiency(rungs[current], rungs[r]); e > best.efficiency)
                best = {e, i, r};
        if (best.target != current)
            m_queue.push(best);
    }

    std::span<const Ladder> m_ladders;
    std::span<const Hull> m_hulls;
    Choice m_choice;
    std::int64_t m_left;
    std::priority_queue<Step> m_queue;
};

} // namespace

Ladder makeLadder(const Price& price, std::int64_t denseRank, std::int64_t alignment, std::span<const double> loss)
{
    Ladder ladder;
    ladder.energy = std::max(loss[0], 0.0);
    const std::int64_t last = std::min(price.largestRank(), static_cast<std::int64_t>(loss.size()) - 1);
    ladder.rungs.reserve(static_cast<std::size_t>(last / alignment + 1));
    for (std::int64_t rank = alignment; rank <= last; rank += alignment) {
        const double here = std::max(loss[static_cast<std::size_t>(rank)], 0.0);
        if (!ladder.rungs.empty() && here >= ladder.rungs.back().loss)
            continue;
        const Rung rung{rank, price.of(rank), here};
        if (!ladder.rungs.empty() && ladder.rungs.back().units == rung.units)
            ladder.rungs.back() = rung;
        else
            ladder.rungs.push_back(rung);
    }
    ladder.rungs.push_back({denseRank, price.dense(), 0.0});
    return ladder;
}

Ladder makeLadder(Accounting accounting, std::int64_t m, std::int64_t n, std::int64_t alignment, std::span<const double> loss)
{
    return makeLadder(Price(accounting, BudgetUnit::Parameters, m, n, 4), std::min(m, n), alignment, loss);
}

std::int64_t unitsOf(std::span<const Ladder> ladders, const Choice& choice)
{
    std::int64_t units = 0;
    for (std::size_t i = 0; i < ladders.size(); ++i)
        units += ladders[i].rungs[choice[i]].units;
    return units;
}

double lossOf(std::span<const Ladder> ladders, const Choice& choice)
{
    double loss = 0;
    for (std::size_t i = 0; i < ladders.size(); ++i)
        loss += ladders[i].rungs[choice[i]].loss;
    return loss;
}

Choice chooseByKeeps(std::span<const Ladder> ladders, std::int64_t budget, const KeepsAt& keepsAt, const RunContext& context)
{
    const std::int64_t all = unitsOf(ladders, dense(ladders));
    if (all <= budget)
        return dense(ladders);
    if (unitsOf(ladders, lowest(ladders)) >= budget)
        return lowest(ladders);
    const double keep = static_cast<double>(budget) / static_cast<double>(all);
    if (Choice choice = atKeeps(ladders, keepsAt(keep)); unitsOf(ladders, choice) <= budget)
        return choice;
    const auto tooMuch = [&](double k) { return unitsOf(ladders, atKeeps(ladders, keepsAt(k))) > budget; };
    return atKeeps(ladders, keepsAt(bisect(0, keep, context, tooMuch).lastFalse));
}

Choice chooseUniform(std::span<const Ladder> ladders, std::int64_t budget, const RunContext& context)
{
    return chooseByKeeps(ladders, budget, [&](double keep) { return std::vector<double>(ladders.size(), keep); }, context);
}

Choice chooseEnergy(std::span<const Ladder> ladders, std::int64_t budget, const RunContext& context)
{
    if (unitsOf(ladders, dense(ladders)) <= budget)
        return dense(ladders);
    if (unitsOf(ladders, lowest(ladders)) >= budget)
        return lowest(ladders);
    const auto fits = [&](double bound) { return unitsOf(ladders, atRelativeLoss(ladders, bound)) <= budget; };
    if (fits(0))
        return atRelativeLoss(ladders, 0);
    // A curve may rise above its energy by rounding: infinity is the bound that every lowest rung meets.
    const auto bound = bisect(0, std::numeric_limits<double>::infinity(), context, fits);
    Choice choice = atRelativeLoss(ladders, bound.firstTrue);
    const Choice next = atRelativeLoss(ladders, bound.lastFalse);
    std::int64_t left = budget - unitsOf(ladders, choice);
    for (std::size_t i = 0; i < ladders.size(); ++i) {
        const std::int64_t units = ladders[i].rungs[next[i]].units - ladders[i].rungs[choice[i]].units;
        if (units > left)
            break; // no later one instead: more budget then always raises a superset
        choice[i] = next[i];
        left -= units;
    }
    return choice;
}

Choice chooseGreedy(std::span<const Ladder> ladders, std::int64_t budget, const RunContext& context, std::uint64_t* steps)
{
    if (unitsOf(ladders, dense(ladders)) <= budget)
        return dense(ladders);
    const std::int64_t least = unitsOf(ladders, lowest(ladders));
    if (least >= budget)
        return lowest(ladders);

    std::vector<Hull> hulls(ladders.size());
    parallelFor(context, ladders.size(), [&](std::size_t i) { hulls[i] = makeHull(ladders[i]); });
    // While every step fits, greedy takes the hulls' edges in the order of their slopes: all those steeper than a threshold.
    // The threshold at which the budget ends is found by bisection; only what follows is walked step by step.
    const auto steeperThan = [&](double slope) {
        Choice choice(ladders.size());
        for (std::size_t i = 0; i < ladders.size(); ++i) {
            const auto end = std::ranges::partition_point(hulls[i].slopes, [slope](double s) { return s > slope; });
            choice[i] = hulls[i].corners[static_cast<std::size_t>(end - hulls[i].slopes.begin())];
        }
        return choice;
    };
    const auto fits = [&](double slope) { return unitsOf(ladders, steeperThan(slope)) <= budget; };
    if (fits(0))
        return steeperThan(0);
    const auto threshold = bisect(0, std::numeric_limits<double>::infinity(), context, fits);
    Choice start = steeperThan(threshold.firstTrue);
    const std::int64_t left = budget - unitsOf(ladders, start);
    Choice greedy = StepSearch(ladders, hulls, std::move(start), left).run(context, steps);
    // Where one large step does not fit, equal shares can happen to use the budget better.
    Choice uniform = chooseUniform(ladders, budget, context);
    return lossOf(ladders, uniform) < lossOf(ladders, greedy) ? uniform : greedy;
}

} // namespace tamis::plan
