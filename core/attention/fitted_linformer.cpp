// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/fitted_linformer.h"

#include "core/attention/assignment.h"
#include "core/attention/finite_samples.h"
#include "core/attention/softmax_mix.h"
#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/parallel.h"
#include "core/kernels/attention_kernel.h"
#include "core/linalg/float_product.h"
#include "core/linalg/gemm.h"
#include "core/linalg/symmetric_eigen.h"

#include <algorithm>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <string>

namespace tamis::attention {
namespace {
using linalg::Op;
using tensor::Matrix;
constexpr std::int64_t kStopRows = 256;             ///< of a map between looks whether to stop
constexpr double kStopMacs = 1 << 26;               ///< of a product likewise
constexpr const char* kId = "attention.fitted-linformer";

std::int64_t tokensOf(const BlockSamples& samples)
{
    if (samples.samples.empty())
        throw Error(ErrorCode::InvalidParameter, "found no samples to fit to, expected some", kId);
    const std::int64_t tokens = samples.samples.front().k.rows();
    for (const AttentionSample& sample : samples.samples)
        if (sample.k.rows() != tokens)
            throw Error(ErrorCode::InvalidParameter, "found samples of " + std::to_string(tokens) + " and of " + std::to_string(sample.k.rows()) + " tokens, expected one number: a projection is for one number of tokens", kId);
    return tokens;
}

Matrix<float> exactMap(const HeadShape& shape, const AttentionSample& sample, const RunContext& context)
{
    Matrix<float> map(sample.q.rows(), sample.k.rows());
    const kernels::ConstRows q = sample.q.view();
    for (std::int64_t first = 0; first < q.rows; first += kStopRows) {
        context.throwIfStopped();
        const std::int64_t count = std::min(kStopRows, q.rows - first);
        kernels::attentionProbabilities({.heads = 1, .keyValueHeads = 1, .headDim = shape.dim, .scale = shape.scale}, {q.data + first * q.stride, count, q.cols, q.stride}, sample.k.view(), 0,
                                        {map.data() + first * map.cols(), count, map.cols(), map.cols()});
    }
    return map;
}

/// sum += a^T b.
void addProduct(Matrix<double>& sum, const Matrix<float>& a, const Matrix<float>& b, const RunContext& context)
{
    const auto most = std::max<std::int64_t>(1, static_cast<std::int64_t>(kStopMacs / static_cast<double>(a.cols() * b.cols())));
    for (std::int64_t first = 0; first < a.rows(); first += most) {
        context.throwIfStopped();
        const std::int64_t count = std::min(most, a.rows() - first);
        const Matrix<double> left = linalg::toDouble(kernels::ConstRows{a.data() + first * a.cols(), count, a.cols(), a.cols()}), right = linalg::toDouble(kernels::ConstRows{b.data() + first * b.cols(), count, b.cols(), b.cols()});
        linalg::gemm(Op::Transpose, Op::None, 1, left.view(), right.view(), 1, sum.view());
    }
}

double squaredNorm(const Matrix<float>& matrix)
{
    double sum = 0;
    for (std::int64_t i = 0; i < matrix.rows(); ++i) {
        double row = 0;
        for (const float value : matrix.view().row(i))
            row += static_cast<double>(value) * static_cast<double>(value);
        sum += row;
    }
    return sum;
}

/// What one sample adds to P'^T P', P'^T P and |P|^2.
struct SampleSums {
    Matrix<double> gram, cross;
    double norm = 0;
};

SampleSums sumsOf(const HeadShape& shape, const AttentionSample& sample, const Matrix<float>& map, const Matrix<float>& projection, const RunContext& context)
{
    const std::int64_t rows = projection.rows();
    Matrix<float> keys(rows, shape.dim), seen(sample.q.rows(), rows);
    linalg::floatProduct(linalg::Turn::None, linalg::Turn::None, 1, projection.view(), sample.k.view(), 0, keys.view());
    softmaxScores(context, shape.scale, sample.q.view(), keys.view(), seen.view());
    SampleSums sums{Matrix<double>(rows, rows), Matrix<double>(rows, map.cols()), squaredNorm(map)};
    addProduct(sums.gram, seen, seen, context);
    addProduct(sums.cross, seen, map, context);
    return sums;
}

void add(Matrix<double>& sum, const Matrix<double>& part)
{
    std::transform(sum.data(), sum.data() + sum.size(), part.data(), sum.data(), std::plus{});
}

std::vector<double> energyOf(const std::vector<Matrix<float>>& maps, std::int64_t tokens, const RunContext& context)
{
    Matrix<double> gram(tokens, tokens);
    for (const Matrix<float>& map : maps)
        addProduct(gram, map, map, context);
    return linalg::symmetricEigenvalues(std::move(gram));
}

/// The least number of values that make up `share` of their sum.
std::int64_t holding(const std::vector<double>& values, double share)
{
    const double all = std::accumulate(values.begin(), values.end(), 0.0);
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i)
        if (sum += values[i]; sum >= share * all)
            return static_cast<std::int64_t>(i) + 1;
    return static_cast<std::int64_t>(values.size());
}

Matrix<float> keyDirections(const BlockSamples& samples, std::int64_t rows, std::int64_t tokens)
{
    Matrix<double> gram(tokens, tokens);
    for (const AttentionSample& sample : samples.samples) {
        const Matrix<double> keys = linalg::toDouble(sample.k.view());
        linalg::gemm(Op::None, Op::Transpose, 1, keys.view(), keys.view(), 1, gram.view());
    }
    const linalg::SymmetricEigen eigen = linalg::symmetricEigen(std::move(gram));
    Matrix<float> directions(rows, tokens);
    for (std::int64_t i = 0; i < rows; ++i)
        for (std::int64_t j = 0; j < tokens; ++j)
            directions(i, j) = static_cast<float>(eigen.vectors(i, j));
    return directions;
}

/// The F of least |a F - b|^2 + ridge |F - start|^2, from a^T a and a^T b: along eigenvectors of a^T a, those of no size left at the start.
Matrix<double> leastSquares(const Matrix<double>& gram, const Matrix<double>& cross, Matrix<double> start, double ridge)
{
    const linalg::SymmetricEigen eigen = linalg::symmetricEigen(gram);
    Matrix<double> rest = cross;
    linalg::gemm(Op::None, Op::None, -1, gram.view(), start.view(), 1, rest.view());
    Matrix<double> along = linalg::product(eigen.vectors.view(), rest.view());
    const double least = 1e-12 * std::max(eigen.values.front(), 0.0); // P' is known to float: 1e-7, squared 1e-14, over a few hundred rows
    for (std::int64_t i = 0; i < gram.rows(); ++i) {
        const double value = eigen.values[static_cast<std::size_t>(i)];
        for (std::int64_t j = 0; j < along.cols(); ++j)
            along(i, j) = value > least ? along(i, j) / (value + ridge) : 0;
    }
    linalg::gemm(Op::Transpose, Op::None, 1, eigen.vectors.view(), along.view(), 1, start.view());
    return start;
}

double meanDiagonalOf(const Matrix<double>& square)
{
    double sum = 0;
    for (std::int64_t i = 0; i < square.rows(); ++i)
        sum += square(i, i);
    return sum / static_cast<double>(square.rows());
}

ProjectionFit fitFor(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = fittedLinformerMethod().declaration.schema.complete(given);
    requireNotCausal(inputs.spec, kId);
    if (!inputs.samples)
        throw Error(ErrorCode::InvalidParameter, "found no samples to fit to, expected some", kId);
    return {.rows = parameters.integer("rows"), .energy = parameters.real("energy"), .ridge = parameters.real("ridge"), .subspace = parameters.text("keys") == "subspace"};
}

BlockSamples samplesOf(const Inputs& inputs, std::int64_t head) { return inputs.spec.heads == 1 ? *inputs.samples : inputs.samples->ofHead(inputs.spec, head); }

FitCost fitCostOf(const Inputs& inputs, const Parameters& given, std::int64_t tokens, std::size_t samples)
{
    const Parameters parameters = fittedLinformerMethod().declaration.schema.complete(given);
    const bool energy = parameters.real("energy") > 0, subspace = parameters.text("keys") == "subspace";
    const auto n = static_cast<std::uint64_t>(tokens), s = static_cast<std::uint64_t>(samples), d = static_cast<std::uint64_t>(inputs.spec.headDim);
    const std::uint64_t rows = energy ? n : std::min(n, static_cast<std::uint64_t>(parameters.integer("rows")));
    constexpr std::uint64_t kEigen = 10; // n^3 of them, about
    FitCost cost;
    cost.macs = static_cast<std::uint64_t>(inputs.spec.heads) * (s * n * (n * d + 2 * rows * d + rows * rows + rows * n) + kEigen * rows * rows * rows + (energy ? (s + kEigen) * n * n * n : 0) +
                                                                 (subspace ? (s * d + kEigen * n) * n * n : 0));
    cost.bytes = 4 * s * n * n + 8 * (n * rows + (3 + s) * rows * rows + (5 + s) * rows * n) + (energy || subspace ? 16 * n * n : 0);
    return cost;
}

/// Throws Error{OutOfMemory} before anything is held.
void requireFit(const Inputs& inputs, const Parameters& given)
{
    if (inputs.samples && !inputs.samples->samples.empty())
        requireMemory(fitCostOf(inputs, given, inputs.samples->samples.front().k.rows(), inputs.samples->samples.size()).bytes, kId);
}

nn::AttentionPtr fittedOp(const Inputs& inputs, const Parameters& given)
{
    const ProjectionFit fit = fitFor(inputs, given);
    requireFit(inputs, given);
    return headsByRule(inputs.spec, [&](std::int64_t head) {
        return projectedRule(std::make_shared<TokenProjections>(fitProjections(headShape(inputs.spec), samplesOf(inputs, head), fit, inputs.context).projections));
    });
}

/// Starts from the fit of each key head's first query head. Without samples, where what was trained will be put in: segment means.
std::unique_ptr<TapeOperator> fittedOnTape(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = fittedLinformerMethod().declaration.schema.complete(given);
    const std::int64_t tokens = fixedTokens(inputs, kId);
    std::vector<TokenProjections> start;
    if (inputs.samples) {
        const ProjectionFit fit = fitFor(inputs, given);
        requireFit(inputs, given);
        for (std::int64_t head = 0; head < inputs.spec.keyValueHeads; ++head)
            start.push_back(fitProjections(headShape(inputs.spec), samplesOf(inputs, head * (inputs.spec.heads / inputs.spec.keyValueHeads)), fit, inputs.context).projections);
    } else {
        if (parameters.real("energy") > 0)
            throw Error(ErrorCode::InvalidParameter, "found no samples, expected some: a share of the energy says how many rows there are by them alone", kId);
        const auto pooled = poolingMatrix(std::min(tokens, parameters.integer("rows")), tokens);
        start.assign(static_cast<std::size_t>(inputs.spec.keyValueHeads), TokenProjections{pooled, pooled});
    }
    return projectedOnTape(inputs.spec, start);
}
} // namespace

