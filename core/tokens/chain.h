// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Several methods in one model, each in blocks of its own.
#include "core/tokens/chain_links.h"
#include "core/tokens/method.h"

#include <cstdint>
#include <string>
#include <vector>

namespace tamis::tokens {

/// Every link's chain by its method (with link's settings, and the blocks set where the method has a parameter for them), its steps in the blocks
/// that the link names, all in the order of their places: two links never share a place. Proportional attention and rollout where one link asks for
/// them, what a link without proportional attention fuses or merges being one key each; pooling by size unless one link asks for none. One link where the method stands by itself is the method's own chain.
/// Throws Error{InvalidParameter} with the byte of the link for what does not go together: a route, methods that train, two image scorers, blocks that the model
/// does not have, no block left for "rest", two links at one place; and what the methods throw, likewise.
/// `seed` is that of links as linkSettings() says.
Chain chainOfLinks(const Inputs& inputs, const std::vector<Link>& links, std::int64_t seed, const RunContext& context);
/// The link's settings, with the seed where its method has one and the link gives none.
Parameters linkSettings(const Link& link, std::int64_t seed);
/// Whether one of the links takes something from calibration photos. False for text that is no chain: who makes it says so.
bool linksCalibrate(const std::string& text);

/// The reduction as it is, beside one with proportional attention whose keys count as many times as tokens were merged into them: what this one makes of
/// several tokens, or a weighted sum of them (EViT's fused token), counts as one key, whatever its tokens counted as before.
ReductionPtr oneKeyEach(ReductionPtr reduction);

Method chainMethod();

} // namespace tamis::tokens
