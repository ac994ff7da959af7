// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/block_choice.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace tamis::attention {
namespace {
constexpr float kFirst = std::numeric_limits<float>::infinity();

/// Own block first, then its neighbours.
std::int64_t localBlock(std::int64_t own, std::int64_t index, bool causal)
{
    if (causal)
        return own - index;
    return index % 2 == 1 ? own - (index + 1) / 2 : own + index / 2;
}

/// The n-th largest, n >= 1, of numbers or infinities, which it overwrites. Around a pivot the larger and the smaller ones are copied apart without a branch that depends on them: about three
/// looks at each of numbers in any order, where std::nth_element waits for a branch that is guessed wrong at every second one.
float nthLargest(std::vector<float>& values, std::int64_t n)
{
    constexpr int kRounds = 48; ///< more than numbers in any order ever take
    thread_local std::vector<float> larger, smaller;
    larger.resize(values.size());
    smaller.resize(values.size());
    for (int round = 0; round < kRounds; ++round) {
        const float a = values.front(), b = values[values.size() / 2], c = values.back(), pivot = std::max(std::min(a, b), std::min(std::max(a, b), c));
        std::size_t above = 0, below = 0;
        for (const float value : values) {
            larger[above] = smaller[below] = value;
            above += value > pivot ? 1 : 0;
            below += value < pivot ? 1 : 0;
        }
        const auto notBelow = static_cast<std::int64_t>(values.size() - below);
        if (n <= static_cast<std::int64_t>(above)) {
            values.assign(larger.begin(), larger.begin() + static_cast<std::ptrdiff_t>(above));
        } else if (n <= notBelow) {
            return pivot;
        } else {
            n -= notBelow;
            values.assign(smaller.begin(), smaller.begin() + static_cast<std::ptrdiff_t>(below));
        }
    }
    std::ranges::nth_element(values, values.begin() + (n - 1), std::greater{});
    return values[static_cast<std::size_t>(n - 1)];
}
} // namespace

void chooseBlocks(std::span<const float> scores, std::int64_t own, bool causal, const ForcedBlocks& forced, std::int64_t most, std::vector<std::int64_t>& chosen)
{
    const auto count = static_cast<std::int64_t>(scores.size());
    chosen.resize(scores.size());
    if (most < 1)
        return chosen.clear();
    for (std::int64_t j = 0; j < count; ++j)
        chosen[static_cast<std::size_t>(j)] = j;
    if (count <= most)
        return;
    thread_local std::vector<float> ranks;
    ranks.assign(scores.begin(), scores.end());
    for (float& rank : ranks)
        rank = std::isnan(rank) ? -std::numeric_limits<float>::infinity() : std::min(rank, std::numeric_limits<float>::max());
    for (std::int64_t j = 0; j < std::min(forced.initial, count); ++j)
        ranks[static_cast<std::size_t>(j)] = kFirst;
    for (std::int64_t index = 0, taken = 0; taken < std::min(forced.local, count) && index < 2 * count; ++index) {
        const std::int64_t j = localBlock(own, index, causal);
        if (j < 0 || j >= count)
            continue;
        ranks[static_cast<std::size_t>(j)] = kFirst;
        ++taken;
    }
    thread_local std::vector<float> sorted;
    sorted = ranks;
    const float least = nthLargest(sorted, most);
    std::int64_t equal = most - std::ranges::count_if(ranks, [least](float rank) { return rank > least; }); // of those that are taken
    std::size_t taken = 0;
    for (std::int64_t j = 0; j < count; ++j) {
        const float rank = ranks[static_cast<std::size_t>(j)];
        chosen[taken] = j;
        taken += rank > least || (rank == least && equal > 0) ? 1 : 0;
        equal -= rank == least ? 1 : 0;
    }
    chosen.resize(static_cast<std::size_t>(most));
}

void blockImportance(const BlockSizes& sizes, Overlap overlap, std::span<const float> p, std::span<float> importance)
{
    const std::int64_t a = sizes.selected / sizes.stride, b = sizes.compressed / sizes.stride, count = static_cast<std::int64_t>(p.size());
    std::ranges::fill(importance, 0.0F);
    for (std::int64_t j = 0; j < static_cast<std::int64_t>(importance.size()); ++j) {
        float& sum = importance[static_cast<std::size_t>(j)];
        const auto add = [&](std::int64_t c, std::int64_t times) {
            if (c >= 0 && c < count)
                sum += static_cast<float>(times) * p[static_cast<std::size_t>(c)];
        };
        if (overlap == Overlap::Geometric) {
            for (std::int64_t c = a * j - b + 1; c < a * (j + 1); ++c)
                add(c, std::min(c + b, a * (j + 1)) - std::max(c, a * j)); // strides in both
            continue;
        }
        const std::int64_t sign = overlap == Overlap::Plus ? 1 : -1;
        for (std::int64_t s = 0; s <= a + b - 2; ++s) // s = m + n, in so many ways
            add(a * j + sign * s, std::min({s + 1, a, b, a + b - 1 - s}));
    }
}

} // namespace tamis::attention