FittedProjections fitProjections(const HeadShape& shape, const BlockSamples& samples, const ProjectionFit& fit, const RunContext& context)
{
    const std::int64_t tokens = tokensOf(samples);
    requireFiniteScores(samples, kId);
    const std::size_t count = samples.samples.size();
    const RunContext stopping(context.stopToken());
    std::vector<Matrix<float>> maps(count);
    parallelFor(stopping, count, [&](std::size_t s) { maps[s] = exactMap(shape, samples.samples[s], stopping); });
    FittedProjections fitted;
    std::int64_t rows = std::min(fit.rows, tokens);
    if (fit.energy > 0) {
        fitted.mapEnergy = energyOf(maps, tokens, context);
        rows = holding(fitted.mapEnergy, fit.energy);
    }
    fitted.projections.keys = fit.subspace ? keyDirections(samples, rows, tokens) : poolingMatrix(rows, tokens);
    Matrix<double> gram(rows, rows), cross(rows, tokens);
    double all = 0;
    std::vector<SampleSums> sums(count);
    parallelFor(stopping, count, [&](std::size_t s) { sums[s] = sumsOf(shape, samples.samples[s], maps[s], fitted.projections.keys, stopping); });
    for (const SampleSums& one : sums) { // in one order, whatever the threads
        add(gram, one.gram);
        add(cross, one.cross);
        all += one.norm;
    }
    const Matrix<double> values = leastSquares(gram, cross, linalg::toDouble(poolingMatrix(rows, tokens).view()), fit.ridge * meanDiagonalOf(gram));
    // |P' F - P|^2 = |P|^2 - 2 <F, P'^T P> + <F, P'^T P' F>
    const Matrix<double> product = linalg::product(gram.view(), values.view());
    double error = all;
    for (std::size_t i = 0; i < values.size(); ++i)
        error += values.data()[i] * (product.data()[i] - 2 * cross.data()[i]);
    fitted.mapError = std::max(error, 0.0) / all;
    fitted.projections.values = Matrix<float>(rows, tokens);
    std::transform(values.data(), values.data() + values.size(), fitted.projections.values.data(), [](double value) { return static_cast<float>(value); });
    return fitted;
}

