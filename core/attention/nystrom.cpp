// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/nystrom.h"

#include "core/attention/linformer.h"
#include "core/attention/softmax_mix.h"
#include "core/attention/tape_assignment.h"
#include "core/base/error.h"
#include "core/linalg/float_product.h"
#include "core/train/attention_ops.h"
#include "core/train/feature_ops.h"
#include "core/train/landmark_ops.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace tamis::attention {
namespace {
using kernels::ConstRows;
using kernels::Rows;
using linalg::floatProduct;
using linalg::Turn;

void square(float alpha, ConstRows a, ConstRows b, Rows c) { floatProduct(Turn::None, Turn::None, alpha, a, b, 0, c); }

/// x = diagonal I - x
void takeFrom(float diagonal, Rows x)
{
    for (std::int64_t i = 0; i < x.rows; ++i)
        for (std::int64_t j = 0; j < x.cols; ++j)
            x.data[i * x.stride + j] = (i == j ? diagonal : 0.0F) - x.data[i * x.stride + j];
}

/// Z <- Z (13 I - A Z (15 I - A Z (7 I - A Z))) / 4: doubles, and more, the digits of A^+ each time.
Rows pseudoInverse(ConstRows a, int iterations, nn::Scratch::Frame& frame)
{
    const std::int64_t m = a.rows;
    Rows z = frame.take(m, m), next = frame.take(m, m);
    const Rows az = frame.take(m, m), inner = frame.take(m, m), product = frame.take(m, m);
    float columns = 0, rows = 0;
    for (std::int64_t i = 0; i < m; ++i) {
        float row = 0, column = 0;
        for (std::int64_t j = 0; j < m; ++j) {
            row += std::abs(a(i, j));
            column += std::abs(a(j, i));
        }
        rows = std::max(rows, row);
        columns = std::max(columns, column);
    }
    for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = 0; j < m; ++j)
            z.data[i * z.stride + j] = a(j, i) / (rows * columns);
    for (int step = 0; step < iterations; ++step) {
        square(1, a, z, az);
        for (std::int64_t i = 0; i < m; ++i)
            std::copy_n(az.data + i * az.stride, m, inner.data + i * inner.stride);
        takeFrom(7, inner);
        square(1, az, inner, product);
        takeFrom(15, product);
        square(1, az, product, inner);
        takeFrom(13, inner);
        square(0.25F, z, inner, next);
        std::swap(z, next);
    }
    return z;
}

