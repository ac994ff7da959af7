// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/run_attention.h"

#include "app/attention/planned_attention.h"
#include "app/cli/attention_choices.h"
#include "app/cli/attention_json.h"
#include "app/cli/attention_scaling.h"
#include "app/cli/attention_tuning.h"
#include "app/cli/evaluation_json.h"
#include "app/cli/json_output.h"
#include "app/cli/method_choice.h"
#include "app/cli/run_inputs.h"
#include "app/cli/table.h"
#include "app/cli/token_plan.h"
#include "app/cli/training_output.h"
#include "app/cli/usage_error.h"
#include "core/attention/attention_study.h"
#include "core/attention/head_effects.h"
#include "core/attention/suited_methods.h"
#include "core/base/error.h"
#include "core/cost/model_cost.h"
#include "core/io/checkpoint.h"
#include "core/measure/evaluate.h"
#include "core/plan/model_cost.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <tuple>

namespace tamis::cli {
namespace {
using attention::HeadChoice;
using nlohmann::ordered_json;

constexpr std::size_t kMapSamples = 4; ///< whose heads are compared

/// All that is measured, as far as it is.
struct Measured {
    std::string samples, fitted; ///< fitted: what operators are fitted to; empty: none is
    Parameters parameters;
    std::vector<HeadChoice> choices;
    report::AttentionReport heads;
    report::EvaluationReport quality;
    report::ModelCostReport whole, changed;
    std::optional<attention::HeadCandidates> candidates;
    std::vector<HeadChoice> suited; ///< under the budget of --suit for all heads together
    std::vector<TunedOutcome> tuned;
    std::vector<std::int32_t> tokenIds; ///< of the viewed sample
    std::vector<std::string> written, warnings;
};

void requireOptions(const RunOptions& options)
{
    if (options.model.empty())
        throw UsageError("--model is required: the model whose attention is replaced");
    if (!options.store.empty() || !options.encoder.empty() || !options.layers.empty())
        throw UsageError("--store, --layer and --encoder do not belong to attention.*");
    if (options.out.empty() != options.view.empty())
        throw UsageError("found --" + std::string(options.out.empty() ? "view" : "out") + " alone, expected --view LAYER:HEAD and --out DIR together: whose maps are written, and where");
    if (!options.view.empty())
        (void)headFrom(options.view, "--view");
    if (!options.suitedPlan.empty() && options.suit == 0)
        throw UsageError("--suited-plan belongs to --suit");
    requireWritable(options.savePlan, "a plan");
    requireWritable(options.suitedPlan, "a plan");
    requireTuning(options);
}

ordered_json costJson(const report::ModelCostReport& cost, double latencyMs)
{
    return {{"parameters", cost.parameters}, {"bytes", cost.weightBytes}, {"macs", cost.macs}, {"attentionMacs", cost.attentionMacs}, {"latencyMs", orNull(latencyMs)}};
}

std::string qualityText(const report::EvaluationReport& quality)
{
    std::string text;
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

std::string described(const Measured& all, const RunOptions& options)
{
    std::string text = headsText(all.heads);
    text += grouped(all.whole.macs) + " -> " + grouped(all.changed.macs) + " MACs a sample, of attention " + grouped(all.whole.attentionMacs) + " -> " + grouped(all.changed.attentionMacs) + "; " +
            significant(all.quality.baselineCost.latencyMs) + " -> " + significant(all.quality.cost.latencyMs) + " ms\n" + qualityText(all.quality);
    if (all.candidates)
        text += "suited, at no more than " + percent(options.suit) + " of a head's multiply-adds; for all heads together within that budget " + std::to_string(all.suited.size()) + " of " +
                std::to_string(all.candidates->heads.size()) + " heads are replaced\n";
    for (const TunedOutcome& outcome : all.tuned)
        text += tunedText(outcome);
    text += checksText(all.tuned);
    if (!all.fitted.empty())
        text += "measured on " + all.samples + "; methods that are fitted are to " + all.fitted + "\n";
    for (const std::string& warning : all.warnings)
        text += "warning: " + warning + "\n";
    for (const std::string& file : all.written)
        text += "wrote " + file + "\n";
    return text;
}

ordered_json documentOf(const Measured& all, const RunOptions& options)
{
    ordered_json document{{"schema", "tamis.run/1"}, {"method", options.method}, {"parameters", toJson(all.parameters)}};
    document["inputs"] = {{"model", {{"path", options.model}}}, {"samples", all.samples}, {"fitted", all.fitted.empty() ? ordered_json(nullptr) : ordered_json(all.fitted)}, {"blocks", attention::blocksOf(all.choices)}};
    const ordered_json evaluated = toJson(all.quality);
    document["cost"] = costJson(all.changed, all.quality.cost.latencyMs);
    document["cost"]["liveBytes"] = all.heads.liveBytes;
    document["baseline"] = {{"method", "exact"}, {"cost", costJson(all.whole, all.quality.baselineCost.latencyMs)}, {"quality", evaluated["baseline"]["quality"]}};
    document["quality"] = evaluated["quality"];
    document["choices"] = choicesJson(all.choices);
    document["heads"] = headsJson(all.heads.heads);
    document["averagedSamples"] = all.heads.averagedSamples;
    document["trivial"] = trivialJson(all.heads.trivial);
    if (!options.view.empty())
        document["view"] = viewJson(all.heads.view, all.tokenIds);
    if (all.candidates)
        document["suited"] = {{"keep", options.suit}, {"choices", choicesJson(all.suited)}};
    for (const TunedOutcome& outcome : all.tuned)
        document[outcome.name == "exact" ? "tunedExact" : "tuned"] = tunedJson(outcome);
    document["warnings"] = ordered_json::array();
    for (const std::string& warning : all.quality.warnings)
        addWarning(document, warning);
    for (const std::string& warning : all.warnings)
        addWarning(document, warning);
    if (!all.written.empty())
        document["written"] = all.written;
    return document;
}

/// One model with samples and options: what is measured on them, step by step.
class AttentionRun {
public:
    AttentionRun(Console& console, const RunOptions& options, const attention::Method& method) : m_console(console), m_options(options), m_method(method), m_context(console.context()) {}
    Measured run();

private:
    void open();
    void choose();
    void split();
    void measureHeads();
    void evaluate();
    void addEffects();
    void addSuited();
    void savePlans();
    void writeFiles();
    void keep() { m_console.keep(described(m_all, m_options) + "stopped before everything was measured\n", documentOf(m_all, m_options)); }
    attention::AttentionRequest request() const;
    std::vector<std::shared_ptr<const attention::AttentionCapture>> captures(const RunContext& context);

    Console& m_console;
    const RunOptions& m_options;
    const attention::Method& m_method;
    const RunContext& m_context;
    std::shared_ptr<const io::Checkpoint> m_checkpoint;
    std::shared_ptr<const nn::Model> m_model, m_base; ///< the checkpoint's, and that with the plan's operators
    std::shared_ptr<const measure::SampleSource> m_source;
    std::optional<plan::Plan> m_plan;
    std::optional<attention::Tuned> m_restored;
    std::optional<attention::AttentionStudy> m_study;
    std::uint64_t m_seed = 0;
    bool m_mayFit = false;
    Measured m_all;
};

void AttentionRun::open()
{
    m_checkpoint = io::Checkpoint::open(m_options.model, m_context.part(0.5, "opening"));
    m_model = nn::Model::load(*m_checkpoint, m_context.part(1, "loading"));
    m_source = app::openSamples(requestFrom(m_options.samples), m_options.model, *m_model, m_context.part(0.5, "opening the samples"));
    if (!m_options.plan.empty())
        m_plan = plan::readPlan(m_options.plan);
    m_base = plannedModel(m_model, m_checkpoint, m_plan, m_options, m_context.part(m_plan ? 2 : 0, "the plan"));
    if (m_plan && m_plan->tokens)
        m_all.warnings.push_back("The plan's tokens are left aside: tamis-cli run " + m_plan->tokens->method + " --plan measures them.");
    m_restored = tunedOf(m_options, m_context);
}

void AttentionRun::choose()
{
    m_seed = m_console.common().seed ? static_cast<std::uint64_t>(*m_console.common().seed) : m_restored ? m_restored->seed : m_plan ? static_cast<std::uint64_t>(m_plan->attentionSeed) : 0;
    if (m_restored) {
        if (!m_options.choices.empty() || !m_options.blocks.empty() || !m_options.settings.empty())
            throw UsageError("--choose, --blocks and --set beside --tuned, expected none: what stands where is in " + m_options.tuned);
        m_all.choices = m_restored->choices;
    } else {
        m_all.choices = choicesFrom(m_options, *m_base, m_method.declaration.id, m_all.parameters, m_plan, m_console.common());
    }
}

/// Samples that operators are fitted to are not scored: everything is measured on the others.
void AttentionRun::split()
{
    const auto given = openFitting(m_options.fitting, m_options.samples, m_options.model, *m_model, m_context);
    bool fits = attention::needsSamples(m_all.choices);
    if (!fits && m_options.suit > 0) {
        fits = given || m_source->count() > 1;
        if (!fits)
            m_all.warnings.push_back("Methods that are fitted are left out of --suit: there is one sample, and it is scored.");
    }
    const auto split = attention::splitForFitting(m_source, given, fits);
    m_source = split.scored;
    m_all.samples = m_source->description();
    m_all.fitted = split.fitted ? split.fitted->description() : "";
    m_mayFit = fits;
    m_study.emplace(m_base, m_source, split.fitted);
}

attention::AttentionRequest AttentionRun::request() const
{
    attention::AttentionRequest asked{.choices = m_all.choices, .sample = static_cast<std::size_t>(m_options.viewSample), .average = kMapSamples, .seed = m_seed};
    if (!m_options.view.empty())
        std::tie(asked.layer, asked.head) = headFrom(m_options.view, "--view");
    return asked;
}

void AttentionRun::measureHeads()
{
    const attention::AttentionRequest asked = request();
    const nn::ModelSpec& spec = m_base->spec();
    if (asked.layer >= static_cast<int>(spec.blocks.size()) || asked.head >= spec.blocks[static_cast<std::size_t>(asked.layer)].attention.heads)
        throw UsageError("--view: found " + m_options.view + ", expected a layer below " + std::to_string(spec.blocks.size()) + " and a head below " +
                         std::to_string(spec.blocks[static_cast<std::size_t>(std::clamp(asked.layer, 0, static_cast<int>(spec.blocks.size()) - 1))].attention.heads));
    if (asked.sample >= m_source->count())
        throw UsageError("--view-sample: found " + std::to_string(asked.sample) + ", expected a number below " + std::to_string(m_source->count()));
    m_all.heads = m_study->whole(asked, m_context.part(6, "comparing heads"));
    if (!m_options.view.empty()) {
        measure::LoadedSample sample;
        m_source->load(asked.sample, sample);
        m_all.tokenIds = sample.tokens;
    }
}

void AttentionRun::evaluate()
{
    const auto changed = attention::replaced(m_base, m_study->operators(request(), m_context));
    measure::EvaluateOptions evaluation;
    evaluation.predictions = 0;
    evaluation.mapSamples = 0;
    evaluation.latencyRuns = m_options.latency ? 5 : 0;
    m_all.quality = measure::evaluate(*m_model, changed.get(), *m_source, evaluation, m_context.part(10, "evaluating"));
    const cost::CostOptions sample{.tokens = m_model->spec().vision() ? 0 : m_all.heads.view.tokens};
    m_all.whole = cost::modelCost(*m_model, sample);
    m_all.changed = cost::modelCost(*changed, sample);
}

std::vector<std::shared_ptr<const attention::AttentionCapture>> AttentionRun::captures(const RunContext& context)
{
    std::vector<std::shared_ptr<const attention::AttentionCapture>> all;
    for (const std::size_t sample : attention::spreadSamples(request().sample, kMapSamples, m_source->count()))
        all.push_back(m_study->capture(sample, context));
    return all;
}

void AttentionRun::addEffects()
{
    const RunContext part = m_context.part(10, "each head alone");
    const auto samples = captures(part);
    const auto with = m_study->assignmentInputs(request(), m_all.choices, part);
    const auto fill = [&](const attention::HeadEffect& effect) {
        for (report::HeadComparison& head : m_all.heads.heads)
            if (head.layer == effect.layer && head.head == effect.head)
                head.logits = effect.logits;
        keep();
    };
    (void)attention::logitEffects(m_base, m_all.choices, with, samples, part, fill);
}

void AttentionRun::addSuited()
{
    const RunContext part = m_context.part(10, "methods that suit heads");
    const auto settings = attention::usualSettings(m_all.heads.view.tokens);
    std::vector<HeadChoice> tried;
    for (const attention::ComparedSetting& setting : settings)
        if (m_mayFit)
            tried.push_back({0, attention::kAllHeads, setting.method, setting.parameters});
    const auto with = m_study->assignmentInputs(request(), tried, part);
    m_all.candidates = attention::measureCandidates(*m_base, settings, with, captures(part), part);
    attention::fillSuited(m_all.heads.heads, *m_all.candidates, m_options.suit);
    m_all.suited = attention::suitedChoices(*m_all.candidates, m_options.suit);
    for (const std::string& refused : m_all.candidates->refused)
        m_all.warnings.push_back("left out for every head: " + refused);
}

void AttentionRun::savePlans()
{
    const auto save = [&](const std::string& file, const std::vector<HeadChoice>& choices) {
        if (file.empty())
            return;
        m_console.beginWriting();
        plan::Plan plan;
        if (m_plan) {
            plan = *m_plan;
        } else {
            plan.modelPath = m_options.model;
            plan.modelSha256 = m_checkpoint->sha256(m_context);
            plan.budget.keep = 1;
            plan.cost = plan.baseline = plan::modelCost(*m_checkpoint);
        }
        plan.attention = app::plannedOf(choices);
        plan.attentionSeed = static_cast<std::int64_t>(m_seed);
        plan::writePlan(file, plan);
        m_all.written.push_back(file);
    };
    save(m_options.savePlan, m_all.choices);
    save(m_options.suitedPlan, m_all.suited);
}

void AttentionRun::writeFiles()
{
    if (m_options.out.empty())
        return;
    const auto files = viewFiles(m_options.out, m_all.heads.view);
    for (const auto& file : files)
        if (!m_options.overwrite && std::filesystem::exists(file))
            throw Error(ErrorCode::IoFailure, "exists already, expected no such file, or --overwrite", file.string());
    m_console.beginWriting();
    writeView(m_options.out, m_all.heads.view, m_all.tokenIds);
    for (const auto& file : files)
        m_all.written.push_back(file.string());
}

Measured AttentionRun::run()
{
    const bool tuning = tunes(m_options);
    m_context.setParts(20 + (m_options.effects ? 10 : 0) + (m_options.suit > 0 ? 10 : 0) + (tuning ? 60 : m_options.tuned.empty() ? 0 : 8) + (m_options.plan.empty() ? 0 : 2));
    m_all.parameters = parametersFrom(m_method.declaration, m_options.settings, m_console.common());
    for (const std::string& text : m_options.choices)
        (void)choiceFrom(text, m_console.common()); // refused before anything is read
    open();
    choose();
    split();
    measureHeads();
    evaluate();
    keep();
    if (m_options.effects)
        addEffects();
    if (m_options.suit > 0)
        addSuited();
    if (tuning || m_restored) {
        keep();
        const RunContext part = m_context.part(tuning ? 60 : 8, "training");
        const auto with = m_study->assignmentInputs(request(), m_all.choices, part);
        m_all.tuned = tunedOutcomes(m_console, m_options, *m_checkpoint, *m_model, m_all.choices, with, std::move(m_restored), *m_source, part);
        for (const TunedOutcome& outcome : m_all.tuned)
            m_all.warnings.insert(m_all.warnings.end(), outcome.tuned.warnings.begin(), outcome.tuned.warnings.end());
    }
    savePlans();
    writeFiles();
    return std::move(m_all);
}
} // namespace

void runAttention(Console& console, const RunOptions& options)
{
    if (!options.scaling.empty())
        return runAttentionScaling(console, options);
    const auto start = std::chrono::steady_clock::now();
    const attention::Method& method = methodAmong(attention::methods(), options.method);
    requireOptions(options);
    const Measured all = AttentionRun(console, options, method).run();
    ordered_json document = documentOf(all, options);
    document["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    console.print(described(all, options));
    console.finish(std::move(document));
}

} // namespace tamis::cli
