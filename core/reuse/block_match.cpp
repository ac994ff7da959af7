// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/block_match.h"

#include "core/base/parallel.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <tuple>
#include <utility>

namespace tamis::reuse {

namespace {
constexpr float kOutside = std::numeric_limits<float>::infinity();
constexpr std::int64_t kLanes = 8;            // sums side by side, for the registers
constexpr std::int64_t kLookAfter = 16;       // pixels, in whole rows, between two looks at whether a sum can still be the least
constexpr std::int64_t kStopAfter = 1 << 20;  // pixels between two looks for a stop: below a millisecond

/// Adds |a - b| over `count` pixels.
void addDifferences(const float* a, const float* b, std::int64_t count, float* lanes)
{
    std::int64_t x = 0;
    for (; x + kLanes <= count; x += kLanes)
        for (std::int64_t lane = 0; lane < kLanes; ++lane)
            lanes[lane] += std::abs(a[x + lane] - b[x + lane]);
    for (std::int64_t lane = 0; x < count; ++x, ++lane)
        lanes[lane] += std::abs(a[x] - b[x]);
}

float totalOf(const float* lanes) { return ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7])); }

/// One block and the displacements that it was compared at.
class Block {
public:
    Block(ConstPlane current, ConstPlane before, std::int64_t range, const RunContext& context)
        : m_current(current), m_before(before), m_range(range), m_seen(static_cast<std::size_t>((2 * range + 1) * (2 * range + 1))), m_context(context)
    {
    }
    void moveTo(std::int64_t top, std::int64_t left, std::int64_t bottom, std::int64_t right)
    {
        m_top = top, m_left = left, m_bottom = bottom, m_right = right;
        ++m_number;
        m_bestX = m_bestY = 0;
        m_best = kOutside;
        consider(0, 0);
    }
    /// Sum of absolute differences to the end; infinite beyond the range and the picture.
    float sum(std::int64_t dx, std::int64_t dy)
    {
        if (!isInside(dx, dy))
            return kOutside;
        Seen& seen = seenAt(dx, dy);
        if (seen.block != m_number || seen.sum == kOutside)
            seen = {m_number, sumUpTo(dx, dy, kOutside, false)};
        return seen.sum;
    }
    void consider(std::int64_t dx, std::int64_t dy)
    {
        if (!isInside(dx, dy))
            return;
        Seen& seen = seenAt(dx, dy);
        if (seen.block == m_number) // the least has only fallen since
            return;
        const bool wins = std::tuple(dx * dx + dy * dy, dy, dx) < std::tuple(m_bestX * m_bestX + m_bestY * m_bestY, m_bestY, m_bestX); // against an equal sum
        seen = {m_number, !wins && m_best <= 0 ? kOutside : sumUpTo(dx, dy, m_best, wins)};
        if (seen.sum == kOutside)
            return;
        m_best = seen.sum;
        m_bestX = dx;
        m_bestY = dy;
    }
    std::int64_t pixels() const { return (m_bottom - m_top) * (m_right - m_left); }
    std::int64_t range() const { return m_range; }
    std::int64_t bestX() const { return m_bestX; }
    std::int64_t bestY() const { return m_bestY; }
    float best() const { return m_best; }
    std::int64_t differences = 0;

private:
    struct Seen {
        std::int32_t block = 0; ///< number of the block that was compared there
        float sum = 0;          ///< infinite: given up
    };
    bool isInside(std::int64_t dx, std::int64_t dy) const
    {
        return std::abs(dx) <= m_range && std::abs(dy) <= m_range && m_left + dx >= 0 && m_top + dy >= 0 && m_right + dx <= m_before.cols && m_bottom + dy <= m_before.rows;
    }
    Seen& seenAt(std::int64_t dx, std::int64_t dy) { return m_seen[static_cast<std::size_t>((dy + m_range) * (2 * m_range + 1) + dx + m_range)]; }
    /// Infinite once it is above `most`, or at it where not `equalWins`. Sums of what is not negative only grow, in floats, too: no least one is given up.
    float sumUpTo(std::int64_t dx, std::int64_t dy, float most, bool equalWins)
    {
        float lanes[kLanes] = {};
        const std::int64_t width = m_right - m_left, rows = std::max<std::int64_t>(kLookAfter / width, 1);
        float total = 0;
        for (std::int64_t y = m_top; y < m_bottom;) {
            const std::int64_t end = std::min(y + rows, m_bottom);
            differences += (end - y) * width;
            for (; y < end; ++y)
                addDifferences(m_current.data + y * m_current.stride + m_left, m_before.data + (y + dy) * m_before.stride + dx + m_left, width, lanes);
            total = totalOf(lanes);
            if (total > most || (total == most && !equalWins)) {
                total = kOutside;
                break;
            }
        }
        if (differences >= m_nextLook) {
            m_context.throwIfStopped();
            m_nextLook = differences + kStopAfter;
        }
        return total;
    }
    ConstPlane m_current, m_before;
    std::int64_t m_range, m_top = 0, m_left = 0, m_bottom = 0, m_right = 0, m_bestX = 0, m_bestY = 0, m_nextLook = kStopAfter;
    std::int32_t m_number = 0;
    float m_best = 0;
    std::vector<Seen> m_seen; ///< [2 range + 1, 2 range + 1]
    const RunContext& m_context;
};

