// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/run_hierarchy.h"

#include "app/cli/json_output.h"
#include "app/cli/method_choice.h"
#include "app/cli/run_inputs.h"
#include "app/cli/table.h"
#include "app/cli/trace_options.h"
#include "app/cli/usage_error.h"
#include "core/hierarchy/method.h"
#include "core/io/checkpoint.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;
using report::HierarchyReport;

ordered_json orNull(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

/// An option that nothing here looks at, and whether it says other than it does where it is not given.
struct Foreign {
    const char* flag;
    bool given;
};

std::vector<Foreign> ofModels(const RunOptions& o)
{
    const RunOptions usual;
    return {{"--calibration", !o.calibration.empty()}, {"--layer", !o.layers.empty()}, {"--keep", o.keep != usual.keep}, {"--no-baseline", o.baseline != usual.baseline},
            {"--latency-tokens", o.latencyTokens != usual.latencyTokens}, {"--out", !o.out.empty()}, {"--format", o.overlayFormat != usual.overlayFormat}, {"--shade", o.shade != usual.shade},
            {"--depth", o.depth != usual.depth}, {"--plan", !o.plan.empty()}, {"--save-plan", !o.savePlan.empty()}, {"--features", o.features}, {"--overwrite", o.overwrite}, {"--store", !o.store.empty()},
            {"--allocate", o.allocation != usual.allocation}, {"--allocation-set", !o.allocationSettings.empty()}, {"--unit", o.unit != usual.unit}, {"--accounting", o.accounting != usual.accounting},
            {"--align", o.alignment != usual.alignment}, {"--held-out", !o.heldOut.empty()}, {"--held-out-limit", o.heldOutLimit != usual.heldOutLimit}, {"--held-out-labels", !o.heldOutLabels.empty()},
            {"--encoder", !o.encoder.empty()}, {"--assume", !o.assumed.empty()}, {"--activations", !o.activations.empty()}, {"--activations-site", !o.activationsSite.empty()},
            {"--calibration-activations", !o.calibrationActivations.empty()}, {"--block", o.block != usual.block}, {"--k", o.k != usual.k}, {"--codes", !o.codes.empty()},
            {"--save-encoder", !o.saveEncoder.empty()}, {"--trained", !o.trained.empty()}, {"--train-images", !o.trainImages.empty()}, {"--train-labels", !o.trainLabels.empty()},
            {"--save-trained", !o.saveTrained.empty()}, {"--no-latency", o.latency != usual.latency}, {"--batch", o.batch != usual.batch}, {"--rounds", o.rounds != usual.rounds},
            {"--labels", !o.samples.labels.empty()}, {"--tokens", !o.samples.tokens.empty()}, {"--text", !o.samples.text.empty()}, {"--context", o.samples.context != usual.samples.context},
            {"--stride", o.samples.stride != usual.samples.stride}};
}

std::vector<Foreign> ofOtherLabs(const RunOptions& o)
{
    const RunOptions usual;
    const CacheRuleOptions &rules = o.cacheRules, &usualRules = usual.cacheRules;
    return {{"--blocks", !o.blocks.empty()}, {"--choose", !o.choices.empty()}, {"--fit-images", !o.fitting.images.empty()}, {"--fit-tokens", !o.fitting.tokens.empty()}, {"--effects", o.effects},
            {"--suit", o.suit != usual.suit}, {"--suited-plan", !o.suitedPlan.empty()}, {"--view", !o.view.empty()}, {"--scaling", !o.scaling.empty()}, {"--view-sample", o.viewSample != usual.viewSample},
            {"--tune", o.tune != usual.tune}, {"--tune-set", !o.tuneSettings.empty()}, {"--tune-exact", o.tuneExact}, {"--train-tokens", !o.trainTokens.empty()}, {"--save-tuned", !o.saveTuned.empty()},
            {"--tuned", !o.tuned.empty()}, {"--also", !o.also.empty()}, {"--warm-up", o.warmUp != usual.warmUp}, {"--at", !o.at.empty()}, {"--steps", o.steps != usual.steps}, {"--first", o.first != usual.first},
            {"--shape", o.shape}, {"--streamed", o.streamed}, {"--rate", o.rate != usual.rate}, {"--hard", rules.hard != usualRules.hard}, {"--soft", rules.soft != usualRules.soft}, {"--evict-batch", rules.batch != usualRules.batch},
            {"--protect", !rules.protectedIds.empty()}, {"--protect-most", rules.protectMost != usualRules.protectMost}, {"--scene-change", rules.sceneChange != usualRules.sceneChange},
            {"--scene-action", rules.sceneAction != usualRules.sceneAction}, {"--scene-window", rules.sceneWindow != usualRules.sceneWindow},
            {"--scene-threshold", rules.sceneThreshold != usualRules.sceneThreshold}, {"--server", !o.server.empty()}, {"--password-file", !o.passwordFile.empty()},
            {"--calibration-tokens", !o.calibrationTokens.empty()}, {"--table", !o.table.empty()}, {"--save-table", !o.saveTable.empty()}};
}

void requireOptions(const RunOptions& options)
{
    for (const auto& foreign : {ofModels(options), ofOtherLabs(options)})
        for (const auto& [flag, given] : foreign)
            if (given)
                throw UsageError(std::string(flag) + " does not belong to hierarchy.*");
    if (options.trace.empty() == options.samples.images.empty())
        throw UsageError("expected exactly one of --trace, the requests, and --images with --model, the frames whose features are requested");
    if (options.samples.images.empty() != options.model.empty())
        throw UsageError("--images and --model belong together: frames, and the model whose features are kept");
    if (options.trace.empty() && (options.traceFormat != "automatic" || !options.traceColumns.empty()))
        throw UsageError("--trace-format and --column belong to --trace");
    const SampleOptions usual;
    if (options.samples.images.empty() && (options.samples.limit != usual.limit || options.samples.resize != usual.resize))
        throw UsageError("--samples and --resize belong to --images");
}

/// "l1=64MiB" or "l1=64MiB,cache.arc" is short for the level's capacity and policy.
std::vector<std::string> spelledOut(const std::vector<std::string>& settings)
{
    std::vector<std::string> all;
    for (const std::string& setting : settings) {
        const bool level = setting.size() > 3 && setting[0] == 'l' && setting[1] >= '1' && setting[1] <= '3' && setting[2] == '=';
        const bool capacity = setting.starts_with("l1-capacity=") || setting.starts_with("l2-capacity=") || setting.starts_with("l3-capacity=");
        if (!level && !capacity) {
            all.push_back(setting);
            continue;
        }
        const std::string name = setting.substr(0, 2), rest = setting.substr(setting.find('=') + 1);
        const std::size_t comma = level ? std::min(rest.find(','), rest.size()) : rest.size();
        const std::string size = rest.substr(0, comma);
        all.push_back(name + "-capacity=" + (size == "0" ? size : std::to_string(sizeFrom(size, "--set " + name))));
        if (comma < rest.size())
            all.push_back(name + "-policy=" + rest.substr(comma + 1));
    }
    return all;
}

ordered_json levelJson(const report::HierarchyLevel& level)
{
    return {{"name", level.name}, {"place", level.place}, {"policy", level.policy}, {"capacity", level.capacity}, {"timeNs", level.timeNs}, {"energyPj", level.energyPj}, {"bandwidth", level.bandwidth},
            {"reads", level.reads}, {"hits", level.hits}, {"hitRatio", orNull(level.hitRatio)}, {"localHitRatio", orNull(level.localHitRatio)}, {"hitNs", orNull(level.hitNs)}, {"pays", level.pays},
            {"spentNs", level.spentNs}, {"spentPj", level.spentPj}, {"readBytes", level.readBytes}, {"fillBytes", level.fillBytes}, {"movedDownBytes", level.movedDownBytes},
            {"writeBackBytes", level.writeBackBytes}, {"storeBytes", level.storeBytes}, {"evictions", level.evictions}, {"dirtyEvictions", level.dirtyEvictions}, {"invalidations", level.invalidations},
            {"held", level.held}, {"heldBytes", level.heldBytes}};
}

ordered_json prefetchJson(const report::PrefetchOutcome& p)
{
    return {{"kind", p.kind}, {"asked", p.asked}, {"redundant", p.redundant}, {"absent", p.absent}, {"refused", p.refused}, {"issued", p.issued}, {"useful", p.useful}, {"late", p.late}, {"unused", p.unused},
            {"pollution", p.pollution}, {"waitedNs", p.waitedNs}, {"accuracy", orNull(p.accuracy)}, {"coverage", orNull(p.coverage)}, {"lateness", orNull(p.lateness)}};
}

ordered_json documentOf(const RunOptions& options, const HierarchyReport& report)
{
    std::uint64_t held = 0;
    for (const auto& level : report.levels)
        held += level.heldBytes;
    ordered_json document{{"schema", "tamis.run/1"}, {"method", report.method}, {"parameters", toJson(report.parameters)}};
    if (options.trace.empty())
        document["inputs"] = {{"model", {{"path", options.model}}}, {"images", {{"path", options.samples.images}}}};
    else
        document["inputs"] = {{"trace", {{"path", options.trace}}}};
    document["cost"] = {{"parameters", 0}, {"bytes", held}, {"macs", 0}, {"latencyMs", orNull(report.amat * 1e-6)}};
    document["baseline"] = {{"method", "recomputing"}, {"cost", {{"parameters", 0}, {"bytes", 0}, {"macs", nullptr}, {"latencyMs", report.encodeNs * 1e-6}}}, {"quality", nullptr}};
    document["quality"] = {{"hitRatio", orNull(report.hitRatio)}, {"speedUp", orNull(report.speedUp)}, {"reuseError", orNull(report.reuseError)}};
    for (const auto& [key, value] : std::initializer_list<std::pair<const char*, std::uint64_t>>{{"requests", report.requests}, {"reads", report.reads}, {"writeRequests", report.writeRequests},
             {"objects", report.objects}, {"workingSet", report.workingSet}, {"misses", report.misses}})
        document[key] = value;
    for (const auto& [key, value] : std::initializer_list<std::pair<const char*, double>>{{"compulsory", report.compulsory}, {"hitRatio", report.hitRatio}, {"totalNs", report.totalNs},
             {"recomputeNs", report.recomputeNs}, {"waitedNs", report.waitedNs}, {"amat", report.amat}, {"amatNested", report.amatNested}, {"amatClosed", report.amatClosed}, {"encodeNs", report.encodeNs},
             {"speedUp", report.speedUp}, {"speedUpFormula", report.speedUpFormula}, {"breakEvenNs", report.breakEvenNs}, {"totalPj", report.totalPj}, {"recomputePj", report.recomputePj},
             {"energyShare", report.energyShare}, {"reuseError", report.reuseError}})
        document[key] = orNull(value);
    document["encodeMeasured"] = report.encodeMeasured;
    document["levels"] = ordered_json::array();
    for (const auto& level : report.levels)
        document["levels"].push_back(levelJson(level));
    document["writes"] = {{"writtenBytes", report.writtenBytes}, {"coalescedBytes", report.coalescedBytes}, {"backingBytes", report.backingBytes}, {"flushBytes", report.flushBytes}};
    document["prefetch"] = prefetchJson(report.prefetch);
    document["types"] = ordered_json::array();
    for (const auto& type : report.types)
        document["types"].push_back({{"type", type.type}, {"bytes", type.bytes}, {"relativeError", orNull(type.relativeError)}, {"kl", orNull(type.kl)}, {"agreement", orNull(type.agreement)}});
    document["warnings"] = report.warnings;
    document["seconds"] = report.seconds;
    return document;
}

std::string described(const HierarchyReport& report)
{
    std::string text = report.source + ": " + grouped(report.reads) + " reads" + (report.writeRequests > 0 ? ", " + grouped(report.writeRequests) + " writes" : "") + ", " + grouped(report.objects) + " objects, " +
                       byteSize(report.workingSet) + ", compulsory misses " + percent(report.compulsory, 2) + "; " + report.inclusion + ", write-" + report.writes + "\n\n";
    Table levels({"level", "policy", "capacity", "hits", "of those that came", "a hit takes, ns", "time", "energy", "read", "filled", "moved down", "written back"}, 2);
    const auto share = [](double part, double whole) { return whole > 0 ? percent(part / whole) : std::string("-"); };
    for (const auto& level : report.levels)
        levels.add({level.name + " " + level.place, level.policy.substr(6), byteSize(level.capacity), percent(level.hitRatio, 2), percent(level.localHitRatio, 2), significant(level.hitNs), share(level.spentNs, report.totalNs),
                    share(level.spentPj, report.totalPj), byteSize(level.readBytes), byteSize(level.fillBytes), byteSize(level.movedDownBytes), byteSize(level.writeBackBytes)});
    levels.add({"recomputing", report.encodeMeasured ? "measured" : "given", "-", percent(1 - report.hitRatio, 2), "-", significant(report.encodeNs), share(report.recomputeNs, report.totalNs),
                share(report.recomputePj, report.totalPj), "-", "-", "-", "-"});
    text += levels.text() + "\naverage access " + significant(report.amat) + " ns (nested " + significant(report.amatNested) + ", closed form " + significant(report.amatClosed) + "), " + significant(report.speedUp, 3) +
            " times as fast as recomputing all (formula " + significant(report.speedUpFormula, 3) + "), energy " + percent(report.energyShare) + "; pays where recomputing takes more than " +
            significant(report.breakEvenNs) + " ns\n";
    const auto& p = report.prefetch;
    if (p.kind != "none")
        text += "fetching ahead (" + p.kind + "): " + grouped(p.issued) + " fetched, accuracy " + percent(p.accuracy) + ", coverage " + percent(p.coverage) + ", late " + grouped(p.late) + ", polluting " +
                grouped(p.pollution) + "; " + grouped(p.redundant) + " were there, " + grouped(p.absent) + " in no level\n";
    if (report.writtenBytes > 0)
        text += "written " + byteSize(report.writtenBytes) + ": " + byteSize(report.coalescedBytes) + " replaced in time, " + byteSize(report.backingBytes) + " behind the last level, " + byteSize(report.flushBytes) +
                " of it at the end\n";
    if (!report.types.empty()) {
        Table types({"stored as", "bytes", "relative error", "KL of the output", "same class"}, 1);
        for (const auto& type : report.types)
            types.add({type.type, grouped(type.bytes), significant(type.relativeError), significant(type.kl), percent(type.agreement)});
        text += "\n" + types.text() + "features of an earlier frame in place of a later one's: relative error " + significant(report.reuseError) + "\n";
    }
    for (const std::string& warning : report.warnings)
        text += "warning: " + warning + "\n";
    return text;
}
} // namespace

