// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/latency_curve.h"

#include "core/base/error.h"

#include <algorithm>
#include <utility>

namespace tamis::plan {
namespace {

constexpr int kMeasuredRanks = 8;

void requireTokens(std::int64_t tokens)
{
    if (tokens < 1)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(tokens) + ", expected at least 1", "tokens");
}

/// Values at 0 .. last, straight between the points (ascending ranks), constant before the first and after the last.
std::vector<double> interpolated(const std::vector<std::int64_t>& ranks, const std::vector<double>& values, std::int64_t last)
{
    std::vector<double> all(static_cast<std::size_t>(last + 1), values.front());
    for (std::size_t k = 0; k + 1 < ranks.size(); ++k)
        for (std::int64_t r = ranks[k]; r <= ranks[k + 1]; ++r) {
            const double along = static_cast<double>(r - ranks[k]) / static_cast<double>(ranks[k + 1] - ranks[k]);
            all[static_cast<std::size_t>(r)] = r == ranks[k + 1] ? values[k + 1] : values[k] + along * (values[k + 1] - values[k]);
        }
    return all;
}

/// Milliseconds of one product, y [tokens, m] = x [tokens, n] W^T, W of `weights` numbers each multiplied once a token.
double productMs(const report::Ceilings& ceilings, double weights, std::int64_t m, std::int64_t n, std::int64_t tokens)
{
    const double flop = 2 * weights * static_cast<double>(tokens);
    const double bytes = 4 * (weights + static_cast<double>(m + n) * static_cast<double>(tokens));
    return std::max(flop / (ceilings.gflops * 1e6), bytes / (ceilings.gigabytesPerSecond * 1e6));
}

} // namespace

std::vector<double> monotoneFit(std::vector<double> values)
{
    struct Pool {
        double sum;
        std::size_t count;
        double mean() const { return sum / static_cast<double>(count); }
    };
    std::vector<Pool> pools;
    for (const double value : values) {
        pools.push_back({value, 1});
        while (pools.size() > 1 && pools[pools.size() - 2].mean() > pools.back().mean()) {
            const Pool last = pools.back();
            pools.pop_back();
            pools.back().sum += last.sum;
            pools.back().count += last.count;
        }
    }
    std::size_t at = 0;
    double least = pools.empty() ? 0 : pools.front().mean();
    for (const Pool& pool : pools) {
        least = std::max(least, pool.mean()); // rounding of a mean must not make it fall
        for (std::size_t i = 0; i < pool.count; ++i)
            values[at++] = pool.count == 1 ? pool.sum : least;
    }
    return values;
}

LatencyCurve measuredLatency(LatencyCache& cache, Accounting accounting, std::int64_t m, std::int64_t n, std::int64_t tokens, int points,
                             const RunContext& context)
{
    if (points < 2)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(points) + ", expected at least 2", "points");
    LatencyCurve curve;
    curve.dense = cache.milliseconds({m, n, 0, "dense", tokens}, context);
    const std::int64_t last = largestUsefulRank(accounting, m, n);
    if (last < 1) {
        curve.ms.assign(1, 0.0);
        return curve;
    }
    std::vector<std::int64_t> ranks;
    for (int k = 0; k < points; ++k) {
        const std::int64_t rank = 1 + (last - 1) * k / (points - 1);
        if (ranks.empty() || rank > ranks.back())
            ranks.push_back(rank);
    }
    std::vector<double> times;
    for (std::size_t k = 0; k < ranks.size(); ++k) {
        times.push_back(cache.milliseconds({m, n, ranks[k], std::string(accountingName(accounting)), tokens}, context));
        context.setFraction(static_cast<double>(k + 1) / static_cast<double>(ranks.size()));
    }
    curve.ms = interpolated(ranks, monotoneFit(std::move(times)), last);
    return curve;
}

LatencyCurve rooflineLatency(const report::Ceilings& ceilings, Accounting accounting, std::int64_t m, std::int64_t n, std::int64_t tokens)
{
    requireTokens(tokens);
    if (!(ceilings.gflops > 0) || !(ceilings.gigabytesPerSecond > 0))
        throw Error(ErrorCode::InvalidParameter, "expected ceilings above 0", ceilings.name.empty() ? "ceilings" : ceilings.name);
    LatencyCurve curve;
    curve.dense = productMs(ceilings, static_cast<double>(m) * static_cast<double>(n), m, n, tokens);
    const std::int64_t last = largestUsefulRank(accounting, m, n);
    curve.ms.push_back(0);
    for (std::int64_t r = 1; r <= last; ++r) {
        const std::int64_t first = accounting == Accounting::BlockIdentity ? n - r : n;
        const auto rank = static_cast<double>(r);
        curve.ms.push_back(productMs(ceilings, rank * static_cast<double>(first), r, n, tokens) +
                           productMs(ceilings, rank * static_cast<double>(m), m, r, tokens));
    }
    curve.ms = monotoneFit(std::move(curve.ms));
    return curve;
}

std::map<std::string, LatencyCurve> measuredLatencies(const report::SpectrumReport& spectra, Accounting accounting, LatencyCache& cache,
                                                      const LatencyOptions& options, const RunContext& context)
{
    std::map<std::pair<std::int64_t, std::int64_t>, LatencyCurve> shapes;
    std::map<std::string, LatencyCurve> curves;
    for (std::size_t i = 0; i < spectra.matrices.size(); ++i) {
        const auto& s = spectra.matrices[i];
        if (!s.compressible)
            continue;
        auto& curve = shapes[{s.rows, s.cols}];
        if (curve.ms.empty())
            curve = measuredLatency(cache, accounting, s.rows, s.cols, options.tokens, kMeasuredRanks, RunContext(context.stopToken()));
        curves[s.name] = curve;
        context.setFraction(static_cast<double>(i + 1) / static_cast<double>(spectra.matrices.size()));
    }
    context.finish();
    return curves;
}

} // namespace tamis::plan
