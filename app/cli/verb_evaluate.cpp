// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/attention/planned_attention.h"
#include "app/cli/console.h"
#include "app/cli/evaluation_json.h"
#include "app/cli/fitting_options.h"
#include "app/cli/run_inputs.h"
#include "app/cli/sample_options.h"
#include "app/cli/table.h"
#include "app/cli/usage_error.h"
#include "app/cli/verbs.h"
#include "core/attention/fitting_split.h"
#include "core/inputs/label_file.h"
#include "core/io/calibration.h"
#include "core/io/checkpoint.h"
#include "core/measure/evaluate.h"
#include "core/plan/apply_plan.h"
#include "core/plan/model_cost.h"
#include "core/plan/plan.h"

#include <nlohmann/json.hpp>

#include <filesystem>

namespace tamis::cli {
namespace {

struct EvaluateArguments {
    std::string model, plan, calibration;
    SampleOptions samples;
    FittingOptions fitting;
    std::int64_t batch = 32, mapSamples = 4;
};

/// labels.txt beside the model's weights, where there is one with as many names as the model has classes.
std::vector<std::string> classNamesOf(const std::filesystem::path& modelPath, const nn::Model& model)
{
    const auto file = (std::filesystem::is_directory(modelPath) ? modelPath : modelPath.parent_path()) / "labels.txt";
    if (model.spec().task != nn::Task::ImageClassification || !std::filesystem::exists(file))
        return {};
    auto names = inputs::readClassNames(file);
    return static_cast<std::int64_t>(names.size()) == model.outputWidth() ? names : std::vector<std::string>{};
}

std::string spread(const report::Measured& measured, bool asPercent)
{
    if (!measured.present())
        return "-";
    const auto number = [&](double value) { return asPercent ? percent(value, 2) : significant(value); };
    return number(measured.mean) + (measured.deviation == measured.deviation ? " +- " + number(measured.deviation) : "");
}

std::string described(const report::EvaluationReport& report)
{
    const bool compressed = !report.plan.empty();
    Table table(compressed ? std::vector<std::string>{"", "compressed", "dense"} : std::vector<std::string>{"", "model"});
    const auto add = [&](const std::string& name, const std::string& value, const std::string& baseline) {
        table.add(compressed ? std::vector<std::string>{name, value, baseline} : std::vector<std::string>{name, value});
    };
    const auto addMeasured = [&](const std::string& name, const report::Measured& value, const report::Measured& baseline, bool asPercent) {
        if (value.present())
            add(name, spread(value, asPercent), spread(baseline, asPercent));
    };
    addMeasured("top-1", report.quality.top1, report.baselineQuality.top1, true);
    addMeasured("top-5", report.quality.top5, report.baselineQuality.top5, true);
    addMeasured("perplexity", report.quality.perplexity, report.baselineQuality.perplexity, false);
    addMeasured("bits a byte", report.quality.bitsPerByte, report.baselineQuality.bitsPerByte, false);
    addMeasured("agreement", report.fidelity.agreement, {1, 0}, true);
    addMeasured("KL", report.fidelity.kl, {0, 0}, false);
    addMeasured("logit cosine", report.fidelity.logitCosine, {1, 0}, false);
    add("parameters", grouped(report.cost.parameters), grouped(report.baselineCost.parameters));
    add("bytes", byteSize(report.cost.bytes), byteSize(report.baselineCost.bytes));
    add("MACs a token", grouped(report.cost.macs), grouped(report.baselineCost.macs));
    add("ms a sample", significant(report.cost.latencyMs), significant(report.baselineCost.latencyMs));
    std::string text = table.text();
    if (report.quality.top1.present())
        text += "\n" + grouped(report.quality.correct) + " of " + grouped(report.quality.samples) + " photos right at first guess\n";
    if (!report.layers.empty()) {
        Table layers({"block", "error", "cosine", "own error"});
        for (const auto& layer : report.layers)
            layers.add({std::to_string(layer.block), significant(layer.relativeError), significant(layer.cosine, 6), significant(layer.ownError)});
        text += "\n" + layers.text();
    }
    if (!report.fitted.empty())
        text += "\nattention fitted to " + report.fitted + "\n";
    return text + "\n" + report.inputs + ", " + std::to_string(report.batches) + (report.batches == 1 ? " batch, " : " batches, ")
           + fixed(report.seconds, 1) + " s\n";
}

void run(Console& console, const EvaluateArguments& arguments)
{
    const auto request = requestFrom(arguments.samples);
    if (arguments.plan.empty() && !(arguments.fitting.images.empty() && arguments.fitting.tokens.empty()))
        throw UsageError("--fit-images and --fit-tokens belong to --plan");
    if (!arguments.calibration.empty() && arguments.plan.empty())
        throw UsageError("--calibration belongs to --plan");
    const auto& context = console.context();
    context.setParts(20);
    const auto checkpoint = io::Checkpoint::open(arguments.model, context.part(0.2, "opening"));
    const auto model = nn::Model::load(*checkpoint, context.part(0.3, "loading"));
    attention::FittingSplit split{nullptr, app::openSamples(request, arguments.model, *model, context.part(0.5, "opening the samples"))};
    std::shared_ptr<const nn::Model> compressed;
    report::Cost cost = plan::modelCost(*checkpoint);
    const report::Cost baseline = cost;
    if (!arguments.plan.empty()) {
        const auto plan = plan::readPlan(arguments.plan);
        const auto calibration = calibrationOf(arguments.calibration, arguments.plan, plan);
        const auto statistics = calibration.empty() ? nullptr : io::CalibrationSet::open(calibration, context);
        compressed = plan::applyPlan(*model, checkpoint, statistics, plan, context.part(4, "applying the plan"));
        split = attention::splitForFitting(split.scored, openFitting(arguments.fitting, arguments.samples, arguments.model, *model, context), attention::needsSamples(app::choicesOf(plan, arguments.plan)));
        compressed = app::withPlannedAttention(compressed, plan, arguments.plan, split.fitted.get(), context.part(plan.attention.empty() ? 0 : 1, "the plan's attention"));
        if (plan.cache)
            context.warn("The plan's cache is left aside: tamis-cli run " + plan.cache->policy + " --plan runs it on a trace.");
        if (plan.tokens)
            context.warn("The plan's tokens are left aside: tamis-cli run " + plan.tokens->method + " --plan measures them on top of its operators.");
        if (plan.reuse)
            context.warn("The plan's feature reuse is left aside: every sample is run whole. tamis-cli run " + plan.reuse->method + " measures it on frames that follow one another.");
        cost = plan.cost;
    }
    measure::EvaluateOptions options;
    options.batch = static_cast<std::size_t>(arguments.batch);
    options.mapSamples = static_cast<std::size_t>(arguments.mapSamples);
    auto report = measure::evaluate(*model, compressed.get(), *split.scored, options, context.part(15, "evaluating"));
    report.model = arguments.model;
    report.plan = arguments.plan;
    report.inputs = split.scored->description();
    if (split.fitted)
        report.fitted = split.fitted->description();
    report.classNames = classNamesOf(arguments.model, *model);
    cost.latencyMs = report.cost.latencyMs;
    report.cost = cost;
    const double latency = report.baselineCost.latencyMs;
    report.baselineCost = baseline;
    report.baselineCost.latencyMs = latency;
    console.print(described(report));
    console.finish(toJson(report));
}

void declare(OptionSet& set, EvaluateArguments& arguments)
{
    set.positional("MODEL", arguments.model, "Checkpoint that runs: a file, a directory, an export");
    set.text("--plan", arguments.plan, "PLAN.json", "Compare the model as this plan compresses it");
    set.text("--calibration", arguments.calibration, "FILE", "Calibration set (as the plan says)");
    declareSamples(set, arguments.samples, "--limit");
    declareFitting(set, arguments.fitting, "plans with attention: ");
    set.integer("--batch", arguments.batch, 1, 100'000, "Samples a batch: what the spread is over (32)");
    set.integer("--map-samples", arguments.mapSamples, 0, 100'000, "Samples whose attention maps are compared (4)");
}
} // namespace

Verb verbEvaluate()
{
    const auto arguments = std::make_shared<EvaluateArguments>();
    return {"evaluate", "Measure what a model still does, alone or as a plan compresses it",
            "  tamis-cli evaluate datasets/vit20 --images DIR --labels labels.tsv\n"
            "  tamis-cli evaluate datasets/vit20 --plan plan.json --images datasets/photos --resize squash\n"
            "  tamis-cli evaluate MODEL --text book.txt --context 512 --stride 256 --json -",
            [arguments](OptionSet& set) { declare(set, *arguments); },
            [arguments](Console& console) { run(console, *arguments); }};
}

} // namespace tamis::cli
