// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/console.h"
#include "app/cli/encoder_inputs.h"
#include "app/cli/json_output.h"
#include "app/cli/lowrank_inputs.h"
#include "app/cli/plain_baseline.h"
#include "app/cli/run_inputs.h"
#include "app/cli/run_addressing.h"
#include "app/cli/run_options.h"
#include "app/cli/run_attention.h"
#include "app/cli/run_cache.h"
#include "app/cli/run_hierarchy.h"
#include "app/cli/run_fleet.h"
#include "app/cli/run_reuse.h"
#include "app/cli/run_tokens.h"
#include "app/cli/table.h"
#include "app/cli/usage_error.h"
#include "app/cli/verbs.h"
#include "core/io/results_file.h"
#include "core/plan/latency.h"
#include "core/plan/model_cost.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cmath>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

/// Everything one run found.
struct Outcome {
    report::SpectrumReport spectra;
    report::BudgetReport budget; ///< uniform at --keep
    std::vector<RelativeLoss> losses, baselineLosses;
    bool hasBaseline = false; ///< a plain SVD was measured
};

Outcome compute(const RunOptions& options, const spectrum::Method& method, const spectrum::Inputs& inputs,
                const Parameters& parameters, const RunContext& context)
{
    context.setParts(11);
    Outcome outcome;
    outcome.spectra = method.run(inputs, parameters, context.part(6, "decomposing"));
    plan::BudgetRequest request;
    request.keep = options.keep;
    request.allocation = plan::Allocation::Uniform;
    outcome.budget = plan::allocate(outcome.spectra, plan::modelCost(*inputs.checkpoint), request, context.part(1, "allocating"));
    outcome.losses = lossesOf(outcome.budget);
    outcome.hasBaseline = options.baseline && method.needsCalibration;
    if (outcome.hasBaseline)
        outcome.baselineLosses = plainLosses(inputs, outcome.spectra, outcome.budget, context.part(2, "plain SVD, for comparison"));
    if (options.latencyTokens > 0) {
        plan::LatencyCache cache;
        plan::measureLatency(outcome.budget, outcome.spectra, cache, {options.latencyTokens}, context.part(1, "measuring latency"));
    }
    return outcome;
}

ordered_json qualityJson(const report::BudgetReport& budget, const RelativeLoss& loss)
{
    ordered_json quality{{"keep", budget.keep}, {"achievedKeep", budget.achievedKeep}};
    quality["relativeLoss"] = loss.calibrated;
    quality["heldOutRelativeLoss"] = std::isnan(loss.heldOut) ? ordered_json(nullptr) : ordered_json(loss.heldOut);
    return quality;
}

/// The plain SVD at the same ranks where it was measured; otherwise the model as it is.
ordered_json baselineJson(const Outcome& outcome)
{
    if (outcome.hasBaseline)
        return {{"method", "spectrum.plain"},
                {"cost", toJson(outcome.budget.after)},
                {"quality", qualityJson(outcome.budget, meanLoss(outcome.spectra, outcome.baselineLosses))}};
    return {{"method", "dense"},
            {"cost", toJson(outcome.budget.before)},
            {"quality", {{"keep", 1.0}, {"achievedKeep", 1.0}, {"relativeLoss", 0.0}, {"heldOutRelativeLoss", 0.0}}}};
}

ordered_json matricesJson(const Outcome& outcome)
{
    ordered_json matrices = ordered_json::array();
    for (std::size_t i = 0; i < outcome.spectra.matrices.size(); ++i) {
        auto entry = toJson(outcome.spectra.matrices[i]);
        entry["atKeep"] = toJson(outcome.budget.matrices[i]);
        if (outcome.hasBaseline) {
            const auto& loss = outcome.baselineLosses[i];
            const auto number = [](double value) { return std::isnan(value) ? ordered_json(nullptr) : ordered_json(value); };
            entry["atKeep"]["baselineRelativeLoss"] = number(loss.calibrated);
            entry["atKeep"]["baselineHeldOutRelativeLoss"] = number(loss.heldOut);
        }
        matrices.push_back(std::move(entry));
    }
    return matrices;
}

