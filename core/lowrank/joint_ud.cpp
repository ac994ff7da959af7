// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/joint_ud.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/lowrank/compression_run.h"
#include "core/lowrank/decomposition.h"
#include "core/lowrank/mlp_alternation.h"
#include "core/lowrank/mlp_rows.h"
#include "core/lowrank/targets.h"
#include "core/spectrum/shared_parameters.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace tamis::lowrank {
namespace {
using tensor::Matrix;
constexpr const char* kId = "lowrank.joint-ud";

std::vector<ParameterSpec> jointUdParameters()
{
    using Type = ParameterType;
    const auto penalty = [](const char* name, const char* title, const char* help) {
        return ParameterSpec{.name = name, .title = title, .type = Type::Real, .defaultValue = 0.0, .minimum = 0, .maximum = 1e6, .logarithmic = true, .help = help};
    };
    return {penalty("alpha", "Weight of the first layer", "Of |z - W1 X|^2; 0: as published, 0.1, and 5 where the MLP is gated"),
            penalty("beta", "Weight of the output", "Of |W2 p - Y|^2; 0: as published, 0.1, and 5 where the MLP is gated"),
            penalty("gamma", "Weight of the activation", "Of |p - sigma(z)|^2; 0: as published, 0.1, and 5 where the MLP is gated"),
            {.name = "iterations", .title = "Outer iterations", .type = Type::Integer, .defaultValue = std::int64_t{4}, .minimum = 1, .maximum = 100, .step = 1,
             .help = "Rounds over factors, hidden values and pre-activations; the best by the true output error is kept"},
            {.name = "percdamp", .title = "Damping", .type = Type::Real, .defaultValue = 0.01, .minimum = 1e-8, .maximum = 1, .logarithmic = true,
             .unit = "x mean diagonal", .help = "How firmly least squares hold on to the dense weights, relative to the inputs' second moments"},
            {.name = "gate-steps", .title = "Gate steps", .type = Type::Integer, .defaultValue = std::int64_t{2}, .minimum = 0, .maximum = 100, .step = 1,
             .help = "Gradient steps on a gate's pre-activations a round; 0: their exact minimum"},
            {.name = "gate-rate", .title = "Gate rate", .type = Type::Real, .defaultValue = 0.01, .minimum = 1e-6, .maximum = 10, .logarithmic = true,
             .help = "Size of these steps; one that would climb is halved"},
            {.name = "refit", .title = "Fit the down projection to what it gets", .type = Type::Boolean, .defaultValue = true,
             .help = "Beside each round's factors, tries the down projection fitted to the hidden values of the compressed first layer"},
            {.name = "rows", .title = "Rows", .type = Type::Integer, .defaultValue = std::int64_t{4096}, .minimum = 16, .maximum = 1e6, .step = 1, .unit = "tokens",
             .help = "Collected from the samples, a fifth of them to check on; without samples, the calibration file's rows serve"},
            spectrum::ridgeParameter("Of the separate whitened factors: the start, and the other matrices")};
}

std::string fourDigits(double value)
{
    std::array<char, 32> text{};
    return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::general, 4).ptr};
}

/// The matrices of one block's MLP that are compressed together.
struct MlpTargets {
    const io::MatrixRef *up = nullptr, *gate = nullptr, *down = nullptr;
};

class JointUd {
public:
    JointUd(const Inputs& inputs, const plan::BudgetRequest& budget, const Parameters& complete, const RunContext& context, const Finished& finished)
        : m_parameters(complete), m_context(context), m_run(kId, inputs, budget, complete, finished, context.part(1, "ranks")), m_ridge(complete.real("ridge"))
    {
        m_objective = {.id = "objective", .title = "Objective of the joint problem", .xTitle = "block update", .yTitle = "over its start", .logY = true};
        m_error = {.id = "output-error", .title = "What the MLP's output loses", .xTitle = "iteration (0: separate)", .yTitle = "relative squared error"};
    }

