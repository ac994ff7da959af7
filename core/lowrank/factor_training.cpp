// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/factor_training.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/lowrank/operator_loss.h"
#include "core/lowrank/targets.h"
#include "core/spectrum/method.h"
#include "core/spectrum/shared_parameters.h"
#include "core/train/trainer.h"

#include <chrono>
#include <cmath>
#include <limits>
#include <random>

namespace tamis::lowrank {
namespace {
using tensor::Matrix;
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

/// The run of one training: the loop's builder and observer over shared state.
class Training {
public:
    Training(const Inputs& inputs, const std::vector<OperatorFactors>& start, const FactorTrainingSettings& settings, const RunContext& context)
        : m_settings(settings), m_context(context), m_samples(inputs.samples, static_cast<std::size_t>(settings.checkSamples), settings.seed),
          m_objective(inputs, settings.objective, context), m_factors(start, settings.biases), m_checkTape(context)
    {
    }

    TrainedFactors run()
    {
        m_result.figure = {.id = "training", .title = "Training of the factors", .xTitle = "step", .yTitle = m_objective.unit()};
        m_result.startLoss = m_result.bestLoss = check(0);
        m_result.factors = m_factors.factors();
        if (m_samples.checkedCount() == 0)
            m_result.warnings.push_back("There are " + std::to_string(m_samples.trainingCount()) + " samples, too few to part some to check on: the factors of the last step are kept.");
        train::TrainingSettings loop;
        loop.optimiser.weightDecay = m_settings.weightDecay;
        loop.schedule = {.kind = train::ScheduleKind::Cosine, .peak = m_settings.learningRate, .floor = 0.0,
                         .warmUp = static_cast<std::int64_t>(m_settings.warmUp * static_cast<double>(m_settings.steps)), .total = m_settings.steps};
        loop.clipNorm = m_settings.clipNorm > 0 ? m_settings.clipNorm : std::numeric_limits<double>::infinity();
        try {
            train::train<float>(m_factors.parameters(), loop, [this](train::Tape<float>& tape, std::int64_t step, std::int64_t) { return build(tape, step); }, m_context,
                                [this](const train::TrainingStep& step) { observe(step); });
        } catch (const Error& error) {
            if (error.code() != ErrorCode::NonFinite)
                throw;
            m_result.warnings.push_back("Training ended after " + std::to_string(m_result.steps) + " of " + std::to_string(m_settings.steps) + " steps: " + error.message() +
                                        "; the best factors so far, of step " + std::to_string(m_result.bestStep) + ", are kept.");
        }
        draw();
        return std::move(m_result);
    }

private:
    train::Variable<float> build(train::Tape<float>& tape, std::int64_t step)
    {
        return m_objective.loss(tape, m_samples.batch(step, m_settings.batch, m_context), m_factors.replacement(tape));
    }

    void observe(const train::TrainingStep& step)
    {
        m_result.steps = step.step + 1;
        m_losses.push_back(step.loss);
        if (m_samples.checkedCount() == 0) {
            m_result.bestStep = m_result.steps;
            if (m_result.steps == m_settings.steps)
                m_result.factors = m_factors.factors();
            return;
        }
        if (m_result.steps % m_settings.checkEvery != 0 && m_result.steps != m_settings.steps)
            return;
        const double loss = check(m_result.steps);
        if (!(loss < m_result.bestLoss))
            return;
        m_result.bestLoss = loss;
        m_result.bestStep = m_result.steps;
        m_result.factors = m_factors.factors();
    }

