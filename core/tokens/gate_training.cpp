// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/gate_training.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/parallel.h"
#include "core/measure/forward.h"
#include "core/tokens/token_cost.h"
#include "core/tokens/training_photos.h"
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
constexpr std::int64_t kChecks = 10; ///< on the photos kept apart
constexpr double kQuadratic = 20, kAscent = 0.5; ///< of the augmented Lagrangian: the weight of the squared gap, and the step of the multiplier

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// Photos and what the whole model says of them, as a pass on the tape needs them.
class Batch {
public:
    Batch(const nn::Model& model, train::VitOnTape<float>& vit, const TrainingSource& photos, const measure::SampleSource& source, std::int64_t most)
        : m_model(model), m_vit(vit), m_photos(photos), m_source(source), m_patches(most * vit.shape().patches(), vit.shape().patchValues()), m_targets(most, model.spec().classes)
    {
    }
    /// At most as many as said above.
    void load(std::vector<std::size_t> places, const RunContext& context)
    {
        const TrainingPhotos photos = m_photos.at(std::move(places), m_memory, context);
        m_count = static_cast<std::int64_t>(photos.images.size());
        measure::ScratchPool pool(false, context);
        parallelFor(context, photos.images.size(), [&](std::size_t i) {
            const measure::ScratchPool::Lease scratch(pool);
            const auto row = static_cast<std::int64_t>(i);
            m_vit.cutPatches(photos.images[i], m_patches.data() + row * m_vit.shape().patches() * m_patches.cols());
            const auto target = m_targets.view().row(row);
            m_model.run({photos.images[i], {}, {}}, {target.data(), 1, m_targets.cols(), m_targets.cols()}, *scratch);
            const float largest = *std::ranges::max_element(target);
            double sum = 0;
            for (float& value : target)
                sum += static_cast<double>(value = std::exp(value - largest));
            if (!std::isfinite(sum))
                throw Error(ErrorCode::NonFinite, "found NaN or infinity in the model's output, expected numbers", m_source.name(photos.places[i]));
            for (float& value : target)
                value = static_cast<float>(static_cast<double>(value) / sum);
        });
    }
    std::int64_t count() const { return m_count; }
    train::View<const float> patches() const { return {m_patches.data(), m_count * m_vit.shape().patches(), m_patches.cols(), m_patches.cols()}; }
    train::View<const float> targets() const { return {m_targets.data(), m_count, m_targets.cols(), m_targets.cols()}; }

private:
    const nn::Model& m_model;
    train::VitOnTape<float>& m_vit;
    const TrainingSource& m_photos;
    const measure::SampleSource& m_source;
    TrainingSource::Memory m_memory;
    std::int64_t m_count = 0;
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

namespace {
/// One training: the loop's builder and observer over shared state.
class Training {
public:
    Training(const nn::Model& model, train::VitOnTape<float>& vit, const measure::SampleSource& source, const GateTraining& settings, const RunContext& context)
        : m_vit(vit), m_settings(settings), m_context(context), m_ends(branchEnds(model)), m_shares(1, static_cast<std::int64_t>(m_ends.size())), m_ones(1, model.spec().width),
          m_photos(model, source, kCheckShare, m_result.warnings, context.part(1, "photos to train on")),
          m_size(std::min(settings.batch, static_cast<std::int64_t>(m_photos.trained().size()))), m_order(static_cast<std::int64_t>(m_photos.trained().size()), settings.seed),
          m_batch(model, vit, m_photos, source, m_size), m_checkBatch(model, vit, m_photos, source, m_size), m_checkTape(context)
    {
        std::ranges::transform(branchShares(model.spec()), m_shares.data(), [](double share) { return static_cast<float>(share); });
        std::ranges::fill(m_ones.values(), 1.0f);
        m_logits = &m_gates.add("gates", {1, m_shares.cols()}, std::vector<float>(m_ends.size(), static_cast<float>(kFirstLogit)), false);
    }

