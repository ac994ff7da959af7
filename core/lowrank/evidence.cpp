// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/evidence.h"

#include "core/base/error.h"
#include "core/lowrank/block_influence.h"
#include "core/lowrank/weight_gradients.h"
#include "core/plan/latency_curve.h"
#include "core/spectrum/method.h"

#include <algorithm>
#include <cmath>

namespace tamis::lowrank {
namespace {

constexpr double kLowestKeep = 0.1;
constexpr double kMargin = 0.2; // keeps are measured this far below the budget's: some matrices take less than it

bool usable(const report::MatrixSpectrum& spectrum)
{
    return spectrum.compressible && spectrum.loss.size() >= 2 && std::ranges::all_of(spectrum.loss, [](double x) { return std::isfinite(x); });
}

/// Targets that an allocation can choose a rank for.
std::vector<const io::MatrixRef*> withCurves(const std::vector<const io::MatrixRef*>& targets, const report::SpectrumReport& spectra)
{
    std::vector<const io::MatrixRef*> some;
    for (const io::MatrixRef* matrix : targets)
        if (const auto found = std::ranges::find(spectra.matrices, matrix->name, &report::MatrixSpectrum::name); found != spectra.matrices.end() && usable(*found))
            some.push_back(matrix);
    return some;
}

void requireSamples(const Inputs& inputs, const plan::BudgetRequest& budget)
{
    if (inputs.model && inputs.samples && inputs.samples->count() > 0)
        return;
    const std::string name(plan::allocationName(budget.allocation));
    throw Error(ErrorCode::InvalidParameter, name + " is measured by running the model on samples, and there are none: give samples, or choose an allocation that needs the spectra alone",
                "allocation");
}

std::vector<double> keepsFor(std::vector<double> keeps, double budget)
{
    if (keeps.empty())
        throw Error(ErrorCode::InvalidParameter, "expected at least one keep to measure", "keeps");
    std::ranges::sort(keeps);
    while (keeps.front() > budget - kMargin && keeps.front() >= 2 * kLowestKeep)
        keeps.insert(keeps.begin(), keeps.front() - kLowestKeep);
    return keeps;
}

std::map<std::string, std::vector<double>> changesOf(const Inputs& inputs, const std::vector<const io::MatrixRef*>& targets, const report::SpectrumReport& spectra,
                                                     const AllocationMeasurement& measurement, const RunContext& context)
{
    const auto gradients = weightGradients(*inputs.checkpoint, *inputs.samples, targets, {measurement.samples, false}, context.part(2, "gradients"));
    const spectrum::Method* method = spectrum::findMethod(spectra.method);
    const RunContext parts = context.part(1, "first-order changes");
    parts.setParts(static_cast<double>(targets.size()));
    std::map<std::string, std::vector<double>> changes;
    for (const io::MatrixRef* matrix : targets) {
        const RunContext part = parts.part(1, matrix->name);
        const auto factors = method->factors({inputs.checkpoint, inputs.calibration, {matrix->name}}, matrix->name, std::min(matrix->rows, matrix->cols), spectra.parameters, part);
        changes[matrix->name] = lossChanges(gradients.matrices.at(matrix->name), factors, part);
        part.finish();
    }
    return changes;
}

/// By matrix; one outside the blocks (or in a block that cannot be compared) counts like the most influential block.
std::map<std::string, double> importancesOf(const Inputs& inputs, const std::vector<const io::MatrixRef*>& targets, std::size_t samples, const RunContext& context)
{
    const auto blocks = blockInfluence(*inputs.model, *inputs.samples, samples, context);
    double most = 0;
    for (const auto& block : blocks)
        if (std::isfinite(block.influence))
            most = std::max(most, block.influence);
    std::map<std::string, double> importances;
    for (const io::MatrixRef* matrix : targets) {
        const auto found = std::ranges::find(blocks, matrix->layer, &report::BlockInfluence::block);
        importances[matrix->name] = found != blocks.end() && std::isfinite(found->influence) ? found->influence : most;
    }
    return importances;
}

std::map<std::string, plan::LatencyCurve> latenciesOf(const report::SpectrumReport& spectra, const plan::BudgetRequest& budget,
                                                      const AllocationMeasurement& measurement, const RunContext& context)
{
    static plan::LatencyCache ofTheProcess;
    if (!measurement.ceilings)
        return plan::measuredLatencies(spectra, budget.accounting, measurement.latencies ? *measurement.latencies : ofTheProcess, {measurement.latencyTokens}, context);
    std::map<std::string, plan::LatencyCurve> curves;
    for (const auto& s : spectra.matrices)
        if (s.compressible)
            curves[s.name] = plan::rooflineLatency(*measurement.ceilings, budget.accounting, s.rows, s.cols, measurement.latencyTokens);
    return curves;
}

} // namespace

std::map<std::string, std::vector<plan::MeasuredLoss>> measuredLosses(const report::SensitivityReport& table, plan::HarmMeasure measure)
{
    std::map<std::string, std::vector<plan::MeasuredLoss>> losses;
    for (const auto& matrix : table.matrices) {
        auto& points = losses[matrix.name];
        for (const auto& point : matrix.points) {
            const double harm = measure == plan::HarmMeasure::Divergence ? point.kl : point.nllChange;
            if (!std::isfinite(harm))
                throw Error(ErrorCode::InvalidParameter,
                            measure == plan::HarmMeasure::Divergence ? "the model's outputs are features, which have no KL to measure sensitivity by"
                                                                     : "the samples have no labels and no next tokens to measure sensitivity by: measure by kl",
                            matrix.name);
            points.push_back({point.rank, harm});
        }
    }
    return losses;
}

plan::AllocationEvidence measureEvidence(const Inputs& inputs, const std::vector<const io::MatrixRef*>& targets, const plan::BudgetRequest& budget,
                                         const report::SpectrumReport& spectra, const AllocationMeasurement& measurement,
                                         std::vector<std::string>& warnings, const RunContext& context)
{
    plan::AllocationEvidence evidence;
    const bool influence = budget.allocation == plan::Allocation::EffectiveRank && budget.settings.importance == plan::Importance::BlockInfluence;
    if (plan::needsEvidence(budget.allocation) || influence)
        requireSamples(inputs, budget);
    const auto matrices = withCurves(targets, spectra);
    if (budget.unit == plan::BudgetUnit::Latency)
        evidence.latency = latenciesOf(spectra, budget, measurement, context.part(1, "measuring latency"));
    if (budget.allocation == plan::Allocation::Sensitivity || budget.allocation == plan::Allocation::MeasuredGreedy) {
        const SensitivityOptions options{keepsFor(measurement.keeps, budget.keep), budget.accounting, measurement.samples, false, &spectra, measurement.cache};
        const auto table = measureSensitivity(inputs, matrices, options, context.part(8, "sensitivity"), measurement.measured);
        warnings.insert(warnings.end(), table.warnings.begin(), table.warnings.end());
        evidence.sensitivity = measuredLosses(table, budget.settings.harm);
    }
    if (budget.allocation == plan::Allocation::LossAware)
        evidence.lossChange = changesOf(inputs, matrices, spectra, measurement, context.part(8, "loss changes"));
    if (influence)
        evidence.importance = importancesOf(inputs, matrices, measurement.samples, context.part(2, "block influence"));
    return evidence;
}

} // namespace tamis::lowrank
