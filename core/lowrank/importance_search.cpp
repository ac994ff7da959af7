// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/importance_search.h"

#include "core/base/error.h"
#include "core/lowrank/block_influence.h"
#include "core/lowrank/targets.h"
#include "core/measure/evaluate.h"
#include "core/plan/model_cost.h"
#include "core/spectrum/method.h"

#include <algorithm>
#include <map>

namespace tamis::lowrank {
namespace {

constexpr int kSteps = 10;

/// Some samples of a source that somebody else owns.
class SomeSamples : public measure::SampleSource {
public:
    SomeSamples(const measure::SampleSource& source, std::size_t count) : m_source(source), m_indices(evenIndices(source.count(), count)) {}
    std::size_t count() const noexcept override { return m_indices.size(); }
    std::string name(std::size_t index) const override { return m_source.name(m_indices[index]); }
    void load(std::size_t index, measure::LoadedSample& sample) const override { m_source.load(m_indices[index], sample); }
    std::string description() const override { return m_source.description(); }
    std::string sha256(const RunContext& context) const override { return m_source.sha256(context) + " " + std::to_string(m_indices.size()); }

private:
    const measure::SampleSource& m_source;
    std::vector<std::size_t> m_indices;
};

using Ranks = std::map<std::string, std::int64_t>;

/// Factors of the largest rank that any weight asks for; those of lower ranks are their first components.
std::map<std::string, spectrum::Factors> factorsFor(const Inputs& inputs, const report::SpectrumReport& spectra, const std::vector<Ranks>& all, const RunContext& context)
{
    Ranks largest;
    for (const Ranks& ranks : all)
        for (const auto& [name, rank] : ranks)
            largest[name] = std::max(largest[name], rank);
    const spectrum::Method* method = spectrum::findMethod(spectra.method);
    context.setParts(static_cast<double>(largest.size()));
    std::map<std::string, spectrum::Factors> factors;
    for (const auto& [name, rank] : largest) {
        const RunContext part = context.part(1, name);
        factors[name] = method->factors({inputs.checkpoint, inputs.calibration, {name}}, name, rank, spectra.parameters, part);
        part.finish();
    }
    return factors;
}

} // namespace

std::vector<TriedWeight> tryImportanceWeights(const Inputs& inputs, const std::vector<const io::MatrixRef*>& targets, const plan::BudgetRequest& budget,
                                              const report::SpectrumReport& spectra, const plan::AllocationEvidence& evidence, std::size_t samples,
                                              const RunContext& context)
{
    if (!inputs.model || !inputs.samples || inputs.samples->count() == 0)
        throw Error(ErrorCode::InvalidParameter, "searching the importance weight runs the model on samples, and there are none: give samples, or the weight", "allocation");
    std::vector<TriedWeight> tried;
    std::vector<Ranks> all;
    const report::Cost total = plan::modelCost(*inputs.checkpoint);
    for (int step = 0; step <= kSteps; ++step) {
        plan::BudgetRequest request = budget;
        request.settings.importanceWeight = tried.emplace_back(TriedWeight{static_cast<double>(step) / kSteps, 0}).weight;
        const auto chosen = plan::allocate(spectra, total, request, evidence, RunContext(context.stopToken()));
        Ranks& ranks = all.emplace_back();
        for (const report::MatrixBudget& matrix : chosen.matrices)
            if (!matrix.dense && std::ranges::find(targets, matrix.name, &io::MatrixRef::name) != targets.end())
                ranks[matrix.name] = matrix.rank;
    }
    context.setParts(kSteps + 4);
    const auto factors = factorsFor(inputs, spectra, all, context.part(3, "factors"));
    const SomeSamples some(*inputs.samples, samples);
    const measure::EvaluateOptions options{.mapSamples = 0, .predictions = 0, .ownErrors = false, .latencyRuns = 0};
    for (std::size_t i = 0; i < tried.size(); ++i) {
        const RunContext part = context.part(1, "weight " + toText(tried[i].weight));
        const auto same = std::ranges::find(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(i), all[i]);
        if (const auto before = static_cast<std::size_t>(same - all.begin()); before < i) {
            tried[i].harm = tried[before].harm;
            part.finish();
            continue;
        }
        std::vector<nn::Model::Replacement> replacements;
        for (const auto& [name, rank] : all[i])
            replacements.push_back({name, firstComponents(factors.at(name), rank, inputs.model->find(name)->op->bias())});
        const auto model = inputs.model->replaced(replacements);
        const auto report = measure::evaluate(*inputs.model, model.get(), some, options, part);
        tried[i].harm = report.fidelity.kl.present() ? report.fidelity.kl.mean : 1 - report.fidelity.logitCosine.mean;
    }
    context.finish();
    return tried;
}

} // namespace tamis::lowrank
