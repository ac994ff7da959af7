// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The forms a matrix may take, from cheapest to dense, and the searches that pick one of each within a budget:
// docs/methods/allocation.md. Internal to core/plan.
#include "core/base/run_context.h"
#include "core/plan/accounting.h"
#include "core/plan/price.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace tamis::plan {

struct Rung {
    std::int64_t rank = 0;
    std::int64_t units = 0; ///< budget units
    double loss = 0;        ///< squared
};

/// Strictly ascending in units. Losses descend strictly (a form that is no cheaper and loses no less than another is left out);
/// the last rung is dense, loss 0.
struct Ladder {
    std::vector<Rung> rungs;
    double energy = 0; ///< loss at rank 0
    std::int64_t denseUnits() const { return rungs.back().units; }
    std::size_t denseRung() const { return rungs.size() - 1; }
};

/// Ranks are the multiples of `alignment` that are cheaper than dense and on the curve. `denseRank`: min(m, n). loss[r] for
/// r = 0 .. at most that; finite, at least one entry; negative values (rounding) count as 0. Only the dense rung is there when
/// no aligned rank is cheaper.
Ladder makeLadder(const Price& price, std::int64_t denseRank, std::int64_t alignment, std::span<const double> loss);
/// The same in parameters.
Ladder makeLadder(Accounting accounting, std::int64_t m, std::int64_t n, std::int64_t alignment, std::span<const double> loss);

/// Index of the chosen rung of each ladder.
using Choice = std::vector<std::size_t>;

std::int64_t unitsOf(std::span<const Ladder> ladders, const Choice& choice);
double lossOf(std::span<const Ladder> ladders, const Choice& choice);

// Each returns a choice of at most `budget` units, or the lowest rungs when even those take more. All deterministic.

/// A keep for every ladder, from 0 (its lowest rung) to 1 (dense), at an overall keep; none may fall when that grows.
using KeepsAt = std::function<std::vector<double>(double keep)>;
/// Each ladder's dearest rung within its own keep, at the largest overall keep that fits, but at most budget / dense units of
/// all.
Choice chooseByKeeps(std::span<const Ladder> ladders, std::int64_t budget, const KeepsAt& keepsAt, const RunContext& context);

/// The same keep for every ladder.
Choice chooseUniform(std::span<const Ladder> ladders, std::int64_t budget, const RunContext& context);

/// The same bound on loss / energy for every ladder: the smallest that fits. Ladders that meet the next smaller bound at
/// once are raised in order while they fit.
Choice chooseEnergy(std::span<const Ladder> ladders, std::int64_t budget, const RunContext& context);

/// Always the step, to any dearer rung that still fits, that lowers the loss most per unit. `steps` (may be null) receives
/// how many steps were examined one by one.
Choice chooseGreedy(std::span<const Ladder> ladders, std::int64_t budget, const RunContext& context,
                    std::uint64_t* steps = nullptr);

} // namespace tamis::plan
