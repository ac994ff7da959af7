// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/dobi.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/lowrank/dobi_training.h"
#include "core/lowrank/operator_loss.h"
#include "core/lowrank/remapping.h"
#include "core/lowrank/targets.h"
#include "core/spectrum/method.h"

#include <algorithm>
#include <chrono>
#include <cmath>

namespace tamis::lowrank {
namespace {
using tensor::Matrix;
constexpr const char* kId = "lowrank.dobi";

std::vector<ParameterSpec> trainingParameters()
{
    using Type = ParameterType;
    return {
        {.name = "samples", .title = "Samples", .type = Type::Integer, .defaultValue = std::int64_t{24}, .minimum = 0, .maximum = 1e6, .step = 1,
         .help = "Evenly spread over the calibration samples; 0: all. Their activations are decomposed one by one"},
        {.name = "group", .title = "Decomposed together", .type = Type::Integer, .defaultValue = std::int64_t{1}, .minimum = 1, .maximum = 64, .step = 1, .unit = "samples",
         .help = "More than one where samples have fewer tokens than the layers have outputs: ranks beyond the tokens cost nothing"},
        {.name = "epochs", .title = "Epochs", .type = Type::Integer, .defaultValue = std::int64_t{16}, .minimum = 0, .maximum = 1e4, .step = 1,
         .help = "Passes over the samples; 0: uniform ranks, only the weight update"},
        {.name = "batch", .title = "Batch", .type = Type::Integer, .defaultValue = std::int64_t{4}, .minimum = 1, .maximum = 4096, .step = 1, .unit = "samples", .help = "Samples a step"},
        {.name = "learning-rate", .title = "Learning rate", .type = Type::Real, .defaultValue = 4.0, .minimum = 1e-4, .maximum = 100, .logarithmic = true, .unit = "ranks a step",
         .help = "Of Adam at its peak; down to a tenth along half a cosine"},
        {.name = "beta", .title = "Gate steepness", .type = Type::Real, .defaultValue = 0.5, .minimum = 0.05, .maximum = 100, .logarithmic = true,
         .help = "Gate i is (tanh(beta (k - i)) + 1) / 2; less than 10 lets more directions tell what they are worth"},
        {.name = "budget-weight", .title = "Budget penalty", .type = Type::Real, .defaultValue = 200.0, .minimum = 0, .maximum = 1e6, .logarithmic = true,
         .help = "lambda of lambda |R - R_target|, R the share of the dense cost"},
        {.name = "loss", .title = "Task loss", .type = Type::Choice, .defaultValue = std::string("perplexity"),
         .help = "exp of the mean cross entropy, as published, or the cross entropy itself", .choices = {"perplexity", "cross-entropy"}},
        {.name = "gate", .title = "Gates", .type = Type::Choice, .defaultValue = std::string("tanh"),
         .help = "One trained rank a matrix, or a hard concrete gate for every direction", .choices = {"tanh", "hard-concrete"}},
        {.name = "backward", .title = "Gradient", .type = Type::Choice, .defaultValue = std::string("frozen"),
         .help = "Through each step's decomposition (exact: many times slower), past it, or with the dense model's, decomposed once", .choices = {"exact", "projection", "frozen"}},
        {.name = "scores", .title = "Queries and keys", .type = Type::Choice, .defaultValue = std::string("own"),
         .help = "Gated in their own outputs' directions, or in the joint planes of their layer's scores (LatentLLM), whose factors they then get", .choices = {"own", "joint-planes"}},
        {.name = "error-weight", .title = "Cumulative error", .type = Type::Real, .defaultValue = 0.0, .minimum = 0, .maximum = 1e4, .logarithmic = true,
         .help = "Times the blocks' mean relative error against the dense model, added to the cross entropy"},
        {.name = "update", .title = "Weight update", .type = Type::Choice, .defaultValue = std::string("equal"),
         .help = "How the samples' subspaces become one: equal votes (incremental PCA), weighted by energy, geometric median, or the whitened optimum of the calibration set",
         .choices = {"equal", "weighted", "median", "whitened"}},
        {.name = "seed", .title = "Seed", .type = Type::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 1e9, .step = 1, .help = "Of the order of samples and of hard concrete gates"},
    };
}

SubspaceMean meanOf(const std::string& name)
{
    return name == "median" ? SubspaceMean::GeometricMedian : name == "weighted" ? SubspaceMean::Weighted : SubspaceMean::Equal;
}

class DobiCompression {
public:
    DobiCompression(const Inputs& inputs, const plan::BudgetRequest& budget, const Parameters& complete, const Finished& finished)
        : m_inputs(inputs), m_budget(budget), m_parameters(complete), m_settings(complete), m_finished(finished)
    {
        auto& report = m_result.report;
        report.method = kId;
        report.parameters = complete;
        report.keep = budget.keep;
        report.allocation = "trained ranks";
        report.accounting = plan::accountingName(budget.accounting);
    }

