// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/encoder/dictionary.h"
#include "core/kernels/top_scores.h"

#include <cstdint>
#include <span>
#include <vector>

namespace tamis::encoder {

/// The k largest positive exact scores of one prepared token among `listed` latents (ascending), in the order of codes: the same bits that the
/// float32 scan has.
std::vector<kernels::Scored> bestOfListed(const Dictionary& dictionary, std::span<const float> x, std::span<const std::int32_t> listed);

} // namespace tamis::encoder
