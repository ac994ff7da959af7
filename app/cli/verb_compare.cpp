// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/console.h"
#include "app/cli/encoder_inputs.h"
#include "app/cli/json_output.h"
#include "app/cli/lowrank_inputs.h"
#include "app/cli/run_attention.h"
#include "app/cli/run_tokens.h"
#include "app/cli/table.h"
#include "app/cli/usage_error.h"
#include "app/cli/verbs.h"
#include "core/base/error.h"
#include "core/lowrank/comparison.h"
#include "core/lowrank/configuration_text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

std::vector<std::string> split(const std::string& text, char separator)
{
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t end = std::min(text.find(separator, begin), text.size());
        parts.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return parts;
}

std::vector<double> keepsFrom(const std::string& text)
{
    std::vector<double> keeps;
    for (const std::string& part : split(text, ',')) {
        double keep = 0;
        const auto [stop, error] = std::from_chars(part.data(), part.data() + part.size(), keep);
        if (error != std::errc() || stop != part.data() + part.size() || !(keep > 0 && keep <= 1))
            throw UsageError("--keep: found '" + part + "', expected numbers above 0 and at most 1, separated by commas");
        keeps.push_back(keep);
    }
    return keeps;
}

lowrank::ComparisonEntry entryFrom(const std::string& text, double keep, const RunOptions& options)
{
    lowrank::ComparisonEntry entry;
    entry.method = text.substr(0, text.find(':'));
    entry.label = lowRankMethodNamed(entry.method).declaration.title;
    entry.budget = budgetFrom(options, keep);
    try {
        const auto configuration = lowrank::parseConfiguration(text);
        entry.parameters = configuration.parameters;
        for (const auto& [name, value] : entry.parameters.all())
            entry.label += ", " + name + " " + toText(value);
        entry.label += configuration.budget.title();
        configuration.budget.applyTo(entry.budget);
    } catch (const Error& error) {
        throw UsageError("--method " + text + ": " + error.what());
    }
    return entry;
}

std::vector<lowrank::ComparisonEntry> entriesFrom(const CompareOptions& options, const lowrank::Inputs& inputs)
{
    const auto keeps = keepsFrom(options.keeps);
    if (options.methods.empty()) {
        auto entries = lowrank::standardEntries(inputs, keeps, options.trained);
        for (auto& entry : entries)
            if (entry.method != "round-to-nearest")
                entry.budget = budgetFrom(options.run, entry.budget.keep);
        return entries;
    }
    auto entries = lowrank::standardEntries(inputs, {}, false); // the roundings
    for (const std::string& method : options.methods)
        for (const double keep : keeps) {
            entries.push_back(entryFrom(method, keep, options.run));
            requireFor(lowRankMethodNamed(entries.back().method), inputs);
        }
    return entries;
}

std::string qualityOf(const report::ComparisonRow& row, const std::string& name)
{
    if (name == "perplexity")
        return significant(row.quality.perplexity.mean);
    return percent(row.quality.top1.mean, 2);
}

std::string described(const report::MethodComparison& comparison)
{
    const bool labelled = std::ranges::any_of(comparison.rows, [](const report::ComparisonRow& row) { return row.quality.top1.present(); });
    const bool text = comparison.qualityName == "perplexity";
    std::vector<std::string> heading{"method", "keep", "parameters", "bytes", "MACs a token", "ms", "loss", "held out"};
    if (text || labelled)
        heading.push_back(comparison.qualityName);
    for (const char* name : {"agreement", "KL", "s"})
        heading.emplace_back(name);
    Table table(heading);
    std::string failures;
    for (const auto& row : comparison.rows) {
        if (!row.failure.empty()) {
            failures += "failed: " + row.label + " at keep " + fixed(row.keep, 2) + ": " + row.failure + "\n";
            continue;
        }
        std::vector<std::string> cells{row.label, row.baseline ? "-" : fixed(row.keep, 2), grouped(row.cost.parameters), byteSize(row.cost.bytes), grouped(row.cost.macs),
                                       significant(row.latencyMs, 3), percent(row.relativeLoss, 2), percent(row.heldOutRelativeLoss, 2)};
        if (text || labelled)
            cells.push_back(qualityOf(row, comparison.qualityName));
        cells.push_back(percent(row.fidelity.agreement.mean, 2));
        cells.push_back(significant(row.fidelity.kl.mean, 3));
        cells.push_back(fixed(row.seconds, 1));
        table.add(std::move(cells));
    }
    return table.text() + "\n" + failures + "calibrated on " + (comparison.calibration.empty() ? "nothing" : comparison.calibration) + "; measured on " + comparison.samples +
           "; " + fixed(comparison.seconds, 1) + " s\n";
}

ordered_json documentOf(const report::MethodComparison& comparison, const ordered_json& inputs)
{
    ordered_json document{{"schema", "tamis.compare/1"}, {"inputs", inputs}, {"warnings", ordered_json::array()}};
    document.update(toJson(comparison));
    for (const auto& row : comparison.rows)
        if (!row.failure.empty())
            addWarning(document, row.label + ": " + row.failure);
    return document;
}