    Compression run(const RunContext& context)
    {
        const auto start = std::chrono::steady_clock::now();
        if (!m_inputs.checkpoint || !m_inputs.model || !m_inputs.samples || m_inputs.samples->count() == 0)
            throw Error(ErrorCode::InvalidParameter, "needs a checkpoint, its model and samples to train on", kId);
        if (m_budget.unit == plan::BudgetUnit::Latency)
            throw Error(ErrorCode::InvalidParameter, "found a budget in latency, expected one in parameters, bytes or MACs: its penalty needs a slope", kId);
        if (m_parameters.text("update") == "whitened" && !m_inputs.calibration)
            throw Error(ErrorCode::InvalidParameter, "the whitened weight update needs a calibration set, expected one, or another update", kId);
        if (m_settings.jointScores && m_settings.gate != RankGateKind::Tanh)
            throw Error(ErrorCode::InvalidParameter, "found hard concrete gates with scores=joint-planes, expected gate=tanh: a plane keeps its first directions", kId);
        auto& report = m_result.report;
        context.setParts(10);
        m_targets = targets(m_inputs, report.warnings, context);
        const RankBudget budget = budgetOf();
        std::map<std::string, std::int64_t> ranks = m_fixed;
        std::unique_ptr<DobiTraining> training;
        if (!m_trained.empty()) {
            training = std::make_unique<DobiTraining>(m_inputs, m_trained, budget, m_settings, report.warnings, context.part(1, "samples"));
            const auto chosen = chooseTrained(*training, budget, context.part(7, "training the ranks"));
            for (std::size_t i = 0; i < m_trained.size(); ++i)
                ranks[m_trained[i]->name] = chosen[i];
        }
        update(training.get(), ranks, context.part(2, "updating the weights"));
        fillCosts(m_inputs, m_result);
        report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        context.finish();
        return std::move(m_result);
    }

private:
    /// Parts the targets into those with a rank by hand and those to train.
    RankBudget budgetOf()
    {
        std::vector<MatrixShape> shapes;
        std::int64_t fixedDense = 0, fixedUnits = 0;
        for (const io::MatrixRef* matrix : m_targets) {
            const auto found = m_budget.overrides.find(matrix->name);
            const std::int64_t most = plan::largestUsefulRank(m_budget.accounting, matrix->rows, matrix->cols);
            const bool byHand = found != m_budget.overrides.end() && (found->second.rank || found->second.locked);
            if (!byHand && most >= m_budget.alignment && m_budget.keep < 1) {
                m_trained.push_back(matrix);
                shapes.push_back({matrix->rows, matrix->cols});
                continue;
            }
            const std::int64_t rank = byHand && found->second.rank ? *found->second.rank : 0;
            const std::int64_t dense = plan::budgetUnitsDense(m_budget.accounting, matrix->rows, matrix->cols);
            m_fixed[matrix->name] = rank >= 1 && rank <= std::min(matrix->rows, matrix->cols) ? rank : kStaysDense;
            fixedDense += dense;
            fixedUnits += m_fixed[matrix->name] == kStaysDense ? dense : plan::budgetUnits(m_budget.accounting, matrix->rows, matrix->cols, rank);
        }
        return RankBudget(m_budget.accounting, m_budget.keep, m_budget.alignment, std::move(shapes), fixedDense, fixedUnits);
    }