std::string described(const Outcome& outcome)
{
    Table table({"matrix", "shape", "stable rank", "eff. rank", "condition", "rank", "rel. loss", "held out", "plain SVD"});
    for (std::size_t i = 0; i < outcome.spectra.matrices.size(); ++i) {
        const auto& matrix = outcome.spectra.matrices[i];
        const auto& chosen = outcome.budget.matrices[i];
        const bool defined = !matrix.singularValues.empty();
        const auto measure = [&](double value) { return defined ? significant(value) : std::string("-"); };
        table.add({matrix.name, std::to_string(matrix.rows) + "x" + std::to_string(matrix.cols), measure(matrix.stableRank),
                   measure(matrix.effectiveRank), measure(matrix.condition), chosen.dense ? "dense" : std::to_string(chosen.rank),
                   measure(chosen.relativeLoss), significant(chosen.heldOutRelativeLoss),
                   outcome.hasBaseline ? significant(outcome.baselineLosses[i].calibrated) : "-"});
    }
    const auto& budget = outcome.budget;
    const auto loss = meanLoss(outcome.spectra, outcome.losses);
    std::string text = table.text() + "\n" + outcome.spectra.method + " at keep " + fixed(budget.keep, 2) + ", uniform: " +
                       grouped(budget.before.parameters) + " -> " + grouped(budget.after.parameters) + " parameters, " +
                       byteSize(budget.before.bytes) + " -> " + byteSize(budget.after.bytes) + ", " + grouped(budget.before.macs) +
                       " -> " + grouped(budget.after.macs) + " MACs a token";
    if (!std::isnan(budget.after.latencyMs))
        text += ", " + significant(budget.before.latencyMs) + " -> " + significant(budget.after.latencyMs) + " ms for " +
                std::to_string(budget.latencyTokens) + " tokens";
    text += "\nmean relative loss " + percent(loss.calibrated, 2) + ", held out " + percent(loss.heldOut, 2);
    if (outcome.hasBaseline) {
        const auto plain = meanLoss(outcome.spectra, outcome.baselineLosses);
        text += "; plain SVD at the same ranks " + percent(plain.calibrated, 2) + ", held out " + percent(plain.heldOut, 2);
    }
    return text + "\n";
}

/// The report as tamis.results/1 keeps it: curves as arrays, the rest as JSON.
io::StoredRun stored(const Outcome& outcome, ordered_json document)
{
    io::StoredRun run;
    run.method = outcome.spectra.method;
    run.parametersJson = document["parameters"].dump();
    run.seconds = outcome.spectra.seconds;
    std::size_t number = 0;
    for (auto& matrix : document["matrices"]) {
        const auto& spectrum = outcome.spectra.matrices[number];
        const std::string prefix = "matrix " + std::to_string(number++) + " ";
        const auto keep = [&](const char* key, const std::vector<double>& values) {
            if (!values.empty())
                run.arrays[prefix + key] = values;
            matrix.erase(key);
        };
        keep("singularValues", spectrum.singularValues);
        keep("loss", spectrum.loss);
        keep("sampleLoss", spectrum.sampleLoss);
        keep("heldOutLoss", spectrum.heldOutLoss);
    }
    run.reportJson = jsonText(std::move(document));
    return run;
}