void run(Console& console, const CompareOptions& options)
{
    if (!options.run.encoder.empty())
        return compareEncoders(console, options);
    if (options.lab == "attention" || std::ranges::any_of(options.methods, [](const std::string& method) { return method.starts_with("attention."); }))
        return compareAttention(console, options);
    if (options.lab == "tokens" || !options.trainedFiles.empty() || std::ranges::any_of(options.methods, [](const std::string& method) { return method.starts_with("tokens."); }))
        return compareTokens(console, options);
    if (options.run.model.empty())
        throw UsageError("MODEL is required, or --encoder (tamis-cli compare --help)");
    if (options.run.heldOut.empty())
        throw UsageError("--held-out is required: what quality is measured on (tamis-cli compare --help)");
    const auto& context = console.context();
    context.setParts(20);
    const auto inputs = openLowRankInputs(options.run, context.part(1, "opening"));
    const auto entries = entriesFrom(options, inputs);
    const auto heldOut = openHeldOut(options.run, *inputs.model, context.part(1, "opening"));
    lowrank::ComparisonOptions settings;
    settings.latencyRuns = options.run.latency ? 5 : 0;
    const auto inputsOf = inputsJson(inputs, heldOut.get(), context.part(0.5, "hashing")); // before: a stop leaves no time to hash
    const auto comparison = lowrank::compareMethods(inputs, *heldOut, entries, settings, context.part(17.5, "comparing"), [&](const report::MethodComparison& soFar) {
        auto document = documentOf(soFar, inputsOf);
        document["planned"] = soFar.planned;
        console.keep(described(soFar) + "stopped after " + std::to_string(soFar.rows.size()) + " of " + std::to_string(soFar.planned) + " rows\n", std::move(document));
    });
    console.print(described(comparison));
    console.finish(documentOf(comparison, inputsOf));
}

void declare(OptionSet& set, CompareOptions& options)
{
    RunOptions& run = options.run;
    set.positional("MODEL", run.model, "Checkpoint that runs: a file or a directory; with --encoder the model that the autoencoder reads", false);
    set.choice("--lab", options.lab, {"lowrank", "tokens", "attention"}, "Whose methods: of tokens on the photos of --images, with --labels, of attention on any samples (lowrank; another where a --method is of that lab)");
    set.text("--calibration", run.calibration, "FILE", "Calibration set (HDF5)");
    set.text("--keep", options.keeps, "K,K,...", "Fractions of the parameters kept (0.8,0.6,0.4)");
    set.texts("--method", options.methods, "ID[:NAME=VALUE...]",
              "A method with its settings; 'allocate', 'accounting' and 'unit' are settings of lowrank.*, too (repeatable; every method with its defaults)");
    set.texts("--layer", run.layers, "PATTERN", "Only matrices whose name matches (repeatable)");
    set.flag("--trained,!--no-trained", options.trained, "Methods that train, too: minutes each (off)");
    set.texts("--trained-file", options.trainedFiles, "FILE", "tokens.*: what run --save-trained wrote for this model, beside the others (repeatable)");
    set.flag("--latency,!--no-latency", run.latency, "Measure latency (on)");
    set.integer("--steps", options.steps, 1, 64, "encoder.* without settings: values tried of a rank or a number of candidates (4)");
    set.real("--recall", options.recall, 0, 1, "encoder.*: recall that the fastest encoder is to have (0.99)");
    set.text("--csv", options.csv, "FILE", "attention.*: write the table as CSV, too");
    set.text("--blocks", run.blocks, "LIST", "attention.*: blocks whose attention is replaced, such as 0,3 (all)");
    declareFitting(set, run.fitting, "attention.*: ");
    set.integer("--tune", run.tune, 0, 1'000'000, "attention.*: methods that can be trained around: so many steps, beside exact attention trained as long (0)");
    set.texts("--tune-set", run.tuneSettings, "NAME=VALUE", "attention.*: a setting of the training (repeatable)");
    set.text("--train-tokens", run.trainTokens, "FILE", "attention.*: token ids to train on");
    set.text("--train-images", run.trainImages, "DIR", "attention.*: photos to train on");
    set.text("--train-labels", run.trainLabels, "FILE", "attention.*: their classes (file<TAB>class)");
    set.integer("--batch", run.batch, 1, 4096, "tokens.*: photos in the batch whose latency is measured (8)");
    declareLowRank(set, run);
    declareEncoder(set, run);
}
} // namespace

Verb verbCompare()
{
    const auto options = std::make_shared<CompareOptions>();
    return {"compare", "Measure methods side by side: one calibration, one held-out set, one accounting",
            "  tamis-cli compare datasets/vit20 --calibration datasets/vit20/calibration.h5 --held-out datasets/photos --resize squash\n"
            "  tamis-cli compare datasets/tinylm --calibration C --held-out datasets/tinylm/heldout.npy --keep 0.6 \\\n"
            "    --method lowrank.local --method lowrank.local:preconditioner=identity --method lowrank.local:allocate=greedy --json -\n"
            "  tamis-cli compare --encoder datasets/sae/tinylm.block3.k16/saelens --activations datasets/sae/tinylm.block3.heldout.npy \\\n"
            "    --calibration-activations rows.npy --method encoder.two-stage:coarse=int8:candidates=64 --method encoder.low-rank\n"
            "  tamis-cli compare datasets/vit20 --lab tokens --images PHOTOS --labels PHOTOS/labels.tsv --method tokens.tome --method tokens.evit:keep=0.5\n"
            "  tamis-cli compare datasets/tinylm --lab attention --tokens datasets/tinylm/heldout.npy --csv attention.csv",
            [options](OptionSet& set) { declare(set, *options); },
            [options](Console& console) { run(console, *options); }};
}

} // namespace tamis::cli
