// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/sized_bound.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis::cache {
namespace {
constexpr std::size_t kMostSegments = 1024; ///< with a price each
constexpr int kRounds = 80;
constexpr double kFirstStep = 2;            ///< of the prices' logarithm
constexpr std::size_t kStretch = 65536;     ///< intervals, or requests, between looks at the stop
constexpr int kOctaves = 2304, kInOctave = 64; ///< of the histogram that the first price is read from: all of double, 1 % wide

/// From a request to the next one of its object.
struct Interval {
    std::uint32_t first = 0, next = 0, size = 1;
};

/// Prices of a unit of space for the time between each request and the one behind it, constant over segments of the trace.
class Prices {
public:
    Prices(std::vector<Interval> intervals, std::size_t requests, double capacity, const RunContext& context)
        : m_intervals(std::move(intervals)), m_requests(requests), m_segments(std::min(kMostSegments, requests - 1)), m_capacity(capacity), m_context(context), m_until(requests, 0), m_used(requests, 0) {}
    const std::vector<Interval>& intervals() const noexcept { return m_intervals; }
    /// The least bound found on the sum of `values` [intervals] of what is kept.
    double bound(std::span<const double> values)
    {
        m_prices.assign(m_segments, uniformPrice(values));
        double best = std::accumulate(values.begin(), values.end(), 0.0); // at no price at all everything is kept
        if (m_prices.front() <= 0)
            return best; // nothing is worth anything
        best = std::min(best, value(values));
        for (int round = 1; round <= kRounds; ++round) {
            step(kFirstStep / std::sqrt(static_cast<double>(round)));
            best = std::min(best, value(values));
        }
        return best;
    }

private:
    std::size_t segmentOf(std::size_t gap) const noexcept { return gap * m_segments / (m_requests - 1); }
    void look(std::size_t i) const
    {
        if (i % kStretch == 0)
            m_context.throwIfStopped();
    }
    static std::size_t binOf(double worth) noexcept
    {
        int octave = 0;
        const double mantissa = std::frexp(worth, &octave); // 0.5 .. 1
        return static_cast<std::size_t>((octave + kOctaves / 2) * kInOctave + static_cast<int>((mantissa - 0.5) * 2 * kInOctave));
    }
    /// One price at which what is worth its price would fill the capacity over the whole time, were it not for when (PFOO-L), to a hundredth. Where all would fit over the whole
    /// time, there may still be times at which it does not: the least that anything is worth then, since steps multiply, and 0 would stay 0. 0: nothing is worth anything.
    double uniformPrice(std::span<const double> values) const
    {
        std::vector<double> areas(static_cast<std::size_t>(kOctaves) * kInOctave, 0.0); // by what a unit of space and time is worth
        for (std::size_t i = 0; i < m_intervals.size(); ++i) {
            look(i);
            const double area = static_cast<double>(m_intervals[i].size) * static_cast<double>(m_intervals[i].next - m_intervals[i].first);
            if (values[i] > 0)
                areas[binOf(values[i] / area)] += area;
        }
        double left = m_capacity * static_cast<double>(m_requests - 1), price = 0;
        for (std::size_t bin = areas.size(); bin-- > 0 && left >= 0;)
            if (areas[bin] > 0) {
                left -= areas[bin];
                price = std::ldexp(0.5 + 0.5 * static_cast<double>(bin % kInOctave) / kInOctave, static_cast<int>(bin / kInOctave) - kOctaves / 2);
            }
        return price;
    }
    /// Of the bound at the prices; notes what would be kept in m_used.
    double value(std::span<const double> values)
    {
        for (std::size_t gap = 0; gap + 1 < m_requests; ++gap) {
            look(gap);
            m_until[gap + 1] = m_until[gap] + m_prices[segmentOf(gap)];
        }
        std::ranges::fill(m_used, 0.0);
        double sum = m_capacity * m_until[m_requests - 1];
        for (std::size_t i = 0; i < m_intervals.size(); ++i) {
            look(i);
            const Interval& each = m_intervals[i];
            const double gain = values[i] - static_cast<double>(each.size) * (m_until[each.next] - m_until[each.first]);
            if (gain > 0) {
                sum += gain;
                m_used[each.first] += static_cast<double>(each.size);
                m_used[each.next] -= static_cast<double>(each.size);
            }
        }
        return sum;
    }
    /// Space that is asked for more than there is becomes dearer, other space cheaper.
    void step(double length)
    {
        std::vector<double> asked(m_segments, 0), gaps(m_segments, 0);
        double used = 0;
        for (std::size_t gap = 0; gap + 1 < m_requests; ++gap) {
            look(gap);
            used += m_used[gap];
            asked[segmentOf(gap)] += used;
            ++gaps[segmentOf(gap)];
        }
        for (std::size_t segment = 0; segment < m_segments; ++segment)
            m_prices[segment] *= std::exp(length * std::clamp(asked[segment] / (m_capacity * gaps[segment]) - 1, -1.0, 1.0));
    }
    std::vector<Interval> m_intervals;
    std::size_t m_requests, m_segments;
    double m_capacity;
    const RunContext& m_context;
    std::vector<double> m_prices, m_until, m_used; ///< [segments]; [requests] sum of the prices before; change of what is asked for
};

/// Rounding of a sum of at most 2^32 terms stays far below.
double allowed(double bound) { return bound * (1 + 1e-9) + 1e-6; }
} // namespace