    /// Mean loss over the checked samples, in batches of the training's size; NaN without any.
    double check(std::int64_t step)
    {
        double sum = 0, total = 0;
        const auto batch = static_cast<std::size_t>(m_settings.batch);
        for (std::size_t begin = 0; begin < m_samples.checkedCount(); begin += batch) {
            m_checkTape.reset();
            double weight = 0;
            const auto loss = m_objective.loss(m_checkTape, m_samples.checked(begin, std::min(batch, m_samples.checkedCount() - begin), m_context),
                                               m_factors.replacement(m_checkTape), &weight);
            sum += weight * static_cast<double>(m_checkTape.scalar(loss));
            total += weight;
        }
        m_checkTape.reset();
        const double mean = total > 0 ? sum / total : kNone;
        if (total > 0 && step == 0 && !std::isfinite(mean))
            throw Error(ErrorCode::NonFinite, "the loss of the factors to start from is not a number, expected a finite one", "training");
        if (std::isfinite(mean))
            m_checks.push_back({static_cast<double>(step), mean});
        return mean;
    }

    void draw()
    {
        report::Series losses{.name = "training", .points = report::decimate(m_losses, 1, 512), .group = 0};
        report::Series checks{.name = "held out", .points = m_checks, .dashed = true, .group = 0};
        m_result.figure.series = {std::move(losses), std::move(checks)};
    }

