// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/run_cache.h"

#include "app/cli/cache_rules.h"
#include "app/cli/json_output.h"
#include "app/cli/method_choice.h"
#include "app/cli/planned_cache.h"
#include "app/cli/run_cache_size.h"
#include "app/cli/run_inputs.h"
#include "app/cli/table.h"
#include "app/cli/trace_options.h"
#include "app/cli/usage_error.h"
#include "core/cache/load_trace.h"
#include "core/cache/simulate.h"
#include "core/cache/streamed_curves.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

constexpr int kUsualSizes = 20;

void requireOptions(const RunOptions& options)
{
    if (options.trace.empty())
        throw UsageError("--trace is required: the requests that the cache gets");
    if (!options.model.empty() || !options.calibration.empty() || !options.out.empty() || !options.layers.empty() || !options.blocks.empty())
        throw UsageError("--model, --calibration, --layer, --blocks and --out do not belong to cache.*");
}

/// "sizes" is of the run, whatever the policy.
std::vector<std::uint64_t> takeSizes(std::vector<std::string>& settings)
{
    std::vector<std::uint64_t> sizes;
    for (const std::string& setting : settings)
        if (setting.starts_with("sizes=")) {
            sizes.clear();
            for (std::size_t at = 6; at <= setting.size();) {
                const std::size_t comma = std::min(setting.find(',', at), setting.size());
                sizes.push_back(sizeFrom(std::string_view(setting).substr(at, comma - at), "--set sizes"));
                at = comma + 1;
            }
        }
    std::erase_if(settings, [](const std::string& setting) { return setting.starts_with("sizes="); });
    std::ranges::sort(sizes);
    sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
    return sizes;
}

/// The policy, those of --also, and without --no-baseline what no cache should lose to and what knows the future.
std::vector<cache::Configuration> configurationsFrom(const RunOptions& options, const std::optional<plan::Plan>& plan, const std::vector<std::string>& settings, const CommonOptions& common)
{
    const cache::Method& method = methodAmong(cache::methods(), options.method);
    std::vector<cache::Configuration> all{{options.method, cacheParameters(method, plan, options, settings, common)}};
    const auto add = [&](const std::string& id) {
        if (std::ranges::find(all, id, &cache::Configuration::method) == all.end())
            all.push_back({id, {}});
    };
    for (const std::string& also : options.also) {
        if (also == "all") {
            for (const cache::Method& each : cache::methods())
                if (each.declaration.id != "cache.belady-size") // looks at all that is held for each that leaves: minutes
                    add(each.declaration.id);
        } else {
            const auto [other, parameters] = methodBeside(cache::methods(), also, common);
            const auto same = [&, &other = other, &parameters = parameters](const cache::Configuration& each) { return each.method == other->declaration.id && other->declaration.schema.complete(each.parameters) == parameters; };
            if (std::ranges::none_of(all, same))
                all.push_back({other->declaration.id, parameters});
        }
    }
    if (options.baseline)
        for (const char* id : {"cache.random", "cache.belady"})
            add(id);
    if (options.streamed) // but the policy itself, if that looks ahead, is refused
        std::erase_if(all, [&](const cache::Configuration& each) {
            const cache::Method& of = *cache::findMethod(each.method);
            return each.method != options.method && (of.knowsFuture || of.bound);
        });
    return all;
}

