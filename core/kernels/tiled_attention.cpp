// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/tiled_attention.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/kernels/attention_table.h"
#include "core/kernels/online_softmax.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numbers>

namespace tamis::kernels {

namespace {
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();
constexpr std::int64_t kChunk = 256; ///< keys of which the scores of one register tile of queries stay in the first-level cache

std::int64_t rounded(std::int64_t count, std::int64_t step) { return (count + step - 1) / step * step; }

/// What one worker holds. Key panels hold [headDim][32 keys]; value panels [keys of the tile][32 features], one after the other.
struct TileMemory {
    float *queries, *keys, *values, *scores, *out, *maxima, *sums;
    std::int64_t scoreStride, paddedDim;
    std::size_t floats;
};

TileMemory layOut(float* start, const AttentionShape& shape, AttentionTiles tiles)
{
    TileMemory m{};
    m.paddedDim = wholePanels(shape.headDim);
    m.scoreStride = wholePanels(std::min(kChunk, tiles.keys)) + 16; // never a multiple of 1024 floats: rows would share cache lines
    std::int64_t used = 0;
    const auto take = [&](std::int64_t count) {
        float* const at = start ? start + used : nullptr;
        used += rounded(count, 16);
        return at;
    };
    m.queries = take(tiles.queries * shape.headDim);
    m.keys = take(wholePanels(tiles.keys) * shape.headDim);
    m.values = take(tiles.keys * m.paddedDim);
    m.scores = take(kAttentionRows * m.scoreStride);
    m.out = take(tiles.queries * m.paddedDim);
    m.maxima = take(tiles.queries);
    m.sums = take(tiles.queries);
    m.floats = static_cast<std::size_t>(used);
    return m;
}

struct Call {
    const AttentionShape& shape;
    AttentionTiles tiles;
    ConstRows q, k, v;
    Rows out;
    const AttentionTable& loops;
    const RunContext& context;
    float factor; ///< of q: scores in units of ln 2
    KeyRange seen(std::int64_t first, std::int64_t last) const { return visibleKeys(shape, q.rows, k.rows, first, last); }
};

class Worker {
public:
    Worker(const Call& call, float* buffer) : m_call(call), m_memory(layOut(buffer, call.shape, call.tiles)) {}
    /// Queries of tile `tile` of one head.
    void queryTile(std::int64_t head, std::int64_t tile);

private:
    struct Strip { ///< at most kAttentionRows queries: `first` of the tile's, in all `global`
        std::int64_t first, rows, global;
    };
    void packTile(std::int64_t keyHead, std::int64_t begin, std::int64_t end);
    void chunk(std::int64_t head, const Strip& strip, std::int64_t begin, std::int64_t end);
    RunningRow runningRow(std::int64_t r) const { return {m_memory.maxima[r], m_memory.sums[r], m_memory.out + r * m_memory.paddedDim, m_memory.paddedDim}; }
    void exponentials(const Strip& strip, std::int64_t count);
    void mixValues(const Strip& strip, std::int64_t begin, std::int64_t end);

