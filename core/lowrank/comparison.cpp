// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/comparison.h"

#include "core/base/error.h"
#include "core/lowrank/round_to_nearest.h"
#include "core/measure/evaluate.h"
#include "core/plan/model_cost.h"

#include <chrono>

namespace tamis::lowrank {
namespace {

std::string qualityName(nn::Task task)
{
    switch (task) {
    case nn::Task::CausalLanguage: return "perplexity";
    case nn::Task::ImageClassification:
    case nn::Task::SequenceClassification: return "top-1";
    default: return "cosine";
    }
}

std::string settingsOf(const Parameters& parameters, const plan::BudgetRequest& budget)
{
    std::string text = "allocation " + std::string(plan::allocationName(budget.allocation)) + ", " + std::string(plan::accountingName(budget.accounting));
    if (budget.alignment > 1)
        text += ", ranks in steps of " + std::to_string(budget.alignment);
    for (const auto& [name, value] : parameters.all())
        text += ", " + name + " " + toText(value);
    return text;
}

class Comparison {
public:
    Comparison(const Inputs& inputs, const measure::SampleSource& heldOut, const ComparisonOptions& options, const RowFinished& finished)
        : m_inputs(inputs), m_heldOut(heldOut), m_finished(finished)
    {
        m_evaluate.mapSamples = 0;
        m_evaluate.predictions = 0;
        m_evaluate.ownErrors = false;
        m_evaluate.latencyRuns = options.latencyRuns;
        m_layers = options.layers;
    }

    report::MethodComparison run(const std::vector<ComparisonEntry>& entries, const RunContext& context)
    {
        const auto start = std::chrono::steady_clock::now();
        m_result.model = m_inputs.checkpoint->path().string();
        m_result.calibration = m_inputs.calibration ? m_inputs.calibration->inputs() : std::string();
        m_result.samples = m_heldOut.description();
        m_result.qualityName = qualityName(m_inputs.model->spec().task);
        m_result.planned = entries.size() + 1;
        context.setParts(static_cast<double>(m_result.planned));
        addDense(context.part(1, "dense"));
        for (const ComparisonEntry& entry : entries) {
            m_result.rows.push_back(row(entry, context.part(1, entry.label)));
            m_result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
            if (m_finished)
                m_finished(m_result);
        }
        context.finish();
        return m_result;
    }

private:
    void addDense(const RunContext& context)
    {
        report::ComparisonRow row;
        row.label = row.method = "dense";
        row.baseline = true;
        row.cost = plan::modelCost(*m_inputs.checkpoint);
        const auto evaluated = measure::evaluate(*m_inputs.model, nullptr, m_heldOut, m_evaluate, context);
        row.quality = evaluated.quality;
        row.latencyMs = evaluated.cost.latencyMs;
        row.relativeLoss = row.heldOutRelativeLoss = 0;
        m_result.rows.push_back(std::move(row));
        if (m_finished)
            m_finished(m_result);
    }

    Compression compress(const ComparisonEntry& entry, report::ComparisonRow& row, const RunContext& context) const
    {
        if (entry.method == "round-to-nearest") {
            row.baseline = true;
            row.settings = "one scale a row, no calibration";
            return roundedModel(m_inputs, entry.bits, context);
        }
        const Method* method = findMethod(entry.method);
        if (!method)
            throw Error(ErrorCode::InvalidParameter, "there is no such method in this lab", entry.method);
        const Parameters parameters = method->declaration.schema.complete(entry.parameters);
        row.settings = settingsOf(parameters, entry.budget);
        return method->compress(m_inputs, entry.budget, parameters, context, {});
    }

    report::ComparisonRow row(const ComparisonEntry& entry, const RunContext& context)
    {
        report::ComparisonRow row;
        row.label = entry.label;
        row.method = entry.method;
        row.keep = entry.budget.keep;
        context.setParts(2);
        try {
            const auto start = std::chrono::steady_clock::now();
            const Compression compression = compress(entry, row, context.part(1, "compressing"));
            row.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
            row.cost = compression.report.cost;
            row.relativeLoss = compression.report.relativeLoss();
            row.heldOutRelativeLoss = compression.report.heldOutRelativeLoss();
            const auto model = compressed(*m_inputs.model, compression);
            const auto evaluated = measure::evaluate(*m_inputs.model, model.get(), m_heldOut, m_evaluate, context.part(1, "evaluating"));
            row.quality = evaluated.quality;
            row.fidelity = evaluated.fidelity;
            row.latencyMs = evaluated.cost.latencyMs;
            if (m_layers)
                row.layers = evaluated.layers;
        } catch (const Error& error) {
            if (error.code() == ErrorCode::Cancelled || error.code() == ErrorCode::OutOfMemory)
                throw;
            row.failure = error.what();
        }
        context.finish();
        return row;
    }

    const Inputs& m_inputs;
    const measure::SampleSource& m_heldOut;
    const RowFinished& m_finished;
    measure::EvaluateOptions m_evaluate;
    bool m_layers = true;
    report::MethodComparison m_result;
};

} // namespace

report::MethodComparison compareMethods(const Inputs& inputs, const measure::SampleSource& heldOut, const std::vector<ComparisonEntry>& entries,
                                        const ComparisonOptions& options, const RunContext& context, const RowFinished& finished)
{
    return Comparison(inputs, heldOut, options, finished).run(entries, context);
}

std::vector<ComparisonEntry> standardEntries(const Inputs& inputs, const std::vector<double>& keeps, bool trained)
{
    std::vector<ComparisonEntry> entries;
    for (const int bits : {8, 4}) {
        ComparisonEntry entry;
        entry.method = "round-to-nearest";
        entry.label = std::to_string(bits) + "-bit round to nearest";
        entry.bits = bits;
        entry.budget.keep = 1;
        entries.push_back(std::move(entry));
    }
    for (const Method& method : methods()) {
        if ((method.trains && !trained) || (method.needsCalibration && !inputs.calibration) || (method.needsSamples && !inputs.samples))
            continue;
        for (const double keep : keeps) {
            ComparisonEntry entry;
            entry.method = method.declaration.id;
            entry.label = method.declaration.title;
            entry.budget.keep = keep;
            entry.budget.allocation = plan::Allocation::Uniform;
            entries.push_back(std::move(entry));
        }
    }
    return entries;
}

} // namespace tamis::lowrank
