// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Gossip among few devices, exactly: a Markov chain over how many know. Private to the lab.
#include "core/base/run_context.h"

#include <vector>

namespace tamis::fleet {

/// A round: every device that calls draws `fanout` others, with replacement; a call is lost with probability `loss`. Push: those that know call and
/// tell. Pull: those that do not know call and ask. Push-pull: both at once. What is learnt in a round is passed on from the next.
enum class GossipMode { Push, Pull, PushPull };

struct GossipRule {
    GossipMode mode = GossipMode::PushPull;
    int devices = 2, fanout = 1;
    double loss = 0;
};

inline constexpr int kMostChainDevices = 256;

struct ChainResult {
    double meanRounds = 0;        ///< from one that knows to all
    std::vector<double> informed; ///< [round] mean share that knows; until less than 1e-9 of the devices do not
};
/// At most kMostChainDevices. Throws Error{Cancelled}. O(fanout devices^3).
ChainResult solveChain(const GossipRule& rule, const RunContext& context);

} // namespace tamis::fleet
