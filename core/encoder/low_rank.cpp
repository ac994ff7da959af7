// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/low_rank.h"

#include "core/base/error.h"
#include "core/kernels/packed_matrix.h"

#include <algorithm>
#include <string>

namespace tamis::encoder {
namespace {
using tensor::Matrix;
using tensor::MatrixView;
constexpr const char* kId = "encoder.low-rank";

kernels::PackedMatrix packed(MatrixView<const double> m)
{
    Matrix<float> rounded(m.rows, m.cols);
    for (std::int64_t i = 0; i < m.rows; ++i)
        for (std::int64_t j = 0; j < m.cols; ++j)
            rounded(i, j) = static_cast<float>(m(i, j));
    return kernels::PackedMatrix(rounded.view());
}

class LowRankScorer final : public CoarseScorer {
public:
    LowRankScorer(MatrixView<const double> b, MatrixView<const double> a, std::vector<float> bias)
        : m_latents(b.rows), m_inner(packed(a)), m_bias(std::move(bias))
    {
        for (std::int64_t slab = 0; slab < slabs(); ++slab)
            m_outer.push_back(packed({b.data + slab * kSlabLatents * b.stride, slabSize(slab), b.cols, b.stride}));
    }
    std::int64_t width() const noexcept override { return m_inner.cols(); }
    std::int64_t latents() const noexcept override { return m_latents; }
    EncoderCost cost() const noexcept override
    {
        const auto products = static_cast<std::uint64_t>(m_inner.rows()) * static_cast<std::uint64_t>(width() + m_latents);
        EncoderCost cost;
        cost.parameters = products + m_bias.size();
        cost.bytes = 4 * cost.parameters;
        cost.macs = static_cast<double>(products);
        cost.bytesRead = static_cast<double>(cost.bytes);
        return cost;
    }
    Matrix<float> reduced(MatrixView<const float> prepared) const override
    {
        Matrix<float> inner(prepared.rows, m_inner.rows());
        kernels::multiply(prepared, m_inner, {}, inner.view(), false);
        return inner;
    }
    void slab(MatrixView<const float> reduced, std::int64_t slab, MatrixView<float> scores) const override
    {
        kernels::multiply(reduced, m_outer[static_cast<std::size_t>(slab)], {.bias = m_bias.data() + slab * kSlabLatents}, scores, false);
    }

private:
    std::int64_t m_latents;
    kernels::PackedMatrix m_inner;              ///< A
    std::vector<kernels::PackedMatrix> m_outer; ///< B, a slab of rows each
    std::vector<float> m_bias;
};

Built build(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const Parameters parameters = lowRankMethod().declaration.schema.complete(given);
    Built built;
    auto scorer = weightedLowRankScorer(inputs, weightingFrom(parameters), parameters.integer("rank"), built.warnings, context);
    built.encoder = coarseOnly(std::move(scorer), inputs.dictionary->k());
    return built;
}
} // namespace

ScorerPtr lowRankScorer(MatrixView<const double> b, MatrixView<const double> a, std::vector<float> bias)
{
    if (b.cols != a.rows || static_cast<std::int64_t>(bias.size()) != b.rows || a.rows < 1)
        throw Error(ErrorCode::InvalidParameter, "factors of shape [" + std::to_string(b.rows) + ", " + std::to_string(b.cols) + "] and [" + std::to_string(a.rows) + ", " +
                                                     std::to_string(a.cols) + "] with " + std::to_string(bias.size()) + " biases do not fit each other");
    return std::make_shared<LowRankScorer>(b, a, std::move(bias));
}

ScorerPtr weightedLowRankScorer(const Inputs& inputs, const Weighting& weighting, std::int64_t rank, std::vector<std::string>& warnings, const RunContext& context)
{
    const Dictionary& dictionary = *inputs.dictionary;
    const Moments moments = weightedMoments(inputs, weighting, context);
    const WeightedFactors factors = weightedFactors(dictionary.rows(), moments, std::min({rank, dictionary.width(), dictionary.latents()}), context);
    if (factors.b.cols() < rank)
        warnings.push_back("The rank is " + std::to_string(factors.b.cols()) + ", not " + std::to_string(rank) + ": the rows have no more directions under these activations.");
    return lowRankScorer(factors.b.view(), factors.a.view(), foldedBias(dictionary.rows(), dictionary.bias(), factors, moments.mean, context));
}

std::vector<ParameterSpec> weightingParameters()
{
    return {{.name = "weighting",
             .title = "Weighting",
             .type = ParameterType::Choice,
             .defaultValue = std::string("activations"),
             .help = "Directions count as much as the calibration activations use them; none: all alike, the plain SVD",
             .choices = {"activations", "none"}},
            {.name = "centre",
             .title = "Fold the mean",
             .type = ParameterType::Boolean,
             .defaultValue = true,
             .help = "Scores of the mean activation are exact and go into the bias; the rank is left for what varies"},
            {.name = "ridge",
             .title = "Ridge",
             .type = ParameterType::Real,
             .defaultValue = 1e-4,
             .minimum = 0,
             .maximum = 1,
             .logarithmic = true,
             .unit = "x mean diagonal of C",
             .help = "Added to the diagonal of C: keeps directions that few calibration rows show"}};
}

Weighting weightingFrom(const Parameters& parameters)
{
    return {parameters.text("weighting") == "activations", parameters.boolean("centre"), parameters.real("ridge")};
}

Moments weightedMoments(const Inputs& inputs, const Weighting& weighting, const RunContext& context)
{
    const std::int64_t width = inputs.dictionary->width();
    if (!weighting.activations)
        return whiteMoments(width);
    if (inputs.calibration.empty())
        throw Error(ErrorCode::InvalidParameter, "found no calibration activations, expected rows to weigh the directions by, or weighting=none", "weighting");
    if (inputs.calibration.cols() != width)
        throw Error(ErrorCode::InvalidParameter, "found calibration activations of " + std::to_string(inputs.calibration.cols()) + " features, expected the " +
                                                     std::to_string(width) + " that the autoencoder reads");
    Moments moments = momentsOf(inputs.calibration.view(), weighting.centre, context);
    addRidge(moments, weighting.ridge);
    return moments;
}

Method lowRankMethod()
{
    std::vector<ParameterSpec> specs{{.name = "rank",
                                      .title = "Rank",
                                      .type = ParameterType::Integer,
                                      .defaultValue = std::int64_t{64},
                                      .minimum = 1,
                                      .maximum = 4096,
                                      .step = 1,
                                      .logarithmic = true,
                                      .help = "Directions of the activations that the scores are made from"}};
    for (ParameterSpec& spec : weightingParameters())
        specs.push_back(std::move(spec));
    Method method;
    method.declaration = {.id = kId,
                          .lab = "encoder",
                          .title = "Low rank",
                          .reference = "Truncated SVD of W C^{1/2} (as SVD-LLM, 2403.07378, does for layers), the k largest of its scores",
                          .schema = ParameterSchema(std::move(specs))};
    method.needsCalibration = true;
    method.build = build;
    return method;
}

} // namespace tamis::encoder
