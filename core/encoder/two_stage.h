// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/encoder/coarse_scorer.h"
#include "core/encoder/method.h"

#include <memory>
#include <string>
#include <vector>

namespace tamis::encoder {

/// encoder.two-stage: a coarse scorer names candidates, exact scores choose among them; docs/methods/encoder.two-stage.md.
Method twoStageMethod();

/// The scorer that `parameters` of encoder.two-stage name. Clamps and fall-backs go to `warnings`.
ScorerPtr coarseScorer(const Inputs& inputs, const Parameters& parameters, std::vector<std::string>& warnings, const RunContext& context);

/// Scores the `candidates` best latents of `scorer` exactly (as encoder.exact does, bit for bit) and takes the k largest positive ones.
/// Throws Error{InvalidParameter} for a scorer of another dictionary, and for candidates outside k to M.
std::shared_ptr<const CoarseEncoder> twoStageEncoder(std::shared_ptr<const Dictionary> dictionary, ScorerPtr scorer, std::int64_t candidates);

} // namespace tamis::encoder
