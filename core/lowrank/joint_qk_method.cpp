// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/joint_qk_method.h"

#include "core/linalg/gemm.h"
#include "core/linalg/singular_values.h"
#include "core/lowrank/attention_errors.h"
#include "core/lowrank/branch_error.h"
#include "core/lowrank/joint_layers.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis::lowrank {
namespace {
using linalg::Op;
using tensor::Matrix;
constexpr const char* kId = "lowrank.joint-qk";
constexpr double kCoreEnergy = 0.99; // of a head's core: how many directions it uses

/// For every head the number of singular values of B_q,i^T B_k,g that hold kCoreEnergy of its energy.
std::vector<std::int64_t> directionsOf(const AttentionParts& parts, const JointQk::Solution& solution)
{
    const Matrix<double>&q = solution.queryLatent, &k = solution.keyLatent;
    const auto rows = [&](const Matrix<double>& b, std::int64_t head) {
        return linalg::ConstView{b.data() + head * parts.headDim * b.cols(), parts.headDim, b.cols(), b.cols()};
    };
    std::vector<std::int64_t> all;
    for (std::int64_t i = 0; i < parts.heads; ++i) {
        const Matrix<double> core = linalg::product(Op::Transpose, Op::None, rows(q, i), rows(k, parts.groupOf(i)));
        all.push_back(rankForEnergy(linalg::squaredSingularValues(core.view()), kCoreEnergy));
    }
    return all;
}

report::Series byLayer(std::string name, bool dashed = false)
{
    report::Series series;
    series.name = std::move(name);
    series.dashed = dashed;
    return series;
}

void addTo(double& sum, double value) { sum = std::isnan(sum) ? value : sum + value; }
} // namespace

std::vector<ParameterSpec> jointQkRankParameters()
{
    return {{.name = "rank-choice",
             .title = "Ranks of q and k",
             .type = ParameterType::Choice,
             .defaultValue = std::string("budget"),
             .help = "What the budget leaves for the two, or as many directions as hold a share of each plane's energy",
             .choices = {"budget", "energy"}},
            {.name = "energy",
             .title = "Energy",
             .type = ParameterType::Real,
             .defaultValue = 0.999,
             .minimum = 0.01,
             .maximum = 1,
             .help = "Share of a plane's score energy that its directions hold, with ranks by energy"},
            {.name = "split",
             .title = "Split between q and k",
             .type = ParameterType::Choice,
             .defaultValue = std::string("spectra"),
             .help = "Of the budget: where the planes' spectra hold most energy a parameter, the same keep for both, or a share",
             .choices = {"spectra", "equal", "share"}},
            {.name = "query-share", .title = "Share of q", .type = ParameterType::Real, .defaultValue = 0.5, .minimum = 0.05, .maximum = 0.95, .help = "Of the parameters of q and k, with split=share"},
            {.name = "map-samples",
             .title = "Samples for maps",
             .type = ParameterType::Integer,
             .defaultValue = std::int64_t{2},
             .minimum = 0,
             .maximum = 1000,
             .help = "On which the heads' map errors are measured, evenly spread over the samples; 0: not measured"}};
}

RankPair ScoreCompression::ranks(const JointQk& joint, const LayerTargets& layer) const
{
    const plan::BudgetRequest& budget = m_run.budget();
    const Parameters& parameters = m_run.report().parameters;
    const AttentionParts& parts = joint.parts();
    if (!layer.fused && m_run.ranksByHand(*layer.query) && m_run.ranksByHand(*layer.key))
        return {m_run.rank(*layer.query), m_run.rank(*layer.key)};
    const PlaneSize query{parts.query.weight.rows(), parts.query.weight.cols(), &joint.queryEnergy()};
    const PlaneSize key{parts.key.weight.rows(), parts.key.weight.cols(), &joint.keyEnergy()};
    if (parameters.text("rank-choice") == "energy") {
        const auto rankOf = [&](const PlaneSize& plane) {
            const std::int64_t most = std::max<std::int64_t>(1, plan::largestUsefulRank(budget.accounting, plane.rows, plane.cols));
            return std::min(rankForEnergy(*plane.energy, parameters.real("energy")), most);
        };
        return {rankOf(query), rankOf(key)};
    }
    const double units = layer.fused ? m_run.units(*layer.fused, query.rows) + m_run.units(*layer.fused, key.rows) : m_run.units(*layer.query) + m_run.units(*layer.key);
    const std::string& split = parameters.text("split");
    return splitRanks(query, key, units, budget.accounting, budget.alignment,
                      split == "equal"  ? RankSplit::Equal
                      : split == "share" ? RankSplit::Share
                                         : RankSplit::Spectra,
                      parameters.real("query-share"));
}

