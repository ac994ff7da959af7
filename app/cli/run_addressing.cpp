// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/run_addressing.h"

#include "app/cli/json_output.h"
#include "app/cli/method_choice.h"
#include "app/cli/run_inputs.h"
#include "app/cli/table.h"
#include "app/cli/usage_error.h"
#include "core/addressing/method.h"
#include "core/io/checkpoint.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;
using report::AddressingReport;

ordered_json orNull(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

void requireOptions(const addressing::Method& method, const RunOptions& options)
{
    if (options.model.empty())
        throw UsageError("--model is required: the language model that is read from");
    if (!options.out.empty() || !options.store.empty() || !options.encoder.empty() || !options.layers.empty() || !options.samples.images.empty())
        throw UsageError("--out, --store, --layer, --encoder and --images do not belong to addressing.*");
    if (!options.table.empty() && !method.takesTable)
        throw UsageError("--table belongs to addressing.deep-embed");
    if (!options.table.empty() && !options.saveTable.empty())
        throw UsageError("--save-table writes a table that was fitted: with --table there is none");
    if (options.table.empty() && options.calibrationTokens.empty())
        throw UsageError(method.takesTable ? "--calibration-tokens is required: the tokens that the table is fitted to (or --table)" : "--calibration-tokens is required: the tokens that the memory is fitted to");
}

/// The held-out samples with another file of tokens.
app::SampleRequest calibrationRequest(const RunOptions& options)
{
    SampleOptions samples = options.samples;
    samples.text.clear();
    samples.tokens = options.calibrationTokens;
    samples.limit = 0;
    return requestFrom(samples);
}

ordered_json cachePoints(const std::vector<report::CachePoint>& points)
{
    ordered_json json = ordered_json::array();
    for (const auto& point : points)
        json.push_back({{"rows", point.rows}, {"bytes", point.bytes}, {"hitRate", point.hitRate}});
    return json;
}

ordered_json latenciesJson(const AddressingReport& report)
{
    ordered_json json = ordered_json::object();
    for (const auto& row : report.latencies) {
        ordered_json& at = json[row.layout][row.reader][row.cold ? "disk" : "memory"];
        if (row.failure.empty())
            at = {{"p50", row.p50}, {"p95", row.p95}, {"p99", row.p99}, {"deviceBytesPerToken", orNull(row.deviceBytesPerToken)}, {"requestsPerToken", row.requestsPerToken}};
        else
            at = {{"failure", row.failure}};
    }
    return json;
}

ordered_json routersJson(const AddressingReport& report)
{
    ordered_json json = ordered_json::array();
    for (const auto& router : report.routers)
        json.push_back({{"routing", router.routing}, {"meanExperts", router.meanExperts}, {"entropy", orNull(router.entropy)}, {"loadEntropy", orNull(router.loadEntropy)}, {"maxOverMean", orNull(router.maxOverMean)},
                        {"gini", orNull(router.gini)}, {"jaccard", orNull(router.jaccard)}, {"load", router.load}, {"expertsPerToken", router.expertsPerToken}, {"reuse", router.reuse}, {"offload", cachePoints(router.offload)}});
    return json;
}

ordered_json tableJson(const report::TableReads& table)
{
    return {{"layout", table.layout}, {"type", table.type}, {"tableBytes", table.tableBytes}, {"rowBytes", table.rowBytes}, {"bytesPerToken", table.bytesPerToken}, {"pagesPerToken", table.pagesPerToken},
            {"amplification", table.amplification}, {"batch", table.batch}, {"batchPagesPerToken", table.batchPagesPerToken}};
}

void addQuality(ordered_json& document, const AddressingReport& report)
{
    if (report.memories.empty()) {
        document["quality"] = {{"perplexity", orNull(report.tablePerplexity)}, {"cheaperPerplexity", orNull(report.perplexity)}, {"sharedPerplexity", orNull(report.sharedPerplexity)}, {"unseenTokens", report.unseenTokens}};
        document["baseline"] = {{"method", "whole"}, {"quality", {{"perplexity", orNull(report.wholePerplexity)}}}};
        return;
    }
    ordered_json memories = ordered_json::array();
    for (const auto& memory : report.memories)
        memories.push_back({{"name", memory.name}, {"fvu", orNull(memory.heldOut)}, {"calibrationFvu", orNull(memory.calibration)}, {"valueBytesPerToken", memory.valueBytesPerToken}, {"keyMacs", memory.keyMacs}});
    const auto chosen = std::ranges::find_if(report.memories, [&](const auto& memory) { return memory.name == report.routers.front().routing; });
    document["quality"] = {{"fvu", orNull((chosen != report.memories.end() ? *chosen : report.memories.back()).heldOut)}};
    document["baseline"] = {{"method", "mean output"}, {"quality", {{"fvu", orNull(report.memories.front().heldOut)}}}};
    document["memories"] = std::move(memories);
}

ordered_json documentOf(const RunOptions& options, const AddressingReport& report)
{
    ordered_json document{{"schema", "tamis.run/1"}, {"method", report.method}, {"parameters", toJson(report.parameters)}};
    document["inputs"] = {{"model", {{"path", options.model}}}, {"samples", report.samples}, {"calibrationTokens", options.calibrationTokens}, {"table", options.table}};
    document["cost"] = tableJson(report.tables.front());
    addQuality(document, report);
    document["traceTokens"] = report.traceTokens;
    document["window"] = report.window;
    document["uniqueRows"] = orNull(report.uniqueRows);
    for (const char* key : {"bytesPerToken", "pagesPerToken", "amplification"})
        document[key] = document["cost"][key];
    document["tables"] = ordered_json::array();
    for (const auto& table : report.tables)
        document["tables"].push_back(tableJson(table));
    document["latencies"] = latenciesJson(report);
    document["caches"] = ordered_json::object();
    for (const auto& curve : report.caches)
        document["caches"][curve.policy] = cachePoints(curve.points);
    if (!report.routers.empty())
        document["routers"] = routersJson(report);
    document["warnings"] = ordered_json::array();
    for (const std::string& warning : report.warnings)
        addWarning(document, warning);
    document["seconds"] = report.seconds;
    return document;
}

std::string readsText(const AddressingReport& report)
{
    Table tables({"table", "type", "bytes", "bytes a token", "pages a token", "amplification", "pages a token, " + std::to_string(report.window) + " at once"}, 2);
    for (const auto& table : report.tables)
        tables.add({table.layout, table.type, byteSize(table.tableBytes), fixed(table.bytesPerToken, 0), fixed(table.pagesPerToken, 3), fixed(table.amplification, 2), fixed(table.batchPagesPerToken, 3)});
    std::string text = tables.text();
    if (!report.latencies.empty()) {
        Table times({"reader", "layout", "from", "p50 us", "p95 us", "p99 us", "from disk, bytes a token"}, 3);
        for (const auto& row : report.latencies)
            times.add({row.reader, row.layout, row.cold ? "disk" : "memory", row.failure.empty() ? fixed(row.p50, 1) : row.failure, fixed(row.p95, 1), fixed(row.p99, 1), fixed(row.deviceBytesPerToken, 0)});
        text += "\n" + times.text();
    }
    if (!report.caches.empty()) {
        std::vector<std::string> heading{"cache, rows"};
        for (const auto& curve : report.caches)
            heading.push_back(curve.policy);
        Table hits(heading, 1);
        for (std::size_t i = 0; i < report.caches.front().points.size(); ++i) {
            std::vector<std::string> row{std::to_string(report.caches.front().points[i].rows)};
            for (const auto& curve : report.caches)
                row.push_back(percent(curve.points[i].hitRate));
            hits.add(row);
        }
        text += "\n" + hits.text();
    }
    return text;
}

std::string described(const AddressingReport& report)
{
    std::string text = report.method + " on " + report.samples + ": " + grouped(report.traceTokens) + " tokens, different rows in a window of " + std::to_string(report.window) + ": " + percent(report.uniqueRows) + "\n\n";
    if (report.memories.empty()) {
        text += "perplexity " + significant(report.wholePerplexity) + " whole, " + significant(report.perplexity) + " cheaper, " + significant(report.sharedPerplexity) + " with a scale a feature, "
                + significant(report.tablePerplexity) + " with the table\n" + grouped(report.unseenTokens) + " of the tokens were never seen in calibration\n\n";
    } else {
        Table memories({"memory", "FVU held out", "FVU calibration", "value bytes a token", "key MACs"}, 1);
        for (const auto& memory : report.memories)
            memories.add({memory.name, significant(memory.heldOut), significant(memory.calibration), grouped(memory.valueBytesPerToken), grouped(memory.keyMacs)});
        Table routers({"routing", "cells a token", "entropy", "load max/mean", "Gini", "evenness", "Jaccard"}, 1);
        for (const auto& router : report.routers)
            routers.add({router.routing, fixed(router.meanExperts, 2), fixed(router.entropy, 3), fixed(router.maxOverMean, 2), fixed(router.gini, 3), fixed(router.loadEntropy, 3), fixed(router.jaccard, 3)});
        text += memories.text() + "\n" + routers.text() + "\n";
    }
    return text + readsText(report);
}
} // namespace

