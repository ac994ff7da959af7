// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/run_reuse.h"

#include "app/cli/json_output.h"
#include "app/cli/method_choice.h"
#include "app/cli/planned_reuse.h"
#include "app/cli/run_inputs.h"
#include "app/cli/table.h"
#include "app/cli/usage_error.h"
#include "app/samples/frame_folder.h"
#include "core/inputs/label_file.h"
#include "core/io/checkpoint.h"
#include "core/reuse/run_reuse.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <filesystem>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;
using report::FrameResult;
using report::PatchSource;
using report::ReuseReport;
using report::ReuseRun;

ordered_json orNull(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

void requireOptions(const RunOptions& options)
{
    if (options.model.empty())
        throw UsageError("--model is required: the vision transformer that the frames run through");
    if (options.samples.images.empty())
        throw UsageError("--images is required: the folder of the frames");
    if (!options.samples.tokens.empty() || !options.samples.text.empty() || !options.samples.labels.empty())
        throw UsageError("--tokens, --text and --labels do not belong to reuse.*");
    if (!options.out.empty() || !options.store.empty() || !options.encoder.empty() || !options.layers.empty() || !options.calibration.empty())
        throw UsageError("--out, --store, --encoder, --layer and --calibration do not belong to reuse.*");
    if (!options.sweep.empty() && (!options.also.empty() || !options.savePlan.empty()))
        throw UsageError("--sweep runs one method at several values: --also and --save-plan do not go with it");
}

/// What --sweep goes through.
struct Sweep {
    std::string parameter;
    std::vector<ParameterValue> values;
};

Sweep sweepFrom(const RunOptions& options, const reuse::Method& method, const CommonOptions& common)
{
    Sweep sweep;
    if (options.sweep.empty())
        return sweep;
    const auto [name, values] = splitAssignment(options.sweep, "--sweep");
    sweep.parameter = name;
    for (const std::string& value : partsOf(values))
        sweep.values.push_back(parametersFrom(method.declaration, {name + "=" + value}, common).value(name));
    return sweep;
}

/// The method, those of --also ("id" or "id,name=value,..."), or all.
std::vector<reuse::Configuration> configurationsFrom(const RunOptions& options, const reuse::Method& method, const std::optional<plan::Plan>& plan, const CommonOptions& common)
{
    std::vector<reuse::Configuration> all{{options.method, reuseParameters(method, plan, options, common)}};
    for (const std::string& also : options.also) {
        if (also == "all") {
            for (const reuse::Method& each : reuse::methods())
                if (!each.frames && each.declaration.id != options.method)
                    all.push_back({each.declaration.id, parametersFrom(each.declaration, {}, common)});
            continue;
        }
        const auto [other, parameters] = methodBeside(reuse::methods(), also, common);
        all.push_back({other->declaration.id, parameters});
    }
    return all;
}

/// labels.txt beside the weights, where there is one with a name for every class.
std::vector<std::string> classNamesOf(const std::filesystem::path& path, const nn::Model& model)
{
    const auto file = (std::filesystem::is_directory(path) ? path : path.parent_path()) / "labels.txt";
    if (model.spec().classes < 1 || !std::filesystem::exists(file))
        return {};
    auto names = inputs::readClassNames(file);
    return static_cast<std::int64_t>(names.size()) == model.outputWidth() ? names : std::vector<std::string>{};
}

std::size_t countOf(const FrameResult& frame, PatchSource source) { return static_cast<std::size_t>(std::ranges::count(frame.patches, source)); }

ordered_json sourcesJson(const FrameResult& frame)
{
    ordered_json json = ordered_json::object();
    for (const auto& [name, source] : {std::pair{"computed", PatchSource::Computed}, {"reused", PatchSource::Reused}, {"warped", PatchSource::Warped}, {"fetched", PatchSource::Fetched}, {"dropped", PatchSource::Dropped}, {"coarse", PatchSource::Coarse}})
        json[name] = countOf(frame, source);
    return json;
}

ordered_json frameJson(const FrameResult& frame)
{
    return {{"file", frame.file}, {"keyFrame", frame.keyFrame}, {"patches", sourcesJson(frame)}, {"macs", frame.macs}, {"overheadMacs", frame.overheadMacs}, {"wholeMacs", frame.wholeMacs}, {"milliseconds", orNull(frame.milliseconds)},
            {"wholeMilliseconds", orNull(frame.wholeMilliseconds)}, {"featureError", orNull(frame.featureError)}, {"kl", orNull(frame.kl)}, {"label", frame.label}, {"wholeLabel", frame.wholeLabel},
            {"probability", orNull(frame.probability)}, {"wholeProbability", orNull(frame.wholeProbability)}};
}

ordered_json runJson(const ReuseRun& run)
{
    ordered_json json{{"method", run.method}, {"title", run.title}, {"settings", run.settings}, {"parameters", toJson(run.parameters)}, {"trivial", run.trivial}};
    json["macsShare"] = orNull(run.macsShare);
    json["overheadShare"] = orNull(run.overheadShare);
    json["timeShare"] = orNull(run.timeShare);
    json["meanError"] = orNull(run.meanError);
    json["worstError"] = orNull(run.worstError);
    json["kl"] = orNull(run.meanKl);
    json["agreement"] = orNull(run.agreement);
    json["drift"] = orNull(run.drift);
    json["computedWhole"] = run.computedWhole;
    json["hits"] = run.hits;
    json["falseHits"] = run.falseHitsMeasured ? ordered_json(run.falseHits) : ordered_json(nullptr);
    json["misses"] = run.misses;
    if (!run.failure.empty())
        json["failure"] = run.failure;
    json["frames"] = ordered_json::array();
    for (const FrameResult& frame : run.frames)
        json["frames"].push_back(frameJson(frame));
    return json;
}

ordered_json documentOf(const RunOptions& options, const ReuseReport& report)
{
    const ReuseRun& own = report.runs.front();
    double macs = 0, wholeMacs = 0, milliseconds = 0, wholeMilliseconds = 0;
    for (const FrameResult& frame : own.frames) {
        macs += frame.macs;
        wholeMacs += frame.wholeMacs;
        milliseconds += frame.milliseconds;
        wholeMilliseconds += frame.wholeMilliseconds;
    }
    const auto frames = static_cast<double>(std::max<std::size_t>(own.frames.size(), 1));
    ordered_json document{{"schema", "tamis.run/1"}, {"method", own.method}, {"parameters", toJson(own.parameters)}};
    document["inputs"] = {{"model", {{"path", options.model}}}, {"images", options.samples.images}, {"sequence", report.sequence}, {"frames", report.frameCount}, {"grid", {report.gridRows, report.gridColumns}}, {"threads", report.threads}};
    document["cost"] = {{"parameters", nullptr}, {"bytes", nullptr}, {"macs", macs / frames}, {"latencyMs", orNull(milliseconds / frames)}};
    document["baseline"] = {{"method", "whole"}, {"cost", {{"macs", wholeMacs / frames}, {"latencyMs", orNull(wholeMilliseconds / frames)}}}, {"quality", {{"agreement", 1}, {"kl", 0}, {"error", 0}}}};
    document["quality"] = {{"agreement", orNull(own.agreement)}, {"kl", orNull(own.meanKl)}, {"error", orNull(own.meanError)}, {"worstError", orNull(own.worstError)}, {"drift", orNull(own.drift)}};
    document["runs"] = ordered_json::array();
    for (const ReuseRun& run : report.runs)
        document["runs"].push_back(runJson(run));
    document["frames"] = document["runs"].front()["frames"];
    document["warnings"] = report.warnings;
    document["seconds"] = report.seconds;
    return document;
}

std::string described(const ReuseReport& report)
{
    std::string text = report.sequence + ": " + std::to_string(report.frameCount) + " frames, grid of " + std::to_string(report.gridRows) + " x " + std::to_string(report.gridColumns) + " patches, " +
                       std::to_string(report.threads) + (report.threads == 1 ? " thread\n\n" : " threads\n\n");
    Table table({"run", "settings", "MACs", "overhead", "time", "whole frames", "error", "worst", "KL", "agreement", "drift"}, 2);
    bool keys = false;
    for (const ReuseRun& run : report.runs) {
        keys = keys || run.hits + run.misses > 0;
        if (run.failure.empty())
            table.add({run.trivial ? run.title : run.method, run.settings, percent(run.macsShare), percent(run.overheadShare), percent(run.timeShare), std::to_string(run.computedWhole), significant(run.meanError, 3), significant(run.worstError, 3),
                       significant(run.meanKl, 3), percent(run.agreement), significant(run.drift, 3)});
        else
            table.add({run.method, run.settings, "-", "-", "-", "-", "-", "-", "-", "-", "-"});
    }
    text += table.text();
    if (keys) {
        Table hits({"run", "hits", "false hits", "misses"}, 1);
        for (const ReuseRun& run : report.runs)
            if (run.hits + run.misses > 0)
                hits.add({run.method, grouped(run.hits), run.falseHitsMeasured ? grouped(run.falseHits) : "-", grouped(run.misses)});
        text += "\n" + hits.text();
    }
    text += "\nshares are of every frame run whole; overhead is of the run's own MACs; error is relative L2 of the pooled features; " + significant(report.seconds, 3) + " s\n";
    for (const ReuseRun& run : report.runs)
        if (!run.failure.empty())
            text += run.method + ": " + run.failure + "\n";
    for (const std::string& warning : report.warnings)
        text += "warning: " + warning + "\n";
    return text;
}
/// One value a line: what a looser key finds, and what of that is wrong.
std::string sweptText(const ReuseReport& report, const std::string& parameter)
{
    Table table({parameter, "hits", "false hits", "misses", "false of lookups", "missed of lookups", "MACs", "error", "agreement"}, 1);
    for (const ReuseRun& run : report.runs) {
        if (run.trivial)
            continue;
        const auto lookups = static_cast<double>(run.hits + run.misses);
        const auto share = [&](std::uint64_t part) { return percent(lookups > 0 ? static_cast<double>(part) / lookups : report::kNotMeasured); };
        table.add({toText(run.parameters.value(parameter)), grouped(run.hits), run.falseHitsMeasured ? grouped(run.falseHits) : "-", grouped(run.misses), run.falseHitsMeasured ? share(run.falseHits) : "-", share(run.misses), percent(run.macsShare), significant(run.meanError, 3), percent(run.agreement)});
    }
    return "\n" + table.text();
}

ordered_json sweptJson(const ReuseReport& report, const std::string& parameter)
{
    ordered_json json{{"parameter", parameter}, {"points", ordered_json::array()}};
    for (const ReuseRun& run : report.runs)
        if (!run.trivial)
            json["points"].push_back({{"value", toJson(run.parameters).at(parameter)}, {"hits", run.hits}, {"falseHits", run.falseHitsMeasured ? ordered_json(run.falseHits) : ordered_json(nullptr)}, {"misses", run.misses}, {"macsShare", orNull(run.macsShare)},
                                      {"meanError", orNull(run.meanError)}, {"agreement", orNull(run.agreement)}, {"failure", run.failure}});
    return json;
}
} // namespace

