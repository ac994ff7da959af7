// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/operator_loss.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/inner_product.h"
#include "core/plan/accounting.h"
#include "core/plan/model_cost.h"

#include <algorithm>

namespace tamis::lowrank {
namespace {
using tensor::Matrix;

void requireColumns(std::int64_t expected, std::int64_t found)
{
    if (expected != found)
        throw Error(ErrorCode::InvalidParameter, "found statistics of " + std::to_string(found) + " inputs, expected " + std::to_string(expected));
}

/// Heads cut to fewer directions are written in a basis of their own.
bool hasOwnBasis(const nn::LinearOp& op)
{
    return op.kind() == "selected" || std::ranges::any_of(op.parts(), [](const nn::LinearPtr& part) { return hasOwnBasis(*part); });
}
} // namespace

double gramLoss(const Matrix<double>& d, const Matrix<double>& c, const RunContext& context)
{
    requireColumns(d.cols(), c.rows());
    return std::max(0.0, linalg::innerProduct(linalg::product(d.view(), c.view(), context).view(), d.view()));
}

double rowLoss(const Matrix<double>& d, tensor::MatrixView<const float> rows, const RunContext& context)
{
    requireColumns(d.cols(), rows.cols);
    Matrix<double> x(rows.rows, rows.cols);
    for (std::int64_t i = 0; i < rows.rows; ++i)
        for (std::int64_t j = 0; j < rows.cols; ++j)
            x(i, j) = rows(i, j);
    Matrix<double> y(rows.rows, d.rows());
    linalg::gemm(linalg::Op::None, linalg::Op::Transpose, 1.0, x.view(), d.view(), 0.0, y.view(), context);
    return linalg::innerProduct(y.view(), y.view());
}

report::Cost operatorCost(const nn::LinearOp& op)
{
    const nn::OperatorCost cost = op.cost();
    const auto bias = static_cast<std::uint64_t>(op.bias().size());
    return {cost.parameters - bias, cost.bytes - 4 * bias, cost.macsPerToken};
}

report::LowRankMatrix measureOperator(const io::Checkpoint& checkpoint, const io::MatrixRef& matrix, const nn::LinearOp* op,
                                      const io::CalibrationSite* site, const RunContext& context)
{
    report::LowRankMatrix measured;
    measured.name = matrix.name;
    measured.role = io::roleName(matrix.role);
    measured.layer = matrix.layer;
    measured.rows = matrix.rows;
    measured.cols = matrix.cols;
    measured.denseCost = plan::costDense(matrix.rows, matrix.cols, 4);
    measured.layout = op ? std::string(op->kind()) : "dense";
    measured.rank = op ? op->rank() : std::min(matrix.rows, matrix.cols);
    measured.cost = op ? operatorCost(*op) : measured.denseCost;
    const std::uint64_t packedBytes = op ? op->cost().packedBytes : 0;
    measured.packedParameters = op ? op->cost().packedParameters : 0;
    const auto plain = static_cast<double>(measured.cost.parameters - measured.packedParameters);
    measured.keep = (plain + static_cast<double>(packedBytes) / 2) / static_cast<double>(measured.denseCost.parameters); // packed: of 16 bits
    measured.ownBasis = op && hasOwnBasis(*op);
    if (!site || measured.ownBasis)
        return measured;
    const Matrix<double> w = checkpoint.readMatrixDouble(matrix);
    Matrix<double> d(matrix.rows, matrix.cols);
    if (op) {
        const Matrix<float> now = op->dense();
        for (std::size_t i = 0; i < d.size(); ++i)
            d.values()[i] = w.values()[i] - static_cast<double>(now.values()[i]);
    }
    measured.energy = gramLoss(w, site->gram, context);
    measured.loss = op ? gramLoss(d, site->gram, context) : 0.0;
    if (!site->heldOut.empty()) {
        measured.heldOutEnergy = rowLoss(w, site->heldOut.view(), context);
        measured.heldOutLoss = op ? rowLoss(d, site->heldOut.view(), context) : 0.0;
    }
    return measured;
}

void fillCosts(const Inputs& inputs, Compression& compression)
{
    auto& report = compression.report;
    report.baselineCost = plan::modelCost(*inputs.checkpoint);
    report.cost = report.baselineCost;
    double before = 0, after = 0;
    for (const auto& matrix : report.matrices) {
        before += static_cast<double>(matrix.denseCost.parameters);
        after += matrix.keep * static_cast<double>(matrix.denseCost.parameters);
        // Bytes as the checkpoint stores its numbers: an operator's own bytes are those of float32.
        const io::MatrixRef* ref = nullptr;
        for (const auto& each : inputs.checkpoint->layout().matrices)
            if (each.name == matrix.name)
                ref = &each;
        const io::TensorEntry* entry = ref ? inputs.checkpoint->find(ref->tensor) : nullptr;
        const std::uint64_t size = entry ? tensor::dtypeSize(entry->dtype) : 4;
        report.cost.parameters = report.cost.parameters - matrix.denseCost.parameters + matrix.cost.parameters;
        report.cost.macs = report.cost.macs - matrix.denseCost.macs + matrix.cost.macs;
        const std::uint64_t plain = matrix.cost.parameters - matrix.packedParameters, stored = matrix.cost.bytes - 4 * plain + size * plain;
        report.cost.bytes = report.cost.bytes - size * matrix.denseCost.parameters + (matrix.layout == "dense" ? size * matrix.denseCost.parameters : stored);
    }
    report.achievedKeep = before > 0 ? after / before : 1.0;
}

} // namespace tamis::lowrank
