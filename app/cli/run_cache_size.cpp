// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/run_cache_size.h"

#include "app/cli/json_output.h"
#include "app/cli/table.h"
#include "app/cli/usage_error.h"
#include "core/cache/inspect.h"
#include "core/cache/steps.h"
#include "core/cache/trace_shape.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

constexpr int kWindows = 200, kColumns = 100;
constexpr std::size_t kTextRows = 20; ///< windows in the text

ordered_json orNull(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }
double share(std::uint64_t part, std::uint64_t whole) { return whole == 0 ? report::kNotMeasured : static_cast<double>(part) / static_cast<double>(whole); }
std::string sizeText(std::uint64_t size, bool sized) { return sized ? byteSize(size) : grouped(size) + " objects"; }

ordered_json sizeJson(const report::CacheSizeReport& report)
{
    ordered_json json{{"size", report.size}, {"warmUp", report.warmUp}, {"requests", report.requests}, {"hits", report.hits}, {"bytes", report.bytes}, {"hitBytes", report.hitBytes},
                      {"hitRatio", orNull(share(report.hits, report.requests))}, {"byteHitRatio", orNull(share(report.hitBytes, report.bytes))}};
    ordered_json& windows = json["windows"];
    for (const char* key : {"first", "requests", "hits", "bytes", "hitBytes"})
        windows[key] = ordered_json::array();
    for (const report::HitWindow& window : report.windows) {
        windows["first"].push_back(window.first);
        windows["requests"].push_back(window.requests);
        windows["hits"].push_back(window.hits);
        windows["bytes"].push_back(window.bytes);
        windows["hitBytes"].push_back(window.hitBytes);
    }
    if (!report.rules.empty())
        json["rules"] = report.rules;
    if (!report.unwatched.empty()) {
        ordered_json& unwatched = json["withoutScene"] = {{"hits", report.unwatchedHits}, {"hitRatio", orNull(share(report.unwatchedHits, report.requests))}, {"windowHits", ordered_json::array()}};
        for (std::size_t i = 0; i < report.unwatched.size(); ++i) {
            unwatched["windowHits"].push_back(report.unwatched[i].hits);
            windows["sceneChanges"].push_back(report.windows[i].sceneChanges);
        }
    }
    const report::EvictionOutcome& evicted = report.evicted;
    json["evictions"] = {{"count", evicted.evictions}, {"neverWanted", evicted.neverWanted}, {"neverUsed", evicted.neverUsed}, {"wantedAfter", evicted.wantedAfter}};
    json["held"] = report.held;
    json["stateBytes"] = report.stateBytes;
    json["seconds"] = report.seconds;
    return json;
}

std::string describedSize(const report::CacheSizeReport& report)
{
    const report::EvictionOutcome& evicted = report.evicted;
    std::string text = "\n" + report.policy.substr(6) + " at " + sizeText(report.size, report.sized) + ": hit ratio " + percent(share(report.hits, report.requests), 2) +
                       (report.sized ? " of requests, " + percent(share(report.hitBytes, report.bytes), 2) + " of bytes" : "") + ", " + grouped(report.held) + " objects held at the end\n" +
                       grouped(evicted.evictions) + " evictions: " + percent(share(evicted.neverWanted, evicted.evictions)) + " not wanted again, " +
                       percent(share(evicted.neverUsed, evicted.evictions)) + " without a hit since they entered";
    std::uint64_t soon = 0; // within as many requests as the cache holds objects
    for (std::size_t i = 0; i < evicted.wantedAfter.size() && (std::uint64_t{2} << i) <= std::max<std::uint64_t>(report.held, 2); ++i)
        soon += evicted.wantedAfter[i];
    text += ", " + percent(share(soon, evicted.evictions)) + " wanted again within about as many requests as it holds objects\n";
    const bool watched = !report.unwatched.empty();
    Table table(watched ? std::vector<std::string>{"requests from", "hit ratio", "without looking", "scene changes"} : std::vector<std::string>{"requests from", "hit ratio"}, 0);
    const std::size_t group = (report.windows.size() + kTextRows - 1) / kTextRows;
    for (std::size_t i = 0; i < report.windows.size(); i += group) {
        std::uint64_t requests = 0, hits = 0, unwatchedHits = 0, changes = 0;
        for (std::size_t j = i; j < std::min(i + group, report.windows.size()); ++j) {
            requests += report.windows[j].requests;
            hits += report.windows[j].hits;
            unwatchedHits += watched ? report.unwatched[j].hits : 0;
            changes += report.windows[j].sceneChanges;
        }
        std::vector<std::string> row{grouped(report.windows[i].first), percent(share(hits, requests), 2)};
        if (watched) {
            row.push_back(percent(share(unwatchedHits, requests), 2));
            row.push_back(std::to_string(changes));
        }
        table.add(row);
    }
    return text + table.text();
}

std::string nameOf(const report::CacheStepReport& report, std::uint32_t object)
{
    return report.names[static_cast<std::size_t>(std::ranges::lower_bound(report.named, object) - report.named.begin())];
}