    std::vector<std::int64_t> chooseTrained(DobiTraining& training, const RankBudget& budget, const RunContext& context)
    {
        auto& report = m_result.report;
        context.setParts(10);
        // The uniform ranks, with what they leave of the budget given out too: nobody gains by rounding.
        const auto even = budget.uniform();
        std::vector<double> shares;
        for (std::size_t i = 0; i < even.size(); ++i)
            shares.push_back(static_cast<double>(even[i] == kStaysDense ? budget.largest(i) : even[i]));
        const auto uniform = budget.whole(shares);
        const double before = training.taskLoss(uniform, context.part(0.5, "uniform ranks"));
        const auto history = training.train(context.part(9, "training the ranks"));
        const auto trained = budget.whole(training.ranks());
        const double after = training.taskLoss(trained, context.part(0.5, "trained ranks"));
        addFigures(history, uniform, trained);
        report.scalars.emplace_back("truncated loss, uniform ranks", before);
        report.scalars.emplace_back("truncated loss, trained ranks", after);
        report.scalars.emplace_back("share of the budget used", static_cast<double>(budget.units(trained)) / static_cast<double>(budget.allowed()));
        if (after <= before)
            return trained;
        report.warnings.push_back("Training the ranks raised the loss of truncated activations from " + toText(before) + " to " + toText(after) +
                                  " nats, so the uniform ranks are kept: a smaller learning rate, a smaller beta or more epochs may help.");
        return uniform;
    }

    void addFigures(const std::vector<TrainingEpoch>& history, const std::vector<std::int64_t>& uniform, const std::vector<std::int64_t>& trained)
    {
        const auto line = [](const char* name) { report::Series series; series.name = name; return series; };
        report::Series loss = line("cross entropy"), share = line("share of the dense cost"), even = line("uniform"), own = line("trained");
        for (std::size_t i = 0; i < history.size(); ++i) {
            loss.points.push_back({static_cast<double>(i + 1), history[i].loss});
            share.points.push_back({static_cast<double>(i + 1), history[i].share});
        }
        for (std::size_t i = 0; i < trained.size(); ++i) {
            const auto shown = [&](std::int64_t rank) { return static_cast<double>(rank == kStaysDense ? std::min(m_trained[i]->rows, m_trained[i]->cols) : rank); };
            even.points.push_back({static_cast<double>(i), shown(uniform[i])});
            own.points.push_back({static_cast<double>(i), shown(trained[i])});
        }
        auto& figures = m_result.report.figures;
        figures.push_back({"dobi-loss", "Loss of truncated activations", "epoch", "nats", false, false, {std::move(loss)}});
        figures.push_back({"dobi-share", "Budget while training", "epoch", "share of the dense cost", false, false, {std::move(share)}});
        figures.push_back({"dobi-ranks", "Trained ranks", "matrix, in execution order", "rank", false, false, {std::move(even), std::move(own)}});
    }

