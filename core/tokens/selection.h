// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// From scores to who stays.
#include "core/tokens/reduction.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::tokens {

/// Keeps the prefix, what the user keeps, and of the other tokens those of the highest scores, `keep` patches in all (more where the user
/// keeps more). Of equal scores the earlier token. Order is kept. `scores` [tokens] go into the result.
Assignment keepBest(const TokenSet& set, std::span<const float> scores, std::int64_t keep);
/// Nothing changes; with scores for pictures.
Assignment keepAll(const TokenSet& set, std::span<const float> scores);

/// ceil(keep * patches): how EViT rounds. At least 1.
std::int64_t keptOf(double keep, std::int64_t patches);

} // namespace tamis::tokens
