// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/encoder/dictionary.h"
#include "core/kernels/top_scores.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tamis::encoder {

/// The k largest positive exact scores of one prepared token among `listed` latents (ascending), in the order of codes: the same bits that the
/// float32 scan has.
std::vector<kernels::Scored> bestOfListed(const Dictionary& dictionary, std::span<const float> x, std::span<const std::int32_t> listed);

/// How many latents a token are listed to be scored exactly: `asked`, brought to k to M with a warning where that is another number.
std::int64_t candidatesWithin(const Dictionary& dictionary, std::int64_t asked, std::vector<std::string>& warnings);

} // namespace tamis::encoder
