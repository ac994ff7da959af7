// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/joint_vo.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/linalg/whitening.h"
#include "core/lowrank/compression_run.h"
#include "core/lowrank/targets.h"
#include "core/spectrum/shared_parameters.h"
#include "core/tensor/transpose.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace tamis::lowrank {
namespace {
using linalg::Op;
using tensor::Matrix;

Parameters known(const Parameters& given)
{
    const ParameterSchema schema(jointVoParameters());
    Parameters ours;
    for (const ParameterSpec& spec : schema.specs())
        if (given.contains(spec.name))
            ours.set(spec.name, given.value(spec.name));
    return schema.complete(ours);
}

/// [rows, cols] of a matrix as a view.
linalg::ConstView block(const Matrix<double>& m, std::int64_t row, std::int64_t rows, std::int64_t col, std::int64_t cols)
{
    return {m.data() + row * m.cols() + col, rows, cols, m.cols()};
}

void subtractMean(Matrix<double>& c, const std::vector<double>& mean, double tokens)
{
    for (std::int64_t i = 0; i < c.rows(); ++i)
        for (std::int64_t j = 0; j < c.cols(); ++j)
            c(i, j) -= tokens * mean[static_cast<std::size_t>(i)] * mean[static_cast<std::size_t>(j)];
}

/// A head's latents: readers [r, d_h] take them from its values, writers [d_h, r] give values back.
struct HeadLatents {
    Matrix<double> readers, writers;
};

/// The r directions of values with moments `s` that outputs of metric `n` = sum W_o^T W_o need most: with s = R R^T over the directions that
/// count, R [d_h, p], the leading eigenvectors V of R^T n R; latents V^T R^+ z. Rows beyond the directions that there are stay zero.
HeadLatents headLatents(const Matrix<double>& s, const Matrix<double>& n, std::int64_t r, const RunContext& context)
{
    const auto eigen = linalg::symmetricEigen(s, context);
    const double floor = static_cast<double>(s.rows()) * std::numeric_limits<double>::epsilon() * std::max(0.0, eigen.values[0]);
    std::int64_t p = 0;
    while (p < s.rows() && eigen.values[static_cast<std::size_t>(p)] > floor)
        ++p;
    HeadLatents latents{Matrix<double>(r, s.rows()), Matrix<double>(s.rows(), r)};
    if (p == 0)
        return latents;
    Matrix<double> root(s.rows(), p), inverse(p, s.rows());
    for (std::int64_t k = 0; k < p; ++k)
        for (std::int64_t j = 0; j < s.rows(); ++j) {
            const double size = std::sqrt(eigen.values[static_cast<std::size_t>(k)]);
            root(j, k) = eigen.vectors(k, j) * size;
            inverse(k, j) = eigen.vectors(k, j) / size;
        }
    const Matrix<double> seen = linalg::product(n.view(), root.view(), context);
    const auto needed = linalg::symmetricEigen(linalg::product(Op::Transpose, Op::None, root.view(), seen.view(), context), context);
    const std::int64_t kept = std::min(r, p);
    const linalg::ConstView leading{needed.vectors.data(), kept, p, p};
    linalg::gemm(Op::None, Op::None, 1, leading, inverse.view(), 0, {latents.readers.data(), kept, s.rows(), s.rows()}, context);
    linalg::gemm(Op::None, Op::Transpose, 1, root.view(), leading, 0, {latents.writers.data(), s.rows(), kept, r}, context);
    return latents;
}

Matrix<double> identity(std::int64_t n)
{
    Matrix<double> one(n, n);
    for (std::int64_t i = 0; i < n; ++i)
        one(i, i) = 1;
    return one;
}

/// y += w x.
void addProduct(const Matrix<double>& w, const std::vector<double>& x, double factor, std::vector<double>& y)
{
    for (std::int64_t i = 0; i < w.rows(); ++i)
        for (std::int64_t j = 0; j < w.cols(); ++j)
            y[static_cast<std::size_t>(i)] += factor * w(i, j) * x[static_cast<std::size_t>(j)];
}

} // namespace

