// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Which keys a query sees, and whether shapes fit. Private to the attention kernels.
#include "core/kernels/attention_kernel.h"

namespace tamis::kernels {

struct KeyRange {
    std::int64_t begin = 0, end = 0;
    bool empty() const noexcept { return end <= begin; }
};

/// Keys that query i sees.
KeyRange visibleKeys(const AttentionShape& shape, std::int64_t queries, std::int64_t keys, std::int64_t i);
/// Keys that one of the queries first .. last sees.
KeyRange visibleKeys(const AttentionShape& shape, std::int64_t queries, std::int64_t keys, std::int64_t first, std::int64_t last);
/// Throws Error{InvalidParameter}.
void checkAttentionShapes(const AttentionShape& shape, ConstRows q, ConstRows k, std::int64_t valueRows, std::int64_t valueCols);

} // namespace tamis::kernels
