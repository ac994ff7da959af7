// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/console.h"
#include "app/cli/encoder_inputs.h"
#include "app/cli/inspect_autoencoder.h"
#include "app/cli/inspect_cost.h"
#include "app/cli/inspect_export.h"
#include "app/cli/json_output.h"
#include "app/cli/table.h"
#include "app/cli/usage_error.h"
#include "app/cli/verbs.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/io/calibration.h"
#include "core/io/checkpoint.h"
#include "core/io/sae_checkpoint.h"
#include "core/plan/plan.h"

#include <nlohmann/json.hpp>

#include <atomic>
#include <fstream>
#include <map>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;
namespace fs = std::filesystem;

struct InspectOptions {
    std::string path;
    bool check = false, cost = false;
    std::vector<std::string> assumed; ///< "name=value" of an autoencoder's switches
    CostRequest costs;

    /// The option that needs --cost, or "".
    std::string costOption() const
    {
        if (costs.measure)
            return "--measure";
        if (costs.tokens != 0)
            return "--tokens";
        return costs.batch != 1 ? "--batch" : costs.ceilings != "this" ? "--ceilings" : "";
    }
};

bool startsWith(const fs::path& file, std::string_view signature)
{
    std::string start(signature.size(), '\0');
    std::ifstream stream(file, std::ios::binary);
    return stream.read(start.data(), static_cast<std::streamsize>(start.size())) && start == signature;
}

bool isCalibration(const fs::path& file)
{
    return file.extension() == ".h5" || file.extension() == ".hdf5" || startsWith(file, "\x89HDF\r\n\x1a\n");
}

bool isPlan(const fs::path& file) { return file.extension() == ".json" && !file.string().ends_with(".index.json"); }

ordered_json emptyDocument(const std::string& format)
{
    return {{"schema", "tamis.inspect/1"}, {"format", format}, {"family", "unknown"}, {"parameters", 0}, {"bytes", 0}, {"layers", 0},
            {"tensors", ordered_json::array()}, {"config", ordered_json::object()}, {"warnings", ordered_json::array()}};
}

std::map<std::string, const io::MatrixRef*> matricesByTensor(const io::Checkpoint& checkpoint)
{
    std::map<std::string, const io::MatrixRef*> matrices;
    for (const auto& matrix : checkpoint.layout().matrices)
        matrices[matrix.tensor] = &matrix;
    return matrices;
}

tensor::FiniteCount countNonFinite(const io::Checkpoint& checkpoint, const io::TensorEntry& entry)
{
    if (!tensor::isFloating(entry.dtype))
        return {};
    if (entry.dtype != tensor::DType::F64)
        return tensor::countNonFinite(checkpoint.readFloats(entry));
    std::vector<double> values(entry.elements()); // as floats, large doubles would look infinite
    tensor::decode(entry.dtype, checkpoint.readBytes(entry), std::span<double>(values));
    return tensor::countNonFinite(values);
}

/// {"name", "nan", "infinite"} of the tensors that hold any, in order.
ordered_json nonFiniteJson(const io::Checkpoint& checkpoint, const RunContext& context)
{
    const auto& tensors = checkpoint.tensors();
    std::vector<tensor::FiniteCount> counts(tensors.size());
    std::atomic<std::size_t> done = 0;
    parallelFor(context, tensors.size(), [&](std::size_t i) {
        counts[i] = countNonFinite(checkpoint, tensors[i]);
        context.setFraction(static_cast<double>(++done) / static_cast<double>(tensors.size()));
    });
    ordered_json found = ordered_json::array();
    for (std::size_t i = 0; i < tensors.size(); ++i)
        if (counts[i].total() > 0)
            found.push_back({{"name", tensors[i].name}, {"nan", counts[i].nan}, {"infinite", counts[i].infinite}});
    return found;
}

ordered_json checkpointJson(const io::Checkpoint& checkpoint, bool check, const RunContext& context)
{
    auto document = emptyDocument(checkpoint.format());
    document["family"] = io::familyName(checkpoint.layout().family);
    document["parameters"] = checkpoint.parameters();
    document["bytes"] = checkpoint.bytes();
    document["layers"] = checkpoint.layout().layers;
    document["config"] = ordered_json::parse(checkpoint.config().rawJson);
    document["files"] = ordered_json::array();
    for (const auto& file : checkpoint.files())
        document["files"].push_back(file.string());
    const auto matrices = matricesByTensor(checkpoint);
    for (const auto& entry : checkpoint.tensors()) {
        ordered_json tensor{{"name", entry.name}, {"dtype", tensor::dtypeName(entry.dtype)}, {"shape", entry.shape},
                            {"bytes", entry.bytes}, {"layer", nullptr}, {"role", nullptr}};
        if (const auto found = matrices.find(entry.name); found != matrices.end()) {
            if (found->second->layer >= 0)
                tensor["layer"] = found->second->layer;
            tensor["role"] = io::roleName(found->second->role);
        }
        document["tensors"].push_back(std::move(tensor));
    }
    if (check) {
        document["nonFinite"] = nonFiniteJson(checkpoint, context);
        for (const auto& entry : document["nonFinite"])
            addWarning(document, entry["name"].get<std::string>() + ": " + entry["nan"].dump() + " NaN and " +
                                     entry["infinite"].dump() + " infinite values");
    }
    return document;
}

