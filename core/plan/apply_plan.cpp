// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/apply_plan.h"

#include "core/base/error.h"
#include "core/linalg/block_identity.h"
#include "core/plan/accounting.h"
#include "core/plan/operator_content.h"
#include "core/plan/plan_inputs.h"

namespace tamis::plan {
namespace {

tensor::Matrix<float> rounded(const tensor::Matrix<double>& exact)
{
    tensor::Matrix<float> values(exact.rows(), exact.cols());
    for (std::size_t i = 0; i < exact.size(); ++i)
        values.values()[i] = static_cast<float>(exact.values()[i]);
    return values;
}

nn::LinearPtr operatorOf(const PlannedOperator& planned, const spectrum::Factors& factors, const std::vector<float>& bias, const RunContext& context)
{
    if (planned.layout == accountingName(Accounting::Factors))
        return nn::factorsOp(rounded(factors.b).view(), rounded(factors.a).view(), bias);
    const auto block = linalg::toBlockIdentity(factors.b, factors.a, context);
    return nn::blockIdentityOp(rounded(block.b).view(), rounded(block.coefficients).view(), block.permutation, bias);
}

} // namespace

std::shared_ptr<const nn::Model> applyPlan(const nn::Model& model, std::shared_ptr<const io::Checkpoint> checkpoint,
                                           std::shared_ptr<const io::CalibrationSet> calibration, const Plan& plan, const RunContext& context)
{
    context.setParts(10);
    const spectrum::Method& method = methodOf(plan);
    const spectrum::Inputs inputs{std::move(checkpoint), std::move(calibration), {}};
    const auto replaced = replacements(plan, *inputs.checkpoint);
    requireInputs(plan, method, inputs, context.part(1, "checking the inputs"));
    const RunContext computing = context.part(9, "computing the factors");
    std::vector<nn::Model::Replacement> operators;
    for (const Replacement& replacement : replaced) {
        computing.throwIfStopped();
        const std::string& name = replacement.matrix->name;
        const nn::LinearSlot* slot = model.find(name);
        if (!slot || !*slot)
            throw Error(ErrorCode::InvalidParameter, "is replaced by the plan, but the model runs no linear operator of that name", name);
        const auto factors = method.factors(inputs, name, replacement.planned->rank, plan.parameters, computing);
        operators.push_back({name, operatorOf(*replacement.planned, factors, slot->op->bias(), computing)});
        computing.setFraction(static_cast<double>(operators.size()) / static_cast<double>(replaced.size()));
    }
    return model.replaced(operators);
}

} // namespace tamis::plan
