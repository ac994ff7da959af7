// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// An update that devices tell one another: how long until all know, and what is read before. Sources: Demers et al. 1987; Frieze, Grimmett 1985; Karp
// et al. 2000.
#include "core/fleet/gossip_chain.h"
#include "core/fleet/method.h"

#include <cstdint>

namespace tamis::fleet {

/// What every device knows: the number of the newest update that has reached it. Rounds are synchronous.
class GossipFleet {
public:
    GossipFleet(const GossipRule& rule, std::uint64_t seed);
    void update();  ///< the next update, at a device drawn
    void round();
    double informed() const noexcept; ///< share that knows the newest update
    bool whole() const noexcept { return m_knowing == m_rule.devices; }
    std::uint64_t messages() const noexcept { return m_messages; } ///< calls so far, lost ones included

private:
    std::uint32_t draw(std::uint32_t below) noexcept;
    bool lost() noexcept;
    GossipRule m_rule;
    std::uint64_t m_state, m_messages = 0;
    std::uint32_t m_newest = 0;
    int m_knowing = 0;
    std::vector<std::uint32_t> m_versions, m_before;
};

/// id fleet.gossip.
Method gossipMethod();

} // namespace tamis::fleet