ordered_json orNull(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

ordered_json curveJson(const report::PolicyCurve& curve)
{
    ordered_json json{{"policy", curve.policy}, {"title", curve.title}, {"parameters", toJson(curve.parameters)}, {"limit", curve.limit}, {"knowsFuture", curve.knowsFuture}, {"exact", curve.exact}};
    for (const char* key : {"sizes", "hits", "hitRatio", "byteHitRatio"})
        json[key] = ordered_json::array();
    for (const report::PolicyPoint& point : curve.points) {
        json["sizes"].push_back(point.size);
        json["hits"].push_back(point.hits);
        json["hitRatio"].push_back(orNull(point.hitRatio));
        json["byteHitRatio"].push_back(orNull(point.byteHitRatio));
        if (!curve.exact)
            json["deviation"].push_back(orNull(point.deviation));
        if (std::isfinite(point.costMissRatio)) {
            json["missCost"].push_back(point.missCost);
            json["costMissRatio"].push_back(point.costMissRatio);
        }
        if (std::isfinite(point.unruledHitRatio)) {
            json["sceneChanges"].push_back(point.sceneChanges);
            json["hitRatioWithoutScene"].push_back(point.unruledHitRatio);
        }
        for (const report::PolicyFigure& figure : point.figures)
            json["figures"][figure.name].push_back(orNull(figure.value));
    }
    if (!curve.rules.empty())
        json["rules"] = curve.rules;
    if (curve.bound)
        json["bound"] = true;
    json["seconds"] = curve.seconds;
    json["stateBytes"] = curve.stateBytes;
    if (!curve.failure.empty())
        json["failure"] = curve.failure;
    return json;
}

std::string sizeText(std::uint64_t size, bool sized) { return sized ? byteSize(size) : grouped(size); }

std::string cellOf(const report::PolicyCurve& curve, std::size_t size, bool sized)
{
    if (!curve.failure.empty())
        return "-";
    const report::PolicyPoint& point = curve.points[size];
    return percent(point.hitRatio, 2) + (sized ? " / " + percent(point.byteHitRatio, 2) : "") + (std::isfinite(point.costMissRatio) ? " / " + percent(point.costMissRatio, 2) : "") +
           (std::isfinite(point.deviation) ? " +- " + percent(point.deviation, 2) : "");
}

/// What a curve learned, or what a rule did to it, at its sizes.
std::string remarksOn(const report::PolicyCurve& curve, bool sized)
{
    std::string text;
    for (const report::PolicyPoint& point : curve.points) {
        std::string line;
        for (const report::PolicyFigure& figure : point.figures)
            line += (line.empty() ? "" : ", ") + figure.name + " " + significant(figure.value, 3);
        if (std::isfinite(point.unruledHitRatio))
            line += (line.empty() ? "" : ", ") + std::to_string(point.sceneChanges) + " scene changes: " + percent(point.hitRatio, 2) + ", " + percent(point.unruledHitRatio, 2) + " without looking for them";
        if (!line.empty())
            text += curve.policy.substr(6) + " at " + sizeText(point.size, sized) + ": " + line + "\n";
    }
    return text;
}

/// "lru-k", and where the table has others of the policy the settings that are not the usual ones: "lru-k, k 3".
std::string headingOf(const report::PolicyCurve& curve, const report::CacheReport& report)
{
    std::string text = curve.policy.substr(6);
    if (std::ranges::count(report.curves, curve.policy, &report::PolicyCurve::policy) > 1) {
        const Parameters usual = cache::findMethod(curve.policy)->declaration.schema.complete({});
        for (const auto& [name, value] : curve.parameters.all())
            if (usual.value(name) != value)
                text += ", " + name + " " + toText(value);
    }
    return text + (curve.limit ? " (limit)" : curve.knowsFuture ? " (knows the future)" : "");
}

std::string described(const report::CacheReport& report)
{
    std::string text = report.trace + ": " + grouped(report.requests) + " requests, " + grouped(report.objects) + " objects, working set " + sizeText(report.workingSet, report.sized) +
                       (report.sized ? "" : " objects") + ", compulsory misses " + percent(report.compulsory, 2) + "\n\n";
    std::vector<std::string> heading{report.sized ? "cache" : "objects in the cache"};
    for (const report::PolicyCurve& curve : report.curves)
        heading.push_back(headingOf(curve, report));
    Table table(heading, 0);
    const auto whole = std::ranges::find_if(report.curves, [](const report::PolicyCurve& curve) { return curve.failure.empty(); });
    for (std::size_t i = 0; whole != report.curves.end() && i < whole->points.size(); ++i) {
        std::vector<std::string> row{sizeText(whole->points[i].size, report.sized)};
        for (const report::PolicyCurve& curve : report.curves)
            row.push_back(cellOf(curve, i, report.sized));
        table.add(row);
    }
    text += table.text() + "\nhit ratio" + (report.sized ? " of requests / of bytes" : "") + (report.costed ? " / misses' share of the cost" : "") + "; ";
    text += significant(report.seconds, 3) + " s\n";
    if (const std::string rules = report.curves.front().rules; !rules.empty())
        text += "rules: " + rules + "\n";
    text += remarksOn(report.curves.front(), report.sized);
    for (const std::string& warning : report.warnings)
        text += "warning: " + warning + "\n";
    return text;
}

ordered_json documentOf(const RunOptions& options, const report::CacheReport& report)
{
    const report::PolicyCurve& own = report.curves.front();
    ordered_json document{{"schema", "tamis.run/1"}, {"method", options.method}, {"parameters", toJson(own.parameters)}};
    document["inputs"] = {{"trace", {{"path", options.trace}}}, {"warmUp", report.warmUp}, {"rate", options.rate}};
    document["cost"] = {{"parameters", 0}, {"bytes", own.stateBytes}, {"macs", 0}, {"latencyMs", nullptr}};
    document["baseline"] = {{"method", "compulsory"}, {"cost", nullptr}, {"quality", {{"hitRatio", orNull(1 - report.compulsory)}}}};
    document["quality"] = {{"hitRatio", own.points.empty() ? ordered_json(nullptr) : orNull(own.points.back().hitRatio)}};
    document["requests"] = report.requests;
    document["objects"] = report.objects;
    document["workingSet"] = report.workingSet;
    document["compulsory"] = orNull(report.compulsory);
    document["curves"] = ordered_json::array();
    for (const report::PolicyCurve& curve : report.curves)
        document["curves"].push_back(curveJson(curve));
    document["warnings"] = report.warnings;
    document["seconds"] = report.seconds;
    return document;
}
} // namespace

