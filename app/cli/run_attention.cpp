// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/run_attention.h"

#include "app/cli/evaluation_json.h"
#include "app/cli/json_output.h"
#include "app/cli/method_choice.h"
#include "app/cli/run_inputs.h"
#include "app/cli/table.h"
#include "app/cli/usage_error.h"
#include "core/attention/head_errors.h"
#include "core/cost/model_cost.h"
#include "core/io/checkpoint.h"
#include "core/measure/evaluate.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <chrono>
#include <cmath>

namespace tamis::cli {
namespace {
using attention::HeadError;
using nlohmann::ordered_json;

constexpr std::size_t kMapSamples = 4;    ///< whose heads are compared
constexpr std::size_t kFittedSamples = 8; ///< that operators are fitted to

void requireOptions(const RunOptions& options)
{
    if (options.model.empty())
        throw UsageError("--model is required: the model whose attention is replaced");
    if (!options.out.empty() || !options.store.empty() || !options.encoder.empty() || !options.layers.empty())
        throw UsageError("--out, --store, --layer and --encoder do not belong to attention.*");
}

/// "0,3"; empty: all.
std::vector<int> blocksFrom(const std::string& text)
{
    std::vector<int> blocks;
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t comma = std::min(text.find(',', at), text.size());
        int block = -1;
        const auto [end, error] = std::from_chars(text.data() + at, text.data() + comma, block);
        if (error != std::errc() || end != text.data() + comma || block < 0)
            throw UsageError("--blocks: found '" + text.substr(at, comma - at) + "', expected numbers of blocks between commas, such as 0,3");
        blocks.push_back(block);
        at = comma + 1;
    }
    return blocks;
}

ordered_json orNull(double value) { return std::isfinite(value) ? ordered_json(value) : ordered_json(nullptr); }

struct Trivial {
    const char* key;
    const char* id;
    std::vector<std::pair<std::string, std::int64_t>> settings;
    std::vector<HeadError> heads;
};

double meanOf(const std::vector<HeadError>& heads, double HeadError::*value)
{
    double sum = 0;
    for (const HeadError& head : heads)
        sum += head.*value;
    return sum / static_cast<double>(heads.size());
}

/// The trivial operators on the same blocks and samples; pooling has no meaning where attention is causal.
std::vector<Trivial> trivialErrors(const nn::Model& model, std::span<const int> blocks, const measure::SampleSource& source, const RunContext& context)
{
    std::vector<Trivial> all{{"zero", "attention.zero", {}, {}}, {"meanV", "attention.mean-value", {}, {}}};
    if (!model.spec().blocks.front().attention.causal)
        all.push_back({"meanPool", "attention.linformer", {{"rows", 64}}, {}});
    context.setParts(static_cast<double>(all.size()));
    for (Trivial& each : all) {
        Parameters parameters;
        for (const auto& [name, value] : each.settings)
            parameters.set(name, value);
        each.heads = attention::headErrors(model, attention::operatorsFor(model, attention::everywhere(model, each.id, parameters, blocks)), source, kMapSamples, context.part(1, each.id));
    }
    return all;
}

ordered_json costJson(const report::ModelCostReport& cost, double latencyMs)
{
    return {{"parameters", cost.parameters}, {"bytes", cost.weightBytes}, {"macs", cost.macs}, {"latencyMs", orNull(latencyMs)}};
}

std::string described(const RunOptions& options, const std::vector<HeadError>& heads, const std::vector<Trivial>& trivial, const report::EvaluationReport& quality,
                      const report::ModelCostReport& whole, const report::ModelCostReport& reduced)
{
    Table table({"layer", "head", "map error", "output error", "cosine"}, 0);
    for (const HeadError& head : heads)
        table.add({std::to_string(head.layer), std::to_string(head.head), significant(head.map), significant(head.output), significant(head.cosine)});
    std::string text = table.text() + "\n" + options.method + ": mean map error " + significant(meanOf(heads, &HeadError::map)) + ", output error " + significant(meanOf(heads, &HeadError::output)) + "\n";
    for (const Trivial& each : trivial)
        text += std::string(each.id) + ": mean map error " + significant(meanOf(each.heads, &HeadError::map)) + ", output error " + significant(meanOf(each.heads, &HeadError::output)) + "\n";
    text += grouped(whole.macs) + " -> " + grouped(reduced.macs) + " MACs a sample, " + significant(quality.baselineCost.latencyMs) + " -> " + significant(quality.cost.latencyMs) + " ms\n";
    const auto add = [&](const char* name, const report::Measured& value, const report::Measured* exact) {
        if (value.present())
            text += std::string(name) + " " + significant(value.mean) + (exact ? " (exact " + significant(exact->mean) + ")" : "") + "\n";
    };
    add("perplexity", quality.quality.perplexity, &quality.baselineQuality.perplexity);
    add("top-1", quality.quality.top1, &quality.baselineQuality.top1);
    add("agreement", quality.fidelity.agreement, nullptr);
    add("KL, nats", quality.fidelity.kl, nullptr);
    add("cosine of the outputs", quality.fidelity.logitCosine, nullptr);
    return text;
}

ordered_json trivialJson(const std::vector<Trivial>& trivial)
{
    ordered_json json = ordered_json::object();
    for (const Trivial& each : trivial)
        json[each.key] = {{"mapError", orNull(meanOf(each.heads, &HeadError::map))}, {"outputError", orNull(meanOf(each.heads, &HeadError::output))}};
    return json;
}
} // namespace