    const Call& m_call;
    TileMemory m_memory;
    std::int64_t m_packedHead = -1, m_packedBegin = 0, m_packedEnd = 0; ///< a tile that is there is not packed again
    bool m_finite = true;                                               ///< all values of the packed tile are
};

void Worker::packTile(std::int64_t keyHead, std::int64_t begin, std::int64_t end)
{
    if (keyHead == m_packedHead && begin == m_packedBegin && end == m_packedEnd)
        return;
    const std::int64_t d = m_call.shape.headDim, count = end - begin;
    const ConstRows k = m_call.k, v = m_call.v;
    for (std::int64_t j = 0; j < count; j += kAttentionPanel)
        m_call.loops.packKeys(k.data + (begin + j) * k.stride + keyHead * d, k.stride, d, std::min(kAttentionPanel, count - j), m_memory.keys + j * d);
    m_finite = true;
    for (std::int64_t p = 0; p < d; p += kAttentionPanel)
        m_finite &= m_call.loops.packValues(v.data + begin * v.stride + keyHead * d + p, v.stride, std::min(kAttentionPanel, d - p), count, m_memory.values + p * count);
    m_packedHead = keyHead;
    m_packedBegin = begin;
    m_packedEnd = end;
}

/// Scores of a strip to weights; what is mixed already shrinks where its greatest score grows.
void Worker::exponentials(const Strip& strip, std::int64_t count)
{
    for (std::int64_t r = 0; r < strip.rows; ++r) {
        float* const row = m_memory.scores + r * m_memory.scoreStride;
        const RunningRow running = runningRow(strip.first + r);
        bool seen = false;
        raiseTop(m_call.loops, running, row, count, seen);
        if (seen)
            running.sum += m_call.loops.exponentials(row, running.top, wholePanels(count));
        else
            std::fill(row, row + wholePanels(count), 0.0F);
    }
}

void Worker::mixValues(const Strip& strip, std::int64_t begin, std::int64_t end)
{
    const TileMemory& m = m_memory;
    const std::int64_t held = m_packedEnd - m_packedBegin, offset = begin - m_packedBegin;
    const auto mix = [&](std::int64_t r, std::int64_t rows, std::int64_t from, std::int64_t to) {
        for (std::int64_t p = 0; p < m.paddedDim && to > from; p += kAttentionPanel)
            m_call.loops.product(m.scores + r * m.scoreStride + from, m.scoreStride, m.values + p * held + (offset + from) * kAttentionPanel, to - from,
                                 m.out + (strip.first + r) * m.paddedDim + p, m.paddedDim, rows, true);
    };
    if (m_finite)
        return mix(0, strip.rows, 0, end - begin);
    for (std::int64_t r = 0; r < strip.rows; ++r) { // 0 times no number is none: each query meets what it sees alone
        const KeyRange seen = visibleKeys(m_call.shape, m_call.q.rows, m_call.k.rows, strip.global + r);
        mix(r, 1, std::clamp<std::int64_t>(seen.begin - begin, 0, end - begin), std::clamp<std::int64_t>(seen.end - begin, 0, end - begin));
    }
}

/// A strip against keys [begin, end) of the packed tile.
void Worker::chunk(std::int64_t head, const Strip& strip, std::int64_t begin, std::int64_t end)
{
    const TileMemory& m = m_memory;
    const std::int64_t d = m_call.shape.headDim, count = end - begin;
    for (std::int64_t j = 0; j < count; j += kAttentionPanel)
        m_call.loops.product(m.queries + strip.first * d, d, m.keys + (begin - m_packedBegin + j) * d, d, m.scores + j, m.scoreStride, strip.rows, false);
    maskScores(m_call.loops, m_call.shape, m_call.q.rows, m_call.k.rows, {m.scores, m.scoreStride, head, strip.global, strip.rows, begin, end});
    exponentials(strip, count);
    mixValues(strip, begin, end);
}

void Worker::queryTile(std::int64_t head, std::int64_t tile)
{
    const Call& c = m_call;
    const TileMemory& m = m_memory;
    const std::int64_t d = c.shape.headDim, first = tile * c.tiles.queries, rows = std::min(c.tiles.queries, c.q.rows - first);
    for (std::int64_t r = 0; r < rows; ++r)
        c.loops.scale(c.q.data + (first + r) * c.q.stride + head * d, c.factor, m.queries + r * d, d);
    std::fill_n(m.maxima, rows, kMinusInfinity);
    std::fill_n(m.sums, rows, 0.0F);
    std::fill_n(m.out, rows * m.paddedDim, 0.0F);
    const KeyRange all = c.seen(first, first + rows - 1);
    const std::int64_t strips = (rows + kAttentionRows - 1) / kAttentionRows;
    for (std::int64_t begin = all.begin / c.tiles.keys * c.tiles.keys; begin < all.end; begin += c.tiles.keys) {
        c.context.throwIfStopped();
        packTile(head / (c.shape.heads / c.shape.keyValueHeads), begin, std::min(c.k.rows, begin + c.tiles.keys));
        for (std::int64_t s = 0; s < strips; ++s) {
            const std::int64_t at = rows * s / strips;
            const Strip strip{at, rows * (s + 1) / strips - at, first + at};
            const KeyRange seen = c.seen(strip.global, strip.global + strip.rows - 1);
            const std::int64_t end = std::min(seen.end, m_packedEnd), skipped = std::max<std::int64_t>(0, seen.begin - begin) / kAttentionPanel * kAttentionPanel;
            for (std::int64_t k0 = begin + skipped; k0 < end; k0 += kChunk)
                chunk(head, strip, k0, std::min(end, k0 + kChunk));
        }
    }
    for (std::int64_t r = 0; r < rows; ++r)
        finishRow(c.loops, runningRow(r), c.out.data + (first + r) * c.out.stride + head * d, d);
}

/// Tasks of one key head: a few more than workers, so that a causal mask or a busy core does not leave one of them the rest.
std::int64_t tasksOfHead(const AttentionShape& shape, std::int64_t queryTiles, std::int64_t workers)
{
    return workers < 2 ? 1 : std::clamp<std::int64_t>((4 * workers + shape.keyValueHeads - 1) / shape.keyValueHeads, 1, queryTiles);
}
} // namespace

AttentionTiles chosenTiles(AttentionTiles tiles, std::int64_t queries, std::int64_t keys)
{
    if (tiles.queries < 0 || tiles.keys < 0)
        throw Error(ErrorCode::InvalidParameter, "found tiles of " + std::to_string(tiles.queries) + " queries and " + std::to_string(tiles.keys) + " keys, expected sides from 0 on");
    if (tiles.queries == 0)
        tiles.queries = queries < 192 ? 32 : queries < 768 ? 64 : 256;
    if (tiles.keys == 0)
        tiles.keys = 512;
    return {std::clamp<std::int64_t>(tiles.queries, 1, std::max<std::int64_t>(1, queries)), std::clamp<std::int64_t>(tiles.keys, 1, std::max<std::int64_t>(1, keys))};
}

std::size_t tiledAttentionFloats(const AttentionShape& shape, AttentionTiles tiles, std::int64_t queries, std::int64_t keys)
{
    return layOut(nullptr, shape, chosenTiles(tiles, queries, keys)).floats;
}

std::size_t tiledAttentionWorkers(const AttentionShape& shape, AttentionTiles tiles, std::int64_t queries, bool parallel)
{
    if (!parallel || queries < 1)
        return 1;
    const std::int64_t side = chosenTiles(tiles, queries, queries).queries, queryTiles = (queries + side - 1) / side;
    return static_cast<std::size_t>(std::clamp<std::int64_t>(shape.keyValueHeads * queryTiles, 1, threadCount()));
}

void tiledAttention(const AttentionShape& shape, AttentionTiles tiles, ConstRows q, ConstRows k, ConstRows v, Rows out, std::size_t workers, std::span<float> buffer,
                    const RunContext& context)
{
    checkAttentionShapes(shape, q, k, v.rows, v.cols);
    const AttentionTiles sides = chosenTiles(tiles, q.rows, k.rows);
    const std::size_t floats = tiledAttentionFloats(shape, sides, q.rows, k.rows);
    if (workers < 1 || buffer.size() < workers * floats)
        throw Error(ErrorCode::InvalidParameter, "found a buffer of " + std::to_string(buffer.size()) + " floats for " + std::to_string(workers) + " workers, expected " + std::to_string(floats) + " each");
    const Call call{shape, sides, q, k, v, out, attentionLoops(), context, shape.scale * std::numbers::log2e_v<float>};
    const std::int64_t queryTiles = (q.rows + sides.queries - 1) / sides.queries, group = shape.heads / shape.keyValueHeads;
    const std::int64_t parts = tasksOfHead(shape, queryTiles, static_cast<std::int64_t>(workers)), tasks = shape.keyValueHeads * parts;
    std::atomic<std::int64_t> next{0};
    const auto work = [&](std::size_t index) {
        Worker worker(call, buffer.data() + index * floats);
        for (std::int64_t task = next++; task < tasks; task = next++)
            for (std::int64_t head = task / parts * group; head < (task / parts + 1) * group; ++head)
                for (std::int64_t tile = task % parts; tile < queryTiles; tile += parts)
                    worker.queryTile(head, tile);
    };
    if (workers > 1)
        parallelFor(context, workers, work);
    else
        work(0);
}

} // namespace tamis::kernels
