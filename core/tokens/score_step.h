// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Steps that prune by a score.
#include "core/tokens/schedule.h"
#include "core/tokens/scores.h"

#include <cstdint>
#include <vector>

namespace tamis::tokens {

/// Keeps ceil(keep patches) of those there are, or a number of them.
ReductionPtr pruneByScore(Score score, Keep keep, std::uint64_t seed);
/// Keeps `count` patches; goes by what the step before remembered where there is such, else by the score.
ReductionPtr pruneToCount(Score score, std::int64_t count, std::uint64_t seed);
/// Prunes nothing, and remembers the scores for a step before the next block.
ReductionPtr rememberScores(Score score, std::uint64_t seed);

} // namespace tamis::tokens