ordered_json stepsJson(const report::CacheStepReport& report)
{
    ordered_json json{{"size", report.size}, {"first", report.first}, {"cells", report.cells}, {"start", ordered_json::array()}, {"steps", ordered_json::array()}};
    for (const std::uint32_t object : report.start)
        json["start"].push_back(object == cache::kNever ? ordered_json(nullptr) : ordered_json(nameOf(report, object)));
    for (const report::CacheStep& step : report.steps) {
        ordered_json one{{"request", step.request}, {"id", nameOf(report, step.object)}, {"size", step.size}, {"hit", step.hit}, {"bypassed", step.bypassed},
                         {"cell", step.cell < 0 ? ordered_json(nullptr) : ordered_json(step.cell)}, {"evicted", ordered_json::array()}};
        for (const report::StepEviction& each : step.evicted)
            one["evicted"].push_back({{"id", nameOf(report, each.object)}, {"cell", each.cell < 0 ? ordered_json(nullptr) : ordered_json(each.cell)}, {"why", each.why},
                                      {"wantedIn", each.wantedIn < 0 ? ordered_json(nullptr) : ordered_json(each.wantedIn)}});
        json["steps"].push_back(std::move(one));
    }
    return json;
}

std::string describedSteps(const report::CacheStepReport& report)
{
    Table table({"request", "object", "", "cell", "evicted"}, 1);
    for (const report::CacheStep& step : report.steps) {
        std::string evicted;
        for (const report::StepEviction& each : step.evicted)
            evicted += (evicted.empty() ? "" : " | ") + nameOf(report, each.object) + " from cell " + (each.cell < 0 ? "-" : std::to_string(each.cell)) + " (" + each.why + "; " +
                       (each.wantedIn < 0 ? "not wanted again" : "wanted again in " + std::to_string(each.wantedIn)) + ")";
        table.add({std::to_string(step.request), nameOf(report, step.object), step.hit ? "hit" : step.bypassed ? "passes by" : "miss", step.cell < 0 ? "-" : std::to_string(step.cell), evicted});
    }
    return "\n" + report.policy.substr(6) + ", " + std::to_string(report.steps.size()) + " requests from " + std::to_string(report.first) + ", " + std::to_string(report.cells) + " cells\n" + table.text();
}

ordered_json shapeJson(const report::TraceReport& report)
{
    ordered_json json{{"columns", report.columns}, {"distanceBins", report.distanceBins}, {"requestsPerColumn", report.requestsPerColumn}, {"counts", ordered_json::array()}};
    const auto bins = static_cast<std::ptrdiff_t>(report.distanceBins);
    for (std::ptrdiff_t column = 0; column < report.columns; ++column)
        json["counts"].push_back(std::vector<std::uint64_t>(report.counts.begin() + column * bins, report.counts.begin() + (column + 1) * bins));
    json["first"] = report.first;
    json["ranks"] = report.ranks;
    json["rankRequests"] = report.rankRequests;
    json["zipfExponent"] = orNull(report.zipfExponent);
    json["zipfDistance"] = orNull(report.zipfDistance);
    json["seconds"] = report.seconds;
    return json;
}

std::string describedShape(const report::TraceReport& report)
{
    const auto bins = static_cast<std::size_t>(report.distanceBins);
    Table table({"reuse distance", "of requests"}, 0);
    for (std::size_t bin = 0; bin < bins; ++bin) {
        std::uint64_t requests = 0;
        for (std::size_t column = 0; column < static_cast<std::size_t>(report.columns); ++column)
            requests += report.counts[column * bins + bin];
        table.add({grouped(std::uint64_t{1} << bin) + " - " + grouped((std::uint64_t{2} << bin) - 1), percent(share(requests, report.requests), 2)});
    }
    table.add({"first", percent(share(std::accumulate(report.first.begin(), report.first.end(), std::uint64_t{0}), report.requests), 2)});
    return "\npopularity: Zipf exponent " + fixed(report.zipfExponent, 3) + " by maximum likelihood, Kolmogorov-Smirnov distance " + fixed(report.zipfDistance, 3) + "; the most wanted of " +
           grouped(report.objects) + " objects has " + percent(share(report.rankRequests.empty() ? 0 : report.rankRequests.front(), report.requests), 2) + " of the requests\n" + table.text();
}
} // namespace

bool wantsCacheDetails(const RunOptions& options)
{
    if (options.steps > 0 && options.at.empty())
        throw UsageError("--steps needs --at: the size of the cache that is played");
    if (options.first > 0 && options.steps == 0)
        throw UsageError("--first needs --steps: how many requests are played");
    return !options.at.empty() || options.shape;
}

void addCacheDetails(const RunOptions& options, const cache::Trace& trace, const CacheDetails& details, const RunContext& context, std::string& text, ordered_json& document)
{
    context.setParts(3);
    const RunContext sizePart = context.part(1, "one size"), stepPart = context.part(1, "step by step"), shapePart = context.part(1, "the trace");
    if (details.size > 0) {
        const std::vector<std::uint32_t> next = cache::nextRequests(trace);
        const auto report = cache::inspectSize(trace, next, details.configuration, details.size, {.warmUp = details.warmUp, .windows = kWindows, .seed = details.seed, .rules = details.rules}, sizePart);
        document["size"] = sizeJson(report);
        text += describedSize(report);
        if (options.steps > 0) {
            const auto steps = cache::playSteps(trace, next, details.configuration, details.size,
                                                {.first = static_cast<std::uint64_t>(options.first), .count = static_cast<std::uint64_t>(options.steps), .seed = details.seed, .rules = details.rules}, stepPart);
            document["steps"] = stepsJson(steps);
            text += describedSteps(steps);
        }
    }
    if (options.shape) {
        const auto shape = cache::traceShape(trace, kColumns, shapePart);
        document["shape"] = shapeJson(shape);
        text += describedShape(shape);
    }
    context.finish();
}

} // namespace tamis::cli