    Compression run()
    {
        collect(m_context.part(2, "collecting inputs"));
        const RunContext solving = m_context.part(17, "compressing");
        solving.setParts(static_cast<double>(m_run.layers().size()));
        for (const LayerTargets& layer : m_run.layers()) {
            const RunContext part = solving.part(1, "layer " + std::to_string(layer.layer));
            const MlpTargets mlp = mlpOf(layer);
            for (const io::MatrixRef* matrix : {layer.fused, layer.query, layer.key, layer.value, layer.output})
                if (matrix)
                    m_run.putLocal(*matrix, m_ridge, part);
            for (const io::MatrixRef* matrix : layer.others)
                if (!mlp.up || (matrix != mlp.up && matrix != mlp.gate && matrix != mlp.down))
                    m_run.putLocal(*matrix, m_ridge, part);
            if (mlp.up)
                compress(mlp, layer.layer, part);
            part.finish();
        }
        if (!m_objective.series.empty())
            m_run.report().figures = {std::move(m_objective), std::move(m_error)};
        return m_run.finish();
    }

private:
    const nn::Block& blockOf(int layer) const { return m_run.inputs().model->blocks()[static_cast<std::size_t>(layer)]; }

    /// Null members where this block's MLP is not compressed as a whole.
    MlpTargets mlpOf(const LayerTargets& layer)
    {
        MlpTargets found;
        for (const io::MatrixRef* matrix : layer.others)
            for (const auto& [role, place] : {std::pair{io::Role::Up, &found.up}, {io::Role::Gate, &found.gate}, {io::Role::Down, &found.down}})
                if (matrix->role == role)
                    *place = m_run.rank(*matrix) > 0 ? matrix : nullptr;
        const bool known = layer.layer >= 0 && layer.layer < static_cast<int>(m_run.inputs().model->blocks().size());
        const bool gated = known && blockOf(layer.layer).spec.mlp.gated;
        const bool whole = known && found.up && found.down && (found.gate || !gated) && found.up->name == blockOf(layer.layer).up.name;
        return whole ? found : MlpTargets{};
    }

    void collect(const RunContext& context)
    {
        std::vector<std::string> names;
        for (const LayerTargets& layer : m_run.layers())
            if (const MlpTargets mlp = mlpOf(layer); mlp.up)
                names.push_back(mlp.up->name);
        if (names.empty())
            m_run.warn("No block has an MLP whose matrices are all compressed: nothing was joint.");
        else if (m_run.inputs().samples && m_run.inputs().samples->count() > 0)
            m_rows = collectRows(m_run.inputs(), names, m_parameters.integer("rows"), context);
        else
            m_run.warn("There are no samples to collect inputs from: the rows in the calibration file served.");
        context.finish();
    }

    MlpRows rowsOf(const io::MatrixRef& up)
    {
        if (const auto found = m_rows.find(up.name); found != m_rows.end())
            return std::move(found->second);
        io::CalibrationSite site = m_run.inputs().calibration->read(up.name);
        if (site.samples.empty())
            throw Error(ErrorCode::InvalidParameter, "has no sample rows, and there are no samples to collect them from, expected one or the other", up.name);
        return {std::move(site.samples), std::move(site.heldOut)};
    }

    MlpWeights weightsOf(const MlpTargets& mlp, int layer) const
    {
        const auto bias = [&](const io::MatrixRef& matrix) {
            const auto& values = m_run.inputs().model->find(matrix.name)->op->bias();
            return std::vector<double>(values.begin(), values.end());
        };
        const io::Checkpoint& checkpoint = *m_run.inputs().checkpoint;
        MlpWeights weights{.up = checkpoint.readMatrixDouble(*mlp.up), .gate = {}, .down = checkpoint.readMatrixDouble(*mlp.down), .upBias = bias(*mlp.up), .gateBias = {},
                           .activation = blockOf(layer).spec.mlp.activation};
        if (mlp.gate) {
            weights.gate = checkpoint.readMatrixDouble(*mlp.gate);
            weights.gateBias = bias(*mlp.gate);
        }
        return weights;
    }

    MlpSettings settingsOf(bool gated) const
    {
        const auto penalty = [&](const char* name) {
            const double given = m_parameters.real(name);
            return given > 0 ? given : gated ? 5.0 : 0.1;
        };
        return {.penalties = {penalty("alpha"), penalty("beta"), penalty("gamma")}, .iterations = static_cast<int>(m_parameters.integer("iterations")),
                .damping = m_parameters.real("percdamp"), .gateSteps = static_cast<int>(m_parameters.integer("gate-steps")), .gateRate = m_parameters.real("gate-rate"),
                .refit = m_parameters.boolean("refit")};
    }

