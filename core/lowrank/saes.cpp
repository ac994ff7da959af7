// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/saes.h"

#include "core/base/error.h"
#include "core/lowrank/operator_loss.h"
#include "core/lowrank/saes_report.h"
#include "core/lowrank/sequential_statistics.h"
#include "core/lowrank/targets.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <chrono>

namespace tamis::lowrank {
namespace {
using tensor::Matrix;
constexpr const char* kId = "lowrank.saes";

std::vector<ParameterSpec> saesParameters()
{
    return {{.name = "beta-mode",
             .title = "Beta",
             .type = ParameterType::Choice,
             .defaultValue = std::string("adaptive"),
             .help = "Adaptive: least share of energy lost (ACES), per matrix; energy: least energy lost; fixed: one value for all",
             .choices = {"adaptive", "energy", "fixed"}},
            {.name = "beta",
             .title = "Fixed beta",
             .type = ParameterType::Real,
             .defaultValue = 0.5,
             .minimum = 0,
             .maximum = 1,
             .help = "0: own outputs on the drifted inputs (SVD-LLM); 1: the dense model's outputs (anchored, AA-SVD)"},
            {.name = "beta-min", .title = "Least adaptive beta", .type = ParameterType::Real, .defaultValue = 0.25, .minimum = 0, .maximum = 1, .help = "Lower end of the search"},
            {.name = "beta-max", .title = "Largest adaptive beta", .type = ParameterType::Real, .defaultValue = 0.75, .minimum = 0, .maximum = 1, .help = "Upper end of the search"},
            {.name = "ridge",
             .title = "Ridge",
             .type = ParameterType::Real,
             .defaultValue = 1e-4,
             .minimum = 0,
             .maximum = 1,
             .logarithmic = true,
             .unit = "x mean diagonal of H",
             .help = "Added to the diagonal of the compressed path's statistics: pulls towards W where the samples say little"},
            {.name = "update",
             .title = "Update B",
             .type = ParameterType::Boolean,
             .defaultValue = false,
             .help = "Fits B to the dense model's outputs for the A that was found (SVD-LLM's closed-form update)"},
            {.name = "samples", .title = "Samples", .type = ParameterType::Integer, .defaultValue = std::int64_t{64}, .minimum = 0, .maximum = 1e6,
             .help = "Evenly spread over the calibration samples; 0: all"},
            {.name = "held-out", .title = "Held-out share", .type = ParameterType::Real, .defaultValue = 0.125, .minimum = 0, .maximum = 0.5,
             .help = "Share of the samples that only measures"},
            {.name = "reference",
             .title = "Non-sequential beside it",
             .type = ParameterType::Boolean,
             .defaultValue = true,
             .help = "Also follows the error of whitened factors of the same ranks from the dense model's statistics"}};
}

enum class BetaMode { Adaptive, Energy, Fixed };

struct Settings {
    explicit Settings(const Parameters& p)
        : beta(p.real("beta")), least(p.real("beta-min")), most(p.real("beta-max")), ridge(p.real("ridge")), update(p.boolean("update")),
          reference(p.boolean("reference"))
    {
        const std::string& name = p.text("beta-mode");
        mode = name == "fixed" ? BetaMode::Fixed : name == "energy" ? BetaMode::Energy : BetaMode::Adaptive;
        if (least > most)
            throw Error(ErrorCode::InvalidParameter, "found " + toText(least) + ", expected no more than beta-max, which is " + toText(most), "beta-min");
        paths.samples = static_cast<std::size_t>(p.integer("samples"));
        paths.heldOut = p.real("held-out");
        paths.reference = reference;
    }
    double choose(const AcesCurve& curve) const
    {
        return mode == BetaMode::Fixed ? beta : mode == BetaMode::Energy ? curve.bestEnergy(least, most) : curve.best(least, most);
    }
    BetaMode mode = BetaMode::Adaptive;
    double beta, least, most, ridge;
    bool update, reference;
    PathOptions paths;
};

/// Targets of one block that share one input, in execution order.
using Stage = std::vector<const io::MatrixRef*>;

int stageOf(io::Role role)
{
    using io::Role;
    switch (role) {
    case Role::Query:
    case Role::Key:
    case Role::Value:
    case Role::QueryKeyValue: return 0;
    case Role::Output: return 1;
    case Role::Up:
    case Role::Gate: return 2;
    case Role::Down: return 3;
    default: return -1;
    }
}

class SequentialCompression {
public:
    SequentialCompression(const Inputs& inputs, const plan::BudgetRequest& budget, const Parameters& parameters, const Finished& finished)
        : m_inputs(inputs), m_budget(budget), m_settings(parameters), m_finished(finished), m_current(inputs.model), m_reference(inputs.model)
    {
        auto& report = m_result.report;
        report.method = kId;
        report.parameters = parameters;
        report.keep = budget.keep;
        report.allocation = plan::allocationName(budget.allocation);
        report.accounting = plan::accountingName(budget.accounting);
    }

