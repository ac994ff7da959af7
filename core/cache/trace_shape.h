// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What a trace is like, whatever the cache: how soon objects come again over time, and how unequal they are.
#include "core/base/run_context.h"
#include "core/cache/trace.h"
#include "core/report/cache_size_report.h"

namespace tamis::cache {

/// A reuse distance is a place in the order of recency as in stackDistances(): 1 where no other object came between. At most `columns` columns of equal stretches of requests,
/// the last may be shorter. Unit sizes. The Zipf exponent is fitted to requests by rank, ranks 1 .. objects that occur; not a number where fewer than two do. O(requests x log
/// objects). Throws Error{InvalidParameter (columns outside 1 .. 1,000,000), LimitExceeded (objects), Cancelled}.
report::TraceReport traceShape(const Trace& trace, int columns, const RunContext& context);

/// p(r) ~ r^-s over ranks 1 .. counts.size().
struct ZipfFit {
    double exponent = report::kNotMeasured;
    double deviation = report::kNotMeasured; ///< standard error of the exponent, 1 / sqrt(requests x variance of log rank), where ranks are known
    double distance = report::kNotMeasured;  ///< Kolmogorov-Smirnov
};
/// Maximum likelihood, by Newton's method on the mean of log rank, exponents 0 .. 20. `counts` descending, none 0. Throws Error{Cancelled}.
ZipfFit fitZipf(std::span<const std::uint64_t> counts, const RunContext& context);

} // namespace tamis::cache
