// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/performer.h"

#include "core/attention/feature_mix.h"
#include "core/base/error.h"
#include "core/linalg/float_product.h"
#include "core/train/feature_ops.h"
#include "core/train/pointwise_ops.h"
#include "core/train/trigonometric_ops.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>
#include <vector>

namespace tamis::attention {
namespace {
using kernels::ConstRows;
using kernels::Rows;

float halfSquare(const float* x, std::int64_t dim, float scale)
{
    float sum = 0;
    for (std::int64_t j = 0; j < dim; ++j)
        sum += x[j] * x[j];
    return 0.5F * scale * sum;
}

class Performer final : public HeadRule {
public:
    Performer(const PerformerSettings& settings, std::int64_t dim)
        : m_settings(settings), m_directions(randomDirections(settings.features, dim, settings.directions, settings.seed))
    {
    }
    std::string_view kind() const noexcept override { return "performer"; }
    std::uint64_t macs(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept override
    {
        return 2 * static_cast<std::uint64_t>(tokens * m_settings.features * m_directions.cols()) + featureMixMacs(shape.causal, floor() > 0, tokens, size(), width);
    }
    std::uint64_t liveFloats(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept override
    {
        return static_cast<std::uint64_t>(2 * tokens * size() + tokens) + featureMixFloats(shape.causal, size(), width);
    }
    void mix(const HeadShape& shape, ConstRows q, ConstRows k, ConstRows v, Rows out, nn::Scratch& scratch) const override
    {
        nn::Scratch::Frame frame(scratch);
        const Rows f = frame.take(q.rows, size()), g = frame.take(k.rows, size()), shifts = frame.take(1, std::max(q.rows, k.rows));
        const float* const c = shifts.data;
        project(shape.scale, q, f, shifts.data);
        fill(shape.scale, q, f, m_settings.positive ? c : nullptr, m_settings.epsilon);
        project(shape.scale, k, g, shifts.data);
        for (std::int64_t j = 1; j < k.rows; ++j)
            shifts.data[j] = std::max(shifts.data[j - 1], shifts.data[j]);
        if (shape.causal) {
            fill(shape.scale, k, g, c, 0);
            return mixByRunningFeatures(f, g, {c, static_cast<std::size_t>(k.rows)}, floor(), v, out, scratch);
        }
        std::fill_n(shifts.data, k.rows - 1, c[k.rows - 1]);
        fill(shape.scale, k, g, c, m_settings.epsilon);
        mixByFeatures(false, f, g, v, out, scratch);
    }

private:
    std::int64_t size() const noexcept { return m_settings.positive ? m_settings.features : 2 * m_settings.features; }
    float floor() const noexcept { return m_settings.positive ? m_settings.epsilon / std::sqrt(static_cast<float>(m_settings.features)) : 0; } ///< of causal keys' features
    /// w . x into the first columns of f; most[i] is the row's largest exponent that a stabiliser takes off: of w . x, or |x|^2 / 2 of cosines and sines.
    /// What is no number is no maximum.
    void project(float scale, ConstRows x, Rows f, float* most) const
    {
        const std::int64_t m = m_settings.features;
        linalg::floatProduct(linalg::Turn::None, linalg::Turn::Transpose, std::sqrt(scale), x, m_directions.view(), 0, Rows{f.data, f.rows, m, f.stride});
        constexpr float kLeast = -std::numeric_limits<float>::infinity();
        for (std::int64_t i = 0; i < x.rows; ++i) {
            const float* row = f.data + i * f.stride;
            most[i] = m_settings.positive ? std::accumulate(row, row + m, kLeast, [](float a, float b) { return std::max(a, b); })
                                          : std::max(kLeast, halfSquare(x.data + i * x.stride, x.cols, scale));
        }
    }
    /// Features of rows that were projected, relative to exp(c[i]). Without c (queries of cosines and sines): without the factor exp(|x|^2 / 2), which cancels.
    void fill(float scale, ConstRows x, Rows f, const float* c, float epsilon) const
    {
        const std::int64_t m = m_settings.features;
        const float ratio = 1 / std::sqrt(static_cast<float>(m));
        for (std::int64_t i = 0; i < x.rows; ++i) {
            float* row = f.data + i * f.stride;
            const float half = halfSquare(x.data + i * x.stride, x.cols, scale);
            if (m_settings.positive) {
                for (std::int64_t j = 0; j < m; ++j)
                    row[j] = ratio * (std::exp(row[j] - half - c[i]) + epsilon);
                continue;
            }
            const float factor = c ? ratio * std::exp(half - c[i]) : ratio;
            for (std::int64_t j = m - 1; j >= 0; --j) {
                row[m + j] = factor * std::sin(row[j]);
                row[j] = factor * std::cos(row[j]);
            }
        }
    }
    PerformerSettings m_settings;
    tensor::Matrix<float> m_directions;
};

/// One for each draw.
std::vector<PerformerSettings> drawsFor(const Inputs& inputs, const Parameters& given)
{
    const Parameters parameters = performerMethod().declaration.schema.complete(given);
    requireNoSlidingWindow(inputs.spec, "attention.performer");
    const std::string directions = parameters.text("directions");
    PerformerSettings settings;
    settings.features = parameters.integer("features");
    settings.directions = directions == "independent" ? Directions::Independent : directions == "orthogonal" ? Directions::Orthogonal : Directions::OrthogonalFixed;
    settings.positive = parameters.text("map") == "positive";
    settings.epsilon = static_cast<float>(parameters.real("epsilon"));
    std::vector<PerformerSettings> draws;
    for (std::int64_t draw = 0; draw < parameters.integer("draws"); ++draw) {
        settings.seed = seedFor(inputs, static_cast<std::uint64_t>(parameters.integer("draw") + draw));
        draws.push_back(settings);
    }
    return draws;
}

/// The mean of what several draws give: less of a draw's chance, at as many times the cost.
class Averaged final : public HeadRule {
public:
    explicit Averaged(std::vector<HeadRulePtr> draws) : m_draws(std::move(draws)) {}
    std::string_view kind() const noexcept override { return "performer"; }
    std::uint64_t macs(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept override { return m_draws.size() * m_draws.front()->macs(shape, tokens, width); }
    std::uint64_t liveFloats(const HeadShape& shape, std::int64_t tokens, std::int64_t width) const noexcept override
    {
        return m_draws.front()->liveFloats(shape, tokens, width) + static_cast<std::uint64_t>(tokens * width);
    }
    void mix(const HeadShape& shape, ConstRows q, ConstRows k, ConstRows v, Rows out, nn::Scratch& scratch) const override
    {
        m_draws.front()->mix(shape, q, k, v, out, scratch);
        nn::Scratch::Frame frame(scratch);
        const Rows next = frame.take(out.rows, out.cols);
        for (std::size_t draw = 1; draw < m_draws.size(); ++draw) {
            scratch.context().throwIfStopped();
            m_draws[draw]->mix(shape, q, k, v, next, scratch);
            for (std::int64_t i = 0; i < out.rows; ++i)
                for (std::int64_t j = 0; j < out.cols; ++j)
                    out.data[i * out.stride + j] += next.data[i * next.stride + j];
        }
        for (std::int64_t i = 0; i < out.rows; ++i)
            for (std::int64_t j = 0; j < out.cols; ++j)
                out.data[i * out.stride + j] /= static_cast<float>(m_draws.size());
    }

private:
    std::vector<HeadRulePtr> m_draws;
};

nn::AttentionPtr performerOp(const Inputs& inputs, const Parameters& given)
{
    std::vector<HeadRulePtr> draws;
    for (const PerformerSettings& settings : drawsFor(inputs, given))
        draws.push_back(performerRule(settings, inputs.spec.headDim));
    return headwise(inputs.spec, averagedRule(std::move(draws)));
}

/// What is trained are queries and keys; every so many steps they meet other directions, the looks between always those that run. Estimates of cosines and sines may be negative, their sums near 0 and gradients then large:
/// that is their training's to bear (it clips gradients).
class PerformerOnTape final : public TapeOperator {
public:
    PerformerOnTape(const Inputs& inputs, const Parameters& given) : m_spec(inputs.spec), m_op(performerOp(inputs, given))
    {
        m_draws = drawsFor(inputs, given);
        m_positive = m_draws.front().positive;
        m_epsilon = static_cast<double>(m_draws.front().epsilon);
        m_redraw = performerMethod().declaration.schema.complete(given).integer("redraw");
        m_directions = drawn(0);
    }
    void beginStep(std::int64_t step) override
    {
        const std::int64_t round = m_redraw > 0 && step > 0 ? step / m_redraw : 0;
        if (round > 0 && round != m_round)
            m_redrawn = drawn(round);
        m_round = round > 0 ? round : m_round;
        m_training = round > 0;
    }
    train::Variable<float> mix(train::Tape<float>&, const train::AttentionRows<float>& rows) override
    {
        train::Variable<float> sum;
        for (const tensor::Matrix<float>& directions : m_training ? m_redrawn : m_directions) {
            const auto mixed = m_positive ? positive(rows, directions) : trigonometric(rows, directions);
            sum = sum ? train::add(sum, mixed) : mixed;
        }
        return m_directions.size() == 1 ? sum : train::scale(sum, 1 / static_cast<float>(m_directions.size()));
    }
    nn::AttentionPtr op() const override { return m_op; }

private:
    std::vector<tensor::Matrix<float>> drawn(std::int64_t round) const
    {
        constexpr std::uint64_t kApart = 0x9E3779B97F4A7C15ULL; // odd: every round has a seed of its own
        std::vector<tensor::Matrix<float>> all;
        for (const PerformerSettings& settings : m_draws)
            all.push_back(randomDirections(settings.features, m_spec.headDim, settings.directions, settings.seed + static_cast<std::uint64_t>(round) * kApart));
        return all;
    }
    train::Variable<float> positive(const train::AttentionRows<float>& rows, const tensor::Matrix<float>& directions) const
    {
        const train::PositiveFeatureShape queries{.sequences = rows.sequences, .heads = m_spec.heads, .factor = std::sqrt(static_cast<double>(m_spec.scale)), .epsilon = m_epsilon, .keys = false};
        train::PositiveFeatureShape keys = queries;
        keys.heads = m_spec.keyValueHeads;
        keys.keys = true;
        keys.causal = m_spec.causal;
        return train::featureAttention(train::positiveFeatures<float>(rows.q, directions.view(), queries), train::positiveFeatures<float>(rows.k, directions.view(), keys), rows.v,
                                       {.sequences = rows.sequences, .heads = m_spec.heads, .keyValueHeads = m_spec.keyValueHeads, .causal = m_spec.causal, .running = m_spec.causal,
                                        .floor = m_epsilon / std::sqrt(static_cast<double>(directions.rows()))});
    }
    train::Variable<float> trigonometric(const train::AttentionRows<float>& rows, const tensor::Matrix<float>& directions) const
    {
        const train::TrigonometricShape queries{.sequences = rows.sequences, .heads = m_spec.heads, .factor = std::sqrt(static_cast<double>(m_spec.scale))};
        train::TrigonometricShape keys = queries;
        keys.heads = m_spec.keyValueHeads;
        keys.keys = true;
        return train::featureAttention(train::trigonometricFeatures<float>(rows.q, directions.view(), queries), train::trigonometricFeatures<float>(rows.k, directions.view(), keys), rows.v,
                                       {.sequences = rows.sequences, .heads = m_spec.heads, .keyValueHeads = m_spec.keyValueHeads, .causal = m_spec.causal});
    }
    nn::AttentionSpec m_spec;
    nn::AttentionPtr m_op;
    double m_epsilon = 0;
    bool m_positive = true, m_training = false; ///< m_training: m_redrawn is what steps meet
    std::int64_t m_redraw = 0, m_round = 0;
    std::vector<PerformerSettings> m_draws;
    std::vector<tensor::Matrix<float>> m_directions, m_redrawn;
};
} // namespace

HeadRulePtr performerRule(const PerformerSettings& settings, std::int64_t dim) { return std::make_shared<Performer>(settings, dim); }
HeadRulePtr averagedRule(std::vector<HeadRulePtr> draws) { return draws.size() == 1 ? draws.front() : std::make_shared<Averaged>(std::move(draws)); }

Method performerMethod()
{
    Method method;
    method.declaration = {
        .id = "attention.performer",
        .lab = "attention",
        .title = "Random features (Performer)",
        .reference = "Choromanski et al. 2021, Rethinking attention with Performers: exp(q . k) as a product of random features, so that keys and values are summed once",
        .schema = ParameterSchema({
            {.name = "features", .title = "Features", .type = ParameterType::Integer, .defaultValue = std::int64_t{64}, .minimum = 1, .maximum = 65536,
             .help = "Random directions a head; dearer than exact attention above half the tokens"},
            {.name = "map", .title = "Feature map", .type = ParameterType::Choice, .defaultValue = std::string("positive"), .help = "positive: exponentials (FAVOR+); trigonometric: cosines and sines, whose estimates may be negative",
             .choices = {"positive", "trigonometric"}},
            {.name = "directions", .title = "Directions", .type = ParameterType::Choice, .defaultValue = std::string("orthogonal"), .help = "orthogonal: in blocks, with the lengths of independent ones; orthogonal-fixed: all as long as the root of the head's size",
             .choices = {"orthogonal", "orthogonal-fixed", "independent"}},
            {.name = "epsilon", .title = "Epsilon", .type = ParameterType::Real, .defaultValue = 1e-4, .minimum = 0, .maximum = 1, .help = "Added to positive features"},
            {.name = "draw", .title = "Draw", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 1'000'000, .help = "Another number draws other directions"},
            {.name = "draws", .title = "Draws", .type = ParameterType::Integer, .defaultValue = std::int64_t{1}, .minimum = 1, .maximum = 64, .step = 1,
             .help = "So many draws, from that one on, whose outputs are averaged; each costs as much as one"},
            {.name = "redraw", .title = "Redraw", .type = ParameterType::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 1'000'000, .step = 1, .unit = "steps",
             .help = "While it is trained other directions are drawn every so many steps; 0: they stay. What runs has the first"},
        })};
    method.op = performerOp;
    method.onTape = [](const Inputs& inputs, const Parameters& given) { return std::make_unique<PerformerOnTape>(inputs, given); };
    return method;
}

} // namespace tamis::attention