    Compression run(const RunContext& context)
    {
        const auto start = std::chrono::steady_clock::now();
        auto& report = m_result.report;
        const auto blocks = static_cast<int>(m_inputs.model->blocks().size());
        context.setParts(blocks + 1.0);
        const RunContext before = context.part(1, "ranks and samples");
        before.setParts(3);
        const auto chosen = targets(m_inputs, report.warnings, before.part(1, "hashing the model"));
        m_ranks = chooseRanks(m_inputs, chosen, m_budget, report.warnings, before.part(1, "ranks"));
        m_paths = std::make_unique<ModelPaths>(m_inputs.model, *m_inputs.samples, m_settings.paths, before.part(1, "embedding"));
        const auto stages = stagesOf(chosen, blocks);
        for (int block = 0; block < blocks; ++block)
            runBlock(block, stages[static_cast<std::size_t>(block)], context.part(1, "block " + std::to_string(block)));
        m_record.fill(report, m_settings.reference);
        fillCosts(m_inputs, m_result);
        report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        context.finish();
        return std::move(m_result);
    }

private:
    /// [block][0 .. 3]: q, k, v; output; up, gate; down.
    std::vector<std::vector<Stage>> stagesOf(const std::vector<const io::MatrixRef*>& chosen, int blocks) const
    {
        std::vector<std::vector<Stage>> stages(static_cast<std::size_t>(blocks), std::vector<Stage>(4));
        std::size_t sorted = 0;
        for (const nn::LinearSlot* slot : m_inputs.model->linears())
            for (const io::MatrixRef* matrix : chosen)
                if (matrix->name == slot->name && slot->layer >= 0 && stageOf(slot->role) >= 0) {
                    stages[static_cast<std::size_t>(slot->layer)][static_cast<std::size_t>(stageOf(slot->role))].push_back(matrix);
                    ++sorted;
                }
        if (sorted == chosen.size())
            return stages;
        const auto inBlock = [&](const io::MatrixRef* m) {
            const nn::LinearSlot* slot = m_inputs.model->find(m->name);
            return slot && slot->layer >= 0 && stageOf(slot->role) >= 0;
        };
        throw Error(ErrorCode::InvalidParameter, "is no projection of a block; this method compresses block after block", (*std::ranges::find_if_not(chosen, inBlock))->name);
    }

    void runBlock(int block, const std::vector<Stage>& stages, const RunContext& context)
    {
        context.setParts(static_cast<double>(stages.size()) + 1);
        std::vector<nn::Model::Replacement> reference;
        for (const Stage& stage : stages)
            runStage(stage, reference, context.part(1, stage.empty() ? "" : stage.front()->name));
        if (m_settings.reference)
            m_reference = m_reference->replaced(reference);
        m_record.addBlock(block, m_paths->advance(*m_current, m_settings.reference ? m_reference.get() : nullptr, context.part(1, "next block")));
    }