std::string shapeOf(const ordered_json& shape)
{
    std::string text;
    for (const auto& side : shape)
        text += (text.empty() ? "" : "x") + side.dump();
    return text.empty() ? "scalar" : text;
}

std::string describedCheckpoint(const ordered_json& document)
{
    Table table({"tensor", "dtype", "shape", "layer", "role", "bytes"}, 2);
    for (const auto& tensor : document["tensors"])
        table.add({tensor["name"].get<std::string>(), tensor["dtype"].get<std::string>(), shapeOf(tensor["shape"]),
                   tensor["layer"].is_null() ? "-" : tensor["layer"].dump(),
                   tensor["role"].is_null() ? "-" : tensor["role"].get<std::string>(), grouped(tensor["bytes"].get<std::uint64_t>())});
    return table.text() + "\n" + document["format"].get<std::string>() + ", family " + document["family"].get<std::string>() + ", " +
           document["layers"].dump() + " layers, " + std::to_string(document["tensors"].size()) + " tensors, " +
           grouped(document["parameters"].get<std::uint64_t>()) + " parameters, " +
           byteSize(document["bytes"].get<std::uint64_t>()) + "\n";
}

std::string describedExport(const ExportSummary& summary)
{
    const auto line = [](const char* what, std::uint64_t before, std::uint64_t after) {
        const double saved = before ? 1 - static_cast<double>(after) / static_cast<double>(before) : 0;
        return std::string(what) + grouped(before) + " -> " + grouped(after) + ", saved " + percent(saved) + "\n";
    };
    return "export of " + summary.method + ", keep " + fixed(summary.keep, 3) + ", " + summary.accounting + ", " +
           std::to_string(summary.replaced) + " matrices replaced\n" +
           line("  parameters  ", summary.original.parameters, summary.compressed.parameters) +
           line("  bytes       ", summary.original.bytes, summary.compressed.bytes) +
           line("  MACs/token  ", summary.original.macs, summary.compressed.macs);
}

/// The file to open for an export: its factors, which are what was saved, before the dense weights that stand for them.
fs::path entryPoint(const fs::path& directory)
{
    std::error_code failure;
    for (const char* name : {"factors.safetensors", "factors.safetensors.index.json", "model.safetensors",
                             "model.safetensors.index.json", "lora/base/model.safetensors"})
        if (fs::exists(directory / name, failure))
            return directory / name;
    return directory;
}

void inspectCheckpoint(Console& console, const InspectOptions& options)
{
    const auto& context = console.context();
    context.setParts(options.cost ? 40 : 20);
    const fs::path path = options.path;
    std::error_code failure;
    const auto exported = fs::is_directory(path, failure) ? summariseExport(path, context.part(1, "reading the recipe")) : std::nullopt;
    const auto checkpoint = io::Checkpoint::open(exported ? entryPoint(path) : path, context.part(1, "opening"));
    auto document = checkpointJson(*checkpoint, options.check, context.part(18, "reading the weights"));
    std::string text;
    if (options.cost) {
        const auto report = costOf(*checkpoint, options.costs, context.part(20, "counting the cost"));
        addCost(document, report);
        text = describedCost(report);
    } else {
        text = describedCheckpoint(document);
    }
    if (exported) {
        addExport(document, *exported);
        text += describedExport(*exported);
    }
    for (const auto& warning : document["warnings"])
        text += "warning: " + warning.get<std::string>() + "\n";
    console.print(text);
    console.finish(std::move(document));
}

void inspectCalibration(Console& console, const fs::path& file)
{
    const auto& context = console.context();
    context.setParts(20);
    const auto set = io::CalibrationSet::open(file, context.part(1, "opening"));
    auto document = emptyDocument("calibration");
    document["bytes"] = fs::file_size(file);
    document["calibration"] = {{"modelSha256", set->modelSha256()}, {"inputs", set->inputs()}, {"tokens", set->tokens()}};
    document["sites"] = ordered_json::array();
    const auto reading = context.part(19, "reading the sites");
    Table table({"site", "features", "tokens", "samples", "held out"});
    for (const auto& name : set->siteNames()) {
        context.throwIfStopped();
        const auto site = set->read(name);
        document["sites"].push_back({{"name", name}, {"features", site.gram.rows()}, {"count", site.count},
                                     {"samples", site.samples.rows()}, {"heldOut", site.heldOut.rows()}});
        table.add({name, std::to_string(site.gram.rows()), grouped(site.count), std::to_string(site.samples.rows()),
                   std::to_string(site.heldOut.rows())});
        reading.setFraction(static_cast<double>(document["sites"].size()) / static_cast<double>(set->siteNames().size()));
    }
    console.print(table.text() + "\ncalibration set: " + set->inputs() + "; " + grouped(set->tokens()) + " tokens, model " +
                  set->modelSha256().substr(0, 12) + "...\n");
    console.finish(std::move(document));
}