struct JointVo::Content {
    AttentionParts parts;
    ScorePlanes planes; ///< queries: W_o,i^T [heads d_h, d_out]; keys: W_v with the constant's column where `augmented`
    Alternation alternation;
    bool absorbs = false;     ///< the output has a bias: constants are exact, statistics centred
    bool augmented = false;   ///< the value has a bias, the output has none: the constant is an input
    Matrix<double> value;     ///< W_v, [W_v, b_v] when augmented
    Matrix<double> inputs;    ///< C of it
    Matrix<double> outputInputs; ///< of what the output projection reads, centred when absorbs
    std::vector<double> mean; ///< of the values' inputs
    std::vector<double> weights; ///< [heads]
    std::vector<Matrix<double>> headMoments; ///< [keyValueHeads], d_h x d_h: what split trusts
    std::vector<std::string> notices;

    std::int64_t headsPerGroup() const { return parts.heads / parts.keyValueHeads; }
    linalg::ConstView outputHead(const Matrix<double>& w, std::int64_t head) const { return block(w, 0, w.rows(), head * parts.headDim, parts.headDim); }

    /// A value projection's mean output for every head side by side, as the output projection reads it.
    std::vector<double> meanHeads(const Matrix<double>& w, const std::vector<double>& bias) const
    {
        std::vector<double> values = bias;
        values.resize(static_cast<std::size_t>(w.rows()));
        addProduct(w, mean, 1, values);
        std::vector<double> all;
        for (std::int64_t i = 0; i < parts.heads; ++i)
            all.insert(all.end(), values.begin() + parts.groupOf(i) * parts.headDim, values.begin() + (parts.groupOf(i) + 1) * parts.headDim);
        return all;
    }

    /// The output's bias that makes the mean input's output exact.
    std::vector<float> outputBias(const Matrix<double>& nowValue, const std::vector<double>& nowBias, const Matrix<double>& nowOutput) const
    {
        if (parts.output.bias.empty())
            return {};
        std::vector<double> bias(parts.output.bias.begin(), parts.output.bias.end());
        addProduct(parts.output.weight, meanHeads(parts.value.weight, {parts.value.bias.begin(), parts.value.bias.end()}), 1, bias);
        addProduct(nowOutput, meanHeads(nowValue, nowBias), -1, bias);
        return {bias.begin(), bias.end()};
    }

    /// Fills what the operators lose: sum_i w_i |W_o,i W_v,g - W'_o,i W'_v,g|^2 under C by 2 d_h x 2 d_h moments.
    void measure(Solution& solution, const Matrix<double>& nowValue, const Matrix<double>& nowOutput, const RunContext& context) const
    {
        const std::int64_t n = parts.headDim;
        double lost = 0, total = 0;
        for (std::int64_t g = 0; g < parts.keyValueHeads; ++g) {
            Matrix<double> both(2 * n, value.cols());
            std::copy_n(value.data() + g * n * value.cols(), n * value.cols(), both.data());
            std::copy_n(nowValue.data() + g * n * value.cols(), n * value.cols(), both.data() + n * value.cols());
            const Matrix<double> moments = linalg::product(Op::None, Op::Transpose, linalg::product(both.view(), inputs.view(), context).view(), both.view(), context);
            for (std::int64_t i = g * headsPerGroup(); i < (g + 1) * headsPerGroup(); ++i) {
                Matrix<double> readers(parts.output.weight.rows(), 2 * n);
                for (std::int64_t r = 0; r < readers.rows(); ++r)
                    for (std::int64_t j = 0; j < n; ++j) {
                        readers(r, j) = parts.output.weight(r, i * n + j);
                        readers(r, n + j) = -nowOutput(r, i * n + j);
                    }
                const Matrix<double> metric = linalg::gram(linalg::ConstView(readers.view()), linalg::Side::Columns, context);
                double error = 0, energy = 0;
                for (std::int64_t a = 0; a < 2 * n; ++a)
                    for (std::int64_t b = 0; b < 2 * n; ++b) {
                        error += metric(a, b) * moments(a, b);
                        energy += a < n && b < n ? metric(a, b) * moments(a, b) : 0;
                    }
                error = std::max(error, 0.0);
                solution.headObjective.push_back(energy > 0 ? error / energy : 0);
                lost += weights[static_cast<std::size_t>(i)] * error;
                total += weights[static_cast<std::size_t>(i)] * energy;
            }
        }
        solution.objective = lost / total;
    }

