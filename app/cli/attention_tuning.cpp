// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/attention_tuning.h"

#include "app/cli/evaluation_json.h"
#include "app/cli/json_output.h"
#include "app/cli/table.h"
#include "app/cli/training_output.h"
#include "app/cli/usage_error.h"
#include "app/samples/sample_request.h"
#include "core/base/error.h"
#include "core/measure/evaluate.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace tamis::cli {
namespace {
using nlohmann::ordered_json;

TunedOutcome measuredOutcome(std::string name, attention::Tuned tuned, double seconds, const io::Checkpoint& checkpoint, const nn::Model& model, const attention::AssignmentInputs& with,
                             const measure::SampleSource& measured, int latencyRuns, const RunContext& context)
{
    measure::EvaluateOptions evaluation;
    evaluation.predictions = 0;
    evaluation.mapSamples = 0;
    evaluation.latencyRuns = latencyRuns;
    const auto changed = tuned.apply(checkpoint, with, context);
    return {std::move(name), std::move(tuned), seconds, measure::evaluate(model, changed.get(), measured, evaluation, context)};
}
} // namespace

attention::TuningSettings tuningSettings(const RunOptions& options)
{
    const ParameterSchema schema(attention::tuningParameters());
    Parameters given;
    try {
        given.set("steps", options.tune);
        for (const std::string& setting : options.tuneSettings) {
            const auto [name, value] = splitAssignment(setting, "--tune-set");
            given.set(name, schema.parse(name, value));
        }
        return attention::TuningSettings(schema.complete(given));
    } catch (const Error& error) {
        throw UsageError("--tune: " + std::string(error.what()));
    }
}

std::shared_ptr<const measure::SampleSource> trainingSamples(const RunOptions& options, const nn::Model& model, const RunContext& context)
{
    app::SampleRequest request{.images = options.trainImages, .labels = options.trainLabels, .tokens = options.trainTokens};
    request.windows = {.context = options.samples.context, .stride = 0};
    request.squash = options.samples.resize == "squash";
    return app::openSamples(request, options.model, model, context);
}

bool tunes(const RunOptions& options) { return options.tune > 0; }

void requireTuning(const RunOptions& options)
{
    const bool samples = !options.trainImages.empty() || !options.trainTokens.empty();
    if (tunes(options) && !options.tuned.empty())
        throw UsageError("found --tune and --tuned, expected one of them: what is restored is trained already");
    if (tunes(options) && !samples)
        throw UsageError("--tune: what to train on is missing, expected --train-images or --train-tokens");
    if (!tunes(options) && (samples || !options.trainLabels.empty() || !options.tuneSettings.empty() || !options.saveTuned.empty() || options.tuneExact))
        throw UsageError("--train-images, --train-labels, --train-tokens, --tune-set, --tune-exact and --save-tuned belong to --tune");
    if ((tunes(options) || !options.tuned.empty()) && !options.plan.empty())
        throw UsageError("found --plan beside --tune or --tuned, expected one of them: what is trained is the checkpoint's own weights");
    if (tunes(options))
        (void)tuningSettings(options);
    requireWritable(options.saveTuned, "what was trained");
}

std::optional<attention::Tuned> tunedOf(const RunOptions& options, const RunContext& context)
{
    if (options.tuned.empty())
        return std::nullopt;
    attention::Tuned tuned = attention::Tuned::read(options.tuned, context);
    std::string methods;
    for (const attention::HeadChoice& choice : tuned.choices) {
        if (choice.method == options.method)
            return tuned;
        methods += (methods.empty() ? "" : ", ") + (choice.method.empty() ? "exact" : choice.method);
    }
    throw UsageError("--tuned: " + options.tuned + " was trained around " + (methods.empty() ? "exact attention" : methods) + ", expected " + options.method);
}

