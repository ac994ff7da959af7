// SPDX-License-Identifier: GPL-3.0-or-later
// Methods of the attention lab side by side on the same samples, exact and trivial attention first; trained around, too, where that is asked for.
#include "app/cli/attention_choices.h"
#include "app/cli/attention_json.h"
#include "app/cli/attention_tuning.h"
#include "app/cli/json_output.h"
#include "app/cli/method_choice.h"
#include "app/cli/run_attention.h"
#include "app/cli/run_inputs.h"
#include "app/cli/table.h"
#include "app/cli/training_output.h"
#include "app/cli/usage_error.h"
#include "core/attention/comparison.h"
#include "core/base/atomic_file.h"
#include "core/base/error.h"
#include "core/io/checkpoint.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace tamis::cli {
namespace {
using attention::ComparedSetting;
using nlohmann::ordered_json;
using report::AttentionComparison, report::AttentionPoint;

/// `tokens`: of a sample; 0: not known yet.
std::vector<ComparedSetting> settingsFrom(const CompareOptions& options, const CommonOptions& common, std::int64_t tokens)
{
    if (options.methods.empty())
        return attention::usualSettings(tokens);
    std::vector<ComparedSetting> all;
    for (const std::string& text : options.methods) {
        const attention::Method& method = methodAmong(attention::methods(), text.substr(0, text.find(':')));
        const std::size_t colon = text.find(':');
        const std::vector<std::string> given = colon == std::string::npos ? std::vector<std::string>() : settingsBetween(text.substr(colon + 1), ':');
        const Parameters complete = parametersFrom(method.declaration, given, common);
        Parameters told;
        for (const std::string& setting : given) {
            const std::string name = splitAssignment(setting, "--method").first;
            told.set(name, complete.value(name));
        }
        std::ranges::move(given.empty() ? attention::usualSettings(method, {}, tokens) : std::vector<ComparedSetting>{{method.declaration.id, told}}, std::back_inserter(all));
    }
    return all;
}

/// What the whole model has: its name and whether it is a share.
struct QualityColumn {
    const char* name;
    double AttentionPoint::*value;
    bool share;
};

std::vector<QualityColumn> qualityColumns(const AttentionComparison& comparison)
{
    std::vector<QualityColumn> columns;
    const AttentionPoint& exact = comparison.points.front();
    for (const QualityColumn& column : {QualityColumn{"perplexity", &AttentionPoint::perplexity, false}, {"top-1", &AttentionPoint::top1, true}, {"agreement", &AttentionPoint::agreement, true},
                                        {"KL", &AttentionPoint::kl, false}, {"cosine", &AttentionPoint::cosine, false}})
        if (std::isfinite(exact.*column.value))
            columns.push_back(column);
    return columns;
}

std::string described(const AttentionComparison& comparison)
{
    const auto columns = qualityColumns(comparison);
    const bool timed = std::isfinite(comparison.points.back().latencyMs) || std::isfinite(comparison.points.front().latencyMs);
    std::vector<std::string> heading{"method", "settings", "", "map error", "output error", "GMAC"};
    for (const QualityColumn& column : columns)
        heading.emplace_back(column.name);
    if (timed)
        heading.insert(heading.end(), {"ms", "x"});
    heading.emplace_back("front");
    Table table(heading, 3);
    const auto front = attention::paretoFront(comparison);
    std::string failures;
    for (std::size_t i = 0; i < comparison.points.size(); ++i) {
        const AttentionPoint& point = comparison.points[i];
        if (!point.failure.empty()) {
            failures += "failed: " + point.title + (point.settings.empty() ? "" : " (" + point.settings + ")") + (point.tuned ? ", trained" : "") + ": " + point.failure + "\n";
            continue;
        }
        std::vector<std::string> cells{point.title, point.settings, point.tuned ? "trained" : point.baseline ? "trivial" : "", significant(point.mapError, 3), significant(point.outputError, 3),
                                       significant(static_cast<double>(point.macs) * 1e-9)};
        for (const QualityColumn& column : columns)
            cells.push_back(column.share ? percent(point.*column.value, 2) : significant(point.*column.value));
        if (timed)
            cells.insert(cells.end(), {significant(point.latencyMs, 3), fixed(point.wholeLatencyMs / point.latencyMs, 2)});
        cells.emplace_back(front[i] ? "*" : "");
        table.add(std::move(cells));
    }
    std::string text = table.text() + failures + comparison.samples + "; * no other point has as few multiply-adds and as much quality\n";
    if (!comparison.fitted.empty())
        text += "methods that are fitted are to " + comparison.fitted + "\n";
    for (const std::string& warning : comparison.warnings)
        text += "warning: " + warning + "\n";
    return text;
}

std::string quoted(const std::string& text)
{
    std::string cell = "\"";
    for (const char c : text)
        cell += c == '"' ? std::string("\"\"") : std::string(1, c);
    return cell + "\"";
}

std::string csvOf(const AttentionComparison& comparison)
{
    std::string text = "method,title,settings,trivial,trained,map error,output error,macs,scratch bytes,top-1,perplexity,agreement,kl,cosine,ms,whole ms,failure\n";
    const auto number = [](double value) { return std::isfinite(value) ? toText(ParameterValue(value)) : std::string(); };
    for (const AttentionPoint& p : comparison.points) {
        const bool failed = !p.failure.empty();
        text += quoted(p.method.empty() ? "exact" : p.method) + "," + quoted(p.title) + "," + quoted(p.settings) + "," + (p.baseline ? "1" : "0") + "," + (p.tuned ? "1" : "0");
        for (const double value : {p.mapError, p.outputError, failed ? report::kNotMeasured : static_cast<double>(p.macs), failed ? report::kNotMeasured : static_cast<double>(p.liveBytes), p.top1, p.perplexity,
                                   p.agreement, p.kl, p.cosine, p.latencyMs, p.wholeLatencyMs})
            text += "," + number(value);
        text += "," + quoted(p.failure) + "\n";
    }
    return text;
}

ordered_json documentOf(const AttentionComparison& comparison, const CompareOptions& options)
{
    ordered_json document{{"schema", "tamis.compare/1"}};
    document["inputs"] = {{"model", {{"path", options.run.model}}}, {"samples", comparison.samples}, {"fitted", comparison.fitted.empty() ? ordered_json(nullptr) : ordered_json(comparison.fitted)}};
    document["planned"] = comparison.planned;
    document["rows"] = ordered_json::array();
    document["warnings"] = ordered_json::array();
    const auto front = attention::paretoFront(comparison);
    for (std::size_t i = 0; i < comparison.points.size(); ++i) {
        const AttentionPoint& p = comparison.points[i];
        const bool failed = !p.failure.empty();
        const auto counted = [failed](std::uint64_t count) { return failed ? ordered_json(nullptr) : ordered_json(count); };
        document["rows"].push_back({{"method", p.method.empty() ? "exact" : p.method}, {"title", p.title}, {"settings", p.settings}, {"parameters", toJson(p.parameters)}, {"baseline", p.baseline}, {"tuned", p.tuned},
                                    {"mapError", orNull(p.mapError)}, {"outputError", orNull(p.outputError)},
                                    {"quality", {{"top1", orNull(p.top1)}, {"perplexity", orNull(p.perplexity)}, {"agreement", orNull(p.agreement)}, {"kl", orNull(p.kl)}, {"logitCosine", orNull(p.cosine)}}},
                                    {"cost", {{"macs", counted(p.macs)}, {"liveBytes", counted(p.liveBytes)}, {"latencyMs", orNull(p.latencyMs)}, {"wholeLatencyMs", orNull(p.wholeLatencyMs)}}},
                                    {"pareto", static_cast<bool>(front[i])}, {"failure", p.failure}});
        if (failed)
            addWarning(document, p.title + (p.settings.empty() ? "" : " (" + p.settings + ")") + ": " + p.failure);
    }
    for (const std::string& warning : comparison.warnings)
        addWarning(document, warning);
    return document;
}

/// The comparison of one command.
class Comparing {
public:
    Comparing(Console& console, const CompareOptions& options) : m_console(console), m_options(options), m_context(console.context()) {}
    AttentionComparison run();

private:
    void addTrained(AttentionComparison& comparison, const std::vector<ComparedSetting>& settings);
    AttentionPoint trained(AttentionPoint point, const std::vector<attention::HeadChoice>& choices, const measure::SampleSource& source, const RunContext& context);
    void keep(const AttentionComparison& soFar)
    {
        m_console.keep(described(soFar) + "stopped after " + std::to_string(soFar.points.size()) + " of " + std::to_string(soFar.planned) + " rows\n", documentOf(soFar, m_options));
    }
    Console& m_console;
    const CompareOptions& m_options;
    const RunContext& m_context;
    std::shared_ptr<const io::Checkpoint> m_checkpoint;
    std::shared_ptr<const nn::Model> m_model;
    std::shared_ptr<const measure::SampleSource> m_samples;
    attention::ComparisonOptions m_measured;
};

AttentionPoint Comparing::trained(AttentionPoint point, const std::vector<attention::HeadChoice>& choices, const measure::SampleSource& source, const RunContext& context)
{
    point.tuned = true;
    point.mapError = point.outputError = report::kNotMeasured; // of other queries, keys and values than the whole model's
    context.setParts(10);
    attention::AssignmentInputs with{.seed = m_measured.seed, .samples = {}, .context = RunContext(context.stopToken())};
    if (m_measured.fitting && attention::needsSamples(choices))
        with.samples = attention::collectSamples(*m_model, *m_measured.fitting, m_measured.fittedSamples, m_measured.blocks, context.part(1, "collecting queries and keys"));
    const auto tuned = attention::fineTune(*m_checkpoint, choices, with, source, tuningSettings(m_options.run), context.part(7, "training"));
    const auto model = tuned.apply(*m_checkpoint, with, context);
    attention::measurePoint(point, *m_model, model.get(), *m_samples, m_measured.latencyRuns, context.part(2, "evaluating"));
    return point;
}

void Comparing::addTrained(AttentionComparison& comparison, const std::vector<ComparedSetting>& settings)
{
    const auto source = trainingSamples(m_options.run, *m_model, m_context.part(0, "opening the samples to train on"));
    std::vector<std::pair<AttentionPoint, std::vector<attention::HeadChoice>>> planned{{comparison.points.front(), {}}};
    for (const ComparedSetting& setting : settings)
        if (const attention::Method* method = attention::findMethod(setting.method); method && method->onTape)
            for (const AttentionPoint& point : comparison.points)
                if (point.failure.empty() && !point.tuned && point.method == setting.method && point.parameters == method->declaration.schema.complete(setting.parameters)) {
                    planned.emplace_back(point, attention::everywhere(*m_model, setting.method, point.parameters, m_measured.blocks));
                    break;
                }
    comparison.planned += planned.size();
    const RunContext part = m_context.part(60, "training");
    part.setParts(static_cast<double>(planned.size()));
    for (auto& [point, choices] : planned) {
        keep(comparison);
        AttentionPoint made = point;
        try {
            made = trained(point, choices, *source, part.part(1, point.title));
        } catch (const Error& error) {
            if (error.code() == ErrorCode::Cancelled)
                throw;
            made = AttentionPoint{.method = point.method, .title = point.title, .settings = point.settings, .parameters = point.parameters, .tuned = true, .failure = error.what()};
        }
        comparison.points.push_back(std::move(made));
    }
}

AttentionComparison Comparing::run()
{
    const RunOptions& run = m_options.run;
    m_context.setParts(tunes(run) ? 81 : 21);
    (void)settingsFrom(m_options, m_console.common(), 0); // refused before anything is read
    const auto blocks = blocksFrom(run.blocks);
    if (!blocks)
        throw UsageError("--blocks: found none, expected blocks whose attention is replaced");
    m_checkpoint = io::Checkpoint::open(run.model, m_context.part(0.3, "opening"));
    m_model = nn::Model::load(*m_checkpoint, m_context.part(0.3, "loading"));
    m_samples = app::openSamples(requestFrom(run.samples), run.model, *m_model, m_context.part(0.4, "opening the samples"));
    measure::LoadedSample first;
    if (m_samples->count() > 0)
        m_samples->load(0, first);
    const auto settings = settingsFrom(m_options, m_console.common(), m_samples->count() > 0 ? m_model->embeddedTokens(first.view()) : 0);
    const bool fits = std::ranges::any_of(settings, [](const ComparedSetting& setting) { return attention::findMethod(setting.method)->fits; });
    const auto given = openFitting(run.fitting, run.samples, run.model, *m_model, m_context);
    const auto split = attention::splitForFitting(m_samples, given, fits && (given || m_samples->count() > 1)); // of one sample, what is fitted fails alone
    m_samples = split.scored;
    m_measured.fitting = split.fitted;
    m_measured.blocks = *blocks;
    m_measured.seed = static_cast<std::uint64_t>(m_console.common().seed.value_or(0));
    m_measured.latencyRuns = run.latency ? 5 : 0;
    auto comparison = attention::compareMethods(m_model, *m_samples, settings, m_measured, m_context.part(20, "comparing"), [this](const AttentionComparison& soFar) { keep(soFar); });
    if (tunes(run))
        addTrained(comparison, settings);
    return comparison;
}
} // namespace

void compareAttention(Console& console, const CompareOptions& options)
{
    if (options.run.model.empty())
        throw UsageError("MODEL is required: the model whose attention is replaced");
    if (!options.run.heldOut.empty() || !options.run.calibration.empty())
        throw UsageError("--held-out and --calibration do not belong to compare --lab attention, which measures on --images, --tokens or --text");
    requireTuning(options.run);
    requireWritable(options.csv, "a table");
    const auto start = std::chrono::steady_clock::now();
    const auto comparison = Comparing(console, options).run();
    ordered_json document = documentOf(comparison, options);
    std::string text = described(comparison);
    if (!options.csv.empty()) {
        console.beginWriting();
        writeFileAtomically(options.csv, csvOf(comparison));
        document["written"] = {options.csv};
        text += "wrote " + options.csv + "\n";
    }
    document["seconds"] = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    console.print(text);
    console.finish(std::move(document));
}

} // namespace tamis::cli