Method fittedLinformerMethod()
{
    Method method;
    method.declaration = {
        .id = kId,
        .lab = "attention",
        .title = "Fitted projections of keys and values",
        .reference = "Wang et al. 2020, Linformer, with projections fitted to samples: the values' by least squares on the maps, the keys' by segment means or the best subspace (Eckart, Young 1936)",
        .schema = ParameterSchema({
            {.name = "rows", .title = "Projected tokens", .type = ParameterType::Integer, .defaultValue = std::int64_t{32}, .minimum = 1, .maximum = 65536, .step = 1, .logarithmic = true,
             .help = "Keys that every query sees instead of all"},
            {.name = "energy", .title = "Share of the energy", .type = ParameterType::Real, .defaultValue = 0.0, .minimum = 0, .maximum = 1,
             .help = "Above 0: each head has as many rows as directions that hold this share of its maps' energy on the samples, in place of the number"},
            {.name = "ridge", .title = "Ridge", .type = ParameterType::Real, .defaultValue = 0.0, .minimum = 0, .maximum = 1e6, .logarithmic = true,
             .help = "How strongly the values' projection is held to segment means: more where samples are few"},
            {.name = "keys", .title = "Keys", .type = ParameterType::Choice, .defaultValue = std::string("mean-pool"), .help = "mean-pool: means over neighbouring tokens; subspace: the directions along the tokens that hold most of the keys",
             .choices = {"mean-pool", "subspace"}},
        })};
    method.fits = true;
    method.op = fittedOp;
    method.fitCost = fitCostOf;
    method.onTape = fittedOnTape;
    return method;
}

} // namespace tamis::attention
