// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/best_scores.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <limits>

namespace tamis::encoder {
namespace {
constexpr std::size_t kBlock = 64;  // scores between two looks at the room that is left
constexpr std::size_t kGroup = 16;  // scores that are passed over together where none is large enough

/// Larger keys are better: the score's bits in the order of its value, then the lower latent.
std::uint64_t keyOf(float score, std::int32_t latent)
{
    const auto bits = std::bit_cast<std::uint32_t>(score + 0.0F); // -0 becomes 0: equal scores have equal bits
    const std::uint32_t ordered = bits >> 31 ? ~bits : bits | 0x80000000U;
    return std::uint64_t{ordered} << 32 | static_cast<std::uint32_t>(~latent);
}

float scoreOf(std::uint64_t key)
{
    const auto ordered = static_cast<std::uint32_t>(key >> 32);
    return std::bit_cast<float>(ordered >> 31 ? ordered & 0x7fffffffU : ~ordered);
}

bool anyAbove(const float* scores, std::size_t count, float bar)
{
    int above = 0;
    for (std::size_t i = 0; i < count; ++i)
        above |= static_cast<int>(scores[i] > bar);
    return above != 0;
}
} // namespace

BestScores::BestScores(std::size_t count, float above) : m_count(count), m_above(above), m_bar(above) {}

void BestScores::reserve(std::size_t more)
{
    if (m_used + more <= m_keys.size())
        return;
    if (m_used >= 2 * m_count + kBlock)
        prune();
    m_keys.resize(std::max(m_keys.size(), std::max(2 * m_count + 2 * kBlock, m_used + more)));
}

/// Only the best stay. Latents that come in rising order need then be above the worst of them; others may still equal it, so that the
/// bar is one step below.
void BestScores::prune()
{
    if (m_used <= m_count || m_count == 0)
        return;
    const auto keys = m_keys.begin();
    std::nth_element(keys, keys + static_cast<std::ptrdiff_t>(m_count - 1), keys + static_cast<std::ptrdiff_t>(m_used), std::greater<>());
    m_used = m_count;
    const float worst = scoreOf(m_keys[m_count - 1]);
    m_bar = std::max(m_above, std::nextafter(worst, -std::numeric_limits<float>::infinity()));
}

void BestScores::offer(std::int32_t first, std::span<const float> scores)
{
    if (m_count == 0)
        return;
    for (std::size_t begin = 0; begin < scores.size(); begin += kBlock) {
        reserve(kBlock);
        const std::size_t end = std::min(scores.size(), begin + kBlock);
        for (std::size_t group = begin; group < end; group += kGroup) {
            const std::size_t stop = std::min(end, group + kGroup);
            if (!anyAbove(scores.data() + group, stop - group, m_bar))
                continue;
            for (std::size_t i = group; i < stop; ++i) {
                m_keys[m_used] = keyOf(scores[i], first + static_cast<std::int32_t>(i));
                m_used += static_cast<std::size_t>(scores[i] > m_bar);
            }
        }
    }
}

void BestScores::offer(const std::vector<kernels::Scored>& others)
{
    if (m_count == 0)
        return;
    for (const kernels::Scored& each : others) {
        reserve(1);
        m_keys[m_used] = keyOf(each.value, each.row);
        m_used += static_cast<std::size_t>(each.value > m_bar);
    }
}

std::vector<kernels::Scored> BestScores::take()
{
    prune();
    std::sort(m_keys.begin(), m_keys.begin() + static_cast<std::ptrdiff_t>(m_used), std::greater<>());
    std::vector<kernels::Scored> best(m_used);
    for (std::size_t i = 0; i < m_used; ++i)
        best[i] = {scoreOf(m_keys[i]), ~static_cast<std::int32_t>(static_cast<std::uint32_t>(m_keys[i]))};
    m_used = 0;
    m_bar = m_above;
    return best;
}

} // namespace tamis::encoder