void runHierarchy(Console& console, const RunOptions& options)
{
    const hierarchy::Method& method = methodAmong(hierarchy::methods(), options.method);
    requireOptions(options);
    const Parameters parameters = parametersFrom(method.declaration, spelledOut(options.settings), console.common());
    const RunContext& context = console.context();
    context.setParts(10);
    hierarchy::Inputs inputs;
    if (!options.trace.empty()) {
        const io::TraceOptions format = traceOptionsFrom(options.traceFormat, options.traceColumns, true);
        inputs.trace = std::make_shared<const hierarchy::RequestStream>(hierarchy::loadRequests(options.trace, format, context.part(5, "reading the trace")));
    } else {
        const app::SampleRequest request = requestFrom(options.samples);
        const auto checkpoint = io::Checkpoint::open(options.model, context.part(0.5, "opening"));
        const auto model = nn::Model::load(*checkpoint, context.part(1, "loading"));
        const auto samples = app::openSamples(request, options.model, *model, context.part(0.5, "opening the frames"));
        inputs.features = std::make_shared<const hierarchy::FeatureSource>(hierarchy::computeFrames(*model, *samples, context.part(3, "features")));
    }
    HierarchyReport report = method.run(inputs, parameters, context.part(5, method.declaration.title));
    report.model = options.model;
    console.print(described(report));
    console.finish(documentOf(options, report));
}

} // namespace tamis::cli