void inspectPlan(Console& console, const fs::path& file)
{
    const auto plan = plan::readPlan(file);
    auto document = emptyDocument("plan");
    document["parameters"] = plan.cost.parameters;
    document["bytes"] = plan.cost.bytes;
    document["plan"] = ordered_json::parse(plan::planToJson(plan));
    document["original"] = toJson(plan.baseline);
    document["compressed"] = toJson(plan.cost);
    Table table({"matrix", "form", "shape", "rank", "rel. loss"}, 2);
    for (const auto& op : plan.operators)
        table.add({op.name, op.layout, std::to_string(op.rows) + "x" + std::to_string(op.cols), std::to_string(op.rank),
                   significant(op.predictedRelativeLoss)});
    console.print(table.text() + "\nplan: " + plan.method + ", keep " + fixed(plan.budget.keep, 3) + ", " +
                  std::string(plan::allocationName(plan.budget.allocation)) + ", " +
                  std::string(plan::accountingName(plan.budget.accounting)) + "; " + grouped(plan.baseline.parameters) + " -> " +
                  grouped(plan.cost.parameters) + " parameters, predicted mean relative loss " +
                  percent(plan.predictedRelativeLoss, 2) + "\n");
    console.finish(std::move(document));
}

void inspectAutoencoder(Console& console, const InspectOptions& options)
{
    const auto autoencoder = io::readSparseAutoencoder(options.path, assumedFrom(options.assumed), console.context());
    auto document = emptyDocument("sparse autoencoder");
    document["parameters"] = autoencoder.parameters();
    document["bytes"] = fs::file_size(autoencoder.file);
    document["autoencoder"] = autoencoderJson(autoencoder);
    console.print(describedAutoencoder(autoencoder));
    console.finish(std::move(document));
}

void run(Console& console, const InspectOptions& options)
{
    const fs::path path = options.path;
    std::error_code failure;
    const bool directory = fs::is_directory(path, failure);
    if (const std::string option = options.costOption(); !options.cost && !option.empty())
        throw UsageError(option + " goes with --cost");
    const bool autoencoder = io::looksLikeSparseAutoencoder(path);
    if (!options.assumed.empty() && !autoencoder)
        throw UsageError("--assume is for sparse autoencoders; " + path.string() + " is none");
    if (options.cost && autoencoder)
        throw UsageError("--cost is for models; " + path.string() + " is a sparse autoencoder");
    if (options.cost && !directory && (isCalibration(path) || isPlan(path)))
        throw UsageError("--cost is for models; " + path.string() + " is none");
    if (!directory && isCalibration(path))
        inspectCalibration(console, path);
    else if (!directory && isPlan(path))
        inspectPlan(console, path);
    else if (autoencoder)
        inspectAutoencoder(console, options);
    else
        inspectCheckpoint(console, options);
}
} // namespace

Verb verbInspect()
{
    const auto options = std::make_shared<InspectOptions>();
    return {"inspect", "Show what is in a checkpoint, sparse autoencoder, calibration set, plan or export",
            "  tamis-cli inspect datasets/vit20\n"
            "  tamis-cli inspect model.safetensors.index.json --check\n"
            "  tamis-cli inspect calibration.h5 --json -\n"
            "  tamis-cli inspect exported-directory\n"
            "  tamis-cli inspect ae.pt --assume per-token-topk=yes\n"
            "  tamis-cli inspect datasets/vit20 --cost --batch 32 --measure\n"
            "  tamis-cli inspect MODEL --cost --tokens 2048 --ceilings raspberry-pi-5",
            [options](OptionSet& set) {
                set.positional("PATH", options->path,
                               "File (.safetensors, .index.json, .npy, .npz, .pt, .h5, plan.json) or directory (model, export, sparse autoencoder)");
                set.flag("--check", options->check, "Read the weights too and count NaN and infinite values");
                set.texts("--assume", options->assumed, "NAME=VALUE",
                          "Of a sparse autoencoder, what its files leave open (see docs/formats-autoencoder.md)");
                set.flag("--cost", options->cost, "Count what a forward pass costs, layer by layer");
                set.integer("--tokens", options->costs.tokens, 0, 1 << 24, "With --cost: tokens of a text (0: 512, or what the model takes)");
                set.integer("--batch", options->costs.batch, 1, 4096, "With --cost: samples that share one reading of the weights");
                set.text("--ceilings", options->costs.ceilings, "NAME|FILE",
                         "With --cost: machine to predict for: this (measured), a preset or a JSON file (see docs/cost.md)");
                set.flag("--measure", options->costs.measure, "With --cost: load the model and time every operator alone");
            },
            [options](Console& console) { run(console, *options); }};
}

} // namespace tamis::cli
