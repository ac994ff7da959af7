// SPDX-License-Identifier: GPL-3.0-or-later
// Methods of the token lab side by side on one folder of photos, the whole model first and the trivial reductions among them.
#include "app/cli/json_output.h"
#include "app/cli/method_choice.h"
#include "app/cli/run_inputs.h"
#include "app/cli/run_tokens.h"
#include "app/cli/table.h"
#include "core/io/checkpoint.h"
#include "core/tokens/comparison.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;
using report::TokenComparison, report::TokenPoint;

ordered_json orNull(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

/// "id:name=value:name=value"; a colon begins a setting where one of the method's parameters and '=' follow, so that texts may hold colons.
std::vector<std::string> settingsIn(const std::string& text, const ParameterSchema& schema)
{
    std::vector<std::string> settings;
    for (std::size_t at = text.find(':'); at != std::string::npos;) {
        std::size_t next = text.find(':', at + 1);
        const auto begins = [&](std::size_t colon) {
            return std::ranges::any_of(schema.specs(), [&](const ParameterSpec& spec) { return text.compare(colon + 1, spec.name.size() + 1, spec.name + "=") == 0; });
        };
        while (next != std::string::npos && !begins(next))
            next = text.find(':', next + 1);
        settings.push_back(text.substr(at + 1, next == std::string::npos ? next : next - at - 1));
        at = next;
    }
    return settings;
}

/// --seed is that of every method that draws and is given no other.
std::vector<tokens::ComparedSetting> seeded(std::vector<tokens::ComparedSetting> all, const CommonOptions& common)
{
    for (tokens::ComparedSetting& each : all)
        if (const auto& schema = tokens::findMethod(each.method)->declaration.schema; common.seed && schema.find("seed") && !each.parameters.contains("seed")) {
            schema.validate("seed", *common.seed);
            each.parameters.set("seed", *common.seed);
        }
    return all;
}

std::vector<tokens::ComparedSetting> settingsFrom(const CompareOptions& options, const nn::ModelSpec& spec, const CommonOptions& common)
{
    std::vector<tokens::ComparedSetting> all;
    if (options.methods.empty())
        all = tokens::usualSettings(spec);
    for (const std::string& text : options.methods) {
        const tokens::Method& method = methodAmong(tokens::methods(), text.substr(0, text.find(':')));
        if (method.trains())
            throw UsageError("--method " + text + ": is trained first, expected a method that trains nothing, or --trained-file with what run " + method.declaration.id + " --save-trained wrote");
        const auto given = settingsIn(text, method.declaration.schema);
        const Parameters complete = parametersFrom(method.declaration, given, common);
        if (given.empty()) {
            for (auto& each : tokens::spreadSettings(method, {}, spec))
                all.push_back(std::move(each));
            continue;
        }
        Parameters told;
        for (const auto& setting : given) {
            const std::string name = splitAssignment(setting, "--method").first;
            told.set(name, complete.value(name));
        }
        all.push_back({method.declaration.id, std::move(told)});
    }
    return seeded(std::move(all), common);
}

/// Those of --trained-file behind the others.
void addTrained(std::vector<tokens::ComparedSetting>& all, const CompareOptions& options, const io::Checkpoint& checkpoint, const nn::ModelSpec& spec, const RunContext& context)
{
    for (const std::string& file : options.trainedFiles) {
        auto trained = std::make_shared<const tokens::TrainedParts>(tokens::readTrainedParts(file, context));
        trained->requireFor(trained->method, checkpoint.sha256(context));
        for (auto& each : tokens::trainedSettings(std::move(trained), spec))
            all.push_back(std::move(each));
    }
}

std::string gmac(std::uint64_t macs) { return significant(static_cast<double>(macs) * 1e-9); }

double speedUp(const TokenPoint& point) { return point.wholeLatencyMs / point.latencyMs; }

const char* qualityName(const TokenComparison& comparison)
{
    const TokenPoint& whole = comparison.points.front();
    return std::isfinite(whole.top1) ? "top-1" : std::isfinite(whole.agreement) ? "agreement" : "embedding shift";
}

std::string described(const TokenComparison& comparison)
{
    const TokenPoint& whole = comparison.points.front();
    std::vector<std::string> heading{"method", "settings", "", "GMAC", "tokens"};
    const bool labelled = std::isfinite(whole.top1), classes = std::isfinite(whole.agreement), timed = std::isfinite(whole.latencyMs);
    if (labelled)
        heading.emplace_back("top-1");
    if (classes)
        heading.insert(heading.end(), {"agreement", "KL"});
    heading.emplace_back("shift");
    if (timed)
        heading.insert(heading.end(), {"ms, " + std::to_string(comparison.batch), "x", "x of MACs"});
    heading.emplace_back("front");
    Table table(heading, 3);
    const auto front = tokens::paretoFront(comparison);
    std::string failures;
    for (std::size_t i = 0; i < comparison.points.size(); ++i) {
        const TokenPoint& point = comparison.points[i];
        if (!point.failure.empty()) {
            failures += "failed: " + point.title + (point.settings.empty() ? "" : " (" + point.settings + ")") + ": " + point.failure + "\n";
            continue;
        }
        std::vector<std::string> cells{point.title, point.settings, i > 0 && point.baseline ? "trivial" : "", gmac(point.macs), percent(point.tokensKept)};
        if (labelled)
            cells.push_back(percent(point.top1, 2));
        if (classes)
            cells.insert(cells.end(), {percent(point.agreement, 2), significant(point.kl, 3)});
        cells.push_back(significant(point.embeddingShift, 3));
        if (timed)
            cells.insert(cells.end(), {significant(point.latencyMs, 3), fixed(speedUp(point), 2), fixed(static_cast<double>(whole.macs) / static_cast<double>(point.macs), 2)});
        cells.emplace_back(front[i] ? "*" : "");
        table.add(std::move(cells));
    }
    std::string text = table.text() + failures + grouped(static_cast<std::uint64_t>(comparison.photos)) + " photos; * no other point has as few multiply-adds and as much " + qualityName(comparison) + "\n";
    for (const auto& warning : comparison.warnings)
        text += "warning: " + warning + "\n";
    return text;
}

ordered_json rowJson(const TokenPoint& point, const TokenPoint& whole, bool front)
{
    ordered_json row{{"method", point.method}, {"title", point.title}, {"settings", point.settings}, {"parameters", toJson(point.parameters)}, {"whole", &point == &whole}, {"baseline", point.baseline}};
    const bool failed = !point.failure.empty();
    row["quality"] = {{"top1", orNull(point.top1)}, {"agreement", orNull(point.agreement)}, {"kl", orNull(point.kl)}, {"embeddingShift", orNull(point.embeddingShift)},
                      {"tokensKept", failed ? ordered_json(nullptr) : ordered_json(point.tokensKept)}};
    row["cost"] = {{"macs", failed ? ordered_json(nullptr) : ordered_json(point.macs)}, {"latencyMs", orNull(point.latencyMs)}, {"wholeLatencyMs", orNull(point.wholeLatencyMs)}, {"matchingMs", orNull(point.matchingMs)}};
    row["speedUp"] = orNull(speedUp(point));
    row["speedUpOfMacs"] = failed ? ordered_json(nullptr) : ordered_json(static_cast<double>(whole.macs) / static_cast<double>(point.macs));
    row["tokensPerLayer"] = point.tokensPerLayer;
    row["pareto"] = front;
    row["failure"] = point.failure;
    return row;
}

ordered_json documentOf(const TokenComparison& comparison, const CompareOptions& options)
{
    ordered_json document{{"schema", "tamis.compare/1"}};
    document["inputs"] = {{"model", {{"path", options.run.model}}}, {"images", {{"path", options.run.samples.images}, {"labels", options.run.samples.labels}, {"description", comparison.samples}}}};
    if (!options.trainedFiles.empty())
        document["inputs"]["trained"] = options.trainedFiles;
    document["photos"] = comparison.photos;
    document["batch"] = comparison.batch;
    document["planned"] = comparison.planned;
    document["qualityName"] = qualityName(comparison);
    document["rows"] = ordered_json::array();
    const auto front = tokens::paretoFront(comparison);
    for (std::size_t i = 0; i < comparison.points.size(); ++i)
        document["rows"].push_back(rowJson(comparison.points[i], comparison.points.front(), front[i]));
    document["warnings"] = ordered_json::array();
    for (const auto& warning : comparison.warnings)
        addWarning(document, warning);
    for (const auto& point : comparison.points)
        if (!point.failure.empty())
            addWarning(document, point.title + (point.settings.empty() ? "" : " (" + point.settings + ")") + ": " + point.failure);
    return document;
}

bool calibrates(const tokens::ComparedSetting& setting)
{
    const tokens::Method* method = tokens::findMethod(setting.method);
    return method && method->calibrates && method->calibrates(method->declaration.schema.complete(setting.parameters));
}

void requireOptions(const CompareOptions& options)
{
    if (options.run.model.empty())
        throw UsageError("MODEL is required: the vision transformer whose tokens are reduced");
    requirePhotos(options.run);
    if (!options.run.heldOut.empty() || !options.run.calibration.empty())
        throw UsageError("--held-out and --calibration do not belong to compare --lab tokens, which measures on --images");
}
} // namespace

