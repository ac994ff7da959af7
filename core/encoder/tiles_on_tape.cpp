// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/tiles_on_tape.h"

#include "core/base/memory_estimate.h"
#include "core/base/parallel.h"
#include "core/encoder/score_training.h"
#include "core/train/linear_ops.h"
#include "core/train/loss_ops.h"
#include "core/train/pointwise_ops.h"

#include <algorithm>
#include <cmath>

namespace tamis::encoder {
namespace {
using train::GradientTarget;
using train::Tape;
using train::Variable;
using train::View;
constexpr std::int64_t kRowsATask = 32;
constexpr double kLastTemperature = 0.05;
constexpr float kStartLogit = 0.25F; // of an item's own tile, 0 of the others: hardly more than even, so that others are tried
constexpr double kRowRate = 0.1;  // V follows slowly: it would make up for what memberships should change
constexpr double kLogitRate = 5;  // logits move by about 1, entries of V by hundredths

template <class Each> void eachRow(const RunContext& context, std::int64_t rows, const Each& each)
{
    parallelFor(context, static_cast<std::size_t>((rows + kRowsATask - 1) / kRowsATask), [&](std::size_t task) {
        for (std::int64_t i = static_cast<std::int64_t>(task) * kRowsATask; i < std::min(rows, (static_cast<std::int64_t>(task) + 1) * kRowsATask); ++i)
            each(i);
    });
}

/// Some columns of x, copied: a constant.
Variable<float> columns(Tape<float>& tape, View<const float> x, const std::vector<std::int32_t>& places)
{
    const auto count = static_cast<std::int64_t>(places.size());
    const View<float> own{tape.scratch<float>(x.rows * count), x.rows, count, count};
    eachRow(tape.context(), x.rows, [&](std::int64_t i) {
        for (std::int64_t j = 0; j < count; ++j)
            own(i, j) = x(i, places[static_cast<std::size_t>(j)]);
    });
    return tape.constant(own);
}

std::vector<float> logitsOf(const std::vector<std::int32_t>& tileOf, std::int64_t tiles)
{
    std::vector<float> logits(tileOf.size() * static_cast<std::size_t>(tiles));
    for (std::size_t i = 0; i < tileOf.size(); ++i)
        logits[i * static_cast<std::size_t>(tiles) + static_cast<std::size_t>(tileOf[i])] = kStartLogit;
    return logits;
}
} // namespace

void addTiles(train::ParameterSet<float>& set, const std::vector<TileFactors>& tiles, std::vector<float> bias)
{
    for (std::size_t t = 0; t < tiles.size(); ++t) {
        addParameter(set, "b." + std::to_string(t), tiles[t].outer.view());
        if (!tiles[t].inner.empty())
            addParameter(set, "a." + std::to_string(t), tiles[t].inner.view());
    }
    const auto latents = static_cast<std::int64_t>(bias.size());
    set.add("bias", {latents}, std::move(bias), false);
}

template <class T> Variable<T> joinedTiles(Tape<T>& tape, const std::vector<Variable<T>>& parts, const Tiling& tiling)
{
    const auto latents = static_cast<std::int64_t>(tiling.latents.size()), count = static_cast<std::int64_t>(parts.size());
    train::require(count == tiling.tiles && count > 0, "joinedTiles", "there must be one part a tile");
    struct Place {
        std::int32_t tile, column;
    };
    auto* const places = tape.template scratch<Place>(latents);
    auto* const own = tape.template scratch<Variable<T>>(count);
    std::vector<std::int32_t> filled(parts.size());
    for (std::int64_t i = 0; i < latents; ++i) {
        const std::int32_t tile = tiling.latents[static_cast<std::size_t>(i)];
        places[i] = {tile, filled[static_cast<std::size_t>(tile)]++};
    }
    for (std::size_t t = 0; t < parts.size(); ++t) {
        if (parts[t].cols() != filled[t] || parts[t].rows() != parts[0].rows())
            train::refuseShapes("joinedTiles", "a part " + train::shapeOf(parts[t]), "[" + std::to_string(parts[0].rows()) + ", " + std::to_string(filled[t]) + "]");
        own[t] = parts[t];
    }
    const bool needed = std::ranges::any_of(parts, [&](const Variable<T>& part) { return tape.needsGradient(part); });
    const auto source = needed ? *std::ranges::find_if(parts, [&](const Variable<T>& part) { return tape.needsGradient(part); }) : parts[0];
    const Variable<T> y = tape.output(parts[0].rows(), latents, {source});
    const View<T> out = tape.mutableValue(y);
    std::vector<View<const T>> values;
    for (const Variable<T>& part : parts)
        values.push_back(part.value());
    eachRow(tape.context(), out.rows, [&](std::int64_t i) {
        for (std::int64_t j = 0; j < latents; ++j)
            out(i, j) = values[static_cast<std::size_t>(places[j].tile)](i, places[j].column);
    });
    tape.onBackward(y, [y, own, places, count, latents](View<T> gradient) {
        Tape<T>& owner = y.tape();
        std::vector<GradientTarget<T>> targets;
        for (std::int64_t t = 0; t < count; ++t)
            targets.push_back(owner.target(own[t]));
        eachRow(owner.context(), gradient.rows, [&](std::int64_t i) {
            for (std::int64_t j = 0; j < latents; ++j) {
                const GradientTarget<T>& target = targets[static_cast<std::size_t>(places[j].tile)];
                if (!target)
                    continue;
                T& to = target.view(i, places[j].column);
                to = target.add ? to + gradient(i, j) : gradient(i, j);
            }
        });
    });
    return y;
}
template Variable<float> joinedTiles<float>(Tape<float>&, const std::vector<Variable<float>>&, const Tiling&);
template Variable<double> joinedTiles<double>(Tape<double>&, const std::vector<Variable<double>>&, const Tiling&);

Variable<float> tileScores(Tape<float>& tape, train::ParameterSet<float>& set, const Tiling& tiling, Variable<float> x)
{
    std::vector<Variable<float>> parts;
    for (std::int64_t t = 0; t < tiling.tiles; ++t) {
        Variable<float> own = columns(tape, x.value(), tiling.inputsOf(t));
        if (train::Parameter<float>* const inner = set.find("a." + std::to_string(t)))
            own = train::linear(own, tape.parameter(*inner));
        parts.push_back(train::linear(own, tape.parameter(set.at("b." + std::to_string(t)))));
    }
    return train::addRow(joinedTiles(tape, parts, tiling), tape.parameter(set.at("bias")));
}

SoftTiling::SoftTiling(tensor::MatrixView<const float> w, const std::vector<float>& bias, const Tiling& start, std::int64_t steps)
    : m_tiles(start.tiles), m_steps(steps), m_ones(bias.size(), 1.0F / static_cast<float>(bias.size())),
      m_even(static_cast<std::size_t>(start.tiles), 1.0F / static_cast<float>(start.tiles))
{
    // V, its gradient, two moments and the best so far; what a step takes is the arena's to ask for
    requireMemory(5 * sizeof(float) * static_cast<std::uint64_t>(w.rows) * static_cast<std::uint64_t>(w.cols), "training a tiling");
    std::vector<float> values;
    values.reserve(static_cast<std::size_t>(w.rows * w.cols));
    for (std::int64_t i = 0; i < w.rows; ++i)
        values.insert(values.end(), w.row(i).begin(), w.row(i).end());
    m_set.add("v", {w.rows, w.cols}, std::move(values)).rate = kRowRate;
    m_set.add("bias", {w.rows}, bias, false);
    m_set.add("latents", {w.rows, m_tiles}, logitsOf(start.latents, m_tiles), false).rate = kLogitRate;
    m_set.add("inputs", {w.cols, m_tiles}, logitsOf(start.inputs, m_tiles), false).rate = kLogitRate;
}

double SoftTiling::temperature(std::int64_t step, bool checking) const
{
    const double part = checking || m_steps < 2 ? 1 : std::min(1.0, static_cast<double>(step) / static_cast<double>(m_steps - 1));
    return std::pow(kLastTemperature, part);
}

Variable<float> SoftTiling::memberships(Tape<float>& tape, const char* name, std::int64_t step, bool checking)
{
    return train::softmaxRows(train::scale(tape.parameter(m_set.at(name)), static_cast<float>(1 / temperature(step, checking))));
}

Variable<float> SoftTiling::scores(Tape<float>& tape, Variable<float> x, std::int64_t step, bool checking)
{
    const auto shared = train::linear(memberships(tape, "latents", step, checking), memberships(tape, "inputs", step, checking)); // P Q^T
    return train::linear(x, train::multiplyElements(tape.parameter(m_set.at("v")), shared), tape.parameter(m_set.at("bias")));
}

Variable<float> SoftTiling::crowding(Tape<float>& tape, std::int64_t step, bool checking)
{
    const auto latents = static_cast<std::int64_t>(m_ones.size());
    const auto shares = train::product(tape.constant({m_ones.data(), 1, latents, latents}), memberships(tape, "latents", step, checking));
    const auto tiles = static_cast<float>(m_tiles);
    return train::scale(train::meanSquaredError(shares, tape.constant({m_even.data(), 1, m_tiles, m_tiles})), tiles * tiles);
}

Tiling SoftTiling::balanced() const
{
    const auto groups = [this](std::string_view name) {
        const auto found = std::ranges::find(m_set.all(), name, &train::Parameter<float>::name);
        tensor::Matrix<double> gains(found->values.rows(), m_tiles);
        std::ranges::copy(found->values.values(), gains.values().begin());
        return balancedGroups(gains);
    };
    return {m_tiles, groups("inputs"), groups("latents")};
}

} // namespace tamis::encoder
