// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/stored_compression.h"

#include "core/base/error.h"
#include "core/io/safetensors.h"
#include "core/lowrank/operator_loss.h"
#include "core/plan/apply_plan.h"
#include "core/plan/plan_inputs.h"

#include <algorithm>
#include <cmath>
#include <functional>

namespace tamis::lowrank {
namespace {

void writeFactors(const std::filesystem::path& file, const Compression& compression, const RunContext& context)
{
    std::vector<nn::NamedTensor> tensors;
    for (const CompressedOperator& each : compression.operators)
        for (nn::NamedTensor& tensor : each.op->tensors(each.name))
            tensors.push_back(std::move(tensor));
    // The widest type leads, so that every tensor is aligned.
    std::ranges::stable_sort(tensors, std::greater(), [](const nn::NamedTensor& tensor) { return tensor::dtypeSize(tensor.storedType()); });
    std::vector<io::TensorDeclaration> declarations;
    for (const nn::NamedTensor& tensor : tensors)
        declarations.push_back({tensor.name, tensor.storedType(), tensor.shape});
    io::SafetensorsWriter writer(file, declarations, {{"format", "pt"}});
    for (const nn::NamedTensor& tensor : tensors) {
        context.throwIfStopped();
        writer.append(tensor.name, tensor.storedBytes());
    }
    writer.commit();
}

plan::PlannedOperator plannedFrom(const io::MatrixRef& matrix, const report::LowRankMatrix& measured)
{
    plan::PlannedOperator planned;
    planned.tensor = matrix.tensor;
    planned.name = matrix.name;
    planned.layout = measured.layout;
    planned.rank = measured.rank;
    planned.rows = matrix.rows;
    planned.cols = matrix.cols;
    if (std::isfinite(measured.loss) && measured.energy > 0) {
        planned.predictedLoss = measured.loss;
        planned.predictedRelativeLoss = measured.relativeLoss();
    }
    return planned;
}

} // namespace

plan::Plan storeCompression(const Inputs& inputs, const plan::BudgetRequest& budget, const Compression& compression,
                            const std::filesystem::path& directory, const RunContext& context)
{
    if (compression.operators.empty())
        throw Error(ErrorCode::InvalidParameter, "replaced no operator, so there is nothing to store", compression.report.method);
    std::error_code failure;
    std::filesystem::create_directories(directory, failure);
    if (failure)
        throw Error(ErrorCode::IoFailure, "cannot be made: " + failure.message(), directory.string());
    const auto file = std::filesystem::absolute(directory / "factors.safetensors");
    writeFactors(file, compression, context);
    plan::Plan plan;
    plan.modelPath = std::filesystem::absolute(inputs.checkpoint->path()).string();
    plan.modelSha256 = inputs.checkpoint->sha256(context);
    if (inputs.calibration) {
        plan.calibrationPath = std::filesystem::absolute(inputs.calibration->path()).string();
        plan.calibrationSha256 = inputs.calibration->sha256(context);
    }
    plan.factorsPath = file.string();
    plan.factorsSha256 = io::Checkpoint::open(file, context)->sha256(context);
    plan.method = compression.report.method;
    plan.parameters = compression.report.parameters;
    plan.budget = budget;
    for (const CompressedOperator& each : compression.operators) {
        const auto& matrices = inputs.checkpoint->layout().matrices;
        const auto matrix = std::ranges::find(matrices, each.name, &io::MatrixRef::name);
        if (matrix == matrices.end())
            throw Error(ErrorCode::InvalidParameter, "was replaced, but the checkpoint has no matrix of that name", each.name);
        plan.operators.push_back(plannedFrom(*matrix, each.matrix));
        plan.predictedLoss += plan.operators.back().predictedLoss;
    }
    if (const double relative = compression.report.relativeLoss(); std::isfinite(relative))
        plan.predictedRelativeLoss = relative;
    plan.cost = compression.report.cost;
    plan.baseline = compression.report.baselineCost;
    plan::writePlan(directory / "plan.json", plan);
    return plan;
}

Compression readCompression(const Inputs& inputs, const plan::Plan& plan, const RunContext& context)
{
    if (plan.factorsPath.empty())
        throw Error(ErrorCode::InvalidParameter, "is the plan's method, but the plan names no factor file, expected one as Store writes it", plan.method);
    context.setParts(2);
    plan::requireModel(plan, *inputs.checkpoint, context.part(1, "checking the model"));
    Compression compression;
    auto& report = compression.report;
    report.method = plan.method;
    report.parameters = plan.parameters;
    report.keep = plan.budget.keep;
    report.allocation = plan::allocationName(plan.budget.allocation);
    report.accounting = plan::accountingName(plan.budget.accounting);
    for (plan::StoredOperator& stored : plan::readStoredOperators(plan, context.part(1, "reading the factors"))) {
        const auto& matrices = inputs.checkpoint->layout().matrices;
        const auto matrix = std::ranges::find(matrices, stored.name, &io::MatrixRef::name);
        if (matrix == matrices.end())
            throw Error(ErrorCode::InvalidParameter, "is replaced by the plan, but the checkpoint has no matrix of that name", stored.name);
        auto measured = measureOperator(*inputs.checkpoint, *matrix, stored.op.get(), nullptr, context);
        const auto& planned = *std::ranges::find(plan.operators, stored.name, &plan::PlannedOperator::name);
        if (planned.predictedRelativeLoss > 0) {
            measured.loss = planned.predictedLoss;
            measured.energy = planned.predictedLoss / planned.predictedRelativeLoss;
        }
        report.matrices.push_back(measured);
        compression.operators.push_back({stored.name, std::move(stored.op), std::move(measured)});
    }
    fillCosts(inputs, compression);
    report.cost = plan.cost;
    report.baselineCost = plan.baseline;
    context.finish();
    return compression;
}

} // namespace tamis::lowrank
