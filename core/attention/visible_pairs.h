// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Pairs of a query and a key that it sees: what attention's multiply-adds are counted by. Private to the lab.
#include "core/kernels/attention_kernel.h"

#include <cstdint>

namespace tamis::attention {

/// Of one head with as many queries as keys. In closed form.
std::uint64_t visiblePairs(const kernels::AttentionShape& shape, std::int64_t tokens) noexcept;

} // namespace tamis::attention
