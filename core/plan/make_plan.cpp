// SPDX-License-Identifier: GPL-3.0-or-later
// The makePlan() functions of plan.h.
#include "core/plan/plan.h"

#include "core/base/error.h"

namespace tamis::plan {
namespace {
std::string tensorOf(const io::Checkpoint& checkpoint, const std::string& matrix)
{
    for (const auto& ref : checkpoint.layout().matrices)
        if (ref.name == matrix)
            return ref.tensor;
    throw Error(ErrorCode::InvalidParameter, "is in the spectra, but the checkpoint has no matrix of that name", matrix);
}
} // namespace

Plan makePlan(const report::SpectrumReport& spectra, const report::BudgetReport& budget, const BudgetRequest& request)
{
    if (spectra.matrices.size() != budget.matrices.size())
        throw Error(ErrorCode::InvalidParameter,
                    "found a budget of " + std::to_string(budget.matrices.size()) + " matrices for spectra of " +
                        std::to_string(spectra.matrices.size()),
                    "plan");
    Plan plan;
    plan.method = spectra.method;
    plan.parameters = spectra.parameters;
    plan.budget = request;
    if (const auto seed = spectra.parameters.all().find("seed"); seed != spectra.parameters.all().end())
        if (const auto* value = std::get_if<std::int64_t>(&seed->second))
            plan.seed = *value;
    for (std::size_t i = 0; i < budget.matrices.size(); ++i) {
        const auto& s = spectra.matrices[i];
        const auto& b = budget.matrices[i];
        if (s.name != b.name)
            throw Error(ErrorCode::InvalidParameter, "found '" + b.name + "' in the budget, expected '" + s.name + "'", "plan");
        PlannedOperator op;
        op.tensor = s.name + ".weight";
        op.name = s.name;
        op.layout = b.dense ? "dense" : budget.accounting;
        op.rank = b.rank;
        op.rows = s.rows;
        op.cols = s.cols;
        op.locked = b.locked;
        op.overridden = b.overridden;
        op.predictedLoss = b.loss;
        op.predictedRelativeLoss = b.relativeLoss;
        plan.operators.push_back(std::move(op));
    }
    plan.cost = budget.after;
    plan.baseline = budget.before;
    plan.predictedLoss = budget.predictedLoss;
    plan.predictedRelativeLoss = budget.predictedRelativeLoss;
    return plan;
}

Plan makePlan(const spectrum::Inputs& inputs, const report::SpectrumReport& spectra, const report::BudgetReport& budget,
              const BudgetRequest& request, const RunContext& context)
{
    Plan plan = makePlan(spectra, budget, request);
    plan.modelPath = inputs.checkpoint->path().string();
    plan.modelSha256 = inputs.checkpoint->sha256(context);
    if (inputs.calibration) {
        plan.calibrationPath = inputs.calibration->path().string();
        plan.calibrationSha256 = inputs.calibration->sha256(context);
    }
    for (auto& op : plan.operators)
        op.tensor = tensorOf(*inputs.checkpoint, op.name);
    return plan;
}

} // namespace tamis::plan
