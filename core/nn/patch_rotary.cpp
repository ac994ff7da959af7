// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/nn/patch_rotary.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

namespace tamis::nn {

namespace {
void require(bool holds, const std::string& message)
{
    if (!holds)
        throw Error(ErrorCode::InvalidParameter, message, "rotary positions of patches");
}
} // namespace

void turn(const PatchTurns& turns, kernels::Rows x, std::int64_t heads, std::int64_t headDim)
{
    require(x.rows == turns.tokens(), "found " + std::to_string(x.rows) + " tokens, expected " + std::to_string(turns.tokens()) + ": one for each position");
    for (std::int64_t t = turns.prefix; t < x.rows; ++t) {
        const float* cosine = turns.cosine.data() + (t - turns.prefix) * turns.pairs;
        const float* sine = turns.sine.data() + (t - turns.prefix) * turns.pairs;
        for (std::int64_t h = 0; h < heads; ++h) {
            float* first = x.data + t * x.stride + h * headDim;
            float* second = first + turns.pairs;
            for (std::int64_t i = 0; i < turns.pairs; ++i) {
                const float a = first[i], b = second[i];
                first[i] = a * cosine[i] - b * sine[i];
                second[i] = b * cosine[i] + a * sine[i];
            }
        }
    }
}

PatchRotary::PatchRotary(const RopeSpec& spec, std::int64_t prefix, std::int64_t gridHeight, std::int64_t gridWidth)
    : m_prefix(prefix), m_height(gridHeight), m_width(gridWidth)
{
    require(spec.dimensions >= 4 && spec.dimensions % 4 == 0 && spec.theta > 0, "found " + std::to_string(spec.dimensions) + " features and theta " + std::to_string(spec.theta) +
                                                                                    ", expected a multiple of 4 and a theta above 0");
    for (std::int64_t i = 0; i < spec.dimensions / 4; ++i)
        m_frequencies.push_back(2 * std::numbers::pi * std::pow(spec.theta, -4.0 * static_cast<double>(i) / static_cast<double>(spec.dimensions)));
    std::vector<double> centres;
    for (std::int64_t row = 0; row < gridHeight; ++row)
        for (std::int64_t column = 0; column < gridWidth; ++column) {
            centres.push_back(static_cast<double>(row) + 0.5);
            centres.push_back(static_cast<double>(column) + 0.5);
        }
    m_own = at(centres);
}

void PatchRotary::fill(double row, double column, float* cosine, float* sine) const
{
    const std::size_t half = m_frequencies.size();
    const double coordinates[] = {2 * row / static_cast<double>(m_height) - 1, 2 * column / static_cast<double>(m_width) - 1};
    for (std::size_t axis = 0; axis < 2; ++axis)
        for (std::size_t i = 0; i < half; ++i) {
            const double angle = coordinates[axis] * m_frequencies[i];
            cosine[axis * half + i] = static_cast<float>(std::cos(angle));
            sine[axis * half + i] = static_cast<float>(std::sin(angle));
        }
}

PatchTurns PatchRotary::at(std::span<const double> places) const
{
    const std::size_t pairs = 2 * m_frequencies.size();
    PatchTurns turns{.prefix = m_prefix, .pairs = static_cast<std::int64_t>(pairs), .cosine = {}, .sine = {}};
    turns.cosine.resize(places.size() / 2 * pairs);
    turns.sine.resize(turns.cosine.size());
    for (std::size_t i = 0; i < places.size() / 2; ++i)
        fill(places[2 * i], places[2 * i + 1], turns.cosine.data() + i * pairs, turns.sine.data() + i * pairs);
    return turns;
}

PatchTurns PatchRotary::of(std::span<const std::int32_t> heldBy, std::int64_t tokens) const
{
    struct Held {
        double row = 0, column = 0;
        std::int64_t patches = 0, last = 0;
    };
    require(static_cast<std::int64_t>(heldBy.size()) == m_own.tokens() && tokens >= m_prefix,
            "found " + std::to_string(heldBy.size()) + " source tokens, expected " + std::to_string(m_own.tokens()) + ": the prefix and the patches of the model");
    std::vector<Held> held(static_cast<std::size_t>(tokens - m_prefix));
    for (std::int64_t patch = 0; patch < m_height * m_width; ++patch) {
        const std::int32_t token = heldBy[static_cast<std::size_t>(m_prefix + patch)];
        require(token >= -1 && token < tokens, "found token " + std::to_string(token) + ", expected -1 to " + std::to_string(tokens - 1));
        if (token < m_prefix) // pruned, or part of a token that does not turn
            continue;
        Held& h = held[static_cast<std::size_t>(token - m_prefix)];
        h.row += static_cast<double>(patch / m_width) + 0.5;
        h.column += static_cast<double>(patch % m_width) + 0.5;
        h.last = patch;
        ++h.patches;
    }
    const std::int64_t pairs = m_own.pairs;
    PatchTurns turns{.prefix = m_prefix, .pairs = pairs, .cosine = std::vector<float>(held.size() * static_cast<std::size_t>(pairs)), .sine = {}};
    turns.sine.resize(turns.cosine.size());
    for (std::size_t i = 0; i < held.size(); ++i) {
        const Held& h = held[i];
        require(h.patches > 0, "found token " + std::to_string(m_prefix + static_cast<std::int64_t>(i)) + " without a patch, expected one at least in each");
        float* cosine = turns.cosine.data() + static_cast<std::int64_t>(i) * pairs;
        float* sine = turns.sine.data() + static_cast<std::int64_t>(i) * pairs;
        if (h.patches == 1) {
            std::copy_n(m_own.cosine.data() + h.last * pairs, pairs, cosine);
            std::copy_n(m_own.sine.data() + h.last * pairs, pairs, sine);
        } else {
            fill(h.row / static_cast<double>(h.patches), h.column / static_cast<double>(h.patches), cosine, sine);
        }
    }
    return turns;
}

} // namespace tamis::nn
