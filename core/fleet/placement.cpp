// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/fleet/placement.h"

#include "core/base/split_mix.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis::fleet {
namespace {
constexpr std::uint64_t kKeys = 0x6B65790000000001ULL, kDevices = 0x6465760000000002ULL, kPairs = 0x7061690000000003ULL;
std::uint64_t mixed(std::uint64_t a, std::uint64_t b) noexcept { return mixedBits(mixedBits(a + kSplitMixStep) + b * kSplitMixStep); }
} // namespace

std::uint64_t keyPoint(std::uint64_t key, std::uint64_t seed) noexcept { return mixed(mixed(kKeys, seed), key); }

std::uint64_t devicePoint(std::uint32_t device, std::uint32_t virtualNode, std::uint64_t seed) noexcept
{
    return mixed(mixed(kDevices, seed), (std::uint64_t{device} << 32U) | virtualNode);
}

const char* ruleName(Rule rule) noexcept { return rule == Rule::Ring ? "ring" : rule == Rule::Rendezvous ? "rendezvous" : "modulo"; }

Placement::Placement(Rule rule, std::vector<std::uint32_t> devices, int virtualNodes, std::uint64_t seed) : m_rule(rule), m_devices(std::move(devices)), m_seed(seed)
{
    if (rule != Rule::Ring)
        return;
    m_points.reserve(m_devices.size() * static_cast<std::size_t>(virtualNodes));
    for (const std::uint32_t device : m_devices)
        for (int v = 0; v < virtualNodes; ++v)
            m_points.push_back({devicePoint(device, static_cast<std::uint32_t>(v), seed), device});
    std::ranges::sort(m_points, [](const Point& a, const Point& b) { return a.at != b.at ? a.at < b.at : a.device < b.device; });
}

std::size_t Placement::onRing(std::uint64_t point, std::span<std::uint32_t> holders) const
{
    auto at = std::ranges::lower_bound(m_points, point, {}, &Point::at);
    const std::size_t wanted = std::min(holders.size(), m_devices.size());
    std::size_t found = 0;
    for (std::size_t step = 0; found < wanted && step < m_points.size(); ++step, ++at) {
        if (at == m_points.end())
            at = m_points.begin();
        if (std::find(holders.begin(), holders.begin() + static_cast<std::ptrdiff_t>(found), at->device) == holders.begin() + static_cast<std::ptrdiff_t>(found))
            holders[found++] = at->device;
    }
    return found;
}

std::size_t Placement::byWeight(std::uint64_t key, std::span<std::uint32_t> holders) const
{
    const std::size_t wanted = std::min(holders.size(), m_devices.size());
    const std::uint64_t point = mixed(kPairs, keyPoint(key, m_seed));
    std::uint64_t below = std::numeric_limits<std::uint64_t>::max();
    std::uint32_t last = 0;
    for (std::size_t found = 0; found < wanted; ++found) {
        std::uint64_t best = 0;
        bool any = false;
        std::uint32_t chosen = 0;
        for (const std::uint32_t device : m_devices) {
            const std::uint64_t weight = mixed(point, device);
            const bool left = found == 0 || weight < below || (weight == below && device > last);
            if (left && (!any || weight > best)) {
                best = weight;
                chosen = device;
                any = true;
            }
        }
        holders[found] = chosen;
        below = best;
        last = chosen;
    }
    return wanted;
}

std::size_t Placement::holders(std::uint64_t key, std::span<std::uint32_t> holders) const
{
    if (m_rule == Rule::Ring)
        return onRing(keyPoint(key, m_seed), holders);
    if (m_rule == Rule::Rendezvous)
        return byWeight(key, holders);
    const std::size_t wanted = std::min(holders.size(), m_devices.size()), start = m_devices.empty() ? 0 : static_cast<std::size_t>(keyPoint(key, m_seed) % m_devices.size());
    for (std::size_t i = 0; i < wanted; ++i)
        holders[i] = m_devices[(start + i) % m_devices.size()];
    return wanted;
}

std::uint32_t Placement::first(std::uint64_t key) const
{
    std::uint32_t device = 0;
    holders(key, std::span(&device, 1));
    return device;
}

double expectedSpread(std::size_t devices, int virtualNodes, std::size_t keys) noexcept
{
    const auto n = static_cast<double>(devices), k = static_cast<double>(keys);
    const double arcs = (n - 1) / (n * virtualNodes + 1);
    return std::sqrt(arcs + (n - 1 - arcs) / k);
}

double spreadOf(std::span<const std::uint64_t> counts) noexcept
{
    double sum = 0, squares = 0;
    for (const std::uint64_t count : counts)
        sum += static_cast<double>(count);
    const double mean = sum / static_cast<double>(counts.size());
    for (const std::uint64_t count : counts)
        squares += (static_cast<double>(count) - mean) * (static_cast<double>(count) - mean);
    return std::sqrt(squares / static_cast<double>(counts.size())) / mean;
}

} // namespace tamis::fleet