    TrainedGates run()
    {
        requireMemoryForSteps();
        train::TrainingSettings loop;
        loop.optimiser.weightDecay = 0;
        loop.schedule = {.kind = train::ScheduleKind::Cosine, .peak = m_settings.rate, .floor = m_settings.rate / 10, .warmUp = 0, .total = m_settings.steps};
        loop.enough = [&] { return m_settings.enough.stop_requested(); };
        train::train<float>(m_gates, loop, [this](Tape<float>& tape, std::int64_t step, std::int64_t) { return build(tape, step); }, m_context.part(19, "training"),
                            [this](const train::TrainingStep& step) { observe(step.step); });
        if (!m_loss.points.empty() && (m_heldOut.points.empty() || m_heldOut.points.back().x < m_loss.points.back().x))
            check(m_loss.points.back().x);
        m_result.logits.assign(m_logits->values.values().begin(), m_logits->values.values().end());
        m_result.losses = {std::move(m_loss), std::move(m_share), std::move(m_heldOut)};
        return std::move(m_result);
    }

private:
    std::vector<std::size_t> placesOf(std::int64_t step, std::int64_t count)
    {
        std::vector<std::size_t> places;
        for (std::int64_t i = 0; i < count; ++i)
            places.push_back(m_photos.trained()[static_cast<std::size_t>(m_order.at(step * m_size + i))]);
        return places;
    }
    Variable<float> distanceOn(Tape<float>& tape, const Batch& batch, Variable<float> gates)
    {
        const Variable<float> out = gatedLogits(tape, m_vit, m_ends, tape.constant(batch.patches()), batch.count(), gates, std::as_const(m_ones).view());
        return train::softCrossEntropy(out, batch.targets(), batch.targets().cols);
    }
    /// A step of one photo, gradients and all, says how much a step of the whole batch takes.
    void requireMemoryForSteps()
    {
        if (m_size == 1)
            return;
        Tape<float> tape(m_context);
        m_batch.load(placesOf(0, 1), m_context);
        tape.backward(distanceOn(tape, m_batch, tape.parameter(*m_logits)));
        tape.reset(); // to one block of what was used
        requireMemory(static_cast<std::uint64_t>(tape.bytes()) * static_cast<std::uint64_t>(m_size), "a training step of " + std::to_string(m_size) + " photos");
        m_gates.zeroGradients();
    }
    Variable<float> build(Tape<float>& tape, std::int64_t step)
    {
        m_batch.load(placesOf(step, m_size), tape.context());
        const Variable<float> a = tape.parameter(*m_logits);
        const std::uint64_t seed = m_settings.seed * 0x9E3779B97F4A7C15ULL + static_cast<std::uint64_t>(step);
        const Variable<float> drawn = m_settings.kind == GateKind::HardConcrete ? train::hardConcreteGate(a, seed, kHardConcrete) : train::bernoulliGate(train::sigmoid(a), seed);
        const Variable<float> distance = distanceOn(tape, m_batch, drawn);
        const double falling = std::max(0.0, 1 - 2 * static_cast<double>(step) / static_cast<double>(m_settings.steps)), target = m_settings.target + (1 - m_settings.target) * falling;
        const Variable<float> open = expectedShare(tape, a, m_settings.kind, std::as_const(m_shares).view());
        m_shareNow = static_cast<double>(tape.scalar(open));
        m_entropyNow = static_cast<double>(tape.scalar(distance));
        // the gradient of multiplier (s - t) + quadratic / 2 (s - t)^2 with the gap of now
        const double force = m_multiplier + kQuadratic * (m_shareNow - target);
        m_multiplier += kAscent * (m_shareNow - target);
        return train::add(distance, train::scale(open, static_cast<float>(force)));
    }
    void observe(std::int64_t step)
    {
        m_loss.points.push_back({static_cast<double>(step + 1), m_entropyNow});
        m_share.points.push_back({static_cast<double>(step + 1), m_shareNow});
        if (step % std::max<std::int64_t>(1, m_settings.steps / kChecks) == 0)
            check(static_cast<double>(step + 1));
    }
    /// Mean over the photos kept apart, with the gates settled.
    void check(double step)
    {
        tensor::Matrix<float> settled(1, m_shares.cols());
        std::ranges::transform(settledGates(m_settings.kind, m_logits->values.values()), settled.data(), [](double gate) { return static_cast<float>(gate); });
        double sum = 0;
        const std::vector<std::size_t>& all = m_photos.checked();
        for (std::size_t begin = 0; begin < all.size(); begin += static_cast<std::size_t>(m_size)) {
            const std::size_t end = std::min(begin + static_cast<std::size_t>(m_size), all.size());
            m_checkBatch.load({all.begin() + static_cast<std::ptrdiff_t>(begin), all.begin() + static_cast<std::ptrdiff_t>(end)}, m_context);
            m_checkTape.reset();
            sum += static_cast<double>(end - begin) * static_cast<double>(m_checkTape.scalar(distanceOn(m_checkTape, m_checkBatch, m_checkTape.constant(std::as_const(settled).view()))));
        }
        m_checkTape.reset();
        if (std::isfinite(sum))
            m_heldOut.points.push_back({step, sum / static_cast<double>(all.size())});
    }

    train::VitOnTape<float>& m_vit;
    const GateTraining& m_settings;
    RunContext m_context;
    TrainedGates m_result;
    std::vector<std::string> m_ends;
    tensor::Matrix<float> m_shares, m_ones;
    TrainingSource m_photos;
    std::int64_t m_size; ///< photos a step
    train::SampleOrder m_order;
    Batch m_batch, m_checkBatch;
    Tape<float> m_checkTape;
    train::ParameterSet<float> m_gates;
    train::Parameter<float>* m_logits = nullptr;
    report::Series m_loss{.name = "training", .points = {}}, m_share{.name = "expected share", .points = {}, .secondary = true}, m_heldOut{.name = "held out", .points = {}, .dashed = true};
    double m_multiplier = 0, m_shareNow = 1, m_entropyNow = 0;
};
} // namespace

TrainedGates trainGates(const nn::Model& model, train::VitOnTape<float>& vit, const measure::SampleSource& photos, const GateTraining& settings, const RunContext& context)
{
    if (photos.count() == 0 || settings.batch < 1 || settings.steps < 1)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(photos.count()) + " photos, " + std::to_string(settings.steps) + " steps of " + std::to_string(settings.batch) + ", expected 1 at least of each");
    for (auto& parameter : vit.parameters().all())
        parameter.rate = 0;
    context.setParts(20);
    return Training(model, vit, photos, settings, context).run();
}

template Variable<float> expectedShare(Tape<float>&, Variable<float>, GateKind, train::View<const float>);
template Variable<double> expectedShare(Tape<double>&, Variable<double>, GateKind, train::View<const double>);
template Variable<float> gatedLogits(Tape<float>&, train::VitOnTape<float>&, const std::vector<std::string>&, Variable<float>, std::int64_t, Variable<float>, train::View<const float>);
template Variable<double> gatedLogits(Tape<double>&, train::VitOnTape<double>&, const std::vector<std::string>&, Variable<double>, std::int64_t, Variable<double>, train::View<const double>);

} // namespace tamis::tokens