    void update(const DobiTraining* training, const std::map<std::string, std::int64_t>& ranks, const RunContext& context)
    {
        report::Series measured, bound;
        measured.name = "measured";
        bound.name = "bound";
        std::size_t trained = 0;
        for (std::size_t i = 0; i < m_targets.size(); ++i) {
            context.throwIfStopped();
            const io::MatrixRef& matrix = *m_targets[i];
            const bool own = !m_fixed.contains(matrix.name);
            const std::size_t place = own ? trained++ : 0;
            const std::int64_t rank = ranks.at(matrix.name);
            io::CalibrationSite site;
            if (m_inputs.calibration)
                site = m_inputs.calibration->read(matrix.name);
            const io::CalibrationSite* statistics = m_inputs.calibration ? &site : nullptr;
            if (rank == kStaysDense) {
                m_result.report.matrices.push_back(measureOperator(*m_inputs.checkpoint, matrix, nullptr, statistics, context));
                continue;
            }
            report::LowRankMatrix junction;
            nn::LinearPtr op = own ? training->planes().operatorAt(matrix.name, ranks, m_budget.accounting, context) : nullptr;
            if (!op) {
                const bool usable = own && !training->planes().find(matrix.name); // a plane's partner stayed dense: no own directions either
                const spectrum::Factors factors = usable ? factorsOf(matrix, rank, *training, place, context) : whitened(matrix, rank, context);
                const std::vector<float> bias = m_inputs.model->find(matrix.name)->op->bias();
                if (m_budget.accounting == plan::Accounting::Remapped) {
                    Remapping remapped = remap(factors.b, factors.a, bias, context);
                    measured.points.push_back({static_cast<double>(i), remapped.error});
                    bound.points.push_back({static_cast<double>(i), remapped.errorBound});
                    op = std::move(remapped.op);
                } else {
                    op = makeOperator(factors.b, factors.a, bias, m_budget.accounting, &junction, context);
                }
            }
            CompressedOperator done{matrix.name, op, measureOperator(*m_inputs.checkpoint, matrix, op.get(), statistics, context)};
            done.matrix.condition = junction.condition;
            done.matrix.maxCoefficient = junction.maxCoefficient;
            m_result.report.matrices.push_back(done.matrix);
            if (m_finished)
                m_finished(done);
            m_result.operators.push_back(std::move(done));
            context.setFraction(static_cast<double>(i + 1) / static_cast<double>(m_targets.size()));
        }
        if (!measured.points.empty())
            m_result.report.figures.push_back({"quantisation-error", "Rounding error of the packed factors", "matrix, in execution order", "spectral norm", false, true,
                                               {std::move(measured), std::move(bound)}});
    }

    /// B = V, A = V^T W: W' = V V^T W with V the leading directions of the samples' outputs.
    spectrum::Factors factorsOf(const io::MatrixRef& matrix, std::int64_t rank, const DobiTraining& training, std::size_t place, const RunContext& context) const
    {
        if (m_parameters.text("update") == "whitened")
            return whitened(matrix, rank, context);
        const Matrix<double> directions = meanSubspace(training.subspaces(place, rank), rank, meanOf(m_parameters.text("update")), context);
        spectrum::Factors factors;
        factors.a = linalg::product(directions.view(), m_inputs.checkpoint->readMatrixDouble(matrix).view(), context);
        factors.b = Matrix<double>(directions.cols(), directions.rows());
        for (std::int64_t i = 0; i < factors.b.rows(); ++i)
            for (std::int64_t k = 0; k < factors.b.cols(); ++k)
                factors.b(i, k) = directions(k, i);
        return factors;
    }

    spectrum::Factors whitened(const io::MatrixRef& matrix, std::int64_t rank, const RunContext& context) const
    {
        const spectrum::Method* method = spectrum::findMethod(m_inputs.calibration ? "spectrum.whitened" : "spectrum.plain");
        return method->factors({m_inputs.checkpoint, m_inputs.calibration, {matrix.name}}, matrix.name, rank, method->declaration.schema.defaults(), context);
    }

    const Inputs& m_inputs;
    const plan::BudgetRequest& m_budget;
    const Parameters& m_parameters;
    DobiSettings m_settings;
    const Finished& m_finished;
    std::vector<const io::MatrixRef*> m_targets, m_trained;
    std::map<std::string, std::int64_t> m_fixed;
    Compression m_result;
};
} // namespace

Method dobiMethod()
{
    Method method;
    method.declaration = {kId, "lowrank", "Dobi-SVD (trained ranks)", "Dobi-SVD (arXiv 2502.02723): ranks trained through truncated activations, weights by incremental PCA",
                          ParameterSchema(trainingParameters())};
    method.needsCalibration = false;
    method.needsSamples = true;
    method.trains = true;
    method.compress = [schema = method.declaration.schema](const Inputs& inputs, const plan::BudgetRequest& budget, const Parameters& parameters, const RunContext& context,
                                                            const Finished& finished) {
        const Parameters complete = schema.complete(parameters);
        return DobiCompression(inputs, budget, complete, finished).run(context);
    };
    return method;
}

} // namespace tamis::lowrank