void runAddressing(Console& console, const RunOptions& options)
{
    const addressing::Method& method = methodAmong(addressing::methods(), options.method);
    requireOptions(method, options);
    const Parameters parameters = parametersFrom(method.declaration, options.settings, console.common());
    const app::SampleRequest request = requestFrom(options.samples);
    const RunContext& context = console.context();
    context.setParts(20);
    const auto checkpoint = io::Checkpoint::open(options.model, context.part(0.5, "opening"));
    addressing::Inputs inputs;
    inputs.model = nn::Model::load(*checkpoint, context.part(1, "loading"));
    inputs.samples = app::openSamples(request, options.model, *inputs.model, context.part(0.5, "opening the samples"));
    if (!options.calibrationTokens.empty())
        inputs.calibration = app::openSamples(calibrationRequest(options), options.model, *inputs.model, context.part(0.5, "opening the calibration tokens"));
    inputs.table = options.table;
    inputs.save = options.saveTable;
    inputs.seed = static_cast<std::uint64_t>(console.common().seed.value_or(0));
    inputs.latency = options.latency;
    if (!options.saveTable.empty())
        console.beginWriting();
    AddressingReport report = method.run(inputs, parameters, context.part(17.5, method.declaration.title));
    report.model = options.model;
    std::string text = described(report);
    for (const std::string& warning : report.warnings)
        text += "warning: " + warning + "\n";
    console.print(text);
    console.finish(documentOf(options, report));
}

} // namespace tamis::cli
