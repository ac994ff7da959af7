// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/gate_training.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/measure/forward.h"
#include "core/tokens/token_cost.h"
#include "core/train/linear_ops.h"
#include "core/train/pointwise_ops.h"
#include "core/train/router_ops.h"
#include "core/train/selection_ops.h"
#include "core/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

namespace tamis::tokens {
namespace {
using train::Tape;
using train::Variable;
constexpr train::HardConcrete kHardConcrete;
constexpr double kFirstLogit = 2;      ///< open with probability 0.97 (hard concrete), 0.88
constexpr double kQuadratic = 20, kAscent = 0.5; ///< of the augmented Lagrangian: the weight of the squared gap, and the step of the multiplier

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// Photos and what the whole model says of them, as a step of training needs them.
class Batches {
public:
    Batches(const nn::Model& model, train::VitOnTape<float>& vit, const measure::SampleSource& photos, const GateTraining& settings)
        : m_model(model), m_vit(vit), m_photos(photos), m_order(static_cast<std::int64_t>(photos.count()), settings.seed), m_batch(settings.batch),
          m_patches(settings.batch * vit.shape().patches(), vit.shape().patchValues()), m_targets(settings.batch, model.spec().classes)
    {
    }
    void load(std::int64_t step, const RunContext& context)
    {
        std::vector<std::size_t> chosen;
        for (std::int64_t i = 0; i < m_batch; ++i)
            chosen.push_back(static_cast<std::size_t>(m_order.at(step * m_batch + i)));
        measure::ScratchPool pool(false, context);
        parallelFor(context, chosen.size(), [&](std::size_t i) {
            const measure::ScratchPool::Lease scratch(pool);
            measure::LoadedSample sample;
            measure::loadChecked(m_photos, chosen[i], m_model, sample);
            const auto row = static_cast<std::int64_t>(i);
            m_vit.cutPatches(sample.image, m_patches.data() + row * m_vit.shape().patches() * m_patches.cols());
            const auto target = m_targets.view().row(row);
            m_model.run(sample.view(), {target.data(), 1, m_targets.cols(), m_targets.cols()}, *scratch);
            const float largest = *std::ranges::max_element(target);
            double sum = 0;
            for (float& value : target)
                sum += static_cast<double>(value = std::exp(value - largest));
            if (!std::isfinite(sum))
                throw Error(ErrorCode::NonFinite, "found NaN or infinity in the model's output, expected numbers", m_photos.name(chosen[i]));
            for (float& value : target)
                value = static_cast<float>(static_cast<double>(value) / sum);
        });
    }
    const tensor::Matrix<float>& patches() const { return m_patches; }
    const tensor::Matrix<float>& targets() const { return m_targets; }

private:
    const nn::Model& m_model;
    train::VitOnTape<float>& m_vit;
    const measure::SampleSource& m_photos;
    train::SampleOrder m_order;
    std::int64_t m_batch;
    tensor::Matrix<float> m_patches, m_targets;
};
} // namespace

GateKind parseGateKind(std::string_view name)
{
    if (name == "hard-concrete")
        return GateKind::HardConcrete;
    if (name == "straight-through")
        return GateKind::StraightThrough;
    throw Error(ErrorCode::InvalidParameter, "found \"" + std::string(name) + "\", expected hard-concrete or straight-through", "gate");
}

std::vector<double> branchShares(const nn::ModelSpec& spec)
{
    const std::int64_t tokens = spec.tokens(0);
    const std::vector<BlockTokens> attention(spec.blocks.size(), {tokens, 0}), mlp(spec.blocks.size(), {0, tokens});
    const std::vector<std::uint64_t> first = blockMacs(spec, attention), second = blockMacs(spec, mlp);
    const auto sum = static_cast<double>(std::accumulate(first.begin(), first.end(), std::accumulate(second.begin(), second.end(), std::uint64_t{0})));
    std::vector<double> shares;
    for (std::size_t block = 0; block < first.size(); ++block) {
        shares.push_back(static_cast<double>(first[block]) / sum);
        shares.push_back(static_cast<double>(second[block]) / sum);
    }
    return shares;
}

std::vector<std::string> branchEnds(const nn::Model& model)
{
    std::vector<std::string> names;
    for (const nn::Block& block : model.blocks()) {
        names.push_back(block.output.name);
        names.push_back(block.up ? block.down.name : std::string());
    }
    return names;
}

double settledGate(GateKind kind, double logit)
{
    if (kind == GateKind::StraightThrough)
        return logit > 0 ? 1 : 0;
    return std::clamp(sigmoid(logit) * (kHardConcrete.high - kHardConcrete.low) + kHardConcrete.low, 0.0, 1.0);
}

double openProbability(GateKind kind, double logit)
{
    return sigmoid(kind == GateKind::StraightThrough ? logit : logit - kHardConcrete.temperature * std::log(-kHardConcrete.low / kHardConcrete.high));
}

std::vector<double> settledGates(GateKind kind, std::span<const float> logits)
{
    std::vector<double> gates;
    for (const float logit : logits) {
        const double gate = settledGate(kind, static_cast<double>(logit));
        gates.push_back(gate < 0.5 ? 0 : gate);
    }
    return gates;
}

std::vector<double> rankedGates(std::span<const float> logits, std::span<const double> shares, double share)
{
    std::vector<double> gates(logits.size(), 1.0);
    double open = std::accumulate(shares.begin(), shares.end(), 0.0);
    std::vector<std::size_t> order(logits.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::ranges::stable_sort(order, [&](std::size_t a, std::size_t b) { return logits[a] < logits[b]; });
    for (const std::size_t i : order) {
        if (open <= share + 1e-9) // but for the rounding of the sum
            break;
        open -= shares[i];
        gates[i] = 0;
    }
    return gates;
}

template <class T> Variable<T> expectedShare(Tape<T>& tape, Variable<T> logits, GateKind kind, train::View<const T> shares)
{
    const Variable<T> open = kind == GateKind::HardConcrete ? train::hardConcreteOpen(logits, kHardConcrete) : train::sigmoid(logits);
    return train::sumAll(train::multiplyElements(open, tape.constant(shares)));
}

template <class T>
Variable<T> gatedLogits(Tape<T>& tape, train::VitOnTape<T>& vit, const std::vector<std::string>& ends, Variable<T> patchRows, std::int64_t images, Variable<T> gates, train::View<const T> ones)
{
    std::map<std::string, std::int64_t> places;
    for (std::size_t i = 0; i < ends.size(); ++i)
        if (!ends[i].empty())
            places[ends[i]] = static_cast<std::int64_t>(i);
    train::ForwardHooks<T> hooks;
    hooks.replaceLinear = [&](const std::string& name, Variable<T> x, Variable<T> bias) -> Variable<T> {
        const auto place = places.find(name);
        if (place == places.end())
            return {};
        const Variable<T> row = train::product(tape.window(gates, place->second, 1), tape.constant(ones));
        return train::multiplyRow(train::linear(x, tape.parameter(vit.parameters().at(name + ".weight")), bias), row);
    };
    return vit.logits(tape, patchRows, images, hooks);
}

TrainedGates trainGates(const nn::Model& model, train::VitOnTape<float>& vit, const measure::SampleSource& photos, const GateTraining& settings, const RunContext& context)
{
    if (photos.count() == 0 || settings.batch < 1 || settings.steps < 1)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(photos.count()) + " photos, " + std::to_string(settings.steps) + " steps of " + std::to_string(settings.batch) + ", expected 1 at least of each");
    for (auto& parameter : vit.parameters().all())
        parameter.rate = 0;
    const std::vector<std::string> ends = branchEnds(model);
    const auto count = static_cast<std::int64_t>(ends.size());
    tensor::Matrix<float> shares(1, count), ones(1, model.spec().width);
    std::ranges::transform(branchShares(model.spec()), shares.data(), [](double share) { return static_cast<float>(share); });
    std::ranges::fill(ones.values(), 1.0f);
    train::ParameterSet<float> gates;
    auto& logits = gates.add("gates", {1, count}, std::vector<float>(static_cast<std::size_t>(count), static_cast<float>(kFirstLogit)), false);
    Batches batches(model, vit, photos, settings);
    double multiplier = 0, share = 1, entropy = 0;
    TrainedGates result;
    report::Series loss{.name = "training", .points = {}}, expected{.name = "expected share", .points = {}, .secondary = true};
    train::TrainingSettings loop;
    loop.optimiser.weightDecay = 0;
    loop.schedule = {.kind = train::ScheduleKind::Cosine, .peak = settings.rate, .floor = settings.rate / 10, .warmUp = 0, .total = settings.steps};
    loop.enough = [&] { return settings.enough.stop_requested(); };
    const auto build = [&](Tape<float>& tape, std::int64_t step, std::int64_t) {
        batches.load(step, tape.context());
        const Variable<float> a = tape.parameter(logits);
        const std::uint64_t seed = settings.seed * 0x9E3779B97F4A7C15ULL + static_cast<std::uint64_t>(step);
        const Variable<float> drawn = settings.kind == GateKind::HardConcrete ? train::hardConcreteGate(a, seed, kHardConcrete) : train::bernoulliGate(train::sigmoid(a), seed);
        const Variable<float> out = gatedLogits(tape, vit, ends, tape.constant(batches.patches().view()), settings.batch, drawn, std::as_const(ones).view());
        const Variable<float> distance = train::softCrossEntropy(out, batches.targets().view(), batches.targets().cols());
        const double falling = std::max(0.0, 1 - 2 * static_cast<double>(step) / static_cast<double>(settings.steps)), target = settings.target + (1 - settings.target) * falling;
        const Variable<float> open = expectedShare(tape, a, settings.kind, std::as_const(shares).view());
        share = static_cast<double>(tape.scalar(open));
        entropy = static_cast<double>(tape.scalar(distance));
        // the gradient of multiplier (s - t) + quadratic / 2 (s - t)^2 with the gap of now
        const double force = multiplier + kQuadratic * (share - target);
        multiplier += kAscent * (share - target);
        return train::add(distance, train::scale(open, static_cast<float>(force)));
    };
    train::train<float>(gates, loop, build, context, [&](const train::TrainingStep& step) {
        loss.points.push_back({static_cast<double>(step.step), entropy});
        expected.points.push_back({static_cast<double>(step.step), share});
    });
    result.logits.assign(logits.values.values().begin(), logits.values.values().end());
    result.losses = {std::move(loss), std::move(expected)};
    return result;
}

template Variable<float> expectedShare(Tape<float>&, Variable<float>, GateKind, train::View<const float>);
template Variable<double> expectedShare(Tape<double>&, Variable<double>, GateKind, train::View<const double>);
template Variable<float> gatedLogits(Tape<float>&, train::VitOnTape<float>&, const std::vector<std::string>&, Variable<float>, std::int64_t, Variable<float>, train::View<const float>);
template Variable<double> gatedLogits(Tape<double>&, train::VitOnTape<double>&, const std::vector<std::string>&, Variable<double>, std::int64_t, Variable<double>, train::View<const double>);

} // namespace tamis::tokens
