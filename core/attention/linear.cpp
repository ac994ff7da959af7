// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/linear.h"

#include "core/attention/feature_mix.h"
#include "core/train/feature_ops.h"

#include <algorithm>
#include <cmath>

namespace tamis::attention {
namespace {
using kernels::ConstRows;
using kernels::Rows;

class Linear final : public HeadRule {
public:
    explicit Linear(LinearMap map) : m_map(map) {}
    std::string_view kind() const noexcept override { return "linear"; }
    std::uint64_t macs(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept override { return featureMixMacs(shape.causal, false, tokens, shape.dim, width); }
    std::uint64_t liveFloats(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept override
    {
        return 2 * static_cast<std::uint64_t>(tokens * shape.dim) + featureMixFloats(shape.causal, shape.dim, width);
    }
    void mix(const HeadShape& shape, ConstRows q, ConstRows k, ConstRows v, Rows out, nn::Scratch& scratch) const override
    {
        nn::Scratch::Frame frame(scratch);
        const Rows f = frame.take(q.rows, q.cols), g = frame.take(k.rows, k.cols);
        features(q, std::sqrt(shape.scale), f);
        features(k, std::sqrt(shape.scale), g);
        mixByFeatures(shape.causal, f, g, v, out, scratch);
    }

private:
    float feature(float x) const noexcept
    {
        switch (m_map) {
        case LinearMap::EluPlusOne: return x > 0 ? x + 1 : std::exp(x);
        case LinearMap::Relu: return std::max(x, 0.0F);
        case LinearMap::SquaredRelu: return x <= 0 ? 0.0F : x * x; // what is no number stays none
        }
        return 0;
    }
    void features(ConstRows x, float factor, Rows f) const
    {
        for (std::int64_t i = 0; i < x.rows; ++i)
            for (std::int64_t j = 0; j < x.cols; ++j)
                f.data[i * f.stride + j] = feature(factor * x.data[i * x.stride + j]);
    }
    LinearMap m_map;
};

class LinearOnTape final : public TapeOperator {
public:
    LinearOnTape(const nn::AttentionSpec& spec, LinearMap map) : m_spec(spec), m_map(map), m_op(headwise(spec, linearRule(map))) {}
    train::Variable<float> mix(train::Tape<float>&, const train::AttentionRows<float>& rows) override
    {
        const train::FeatureKind kind = m_map == LinearMap::EluPlusOne ? train::FeatureKind::EluPlusOne : m_map == LinearMap::Relu ? train::FeatureKind::Relu : train::FeatureKind::SquaredRelu;
        const double factor = std::sqrt(static_cast<double>(m_spec.scale));
        return train::featureAttention(train::linearFeatures(rows.q, kind, factor), train::linearFeatures(rows.k, kind, factor), rows.v,
                                       {.sequences = rows.sequences, .heads = m_spec.heads, .keyValueHeads = m_spec.keyValueHeads, .causal = m_spec.causal});
    }
    nn::AttentionPtr op() const override { return m_op; }

private:
    nn::AttentionSpec m_spec;
    LinearMap m_map;
    nn::AttentionPtr m_op;
};

LinearMap mapFor(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = linearMethod().declaration.schema.complete(given);
    requireNoSlidingWindow(inputs.spec, "attention.linear");
    const std::string map = parameters.text("map");
    return map == "elu+1" ? LinearMap::EluPlusOne : map == "relu" ? LinearMap::Relu : LinearMap::SquaredRelu;
}

nn::AttentionPtr linearOp(const Inputs& inputs, const Parameters& given) { return headwise(inputs.spec, linearRule(mapFor(inputs, given))); }
} // namespace

HeadRulePtr linearRule(LinearMap map) { return std::make_shared<Linear>(map); }

Method linearMethod()
{
    Method method;
    method.declaration = {
        .id = "attention.linear",
        .lab = "attention",
        .title = "Linear attention",
        .reference = "Katharopoulos et al. 2020, Transformers are RNNs: features of q and of k instead of the exponential of their product. Models that were not trained with it lose much",
        .schema = ParameterSchema({
            {.name = "map", .title = "Feature map", .type = ParameterType::Choice, .defaultValue = std::string("elu+1"), .help = "Of q and k, each scaled by the root of the score's scale",
             .choices = {"elu+1", "relu", "squared-relu"}},
        })};
    method.op = linearOp;
    method.onTape = [](const Inputs& inputs, const Parameters& given) { return std::make_unique<LinearOnTape>(inputs.spec, mapFor(inputs, given)); };
    return method;
}

} // namespace tamis::attention