    /// Operators from the heads' latents: `readers` [keyValueHeads r, width], `writers` [d_out, heads r], `bias` where the values stand.
    Solution splitSolution(std::int64_t r, const Matrix<double>& readers, const std::vector<double>& bias, const Matrix<double>& writers, const RunContext& context) const
    {
        const std::int64_t n = parts.headDim;
        std::vector<std::int64_t> rows(static_cast<std::size_t>(parts.keyValueHeads * n)), columns;
        Matrix<double> nowValue(parts.keyValueHeads * n, readers.cols()), nowOutput(writers.rows(), parts.heads * n);
        for (std::int64_t g = 0; g < parts.keyValueHeads; ++g)
            for (std::int64_t k = 0; k < r; ++k) {
                rows[static_cast<std::size_t>(g * n + k)] = 1 + g * r + k;
                std::copy_n(readers.data() + (g * r + k) * readers.cols(), readers.cols(), &nowValue(g * n + k, 0));
            }
        for (std::int64_t i = 0; i < parts.heads; ++i)
            for (std::int64_t k = 0; k < r; ++k) {
                columns.push_back(i * n + k);
                for (std::int64_t o = 0; o < writers.rows(); ++o)
                    nowOutput(o, i * n + k) = writers(o, i * r + k);
            }
        Solution solution;
        solution.valueRank = solution.outputRank = r;
        solution.value = nn::selectedOp(rounded(readers).view(), std::move(rows), {}, readers.cols(), {bias.begin(), bias.end()});
        solution.output = nn::selectedOp(rounded(writers).view(), {}, std::move(columns), parts.heads * n, outputBias(nowValue, bias, nowOutput));
        measure(solution, widened(*solution.value, nowValue), nowOutput, context);
        return solution;
    }

    /// [W', bias] of a value projection's operator in the coordinates of `value`.
    Matrix<double> widened(const nn::LinearOp& op, const Matrix<double>& w) const
    {
        if (!augmented)
            return w;
        return withBiasColumn({.name = {}, .weight = w, .bias = op.bias()});
    }
};

std::vector<ParameterSpec> jointVoParameters()
{
    return {spectrum::ridgeParameter(),
            {.name = "vo-statistics",
             .title = "Statistics",
             .type = ParameterType::Choice,
             .defaultValue = std::string("outputs"),
             .help = "Of a head's mixed values: as if every token saw itself alone (inputs: C_v), or as the output projection's own inputs show them (outputs: C_o)",
             .choices = {"inputs", "outputs"}},
            spectrum::iterationsParameter("the planes of the truncated HOSVD, one fitted to the other"),
            spectrum::toleranceParameter()};
}

namespace {
struct Statistics {
    Matrix<double> value, inputs, outputInputs;
    std::vector<Matrix<double>> headMoments;
    std::vector<double> weights, mean;
    std::vector<std::string> notices;
};

/// C_v and C_o, each head's share of either, and the weights that bring the first to the size of the second.
Statistics statisticsOf(const io::CalibrationSet& calibration, const AttentionParts& parts, double ridge, bool absorbs, bool augmented, bool fromOutputs,
                        const RunContext& context)
{
    Statistics s;
    const std::int64_t width = parts.value.weight.cols(), n = parts.headDim;
    InputStatistics in = inputStatistics(calibration, parts.value.name, width, augmented, ridge);
    InputStatistics out = inputStatistics(calibration, parts.output.name, parts.output.weight.cols(), false, ridge);
    if (absorbs) {
        subtractMean(in.c, in.mean, static_cast<double>(in.tokens));
        subtractMean(out.c, out.mean, static_cast<double>(out.tokens));
    }
    s.value = augmented ? withBiasColumn(parts.value) : parts.value.weight;
    s.weights.assign(static_cast<std::size_t>(parts.heads), 1.0);
    for (std::int64_t g = 0; g < parts.keyValueHeads; ++g) {
        const linalg::ConstView w = block(s.value, g * n, n, 0, s.value.cols());
        Matrix<double> moments = linalg::product(Op::None, Op::Transpose, linalg::product(w, in.c.view(), context).view(), w, context);
        if (!fromOutputs) {
            s.headMoments.push_back(std::move(moments));
            continue;
        }
        double alone = 0;
        for (std::int64_t j = 0; j < n; ++j)
            alone += moments(j, j);
        const std::int64_t each = parts.heads / parts.keyValueHeads;
        Matrix<double> sum(n, n);
        for (std::int64_t i = g * each; i < (g + 1) * each; ++i) {
            double mixed = 0;
            for (std::int64_t a = 0; a < n; ++a)
                for (std::int64_t b = 0; b < n; ++b) {
                    sum(a, b) += out.c(i * n + a, i * n + b);
                    mixed += a == b ? out.c(i * n + a, i * n + b) : 0;
                }
            s.weights[static_cast<std::size_t>(i)] = alone > 0 && mixed > 0 ? mixed / alone : 1.0;
        }
        s.headMoments.push_back(std::move(sum));
    }
    s.inputs = std::move(in.c);
    s.outputInputs = std::move(out.c);
    s.mean = std::move(in.mean);
    s.notices = std::move(in.warnings);
    s.notices.insert(s.notices.end(), out.warnings.begin(), out.warnings.end());
    return s;
}
} // namespace

