// SPDX-License-Identifier: GPL-3.0-or-later
// Online softmax (Milakov and Gimelshein 2018; the tiling of FlashAttention, Dao et al. 2022) over register tiles: the
// scores of 14 queries against 256 keys are a tile of tokens of the next product.
#include "core/kernels/attention_kernel.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/kernels/elementwise.h"
#include "core/kernels/kernel_table.h"
#include "core/kernels/tile_buffers.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis::kernels {

namespace {
const RunContext kNeverStopped; // one call is too short to be stopped inside
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

std::int64_t roundUp(std::int64_t count)
{
    return (count + kPanelWidth - 1) / kPanelWidth * kPanelWidth;
}

struct KeyRange {
    std::int64_t begin, end;
};

/// Keys that query i sees.
KeyRange visibleKeys(const AttentionShape& shape, std::int64_t queries, std::int64_t keys, std::int64_t i)
{
    if (!shape.causal)
        return {0, keys};
    const std::int64_t end = std::clamp<std::int64_t>(i + keys - queries + 1, 0, keys);
    return {shape.slidingWindow > 0 ? std::max<std::int64_t>(0, end - shape.slidingWindow) : 0, end};
}

/// Keys and values of one head in panels, and the buffers of one tile of queries.
struct HeadBuffers {
    float *keys, *values, *query, *scores, *out;
};

HeadBuffers layOut(TileBuffer& buffer, std::int64_t keys, std::int64_t headDim)
{
    const std::int64_t paddedKeys = roundUp(keys), paddedDim = roundUp(headDim);
    const std::int64_t depthParts = (headDim + kTileDepth - 1) / kTileDepth;
    float* next = buffer.ensure(static_cast<std::size_t>(paddedKeys * headDim + paddedKeys * paddedDim +
                                                         kTileRows * (kTileStride * (depthParts + 1) + paddedDim)));
    HeadBuffers b{};
    b.keys = next;
    b.values = b.keys + paddedKeys * headDim;
    b.query = b.values + paddedKeys * paddedDim;
    b.scores = b.query + kTileRows * kTileStride * depthParts;
    b.out = b.scores + kTileRows * kTileStride;
    return b;
}

/// Key panels hold [headDim][32 keys]; value panels [keys][32 features], one after the other for each 32 features.
void packHead(const HeadBuffers& b, ConstRows k, ConstRows v, std::int64_t offset, std::int64_t headDim)
{
    for (std::int64_t j = 0; j < k.rows; j += kPanelWidth)
        kernels().packTransposed(k.data + j * k.stride + offset, k.stride, headDim, std::min(kPanelWidth, k.rows - j), b.keys + j * headDim);
    for (std::int64_t d = 0; d < headDim; d += kPanelWidth) {
        const std::int64_t width = std::min(kPanelWidth, headDim - d);
        float* panel = b.values + d * k.rows;
        for (std::int64_t j = 0; j < k.rows; ++j) {
            const float* from = v.data + j * v.stride + offset + d;
            for (std::int64_t i = 0; i < width; ++i)
                panel[j * kPanelWidth + i] = from[i];
            for (std::int64_t i = width; i < kPanelWidth; ++i)
                panel[j * kPanelWidth + i] = 0;
        }
    }
}

struct Call {
    const AttentionShape* shape;
    ConstRows q, k, v;
    Rows out;
};

/// Scores of `rows` queries from `first` against keys [k0, k0 + count), masked and biased, into b.scores.
void scoreTile(const Call& call, const HeadBuffers& b, std::int64_t head, std::int64_t first, std::int64_t rows, std::int64_t k0, std::int64_t count)
{
    const AttentionShape& shape = *call.shape;
    for (std::int64_t j = 0; j < count; j += kPanelWidth)
        for (std::int64_t d = 0; d < shape.headDim; d += kTileDepth)
            kernels().tile(b.query + d / kTileDepth * kTileRows * kTileStride, b.keys + (k0 + j) * shape.headDim + d * kPanelWidth,
                           std::min(kTileDepth, shape.headDim - d), b.scores + j, kTileStride, rows, d > 0);
    for (std::int64_t r = 0; r < rows; ++r) {
        float* row = b.scores + r * kTileStride;
        if (shape.bias)
            kernels().add(shape.bias + head * shape.biasHeadStride + (first + r) * shape.biasRowStride + k0, row, count);
        const KeyRange seen = visibleKeys(shape, call.q.rows, call.k.rows, first + r);
        for (std::int64_t j = 0; j < std::min(count, seen.begin - k0); ++j)
            row[j] = kMinusInfinity;
        for (std::int64_t j = std::max<std::int64_t>(0, seen.end - k0); j < count; ++j)
            row[j] = kMinusInfinity;
    }
}

/// One tile of queries against all keys they see.
void queryTile(const Call& call, const HeadBuffers& b, std::int64_t head, std::int64_t first, std::int64_t rows)
{
    const AttentionShape& shape = *call.shape;
    const std::int64_t headDim = shape.headDim, paddedDim = roundUp(headDim);
    for (std::int64_t r = 0; r < rows; ++r)
        for (std::int64_t d = 0; d < headDim; d += kTileDepth)
            kernels().scaleCopy(call.q.data + (first + r) * call.q.stride + head * headDim + d, shape.scale,
                                b.query + (d / kTileDepth * kTileRows + r) * kTileStride, std::min(kTileDepth, headDim - d));
    float maxima[kTileRows], sums[kTileRows];
    std::fill(maxima, maxima + rows, kMinusInfinity);
    std::fill(sums, sums + rows, 0.0f);
    const std::int64_t begin = visibleKeys(shape, call.q.rows, call.k.rows, first).begin / kPanelWidth * kPanelWidth;
    const std::int64_t end = visibleKeys(shape, call.q.rows, call.k.rows, first + rows - 1).end;
    bool started = false;
    for (std::int64_t k0 = begin; k0 < end; k0 += kTileDepth) {
        const std::int64_t count = std::min(kTileDepth, end - k0);
        scoreTile(call, b, head, first, rows, k0, count);
        for (std::int64_t r = 0; r < rows; ++r) {
            float* row = b.scores + r * kTileStride;
            const float top = std::max(maxima[r], kernels().maximum(row, count));
            if (top == kMinusInfinity) { // sees none of these keys
                std::fill(row, row + count, 0.0f);
                continue;
            }
            const float shrink = maxima[r] == kMinusInfinity ? 0.0f : std::exp(maxima[r] - top);
            sums[r] = sums[r] * shrink + kernels().exponential(row, top, count);
            if (started && shrink != 1.0f)
                kernels().scaleCopy(b.out + r * paddedDim, shrink, b.out + r * paddedDim, paddedDim);
            maxima[r] = top;
        }
        for (std::int64_t d = 0; d < headDim; d += kPanelWidth)
            kernels().tile(b.scores, b.values + d * call.k.rows + k0 * kPanelWidth, count, b.out + d, paddedDim, rows, started);
        started = true;
    }
    for (std::int64_t r = 0; r < rows; ++r)
        kernels().scaleCopy(b.out + r * paddedDim, sums[r] > 0 ? 1.0f / sums[r] : 0.0f, call.out.data + (first + r) * call.out.stride + head * headDim, headDim);
}

void checkShapes(const AttentionShape& s, ConstRows q, ConstRows k, std::int64_t valueRows, std::int64_t valueCols)
{
    if (s.heads < 1 || s.keyValueHeads < 1 || s.heads % s.keyValueHeads != 0 || q.cols != s.heads * s.headDim ||
        k.cols != s.keyValueHeads * s.headDim || valueCols != k.cols || valueRows != k.rows)
        throw Error(ErrorCode::InvalidParameter, "queries of width " + std::to_string(q.cols) + " and keys of width " + std::to_string(k.cols) +
                                                     " do not fit " + std::to_string(s.heads) + " heads and " + std::to_string(s.keyValueHeads) +
                                                     " key-value heads of " + std::to_string(s.headDim));
}
} // namespace

