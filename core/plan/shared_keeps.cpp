// SPDX-License-Identifier: GPL-3.0-or-later
// The allocations of allocation_problem.h that share the budget out by a score: log-loss, effective-rank, depth-weighted.
#include "core/plan/allocation_problem.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <numeric>

namespace tamis::plan {
namespace {

constexpr std::size_t kNamesShown = 6;

/// sqrt of the loss of each matrix at the uniform allocation's rank.
std::vector<double> uniformLosses(const Problem& problem, const RunContext& context)
{
    const Choice uniform = chooseUniform(problem.ladders, problem.budget, context);
    std::vector<double> losses;
    for (std::size_t i = 0; i < uniform.size(); ++i)
        losses.push_back(std::sqrt(problem.ladders[i].rungs[uniform[i]].loss));
    return losses;
}

std::vector<double> denseUnits(const Problem& problem)
{
    std::vector<double> units;
    for (const Ladder& ladder : problem.ladders)
        units.push_back(static_cast<double>(ladder.denseUnits()));
    return units;
}

double sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

/// The members of each role, roles in the order of their first matrix.
std::vector<std::vector<std::size_t>> byRole(const Problem& problem)
{
    std::vector<std::vector<std::size_t>> groups;
    for (std::size_t i = 0; i < problem.spectra.size(); ++i) {
        const auto same = std::ranges::find_if(groups, [&](const auto& group) { return problem.spectra[group[0]]->role == problem.spectra[i]->role; });
        if (same == groups.end())
            groups.push_back({i});
        else
            same->push_back(i);
    }
    return groups;
}

std::vector<double> picked(const std::vector<double>& values, const std::vector<std::size_t>& indices)
{
    std::vector<double> some;
    for (const std::size_t i : indices)
        some.push_back(values[i]);
    return some;
}

/// Scaled to 1 .. 2 over all matrices; all 1 where they are the same.
std::vector<double> importances(const Problem& problem)
{
    std::vector<double> values;
    for (const auto* s : problem.spectra) {
        double value = s->effectiveRank / static_cast<double>(std::min(s->rows, s->cols));
        if (problem.request.settings.importance == Importance::BlockInfluence) {
            const auto found = problem.evidence.importance.find(s->name);
            if (found == problem.evidence.importance.end())
                throw Error(ErrorCode::InvalidParameter,
                            "effective-rank by block influence needs the influence of every matrix's block, which takes a model that runs and samples: none is known of " +
                                s->name,
                            "allocation");
            value = found->second;
        }
        if (!std::isfinite(value))
            throw Error(ErrorCode::InvalidParameter, "found an importance of " + s->name + " that is not finite", "allocation");
        values.push_back(value);
    }
    const auto [least, most] = std::ranges::minmax(values);
    for (double& value : values)
        value = most > least ? 1 + (value - least) / (most - least) : 1;
    return values;
}

} // namespace

std::string countAndNames(const Problem& problem, const std::vector<std::size_t>& indices)
{
    std::string text = std::to_string(indices.size()) + (indices.size() == 1 ? " matrix (" : " matrices (");
    for (std::size_t k = 0; k < std::min(indices.size(), kNamesShown); ++k)
        text += (k == 0 ? "" : ", ") + problem.spectra[indices[k]]->name;
    if (indices.size() > kNamesShown)
        text += " and " + std::to_string(indices.size() - kNamesShown) + " more";
    return text + ")";
}

std::vector<double> shareOut(std::span<const double> weights, std::span<const double> units, double base, double cap, double toShare,
                             std::vector<std::size_t>& capped)
{
    std::vector<double> shares(weights.size(), base);
    std::vector<bool> full(weights.size(), false);
    capped.clear();
    for (;;) { // each round but the last caps at least one
        double left = toShare, slope = 0;
        for (std::size_t i = 0; i < weights.size(); ++i)
            (full[i] ? left : slope) += full[i] ? -units[i] * (cap - base) : units[i] * weights[i];
        const double lambda = slope > 0 ? std::max(left, 0.0) / slope : 0;
        bool more = false;
        for (std::size_t i = 0; i < weights.size(); ++i) {
            if (full[i])
                continue;
            shares[i] = base + lambda * weights[i];
            if (shares[i] > cap) {
                shares[i] = cap;
                full[i] = more = true;
            }
        }
        if (!more)
            break;
    }
    for (std::size_t i = 0; i < weights.size(); ++i)
        if (full[i])
            capped.push_back(i);
    return shares;
}

Choice chooseByLogLoss(const Problem& problem, const RunContext& context)
{
    const auto& settings = problem.request.settings;
    const auto groups = byRole(problem);
    std::vector<double> scores = uniformLosses(problem, context);
    const std::vector<double> units = denseUnits(problem);
    std::vector<std::size_t> floored, removedAtMost;
    for (std::size_t i = 0; i < scores.size(); ++i) {
        const double logarithm = scores[i] > 0 ? std::log(scores[i]) : -std::numeric_limits<double>::infinity();
        if (logarithm < settings.leastLog)
            floored.push_back(i);
        scores[i] = 1 / std::max(logarithm, settings.leastLog);
    }
    const auto keepsAt = [&](double keep) {
        std::vector<double> keeps(scores.size());
        removedAtMost.clear();
        for (const auto& group : groups) {
            const std::vector<double> weights = picked(scores, group), sizes = picked(units, group);
            std::vector<std::size_t> capped;
            const double removed = 1 - keep;
            const auto shares = shareOut(weights, sizes, 0, std::max(settings.mostRemoved, removed), removed * sum(sizes), capped);
            for (std::size_t k = 0; k < group.size(); ++k)
                keeps[group[k]] = 1 - shares[k];
            for (const std::size_t k : capped)
                removedAtMost.push_back(group[k]);
        }
        return keeps;
    };
    Choice choice = chooseByKeeps(problem.ladders, problem.budget, keepsAt, context);
    if (!floored.empty() && floored.size() < scores.size())
        problem.warnings.push_back("log-loss: 1 / log(loss) was clamped for " + countAndNames(problem, floored) +
                                   ", whose loss at the uniform rank is too near 1 or below it, and the rest renormalised");
    else if (!floored.empty() && !scores.empty())
        problem.warnings.push_back("log-loss: every matrix's loss at the uniform rank is too near 1 or below it, so that all scores are clamped to the same value and the allocation is uniform within each role");
    if (!removedAtMost.empty()) {
        std::ranges::sort(removedAtMost);
        problem.warnings.push_back("log-loss: the share removed was clamped for " + countAndNames(problem, removedAtMost) + ", and the rest renormalised");
    }
    return choice;
}

Choice chooseByEffectiveRank(const Problem& problem, const RunContext& context)
{
    const auto& settings = problem.request.settings;
    if (problem.ladders.empty())
        return {};
    const std::vector<double> losses = uniformLosses(problem, context), beta = importances(problem), units = denseUnits(problem);
    std::vector<double> scores;
    for (std::size_t i = 0; i < losses.size(); ++i)
        scores.push_back(std::pow(beta[i], settings.importanceWeight) * std::pow(std::log(std::numbers::e + losses[i]), 1 - settings.importanceWeight));
    std::vector<std::size_t> capped;
    const double all = sum(units);
    const auto keepsAt = [&](double keep) { return shareOut(scores, units, keep * settings.floor, 1, keep * (1 - settings.floor) * all, capped); };
    Choice choice = chooseByKeeps(problem.ladders, problem.budget, keepsAt, context); // its last call gives the keeps that it takes
    if (!capped.empty() && capped.size() < losses.size())
        problem.warnings.push_back("effective-rank: the share of " + countAndNames(problem, capped) + " was clamped to dense, and the rest renormalised");
    return choice;
}

std::vector<double> depthWeights(int blocks, double alpha, double gamma)
{
    std::vector<double> weights(static_cast<std::size_t>(std::max(blocks, 0)));
    double reach = 0; // of the last block: itself
    for (std::size_t i = weights.size(); i-- > 0;) {
        reach += std::pow(static_cast<double>(weights.size() - i), -alpha);
        weights[i] = reach;
    }
    if (weights.empty())
        return weights;
    const double least = weights.back(), most = weights.front();
    for (double& weight : weights)
        weight = 1 + gamma * (most > least ? (weight - least) / (most - least) : 0);
    return weights;
}

Choice chooseByDepth(const Problem& problem, const RunContext& context)
{
    int blocks = 0;
    for (const auto* s : problem.spectra)
        blocks = std::max(blocks, s->layer + 1);
    const auto weights = depthWeights(blocks, problem.request.settings.depthAlpha, problem.request.settings.depthGamma);
    std::vector<Ladder> weighted(problem.ladders.begin(), problem.ladders.end());
    for (std::size_t i = 0; i < weighted.size(); ++i)
        if (const int layer = problem.spectra[i]->layer; layer >= 0)
            for (Rung& rung : weighted[i].rungs)
                rung.loss *= weights[static_cast<std::size_t>(layer)];
    return chooseGreedy(weighted, problem.budget, context);
}

} // namespace tamis::plan
