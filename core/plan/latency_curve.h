// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Predicted time of one linear operator at every rank, never falling as the rank grows: what a budget of latency is spent in.
#include "core/base/run_context.h"
#include "core/plan/accounting.h"
#include "core/plan/latency.h"
#include "core/report/model_report.h"
#include "core/report/spectrum_report.h"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tamis::plan {

struct LatencyCurve {
    double dense = 0;       ///< milliseconds
    std::vector<double> ms; ///< by rank from 0; at least up to the largest useful rank of the accounting
    bool operator==(const LatencyCurve&) const = default;
};

/// The non-decreasing values nearest to `values` in least squares (pool adjacent violators).
std::vector<double> monotoneFit(std::vector<double> values);

/// Measured at `points` ranks (at least 2) from 1 to the largest useful one, then the monotone fit, straight between its
/// points and constant below the first. Throws what LatencyCache::milliseconds() does.
LatencyCurve measuredLatency(LatencyCache& cache, Accounting accounting, std::int64_t m, std::int64_t n, std::int64_t tokens, int points,
                             const RunContext& context = {});

/// By the roofline: each of an operator's products takes max(FLOP / peak, bytes / bandwidth), weights read once and
/// activations of `tokens` tokens read and written in float32; then the monotone fit. Throws Error{InvalidParameter} for
/// ceilings that are not positive.
LatencyCurve rooflineLatency(const report::Ceilings& ceilings, Accounting accounting, std::int64_t m, std::int64_t n, std::int64_t tokens);

/// measuredLatency() of every compressible matrix, each shape once; by name.
std::map<std::string, LatencyCurve> measuredLatencies(const report::SpectrumReport& spectra, Accounting accounting, LatencyCache& cache,
                                                      const LatencyOptions& options, const RunContext& context = {});

} // namespace tamis::plan
