// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/targets.h"

#include "core/base/error.h"
#include "core/linalg/block_identity.h"
#include "core/lowrank/importance_search.h"
#include "core/lowrank/remapping.h"
#include "core/plan/model_cost.h"
#include "core/spectrum/method.h"
#include "core/tensor/dtype.h"

#include <algorithm>
#include <optional>

namespace tamis::lowrank {
namespace {

bool inBlock(io::Role role)
{
    using io::Role;
    return role == Role::Query || role == Role::Key || role == Role::Value || role == Role::QueryKeyValue || role == Role::Output ||
           role == Role::Up || role == Role::Gate || role == Role::Down;
}

bool runsDense(const Inputs& inputs, const io::MatrixRef& matrix)
{
    if (!inputs.model)
        return true;
    const nn::LinearSlot* slot = inputs.model->find(matrix.name);
    return slot && *slot && slot->op->kind() == "dense";
}

/// False, with a warning, when there is no site; throws when it is one of another model.
bool hasSite(const Inputs& inputs, const io::MatrixRef& matrix, std::vector<std::string>& warnings)
{
    if (!inputs.calibration)
        return true;
    const auto features = inputs.calibration->features(matrix.name);
    if (features && *features != matrix.cols)
        throw Error(ErrorCode::InvalidParameter, "has " + std::to_string(*features) + " features at " + matrix.name + ", expected " + std::to_string(matrix.cols) +
                                                     ": it was captured from another model", inputs.calibration->path().string());
    if (!features)
        warnings.push_back(matrix.name + ": the calibration set has no such site, so it stays dense.");
    return features.has_value();
}

/// floor(keep of each matrix) in steps of the alignment, or nothing when a matrix must take more than its share.
std::optional<std::map<std::string, std::int64_t>> publishedRanks(const std::vector<const io::MatrixRef*>& targets, const plan::BudgetRequest& budget)
{
    std::map<std::string, std::int64_t> ranks;
    if (budget.keep >= 1)
        return ranks;
    for (const io::MatrixRef* matrix : targets) {
        const std::int64_t rank = plan::rankForKeep(budget.accounting, matrix->rows, matrix->cols, budget.keep) / budget.alignment * budget.alignment;
        if (rank < budget.alignment || rank > plan::largestUsefulRank(budget.accounting, matrix->rows, matrix->cols))
            return std::nullopt;
        ranks[matrix->name] = rank;
    }
    return ranks;
}

/// Enough for a uniform allocation: every matrix loses alike with each rank.
report::SpectrumReport shapesOnly(const Inputs& inputs, const std::vector<const io::MatrixRef*>& targets)
{
    report::SpectrumReport spectra;
    for (const io::MatrixRef* matrix : targets) {
        report::MatrixSpectrum s;
        s.name = matrix->name;
        s.layer = matrix->layer;
        s.role = io::roleName(matrix->role);
        if (const auto* entry = inputs.checkpoint->find(matrix->tensor))
            s.dtype = tensor::dtypeName(entry->dtype);
        s.rows = matrix->rows;
        s.cols = matrix->cols;
        s.compressible = true;
        for (std::int64_t r = std::min(s.rows, s.cols); r >= 0; --r)
            s.loss.push_back(static_cast<double>(r));
        spectra.matrices.push_back(std::move(s));
    }
    return spectra;
}

report::SpectrumReport spectraOf(const Inputs& inputs, const std::vector<const io::MatrixRef*>& targets, const RunContext& context)
{
    spectrum::Inputs of{inputs.checkpoint, inputs.calibration, {}};
    for (const io::MatrixRef* matrix : targets)
        of.matrices.push_back(matrix->name);
    const spectrum::Method* method = spectrum::findMethod(inputs.calibration ? "spectrum.whitened" : "spectrum.plain");
    return method->run(of, method->declaration.schema.defaults(), context);
}

} // namespace

std::vector<const io::MatrixRef*> targets(const Inputs& inputs, std::vector<std::string>& warnings, const RunContext& context)
{
    if (inputs.calibration && !inputs.calibration->modelSha256().empty())
        if (const std::string model = inputs.checkpoint->sha256(context); inputs.calibration->modelSha256() != model)
            throw Error(ErrorCode::InvalidParameter, "was captured from another model: found the SHA-256 " + inputs.calibration->modelSha256() +
                                                         " of its model, expected " + model, inputs.calibration->path().string());
    const auto& matrices = inputs.checkpoint->layout().matrices;
    std::vector<const io::MatrixRef*> chosen;
    for (const std::string& name : inputs.matrices) {
        const auto found = std::ranges::find(matrices, name, &io::MatrixRef::name);
        if (found == matrices.end() || !found->linear || !runsDense(inputs, *found))
            throw Error(ErrorCode::InvalidParameter, "is no dense linear operator of this model", name);
    }
    for (const io::MatrixRef& matrix : matrices) {
        const bool asked = inputs.matrices.empty() ? matrix.linear && matrix.layer >= 0 && inBlock(matrix.role) && runsDense(inputs, matrix)
                                                   : std::ranges::find(inputs.matrices, matrix.name) != inputs.matrices.end();
        if (asked && hasSite(inputs, matrix, warnings))
            chosen.push_back(&matrix);
    }
    return chosen;
}

std::map<std::string, std::int64_t> chooseRanks(const Inputs& inputs, const std::vector<const io::MatrixRef*>& targets,
                                                const plan::BudgetRequest& budget, std::vector<std::string>& warnings, const RunContext& context,
                                                const AllocationMeasurement& measurement)
{
    const bool uniform = budget.allocation == plan::Allocation::Uniform;
    if (uniform && budget.overrides.empty() && budget.unit == plan::BudgetUnit::Parameters)
        if (auto ranks = publishedRanks(targets, budget))
            return std::move(*ranks);
    const bool search = budget.allocation == plan::Allocation::EffectiveRank && budget.settings.searchImportanceWeight;
    context.setParts(uniform ? 3 : search ? 30 : 20);
    const auto spectra = uniform ? shapesOnly(inputs, targets) : spectraOf(inputs, targets, context.part(9, "spectra for the allocation"));
    const auto evidence = measureEvidence(inputs, targets, budget, spectra, measurement, warnings, context.part(uniform ? 2 : 10, "measuring for the allocation"));
    plan::BudgetRequest request = budget;
    if (search) {
        const auto tried = tryImportanceWeights(inputs, targets, budget, spectra, evidence, measurement.samples, context.part(10, "importance weights"));
        const auto best = std::ranges::min_element(tried, {}, &TriedWeight::harm);
        request.settings.importanceWeight = best->weight;
        warnings.push_back("effective-rank: of the importance weights 0 to 1, " + toText(best->weight) + " harms the samples' predictions least");
    }
    const auto chosen = plan::allocate(spectra, plan::modelCost(*inputs.checkpoint), request, evidence, context.part(1, "allocating"));
    warnings.insert(warnings.end(), chosen.warnings.begin(), chosen.warnings.end());
    std::map<std::string, std::int64_t> ranks;
    for (const report::MatrixBudget& matrix : chosen.matrices)
        if (!matrix.dense)
            ranks[matrix.name] = matrix.rank;
    return ranks;
}

tensor::Matrix<float> rounded(const tensor::Matrix<double>& exact)
{
    tensor::Matrix<float> values(exact.rows(), exact.cols());
    for (std::size_t i = 0; i < exact.size(); ++i)
        values.values()[i] = static_cast<float>(exact.values()[i]);
    return values;
}

nn::LinearPtr firstComponents(const spectrum::Factors& factors, std::int64_t rank, const std::vector<float>& bias)
{
    tensor::Matrix<double> b(factors.b.rows(), rank), a(rank, factors.a.cols());
    for (std::int64_t i = 0; i < b.rows(); ++i)
        std::copy_n(factors.b.view().row(i).begin(), rank, b.view().row(i).begin());
    for (std::int64_t k = 0; k < rank; ++k)
        std::ranges::copy(factors.a.view().row(k), a.view().row(k).begin());
    return nn::factorsOp(rounded(b).view(), rounded(a).view(), bias);
}

nn::LinearPtr makeOperator(const tensor::Matrix<double>& b, const tensor::Matrix<double>& a, std::vector<float> bias, plan::Accounting accounting,
                           report::LowRankMatrix* matrix, const RunContext& context)
{
    if (accounting == plan::Accounting::Remapped)
        return remap(b, a, std::move(bias), context).op;
    if (accounting != plan::Accounting::BlockIdentity)
        return nn::factorsOp(rounded(b).view(), rounded(a).view(), std::move(bias));
    const auto block = linalg::toBlockIdentity(b, a, context);
    if (matrix) {
        matrix->condition = block.condition;
        matrix->maxCoefficient = block.maxCoefficient;
    }
    return nn::blockIdentityOp(rounded(block.b).view(), rounded(block.coefficients).view(), block.permutation, std::move(bias));
}

} // namespace tamis::lowrank