std::optional<ScoreCompression::Chosen> ScoreCompression::compress(const LayerTargets& layer, const RunContext& context)
{
    const bool dense = layer.fused ? m_run.rank(*layer.fused) == 0 : m_run.rank(*layer.query) == 0 && m_run.rank(*layer.key) == 0;
    if (dense)
        return std::nullopt;
    const JointQk joint = JointQk::prepare(m_run.inputs(), layer.layer, m_run.report().parameters, context);
    for (const std::string& notice : joint.notices())
        m_run.warn(notice);
    const auto [queryRank, keyRank] = ranks(joint, layer);
    Layer solved{.layer = layer.layer, .joint = joint.solve(queryRank, keyRank, context, m_run.budget().accounting), .separate = {}, .directions = {}};
    solved.separate = joint.separate(queryRank, keyRank, context, m_run.budget().accounting);
    solved.directions = directionsOf(joint.parts(), solved.joint);
    report::LowRankReport& report = m_run.report();
    report.planes.push_back({layer.layer, "query", joint.queryEnergy(), solved.joint.queryRank});
    report.planes.push_back({layer.layer, "key", joint.keyEnergy(), solved.joint.keyRank});
    m_layers.push_back(std::move(solved));
    return Chosen{m_layers.back().joint.query, m_layers.back().joint.key};
}

void ScoreCompression::fill(const RunContext& context)
{
    if (m_layers.empty())
        return;
    fillFigures();
    fillHeads(context);
}

void ScoreCompression::fillFigures()
{
    report::LowRankReport& report = m_run.report();
    report::MethodFigure errors{.id = "score-error", .title = "Error of the attention scores by layer", .xTitle = "Layer", .yTitle = "|S - S'|² / |S|²", .logY = true};
    report::MethodFigure steps{.id = "alternation", .title = "Objective after each half step", .xTitle = "Half step", .yTitle = "|S - S'|² / |S|²", .logY = true};
    report::MethodFigure heads{.id = "head-directions", .title = "Directions that hold 99 % of a head's core", .xTitle = "Head", .yTitle = "Directions"};
    report::Series joint = byLayer("joint"), separate = byLayer("separate, same ranks", true);
    double jointSum = 0, separateSum = 0;
    for (const Layer& layer : m_layers) {
        const auto x = static_cast<double>(layer.layer);
        const std::string name = "layer " + std::to_string(layer.layer);
        joint.points.push_back({x, layer.joint.objective});
        separate.points.push_back({x, layer.separate.objective});
        jointSum += layer.joint.objective;
        separateSum += layer.separate.objective;
        report::Series history = byLayer(name), directions = byLayer(name);
        for (std::size_t i = 0; i < layer.joint.history.size(); ++i)
            history.points.push_back({static_cast<double>(i + 1), layer.joint.history[i]});
        for (std::size_t i = 0; i < layer.directions.size(); ++i)
            directions.points.push_back({static_cast<double>(i), static_cast<double>(layer.directions[i])});
        if (!history.points.empty())
            steps.series.push_back(std::move(history));
        heads.series.push_back(std::move(directions));
        report.scalars.emplace_back("score error of " + name, layer.joint.objective);
        report.scalars.emplace_back("iterations of " + name, layer.joint.iterations);
    }
    errors.series = {std::move(joint), std::move(separate)};
    const auto count = static_cast<double>(m_layers.size());
    report.scalars.emplace_back("mean score error, joint", jointSum / count);
    report.scalars.emplace_back("mean score error, separate at the same ranks", separateSum / count);
    report.figures.push_back(std::move(errors));
    if (!steps.series.empty())
        report.figures.push_back(std::move(steps));
    report.figures.push_back(std::move(heads));
}