void runReuse(Console& console, const RunOptions& options)
{
    requireOptions(options);
    const reuse::Method& method = methodAmong(reuse::methods(), options.method);
    const auto plan = reusePlanOf(options, method);
    const auto configurations = configurationsFrom(options, method, plan, console.common());
    const Sweep sweep = sweepFrom(options, method, console.common());
    const RunContext& context = console.context();
    context.setParts(20);
    const auto checkpoint = io::Checkpoint::open(options.model, context.part(0.5, "opening"));
    const auto model = nn::Model::load(*checkpoint, context.part(1, "loading"));
    const auto sequence = app::openFrames({options.samples.images, static_cast<std::size_t>(options.samples.limit), options.samples.resize == "squash"}, options.model, *model, context.part(1.5, "reading the frames"));
    reuse::ReuseSettings settings;
    settings.baselines = options.baseline;
    settings.rounds = static_cast<int>(options.rounds);
    auto report = sweep.values.empty() ? reuse::runReuse(model, sequence, configurations, settings, context.part(17, "running"))
                                       : reuse::sweepReuse(model, sequence, configurations.front(), sweep.parameter, sweep.values, settings, context.part(17, "running"));
    report.model = options.model;
    report.labels = classNamesOf(options.model, *model);
    if (!options.savePlan.empty())
        saveReusePlan(plan, options, report.runs.front(), report.sequence);
    console.print(described(report) + (sweep.values.empty() ? std::string() : sweptText(report, sweep.parameter)));
    auto document = documentOf(options, report);
    if (!sweep.values.empty())
        document["sweep"] = sweptJson(report, sweep.parameter);
    console.finish(document);
}

} // namespace tamis::cli