void softmaxAttention(const AttentionShape& shape, ConstRows q, ConstRows k, ConstRows v, Rows out, bool parallel)
{
    checkShapes(shape, q, k, v.rows, v.cols);
    const Call call{&shape, q, k, v, out};
    const std::int64_t group = shape.heads / shape.keyValueHeads;
    const std::int64_t tiles = (q.rows + kTileRows - 1) / kTileRows;
    const int threads = parallel ? threadCount() : 1;
    // one task a key-value head; more where there are fewer heads than threads, each packing the keys again
    const std::int64_t parts = std::min(tiles, shape.keyValueHeads >= threads ? 1 : (threads + shape.keyValueHeads - 1) / shape.keyValueHeads);
    const auto task = [&](std::size_t index) {
        static thread_local TileBuffer buffer;
        const auto keyHead = static_cast<std::int64_t>(index) / parts, part = static_cast<std::int64_t>(index) % parts;
        const HeadBuffers b = layOut(buffer, k.rows, shape.headDim);
        packHead(b, k, v, keyHead * shape.headDim, shape.headDim);
        for (std::int64_t h = keyHead * group; h < (keyHead + 1) * group; ++h)
            for (std::int64_t t = part; t < tiles; t += parts) { // interleaved: a causal mask leaves the later ones more work
                const std::int64_t first = q.rows * t / tiles;
                queryTile(call, b, h, first, q.rows * (t + 1) / tiles - first);
            }
    };
    const auto tasks = static_cast<std::size_t>(shape.keyValueHeads * parts);
    if (threads > 1 && tasks > 1)
        parallelFor(kNeverStopped, tasks, task);
    else
        for (std::size_t i = 0; i < tasks; ++i)
            task(i);
}

void attentionProbabilities(const AttentionShape& shape, ConstRows q, ConstRows k, std::int64_t head, Rows probabilities)
{
    checkShapes(shape, q, k, k.rows, k.cols);
    const std::int64_t d = shape.headDim, keyHead = head / (shape.heads / shape.keyValueHeads);
    const PackedMatrix keys(ConstRows{k.data + keyHead * d, k.rows, d, k.stride});
    multiply(ConstRows{q.data + head * d, q.rows, d, q.stride}, keys, {}, probabilities, false);
    for (std::int64_t i = 0; i < q.rows; ++i) {
        const auto row = probabilities.row(i);
        kernels().scaleCopy(row.data(), shape.scale, row.data(), k.rows);
        if (shape.bias)
            kernels().add(shape.bias + head * shape.biasHeadStride + i * shape.biasRowStride, row.data(), k.rows);
        const KeyRange seen = visibleKeys(shape, q.rows, k.rows, i);
        std::fill(row.begin(), row.begin() + seen.begin, 0.0f);
        std::fill(row.begin() + seen.end, row.end(), 0.0f);
        if (seen.end > seen.begin)
            softmaxRow(row.subspan(static_cast<std::size_t>(seen.begin), static_cast<std::size_t>(seen.end - seen.begin)));
    }
}

} // namespace tamis::kernels
