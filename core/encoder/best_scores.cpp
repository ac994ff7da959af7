// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/best_scores.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>

namespace tamis::encoder {
namespace {
constexpr std::size_t kGroup = 16;  // scores that are passed over together where none is large enough
constexpr std::size_t kStride = 17; // of the sample; odd, so that scores that repeat by powers of two do not mislead it

/// Bits in the order of the values; 0 for NaN, which no number has.
std::uint32_t ordered(float score)
{
    const auto bits = std::bit_cast<std::uint32_t>(score + 0.0F); // -0 becomes 0: equal scores have equal bits
    const std::uint32_t sorted = bits >> 31 ? ~bits : bits | 0x80000000U;
    return score == score ? sorted : 0;
}

float scoreOf(std::uint32_t bits)
{
    return std::bit_cast<float>(bits >> 31 ? bits & 0x7fffffffU : ~bits);
}

/// Larger keys are better: the score, then the lower place.
std::uint64_t keyOf(float score, std::size_t place)
{
    return std::uint64_t{ordered(score)} << 32 | ~static_cast<std::uint32_t>(place);
}

/// A number that some more than `count` scores are likely to be above; `above` where a sample cannot tell.
float guessedBar(std::span<const float> scores, std::size_t count, float above)
{
    const double expected = static_cast<double>(count) / static_cast<double>(kStride);
    const auto place = static_cast<std::size_t>(expected + 4 * std::sqrt(expected) + 8); // four deviations of the draw, and eight where they are few
    if (place * kStride * 2 > scores.size())
        return above;
    std::vector<std::uint32_t> sample;
    sample.reserve(scores.size() / kStride + 1);
    for (std::size_t i = 0; i < scores.size(); i += kStride)
        sample.push_back(ordered(scores[i]));
    const auto at = sample.begin() + static_cast<std::ptrdiff_t>(place);
    std::nth_element(sample.begin(), at, sample.end(), std::greater<>());
    const float bar = *at == 0 ? above : std::nextafter(scoreOf(*at), -std::numeric_limits<float>::infinity());
    return std::max(above, bar);
}

bool anyAbove(const float* scores, std::size_t count, float bar)
{
    int above = 0;
    for (std::size_t i = 0; i < count; ++i)
        above |= static_cast<int>(scores[i] > bar);
    return above != 0;
}

void collect(std::span<const float> scores, float bar, std::vector<std::uint64_t>& keys)
{
    std::size_t used = 0;
    for (std::size_t first = 0; first < scores.size(); first += kGroup) {
        const std::size_t last = std::min(scores.size(), first + kGroup);
        if (last - first == kGroup ? !anyAbove(scores.data() + first, kGroup, bar) : !anyAbove(scores.data() + first, last - first, bar))
            continue;
        if (keys.size() < used + kGroup)
            keys.resize(std::max<std::size_t>(2 * keys.size(), 512));
        for (std::size_t i = first; i < last; ++i) {
            keys[used] = keyOf(scores[i], i);
            used += static_cast<std::size_t>(scores[i] > bar);
        }
    }
    keys.resize(used);
}
} // namespace

std::vector<kernels::Scored> bestScores(std::span<const float> scores, std::size_t count, float above, Order order)
{
    if (count == 0)
        return {};
    std::vector<std::uint64_t> keys;
    const float bar = guessedBar(scores, count, above);
    collect(scores, bar, keys);
    if (keys.size() < count && bar > above)
        collect(scores, above, keys);
    if (keys.size() > count) {
        std::nth_element(keys.begin(), keys.begin() + static_cast<std::ptrdiff_t>(count - 1), keys.end(), std::greater<>());
        keys.resize(count);
    }
    if (order == Order::Falling)
        std::sort(keys.begin(), keys.end(), std::greater<>());
    std::vector<kernels::Scored> best(keys.size());
    for (std::size_t i = 0; i < keys.size(); ++i)
        best[i] = {scoreOf(static_cast<std::uint32_t>(keys[i] >> 32)), ~static_cast<std::int32_t>(static_cast<std::uint32_t>(keys[i]))};
    return best;
}

} // namespace tamis::encoder