class Nystrom final : public HeadRule {
public:
    Nystrom(std::int64_t landmarks, int iterations) : m_landmarks(landmarks), m_iterations(iterations) {}
    std::string_view kind() const noexcept override { return "nystrom"; }
    std::uint64_t macs(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept override
    {
        const std::int64_t both = shape.dim + width, m = m_landmarks;
        if (m >= tokens)
            return static_cast<std::uint64_t>(tokens * tokens * both);
        return static_cast<std::uint64_t>((2 * tokens * m + m * m) * both + 4 * m_iterations * m * m * m);
    }
    std::uint64_t liveFloats(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept override
    {
        if (m_landmarks >= tokens)
            return static_cast<std::uint64_t>(tokens * tokens);
        const std::int64_t m = m_landmarks;
        return static_cast<std::uint64_t>(2 * m * (shape.dim + width) + m * tokens + 6 * m * m);
    }
    void mix(const HeadShape& shape, ConstRows q, ConstRows k, ConstRows v, Rows out, nn::Scratch& scratch) const override
    {
        if (m_landmarks >= q.rows) {
            mixBySoftmax(shape.scale, q, k, v, out, scratch);
            return;
        }
        nn::Scratch::Frame frame(scratch);
        const std::int64_t m = m_landmarks;
        const Rows queries = frame.take(m, q.cols), keys = frame.take(m, k.cols), mixed = frame.take(m, v.cols), solved = frame.take(m, v.cols), a = frame.take(m, m);
        segmentMeans(q, queries);
        segmentMeans(k, keys);
        mixBySoftmax(shape.scale, queries, k, v, mixed, scratch);
        softmaxScores(scratch.context(), shape.scale, queries, keys, a);
        floatProduct(Turn::None, Turn::None, 1, pseudoInverse(a, m_iterations, frame), mixed, 0, solved);
        mixBySoftmax(shape.scale, q, keys, solved, out, scratch);
    }

private:
    std::int64_t m_landmarks;
    int m_iterations;
};

nn::AttentionPtr nystromOp(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = nystromMethod().declaration.schema.complete(given);
    if (inputs.spec.causal)
        throw Error(ErrorCode::UnsupportedFeature, "found causal attention, expected attention to all tokens: a landmark holds tokens that a query must not see", "attention.nystrom");
    return headwise(inputs.spec, nystromRule(parameters.integer("landmarks"), static_cast<int>(parameters.integer("iterations"))));
}

/// Nothing of its own is trained: landmarks are means, and gradients go through the steps of the pseudo-inverse.
class NystromOnTape final : public TapeOperator {
public:
    NystromOnTape(const Inputs& inputs, const Parameters& given) : m_spec(inputs.spec), m_op(nystromOp(inputs, given)), m_exact(exactOnTape(inputs.spec))
    {
        const Parameters parameters = nystromMethod().declaration.schema.complete(given);
        m_landmarks = parameters.integer("landmarks");
        m_iterations = static_cast<int>(parameters.integer("iterations"));
    }
    train::Variable<float> mix(train::Tape<float>& tape, const train::AttentionRows<float>& rows) override
    {
        const std::int64_t tokens = rows.q.rows() / rows.sequences;
        if (m_landmarks >= tokens)
            return m_exact->mix(tape, rows);
        const auto keys = forEachHead(tape, rows.k, m_spec), values = forEachHead(tape, rows.v, m_spec);
        const auto pool = tape.constant(kept(m_pools, tokens, [&] { return poolingMatrix(m_landmarks, tokens); }).view());
        const auto landmarkQueries = train::projectTokens(pool, rows.q, rows.sequences), landmarkKeys = train::projectTokens(pool, keys, rows.sequences);
        const train::AttentionShape shape{.sequences = rows.sequences, .heads = m_spec.heads, .keyValueHeads = m_spec.heads, .scale = static_cast<double>(m_spec.scale)};
        const auto identity = tape.constant(kept(m_identities, rows.sequences, [&] { return identities(rows.sequences); }).view());
        const auto between = train::attention(landmarkQueries, landmarkKeys, identity, shape); // the map of the landmarks themselves
        const auto mixed = train::attention(landmarkQueries, keys, values, shape);
        const auto solved = train::landmarkProducts(between, mixed, {.sequences = rows.sequences, .heads = m_spec.heads, .iterations = m_iterations});
        return train::attention(rows.q, landmarkKeys, solved, shape);
    }
    nn::AttentionPtr op() const override { return m_op; }

private:
    using Kept = std::map<std::int64_t, tensor::Matrix<float>>; ///< a tape borrows its constants
    template <class Make> static const tensor::Matrix<float>& kept(Kept& all, std::int64_t size, const Make& make)
    {
        const auto found = all.find(size);
        return found != all.end() ? found->second : all.emplace(size, make()).first->second;
    }
    /// [sequences landmarks, heads landmarks], an identity for each.
    tensor::Matrix<float> identities(std::int64_t sequences) const
    {
        tensor::Matrix<float> all(sequences * m_landmarks, m_spec.heads * m_landmarks);
        for (std::int64_t i = 0; i < all.rows(); ++i)
            for (std::int64_t head = 0; head < m_spec.heads; ++head)
                all(i, head * m_landmarks + i % m_landmarks) = 1;
        return all;
    }
    nn::AttentionSpec m_spec;
    nn::AttentionPtr m_op;
    std::unique_ptr<TapeOperator> m_exact;
    std::int64_t m_landmarks = 0;
    int m_iterations = 0;
    Kept m_pools, m_identities;
};
} // namespace

HeadRulePtr nystromRule(std::int64_t landmarks, int iterations) { return std::make_shared<Nystrom>(landmarks, iterations); }

Method nystromMethod()
{
    Method method;
    method.declaration = {
        .id = "attention.nystrom",
        .lab = "attention",
        .title = "Landmarks (Nystrom)",
        .reference = "Xiong et al. 2021, Nystromformer: the map by way of landmarks, means over segments of tokens, and the pseudo-inverse of their own map",
        .schema = ParameterSchema({
            {.name = "landmarks", .title = "Landmarks", .type = ParameterType::Integer, .defaultValue = std::int64_t{32}, .minimum = 1, .maximum = 4096, .help = "As many as tokens: exact attention"},
            {.name = "iterations", .title = "Iterations", .type = ParameterType::Integer, .defaultValue = std::int64_t{6}, .minimum = 0, .maximum = 40, .help = "Of the pseudo-inverse; the authors take 6"},
        })};
    method.op = nystromOp;
    method.onTape = [](const Inputs& inputs, const Parameters& given) { return std::make_unique<NystromOnTape>(inputs, given); };
    return method;
}

} // namespace tamis::attention
