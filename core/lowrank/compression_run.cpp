// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/compression_run.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/qr.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/lowrank/decomposition.h"
#include "core/lowrank/operator_loss.h"
#include "core/lowrank/targets.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis::lowrank {
namespace {
using linalg::Op;
using tensor::Matrix;

void assign(LayerTargets& layer, const io::MatrixRef* matrix)
{
    switch (matrix->role) {
    case io::Role::QueryKeyValue: layer.fused = matrix; break;
    case io::Role::Query: layer.query = matrix; break;
    case io::Role::Key: layer.key = matrix; break;
    case io::Role::Value: layer.value = matrix; break;
    case io::Role::Output: layer.output = matrix; break;
    default: layer.others.push_back(matrix);
    }
}

std::int64_t mostUseful(const PlaneSize& plane, plan::Accounting accounting, std::int64_t alignment)
{
    const std::int64_t most = plan::largestUsefulRank(accounting, plane.rows, plane.cols);
    return std::max(most / alignment * alignment, std::min(alignment, std::min(plane.rows, plane.cols)));
}

/// Largest aligned rank within `units`.
std::int64_t rankWithin(const PlaneSize& plane, double units, plan::Accounting accounting, std::int64_t alignment)
{
    std::int64_t rank = alignment;
    const std::int64_t most = mostUseful(plane, accounting, alignment);
    while (rank + alignment <= most && static_cast<double>(plan::budgetUnits(accounting, plane.rows, plane.cols, rank + alignment)) <= units)
        rank += alignment;
    return std::min(rank, std::min(plane.rows, plane.cols));
}

double energyOf(const PlaneSize& plane, std::int64_t begin, std::int64_t end)
{
    const auto size = static_cast<std::int64_t>(plane.energy->size());
    return std::accumulate(plane.energy->begin() + std::min(begin, size), plane.energy->begin() + std::min(end, size), 0.0);
}
} // namespace

CompressionRun::CompressionRun(std::string id, const Inputs& inputs, const plan::BudgetRequest& budget, Parameters complete, const Finished& finished,
                               const RunContext& context)
    : m_inputs(inputs), m_budget(budget), m_finished(finished)
{
    if (!inputs.checkpoint || !inputs.model || !inputs.calibration)
        throw Error(ErrorCode::InvalidParameter, "needs a checkpoint, a model that runs and a calibration set", id);
    report::LowRankReport& report = m_result.report;
    report.method = std::move(id);
    report.parameters = std::move(complete);
    report.keep = budget.keep;
    report.allocation = plan::allocationName(budget.allocation);
    report.accounting = plan::accountingName(budget.accounting);
    m_targets = targets(inputs, report.warnings, context);
    m_ranks = chooseRanks(inputs, m_targets, budget, report.warnings, context);
    for (const io::MatrixRef* matrix : m_targets) {
        auto found = std::ranges::find(m_layers, matrix->layer, &LayerTargets::layer);
        if (found == m_layers.end())
            found = m_layers.insert(m_layers.end(), LayerTargets{.layer = matrix->layer});
        assign(*found, matrix);
    }
}

double CompressionRun::units(const io::MatrixRef& matrix, std::int64_t rows) const
{
    const auto found = m_ranks.find(matrix.name);
    const auto dense = static_cast<double>(plan::budgetUnitsDense(m_budget.accounting, matrix.rows, matrix.cols));
    const double all = found == m_ranks.end() ? dense : static_cast<double>(plan::budgetUnits(m_budget.accounting, matrix.rows, matrix.cols, found->second));
    return rows > 0 ? all / dense * static_cast<double>(plan::budgetUnitsDense(m_budget.accounting, rows, matrix.cols)) : all;
}

std::int64_t CompressionRun::rank(const io::MatrixRef& matrix, std::int64_t rows) const
{
    const auto found = m_ranks.find(matrix.name);
    if (found == m_ranks.end() || rows == 0)
        return found == m_ranks.end() ? 0 : found->second;
    return rankWithin({.rows = rows, .cols = matrix.cols, .energy = nullptr}, units(matrix, rows), m_budget.accounting, m_budget.alignment);
}

bool CompressionRun::ranksByHand(const io::MatrixRef& matrix) const
{
    const auto found = m_budget.overrides.find(matrix.name);
    return found != m_budget.overrides.end() && found->second.rank;
}

void CompressionRun::put(const io::MatrixRef& matrix, nn::LinearPtr op, const RunContext& context, double minimumLoss)
{
    const io::CalibrationSite site = m_inputs.calibration->read(matrix.name);
    report::LowRankMatrix measured = measureOperator(*m_inputs.checkpoint, matrix, op.get(), &site, context);
    measured.minimumLoss = minimumLoss;
    m_result.report.matrices.push_back(measured);
    if (!op)
        return;
    m_result.operators.push_back({matrix.name, std::move(op), std::move(measured)});
    if (m_finished)
        m_finished(m_result.operators.back());
}

void CompressionRun::putLocal(const io::MatrixRef& matrix, double ridge, const RunContext& context)
{
    const std::int64_t r = rank(matrix);
    if (r == 0)
        return put(matrix, nullptr, context);
    const auto decomposition = decompositionOf(m_inputs, matrix, {.preconditioner = Preconditioner::OutputPca, .ridge = ridge}, context);
    const Factors factors = factorsOf(*decomposition, r);
    put(matrix, makeOperator(factors.b, factors.a, m_inputs.model->find(matrix.name)->op->bias(), m_budget.accounting, nullptr, context), context,
        decomposition->minimum[static_cast<std::size_t>(r)]);
}

