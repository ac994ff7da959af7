// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/apply_plan.h"

#include "core/base/error.h"
#include "core/linalg/block_identity.h"
#include "core/nn/tensor_binding.h"
#include "core/nn/tensor_source.h"
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

/// Hashes the file and the model.
std::shared_ptr<const nn::Model> applyStored(const nn::Model& model, const io::Checkpoint& checkpoint, const Plan& plan, const RunContext& context)
{
    requireModel(plan, checkpoint, context);
    std::vector<nn::Model::Replacement> operators;
    for (StoredOperator& stored : readStoredOperators(plan, context))
        operators.push_back({std::move(stored.name), std::move(stored.op)});
    return model.replaced(operators);
}

} // namespace

std::vector<StoredOperator> readStoredOperators(const Plan& plan, const RunContext& context)
{
    const auto file = io::Checkpoint::open(plan.factorsPath, context);
    if (const std::string found = file->sha256(context); found != plan.factorsSha256)
        throw Error(ErrorCode::InvalidParameter, "found the SHA-256 " + found + ", expected " + plan.factorsSha256 + " by the plan", plan.factorsPath);
    const nn::CheckpointSource source(*file);
    const nn::TensorBinding binding(source, false);
    std::vector<StoredOperator> operators;
    for (const PlannedOperator& planned : plan.operators) {
        if (planned.layout == "dense")
            continue;
        context.throwIfStopped();
        auto slot = binding.linear(planned.name, io::Role::Other, -1, planned.rows, planned.cols);
        if (slot.op->kind() != planned.layout || slot.op->rank() != planned.rank)
            throw Error(ErrorCode::MalformedFile, "holds " + planned.name + " as " + std::string(slot.op->kind()) + " of rank " + std::to_string(slot.op->rank()) +
                                                      ", expected " + planned.layout + " of rank " + std::to_string(planned.rank) + " by the plan", plan.factorsPath);
        operators.push_back({planned.name, std::move(slot.op)});
    }
    return operators;
}

std::shared_ptr<const nn::Model> applyPlan(const nn::Model& model, std::shared_ptr<const io::Checkpoint> checkpoint,
                                           std::shared_ptr<const io::CalibrationSet> calibration, const Plan& plan, const RunContext& context)
{
    if (plan.operators.empty()) {
        requireModel(plan, *checkpoint, context);
        return model.replaced({});
    }
    if (!plan.factorsPath.empty())
        return applyStored(model, *checkpoint, plan, context);
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
