// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/nn/rotary.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tamis::nn {

namespace {
/// YaRN (Peng et al. 2023): pairs that turn often keep their frequency, slow ones are interpolated, a ramp between.
void scaleYarn(const RopeSpec& spec, std::vector<double>& frequencies)
{
    const auto d = static_cast<double>(spec.dimensions);
    const auto positions = static_cast<double>(spec.originalPositions > 0 ? spec.originalPositions : spec.maxPositions);
    const auto pairAt = [&](double turns) {
        return d * std::log(positions / (turns * 2 * std::numbers::pi)) / (2 * std::log(spec.theta));
    };
    const double low = std::max(0.0, std::floor(pairAt(spec.betaFast)));
    double high = std::min(d - 1, std::ceil(pairAt(spec.betaSlow)));
    if (high == low)
        high += 0.001; // no division by zero
    for (std::size_t i = 0; i < frequencies.size(); ++i) {
        const double ramp = std::clamp((static_cast<double>(i) - low) / (high - low), 0.0, 1.0);
        frequencies[i] = frequencies[i] / spec.factor * ramp + frequencies[i] * (1 - ramp);
    }
}

/// LLaMA 3.1: long wavelengths are divided by the factor, short ones kept, a smooth change between.
void scaleLlama3(const RopeSpec& spec, std::vector<double>& frequencies)
{
    const auto positions = static_cast<double>(spec.originalPositions);
    const double longest = positions / spec.lowFrequencyFactor, shortest = positions / spec.highFrequencyFactor;
    for (double& f : frequencies) {
        const double wavelength = 2 * std::numbers::pi / f;
        if (wavelength > longest) {
            f /= spec.factor;
        } else if (wavelength >= shortest) {
            const double smooth = (positions / wavelength - spec.lowFrequencyFactor) / (spec.highFrequencyFactor - spec.lowFrequencyFactor);
            f = (1 - smooth) * f / spec.factor + smooth * f;
        }
    }
}
} // namespace

RotaryFrequencies rotaryFrequencies(const RopeSpec& spec, std::int64_t tokens)
{
    RotaryFrequencies result;
    double theta = spec.theta;
    const auto d = static_cast<double>(spec.dimensions);
    if (spec.scaling == RopeScaling::Dynamic && tokens > spec.maxPositions) // NTK-aware: the base grows with the sequence
        theta *= std::pow(spec.factor * static_cast<double>(tokens) / static_cast<double>(spec.maxPositions) - (spec.factor - 1), d / (d - 2));
    for (std::int64_t i = 0; i < spec.dimensions / 2; ++i)
        result.frequencies.push_back(std::pow(theta, -2.0 * static_cast<double>(i) / d));
    switch (spec.scaling) {
    case RopeScaling::None:
    case RopeScaling::Dynamic: break;
    case RopeScaling::Linear:
        for (double& f : result.frequencies)
            f /= spec.factor;
        break;
    case RopeScaling::Llama3: scaleLlama3(spec, result.frequencies); break;
    case RopeScaling::Yarn:
        scaleYarn(spec, result.frequencies);
        result.amplitude = spec.attentionFactor > 0 ? spec.attentionFactor : (spec.factor > 1 ? 0.1 * std::log(spec.factor) + 1 : 1);
        break;
    }
    return result;
}

std::shared_ptr<const RotaryTable::Values> RotaryTable::values(std::int64_t tokens) const
{
    const std::scoped_lock lock(m_mutex);
    const bool dependsOnLength = m_spec.scaling == RopeScaling::Dynamic && tokens > m_spec.maxPositions;
    if (m_values && (dependsOnLength ? m_values->tokens == tokens : m_values->tokens >= tokens && (m_spec.scaling != RopeScaling::Dynamic || m_values->tokens <= m_spec.maxPositions)))
        return m_values;
    const RotaryFrequencies f = rotaryFrequencies(m_spec, tokens);
    auto made = std::make_shared<Values>();
    made->tokens = tokens;
    const std::size_t pairs = f.frequencies.size();
    made->cosine.resize(static_cast<std::size_t>(tokens) * pairs);
    made->sine.resize(made->cosine.size());
    for (std::size_t t = 0; t < static_cast<std::size_t>(tokens); ++t)
        for (std::size_t i = 0; i < pairs; ++i) {
            const double angle = static_cast<double>(t) * f.frequencies[i];
            made->cosine[t * pairs + i] = static_cast<float>(f.amplitude * std::cos(angle));
            made->sine[t * pairs + i] = static_cast<float>(f.amplitude * std::sin(angle));
        }
    m_values = made;
    return made;
}

void RotaryTable::apply(kernels::Rows x, std::int64_t heads, std::int64_t headDim) const
{
    const std::shared_ptr<const Values> table = values(x.rows);
    const std::int64_t pairs = m_spec.dimensions / 2;
    for (std::int64_t t = 0; t < x.rows; ++t) {
        const float* cosine = table->cosine.data() + t * pairs;
        const float* sine = table->sine.data() + t * pairs;
        for (std::int64_t h = 0; h < heads; ++h) {
            float* first = x.data + t * x.stride + h * headDim;
            float* second = first + pairs;
            for (std::int64_t i = 0; i < pairs; ++i) {
                const float a = first[i], b = second[i];
                first[i] = a * cosine[i] - b * sine[i];
                second[i] = b * cosine[i] + a * sine[i];
            }
        }
    }
}

} // namespace tamis::nn
