// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The allocations that read more than a ladder: docs/methods/allocation.md. Internal to core/plan.
#include "core/plan/allocate.h"
#include "core/plan/ladder.h"

#include <span>
#include <string>
#include <vector>

namespace tamis::plan {

/// The matrices that are free to be allocated, and what is left for them. All spans are of one length.
struct Problem {
    std::span<const Ladder> ladders;
    std::span<const Price> prices;
    std::span<const report::MatrixSpectrum* const> spectra;
    const BudgetRequest& request;
    const AllocationEvidence& evidence;
    std::int64_t budget; ///< units
    std::vector<std::string>& warnings; ///< receives clamps and fall-backs, one sentence each
};

// Each returns a choice of at most the budget, or the lowest rungs when even those take more; deterministic. Evidence that is
// missing or does not fit throws Error{InvalidParameter}.

/// Removed share of matrix i = lambda / log(L_i), L_i = |(W - W_r) X|_F at the uniform rank, within each role; lambda spends
/// the role's units.
Choice chooseByLogLoss(const Problem& problem, const RunContext& context);
/// keep_i = keep floor + lambda beta_i^a log(e + L_i)^(1 - a), beta the importance scaled to 1 .. 2.
Choice chooseByEffectiveRank(const Problem& problem, const RunContext& context);
/// Greedy on loss_i (1 + gamma s), s = sum over the blocks behind of 1 / (distance + 1)^alpha, scaled to 0 .. 1.
Choice chooseByDepth(const Problem& problem, const RunContext& context);
/// Each matrix takes its smallest measured rank whose loss is within one bound; the smallest bound that fits.
Choice chooseBySensitivity(const Problem& problem, const RunContext& context);
/// Greedy on harm_i(r) = L_i(r) c_i(r), c_i the measured harm over L_i at the measured ranks, its logarithm straight between
/// them and constant beyond.
Choice chooseByMeasuredGreed(const Problem& problem, const RunContext& context);
/// Takes away the last `alignment` components of one matrix at a time until the budget is met: of the matrices whose change of
/// the task loss has the sign that the sum so far lacks, the one whose change is the least.
Choice chooseByLossChange(const Problem& problem, const RunContext& context);

/// Factors of the losses in chooseByDepth(), by block 0 .. blocks - 1.
std::vector<double> depthWeights(int blocks, double alpha, double gamma);

/// x_i = min(cap, base + lambda weight_i), lambda such that sum units_i (x_i - base) = toShare, or all at cap when that is
/// less. weights and units above 0, base <= cap. `capped` receives the indices that are cut.
std::vector<double> shareOut(std::span<const double> weights, std::span<const double> units, double base, double cap, double toShare,
                             std::vector<std::size_t>& capped);

/// The rung that matrix `index` takes at that rank: dense when it is not cheaper than dense or beyond the curve, else the dearest
/// of at most that rank; the lowest when there is none.
std::size_t rungAtRank(const Problem& problem, std::size_t index, std::int64_t rank);

/// "3 matrices (a, b, c)", "12 matrices (a, b, c and 9 more)".
std::string countAndNames(const Problem& problem, const std::vector<std::size_t>& indices);

} // namespace tamis::plan