void runCache(Console& console, const RunOptions& options)
{
    requireOptions(options);
    std::vector<std::string> settings = options.settings;
    cache::CurveSettings curves;
    curves.sizes = takeSizes(settings);
    curves.warmUp = static_cast<std::uint64_t>(options.warmUp);
    curves.seed = static_cast<std::uint64_t>(console.common().seed.value_or(0));
    curves.rate = options.rate;
    const auto plan = cachePlanOf(options, methodAmong(cache::methods(), options.method));
    const Parameters rules = ruleSettings(options, plan);
    const auto configurations = configurationsFrom(options, plan, settings, console.common());
    const io::TraceOptions format = traceOptionsFrom(options.traceFormat, options.traceColumns, false, true);
    const RunContext& context = console.context();
    const bool detailed = wantsCacheDetails(options);
    const std::uint64_t at = options.at.empty() ? 0 : sizeFrom(options.at, "--at");
    if (options.streamed) {
        if (detailed || plan || !options.savePlan.empty() || !rules.all().empty())
            throw UsageError("--streamed: a trace that is not held has no --at, --shape, --plan, --save-plan or rules of capacity");
        const report::CacheReport report = cache::streamedCurves(options.trace, format, configurations, curves, kUsualSizes, context);
        console.print(described(report));
        return console.finish(documentOf(options, report));
    }
    context.setParts(detailed ? 6 : 5);
    const cache::Trace trace = cache::loadTrace(options.trace, format, context.part(1, "reading the trace"));
    if (plan)
        takePlanned(*plan->cache, options, trace, curves.sizes, curves.warmUp);
    if (curves.warmUp >= trace.requests())
        throw UsageError("--warm-up: found " + std::to_string(curves.warmUp) + ", expected fewer than the trace's " + std::to_string(trace.requests()) + " requests");
    curves.rules = rulesOn(rules, trace);
    if (!options.savePlan.empty())
        saveCachePlan(plan, options, {configurations.front().parameters, rules}, trace, curves.sizes, curves.warmUp);
    if (curves.sizes.empty())
        curves.sizes = cache::usualSizes(trace, kUsualSizes);
    const report::CacheReport report = cache::missRatioCurves(trace, configurations, curves, context.part(4, "simulating"));
    std::string text = described(report);
    ordered_json document = documentOf(options, report);
    if (detailed)
        addCacheDetails(options, trace, {configurations.front(), at, curves.warmUp, curves.seed, curves.rules}, context.part(1, "looking closer"), text, document);
    console.print(text);
    console.finish(std::move(document));
}

} // namespace tamis::cli
