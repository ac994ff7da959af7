// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Parts of the rows for one input: what scanTopScores() does where not every row is wanted.
#include "core/base/run_context.h"
#include "core/kernels/scan_rows.h"
#include "core/kernels/top_scores.h"

#include <cstdint>
#include <span>

namespace tamis::kernels {

/// Scores the rows of panels [first, first + count) (32 rows each) for x [D], bit for bit as scanTopScores(), and offers row i to `best` under the
/// name names[i]: M names, in any order. One thread. Throws Error{InvalidParameter} for another width or number of names, Error{Cancelled}
/// within 20 ms of work.
void offerPanels(const ScanRows& rows, std::int64_t first, std::int64_t count, std::span<const float> x, std::span<const std::int32_t> names, TopScores& best,
                 const RunContext& context = {});

} // namespace tamis::kernels