Compression CompressionRun::finish()
{
    std::map<std::string, std::size_t> order;
    for (const nn::LinearSlot* slot : m_inputs.model->linears())
        order.emplace(slot->name, order.size());
    const auto place = [&](const auto& each) { return order.count(each.name) ? order.at(each.name) : order.size(); };
    std::ranges::stable_sort(m_result.operators, {}, place);
    std::ranges::stable_sort(m_result.report.matrices, {}, place);
    fillCosts(m_inputs, m_result);
    if (std::ranges::any_of(m_result.report.matrices, &report::LowRankMatrix::ownBasis))
        m_result.report.warnings.push_back("Split heads stand in a basis of their own: their value and output projections have no loss each, and no mean loss is given; the quality "
                                           "of the whole model tells.");
    m_result.report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - m_start).count();
    return std::move(m_result);
}

LocalFactors whitenedFactors(const Matrix<double>& w, const Matrix<double>& c, std::int64_t rank, std::vector<double>* energy, const RunContext& context)
{
    const bool tall = w.rows() > w.cols();
    linalg::ThinQr qr;
    if (tall)
        qr = linalg::thinQr(w.view(), context);
    const Matrix<double>& reduced = tall ? qr.r : w;
    if (rank < 1 || rank > reduced.rows())
        throw Error(ErrorCode::InvalidParameter, "a rank of " + std::to_string(rank) + " was asked for, expected 1 to " + std::to_string(reduced.rows()));
    const Matrix<double> seen = linalg::product(reduced.view(), c.view(), context);
    auto eigen = linalg::symmetricEigen(linalg::product(Op::None, Op::Transpose, seen.view(), reduced.view(), context), context);
    const linalg::ConstView leading{eigen.vectors.data(), rank, eigen.vectors.cols(), eigen.vectors.cols()};
    LocalFactors factors{Matrix<double>(), linalg::product(leading, reduced.view(), context)};
    if (tall) {
        factors.b = linalg::product(Op::None, Op::Transpose, qr.q.view(), leading, context);
    } else {
        factors.b = Matrix<double>(w.rows(), rank);
        for (std::int64_t i = 0; i < w.rows(); ++i)
            for (std::int64_t k = 0; k < rank; ++k)
                factors.b(i, k) = leading(k, i);
    }
    if (energy)
        *energy = std::move(eigen.values);
    return factors;
}

nn::LinearPtr localRows(const CompressionRun& run, const io::MatrixRef& fused, const Projection& part, double ridge, const RunContext& context)
{
    const InputStatistics statistics = inputStatistics(*run.inputs().calibration, fused.name, part.weight.cols(), false, ridge);
    const LocalFactors factors = whitenedFactors(part.weight, statistics.c, run.rank(fused, part.weight.rows()), nullptr, context);
    return makeOperator(factors.b, factors.a, part.bias, run.budget().accounting, nullptr, context);
}

RankPair splitRanks(const PlaneSize& first, const PlaneSize& second, double units, plan::Accounting accounting, std::int64_t alignment, RankSplit split,
                    double share)
{
    const auto dense = [&](const PlaneSize& p) { return static_cast<double>(plan::budgetUnitsDense(accounting, p.rows, p.cols)); };
    if (split == RankSplit::Equal)
        share = dense(first) / (dense(first) + dense(second));
    if (split != RankSplit::Spectra)
        return {rankWithin(first, share * units, accounting, alignment), rankWithin(second, (1 - share) * units, accounting, alignment)};
    const auto cost = [&](const PlaneSize& p, std::int64_t r) { return static_cast<double>(plan::budgetUnits(accounting, p.rows, p.cols, r)); };
    RankPair ranks{std::min(alignment, mostUseful(first, accounting, alignment)), std::min(alignment, mostUseful(second, accounting, alignment))};
    double spent = cost(first, ranks.first) + cost(second, ranks.second);
    while (true) { // the plane whose next directions hold most energy a unit; the other where that one does not fit any more
        double best = -1, price = 0;
        std::int64_t* winner = nullptr;
        for (const bool isFirst : {true, false}) {
            const PlaneSize& plane = isFirst ? first : second;
            std::int64_t& rank = isFirst ? ranks.first : ranks.second;
            if (rank + alignment > mostUseful(plane, accounting, alignment))
                continue;
            const double more = cost(plane, rank + alignment) - cost(plane, rank);
            if (spent + more > units)
                continue;
            if (const double gain = energyOf(plane, rank, rank + alignment) / more; gain > best) {
                best = gain;
                price = more;
                winner = &rank;
            }
        }
        if (!winner)
            return ranks;
        *winner += alignment;
        spent += price;
    }
}

std::int64_t rankForEnergy(const std::vector<double>& energies, double energy)
{
    const double total = std::accumulate(energies.begin(), energies.end(), 0.0);
    double sum = 0;
    for (std::size_t i = 0; i < energies.size(); ++i)
        if (sum += energies[i]; sum >= energy * total)
            return static_cast<std::int64_t>(i) + 1;
    return std::max<std::int64_t>(1, static_cast<std::int64_t>(energies.size()));
}

} // namespace tamis::lowrank