JointVo JointVo::prepare(const Inputs& inputs, int layer, const Parameters& given, const RunContext& context)
{
    if (!inputs.model || !inputs.calibration)
        throw Error(ErrorCode::InvalidParameter, "needs a model that runs and a calibration set", "lowrank.joint-vo");
    const Parameters parameters = known(given);
    AttentionParts parts = attentionParts(*inputs.model, layer);
    const bool absorbs = !parts.output.bias.empty(), augmented = !absorbs && !parts.value.bias.empty();
    Statistics s = statisticsOf(*inputs.calibration, parts, parameters.real("ridge"), absorbs, augmented, parameters.text("vo-statistics") == "outputs", context);
    ScoreProblem problem;
    problem.query = transposed(parts.output.weight);
    problem.queryInputs = identity(parts.output.weight.rows());
    problem.key = s.value;
    problem.keyInputs = s.inputs;
    problem.heads = parts.heads;
    problem.keyValueHeads = parts.keyValueHeads;
    problem.headDim = parts.headDim;
    problem.headWeights = s.weights;
    ScorePlanes planes(problem, context);
    return JointVo(std::make_shared<Content>(Content{.parts = std::move(parts),
                                                     .planes = std::move(planes),
                                                     .alternation = {static_cast<int>(parameters.integer("iterations")), parameters.real("tolerance")},
                                                     .absorbs = absorbs,
                                                     .augmented = augmented,
                                                     .value = std::move(s.value),
                                                     .inputs = std::move(s.inputs),
                                                     .outputInputs = std::move(s.outputInputs),
                                                     .mean = std::move(s.mean),
                                                     .weights = std::move(s.weights),
                                                     .headMoments = std::move(s.headMoments),
                                                     .notices = std::move(s.notices)}));
}

JointVo::Solution JointVo::joint(std::int64_t valueRank, std::int64_t outputRank, const RunContext& context, plan::Accounting accounting) const
{
    const Content& c = *m_content;
    const ScoreSolution planes = c.planes.solve(outputRank, valueRank, c.alternation, context);
    Solution solution;
    solution.valueRank = planes.keyRank;
    solution.outputRank = planes.queryRank;
    solution.history = planes.history;
    solution.iterations = planes.iterations;
    const std::int64_t width = c.parts.value.weight.cols();
    Matrix<double> a(planes.key.a.rows(), width);
    for (std::int64_t k = 0; k < a.rows(); ++k)
        std::copy_n(planes.key.a.data() + k * planes.key.a.cols(), width, &a(k, 0));
    std::vector<float> bias = c.parts.value.bias;
    if (c.augmented)
        for (std::int64_t i = 0; i < planes.key.b.rows(); ++i) {
            double sum = 0;
            for (std::int64_t k = 0; k < a.rows(); ++k)
                sum += planes.key.b(i, k) * planes.key.a(k, width);
            bias[static_cast<std::size_t>(i)] = static_cast<float>(sum);
        }
    solution.value = makeOperator(planes.key.b, a, bias, accounting, nullptr, context);
    const Matrix<double> nowValue = linalg::product(planes.key.b.view(), a.view(), context);
    const Matrix<double> out = transposed(planes.query.a), in = transposed(planes.query.b);
    const Matrix<double> nowOutput = linalg::product(out.view(), in.view(), context);
    solution.output = makeOperator(out, in, c.outputBias(nowValue, {bias.begin(), bias.end()}, nowOutput), accounting, nullptr, context);
    c.measure(solution, c.augmented ? linalg::product(planes.key.b.view(), planes.key.a.view(), context) : nowValue, nowOutput, context);
    return solution;
}