    void runStage(const Stage& stage, std::vector<nn::Model::Replacement>& reference, const RunContext& context)
    {
        if (std::ranges::none_of(stage, [&](const io::MatrixRef* m) { return m_ranks.contains(m->name); })) {
            for (const io::MatrixRef* matrix : stage)
                m_result.report.matrices.push_back(measureKept(*matrix, context));
            context.finish();
            return;
        }
        context.setParts(2);
        InputMoments moments = m_paths->measure(stage.front()->name, *m_current, context.part(1, "running both paths"));
        const Matrix<double> dense = moments.calibration.dense(), denseHeldOut = moments.heldOut.dense();
        const RunContext solving = context.part(1, "factors"), inside(context.stopToken()); // progress goes by matrices
        const auto local = m_settings.reference ? std::make_unique<CumulativeProblem>(problemOf(stage, withoutDrift(dense), inside)) : nullptr;
        const CumulativeProblem problem = problemOf(stage, std::move(moments.calibration), inside);
        for (const std::string& warning : problem.warnings())
            m_result.report.warnings.push_back(stage.front()->name + ": " + warning);
        std::vector<nn::Model::Replacement> replacements;
        for (const io::MatrixRef* matrix : stage) {
            solving.setFraction(static_cast<double>(replacements.size()) / static_cast<double>(stage.size()));
            const auto rank = m_ranks.find(matrix->name);
            if (rank == m_ranks.end()) {
                m_result.report.matrices.push_back(measureKept(*matrix, inside));
                continue;
            }
            const Matrix<double> w = finiteWeight(*matrix);
            replacements.push_back(compress(*matrix, w, rank->second, problem, {moments.heldOut, dense, denseHeldOut}, inside));
            if (local) {
                const auto whitened = local->factors(w, rank->second, 0, inside);
                reference.push_back({matrix->name, makeOperator(whitened.b, whitened.a, biasOf(*matrix), m_budget.accounting, nullptr, inside)});
            }
        }
        m_current = m_current->replaced(replacements);
        context.finish();
    }

    /// Sums of the dense path alone.
    static DriftMoments withoutDrift(const Matrix<double>& dense)
    {
        DriftMoments moments(dense.rows());
        moments.h = dense;
        return moments;
    }

    /// Errors name the first matrix that reads the input.
    CumulativeProblem problemOf(const Stage& stage, DriftMoments moments, const RunContext& context) const
    {
        try {
            return CumulativeProblem(std::move(moments), m_settings.ridge, context);
        } catch (const Error& error) {
            if (error.code() == ErrorCode::Cancelled)
                throw;
            throw Error(error.code(), error.message(), stage.front()->name);
        }
    }

    struct Measures {
        const DriftMoments& heldOut;               ///< of both paths
        const Matrix<double>&dense, &denseHeldOut; ///< the dense model's, for losses without a calibration set
    };

    nn::Model::Replacement compress(const io::MatrixRef& matrix, const Matrix<double>& w, std::int64_t rank, const CumulativeProblem& problem,
                                    const Measures& measures, const RunContext& context)
    {
        const AcesCurve curve = problem.curve(w, rank, context);
        const double beta = m_settings.choose(curve);
        CumulativeFactors factors = problem.factors(w, rank, beta, context);
        if (m_settings.update)
            factors.b = problem.updated(w, factors.a, context);
        report::LowRankMatrix junction;
        nn::LinearPtr op = makeOperator(factors.b, factors.a, biasOf(matrix), m_budget.accounting, &junction, context);
        CompressedOperator result{matrix.name, op, measured(matrix, w, *op, measures, context)};
        result.matrix.condition = junction.condition;
        result.matrix.maxCoefficient = junction.maxCoefficient;
        const Matrix<double> now = toDouble(op->dense());
        MatrixRecord record{.name = matrix.name, .layer = matrix.layer, .beta = beta, .adaptive = m_settings.mode != BetaMode::Fixed, .curve = curve};
        record.calibration = ratio(cumulativeLoss(w, now, problem.moments(), context), cumulativeLoss(w, zeroOf(w), problem.moments(), context));
        if (measures.heldOut.tokens > 0)
            record.heldOut = ratio(cumulativeLoss(w, now, measures.heldOut, context), cumulativeLoss(w, zeroOf(w), measures.heldOut, context));
        result.matrix.warnings = record.warnings();
        m_record.addMatrix(std::move(record));
        m_result.report.matrices.push_back(result.matrix);
        if (m_finished)
            m_finished(result);
        m_result.operators.push_back(std::move(result));
        return {matrix.name, std::move(op)};
    }