/// Both on the dense model's hidden states, queries and keys alone replaced.
void ScoreCompression::fillHeads(const RunContext& context)
{
    const Inputs& inputs = m_run.inputs();
    const auto wanted = static_cast<std::size_t>(m_run.report().parameters.integer("map-samples"));
    if (!inputs.samples || wanted == 0)
        return;
    std::vector<nn::Model::Replacement> together, apart;
    for (const Layer& layer : m_layers) {
        for (const auto& [name, op] : layer.joint.operators)
            together.push_back({name, op});
        for (const auto& [name, op] : layer.separate.operators)
            apart.push_back({name, op});
    }
    const auto joint = inputs.model->replaced(together), separate = inputs.model->replaced(apart);
    std::vector<report::LowRankHead> heads;
    const auto chosen = evenlySpread(inputs.samples->count(), wanted);
    for (const std::size_t index : chosen) {
        measure::LoadedSample sample;
        inputs.samples->load(index, sample);
        const auto dense = runSample(inputs.model, sample, context);
        std::size_t at = 0;
        for (const Layer& layer : m_layers) {
            const BlockRun a = runBlockOn(*joint, *dense, layer.layer, context), b = runBlockOn(*separate, *dense, layer.layer, context);
            const AttentionCopy* others[] = {&a.attention, &b.attention};
            const auto errors = headErrors(dense->attention[static_cast<std::size_t>(layer.layer)], others, 0, -1, context);
            for (std::size_t head = 0; head < errors[0].size(); ++head, ++at) {
                if (heads.size() == at)
                    heads.push_back({.layer = layer.layer, .head = static_cast<std::int64_t>(head)});
                addTo(heads[at].mapError, errors[0][head].map);
                addTo(heads[at].logitError, errors[0][head].logit);
                addTo(heads[at].outputError, errors[0][head].output);
                addTo(heads[at].separateMapError, errors[1][head].map);
            }
        }
    }
    const auto count = static_cast<double>(chosen.size());
    double mapSum = 0, separateSum = 0;
    for (report::LowRankHead& head : heads) {
        for (double* value : {&head.mapError, &head.logitError, &head.outputError, &head.separateMapError})
            *value /= count;
        mapSum += head.mapError;
        separateSum += head.separateMapError;
    }
    report::LowRankReport& report = m_run.report();
    if (!heads.empty()) {
        report.scalars.emplace_back("mean map error, joint", mapSum / static_cast<double>(heads.size()));
        report.scalars.emplace_back("mean map error, separate at the same ranks", separateSum / static_cast<double>(heads.size()));
    }
    report.heads = std::move(heads);
}

namespace {
Compression compress(const Inputs& inputs, const plan::BudgetRequest& budget, const Parameters& given, const RunContext& context, const Finished& finished)
{
    context.setParts(10);
    CompressionRun run(kId, inputs, budget, jointQkMethod().declaration.schema.complete(given), finished, context.part(2, "ranks"));
    ScoreCompression scores(run);
    compressLayers(run, &scores, nullptr, context.part(7, "layers"));
    scores.fill(context.part(1, "attention maps"));
    return run.finish();
}
} // namespace

Method jointQkMethod()
{
    std::vector<ParameterSpec> specs = jointQkParameters();
    for (ParameterSpec& spec : jointQkRankParameters())
        specs.push_back(std::move(spec));
    Method method;
    method.declaration = {.id = kId,
                          .lab = "lowrank",
                          .title = "Joint QK (LatentLLM)",
                          .reference = "Tucker planes of all heads' W_q^T W_k under the attention-map objective: LatentLLM (2505.18413), with rotary displacements",
                          .schema = ParameterSchema(std::move(specs))};
    method.compress = compress;
    return method;
}

} // namespace tamis::lowrank