/// All displacements in range, in square rings around the best so far.
void searchAll(Block& block)
{
    const std::int64_t range = block.range(), x = block.bestX(), y = block.bestY();
    for (std::int64_t ring = 1; ring <= range + std::max(std::abs(x), std::abs(y)); ++ring)
        for (std::int64_t dy = std::max(y - ring, -range); dy <= std::min(y + ring, range); ++dy)
            for (std::int64_t dx = x - ring; dx <= x + ring; dx += std::abs(dy - y) == ring ? 1 : 2 * ring)
                block.consider(dx, dy);
}

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

std::vector<Displacement> matchBlocks(ConstPlane current, ConstPlane before, std::int64_t gridRows, std::int64_t gridColumns, const BlockMatchSettings& settings, double* differences, const RunContext& context,
                                      std::span<const Displacement> starts)
{
    std::vector<Displacement> found(static_cast<std::size_t>(gridRows * gridColumns));
    std::vector<std::int64_t> compared(static_cast<std::size_t>(gridRows));
    const std::int64_t height = current.rows / gridRows, width = current.cols / gridColumns;
    parallelFor(context, compared.size(), [&](std::size_t gridRow) {
        Block block(current, before, settings.range, context);
        const std::int64_t top = static_cast<std::int64_t>(gridRow) * height;
        std::int64_t x = 0, y = 0; // of the neighbour to the left
        for (std::int64_t column = 0; column < gridColumns; ++column) {
            context.throwIfStopped();
            const std::int64_t left = column * width;
            const auto p = gridRow * static_cast<std::size_t>(gridColumns) + static_cast<std::size_t>(column);
            block.moveTo(std::max<std::int64_t>(top - settings.margin, 0), std::max<std::int64_t>(left - settings.margin, 0), std::min(top + height + settings.margin, current.rows),
                         std::min(left + width + settings.margin, current.cols));
            if (!starts.empty())
                block.consider(std::lround(starts[p].dx), std::lround(starts[p].dy));
            if (settings.search == BlockSearch::ThreeStep) {
                searchSteps(block, settings.range);
            } else if (settings.search == BlockSearch::Diamond) {
                searchDiamond(block);
            } else {
                block.consider(x, y);
                searchAll(block);
            }
            x = block.bestX(), y = block.bestY();
            Displacement& to = found[p];
            to = {static_cast<float>(x), static_cast<float>(y), block.best() / static_cast<float>(block.pixels())};
            if (settings.subPixel && block.best() > 0) {
                to.dx += meeting(block.sum(x - 1, y), block.best(), block.sum(x + 1, y));
                to.dy += meeting(block.sum(x, y - 1), block.best(), block.sum(x, y + 1));
            }
        }
        compared[gridRow] = block.differences;
    });
    if (differences)
        *differences = static_cast<double>(std::accumulate(compared.begin(), compared.end(), std::int64_t{0}));
    return found;
}

} // namespace tamis::reuse
