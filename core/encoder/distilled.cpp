// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/distilled.h"

#include "core/base/error.h"
#include "core/encoder/low_rank.h"
#include "core/encoder/score_training.h"
#include "core/encoder/weighted_factors.h"
#include "core/kernels/packed_matrix.h"
#include "core/train/linear_ops.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <string>

namespace tamis::encoder {
namespace {
using tensor::Matrix;
using tensor::MatrixView;
constexpr const char* kId = "encoder.distilled";
constexpr double kOffset = 3;

class DistilledScorer final : public CoarseScorer {
public:
    DistilledScorer(MatrixView<const float> w1, std::vector<float> b1, MatrixView<const float> w2, std::vector<float> b2)
        : m_latents(w2.rows), m_inner(w1), m_innerBias(std::move(b1)), m_bias(std::move(b2))
    {
        for (std::int64_t slab = 0; slab < slabs(); ++slab)
            m_outer.emplace_back(MatrixView<const float>{w2.data + slab * kSlabLatents * w2.stride, slabSize(slab), w2.cols, w2.stride});
    }
    std::int64_t width() const noexcept override { return m_inner.cols(); }
    std::int64_t latents() const noexcept override { return m_latents; }
    EncoderCost cost() const noexcept override
    {
        const auto products = static_cast<std::uint64_t>(m_inner.rows()) * static_cast<std::uint64_t>(width() + m_latents);
        EncoderCost cost;
        cost.parameters = products + m_innerBias.size() + m_bias.size();
        cost.bytes = 4 * cost.parameters;
        cost.macs = static_cast<double>(products);
        cost.bytesRead = static_cast<double>(cost.bytes);
        return cost;
    }
    Matrix<float> reduced(MatrixView<const float> prepared) const override
    {
        Matrix<float> hidden(prepared.rows, m_inner.rows());
        kernels::multiply(prepared, m_inner, {.bias = m_innerBias.data(), .activation = kernels::Activation::Gelu}, hidden.view(), false);
        return hidden;
    }
    void slab(MatrixView<const float> reduced, std::int64_t slab, MatrixView<float> scores) const override
    {
        kernels::multiply(reduced, m_outer[static_cast<std::size_t>(slab)], {.bias = m_bias.data() + slab * kSlabLatents}, scores, false);
    }

private:
    std::int64_t m_latents;
    kernels::PackedMatrix m_inner;
    std::vector<float> m_innerBias;
    std::vector<kernels::PackedMatrix> m_outer; ///< a slab of rows each
    std::vector<float> m_bias;
};

const ParameterSchema& schema()
{
    static const ParameterSchema declared = scorerSchema({
        {.name = "hidden", .title = "Hidden units", .type = ParameterType::Integer, .defaultValue = std::int64_t{64}, .minimum = 1, .maximum = 8192, .step = 1, .logarithmic = true,
         .help = "Width h of the layer between: the encoder costs as much as one of rank h"},
        {.name = "start", .title = "Start from", .type = ParameterType::Choice, .defaultValue = std::string("weighted"),
         .help = "weighted: units that bend little and give the scores of encoder.low-rank at rank h; random: Gaussian", .choices = {"weighted", "random"}}}, "ranking");
    return declared;
}

/// What the student starts from, in double.
struct Start {
    Matrix<double> w1;
    std::vector<double> b1;
    Matrix<double> w2;
    std::vector<double> b2;
    std::int64_t units = 0; ///< the first ones, that are set
};

/// gelu(c + u) is nearly c + u where u is not far below -c: with unit r computing c + a_r (x - mean) / d_r, d_r the deviation of a_r x, and w2
/// = b_r d_r the student is B A x but for the tails, and free to bend. c = kOffset deviations.
Start weightedStart(const Inputs& inputs, const Parameters& parameters, std::int64_t hidden, const RunContext& context)
{
    const Dictionary& dictionary = *inputs.dictionary;
    const Moments moments = weightedMoments(inputs, weightingFrom(parameters), context);
    const WeightedFactors factors = weightedFactors(dictionary.rows(), moments, std::min({hidden, dictionary.width(), dictionary.latents()}), context);
    const std::vector<float> folded = foldedBias(dictionary.rows(), dictionary.bias(), factors, moments.mean, context); // with it B A x is whole
    Start start{Matrix<double>(hidden, dictionary.width()), std::vector<double>(static_cast<std::size_t>(hidden)), Matrix<double>(dictionary.latents(), hidden), {folded.begin(), folded.end()}, factors.a.rows()};
    for (std::int64_t r = 0; r < start.units; ++r) {
        double variance = 0, centre = 0;
        for (std::int64_t i = 0; i < dictionary.width(); ++i) {
            centre += factors.a(r, i) * moments.mean[static_cast<std::size_t>(i)];
            for (std::int64_t j = 0; j < dictionary.width(); ++j)
                variance += factors.a(r, i) * moments.c(i, j) * factors.a(r, j);
        }
        const double deviation = variance > 0 ? std::sqrt(variance) : 1;
        for (std::int64_t j = 0; j < dictionary.width(); ++j)
            start.w1(r, j) = factors.a(r, j) / deviation;
        start.b1[static_cast<std::size_t>(r)] = kOffset - centre / deviation;
        for (std::int64_t i = 0; i < dictionary.latents(); ++i) {
            start.w2(i, r) = factors.b(i, r) * deviation;
            start.b2[static_cast<std::size_t>(i)] += factors.b(i, r) * centre - start.w2(i, r) * kOffset;
        }
    }
    return start;
}

/// The units that are not set: directions that give a mean square of 1 on the calibration rows, and w2 of `w2Scale`.
void addRandom(Start& start, const Inputs& inputs, double w2Scale, std::uint64_t seed)
{
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal;
    double squares = 0;
    for (const float value : inputs.calibration.values())
        squares += static_cast<double>(value) * static_cast<double>(value);
    const double scale = squares > 0 ? std::sqrt(static_cast<double>(inputs.calibration.rows()) / squares) : 1;
    for (std::int64_t unit = start.units; unit < start.w1.rows(); ++unit) {
        for (std::int64_t j = 0; j < start.w1.cols(); ++j)
            start.w1(unit, j) = scale * normal(random);
        for (std::int64_t i = 0; i < start.w2.rows(); ++i)
            start.w2(i, unit) = w2Scale * normal(random);
    }
}

std::vector<float> rounded(const std::vector<double>& values)
{
    std::vector<float> result;
    for (const double value : values)
        result.push_back(static_cast<float>(value));
    return result;
}

void addStart(train::ParameterSet<float>& set, const Inputs& inputs, const Parameters& parameters, const RunContext& context)
{
    const Dictionary& dictionary = *inputs.dictionary;
    const std::int64_t hidden = parameters.integer("hidden");
    if (inputs.calibration.empty())
        throw Error(ErrorCode::InvalidParameter, "found no calibration activations, expected rows to train on", kId);
    const std::uint64_t seed = inputs.seed + static_cast<std::uint64_t>(parameters.integer("seed"));
    Start start;
    if (parameters.text("start") == "weighted") {
        start = weightedStart(inputs, parameters, hidden, context);
        addRandom(start, inputs, 0, seed); // more units than directions: of no weight at first
    } else {
        double norms = 0;
        for (const double norm : dictionary.rowNorms())
            norms += norm / static_cast<double>(dictionary.latents());
        start = {Matrix<double>(hidden, dictionary.width()), std::vector<double>(static_cast<std::size_t>(hidden)), Matrix<double>(dictionary.latents(), hidden),
                 {dictionary.bias().begin(), dictionary.bias().end()}, 0};
        addRandom(start, inputs, norms / (100 * std::sqrt(static_cast<double>(hidden))), seed);
    }
    addParameter(set, "w1", start.w1.view());
    set.add("b1", {hidden}, rounded(start.b1), false);
    addParameter(set, "w2", start.w2.view());
    set.add("b2", {dictionary.latents()}, rounded(start.b2), false);
}

EncoderPtr encoderOf(const Inputs& inputs, const TrainedEncoder& trained)
{
    const std::int64_t hidden = trained.parameters.integer("hidden");
    const auto matrix = [](const TrainedTensor& tensor) { return MatrixView<const float>{tensor.values.data(), tensor.shape[0], tensor.shape[1], tensor.shape[1]}; };
    return encoderFrom(inputs.dictionary,
                       distilledScorer(matrix(trained.floats("w1", {hidden, trained.width})), trained.floats("b1", {hidden}).values, matrix(trained.floats("w2", {trained.latents, hidden})),
                                       trained.floats("b2", {trained.latents}).values),
                       trained.parameters.integer("candidates"));
}

train::Variable<float> studentScores(train::Tape<float>& tape, train::ParameterSet<float>& set, train::Variable<float> x)
{
    const auto hidden = train::linear(x, tape.parameter(set.at("w1")), tape.parameter(set.at("b1")), kernels::Activation::Gelu);
    return train::linear(hidden, tape.parameter(set.at("w2")), tape.parameter(set.at("b2")));
}

Built build(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    Parameters parameters = schema().complete(given);
    Built built;
    clampCandidates(parameters, *inputs.dictionary, built.warnings);
    context.setParts(20);
    train::ParameterSet<float> set;
    addStart(set, inputs, parameters, context.part(1, "student to start from"));
    const auto scores = [&set](train::Tape<float>& tape, train::Variable<float> x, std::int64_t, bool) { return studentScores(tape, set, x); };
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

ScorerPtr distilledScorer(MatrixView<const float> w1, std::vector<float> b1, MatrixView<const float> w2, std::vector<float> b2)
{
    if (w1.rows < 1 || w2.cols != w1.rows || static_cast<std::int64_t>(b1.size()) != w1.rows || static_cast<std::int64_t>(b2.size()) != w2.rows)
        throw Error(ErrorCode::InvalidParameter, "layers of shape [" + std::to_string(w1.rows) + ", " + std::to_string(w1.cols) + "] and [" + std::to_string(w2.rows) + ", " + std::to_string(w2.cols) + "] with " +
                                                     std::to_string(b1.size()) + " and " + std::to_string(b2.size()) + " biases do not fit each other");
    return std::make_shared<DistilledScorer>(w1, std::move(b1), w2, std::move(b2));
}

Method distilledMethod()
{
    return trainedMethod({.id = kId,
                          .lab = "encoder",
                          .title = "Distilled",
                          .reference = "A two-layer student of the exact codes: listwise ranking (Cao et al. 2007) and values, after Hinton, Vinyals, Dean (2015)",
                          .schema = schema()},
                         build, restore, [](const Parameters&) { return std::vector<std::string>{"candidates"}; });
}

} // namespace tamis::encoder
