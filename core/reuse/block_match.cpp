// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/block_match.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace tamis::reuse {

namespace {
constexpr float kOutside = std::numeric_limits<float>::infinity();

/// One block and the displacements that it was compared at.
class Block {
public:
    Block(ConstPlane current, ConstPlane before, std::int64_t range) : m_current(current), m_before(before), m_range(range), m_sums(static_cast<std::size_t>((2 * range + 1) * (2 * range + 1))) {}
    void moveTo(std::int64_t top, std::int64_t left, std::int64_t bottom, std::int64_t right)
    {
        m_top = top, m_left = left, m_bottom = bottom, m_right = right;
        std::ranges::fill(m_sums, -1.0f);
        m_bestX = m_bestY = 0;
        m_best = sum(0, 0);
    }
    /// Sum of absolute differences; infinite beyond the range and the picture.
    float sum(std::int64_t dx, std::int64_t dy)
    {
        if (std::abs(dx) > m_range || std::abs(dy) > m_range || m_left + dx < 0 || m_top + dy < 0 || m_right + dx > m_before.cols || m_bottom + dy > m_before.rows)
            return kOutside;
        float& kept = m_sums[static_cast<std::size_t>((dy + m_range) * (2 * m_range + 1) + dx + m_range)];
        if (kept >= 0)
            return kept;
        constexpr std::int64_t kLanes = 4; // sums side by side, for the registers
        float lanes[kLanes] = {};
        for (std::int64_t y = m_top; y < m_bottom; ++y) {
            const float *a = m_current.data + y * m_current.stride, *b = m_before.data + (y + dy) * m_before.stride + dx;
            std::int64_t x = m_left;
            for (; x + kLanes <= m_right; x += kLanes)
                for (std::int64_t lane = 0; lane < kLanes; ++lane)
                    lanes[lane] += std::abs(a[x + lane] - b[x + lane]);
            for (; x < m_right; ++x)
                lanes[0] += std::abs(a[x] - b[x]);
        }
        const float total = lanes[0] + lanes[1] + (lanes[2] + lanes[3]);
        differences += static_cast<double>(pixels());
        return kept = total;
    }
    void consider(std::int64_t dx, std::int64_t dy)
    {
        const float found = sum(dx, dy);
        if (found < m_best || (found == m_best && dx * dx + dy * dy < m_bestX * m_bestX + m_bestY * m_bestY)) {
            m_best = found;
            m_bestX = dx;
            m_bestY = dy;
        }
    }
    std::int64_t pixels() const { return (m_bottom - m_top) * (m_right - m_left); }
    std::int64_t bestX() const { return m_bestX; }
    std::int64_t bestY() const { return m_bestY; }
    float best() const { return m_best; }
    double differences = 0;

private:
    ConstPlane m_current, m_before;
    std::int64_t m_range, m_top = 0, m_left = 0, m_bottom = 0, m_right = 0, m_bestX = 0, m_bestY = 0;
    float m_best = 0;
    std::vector<float> m_sums; ///< [2 range + 1, 2 range + 1], -1: not compared
};

void searchSteps(Block& block, std::int64_t range)
{
    for (std::int64_t step = std::max<std::int64_t>((range + 1) / 2, 1);; step = (step + 1) / 2) {
        const std::int64_t x = block.bestX(), y = block.bestY();
        for (std::int64_t dy = -step; dy <= step; dy += step)
            for (std::int64_t dx = -step; dx <= step; dx += step)
                block.consider(x + dx, y + dy);
        if (step == 1)
            return;
    }
}

void searchDiamond(Block& block)
{
    constexpr std::pair<int, int> kLarge[] = {{0, -2}, {1, -1}, {2, 0}, {1, 1}, {0, 2}, {-1, 1}, {-2, 0}, {-1, -1}}, kSmall[] = {{0, -1}, {1, 0}, {0, 1}, {-1, 0}};
    for (;;) {
        const std::int64_t x = block.bestX(), y = block.bestY();
        for (const auto& [dx, dy] : kLarge)
            block.consider(x + dx, y + dy);
        if (block.bestX() == x && block.bestY() == y)
            break;
    }
    const std::int64_t x = block.bestX(), y = block.bestY();
    for (const auto& [dx, dy] : kSmall)
        block.consider(x + dx, y + dy);
}

/// Where two lines of one slope through three sums meet, within half a pixel: sums of absolute differences stand like a V around their least (Shimizu and Okutomi 2001).
float meeting(float before, float at, float after)
{
    const float steeper = std::max(before, after) - at;
    if (!std::isfinite(steeper) || steeper <= 0)
        return 0;
    return std::clamp(0.5f * (before - after) / steeper, -0.5f, 0.5f);
}
} // namespace

std::vector<Displacement> matchBlocks(ConstPlane current, ConstPlane before, std::int64_t gridRows, std::int64_t gridColumns, const BlockMatchSettings& settings, double* differences, const RunContext& context)
{
    std::vector<Displacement> found(static_cast<std::size_t>(gridRows * gridColumns));
    const std::int64_t height = current.rows / gridRows, width = current.cols / gridColumns;
    Block block(current, before, settings.range);
    for (std::int64_t p = 0; p < gridRows * gridColumns; ++p) {
        context.throwIfStopped();
        const std::int64_t top = p / gridColumns * height, left = p % gridColumns * width;
        block.moveTo(std::max<std::int64_t>(top - settings.margin, 0), std::max<std::int64_t>(left - settings.margin, 0), std::min(top + height + settings.margin, current.rows),
                     std::min(left + width + settings.margin, current.cols));
        if (settings.search == BlockSearch::ThreeStep) {
            searchSteps(block, settings.range);
        } else if (settings.search == BlockSearch::Diamond) {
            searchDiamond(block);
        } else {
            for (std::int64_t dy = -settings.range; dy <= settings.range; ++dy) {
                context.throwIfStopped();
                for (std::int64_t dx = -settings.range; dx <= settings.range; ++dx)
                    block.consider(dx, dy);
            }
        }
        const std::int64_t x = block.bestX(), y = block.bestY();
        Displacement& to = found[static_cast<std::size_t>(p)];
        to = {static_cast<float>(x), static_cast<float>(y), block.best() / static_cast<float>(block.pixels())};
        if (settings.subPixel && block.best() > 0) {
            to.dx += meeting(block.sum(x - 1, y), block.best(), block.sum(x + 1, y));
            to.dy += meeting(block.sum(x, y - 1), block.best(), block.sum(x, y + 1));
        }
    }
    if (differences)
        *differences = block.differences;
    return found;
}

} // namespace tamis::reuse