    const FactorTrainingSettings& m_settings;
    RunContext m_context;
    TrainingSamples m_samples;
    TrainingObjective m_objective;
    FactorsOnTape<float> m_factors;
    train::Tape<float> m_checkTape;
    TrainedFactors m_result;
    std::vector<double> m_losses;
    std::vector<report::Point> m_checks;
};

/// Gaussian factors whose product has W's mean square, in expectation.
void drawFactors(OperatorFactors& factors, double meanSquare, std::mt19937_64& random)
{
    std::normal_distribution<double> normal;
    const auto rank = static_cast<double>(factors.b.cols()), inputs = static_cast<double>(factors.a.cols());
    for (double& value : factors.a.values())
        value = normal(random) / std::sqrt(inputs);
    for (double& value : factors.b.values())
        value = normal(random) * std::sqrt(meanSquare * inputs / rank);
}

std::vector<OperatorFactors> startFactors(const Inputs& inputs, const std::vector<const io::MatrixRef*>& chosen, const std::map<std::string, std::int64_t>& ranks,
                                          const Parameters& parameters, const RunContext& context)
{
    const std::string& init = parameters.text("init");
    std::mt19937_64 random(static_cast<std::uint64_t>(parameters.integer("seed")));
    const spectrum::Method* method = init == "random" ? nullptr : spectrum::findMethod("spectrum." + init);
    if (init == "whitened" && !inputs.calibration)
        throw Error(ErrorCode::InvalidParameter, "found no calibration set, expected one to start from whitened factors; init=plain and init=random need none", "init");
    Parameters settings;
    if (init == "whitened")
        settings.set("ridge", parameters.real("ridge"));
    const spectrum::Inputs of{inputs.checkpoint, inputs.calibration, {}};
    std::vector<OperatorFactors> start;
    context.setParts(static_cast<double>(ranks.size()));
    for (const io::MatrixRef* matrix : chosen) {
        const auto rank = ranks.find(matrix->name);
        if (rank == ranks.end())
            continue;
        const RunContext part = context.part(1, matrix->name);
        OperatorFactors each{matrix->name, {}, {}, inputs.model->find(matrix->name)->op->bias()};
        if (method) {
            spectrum::Factors found = method->factors(of, matrix->name, rank->second, settings, part);
            each.b = std::move(found.b);
            each.a = std::move(found.a);
        } else {
            each.b = Matrix<double>(matrix->rows, rank->second);
            each.a = Matrix<double>(rank->second, matrix->cols);
            const Matrix<double> w = inputs.checkpoint->readMatrixDouble(*matrix);
            drawFactors(each, linalg::squaredNorm(w.view()) / static_cast<double>(w.size()), random);
        }
        balance(each);
        part.finish();
        start.push_back(std::move(each));
    }
    return start;
}

/// |(W - B A) X|^2 of the start: what no factors of this rank go below, when they are whitened without ridge.
double startLoss(const Inputs& inputs, const io::MatrixRef& matrix, const OperatorFactors& factors, const io::CalibrationSite& site, const RunContext& context)
{
    Matrix<double> d = inputs.checkpoint->readMatrixDouble(matrix);
    linalg::gemm(linalg::Op::None, linalg::Op::None, -1.0, factors.b.view(), factors.a.view(), 1.0, d.view(), context);
    return gramLoss(d, site.gram, context);
}

void addOperators(const Inputs& inputs, const std::vector<const io::MatrixRef*>& chosen, const std::vector<OperatorFactors>& start,
                  const std::vector<OperatorFactors>& trained, plan::Accounting accounting, bool optimal, Compression& compression, const RunContext& context,
                  const Finished& finished)
{
    std::size_t next = 0;
    for (const io::MatrixRef* matrix : chosen) {
        context.throwIfStopped();
        io::CalibrationSite site;
        if (inputs.calibration)
            site = inputs.calibration->read(matrix->name);
        const io::CalibrationSite* measured = inputs.calibration ? &site : nullptr;
        if (next == trained.size() || trained[next].name != matrix->name) {
            compression.report.matrices.push_back(measureOperator(*inputs.checkpoint, *matrix, nullptr, measured, context));
            continue;
        }
        const OperatorFactors& factors = trained[next];
        report::LowRankMatrix junction;
        const nn::LinearPtr op = makeOperator(factors.b, factors.a, factors.bias, accounting, &junction, context);
        report::LowRankMatrix matrixReport = measureOperator(*inputs.checkpoint, *matrix, op.get(), measured, context);
        matrixReport.condition = junction.condition;
        matrixReport.maxCoefficient = junction.maxCoefficient;
        if (optimal && measured)
            matrixReport.minimumLoss = startLoss(inputs, *matrix, start[next], site, context);
        compression.operators.push_back({matrix->name, op, matrixReport});
        compression.report.matrices.push_back(std::move(matrixReport));
        if (finished)
            finished(compression.operators.back());
        ++next;
    }
}
} // namespace

FactorTrainingSettings::FactorTrainingSettings(const Parameters& complete)
    : steps(complete.integer("steps")), batch(complete.integer("batch")), checkEvery(complete.integer("check-every")), checkSamples(complete.integer("check-samples")),
      learningRate(complete.real("learning-rate")), warmUp(complete.real("warm-up")), weightDecay(complete.real("weight-decay")), clipNorm(complete.real("clip")),
      biases(complete.boolean("biases")), seed(static_cast<std::uint64_t>(complete.integer("seed")))
{
}

std::vector<ParameterSpec> factorTrainingParameters()
{
    using Type = ParameterType;
    return {
        {.name = "steps", .title = "Steps", .type = Type::Integer, .defaultValue = std::int64_t{200}, .minimum = 1, .maximum = 1e6, .step = 1, .logarithmic = true,
         .help = "Steps of AdamW, the learning rate along half a cosine"},
        {.name = "batch", .title = "Batch", .type = Type::Integer, .defaultValue = std::int64_t{8}, .minimum = 1, .maximum = 4096, .step = 1, .unit = "samples",
         .help = "Samples (windows of text, photos) a step; memory grows with it"},
        {.name = "learning-rate", .title = "Learning rate", .type = Type::Real, .defaultValue = 3e-3, .minimum = 0, .maximum = 1, .logarithmic = true,
         .help = "At its peak; factors are balanced first, so that one rate suits both sides"},
        {.name = "warm-up", .title = "Warm-up", .type = Type::Real, .defaultValue = 0.05, .minimum = 0, .maximum = 1, .unit = "of the steps",
         .help = "Share of the steps in which the rate rises from 0"},
        {.name = "weight-decay", .title = "Weight decay", .type = Type::Real, .defaultValue = 0.0, .minimum = 0, .maximum = 1, .logarithmic = true,
         .help = "Of the factors, decoupled (AdamW); biases do not decay"},
        {.name = "clip", .title = "Gradient norm at most", .type = Type::Real, .defaultValue = 1.0, .minimum = 0, .maximum = 1e6, .logarithmic = true,
         .help = "Common norm of all gradients; 0: not clipped"},
        {.name = "check-every", .title = "Check every", .type = Type::Integer, .defaultValue = std::int64_t{25}, .minimum = 1, .maximum = 1e6, .step = 1, .unit = "steps",
         .help = "How often the loss on held-out samples is taken; the best factors by it are kept"},
        {.name = "check-samples", .title = "Samples to check on", .type = Type::Integer, .defaultValue = std::int64_t{32}, .minimum = 1, .maximum = 1e6, .step = 1,
         .help = "Parted from the samples and not trained on; at most a fifth of them"},
        {.name = "init", .title = "Start from", .type = Type::Choice, .defaultValue = std::string("whitened"),
         .help = "Factors to start from: the whitened optimum, the plain SVD, or random ones (low rank trained from nothing)", .choices = {"whitened", "plain", "random"}},
        spectrum::ridgeParameter("Of the whitened start"),
        {.name = "biases", .title = "Train biases", .type = Type::Boolean, .defaultValue = false, .help = "Biases of the replaced operators are trained too, where they have any"},
        {.name = "seed", .title = "Seed", .type = Type::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 1e9, .step = 1,
         .help = "Of the choice and order of samples, and of random factors"},
    };
}

TrainedFactors trainFactors(const Inputs& inputs, const std::vector<OperatorFactors>& start, const FactorTrainingSettings& settings, const RunContext& context)
{
    return Training(inputs, start, settings, context).run();
}

Compression compressByTraining(const std::string& id, const Inputs& inputs, const plan::BudgetRequest& budget, const Parameters& complete,
                               const ObjectiveSettings& objective, const RunContext& context, const Finished& finished)
{
    const auto begin = std::chrono::steady_clock::now();
    if (!inputs.checkpoint || !inputs.model || !inputs.samples)
        throw Error(ErrorCode::InvalidParameter, "needs a checkpoint, its model and samples to train on", id);
    Compression compression;
    auto& report = compression.report;
    report.method = id;
    report.parameters = complete;
    report.keep = budget.keep;
    report.allocation = plan::allocationName(budget.allocation);
    report.accounting = plan::accountingName(budget.accounting);
    FactorTrainingSettings settings(complete);
    settings.objective = objective;
    context.setParts(22);
    const auto chosen = targets(inputs, report.warnings, context);
    const auto ranks = chooseRanks(inputs, chosen, budget, report.warnings, context.part(1, "ranks"));
    const auto start = startFactors(inputs, chosen, ranks, complete, context.part(1, "factors to start from"));
    std::vector<OperatorFactors> factors;
    if (start.empty()) {
        report.warnings.push_back("Every matrix stays dense at this budget: there was nothing to train.");
    } else {
        TrainedFactors trained = trainFactors(inputs, start, settings, context.part(19, "training"));
        factors = std::move(trained.factors);
        report.figures.push_back(std::move(trained.figure));
        report.scalars = {{"held-out loss at the start", trained.startLoss}, {"held-out loss of the best", trained.bestLoss}, {"best step", static_cast<double>(trained.bestStep)},
                          {"steps done", static_cast<double>(trained.steps)}};
        report.warnings.insert(report.warnings.end(), trained.warnings.begin(), trained.warnings.end());
    }
    const bool optimal = complete.text("init") == "whitened" && complete.real("ridge") == 0;
    addOperators(inputs, chosen, start, factors, budget.accounting, optimal, compression, context.part(1, "measuring"), finished);
    fillCosts(inputs, compression);
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    context.finish();
    return compression;
}

} // namespace tamis::lowrank