std::vector<TunedOutcome> tunedOutcomes(Console& console, const RunOptions& options, const io::Checkpoint& checkpoint, const nn::Model& model, std::span<const attention::HeadChoice> choices,
                                        const attention::AssignmentInputs& with, std::optional<attention::Tuned> restored, const measure::SampleSource& measured, const RunContext& context)
{
    std::vector<TunedOutcome> outcomes;
    const int latencyRuns = options.latency ? 5 : 0;
    if (restored) {
        outcomes.push_back(measuredOutcome("tuned", std::move(*restored), 0, checkpoint, model, with, measured, latencyRuns, context));
        return outcomes;
    }
    context.setParts(options.tuneExact ? 20 : 10);
    const auto source = trainingSamples(options, model, context.part(0, "opening the samples to train on"));
    const auto train = [&](const char* name, std::span<const attention::HeadChoice> around) {
        const auto start = std::chrono::steady_clock::now();
        attention::Tuned tuned = attention::fineTune(checkpoint, around, with, *source, tuningSettings(options), context.part(9, name));
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        if (!around.empty() && !options.saveTuned.empty()) {
            console.beginWriting();
            tuned.write(options.saveTuned, context);
        }
        outcomes.push_back(measuredOutcome(around.empty() ? "exact" : "tuned", std::move(tuned), seconds, checkpoint, model, with, measured, latencyRuns, context.part(1, "evaluating")));
    };
    train("training", choices);
    if (options.tuneExact)
        train("training the model's own attention", {});
    return outcomes;
}

ordered_json tunedJson(const TunedOutcome& outcome)
{
    const attention::Tuned& tuned = outcome.tuned;
    ordered_json json{{"settings", toJson(tuned.settings)}, {"quality", toJson(outcome.quality)["quality"]}};
    if (outcome.trainSeconds > 0) {
        json["steps"] = tuned.steps;
        json["bestStep"] = tuned.bestStep;
        json["startLoss"] = tuned.startLoss;
        json["bestLoss"] = tuned.bestLoss;
        json["losses"] = seriesJson(tuned.losses);
        json["trainSeconds"] = outcome.trainSeconds;
    }
    return json;
}

std::string tunedText(const TunedOutcome& outcome)
{
    const auto& quality = outcome.quality;
    std::string text = (outcome.name == "exact" ? "\nthe model's own attention, trained as long: " : "\ntrained around them: ");
    const auto add = [&](const char* name, const report::Measured& value) {
        if (value.present())
            text += std::string(name) + " " + significant(value.mean) + "  ";
    };
    add("perplexity", quality.quality.perplexity);
    add("top-1", quality.quality.top1);
    add("agreement", quality.fidelity.agreement);
    add("KL", quality.fidelity.kl);
    return text + "\n" + trainingText(outcome.tuned.losses, "samples");
}

std::string checksText(const std::vector<TunedOutcome>& outcomes)
{
    const auto named = [&](const char* name) { return std::ranges::find(outcomes, name, &TunedOutcome::name); };
    const auto around = named("tuned"), exact = named("exact");
    if (around == outcomes.end() || exact == outcomes.end())
        return {};
    const auto checksOf = [](const TunedOutcome& outcome) -> std::vector<report::Point> {
        const auto held = std::ranges::find(outcome.tuned.losses, "held out", &report::Series::name);
        return held == outcome.tuned.losses.end() ? std::vector<report::Point>() : held->points;
    };
    const attention::TuningSettings settings(around->tuned.settings);
    const bool perplexity = settings.teacher == 0 && settings.labels == 1 && around->quality.quality.perplexity.present();
    const auto shown = [&](const std::vector<report::Point>& checks, std::size_t i) { return i < checks.size() ? significant(perplexity ? std::exp(checks[i].y) : checks[i].y) : std::string(); };
    const auto first = checksOf(*around), second = checksOf(*exact);
    Table table({"step", "around the operators", "the model's own attention"}, 1);
    for (std::size_t i = 0; i < std::max(first.size(), second.size()); ++i)
        table.add({grouped(static_cast<std::uint64_t>((i < first.size() ? first : second)[i].x)), shown(first, i), shown(second, i)});
    return std::string("\n") + (perplexity ? "perplexity" : "loss") + " on the samples kept apart\n" + table.text();
}

} // namespace tamis::cli