    void compress(const MlpTargets& mlp, int layer, const RunContext& context)
    {
        const MlpRows rows = rowsOf(*mlp.up);
        const MlpWeights weights = weightsOf(mlp, layer);
        std::map<const io::MatrixRef*, double> minimum;
        const auto separate = [&](const io::MatrixRef& matrix) {
            const auto decomposition = decompositionOf(m_run.inputs(), matrix, {.preconditioner = Preconditioner::OutputPca, .ridge = m_ridge}, context);
            const std::int64_t rank = m_run.rank(matrix);
            minimum[&matrix] = decomposition->minimum[static_cast<std::size_t>(rank)];
            Factors factors = factorsOf(*decomposition, rank);
            return FittedPair{std::move(factors.b), std::move(factors.a)};
        };
        const MlpFactors start{separate(*mlp.up), mlp.gate ? separate(*mlp.gate) : FittedPair{}, separate(*mlp.down)};
        const MlpSolution solution = alternateMlp(weights, start, linalg::toDouble(rows.fit.view()), linalg::toDouble(rows.check.view()), settingsOf(weights.gated()), context);
        report(solution, layer, rows.check.empty());
        const auto put = [&](const io::MatrixRef& matrix, const FittedPair& pair) {
            m_run.put(matrix, makeOperator(pair.b, pair.a, m_run.inputs().model->find(matrix.name)->op->bias(), m_run.budget().accounting, nullptr, context), context,
                      minimum[&matrix]);
        };
        put(*mlp.up, solution.factors.up);
        if (mlp.gate)
            put(*mlp.gate, solution.factors.gate);
        put(*mlp.down, solution.factors.down);
    }

    void report(const MlpSolution& solution, int layer, bool unchecked)
    {
        const std::string name = "layer " + std::to_string(layer);
        const auto series = [&](const std::string& label, const std::vector<double>& values, double scale, bool dashed) {
            report::Series drawn{.name = label, .dashed = dashed, .group = layer};
            for (std::size_t i = 0; i < values.size(); ++i)
                drawn.points.push_back({static_cast<double>(i), values[i] * scale});
            return drawn;
        };
        m_objective.series.push_back(series(name, solution.objective, 1 / solution.objective.front(), false));
        m_error.series.push_back(series(name, solution.fitError, 1, false));
        if (!unchecked)
            m_error.series.push_back(series(name + " (held out)", solution.checkError, 1, true));
        const double before = solution.checkError.front();
        const double after = solution.bestIteration == 0 ? before : solution.checkError[static_cast<std::size_t>(solution.bestIteration)];
        auto& scalars = m_run.report().scalars;
        scalars.emplace_back("output error of " + name + ", separate", before);
        scalars.emplace_back("output error of " + name + ", joint", after);
        if (solution.bestIteration > 0)
            return;
        const double joint = *std::min_element(solution.checkError.begin() + 1, solution.checkError.end());
        m_run.warn("Layer " + std::to_string(layer) + ": joint factors lose " + fourDigits(joint) + " of the MLP's output, the separate ones " + fourDigits(before) +
                   ": the separate ones are kept.");
    }

    const Parameters& m_parameters;
    RunContext m_context;
    CompressionRun m_run;
    double m_ridge;
    std::map<std::string, MlpRows> m_rows;
    report::MethodFigure m_objective, m_error;
};

Compression compress(const Inputs& inputs, const plan::BudgetRequest& budget, const Parameters& given, const RunContext& context, const Finished& finished)
{
    const Parameters parameters = jointUdMethod().declaration.schema.complete(given);
    context.setParts(20);
    return JointUd(inputs, budget, parameters, context, finished).run();
}
} // namespace

Method jointUdMethod()
{
    Method method;
    method.declaration = {.id = kId,
                          .lab = "lowrank",
                          .title = "Joint up and down projections",
                          .reference = "Auxiliary variables for the hidden values, alternated (SparseLLM, 2402.17946), with factors by whitened SVD (LatentLLM, 2505.18413)",
                          .schema = ParameterSchema(jointUdParameters())};
    method.compress = compress;
    return method;
}

} // namespace tamis::lowrank
