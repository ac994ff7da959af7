// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/router_training.h"

#include "core/base/error.h"
#include "core/encoder/exact.h"
#include "core/train/linear_ops.h"
#include "core/train/loss_ops.h"
#include "core/train/pointwise_ops.h"
#include "core/train/router_ops.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <string>

namespace tamis::encoder {
namespace {
using tensor::Matrix;
using tensor::MatrixView;
using train::Tape;
using train::Variable;
using FloatView = train::View<float>;

FloatView scratch(Tape<float>& tape, std::int64_t rows, std::int64_t cols)
{
    return {tape.scratch<float>(rows * cols), rows, cols, cols};
}

Variable<float> routed(train::ParameterSet<float>& set, Tape<float>& tape, const FeatureScale& scale, const TrainingRows& rows, kernels::Activation activation = kernels::Activation::None)
{
    const FloatView x = scratch(tape, rows.x.rows, rows.x.cols);
    for (std::int64_t t = 0; t < x.rows; ++t)
        for (std::int64_t j = 0; j < x.cols; ++j)
            x(t, j) = static_cast<float>((static_cast<double>(rows.x(t, j)) - scale.mean[static_cast<std::size_t>(j)]) * scale.inverse[static_cast<std::size_t>(j)]);
    return train::linear(tape.constant(x), tape.parameter(set.at("router.weight")), tape.parameter(set.at("router.bias")), activation);
}

FloatView sharesOf(Tape<float>& tape, const TrainingRows& rows, const std::vector<std::int32_t>& groupOf, std::int64_t groups)
{
    const FloatView shares = scratch(tape, rows.x.rows, groups);
    massShares(rows.exact, groupOf, shares);
    return shares;
}

/// [1, E] the load of each expert over the mean that `active` a token make: mean 1 where as many are active.
template <class Active> FloatView loads(Tape<float>& tape, std::int64_t rows, const RouterTarget& target, const Active& isActive)
{
    const FloatView load = scratch(tape, 1, target.groups);
    std::fill_n(load.data, target.groups, 0.0F);
    for (std::int64_t t = 0; t < rows; ++t)
        isActive(t, load.data);
    for (std::int64_t e = 0; e < target.groups; ++e)
        load.data[e] *= static_cast<float>(static_cast<double>(target.groups) / static_cast<double>(target.active * rows));
    return load;
}

Variable<float> topExpertsLoss(Tape<float>& tape, Variable<float> logits, const FloatView& shares, const RouterTarget& target, bool checking)
{
    const Variable<float> entropy = train::softCrossEntropy<float>(logits, shares, target.groups);
    if (checking || target.balance == 0)
        return entropy;
    std::vector<std::int32_t> order(static_cast<std::size_t>(target.groups));
    const train::View<const float> z = logits.value();
    const FloatView load = loads(tape, shares.rows, target, [&](std::int64_t t, float* count) {
        std::iota(order.begin(), order.end(), 0);
        std::partial_sort(order.begin(), order.begin() + target.active, order.end(), [&](auto a, auto b) { return z(t, a) != z(t, b) ? z(t, a) > z(t, b) : a < b; });
        for (std::int64_t i = 0; i < target.active; ++i)
            count[order[static_cast<std::size_t>(i)]] += 1;
    });
    // f_e = load_e / E: E sum f_e P_e = sum load_e P_e
    const Variable<float> balance = train::sumAll(train::multiplyRow(train::softmaxRows(logits), tape.constant(load)));
    return train::add(entropy, train::scale(balance, static_cast<float>(target.balance / static_cast<double>(shares.rows))));
}

/// The mean share of the mass that the target.active * n largest of all logits leave out, [1, 1].
Variable<float> reluChecked(Tape<float>& tape, const train::View<const float>& logits, const FloatView& shares, const RouterTarget& target)
{
    std::vector<std::int64_t> order(static_cast<std::size_t>(logits.rows * logits.cols));
    std::iota(order.begin(), order.end(), 0);
    const auto better = [&](std::int64_t a, std::int64_t b) {
        const float za = logits.data[a / logits.cols * logits.stride + a % logits.cols], zb = logits.data[b / logits.cols * logits.stride + b % logits.cols];
        return za != zb ? za > zb : a < b;
    };
    const auto kept = static_cast<std::ptrdiff_t>(target.active * logits.rows);
    std::ranges::nth_element(order, order.begin() + kept, better); // active = all: nothing is left out
    double missed = 0;
    for (const std::int64_t place : std::span(order).subspan(static_cast<std::size_t>(kept)))
        missed += static_cast<double>(shares(place / logits.cols, place % logits.cols));
    const FloatView loss = scratch(tape, 1, 1);
    loss.data[0] = static_cast<float>(missed / static_cast<double>(logits.rows));
    return tape.constant(loss);
}

Variable<float> reluLoss(Tape<float>& tape, Variable<float> gates, const FloatView& shares, const RouterTarget& target, AdaptiveCoefficient& lambda)
{
    const auto tokens = static_cast<double>(shares.rows);
    const train::View<const float> g = gates.value();
    double active = 0;
    const FloatView weights = loads(tape, shares.rows, target, [&](std::int64_t t, float* count) {
        for (std::int64_t e = 0; e < target.groups; ++e)
            if (g(t, e) > 0) {
                count[e] += 1;
                active += 1;
            }
    });
    for (std::int64_t e = 0; e < target.groups; ++e)
        weights.data[e] = static_cast<float>(1 + target.balance * (static_cast<double>(weights.data[e]) - 1));
    for (std::int64_t t = 0; t < shares.rows; ++t) // E s_e: mean 1 over the experts
        for (float& share : shares.row(t))
            share *= static_cast<float>(target.groups);
    const Variable<float> error = train::meanSquaredError(gates, tape.constant(shares));
    const Variable<float> sparse = train::sumAll(train::multiplyRow(gates, tape.constant(weights)));
    const Variable<float> loss = train::add(error, train::scale(sparse, static_cast<float>(lambda.value / tokens)));
    lambda.follow(active / tokens, static_cast<double>(target.active));
    return loss;
}
} // namespace

std::vector<ParameterSpec> routerTrainingParameters()
{
    std::vector<ParameterSpec> specs = encoderTrainingParameters();
    for (ParameterSpec& spec : specs) {
        if (spec.name == "learning-rate")
            spec.defaultValue = 1e-2;
        if (spec.name == "patience")
            spec.defaultValue = std::int64_t{0};
    }
    return specs;
}

FeatureScale featureScale(MatrixView<const float> rows, const RunContext& context)
{
    FeatureScale scale{std::vector<double>(static_cast<std::size_t>(rows.cols)), std::vector<double>(static_cast<std::size_t>(rows.cols))};
    const auto count = static_cast<double>(rows.rows);
    for (std::int64_t t = 0; t < rows.rows; ++t) {
        context.throwIfStopped();
        for (std::size_t j = 0; j < scale.mean.size(); ++j)
            scale.mean[j] += static_cast<double>(rows(t, static_cast<std::int64_t>(j))) / count;
    }
    std::vector<double> variance(scale.mean.size());
    for (std::int64_t t = 0; t < rows.rows; ++t) {
        context.throwIfStopped();
        for (std::size_t j = 0; j < scale.mean.size(); ++j) {
            const double off = static_cast<double>(rows(t, static_cast<std::int64_t>(j))) - scale.mean[j];
            variance[j] += off * off / count;
        }
    }
    for (std::size_t j = 0; j < variance.size(); ++j) // what is below a millionth of the mean is float32's rounding
        scale.inverse[j] = variance[j] > 1e-12 * scale.mean[j] * scale.mean[j] ? 1 / std::sqrt(variance[j]) : 0;
    return scale;
}

ParameterSpec partitionParameter()
{
    return {.name = "partition", .title = "Partition", .type = ParameterType::Choice, .defaultValue = std::string("co-firing"),
            .help = "Latents that are active together, whose scores rise and fall together, or neighbours", .choices = {"co-firing", "rows", "none"}};
}

ParameterSpec routerParameter(const std::string& title)
{
    return {.name = "router", .title = title, .type = ParameterType::Choice, .defaultValue = std::string("trained"), .help = "random: the trivial baseline, which knows nothing", .choices = {"trained", "random"}};
}

void requireRowsToRouteBy(const Inputs& inputs)
{
    const Matrix<float>& rows = inputs.calibration;
    if (rows.rows() < 2 || rows.cols() != inputs.dictionary->width())
        throw Error(ErrorCode::InvalidParameter, "found calibration activations of shape [" + std::to_string(rows.rows()) + ", " + std::to_string(rows.cols()) + "], expected at least 2 rows of " +
                                                     std::to_string(inputs.dictionary->width()) + " features to route by", "calibration");
}

LatentAffinity affinityOf(const Inputs& inputs, const Parameters& complete, const RunContext& context)
{
    const GroupBy by = groupByNamed(complete.text("partition"));
    const MatrixView<const float> rows = inputs.calibration.view();
    const SparseCodes exact = by == GroupBy::None ? SparseCodes{} : exactEncoder(inputs.dictionary)->encode(rows, RunContext(context.stopToken()));
    return LatentAffinity(*inputs.dictionary, by, rows, exact, RunContext(context.stopToken()));
}

LinearMap unscaled(train::ParameterSet<float>& set, const FeatureScale& scale)
{
    const Matrix<float>& w = set.at("router.weight").values;
    LinearMap map{Matrix<float>(w.rows(), w.cols()), {}};
    for (std::int64_t i = 0; i < w.rows(); ++i) {
        auto bias = static_cast<double>(set.at("router.bias").values.data()[i]);
        for (std::int64_t j = 0; j < w.cols(); ++j) {
            const double slope = static_cast<double>(w(i, j)) * scale.inverse[static_cast<std::size_t>(j)];
            map.weight(i, j) = static_cast<float>(slope);
            bias -= slope * scale.mean[static_cast<std::size_t>(j)];
        }
        map.bias.push_back(static_cast<float>(bias));
    }
    return map;
}

void addRouter(train::ParameterSet<float>& set, std::int64_t outputs, std::int64_t width, float bias)
{
    set.add("router.weight", {outputs, width});
    set.add("router.bias", {outputs}, std::vector<float>(static_cast<std::size_t>(outputs), bias), false);
}

LinearMap randomRouter(std::int64_t outputs, const FeatureScale& scale, std::uint64_t seed)
{
    train::ParameterSet<float> set;
    addRouter(set, outputs, static_cast<std::int64_t>(scale.mean.size()), 0);
    std::mt19937_64 random(seed);
    const auto uniform = [&] { return static_cast<double>((random() >> 11U) + 1) * 0x1.0p-53; }; // (0, 1]
    for (float& value : set.at("router.weight").values.values()) // Box and Muller 1958: the same numbers from any standard library
        value = static_cast<float>(std::sqrt(-2 * std::log(uniform()) / static_cast<double>(scale.mean.size())) * std::cos(2 * 3.14159265358979323846 * uniform()));
    return unscaled(set, scale);
}

std::vector<TrainedTensor> tensorsOf(const LinearMap& map)
{
    const std::int64_t outputs = map.weight.rows();
    return {{"router.weight", {outputs, map.weight.cols()}, {map.weight.values().begin(), map.weight.values().end()}, {}}, {"router.bias", {outputs}, map.bias, {}}};
}

LinearMap routerOf(const TrainedEncoder& trained, std::int64_t outputs)
{
    LinearMap map{Matrix<float>(outputs, trained.width), trained.floats("router.bias", {outputs}).values};
    std::ranges::copy(trained.floats("router.weight", {outputs, trained.width}).values, map.weight.data());
    return map;
}

void massShares(const SparseCodes& codes, std::span<const std::int32_t> groupOf, MatrixView<float> shares)
{
    std::vector<double> mass(static_cast<std::size_t>(shares.cols));
    for (std::int64_t t = 0; t < codes.tokens(); ++t) {
        std::ranges::fill(mass, 0.0);
        double all = 0;
        for (std::size_t i = 0; i < codes.latentsOf(t).size(); ++i) {
            const auto value = static_cast<double>(codes.valuesOf(t)[i]);
            mass[static_cast<std::size_t>(groupOf[static_cast<std::size_t>(codes.latentsOf(t)[i])])] += value;
            all += value;
        }
        for (std::int64_t g = 0; g < shares.cols; ++g)
            shares(t, g) = all > 0 ? static_cast<float>(mass[static_cast<std::size_t>(g)] / all) : 0.0F;
    }
}

void AdaptiveCoefficient::follow(double mean, double wanted) noexcept
{
    if (mean != wanted)
        value = mean > wanted ? value * factor : value / factor;
}

EncoderObjective topExpertsObjective(train::ParameterSet<float>& set, RouterTarget target, FeatureScale scale)
{
    EncoderObjective objective;
    objective.loss = [&set, target = std::move(target), scale = std::move(scale)](Tape<float>& tape, const TrainingRows& rows, std::int64_t, bool checking) {
        return topExpertsLoss(tape, routed(set, tape, scale, rows), sharesOf(tape, rows, target.groupOf, target.groups), target, checking);
    };
    return objective;
}

EncoderObjective reluObjective(train::ParameterSet<float>& set, RouterTarget target, FeatureScale scale, std::shared_ptr<AdaptiveCoefficient> coefficient)
{
    EncoderObjective objective;
    objective.loss = [&set, target = std::move(target), scale = std::move(scale), coefficient = std::move(coefficient)](Tape<float>& tape, const TrainingRows& rows, std::int64_t,
                                                                                                                        bool checking) {
        const Variable<float> outputs = routed(set, tape, scale, rows, checking ? kernels::Activation::None : kernels::Activation::Relu);
        const FloatView shares = sharesOf(tape, rows, target.groupOf, target.groups);
        return checking ? reluChecked(tape, outputs.value(), shares, target) : reluLoss(tape, outputs, shares, target, *coefficient);
    };
    return objective;
}

EncoderObjective treeObjective(train::ParameterSet<float>& set, std::vector<std::int32_t> leafOf, std::int64_t levels, std::int64_t branching, FeatureScale scale)
{
    EncoderObjective objective;
    objective.loss = [&set, leafOf = std::move(leafOf), levels, branching, scale = std::move(scale)](Tape<float>& tape, const TrainingRows& rows, std::int64_t, bool) {
        const Variable<float> logits = routed(set, tape, scale, rows);
        const FloatView mass = scratch(tape, logits.rows(), logits.cols());
        std::int64_t width = 1; // of the last level: leaves
        for (std::int64_t level = 0; level < levels; ++level)
            width *= branching;
        std::int64_t at = mass.cols - width;
        massShares(rows.exact, leafOf, {mass.data + at, mass.rows, width, mass.stride});
        for (; at > 0; width /= branching) { // each node has what its children have
            const std::int64_t parents = width / branching, above = at - parents;
            for (std::int64_t t = 0; t < mass.rows; ++t)
                for (std::int64_t p = 0; p < parents; ++p)
                    mass(t, above + p) = std::accumulate(&mass(t, at + p * branching), &mass(t, at + p * branching) + branching, 0.0F);
            at = above;
        }
        return train::softCrossEntropy<float>(logits, mass, branching);
    };
    return objective;
}

} // namespace tamis::encoder