void run(Console& console, const RunOptions& options)
{
    const auto start = std::chrono::steady_clock::now();
    const auto& context = console.context();
    const auto& method = methodNamed(options.method);
    const auto parameters = parametersFrom(method.declaration, options.settings, console.common());
    auto inputs = openInputs(method, options.model, options.calibration, context.part(0.5, "opening"));
    if (!options.layers.empty())
        inputs.matrices = selectMatrices(*inputs.checkpoint, options.layers, "--layer");
    const auto outcome = compute(options, method, inputs, parameters, context);

    ordered_json document{{"schema", "tamis.run/1"}, {"method", outcome.spectra.method},
                          {"parameters", toJson(outcome.spectra.parameters)}, {"inputs", inputsJson(inputs, context.part(0.5, "hashing"))},
                          {"cost", toJson(outcome.budget.after)}};
    document["dense"] = {{"cost", toJson(outcome.budget.before)}};
    document["baseline"] = baselineJson(outcome);
    document["quality"] = qualityJson(outcome.budget, meanLoss(outcome.spectra, outcome.losses));
    document["latencyTokens"] = outcome.budget.latencyTokens;
    document["warnings"] = ordered_json::array();
    for (const auto* warnings : {&outcome.spectra.warnings, &outcome.budget.warnings})
        for (const auto& warning : *warnings)
            addWarning(document, warning);
    for (const auto& matrix : outcome.spectra.matrices)
        for (const auto& warning : matrix.warnings)
            addWarning(document, matrix.name + ": " + warning);
    document["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    document["matrices"] = matricesJson(outcome);
    if (!options.out.empty()) {
        console.beginWriting();
        const auto file = std::filesystem::exists(options.out) ? io::ResultsFile::open(options.out, io::ResultsFile::Access::Append)
                                                               : io::ResultsFile::create(options.out);
        file->append(stored(outcome, document));
    }
    std::string text = described(outcome);
    for (const auto& warning : document["warnings"])
        text += "warning: " + warning.get<std::string>() + "\n";
    console.print(text);
    console.finish(std::move(document));
}

void declareAttention(OptionSet& set, RunOptions& options)
{
    set.text("--blocks", options.blocks, "LIST", "attention.*: blocks whose attention is replaced, such as 0,3, or none (all)");
    set.texts("--choose", options.choices, "BLOCK[:HEAD]=METHOD[,NAME=VALUE...]", "attention.*: what stands in one block, or at one head of it, after --blocks; exact: the model's own (repeatable)");
    declareFitting(set, options.fitting, "attention.*: ");
    set.flag("--effects", options.effects, "attention.*: what each head's operator alone does to the output (off)");
    set.real("--suit", options.suit, 0, 1, "attention.*: which method suits each head at no more than this share of its multiply-adds");
    set.text("--suited-plan", options.suitedPlan, "PLAN.json", "attention.*: write the choices that --suit finds for all heads together within that share as a plan");
    set.text("--view", options.view, "LAYER:HEAD", "attention.*: write this head's maps into --out, as NPY, with JSON beside them");
    set.text("--scaling", options.scaling, "LIST", "attention.*: milliseconds, multiply-adds and scratch of one block against the tokens, such as 64,256,1024, or all (64 to 16384), beside exact attention; needs no samples");
    set.integer("--view-sample", options.viewSample, 0, 1'000'000'000, "attention.*: of which sample (0, the first)");
    set.integer("--tune", options.tune, 0, 1'000'000, "attention.*: train the model around the operators for so many steps and measure it again (0)");
    set.texts("--tune-set", options.tuneSettings, "NAME=VALUE", "attention.*: a setting of the training, such as learning-rate=1e-4 (repeatable; docs/attention-lab.md)");
    set.flag("--tune-exact", options.tuneExact, "attention.*: train the model with its own attention as long, too (off)");
    set.text("--train-tokens", options.trainTokens, "FILE", "attention.*: token ids to train on; --train-images for vision models");
    set.text("--save-tuned", options.saveTuned, "FILE", "attention.*: write what was trained (safetensors)");
    set.text("--tuned", options.tuned, "FILE", "attention.*: what --save-tuned wrote, instead of training");
}

void declareCache(OptionSet& set, RunOptions& options)
{
    set.text("--trace", options.trace, "FILE", "cache.*, hierarchy.*: requests, as text or binary, also in gzip, xz or zstd (docs/formats-trace.md)");
    set.text("--trace-format", options.traceFormat, "NAME", "cache.*, hierarchy.*: ids, csv, lirs, arc, oracle-general, vscsi, be64, be32, le64, le32 (automatic)");
    set.texts("--column", options.traceColumns, "NAME=COLUMN", "cache.*, hierarchy.*: id, time or size of a CSV trace (cache.*: cost and uniqueness, too; hierarchy.*: operation), by name or number from 1 (repeatable)");
    set.texts("--also", options.also, "METHOD", "cache.*: another policy on the same trace; reuse.*: another method on the same frames; with NAME=VALUE behind commas; or all (repeatable)");
    set.integer("--warm-up", options.warmUp, 0, 1'000'000'000'000, "cache.*: first requests that fill the cache but are not counted (0)");
    set.text("--at", options.at, "SIZE", "cache.*: this size over time, and whether what it evicted was wanted again");
    set.integer("--steps", options.steps, 0, 100'000, "cache.*: play so many requests at --at: what lies where, why what left did (0)");
    set.integer("--first", options.first, 0, 1'000'000'000'000, "cache.*: request that --steps begins at (0)");
    set.flag("--shape", options.shape, "cache.*: the trace's reuse distances over time and its popularity with a Zipf fit (off)");
    set.flag("--streamed", options.streamed, "cache.*: read the trace twice, piece by piece, and never hold its requests: for long ones; policies that look ahead are left out (off)");
    set.real("--rate", options.rate, 0, 1, "cache.*: share of the objects in the samples that caches are simulated on, as much smaller (1: all)");
    CacheRuleOptions& rules = options.cacheRules;
    set.real("--hard", rules.hard, 0, 1, "cache.*: share of the cache that is used; what would pass it makes room (1)");
    set.real("--soft", rules.soft, 0, 1, "cache.*: share down to which room is made then (as --hard)");
    set.integer("--evict-batch", rules.batch, 1, 1'000'000'000, "cache.*: objects that leave together at least (1)");
    set.texts("--protect", rules.protectedIds, "ID", "cache.*: an object that is never evicted, as the trace has it (repeatable)");
    set.realFrom("--protect-most", rules.protectMost, 0, 0.99, "cache.*: share of the cache for the most requested objects, which are not evicted (none)");
    set.text("--scene-change", rules.sceneChange, "SIGNAL", "cache.*: watch for a change of the requests by hit-ratio or new-objects (off)");
    set.text("--scene-action", rules.sceneAction, "ACTION", "cache.*: what a change does: clear, halve, forget what was counted (clear)");
    set.integer("--scene-window", rules.sceneWindow, 1, 1'000'000'000, "cache.*: requests between looks for a change (1000)");
    set.real("--scene-threshold", rules.sceneThreshold, 0, 1000, "cache.*: deviations that must add up for a change (5)");
}
} // namespace

Verb verbRun()
{
    const auto options = std::make_shared<RunOptions>();
    return {"run", "Run a method on a model and report what every rank loses",
            "  tamis-cli run spectrum.plain --model model.safetensors\n"
            "  tamis-cli run spectrum.whitened --model datasets/vit20 --calibration datasets/vit20/calibration.h5 --json -\n"
            "  tamis-cli run spectrum.whitened --model M --calibration C --layer 'blocks.*.mlp.*' --set ridge=0.001\n"
            "  tamis-cli run lowrank.local --model datasets/vit20 --calibration datasets/vit20/calibration.h5 --keep 0.6 --held-out datasets/photos --store out\n"
            "  tamis-cli run encoder.low-rank --encoder datasets/sae/vit20.block3.k16/sparsify --activations datasets/sae/vit20.block3.heldout.npy \\\n"
            "    --calibration-activations rows.npy --set rank=32\n"
            "  tamis-cli run tokens.tome --model datasets/vit20 --images datasets/photos --set r=16 --out OVERLAYS\n"
            "  tamis-cli run tokens.learned --model datasets/vit20 --images datasets/photos --train-images PHOTOS --save-trained predictors.safetensors\n"
            "  tamis-cli run attention.performer --model datasets/vit20 --images datasets/photos --set features=64\n"
            "  tamis-cli run cache.arc --trace requests.csv --column id=key --also cache.lru --set sizes=64MiB,1GiB\n"
            "  tamis-cli run hierarchy.levels --images datasets/motion --model datasets/vit20 --set l1=128KiB --set prefetch=motion\n"
            "  tamis-cli run addressing.deep-embed --model datasets/tinylm --tokens datasets/tinylm/heldout.npy --calibration-tokens datasets/tinylm/calibration.npy\n"
            "  tamis-cli run reuse.gate --model datasets/vit20 --images datasets/motion --also reuse.eventful",
            [options](OptionSet& set) {
                set.positional("METHOD", options->method, "Identity of the method, as tamis-cli methods lists it");
                set.text("--model", options->model, "PATH", "spectrum.*, lowrank.*, tokens.*, attention.*, addressing.*, hierarchy.*, reuse.*: checkpoint, a file or a directory");
                set.text("--calibration", options->calibration, "FILE", "Calibration set (HDF5)");
                set.texts("--layer", options->layers, "PATTERN", "Only matrices whose name matches, e.g. 'blocks.*.mlp.*' (repeatable)");
                set.texts("--set", options->settings, "NAME=VALUE", "A parameter of the method (repeatable)");
                set.real("--keep", options->keep, 0, 1, "Fraction of the parameters kept, for cost, quality and baseline (0.6)");
                set.flag("--baseline,!--no-baseline", options->baseline, "Measure the plain SVD at the same ranks too (on)");
                set.integer("--latency-tokens", options->latencyTokens, 0, 1'000'000,
                            "Tokens in the batch whose latency is measured (256); 0: do not measure");
                set.text("--out", options->out, "PATH", "spectrum.*: append the run to a results file (HDF5); tokens.*: directory for a picture, a table and JSON of every photo's tokens");
                set.choice("--format", options->overlayFormat, {"png", "svg"}, "tokens.*: of the pictures (png)");
                set.choice("--shade", options->shade, {"tokens", "scores", "unmerged", "outlines"}, "tokens.*: what the pictures show (tokens)");
                set.integer("--depth", options->depth, 0, 10'000, "tokens.*: blocks that the pictures are behind; 0: before the first (the last that was run)");
                set.text("--plan", options->plan, "PLAN.json", "tokens.*: run on the model with the plan's operators, with its tokens' settings; cache.*: its cache's settings, size and warm-up; reuse.*: its reuse's settings; --set goes before them");
                set.text("--save-plan", options->savePlan, "PLAN.json", "tokens.*, cache.*, reuse.*: write the method and its settings as a plan, into that of --plan where one is given");
                set.flag("--features", options->features, "tokens.*: into --out, too, NAME.features.npy [source tokens, width]: what the tokens hold at the end, spread back to the grid (off)");
                set.flag("--overwrite", options->overwrite, "tokens.*: replace files that exist in --out (off)");
                set.text("--store", options->store, "DIR", "lowrank.*: write factors.safetensors and a plan that evaluate and export take");
                declareLowRank(set, *options);
                declareEncoder(set, *options);
                set.text("--codes", options->codes, "FILE", "encoder.*: write the codes of every row, as safetensors [rows, k] (docs/formats-codes.md)");
                set.text("--save-encoder", options->saveEncoder, "FILE", "encoder.* that train: write what was trained (safetensors)");
                set.text("--trained", options->trained, "FILE", "Methods that train: what --save-encoder or --save-trained wrote, instead of training");
                set.text("--train-images", options->trainImages, "DIR", "tokens.* that train: photos to train on, the last eighth kept apart");
                set.text("--train-labels", options->trainLabels, "FILE", "tokens.* that train: their classes (file<TAB>class); without: what the whole model names");
                set.text("--save-trained", options->saveTrained, "FILE", "tokens.* that train: write what was trained (safetensors)");
                set.flag("--latency,!--no-latency", options->latency, "encoder.*: measure latency at batch 1, 8 and 64 beside the exact encoder; tokens.*: of one batch; addressing.*: of reads (on)");
                declareAttention(set, *options);
                declareCache(set, *options);
                set.text("--server", options->server, "HOST:PORT", "fleet.*: a Redis server, or unix:PATH; its password is in TAMIS_REDIS_PASSWORD");
                set.text("--password-file", options->passwordFile, "FILE", "fleet.*: the server's password is the first line of this file");
                set.text("--calibration-tokens", options->calibrationTokens, "FILE", "addressing.*: token ids that tables and memories are fitted to");
                set.text("--table", options->table, "FILE", "addressing.deep-embed: a table (safetensors, .npy) instead of fitting one");
                set.text("--save-table", options->saveTable, "FILE", "addressing.*: write the table, or the memory's values, that was fitted (safetensors)");
                set.text("--sweep", options->sweep, "NAME=A,B,...", "reuse.*: a run for every value of a setting of the method, and a table of them");
                set.integer("--rounds", options->rounds, 1, 1000, "reuse.*: times that the sequence is run; of each frame the least time counts (3)");
                set.integer("--batch", options->batch, 1, 4096, "tokens.*: photos in the batch whose latency is measured (8)");
            },
            [options](Console& console) {
                if (options->method.starts_with("encoder."))
                    return runEncoder(console, *options);
                if (options->method.starts_with("attention."))
                    return runAttention(console, *options);
                if (options->method.starts_with("cache."))
                    return runCache(console, *options);
                if (options->method.starts_with("hierarchy."))
                    return runHierarchy(console, *options);
                if (options->method.starts_with("fleet."))
                    return runFleet(console, *options);
                if (options->method.starts_with("addressing."))
                    return runAddressing(console, *options);
                if (options->method.starts_with("reuse."))
                    return runReuse(console, *options);
                if (options->method.starts_with("tokens."))
                    return runTokens(console, *options);
                if (options->model.empty())
                    throw UsageError("--model is required: the checkpoint that the method runs on");
                if (options->method.starts_with("lowrank."))
                    runLowRank(console, *options);
                else
                    run(console, *options);
            }};
}

} // namespace tamis::cli
