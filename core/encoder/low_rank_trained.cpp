// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/low_rank_trained.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/encoder/low_rank.h"
#include "core/encoder/weighted_factors.h"
#include "core/train/linear_ops.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

namespace tamis::encoder {
namespace {
using tensor::Matrix;
using tensor::MatrixView;
constexpr const char* kId = "encoder.low-rank-trained";

const ParameterSchema& schema()
{
    static const ParameterSchema declared = scorerSchema({
        {.name = "rank", .title = "Rank", .type = ParameterType::Integer, .defaultValue = std::int64_t{32}, .minimum = 1, .maximum = 4096, .step = 1, .logarithmic = true,
         .help = "Directions of the activations that the scores are made from"},
        {.name = "start", .title = "Start from", .type = ParameterType::Choice, .defaultValue = std::string("weighted"),
         .help = "weighted: the factors of encoder.low-rank with the weighting below; random: Gaussian ones", .choices = {"weighted", "random"}}});
    return declared;
}

/// Adds "b", "a" and "bias" to start from; the rank that they have.
std::int64_t addStart(train::ParameterSet<float>& set, const Inputs& inputs, const Parameters& parameters, std::vector<std::string>& warnings, const RunContext& context)
{
    const Dictionary& dictionary = *inputs.dictionary;
    const std::int64_t asked = parameters.integer("rank"), most = std::min(dictionary.width(), dictionary.latents());
    const auto width = static_cast<std::uint64_t>(dictionary.width()), rows = static_cast<std::uint64_t>(dictionary.latents() + dictionary.width());
    const auto rank = static_cast<std::uint64_t>(std::min(asked, most));
    // the factors in double; values, gradient, two moments and the best so far in float; matrices of the decomposition
    requireMemory((sizeof(double) + 5 * sizeof(float)) * rows * rank + (parameters.text("start") == "random" ? 0 : 7 * sizeof(double) * width * width), "training factors of rank " + std::to_string(rank));
    Matrix<double> a, b;
    std::vector<float> bias = dictionary.bias();
    if (parameters.text("start") == "random") {
        b = Matrix<double>(dictionary.latents(), std::min(asked, most));
        a = Matrix<double>(std::min(asked, most), dictionary.width());
        randomFactors(dictionary.rows(), b, a, inputs.seed + static_cast<std::uint64_t>(parameters.integer("seed")));
    } else {
        const Moments moments = weightedMoments(inputs, weightingFrom(parameters), context);
        WeightedFactors factors = weightedFactors(dictionary.rows(), moments, std::min(asked, most), context);
        bias = foldedBias(dictionary.rows(), bias, factors, moments.mean, context);
        a = std::move(factors.a);
        b = std::move(factors.b);
        balanceFactors(b, a);
    }
    if (a.rows() < asked)
        warnings.push_back("The rank is " + std::to_string(a.rows()) + ", not " + std::to_string(asked) + ": the rows have no more directions under these activations.");
    addParameter(set, "b", b.view());
    addParameter(set, "a", a.view());
    set.add("bias", {dictionary.latents()}, std::move(bias), false);
    return a.rows();
}

EncoderPtr encoderOf(const Inputs& inputs, const TrainedEncoder& trained)
{
    const std::int64_t rank = trained.parameters.integer("rank");
    const Matrix<double> b = asMatrix(trained.floats("b", {trained.latents, rank})), a = asMatrix(trained.floats("a", {rank, trained.width}));
    return encoderFrom(inputs.dictionary, lowRankScorer(b.view(), a.view(), trained.floats("bias", {trained.latents}).values), trained.parameters.integer("candidates"));
}

Built build(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    Parameters parameters = schema().complete(given);
    Built built;
    clampCandidates(parameters, *inputs.dictionary, built.warnings);
    context.setParts(20);
    train::ParameterSet<float> set;
    parameters.set("rank", addStart(set, inputs, parameters, built.warnings, context.part(1, "factors to start from")));
    const auto scores = [&set](train::Tape<float>& tape, train::Variable<float> x, std::int64_t, bool) { return lowRankScores(tape, set, x); };
    trainScores(built, set, parameters, inputs, scores, context.part(19, "training"));
    built.trained = trainedBy(kId, std::move(parameters), *inputs.dictionary, tensorsOf(set), context);
    built.encoder = encoderOf(inputs, *built.trained);
    return built;
}

EncoderPtr restore(const Inputs& inputs, const TrainedEncoder& trained, const RunContext& context)
{
    return encoderOf(inputs, completed(trained, kId, schema(), *inputs.dictionary, context));
}
} // namespace

train::Variable<float> lowRankScores(train::Tape<float>& tape, train::ParameterSet<float>& set, train::Variable<float> x)
{
    return train::lowRankLinear(x, tape.parameter(set.at("b")), tape.parameter(set.at("a")), tape.parameter(set.at("bias")));
}

void balanceFactors(Matrix<double>& b, Matrix<double>& a)
{
    for (std::int64_t r = 0; r < a.rows(); ++r) {
        double columns = 0, rows = 0;
        for (std::int64_t i = 0; i < b.rows(); ++i)
            columns += b(i, r) * b(i, r);
        for (std::int64_t j = 0; j < a.cols(); ++j)
            rows += a(r, j) * a(r, j);
        if (!(columns > 0) || !(rows > 0))
            continue;
        const double factor = std::pow(rows / columns, 0.25);
        for (std::int64_t i = 0; i < b.rows(); ++i)
            b(i, r) *= factor;
        for (std::int64_t j = 0; j < a.cols(); ++j)
            a(r, j) /= factor;
    }
}

void randomFactors(MatrixView<const float> w, Matrix<double>& b, Matrix<double>& a, std::uint64_t seed)
{
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    double squares = 0;
    for (std::int64_t i = 0; i < w.rows; ++i)
        for (const float value : w.row(i))
            squares += static_cast<double>(value) * static_cast<double>(value);
    const auto rank = static_cast<double>(a.rows());
    const double scale = std::pow(squares / static_cast<double>(w.rows * w.cols) / rank, 0.25); // (scale^2)^2 rank = mean square
    for (double& value : a.values())
        value = scale * normal(random);
    for (double& value : b.values())
        value = scale * normal(random);
}

Method lowRankTrainedMethod()
{
    return trainedMethod({.id = kId,
                          .lab = "encoder",
                          .title = "Low rank, trained",
                          .reference = "Factors B A trained by AdamW (Loshchilov, Hutter 2019) on the exact codes of the calibration rows, from the activation-weighted SVD on",
                          .schema = schema()},
                         build, restore, [](const Parameters&) { return std::vector<std::string>{"candidates"}; });
}

} // namespace tamis::encoder
