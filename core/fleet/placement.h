// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Which devices hold a key. Sources: Karger et al. 1997 (consistent hashing; virtual nodes: Stoica et al. 2001), Thaler, Ravishankar 1998 (rendezvous).
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tamis::fleet {

/// Where a key lies on the ring, and a point of a device. Independent of the number of devices.
std::uint64_t keyPoint(std::uint64_t key, std::uint64_t seed) noexcept;
std::uint64_t devicePoint(std::uint32_t device, std::uint32_t virtualNode, std::uint64_t seed) noexcept;

enum class Rule { Ring, Rendezvous, Modulo };
const char* ruleName(Rule rule) noexcept;

/// Immutable. Devices are known by numbers that they keep when others leave.
class Placement {
public:
    Placement(Rule rule, std::vector<std::uint32_t> devices, int virtualNodes, std::uint64_t seed);
    std::size_t devices() const noexcept { return m_devices.size(); }
    /// The devices that hold the key, the first first: ring: the next different ones clockwise from the key's point, itself included; rendezvous: the
    /// largest hashes of key and device; modulo: the key's hash modulo the number of devices, and who follows in their list. Fills `holders`, at
    /// most as many as there are devices; returns how many.
    std::size_t holders(std::uint64_t key, std::span<std::uint32_t> holders) const;
    std::uint32_t first(std::uint64_t key) const;

private:
    struct Point {
        std::uint64_t at;
        std::uint32_t device;
    };
    std::size_t onRing(std::uint64_t point, std::span<std::uint32_t> holders) const;
    std::size_t byWeight(std::uint64_t key, std::span<std::uint32_t> holders) const;
    Rule m_rule;
    std::vector<std::uint32_t> m_devices;
    std::uint64_t m_seed;
    std::vector<Point> m_points; ///< ascending
};

/// Expected standard deviation over mean of the keys by device: each device's arcs are `v` of the n v spacings of uniform points, so its share is
/// Beta(v, (n - 1) v) with relative variance (n - 1) / (n v + 1); drawing `keys` adds (n - 1) / keys, less what both have in common.
double expectedSpread(std::size_t devices, int virtualNodes, std::size_t keys) noexcept;
/// Standard deviation over mean, of all devices.
double spreadOf(std::span<const std::uint64_t> counts) noexcept;

} // namespace tamis::fleet