    /// Losses as every method reports them: under the calibration set, or, without one, on the dense path of the own samples.
    report::LowRankMatrix measured(const io::MatrixRef& matrix, const Matrix<double>& w, const nn::LinearOp& op, const Measures& measures,
                                   const RunContext& context) const
    {
        if (m_inputs.calibration) {
            const io::CalibrationSite site = m_inputs.calibration->read(matrix.name);
            return measureOperator(*m_inputs.checkpoint, matrix, &op, &site, context);
        }
        report::LowRankMatrix result = measureOperator(*m_inputs.checkpoint, matrix, &op, nullptr, context);
        Matrix<double> d = toDouble(op.dense());
        for (std::size_t i = 0; i < d.size(); ++i)
            d.values()[i] = w.values()[i] - d.values()[i];
        result.loss = gramLoss(d, measures.dense, context);
        result.energy = gramLoss(w, measures.dense, context);
        if (!measures.denseHeldOut.empty()) {
            result.heldOutLoss = gramLoss(d, measures.denseHeldOut, context);
            result.heldOutEnergy = gramLoss(w, measures.denseHeldOut, context);
        }
        return result;
    }

    report::LowRankMatrix measureKept(const io::MatrixRef& matrix, const RunContext& context) const
    {
        return measureOperator(*m_inputs.checkpoint, matrix, nullptr, nullptr, context);
    }

    Matrix<double> finiteWeight(const io::MatrixRef& matrix) const
    {
        Matrix<double> w = m_inputs.checkpoint->readMatrixDouble(matrix);
        if (const auto found = tensor::countNonFinite(std::span<const double>(w.values())); found.total() > 0)
            throw Error(ErrorCode::NonFinite, "holds " + std::to_string(found.total()) + " numbers that are NaN or infinite", matrix.name);
        return w;
    }

    std::vector<float> biasOf(const io::MatrixRef& matrix) const { return m_inputs.model->find(matrix.name)->op->bias(); }
    static Matrix<double> zeroOf(const Matrix<double>& w) { return Matrix<double>(w.rows(), w.cols()); }
    static double ratio(double loss, double energy) { return energy > 0 ? loss / energy : report::kNotMeasured; }
    static Matrix<double> toDouble(const Matrix<float>& x)
    {
        Matrix<double> result(x.rows(), x.cols());
        std::ranges::copy(x.values(), result.data());
        return result;
    }

    const Inputs& m_inputs;
    const plan::BudgetRequest& m_budget;
    Settings m_settings;
    const Finished& m_finished;
    std::map<std::string, std::int64_t> m_ranks;
    std::shared_ptr<const nn::Model> m_current, m_reference;
    std::unique_ptr<ModelPaths> m_paths;
    SaesRecord m_record;
    Compression m_result;
};

Compression compress(const Inputs& inputs, const plan::BudgetRequest& budget, const Parameters& given, const RunContext& context, const Finished& finished)
{
    const Parameters parameters = saesMethod().declaration.schema.complete(given);
    if (!inputs.checkpoint || !inputs.model || !inputs.samples)
        throw Error(ErrorCode::InvalidParameter, "needs a checkpoint, a model that runs and samples to run it on", kId);
    return SequentialCompression(inputs, budget, parameters, finished).run(context);
}
} // namespace

Method saesMethod()
{
    Method method;
    method.declaration = {.id = kId,
                          .lab = "lowrank",
                          .title = "Sequential, towards the dense outputs (SAES-SVD)",
                          .reference = "Cumulative-error target with adaptive beta: SAES-SVD (2602.03051); beta 0: SVD-LLM (2403.07378), beta 1: AA-SVD (2604.02119)",
                          .schema = ParameterSchema(saesParameters())};
    method.needsCalibration = false;
    method.needsSamples = true;
    method.compress = compress;
    return method;
}

} // namespace tamis::lowrank
