// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/online_softmax.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

namespace tamis::kernels {

namespace {
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
}

const AttentionTable& attentionLoops() noexcept
{
    return instructionSet() == "avx512" ? avx512Attention() : avx2Attention();
}

KeyRange visibleKeys(const AttentionShape& shape, std::int64_t queries, std::int64_t keys, std::int64_t i)
{
    if (!shape.causal)
        return {0, keys};
    const std::int64_t end = std::clamp<std::int64_t>(i + keys - queries + 1, 0, keys);
    return {shape.slidingWindow > 0 ? std::max<std::int64_t>(0, end - shape.slidingWindow) : 0, end};
}

KeyRange visibleKeys(const AttentionShape& shape, std::int64_t queries, std::int64_t keys, std::int64_t first, std::int64_t last)
{
    return {visibleKeys(shape, queries, keys, first).begin, visibleKeys(shape, queries, keys, last).end};
}

void checkAttentionShapes(const AttentionShape& s, ConstRows q, ConstRows k, std::int64_t valueRows, std::int64_t valueCols)
{
    if (s.heads < 1 || s.keyValueHeads < 1 || s.heads % s.keyValueHeads != 0 || q.cols != s.heads * s.headDim ||
        k.cols != s.keyValueHeads * s.headDim || valueCols != k.cols || valueRows != k.rows)
        throw Error(ErrorCode::InvalidParameter, "queries of width " + std::to_string(q.cols) + " and keys of width " + std::to_string(k.cols) +
                                                     " do not fit " + std::to_string(s.heads) + " heads and " + std::to_string(s.keyValueHeads) +
                                                     " key-value heads of " + std::to_string(s.headDim));
}

void maskScores(const AttentionTable& loops, const AttentionShape& shape, std::int64_t queries, std::int64_t keys, const ScoreTile& tile)
{
    const std::int64_t count = tile.end - tile.begin;
    for (std::int64_t r = 0; r < tile.rows; ++r) {
        float* const row = tile.scores + r * tile.stride;
        const std::int64_t query = tile.firstQuery + r;
        if (shape.bias)
            loops.addScaled(shape.bias + tile.head * shape.biasHeadStride + query * shape.biasRowStride + tile.begin, std::numbers::log2e_v<float>, row, count);
        const KeyRange seen = visibleKeys(shape, queries, keys, query);
        std::fill(row, row + std::clamp<std::int64_t>(seen.begin - tile.begin, 0, count), kMinusInfinity);
        std::fill(row + std::clamp<std::int64_t>(seen.end - tile.begin, 0, count), row + wholePanels(count), kMinusInfinity);
    }
}

float raiseTop(const AttentionTable& loops, const RunningRow& running, const float* scores, std::int64_t count, bool& seen)
{
    const float before = running.top;
    running.top = std::max(before, loops.maximum(scores, wholePanels(count)));
    seen = running.top != kMinusInfinity;
    if (!seen) {
        if (std::any_of(scores, scores + count, [](float x) { return std::isnan(x); }))
            running.sum = std::numeric_limits<float>::quiet_NaN();
        return 1;
    }
    if (running.top == before || before == kMinusInfinity)
        return 1;
    const float shrink = std::exp2(before - running.top);
    running.sum *= shrink;
    loops.scale(running.mixed, shrink, running.mixed, running.width);
    return shrink;
}

void finishRow(const AttentionTable& loops, const RunningRow& running, float* to, std::int64_t count)
{
    if (running.sum == 0)
        std::fill_n(to, count, 0.0F);
    else
        loops.scale(running.mixed, 1.0F / running.sum, to, count);
}

} // namespace tamis::kernels
