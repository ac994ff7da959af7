// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/displacements.h"

#include "core/base/error.h"
#include "core/nn/rotary.h"

#include <cmath>
#include <cstdlib>
#include <string>

namespace tamis::lowrank {

std::string_view spreadName(Spread spread) noexcept
{
    return spread == Spread::Uniform ? "uniform" : spread == Spread::Triangular ? "triangular" : "exponential";
}

Spread parseSpread(std::string_view name)
{
    for (const Spread spread : {Spread::Uniform, Spread::Triangular, Spread::Exponential})
        if (name == spreadName(spread))
            return spread;
    throw Error(ErrorCode::InvalidParameter, "is no distribution of displacements: expected uniform, triangular or exponential", std::string(name));
}

std::vector<Displacement> displacements(std::int64_t window, Spread spread, double decay, bool causal)
{
    if (window < 1)
        throw Error(ErrorCode::InvalidParameter, "a window of " + std::to_string(window) + " displacements was asked for, expected at least 1");
    if (!(decay > 0))
        throw Error(ErrorCode::InvalidParameter, "the decay of the displacements is " + std::to_string(decay) + ", expected a positive number of tokens");
    std::vector<Displacement> all;
    double sum = 0;
    for (std::int64_t d = causal ? 0 : 1 - window; d < window; ++d) {
        const std::int64_t apart = std::abs(d);
        double weight = 1;
        if (spread == Spread::Triangular)
            weight = static_cast<double>(window - apart);
        else if (spread == Spread::Exponential)
            weight = std::exp(-static_cast<double>(apart) / decay);
        all.push_back({d, weight});
        sum += weight;
    }
    for (Displacement& each : all)
        each.weight /= sum;
    return all;
}

MeanRotation::MeanRotation(const nn::RopeSpec& rope, std::int64_t headDim, const std::vector<Displacement>& displacements, std::int64_t tokens)
{
    if (!rope.enabled || (displacements.size() == 1 && displacements[0].distance == 0))
        return;
    const std::int64_t still = headDim - rope.dimensions;
    if (still < 0 || still % 2 != 0 || rope.dimensions % 2 != 0)
        throw Error(ErrorCode::UnsupportedFeature, "rotary positions turn " + std::to_string(rope.dimensions) + " of a head's " + std::to_string(headDim) +
                                                       " features; pairs of both turned and still features are expected");
    const auto turning = nn::rotaryFrequencies(rope, tokens).frequencies;
    std::vector<double> frequencies;
    for (std::int64_t i = 0; i < rope.dimensions / 2; ++i) {
        m_pairs.push_back({i, i + rope.dimensions / 2});
        frequencies.push_back(turning[static_cast<std::size_t>(i)]);
    }
    for (std::int64_t i = rope.dimensions; i < headDim; i += 2) { // a pair that does not turn is any pair, with frequency 0
        m_pairs.push_back({i, i + 1});
        frequencies.push_back(0);
    }
    const auto mean = [&](double frequency) {
        std::complex<double> sum = 0;
        for (const Displacement& d : displacements)
            sum += d.weight * std::polar(1.0, static_cast<double>(d.distance) * frequency);
        return sum;
    };
    for (const double f : frequencies)
        for (const double g : frequencies) {
            m_difference.push_back(mean(f - g));
            m_sum.push_back(mean(f + g));
        }
}

void MeanRotation::apply(tensor::Matrix<double>& y, bool conjugate) const
{
    std::size_t at = 0;
    for (const Pair& row : m_pairs)
        for (const Pair& column : m_pairs) {
            double &y00 = y(row.first, column.first), &y01 = y(row.first, column.second), &y10 = y(row.second, column.first),
                   &y11 = y(row.second, column.second);
            std::complex<double> linear(0.5 * (y00 + y11), 0.5 * (y10 - y01)), conjugated(0.5 * (y00 - y11), 0.5 * (y10 + y01));
            linear *= conjugate ? std::conj(m_difference[at]) : m_difference[at];
            conjugated *= conjugate ? std::conj(m_sum[at]) : m_sum[at];
            ++at;
            y00 = linear.real() + conjugated.real();
            y11 = linear.real() - conjugated.real();
            y10 = linear.imag() + conjugated.imag();
            y01 = conjugated.imag() - linear.imag();
        }
}

} // namespace tamis::lowrank