JointVo::Solution JointVo::separate(std::int64_t valueRank, std::int64_t outputRank, const RunContext& context, plan::Accounting accounting) const
{
    const Content& c = *m_content;
    const std::int64_t width = c.parts.value.weight.cols();
    // Of the projection's own statistics, the constant left out: the operator keeps its bias.
    Matrix<double> inputs(width, width);
    for (std::int64_t i = 0; i < width; ++i)
        std::copy_n(&c.inputs(i, 0), width, &inputs(i, 0));
    const LocalFactors value = whitenedFactors(c.parts.value.weight, inputs, valueRank, nullptr, context);
    const LocalFactors output = whitenedFactors(c.parts.output.weight, c.outputInputs, outputRank, nullptr, context);
    Solution solution;
    solution.valueRank = valueRank;
    solution.outputRank = outputRank;
    solution.value = makeOperator(value.b, value.a, c.parts.value.bias, accounting, nullptr, context);
    const Matrix<double> nowValue = linalg::product(value.b.view(), value.a.view(), context), nowOutput = linalg::product(output.b.view(), output.a.view(), context);
    solution.output = makeOperator(output.b, output.a, c.outputBias(nowValue, {c.parts.value.bias.begin(), c.parts.value.bias.end()}, nowOutput), accounting, nullptr, context);
    c.measure(solution, c.widened(*solution.value, nowValue), nowOutput, context);
    return solution;
}

JointVo::Solution JointVo::split(std::int64_t headRank, const RunContext& context) const
{
    const Content& c = *m_content;
    const std::int64_t n = c.parts.headDim, width = c.parts.value.weight.cols(), each = c.headsPerGroup();
    if (headRank < 1 || headRank > n)
        throw Error(ErrorCode::InvalidParameter, "a rank of " + std::to_string(headRank) + " a head was asked for, expected 1 to " + std::to_string(n), c.parts.value.name);
    Matrix<double> value(c.parts.keyValueHeads * headRank, width), output(c.parts.output.weight.rows(), c.parts.heads * headRank);
    std::vector<double> bias(c.parts.value.bias.empty() ? 0 : static_cast<std::size_t>(c.parts.keyValueHeads * n));
    for (std::int64_t g = 0; g < c.parts.keyValueHeads; ++g) {
        Matrix<double> metric(n, n);
        for (std::int64_t i = g * each; i < (g + 1) * each; ++i) {
            const linalg::ConstView w = c.outputHead(c.parts.output.weight, i);
            linalg::gemm(Op::Transpose, Op::None, 1, w, w, 1, metric.view(), context);
        }
        const HeadLatents latents = headLatents(c.headMoments[static_cast<std::size_t>(g)], metric, headRank, context);
        linalg::gemm(Op::None, Op::None, 1, latents.readers.view(), block(c.parts.value.weight, g * n, n, 0, width), 0,
                     {value.data() + g * headRank * width, headRank, width, width}, context);
        for (std::int64_t k = 0; k < headRank && !bias.empty(); ++k)
            for (std::int64_t j = 0; j < n; ++j)
                bias[static_cast<std::size_t>(g * n + k)] += latents.readers(k, j) * c.parts.value.bias[static_cast<std::size_t>(g * n + j)];
        for (std::int64_t i = g * each; i < (g + 1) * each; ++i)
            linalg::gemm(Op::None, Op::None, 1, c.outputHead(c.parts.output.weight, i), latents.writers.view(), 0,
                         {output.data() + i * headRank, output.rows(), headRank, output.cols()}, context);
    }
    return c.splitSolution(headRank, value, bias, output, context);
}

const std::vector<double>& JointVo::valueEnergy() const noexcept { return m_content->planes.keyEnergy(); }
const std::vector<double>& JointVo::outputEnergy() const noexcept { return m_content->planes.queryEnergy(); }
const AttentionParts& JointVo::parts() const noexcept { return m_content->parts; }
bool JointVo::constantsExact() const noexcept { return m_content->absorbs; }
const std::vector<std::string>& JointVo::notices() const noexcept { return m_content->notices; }

ContractionCost contractionCost(const AttentionParts& parts, std::int64_t valueRank, std::int64_t outputRank, std::int64_t tokens)
{
    const std::int64_t in = parts.value.weight.cols(), out = parts.output.weight.rows(), heads = parts.heads * parts.headDim, values = parts.keyValueHeads * parts.headDim;
    ContractionCost cost;
    cost.heads = static_cast<std::uint64_t>(valueRank * (in + values) + tokens * heads + outputRank * (heads + out));
    cost.latent = static_cast<std::uint64_t>(valueRank * in + tokens * parts.heads * valueRank + parts.heads * outputRank * valueRank + outputRank * out);
    cost.dense = static_cast<std::uint64_t>(values * in + tokens * heads + heads * out);
    return cost;
}

} // namespace tamis::lowrank
