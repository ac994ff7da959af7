// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/joint_qk.h"

#include "core/base/error.h"
#include "core/lowrank/targets.h"
#include "core/spectrum/shared_parameters.h"

#include <algorithm>

namespace tamis::lowrank {
namespace {
using tensor::Matrix;

/// Given, or the default.
Parameters known(const Parameters& given)
{
    const ParameterSchema schema(jointQkParameters());
    Parameters ours;
    for (const ParameterSpec& spec : schema.specs())
        if (given.contains(spec.name))
            ours.set(spec.name, given.value(spec.name));
    return schema.complete(ours);
}

/// C - T mean mean^T, padded with a row and column of zeros to the side of `like`.
Matrix<double> centred(const InputStatistics& statistics, std::int64_t features)
{
    Matrix<double> c(statistics.c.rows(), statistics.c.cols());
    const auto tokens = static_cast<double>(statistics.tokens);
    for (std::int64_t i = 0; i < features; ++i)
        for (std::int64_t j = 0; j < features; ++j)
            c(i, j) = statistics.c(i, j) - tokens * statistics.mean[static_cast<std::size_t>(i)] * statistics.mean[static_cast<std::size_t>(j)];
    return c;
}

/// A without the constant's column, and the bias B a_constant + `bias`.
struct Split {
    Matrix<double> a;
    std::vector<double> constant; ///< [rows]
};

Split splitConstant(const PlaneFactors& factors, std::int64_t features)
{
    Split split{Matrix<double>(factors.a.rows(), features), std::vector<double>(static_cast<std::size_t>(factors.b.rows()))};
    for (std::int64_t i = 0; i < factors.a.rows(); ++i)
        std::copy_n(factors.a.data() + i * factors.a.cols(), features, &split.a(i, 0));
    if (factors.a.cols() > features)
        for (std::int64_t i = 0; i < factors.b.rows(); ++i)
            for (std::int64_t k = 0; k < factors.a.rows(); ++k)
                split.constant[static_cast<std::size_t>(i)] += factors.b(i, k) * factors.a(k, features);
    return split;
}

std::vector<float> toFloat(const std::vector<double>& values)
{
    return {values.begin(), values.end()};
}
} // namespace

struct JointQk::Content {
    AttentionParts parts;
    ScorePlanes planes;
    Alternation alternation;
    bool centredKeys = false;
    std::vector<double> mean; ///< of the inputs
    std::vector<std::string> notices;

