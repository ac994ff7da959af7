// SPDX-License-Identifier: GPL-3.0-or-later
// The allocations of allocation_problem.h that need evidence of the running model: sensitivity, measured-greedy,
// loss-aware.
#include "core/plan/allocation_problem.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>
#include <utility>

namespace tamis::plan {
namespace {

constexpr double kLeastHarm = 1e-6; // of the largest: what was not seen to harm is not free

[[noreturn]] void refuseMissing(const char* allocation, const char* what, const std::string& matrix)
{
    throw Error(ErrorCode::InvalidParameter,
                std::string(allocation) + " needs " + what + " of every matrix, which takes a model that runs and samples: none is known of " + matrix, "allocation");
}

const std::vector<MeasuredLoss>& measuredOf(const Problem& problem, std::size_t index, const char* allocation)
{
    const std::string& name = problem.spectra[index]->name;
    const auto found = problem.evidence.sensitivity.find(name);
    if (found == problem.evidence.sensitivity.end())
        refuseMissing(allocation, "the measured harm", name);
    for (const MeasuredLoss& point : found->second)
        if (point.rank < 1 || !std::isfinite(point.loss))
            throw Error(ErrorCode::InvalidParameter, "found a measured harm that is not finite or of no rank", name);
    return found->second;
}

/// ln(harm / loss) at measured ranks, ascending; harm below `least` counts as that.
std::vector<std::pair<std::int64_t, double>> harmScales(const Problem& problem, std::size_t index, std::vector<MeasuredLoss> measured, double least)
{
    const auto& loss = problem.spectra[index]->loss;
    std::ranges::sort(measured, [](const MeasuredLoss& a, const MeasuredLoss& b) { return a.rank != b.rank ? a.rank < b.rank : a.loss > b.loss; });
    std::vector<std::pair<std::int64_t, double>> scales;
    for (const MeasuredLoss& point : measured) {
        const bool known = point.rank < static_cast<std::int64_t>(loss.size()) && loss[static_cast<std::size_t>(point.rank)] > 0;
        if (known && (scales.empty() || point.rank > scales.back().first))
            scales.emplace_back(point.rank, std::log(std::max(point.loss, least)) - std::log(loss[static_cast<std::size_t>(point.rank)]));
    }
    return scales;
}

/// Straight between the points, constant beyond them.
double scaleAt(const std::vector<std::pair<std::int64_t, double>>& scales, std::int64_t rank)
{
    const auto above = std::ranges::upper_bound(scales, rank, {}, &std::pair<std::int64_t, double>::first);
    if (above == scales.begin())
        return scales.front().second;
    const auto& [from, low] = *(above - 1);
    if (above == scales.end())
        return low;
    const double along = static_cast<double>(rank - from) / static_cast<double>(above->first - from);
    return low + along * (above->second - low);
}

/// The measured ranks as rungs, and dense. Harm that was not seen is as good as none, but dense stays the dearest.
Ladder measuredLadder(const Problem& problem, std::size_t index, std::vector<MeasuredLoss> measured)
{
    const Ladder& full = problem.ladders[index];
    const std::int64_t alignment = problem.request.alignment;
    for (MeasuredLoss& point : measured)
        point.rank = std::max(point.rank - point.rank % alignment, alignment);
    std::ranges::sort(measured, [](const MeasuredLoss& a, const MeasuredLoss& b) { return a.rank != b.rank ? a.rank < b.rank : a.loss > b.loss; });
    Ladder ladder;
    ladder.energy = 1; // the bound is on the loss itself
    for (const MeasuredLoss& point : measured) {
        const std::size_t at = rungAtRank(problem, index, point.rank);
        const Rung& form = full.rungs[at];
        const double loss = std::max(point.loss, std::numeric_limits<double>::min());
        const bool worthwhile = ladder.rungs.empty() || (form.units > ladder.rungs.back().units && loss < ladder.rungs.back().loss);
        if (at != full.denseRung() && form.rank <= point.rank && worthwhile)
            ladder.rungs.push_back({form.rank, form.units, loss});
    }
    ladder.rungs.push_back(full.rungs.back());
    return ladder;
}

/// The state of one matrix while components are taken away.
struct Shrinking {
    const std::vector<double>* change = nullptr; ///< by rank
    std::int64_t rank = 0, floor = 0;            ///< components left; fewest
    std::int64_t next(std::int64_t alignment) const { return (rank - 1) / alignment * alignment; }
    double step(std::int64_t alignment) const { return (*change)[static_cast<std::size_t>(next(alignment))] - (*change)[static_cast<std::size_t>(rank)]; }
};

struct Offer {
    double change = 0;
    std::size_t matrix = 0;
    bool operator<(const Offer& other) const // std::priority_queue: the least magnitude first; ties go to the lower index
    {
        const double mine = std::abs(change), others = std::abs(other.change);
        return mine != others ? mine > others : matrix > other.matrix;
    }
};

} // namespace

std::size_t rungAtRank(const Problem& problem, std::size_t index, std::int64_t rank)
{
    const Ladder& ladder = problem.ladders[index];
    const std::int64_t known = static_cast<std::int64_t>(problem.spectra[index]->loss.size()) - 1;
    if (rank > std::min(problem.prices[index].largestRank(), known))
        return ladder.denseRung();
    const auto above = std::ranges::upper_bound(ladder.rungs, rank, {}, &Rung::rank);
    return above == ladder.rungs.begin() ? 0 : static_cast<std::size_t>(above - ladder.rungs.begin() - 1);
}

Choice chooseBySensitivity(const Problem& problem, const RunContext& context)
{
    std::vector<Ladder> measured;
    std::vector<double> lowestKeeps;
    for (std::size_t i = 0; i < problem.ladders.size(); ++i) {
        measured.push_back(measuredLadder(problem, i, measuredOf(problem, i, "sensitivity")));
        lowestKeeps.push_back(static_cast<double>(measured[i].rungs.front().units) / static_cast<double>(measured[i].denseUnits()));
    }
    const Choice coarse = chooseEnergy(measured, problem.budget, context);
    if (unitsOf(measured, coarse) > problem.budget) { // below what was measured
        const auto keepsAt = [&](double keep) {
            std::vector<double> keeps = lowestKeeps;
            for (double& each : keeps)
                each = std::min(each, keep);
            return keeps;
        };
        problem.warnings.push_back("sensitivity: the budget is below the smallest keeps that were measured, so that it is shared out evenly below them");
        return chooseByKeeps(problem.ladders, problem.budget, keepsAt, context);
    }
    Choice choice(coarse.size());
    for (std::size_t i = 0; i < choice.size(); ++i)
        choice[i] = rungAtRank(problem, i, measured[i].rungs[coarse[i]].rank);
    return choice;
}

Choice chooseByMeasuredGreed(const Problem& problem, const RunContext& context)
{
    double most = 0;
    for (std::size_t i = 0; i < problem.ladders.size(); ++i)
        for (const MeasuredLoss& point : measuredOf(problem, i, "measured-greedy"))
            most = std::max(most, point.loss);
    const double least = std::max(most * kLeastHarm, std::numeric_limits<double>::min());
    std::vector<Ladder> harms;
    for (std::size_t i = 0; i < problem.ladders.size(); ++i) {
        const Ladder& full = problem.ladders[i];
        const auto scales = harmScales(problem, i, measuredOf(problem, i, "measured-greedy"), least);
        Ladder& ladder = harms.emplace_back();
        ladder.energy = full.energy;
        for (std::size_t k = 0; k < full.denseRung(); ++k) {
            Rung rung = full.rungs[k];
            rung.loss = scales.empty() ? rung.loss : rung.loss * std::exp(scaleAt(scales, rung.rank));
            if (ladder.rungs.empty() || rung.loss < ladder.rungs.back().loss)
                ladder.rungs.push_back(rung);
        }
        ladder.rungs.push_back(full.rungs.back());
    }
    Choice choice = chooseGreedy(harms, problem.budget, context);
    for (std::size_t i = 0; i < choice.size(); ++i)
        choice[i] = rungAtRank(problem, i, harms[i].rungs[choice[i]].rank);
    return choice;
}

Choice chooseByLossChange(const Problem& problem, const RunContext& context)
{
    const std::int64_t alignment = problem.request.alignment;
    std::vector<Shrinking> all(problem.ladders.size());
    std::priority_queue<Offer> rising, falling; // by the sign of the change
    const auto offer = [&](std::size_t i) {
        if (all[i].next(alignment) < all[i].floor)
            return;
        const double step = all[i].step(alignment);
        (step < 0 ? falling : rising).push({step, i});
    };
    std::int64_t units = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
        const auto& s = *problem.spectra[i];
        const std::int64_t p = std::min(s.rows, s.cols);
        const auto found = problem.evidence.lossChange.find(s.name);
        if (found == problem.evidence.lossChange.end())
            refuseMissing("loss-aware", "the gradient of the loss", s.name);
        if (static_cast<std::int64_t>(found->second.size()) != p + 1 || !std::ranges::all_of(found->second, [](double x) { return std::isfinite(x); }))
            throw Error(ErrorCode::InvalidParameter,
                        "found changes of the loss at " + std::to_string(found->second.size()) + " ranks, expected finite ones at " + std::to_string(p + 1), s.name);
        all[i] = {&found->second, p, problem.ladders[i].rungs.front().rank};
        units += problem.ladders[i].denseUnits();
        offer(i);
    }
    const auto unitsAt = [&](std::size_t i) {
        return problem.ladders[i].rungs[rungAtRank(problem, i, all[i].rank)].units;
    };
    double changed = 0;
    for (std::uint64_t step = 1; units > problem.budget && !(rising.empty() && falling.empty()); ++step) {
        if (step % 1024 == 0)
            context.throwIfStopped();
        auto& from = falling.empty() || (changed < 0 && !rising.empty()) ? rising : falling;
        const Offer taken = from.top();
        from.pop();
        Shrinking& matrix = all[taken.matrix];
        const std::int64_t before = unitsAt(taken.matrix);
        changed += taken.change;
        matrix.rank = matrix.next(alignment);
        units += unitsAt(taken.matrix) - before;
        offer(taken.matrix);
    }
    Choice choice(all.size());
    for (std::size_t i = 0; i < choice.size(); ++i)
        choice[i] = rungAtRank(problem, i, all[i].rank);
    return choice;
}

} // namespace tamis::plan