void runAttention(Console& console, const RunOptions& options)
{
    const auto start = std::chrono::steady_clock::now();
    const attention::Method& method = methodAmong(attention::methods(), options.method);
    requireOptions(options);
    const Parameters parameters = parametersFrom(method.declaration, options.settings, console.common());
    const std::vector<int> blocks = blocksFrom(options.blocks);
    const app::SampleRequest request = requestFrom(options.samples);
    const RunContext& context = console.context();
    context.setParts(20);
    const auto checkpoint = io::Checkpoint::open(options.model, context.part(0.5, "opening"));
    const auto model = nn::Model::load(*checkpoint, context.part(1, "loading"));
    const auto source = app::openSamples(request, options.model, *model, context.part(0.5, "opening the samples"));
    const auto choices = attention::everywhere(*model, method.declaration.id, parameters, blocks);
    attention::AssignmentInputs with{.seed = static_cast<std::uint64_t>(console.common().seed.value_or(0))};
    if (attention::needsSamples(choices))
        with.samples = attention::collectSamples(*model, *source, kFittedSamples, blocks, context.part(1, "collecting queries and keys"));
    const auto operators = attention::operatorsFor(*model, choices, with);
    const auto heads = attention::headErrors(*model, operators, *source, kMapSamples, context.part(3, "comparing heads"));
    const auto trivial = trivialErrors(*model, blocks, *source, context.part(5, "trivial operators"));
    const auto changed = attention::replaced(model, operators);
    measure::EvaluateOptions evaluation;
    evaluation.predictions = 0;
    evaluation.mapSamples = 0;
    evaluation.latencyRuns = options.latency ? 5 : 0;
    const auto quality = measure::evaluate(*model, changed.get(), *source, evaluation, context.part(10, "evaluating"));
    const auto whole = cost::modelCost(*model), reduced = cost::modelCost(*changed);
    ordered_json document{{"schema", "tamis.run/1"}, {"method", options.method}, {"parameters", toJson(parameters)}};
    document["inputs"] = {{"model", {{"path", options.model}}}, {"samples", source->description()}, {"blocks", blocks}};
    const ordered_json evaluated = toJson(quality);
    document["cost"] = costJson(reduced, quality.cost.latencyMs);
    document["baseline"] = {{"method", "exact"}, {"cost", costJson(whole, quality.baselineCost.latencyMs)}, {"quality", evaluated["baseline"]["quality"]}};
    document["quality"] = evaluated["quality"];
    document["heads"] = ordered_json::array();
    for (const HeadError& head : heads)
        document["heads"].push_back({{"layer", head.layer}, {"head", head.head}, {"mapError", orNull(head.map)}, {"outputError", orNull(head.output)}, {"cosine", orNull(head.cosine)}});
    document["trivial"] = trivialJson(trivial);
    document["warnings"] = ordered_json::array();
    for (const std::string& warning : quality.warnings)
        addWarning(document, warning);
    document["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    console.print(described(options, heads, trivial, quality, whole, reduced));
    console.finish(std::move(document));
}

} // namespace tamis::cli