    nn::LinearPtr queryOperator(const ScoreSolution& solution, plan::Accounting accounting, const RunContext& context) const
    {
        const Split split = splitConstant(solution.query, parts.query.weight.cols());
        return makeOperator(solution.query.b, split.a, parts.query.bias.empty() ? std::vector<float>{} : toFloat(split.constant), accounting, nullptr, context);
    }
    /// With centred keys the bias carries what the factors do to the mean key, so that it is exact; where there is no bias it shifts
    /// all scores of a query alike, which the softmax does not see.
    nn::LinearPtr keyOperator(const ScoreSolution& solution, plan::Accounting accounting, const RunContext& context) const
    {
        Split split = splitConstant(solution.key, parts.query.weight.cols());
        if (parts.key.bias.empty())
            return makeOperator(solution.key.b, split.a, {}, accounting, nullptr, context);
        if (centredKeys) {
            std::vector<double> latent(static_cast<std::size_t>(split.a.rows()));
            for (std::int64_t k = 0; k < split.a.rows(); ++k)
                for (std::int64_t j = 0; j < split.a.cols(); ++j)
                    latent[static_cast<std::size_t>(k)] += split.a(k, j) * mean[static_cast<std::size_t>(j)];
            for (std::int64_t i = 0; i < parts.key.weight.rows(); ++i) {
                double bias = parts.key.bias[static_cast<std::size_t>(i)];
                for (std::int64_t j = 0; j < parts.key.weight.cols(); ++j)
                    bias += parts.key.weight(i, j) * mean[static_cast<std::size_t>(j)];
                for (std::int64_t k = 0; k < split.a.rows(); ++k)
                    bias -= solution.key.b(i, k) * latent[static_cast<std::size_t>(k)];
                split.constant[static_cast<std::size_t>(i)] = bias;
            }
        }
        return makeOperator(solution.key.b, split.a, toFloat(split.constant), accounting, nullptr, context);
    }
    void checkRanks(std::int64_t queryRank, std::int64_t keyRank) const
    {
        const auto check = [](const Projection& projection, std::int64_t rank, const char* what) {
            const std::int64_t most = std::min(projection.weight.rows(), projection.weight.cols());
            if (rank < 1 || rank > most)
                throw Error(ErrorCode::InvalidParameter, std::string("a ") + what + " rank of " + std::to_string(rank) + " was asked for, expected 1 to " + std::to_string(most),
                            projection.name);
        };
        check(parts.query, queryRank, "query");
        check(parts.key, keyRank, "key");
    }
    Solution solution(ScoreSolution from, bool joint, plan::Accounting accounting, nn::LinearPtr value, const RunContext& context) const
    {
        Solution made;
        made.query = queryOperator(from, accounting, context);
        made.key = keyOperator(from, accounting, context);
        made.operators = asOperators(parts, made.query, made.key, std::move(value));
        made.queryRank = from.queryRank;
        made.keyRank = from.keyRank;
        made.objective = from.objective;
        made.headObjective = std::move(from.headObjective);
        made.history = std::move(from.history);
        made.iterations = from.iterations;
        made.queryLatent = std::move(from.query.b);
        made.keyLatent = std::move(from.key.b);
        made.joint = joint;
        return made;
    }
};

std::vector<ParameterSpec> jointQkParameters()
{
    return {spectrum::ridgeParameter(),
            {.name = "window",
             .title = "Displacement window",
             .type = ParameterType::Integer,
             .defaultValue = std::int64_t{32},
             .minimum = 1,
             .maximum = 65536,
             .unit = "tokens",
             .help = "Rotary positions only: how far apart query and key stand in the objective; 1: at the same place, the plain form"},
            {.name = "distribution",
             .title = "Displacements",
             .type = ParameterType::Choice,
             .defaultValue = std::string("triangular"),
             .help = "Weight of a displacement d: all alike, window - d (how often a sequence of `window` tokens has it), exp(-d / decay)",
             .choices = {"uniform", "triangular", "exponential"}},
            {.name = "decay",
             .title = "Decay",
             .type = ParameterType::Real,
             .defaultValue = 16.0,
             .minimum = 0.1,
             .maximum = 65536,
             .logarithmic = true,
             .unit = "tokens",
             .help = "Of the exponential distribution"},
            {.name = "heads",
             .title = "Heads",
             .type = ParameterType::Choice,
             .defaultValue = std::string("energy"),
             .help = "Heads count by the energy of their scores, or each by its own relative error (adaptive)",
             .choices = {"energy", "relative"}},
            {.name = "key-inputs",
             .title = "Key statistics",
             .type = ParameterType::Choice,
             .defaultValue = std::string("gram"),
             .help = "Second moments of the keys' inputs, or their covariance: the mean key shifts all scores of a query alike, which the softmax does not see",
             .choices = {"gram", "centred"}},
            spectrum::iterationsParameter("the planes of the truncated HOSVD, the key's fitted to the query's"),
            spectrum::toleranceParameter()};
}

JointQk JointQk::prepare(const Inputs& inputs, int layer, const Parameters& given, const RunContext& context)
{
    if (!inputs.model || !inputs.calibration)
        throw Error(ErrorCode::InvalidParameter, "needs a model that runs and a calibration set", "lowrank.joint-qk");
    const Parameters parameters = known(given);
    AttentionParts parts = attentionParts(*inputs.model, layer);
    const nn::AttentionSpec& spec = inputs.model->blocks()[static_cast<std::size_t>(layer)].spec.attention;
    if (spec.rope.enabled && !spec.causal)
        throw Error(ErrorCode::UnsupportedFeature, "found rotary positions on the plane of an image's patches, expected positions along a text", parts.query.name);
    const bool biased = !parts.query.bias.empty() || !parts.key.bias.empty();
    InputStatistics statistics = inputStatistics(*inputs.calibration, parts.query.name, parts.query.weight.cols(), biased, parameters.real("ridge"));
    std::vector<std::string> notices = statistics.warnings;
    ScoreProblem problem;
    problem.query = biased ? withBiasColumn(parts.query) : parts.query.weight;
    problem.key = biased ? withBiasColumn(parts.key) : parts.key.weight;
    problem.heads = parts.heads;
    problem.keyValueHeads = parts.keyValueHeads;
    problem.headDim = parts.headDim;
    problem.relativeHeads = parameters.text("heads") == "relative";
    const std::int64_t window = parameters.integer("window");
    problem.rotation = MeanRotation(spec.rope, spec.headDim, displacements(window, parseSpread(parameters.text("distribution")), parameters.real("decay"), spec.causal), window);
    const std::string name = "Layer " + std::to_string(layer) + ": ";
    bool centredKeys = parameters.text("key-inputs") == "centred";
    if (centredKeys && spec.rope.enabled && parts.key.bias.empty()) {
        centredKeys = false;
        notices.push_back(name + "keys turn with their position and have no bias to carry the mean, so their second moments were used, not their covariance.");
    }
    if (centredKeys)
        problem.keyInputs = centred(statistics, parts.query.weight.cols());
    if (parts.normedScores)
        notices.push_back(name + "a norm on queries and keys breaks the bilinear form of the scores; separate whitened factors were used instead of joint ones.");
    problem.queryInputs = std::move(statistics.c);
    auto content = std::make_shared<Content>(Content{.parts = std::move(parts),
                                                     .planes = ScorePlanes(problem, context),
                                                     .alternation = {static_cast<int>(parameters.integer("iterations")), parameters.real("tolerance")},
                                                     .centredKeys = centredKeys,
                                                     .mean = std::move(statistics.mean),
                                                     .notices = std::move(notices)});
    return JointQk(std::move(content));
}

JointQk::Solution JointQk::solve(std::int64_t queryRank, std::int64_t keyRank, const RunContext& context, plan::Accounting accounting, nn::LinearPtr value) const
{
    m_content->checkRanks(queryRank, keyRank);
    if (!bilinear())
        return separate(queryRank, keyRank, context, accounting, std::move(value));
    return m_content->solution(m_content->planes.solve(queryRank, keyRank, m_content->alternation, context), true, accounting, std::move(value), context);
}

JointQk::Solution JointQk::separate(std::int64_t queryRank, std::int64_t keyRank, const RunContext& context, plan::Accounting accounting, nn::LinearPtr value) const
{
    m_content->checkRanks(queryRank, keyRank);
    return m_content->solution(m_content->planes.separate(queryRank, keyRank, context), false, accounting, std::move(value), context);
}

const std::vector<double>& JointQk::queryEnergy() const noexcept
{
    return bilinear() ? m_content->planes.queryEnergy() : m_content->planes.queryWhitened();
}

const std::vector<double>& JointQk::keyEnergy() const noexcept
{
    return bilinear() ? m_content->planes.keyEnergy() : m_content->planes.keyWhitened();
}

std::int64_t JointQk::maxQueryRank() const noexcept
{
    const Matrix<double>& w = m_content->parts.query.weight;
    return std::min(w.rows(), w.cols());
}

std::int64_t JointQk::maxKeyRank() const noexcept
{
    const Matrix<double>& w = m_content->parts.key.weight;
    return std::min(w.rows(), w.cols());
}

std::int64_t JointQk::heads() const noexcept { return m_content->parts.heads; }
std::int64_t JointQk::keyValueHeads() const noexcept { return m_content->parts.keyValueHeads; }
const AttentionParts& JointQk::parts() const noexcept { return m_content->parts; }
const ScorePlanes& JointQk::planes() const noexcept { return m_content->planes; }
bool JointQk::bilinear() const noexcept { return !m_content->parts.normedScores; }
const std::vector<std::string>& JointQk::notices() const noexcept { return m_content->notices; }

} // namespace tamis::lowrank
