// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/encoder/topk_autoencoder.h"
#include "core/kernels/top_scores.h"

#include <span>
#include <vector>

namespace tamis::encoder {

/// Of lists that are in order already (kernels::before), one a token.
SparseCodes codesOf(std::span<const std::vector<kernels::Scored>> tokens);

} // namespace tamis::encoder
