// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Softmax attention by random features: positive ones (FAVOR+) or trigonometric ones. Source: Choromanski et al. 2021; stabilisers and
// epsilon as in the authors' code.
#include "core/attention/method.h"
#include "core/attention/random_features.h"

namespace tamis::attention {

struct PerformerSettings {
    std::int64_t features = 64;
    Directions directions = Directions::Orthogonal;
    bool positive = true; ///< false: cosines and sines, 2 x features numbers; estimates may be negative
    float epsilon = 1e-4F; ///< added to positive features, after the largest exponent is taken off
    std::uint64_t seed = 0;
};

/// Directions are drawn for `dim` features. With scores q . k times s, x = sqrt(s) q and sqrt(s) k.
HeadRulePtr performerRule(const PerformerSettings& settings, std::int64_t dim);
/// The mean of what rules of one cost give.
HeadRulePtr averagedRule(std::vector<HeadRulePtr> draws);
/// Draws are functions of seed, block, head and the number of the draw: nothing is drawn again from one forward pass to the next, only, where asked for, between steps of training. id attention.performer.
Method performerMethod();

} // namespace tamis::attention
