// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/addressing/routing_report.h"

#include "core/addressing/reuse.h"
#include "core/base/error.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis::addressing {
namespace {
constexpr std::size_t kRowsBetweenStops = 64; // of up to 256 cells, each looked for among its neighbour's: some milliseconds

double entropyOf(std::span<const float> weights)
{
    double entropy = 0;
    for (const float weight : weights)
        if (weight > 0)
            entropy -= static_cast<double>(weight) * std::log(static_cast<double>(weight));
    return entropy;
}

void addReuse(report::RouterReport& report, std::span<const Reads> reads, std::int64_t cells, std::uint64_t cellBytes, const RunContext& context)
{
    const auto distances = reuseDistances(cellTrace(reads), context);
    report.reuse.assign(static_cast<std::size_t>(cells) + 1, 0);
    for (const std::int64_t distance : distances)
        ++report.reuse[static_cast<std::size_t>(distance < 0 ? cells : distance)];
    for (std::int64_t rows = 1; rows <= cells; rows = std::max(rows + 1, rows * 2)) {
        context.throwIfStopped();
        report.offload.push_back({rows, static_cast<std::uint64_t>(rows) * cellBytes, leastRecentlyUsedHits(distances, rows)});
    }
    if (report.offload.back().rows != cells)
        report.offload.push_back({cells, static_cast<std::uint64_t>(cells) * cellBytes, leastRecentlyUsedHits(distances, cells)});
}
} // namespace

double giniOf(std::vector<double> values)
{
    std::ranges::sort(values);
    if (!values.empty() && !(values.front() >= 0))
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(values.front()) + ", expected values of at least 0", "gini");
    double sum = 0, ranked = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        sum += values[i];
        ranked += static_cast<double>(2 * i + 1) * values[i];
    }
    const auto n = static_cast<double>(values.size());
    return sum > 0 ? ranked / (n * sum) - 1 : 0;
}

double jaccardOf(std::span<const std::int32_t> a, std::span<const std::int32_t> b)
{
    const auto both = static_cast<std::size_t>(std::ranges::count_if(a, [&](std::int32_t cell) { return std::ranges::find(b, cell) != b.end(); }));
    const std::size_t any = a.size() + b.size() - both;
    return any == 0 ? 1 : static_cast<double>(both) / static_cast<double>(any);
}

std::vector<std::int32_t> cellTrace(std::span<const Reads> reads)
{
    std::vector<std::int32_t> trace;
    for (const Reads& row : reads)
        trace.insert(trace.end(), row.cells.begin(), row.cells.end());
    return trace;
}

report::RouterReport routingReport(const std::string& routing, std::span<const Reads> reads, std::int64_t cells, std::span<const std::size_t> starts, std::uint64_t cellBytes, const RunContext& context)
{
    if (reads.empty() || cells < 1)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(reads.size()) + " rows and " + std::to_string(cells) + " cells, expected at least one of each", "routing");
    report::RouterReport report;
    report.routing = routing;
    report.load.resize(static_cast<std::size_t>(cells));
    double entropy = 0, chosen = 0, jaccard = 0, pairs = 0;
    const auto rows = static_cast<double>(reads.size());
    std::vector<std::size_t> begins(starts.begin(), starts.end());
    std::ranges::sort(begins);
    for (std::size_t t = 0; t < reads.size(); ++t) {
        if (t % kRowsBetweenStops == 0)
            context.throwIfStopped();
        const Reads& row = reads[t];
        for (const std::int32_t cell : row.cells) {
            if (cell < 0 || cell >= cells)
                throw Error(ErrorCode::InvalidParameter, "found the cell " + std::to_string(cell) + ", expected 0 to " + std::to_string(cells - 1), "routing");
            report.load[static_cast<std::size_t>(cell)] += 1;
        }
        entropy += entropyOf(row.weights);
        chosen += static_cast<double>(row.cells.size());
        report.expertsPerToken.resize(std::max(report.expertsPerToken.size(), row.cells.size() + 1));
        ++report.expertsPerToken[row.cells.size()];
        if (t > 0 && !std::ranges::binary_search(begins, t)) {
            jaccard += jaccardOf(reads[t - 1].cells, row.cells);
            ++pairs;
        }
    }
    report.meanExperts = chosen / rows;
    report.entropy = entropy / rows;
    if (pairs > 0)
        report.jaccard = jaccard / pairs;
    report.gini = giniOf(report.load);
    double spread = 0;
    for (double& load : report.load) {
        if (load > 0)
            spread -= load / chosen * std::log(load / chosen);
        load /= rows;
    }
    if (chosen > 0) {
        report.loadEntropy = cells > 1 ? spread / std::log(static_cast<double>(cells)) : 1;
        report.maxOverMean = *std::ranges::max_element(report.load) * static_cast<double>(cells) * rows / chosen;
    }
    addReuse(report, reads, cells, cellBytes, context);
    return report;
}

} // namespace tamis::addressing
