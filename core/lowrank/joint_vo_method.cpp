// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/joint_vo_method.h"

#include "core/lowrank/branch_error.h"
#include "core/lowrank/joint_layers.h"

#include <algorithm>
#include <cmath>

namespace tamis::lowrank {
namespace {
constexpr const char* kId = "lowrank.joint-vo";

/// Tokens that a query mixes in the costs that are reported: a whole image, the longest text.
std::int64_t typicalTokens(const nn::Model& model)
{
    const nn::ModelSpec& spec = model.spec();
    return spec.vision() ? spec.tokens(0) : std::max<std::int64_t>(1, spec.text.maxPositions);
}
} // namespace

std::vector<ParameterSpec> jointVoFormParameters()
{
    return {{.name = "form",
             .title = "Values and outputs",
             .type = ParameterType::Choice,
             .defaultValue = std::string("split"),
             .help = "Shared planes (joint), a rank in every head (split, as MoDeGPT), or whitened factors of either alone (separate)",
             .choices = {"joint", "split", "separate"}},
            {.name = "vo-split",
             .title = "Split between v and o",
             .type = ParameterType::Choice,
             .defaultValue = std::string("spectra"),
             .help = "Of the budget, with form=joint: where the planes' spectra hold most energy a parameter, the same keep for both, or a share",
             .choices = {"spectra", "equal", "share"}},
            {.name = "value-share", .title = "Share of v", .type = ParameterType::Real, .defaultValue = 0.5, .minimum = 0.05, .maximum = 0.95, .help = "Of the parameters of v and o, with vo-split=share"},
            {.name = "error-samples",
             .title = "Samples for the error",
             .type = ParameterType::Integer,
             .defaultValue = std::int64_t{4},
             .minimum = 0,
             .maximum = 1000,
             .help = "On which the attention's output is compared with the dense one's, evenly spread over the samples; 0: not measured"}};
}

JointVo::Solution ValueCompression::solve(const JointVo& vo, const LayerTargets& layer, const RunContext& context)
{
    const Parameters& parameters = m_run.report().parameters;
    const plan::BudgetRequest& budget = m_run.budget();
    const AttentionParts& parts = vo.parts();
    const io::MatrixRef& value = layer.fused ? *layer.fused : *layer.value;
    const PlaneSize first{parts.value.weight.rows(), parts.value.weight.cols(), &vo.valueEnergy()};
    const PlaneSize second{parts.output.weight.rows(), parts.output.weight.cols(), &vo.outputEnergy()};
    const double units = m_run.units(value, layer.fused ? first.rows : 0) + m_run.units(*layer.output);
    const std::string& form = parameters.text("form");
    if (form == "split") {
        const double dense = static_cast<double>(plan::budgetUnitsDense(budget.accounting, first.rows, first.cols)) +
                             static_cast<double>(plan::budgetUnitsDense(budget.accounting, second.rows, second.cols));
        const auto rank = static_cast<std::int64_t>(units / dense * static_cast<double>(parts.headDim) + 1e-9);
        return vo.split(std::clamp<std::int64_t>(rank, 1, parts.headDim), context);
    }
    if (form == "separate") {
        const std::int64_t valueRank = m_run.rank(value, layer.fused ? first.rows : 0), outputRank = m_run.rank(*layer.output);
        const auto orWhole = [](std::int64_t rank, const PlaneSize& plane) { return rank > 0 ? rank : std::min(plane.rows, plane.cols); };
        JointVo::Solution solution = vo.separate(orWhole(valueRank, first), orWhole(outputRank, second), context, budget.accounting);
        if (valueRank == 0) // the budget leaves it dense
            solution.value = nullptr;
        if (outputRank == 0)
            solution.output = nullptr;
        return solution;
    }
    const std::string& split = parameters.text("vo-split");
    const RankPair ranks = splitRanks(first, second, units, budget.accounting, budget.alignment,
                                      split == "equal"  ? RankSplit::Equal
                                      : split == "share" ? RankSplit::Share
                                                         : RankSplit::Spectra,
                                      parameters.real("value-share"));
    return vo.joint(ranks.first, ranks.second, context, budget.accounting);
}

std::optional<ValueCompression::Chosen> ValueCompression::compress(const LayerTargets& layer, const RunContext& context)
{
    if (m_run.rank(layer.fused ? *layer.fused : *layer.value) == 0 && m_run.rank(*layer.output) == 0)
        return std::nullopt;
    const JointVo vo = JointVo::prepare(m_run.inputs(), layer.layer, m_run.report().parameters, context);
    for (const std::string& notice : vo.notices())
        m_run.warn(notice);
    const JointVo::Solution solution = solve(vo, layer, context);
    report::LowRankReport& report = m_run.report();
    if (report.parameters.text("form") == "joint") {
        report.planes.push_back({layer.layer, "value", vo.valueEnergy(), solution.valueRank});
        report.planes.push_back({layer.layer, "output", vo.outputEnergy(), solution.outputRank});
    }
    m_layers.push_back({layer.layer, solution.objective, solution.valueRank, solution.outputRank,
                        contractionCost(vo.parts(), solution.valueRank, solution.outputRank, typicalTokens(*m_run.inputs().model))});
    return Chosen{solution.value, solution.output};
}

void ValueCompression::fill(const RunContext& context)
{
    report::LowRankReport& report = m_run.report();
    if (m_layers.empty())
        return;
    double objective = 0;
    ContractionCost cost;
    for (const Layer& layer : m_layers) {
        objective += layer.objective / static_cast<double>(m_layers.size());
        cost.heads += layer.contraction.heads;
        cost.latent += layer.contraction.latent;
        cost.dense += layer.contraction.dense;
    }
    report.scalars.emplace_back("mean product error of values and outputs", objective);
    if (report.parameters.text("form") != "split") {
        const std::string mixing = " (mixing " + std::to_string(typicalTokens(*m_run.inputs().model)) + " tokens)";
        report.scalars.emplace_back("MACs a token, values by head" + mixing, static_cast<double>(cost.heads));
        report.scalars.emplace_back("MACs a token, latent values" + mixing, static_cast<double>(cost.latent));
        report.scalars.emplace_back("MACs a token, dense" + mixing, static_cast<double>(cost.dense));
    }
    const auto samples = static_cast<std::size_t>(report.parameters.integer("error-samples"));
    if (!m_run.inputs().samples || samples == 0)
        return;
    std::vector<int> layers;
    for (const Layer& layer : m_layers)
        layers.push_back(layer.layer);
    const auto errors = branchErrors(m_run.inputs(), m_run.model(), layers, samples, context);
    report::MethodFigure figure{.id = "value-error", .title = "Error of the attention's output, by cause", .xTitle = "Layer", .yTitle = "Share of the output's energy"};
    const char* const names[] = {"product structure", "statistics mismatch", "attention-weight drift", "total"};
    for (const char* name : names) {
        figure.series.emplace_back();
        figure.series.back().name = name;
    }
    figure.series[3].dashed = true;
    double sums[4] = {};
    for (std::size_t i = 0; i < errors.size(); ++i) {
        const BranchError& e = errors[i];
        const double energy = e.energy > 0 ? e.energy : 1;
        const double parts[4] = {m_layers[i].objective, e.values / energy - m_layers[i].objective, (e.total - e.values) / energy, e.total / energy};
        for (std::size_t k = 0; k < 4; ++k) {
            figure.series[k].points.push_back({static_cast<double>(e.layer), parts[k]});
            sums[k] += parts[k] / static_cast<double>(errors.size());
        }
    }
    for (std::size_t k = 0; k < 4; ++k)
        report.scalars.emplace_back(std::string("error of the attention's output, mean over layers: ") + names[k], sums[k]);
    report.figures.push_back(std::move(figure));
}

namespace {
Compression compress(const Inputs& inputs, const plan::BudgetRequest& budget, const Parameters& given, const RunContext& context, const Finished& finished)
{
    context.setParts(10);
    CompressionRun run(kId, inputs, budget, jointVoMethod().declaration.schema.complete(given), finished, context.part(2, "ranks"));
    ValueCompression values(run);
    compressLayers(run, nullptr, &values, context.part(7, "layers"));
    values.fill(context.part(1, "error by cause"));
    return run.finish();
}
} // namespace

Method jointVoMethod()
{
    std::vector<ParameterSpec> specs = jointVoFormParameters();
    for (ParameterSpec& spec : jointVoParameters())
        specs.push_back(std::move(spec));
    Method method;
    method.declaration = {.id = kId,
                          .lab = "lowrank",
                          .title = "Joint VO (LatentLLM, MoDeGPT)",
                          .reference = "Tucker planes of all heads' W_o W_v: LatentLLM (2505.18413); a rank in every head: MoDeGPT (2408.09632)",
                          .schema = ParameterSchema(std::move(specs))};
    method.compress = compress;
    return method;
}

} // namespace tamis::lowrank
