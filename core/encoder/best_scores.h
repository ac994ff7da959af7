// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The largest of a row of scores, without sorting the row: for thousands of them, where a heap (kernels::TopScores) is for few.
#include "core/kernels/top_scores.h"

#include <cstddef>
#include <span>
#include <vector>

namespace tamis::encoder {

enum class Order {
    None,    ///< as it comes: enough for candidates
    Falling, ///< as kernels::before() has it
};

/// The `count` largest of `scores` that are above `above`, `row` their place; of equal ones the lower place. NaN is never among them.
/// A bar is guessed from a sample of the scores: what is below it is passed over 16 at a time. Where the guess was too high, it is not used.
std::vector<kernels::Scored> bestScores(std::span<const float> scores, std::size_t count, float above, Order order);

} // namespace tamis::encoder
