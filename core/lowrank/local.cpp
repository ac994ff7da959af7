// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/local.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/linalg/block_identity.h"
#include "core/linalg/gemm.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/lowrank/decomposition.h"
#include "core/lowrank/junction.h"
#include "core/lowrank/operator_loss.h"
#include "core/lowrank/targets.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <numeric>
#include <optional>
#include <thread>

namespace tamis::lowrank {
namespace {
using tensor::Matrix;
using plan::Accounting;
constexpr double kRowTolerance = 1e-12; // of the longest row of A

struct Settings {
    explicit Settings(const Parameters& complete)
        : preconditioner(PreconditionerSettings::from(complete)), junction(parseJunction(complete.text("junction"))),
          objective(parseJunctionObjective(complete.text("junction-objective"))), half(complete.text("factor-dtype") == "float16")
    {
    }
    PreconditionerSettings preconditioner;
    Junction junction;
    JunctionObjective objective;
    bool half;
};

/// What one matrix became, and what its junction was measured to be.
struct Result {
    CompressedOperator op;
    std::vector<std::pair<std::string, double>> scalars;
    std::optional<double> symmetric, chosen; ///< of the objective
};

/// Passes operators on from the thread that runs the method, whichever thread made them, until the run is stopped.
class Finisher {
public:
    Finisher(const Finished& finished, const RunContext& context) : m_finished(finished), m_context(context) {}
    void add(const CompressedOperator& op)
    {
        {
            const std::lock_guard lock(m_mutex);
            m_waiting.push_back(op);
        }
        if (std::this_thread::get_id() == m_owner)
            pass();
    }
    void pass()
    {
        std::vector<CompressedOperator> now;
        {
            const std::lock_guard lock(m_mutex);
            now.swap(m_waiting);
        }
        for (const CompressedOperator& op : now) {
            m_context.throwIfStopped();
            if (m_finished)
                m_finished(op);
        }
    }

private:
    const Finished& m_finished;
    const RunContext& m_context;
    const std::thread::id m_owner = std::this_thread::get_id();
    std::mutex m_mutex;
    std::vector<CompressedOperator> m_waiting;
};

std::vector<ParameterSpec> localParameters()
{
    std::vector<ParameterSpec> specs = preconditionerParameters();
    for (ParameterSpec& spec : junctionParameters())
        specs.push_back(std::move(spec));
    return specs;
}

Accounting accountingOf(const Settings& settings, Accounting asked)
{
    if (settings.junction != Junction::Automatic && asked == Accounting::Remapped)
        throw Error(ErrorCode::InvalidParameter, "goes with accounting=factors only: accounting=remapped stores the rows of an SVD of its own", "junction");
    if (settings.junction == Junction::BlockIdentity)
        return Accounting::BlockIdentity;
    if (settings.junction != Junction::Automatic && asked == Accounting::BlockIdentity)
        throw Error(ErrorCode::InvalidParameter, "goes with accounting=factors only: accounting=block-identity counts r^2 parameters fewer than this junction stores", "junction");
    return asked;
}

Factors truncated(const Factors& factors, std::int64_t rank)
{
    Factors result{Matrix<double>(factors.b.rows(), rank), Matrix<double>(rank, factors.a.cols())};
    std::copy_n(factors.a.data(), result.a.size(), result.a.data());
    for (std::int64_t i = 0; i < result.b.rows(); ++i)
        std::copy_n(factors.b.data() + i * factors.b.cols(), rank, result.b.data() + i * rank);
    return result;
}

/// The factors with the junction that was asked for; measures what it was chosen for, before and after.
Factors joined(const Inputs& inputs, const io::MatrixRef& matrix, const io::CalibrationSite& site, const Decomposition& decomposition, std::int64_t rank,
               const Settings& settings, Result& result, const RunContext& context)
{
    Factors factors = joinedFactors(decomposition, rank, settings.junction);
    if (settings.junction != Junction::Optimised)
        return factors;
    const auto report = [&](const std::string& what, double before, double after) {
        result.scalars.emplace_back(matrix.name + ": " + what + ", symmetric", before);
        result.scalars.emplace_back(matrix.name + ": " + what + ", optimised", after);
        result.symmetric = before;
        result.chosen = after;
    };
    if (settings.objective == JunctionObjective::F16Rounding) {
        Factors best = leastRounding(factors, site.gram, context);
        report("float16 rounding loss / energy", measuredRoundingLoss(factors, site.gram, context) / decomposition.energy(),
               measuredRoundingLoss(best, site.gram, context) / decomposition.energy());
        return best;
    }
    std::string words;
    const Matrix<double> metric = nextMetric(inputs, matrix, site, words, context);
    Factors best = leastAmplification(factors, site.gram, metric, context);
    report("amplification seen by " + words, amplification(factors, site.gram, metric, context), amplification(best, site.gram, metric, context));
    return best;
}

/// Rows before those that are nothing but rounding, A = U^T W with orthonormal U in order of what they carry: beyond the rank of W.
std::int64_t independentRows(const Matrix<double>& a)
{
    std::vector<double> squares;
    for (std::int64_t k = 0; k < a.rows(); ++k)
        squares.push_back(linalg::squaredNorm({a.data() + k * a.cols(), 1, a.cols(), a.cols()}));
    const double least = kRowTolerance * kRowTolerance * (squares.empty() ? 0.0 : *std::ranges::max_element(squares));
    const auto last = std::find_if(squares.rbegin(), squares.rend(), [&](double square) { return square > least; });
    return static_cast<std::int64_t>(squares.rend() - last);
}

/// Block identity with what it stores rounded to float16 (makeOperator() keeps float32).
nn::LinearPtr halfBlockIdentity(const Factors& factors, std::vector<float> bias, report::LowRankMatrix& notes, const RunContext& context)
{
    const auto block = linalg::toBlockIdentity(factors.b, factors.a, context);
    notes.condition = block.condition;
    notes.maxCoefficient = block.maxCoefficient;
    return nn::blockIdentityOp(rounded(toHalf(block.b)).view(), rounded(toHalf(block.coefficients)).view(), block.permutation, std::move(bias));
}

/// The operator; a rank that W itself lacks is lowered, which a block identity needs.
nn::LinearPtr operatorOf(Factors factors, std::vector<float> bias, Accounting accounting, bool half, report::LowRankMatrix& notes, const RunContext& context)
{
    if (accounting == Accounting::BlockIdentity) {
        const std::int64_t rank = independentRows(factors.a);
        if (rank < factors.a.rows()) {
            notes.warnings.push_back("The weight has " + std::to_string(rank) + " independent directions of " + std::to_string(factors.a.rows()) + " asked for: the rank was lowered.");
            factors = truncated(factors, std::max<std::int64_t>(rank, 1));
        }
        return half ? halfBlockIdentity(factors, std::move(bias), notes, context) : makeOperator(factors.b, factors.a, std::move(bias), accounting, &notes, context);
    }
    if (accounting == Accounting::Remapped)
        return makeOperator(factors.b, factors.a, std::move(bias), accounting, &notes, context);
    notes.condition = conditionOf(factors.b, context);
    notes.maxCoefficient = largestCoefficient(factors);
    if (half) {
        factors.b = toHalf(factors.b);
        factors.a = toHalf(factors.a);
    }
    return makeOperator(factors.b, factors.a, std::move(bias), accounting, &notes, context);
}

Result compressOne(const Inputs& inputs, const io::MatrixRef& matrix, std::int64_t rank, Accounting accounting, const Settings& settings, const RunContext& context)
{
    context.setParts(10);
    Result result;
    const auto decomposition = decompositionOf(inputs, matrix, settings.preconditioner, context.part(8, matrix.name));
    const io::CalibrationSite site = inputs.calibration->read(matrix.name);
    rank = std::min(rank, decomposition->size());
    report::LowRankMatrix notes;
    Factors factors = decomposition->energy() > 0 && accounting == Accounting::Factors ? joined(inputs, matrix, site, *decomposition, rank, settings, result, context) : factorsOf(*decomposition, rank);
    std::vector<float> bias;
    if (const nn::LinearSlot* slot = inputs.model ? inputs.model->find(matrix.name) : nullptr; slot && *slot)
        bias = slot->op->bias();
    result.op.name = matrix.name;
    result.op.op = operatorOf(std::move(factors), std::move(bias), accounting, settings.half, notes, context);
    result.op.matrix = measureOperator(*inputs.checkpoint, matrix, result.op.op.get(), &site, context);
    result.op.matrix.minimumLoss = decomposition->minimum[static_cast<std::size_t>(result.op.op->rank())];
    result.op.matrix.condition = notes.condition;
    result.op.matrix.maxCoefficient = notes.maxCoefficient;
    result.op.matrix.warnings = decomposition->warnings;
    result.op.matrix.warnings.insert(result.op.matrix.warnings.end(), notes.warnings.begin(), notes.warnings.end());
    context.finish();
    return result;
}

double macsOf(const io::MatrixRef& matrix)
{
    const auto m = static_cast<double>(matrix.rows), n = static_cast<double>(matrix.cols), p = std::min(m, n);
    return 2 * p * n * n + 2 * p * p * n + linalg::symmetricEigenMacs(std::min(matrix.rows, matrix.cols)) + 1;
}

/// All matrices with a rank, heaviest first; an entry a target, empty for those that stay dense.
std::vector<std::optional<Result>> compressAll(const Inputs& inputs, const std::vector<const io::MatrixRef*>& all, const std::map<std::string, std::int64_t>& ranks,
                                               Accounting accounting, const Settings& settings, const RunContext& context, const Finished& finished)
{
    std::vector<std::optional<Result>> results(all.size());
    std::vector<std::size_t> order;
    double weight = 0;
    for (std::size_t i = 0; i < all.size(); ++i)
        if (ranks.contains(all[i]->name)) {
            order.push_back(i);
            weight += macsOf(*all[i]);
        }
    std::ranges::stable_sort(order, std::greater<>(), [&](std::size_t i) { return macsOf(*all[i]); });
    context.setParts(std::max(weight, 1.0));
    Finisher finisher(finished, context);
    std::atomic<std::size_t> next = 0;
    try {
        parallelFor(context, order.size(), [&](std::size_t) {
            const std::size_t i = order[next++];
            results[i] = compressOne(inputs, *all[i], ranks.at(all[i]->name), accounting, settings, context.part(macsOf(*all[i]), all[i]->name));
            finisher.add(results[i]->op);
        });
    } catch (...) {
        finisher.pass();
        throw;
    }
    finisher.pass();
    return results;
}

void addJunctionMeans(const std::vector<std::optional<Result>>& results, const Settings& settings, report::LowRankReport& report)
{
    double before = 0, after = 0, count = 0;
    for (const auto& result : results)
        if (result && result->chosen) {
            before += *result->symmetric;
            after += *result->chosen;
            count += 1;
        }
    if (count == 0)
        return;
    const std::string what = settings.objective == JunctionObjective::F16Rounding ? "mean float16 rounding loss / energy" : "mean amplification";
    report.scalars.emplace_back(what + ", symmetric", before / count);
    report.scalars.emplace_back(what + ", optimised", after / count);
}

Compression compress(const Inputs& inputs, const plan::BudgetRequest& budget, const Parameters& given, const RunContext& context, const Finished& finished)
{
    const auto start = std::chrono::steady_clock::now();
    if (!inputs.checkpoint || !inputs.calibration)
        throw Error(ErrorCode::InvalidParameter, "needs a checkpoint and a calibration set", "lowrank.local");
    Compression compression;
    auto& report = compression.report;
    report.method = "lowrank.local";
    report.parameters = localMethod().declaration.schema.complete(given);
    const Settings settings(report.parameters);
    const Accounting accounting = accountingOf(settings, budget.accounting);
    report.keep = budget.keep;
    report.allocation = plan::allocationName(budget.allocation);
    report.accounting = plan::accountingName(budget.accounting);
    context.setParts(10);
    const auto all = targets(inputs, report.warnings, context);
    const auto ranks = chooseRanks(inputs, all, budget, report.warnings, context.part(2, "ranks"));
    auto results = compressAll(inputs, all, ranks, accounting, settings, context.part(8, "matrices"), finished);
    addJunctionMeans(results, settings, report);
    for (std::size_t i = 0; i < all.size(); ++i) {
        if (!results[i]) {
            const io::CalibrationSite site = inputs.calibration->read(all[i]->name);
            report.matrices.push_back(measureOperator(*inputs.checkpoint, *all[i], nullptr, &site, context));
            continue;
        }
        report.matrices.push_back(results[i]->op.matrix);
        report.scalars.insert(report.scalars.end(), results[i]->scalars.begin(), results[i]->scalars.end());
        compression.operators.push_back(std::move(results[i]->op));
    }
    fillCosts(inputs, compression);
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    context.finish();
    return compression;
}
} // namespace

Method localMethod()
{
    Method method;
    method.declaration = {.id = "lowrank.local",
                          .lab = "lowrank",
                          .title = "Local: preconditioned SVD",
                          .reference = "Truncated SVD of W P for each matrix by itself: ASVD (2312.05821), SVD-LLM (2403.07378, 2503.12340), "
                                       "LatentLLM (2505.18413), Swift-SVD (2604.01609)",
                          .schema = ParameterSchema(localParameters())};
    method.compress = compress;
    return method;
}

} // namespace tamis::lowrank
