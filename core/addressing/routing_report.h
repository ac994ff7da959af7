// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Where a memory's reads go: balance over the cells, likeness of neighbours, reuse.
#include "core/addressing/addresser.h"
#include "core/report/addressing_report.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tamis::addressing {

/// sum over i, j of |x_i - x_j| / (2 n^2 mean): 0 all alike, 1 - 1/n one has all. 0 where all are zero. Throws Error{InvalidParameter} for a value below 0.
double giniOf(std::vector<double> values);
/// |A and B| / |A or B|; 1 for two empty sets. Any order.
double jaccardOf(std::span<const std::int32_t> a, std::span<const std::int32_t> b);

/// `starts`: rows that begin a sample, whose left neighbour is of another text. `cellBytes`: of a value, for the sizes of caches. Throws
/// Error{InvalidParameter} for no row or a cell beyond `cells`, Error{Cancelled}.
report::RouterReport routingReport(const std::string& routing, std::span<const Reads> reads, std::int64_t cells, std::span<const std::size_t> starts, std::uint64_t cellBytes,
                                   const RunContext& context = {});

/// The cells one after another, row by row.
std::vector<std::int32_t> cellTrace(std::span<const Reads> reads);

} // namespace tamis::addressing