void compareTokens(Console& console, const CompareOptions& options)
{
    requireOptions(options);
    const auto start = std::chrono::steady_clock::now();
    const auto& context = console.context();
    context.setParts(20);
    const auto checkpoint = io::Checkpoint::open(options.run.model, context.part(0.2, "opening"));
    const auto model = nn::Model::load(*checkpoint, context.part(0.3, "loading"));
    auto settings = settingsFrom(options, model->spec(), console.common());
    addTrained(settings, options, *checkpoint, model->spec(), context.part(0.5, "what was trained"));
    const std::shared_ptr<const measure::SampleSource> source = app::openSamples(requestFrom(options.run.samples), options.run.model, *model, context.part(0.5, "opening the photos"));
    const tokens::Inputs inputs{model, source, checkpoint, nullptr, {}};
    tokens::ComparisonOptions measured;
    measured.batch = options.run.batch;
    if (!options.run.latency)
        measured.latencySeconds = 0;
    auto comparison = tokens::compareMethods(inputs, *source, settings, measured, context.part(19, "comparing"), [&](const TokenComparison& soFar) {
        console.keep(described(soFar) + "stopped after " + std::to_string(soFar.points.size()) + " of " + std::to_string(soFar.planned) + " rows\n", documentOf(soFar, options));
    });
    for (const auto& setting : settings)
        if (calibrates(setting))
            comparison.warnings.push_back("What " + setting.method + " takes from photos is from those that it is measured on; run " + setting.method + " takes it from others (--train-images).");
    ordered_json document = documentOf(comparison, options);
    document["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    console.print(described(comparison));
    console.finish(std::move(document));
}

} // namespace tamis::cli
