// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/spectrum/sweep.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/parallel.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>
#include <numeric>

namespace tamis::spectrum {
namespace {
constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

std::string countsInWords(const tensor::FiniteCount& count)
{
    return std::to_string(count.nan) + " NaN and " + std::to_string(count.infinite) + " infinite elements";
}

report::MatrixSpectrum emptyEntry(const io::Checkpoint& checkpoint, const io::MatrixRef& matrix)
{
    report::MatrixSpectrum entry;
    entry.name = matrix.name;
    entry.layer = matrix.layer;
    entry.role = io::roleName(matrix.role);
    if (const io::TensorEntry* stored = checkpoint.find(matrix.tensor))
        entry.dtype = tensor::dtypeName(stored->dtype);
    entry.rows = matrix.rows;
    entry.cols = matrix.cols;
    entry.compressible = matrix.linear;
    entry.stableRank = entry.effectiveRank = entry.nuclearNorm = entry.condition = entry.tailExponent = kUndefined;
    entry.calibrationCondition = kUndefined;
    return entry;
}

std::vector<const io::MatrixRef*> chosenMatrices(const Inputs& inputs)
{
    std::vector<const io::MatrixRef*> chosen;
    if (inputs.matrices.empty())
        for (const io::MatrixRef& matrix : inputs.checkpoint->layout().matrices)
            chosen.push_back(&matrix);
    for (const std::string& name : inputs.matrices)
        chosen.push_back(&findMatrix(*inputs.checkpoint, name));
    return chosen;
}

/// As many of the largest as there are threads may be in work at once.
void checkMemory(const std::vector<const io::MatrixRef*>& chosen, const SweepPlan& plan)
{
    std::vector<std::uint64_t> sizes;
    for (const io::MatrixRef* matrix : chosen)
        sizes.push_back(plan.bytes(*matrix));
    std::ranges::sort(sizes, std::greater<>());
    sizes.resize(std::min(sizes.size(), static_cast<std::size_t>(threadCount())));
    requireMemory(std::accumulate(sizes.begin(), sizes.end(), std::uint64_t{0}), plan.method);
}
} // namespace

const io::MatrixRef& findMatrix(const io::Checkpoint& checkpoint, const std::string& name)
{
    const auto& matrices = checkpoint.layout().matrices;
    const auto found = std::ranges::find(matrices, name, &io::MatrixRef::name);
    if (found == matrices.end())
        throw Error(ErrorCode::InvalidParameter, "there is no matrix of that name in " + checkpoint.path().string(), name);
    return *found;
}

bool needsDouble(const io::Checkpoint& checkpoint, const io::MatrixRef& matrix)
{
    const io::TensorEntry* entry = checkpoint.find(matrix.tensor);
    using tensor::DType;
    return entry != nullptr && (entry->dtype == DType::F64 || entry->dtype == DType::I64 || entry->dtype == DType::I32);
}

tensor::Matrix<double> readFinite(const io::Checkpoint& checkpoint, const io::MatrixRef& matrix)
{
    tensor::Matrix<double> w = checkpoint.readMatrixDouble(matrix);
    const tensor::FiniteCount count = tensor::countNonFinite(std::span<const double>(w.values()));
    if (count.total() > 0)
        throw Error(ErrorCode::NonFinite, "has " + countsInWords(count) + ", so it cannot be factored", matrix.tensor);
    return w;
}

void checkRank(const std::string& matrix, std::int64_t rank, std::int64_t limit)
{
    if (rank < 0 || rank > limit)
        throw Error(ErrorCode::InvalidParameter, "rank " + std::to_string(rank) + " was asked for, expected 0 to " + std::to_string(limit),
                    matrix);
}

bool reportNonFinite(report::MatrixSpectrum& spectrum, const tensor::FiniteCount& count)
{
    spectrum.nanCount = count.nan;
    spectrum.infiniteCount = count.infinite;
    if (count.total() > 0)
        spectrum.warnings.push_back("The weights hold " + countsInWords(count) + ": no spectrum.");
    return count.total() > 0;
}

report::SpectrumReport sweep(const Inputs& inputs, const SweepPlan& plan, const RunContext& context)
{
    const auto start = std::chrono::steady_clock::now();
    if (!inputs.checkpoint)
        throw Error(ErrorCode::InvalidParameter, "needs a checkpoint", plan.method);
    const std::vector<const io::MatrixRef*> chosen = chosenMatrices(inputs);
    checkMemory(chosen, plan);
    report::SpectrumReport report{.method = plan.method, .parameters = plan.parameters};
    std::vector<double> weights;
    for (const io::MatrixRef* matrix : chosen) {
        report.matrices.push_back(emptyEntry(*inputs.checkpoint, *matrix));
        weights.push_back(plan.macs(*matrix) + 1.0);
    }
    context.setParts(std::accumulate(weights.begin(), weights.end(), 0.0));
    std::vector<std::size_t> order(chosen.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t i) { return weights[i]; });
    std::atomic<std::size_t> next = 0;
    parallelFor(context, order.size(), [&](std::size_t) {
        const std::size_t i = order[next++]; // in this order whatever way the loop is split
        const RunContext part = context.part(weights[i], chosen[i]->name);
        if (chosen[i]->rows > 0 && chosen[i]->cols > 0)
            plan.analyse(*chosen[i], report.matrices[i], part);
        else
            report.matrices[i].warnings.push_back("The matrix is empty: no spectrum.");
        part.finish();
    });
    const auto without = std::ranges::count_if(report.matrices, [](const auto& entry) { return entry.singularValues.empty(); });
    if (without > 0)
        report.warnings.push_back(std::to_string(without) + " of " + std::to_string(chosen.size()) +
                                  " matrices have no curves; their own warnings say why.");
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    context.finish();
    return report;
}

} // namespace tamis::spectrum
