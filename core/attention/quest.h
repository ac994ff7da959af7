// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Pages whose keys may have the largest score with a query. Source: Tang et al. 2024, Quest: Query-Aware Sparsity for Efficient Long-Context LLM
// Inference (arXiv 2406.10774).
#include "core/attention/block_selector.h"
#include "core/attention/method.h"

namespace tamis::attention {

/// Score sum_i max(q_i low_i, q_i high_i) with the least and the largest entries of the page's keys that are seen: no key of the page has a larger
/// q . k. Head by head; the query's own page always.
std::shared_ptr<const BlockSelector> questSelector(const nn::AttentionSpec& spec, std::int64_t pageTokens, std::int64_t pages);
/// id attention.quest.
Method questMethod();

} // namespace tamis::attention