Counts sizedBound(const Requests& requests, std::uint64_t capacity, std::uint64_t warmUp, const RunContext& context)
{
    const std::size_t count = requests.objects.size();
    if (requests.next.size() != count)
        throw Error(ErrorCode::InvalidParameter, "found no next requests, expected those of nextRequests()", "next");
    Counts counts;
    std::vector<Interval> intervals;
    intervals.reserve(count);
    const auto objects = count == 0 ? std::size_t{0} : static_cast<std::size_t>(*std::ranges::max_element(requests.objects)) + 1;
    std::vector<std::uint32_t> least(objects, kNever);
    for (std::size_t i = 0; i < count; ++i) {
        if (i % kStretch == 0)
            context.throwIfStopped();
        const std::uint32_t size = requests.sizes.empty() ? 1 : requests.sizes[i];
        std::uint32_t& smallest = least[requests.objects[i]];
        smallest = std::min(smallest, size);
        if (i >= warmUp) {
            ++counts.requests;
            counts.bytes += size;
            counts.cost += requests.costs.empty() ? 0 : static_cast<double>(requests.costs[i]);
        }
        const std::uint32_t next = requests.next[i];
        if (next == kNever || next < warmUp || smallest > capacity)
            continue;
        intervals.push_back({static_cast<std::uint32_t>(i), next, smallest});
    }
    if (intervals.empty())
        return counts;
    std::vector<double> values(intervals.size(), 1.0);
    Prices prices(std::move(intervals), count, static_cast<double>(capacity), context);
    const auto worth = [&](const auto& requested) {
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = static_cast<double>(requested[prices.intervals()[i].next]);
    };
    counts.hits = static_cast<std::uint64_t>(allowed(prices.bound(values))); // hits are whole
    counts.hitBytes = counts.hits;
    if (!requests.sizes.empty()) {
        worth(requests.sizes);
        counts.hitBytes = static_cast<std::uint64_t>(allowed(prices.bound(values)));
    }
    if (!requests.costs.empty()) {
        worth(requests.costs);
        counts.hitCost = allowed(prices.bound(values));
    }
    return counts;
}

Method sizedBoundMethod()
{
    Method method;
    method.declaration = {.id = "cache.sized-bound", .lab = "cache", .title = "Limit for sizes", .reference = "upper bound on hits, bytes and cost each, by prices of space over time (the dual of Berger et al. 2018, FOO): no cache of these sizes has more", .schema = {}};
    method.knowsFuture = method.limit = true;
    method.policy = [](const PolicyInputs&, const Parameters&) -> PolicyPtr {
        throw Error(ErrorCode::InvalidParameter, "found cache.sized-bound, expected a policy: it is a bound over a whole trace, not a cache that could be stepped through", "policy");
    };
    method.bound = sizedBound;
    return method;
}

} // namespace tamis::cache
