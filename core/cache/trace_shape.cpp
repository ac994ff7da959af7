// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/trace_shape.h"

#include "core/base/error.h"
#include "core/base/recency_order.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <functional>

namespace tamis::cache {
namespace {
constexpr int kRanks = 200; ///< shown, at most
constexpr std::size_t kStretch = 16384;
constexpr double kMostExponent = 20;

/// Sum of r^-s, and mean and variance of log r under it.
struct Moments {
    double sum = 0, mean = 0, variance = 0;
};

Moments momentsAt(double exponent, std::span<const double> logs, const RunContext& context)
{
    double sum = 0, first = 0, second = 0;
    for (std::size_t r = logs.size(); r-- > 0;) { // small terms first
        if (r % kStretch == 0)
            context.throwIfStopped();
        const double weight = std::exp(-exponent * logs[r]);
        sum += weight;
        first += weight * logs[r];
        second += weight * logs[r] * logs[r];
    }
    const double mean = first / sum;
    return {sum, mean, std::max(0.0, second / sum - mean * mean)};
}

void addPopularity(report::TraceReport& report, const Trace& trace, const RunContext& context)
{
    std::vector<std::uint64_t> counts(trace.ids.size(), 0);
    for (std::size_t i = 0; i < trace.requests(); ++i) {
        if (i % kStretch == 0)
            context.throwIfStopped();
        ++counts[trace.objects[i]];
    }
    std::erase(counts, 0);
    std::ranges::sort(counts, std::greater<>());
    const auto objects = static_cast<double>(counts.size());
    for (int i = 0; i < kRanks && !counts.empty(); ++i) {
        const auto rank = static_cast<std::uint64_t>(std::llround(std::pow(objects, static_cast<double>(i) / (kRanks - 1))));
        if (report.ranks.empty() || rank > report.ranks.back()) {
            report.ranks.push_back(rank);
            report.rankRequests.push_back(counts[static_cast<std::size_t>(rank - 1)]);
        }
    }
    const ZipfFit fit = fitZipf(counts, context);
    report.zipfExponent = fit.exponent;
    report.zipfDistance = fit.distance;
}
} // namespace

ZipfFit fitZipf(std::span<const std::uint64_t> counts, const RunContext& context)
{
    if (counts.size() < 2)
        return {};
    std::vector<double> logs(counts.size());
    double requests = 0, target = 0;
    for (std::size_t r = 0; r < counts.size(); ++r) {
        logs[r] = std::log(static_cast<double>(r + 1));
        requests += static_cast<double>(counts[r]);
        target += static_cast<double>(counts[r]) * logs[r];
    }
    target /= requests; // the mean falls as the exponent grows: one solution, or an end of the range
    double low = 0, high = kMostExponent, exponent = 1;
    Moments moments = momentsAt(exponent, logs, context);
    for (int round = 0; round < 100 && high - low > 1e-12; ++round) {
        (moments.mean > target ? low : high) = exponent;
        const double step = moments.variance > 0 ? (moments.mean - target) / moments.variance : 0;
        const double newton = exponent + step;
        if (std::abs(step) <= 1e-13 * (1 + exponent) && moments.variance > 0)
            break;
        exponent = newton > low && newton < high ? newton : 0.5 * (low + high);
        moments = momentsAt(exponent, logs, context);
    }
    ZipfFit fit{.exponent = exponent, .deviation = 1 / std::sqrt(requests * moments.variance), .distance = 0};
    double counted = 0, expected = 0;
    for (std::size_t r = 0; r < counts.size(); ++r) {
        counted += static_cast<double>(counts[r]) / requests;
        expected += std::exp(-exponent * logs[r]) / moments.sum;
        fit.distance = std::max(fit.distance, std::abs(counted - expected));
    }
    return fit;
}

report::TraceReport traceShape(const Trace& trace, int columns, const RunContext& context)
{
    if (columns < 1 || columns > 1'000'000)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(columns) + ", expected 1 to 1,000,000", "columns");
    const auto start = std::chrono::steady_clock::now();
    const std::size_t requests = trace.requests(), each = std::max<std::size_t>(1, (requests + static_cast<std::size_t>(columns) - 1) / static_cast<std::size_t>(columns));
    report::TraceReport report{.trace = trace.name, .requests = requests, .objects = trace.ids.size(), .columns = static_cast<int>((requests + each - 1) / each),
                               .distanceBins = static_cast<int>(std::bit_width(trace.ids.size())), .requestsPerColumn = each};
    const auto bins = static_cast<std::size_t>(report.distanceBins);
    report.counts.assign(static_cast<std::size_t>(report.columns) * bins, 0);
    report.first.assign(static_cast<std::size_t>(report.columns), 0);
    RecencyOrder order(trace.ids.size());
    for (std::size_t i = 0; i < requests; ++i) {
        if (i % kStretch == 0) {
            context.throwIfStopped();
            context.setFraction(0.8 * static_cast<double>(i) / static_cast<double>(requests));
        }
        const std::int64_t others = order.touch(trace.objects[i]);
        if (others == RecencyOrder::kNever)
            ++report.first[i / each];
        else
            ++report.counts[i / each * bins + static_cast<std::size_t>(std::bit_width(static_cast<std::uint64_t>(others) + 1) - 1)];
    }
    addPopularity(report, trace, context);
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    context.finish();
    return report;
}

} // namespace tamis::cache
