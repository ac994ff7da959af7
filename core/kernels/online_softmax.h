// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What all attention kernels share: which keys a query sees, masks and biases of a tile of scores, and the greatest score so far. Private to them.
#include "core/kernels/attention_kernel.h"
#include "core/kernels/attention_table.h"

#include <cstdint>

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

/// `count` in whole panels.
constexpr std::int64_t wholePanels(std::int64_t count) noexcept { return (count + kAttentionPanel - 1) / kAttentionPanel * kAttentionPanel; }

/// Scores of some queries against keys [begin, end), in units of ln 2; rows of whole panels.
struct ScoreTile {
    float* scores;
    std::int64_t stride;
    std::int64_t head, firstQuery, rows; ///< of all queries of the call
    std::int64_t begin, end;
};
/// Adds the bias, and puts minus infinity where a query does not see and behind the last key.
void maskScores(const AttentionTable& loops, const AttentionShape& shape, std::int64_t queries, std::int64_t keys, const ScoreTile& tile);

/// Of one query: its greatest score so far, the sum of its weights, its mixed values.
struct RunningRow {
    float &top, &sum;
    float* mixed;
    std::int64_t width; ///< floats of `mixed`
};
/// Takes `count` more scores into the greatest; sum and mixed values shrink by 2^(before - top), which is returned. False in `seen`: the scores are
/// all minus infinity, or no numbers, and then the sum is none.
float raiseTop(const AttentionTable& loops, const RunningRow& running, const float* scores, std::int64_t count, bool& seen);
/// The mixed values over the sum; zeros where it is 0.
void finishRow(const AttentionTable& loops, const RunningRow& running, float* to, std::int64_t count);

} // namespace tamis::kernels
