// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/quantised_attention.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/kernels/integer_table.h"
#include "core/kernels/online_softmax.h"
#include "core/kernels/tile_buffers.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <vector>

namespace tamis::kernels {

namespace {
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity(), kNoNumber = std::numeric_limits<float>::quiet_NaN();
constexpr std::int64_t kQueryTile = 128; ///< queries whose mixed values are held

std::int64_t rounded(std::int64_t count, std::int64_t step) { return (count + step - 1) / step * step; }

/// What one worker holds: a head's keys and values in panels, and a tile of queries. Key panels hold [dim / 4][32 keys][4] bytes or [dim][32
/// keys] floats; value panels, one for each 32 features, [keys / 4][32 features][4] bytes or [keys][32 features] floats.
struct QuantisedMemory {
    float *keyFloats, *valueFloats, *queryFloats, *keyScales, *valueScales, *queryScales, *mean, *zeros, *ones, *scores, *out, *maxima, *sums, *row, *inverses;
    std::int8_t *keyCodes, *valueCodes, *rowCodes;
    std::uint8_t *queryCodes, *weightCodes;
    std::int32_t *offsets, *noOffsets;
    std::int64_t scoreStride, dim4, paddedDim, paddedKeys;
    std::size_t floats;
};

QuantisedMemory layOut(float* start, const AttentionShape& shape, const QuantisedScheme& scheme, std::int64_t queries, std::int64_t keys)
{
    QuantisedMemory m{};
    const std::int64_t d = shape.headDim, rows = std::clamp<std::int64_t>(queries, 1, kQueryTile);
    m.dim4 = rounded(d, 4);
    m.paddedDim = wholePanels(d);
    m.paddedKeys = wholePanels(std::max<std::int64_t>(1, keys));
    m.scoreStride = kCodedKeys + 16;
    std::int64_t used = 0;
    const auto bytes = [&](std::int64_t count) {
        float* const at = start ? start + used : nullptr;
        used += rounded(count, 64) / 4;
        return at;
    };
    const auto floats = [&](std::int64_t count) { return bytes(4 * count); };
    const auto coded = [&](std::int64_t count) { return reinterpret_cast<std::int8_t*>(bytes(count)); };
    const bool scoreFloats = scheme.scoreBits == 32, valueFloats = scheme.valueBits == 32;
    m.keyFloats = floats(scoreFloats ? m.paddedKeys * d : 0);
    m.keyCodes = coded(scoreFloats ? 0 : m.paddedKeys * m.dim4);
    m.keyScales = floats(m.paddedKeys);
    m.offsets = reinterpret_cast<std::int32_t*>(floats(m.paddedKeys));
    m.valueFloats = floats(valueFloats ? m.paddedKeys * m.paddedDim : 0);
    m.valueCodes = coded(valueFloats ? 0 : m.paddedKeys * m.paddedDim);
    m.valueScales = floats(m.paddedDim);
    m.noOffsets = reinterpret_cast<std::int32_t*>(floats(kAttentionPanel));
    m.mean = floats(m.paddedDim);
    m.zeros = floats(m.paddedDim);
    m.ones = floats(kIntegerRows);
    m.row = floats(m.paddedDim);
    m.inverses = floats(m.paddedDim);
    m.rowCodes = coded(m.paddedDim);
    m.queryFloats = floats(scoreFloats ? rows * d : 0);
    m.queryCodes = reinterpret_cast<std::uint8_t*>(coded(scoreFloats ? 0 : rows * m.dim4));
    m.queryScales = floats(rows);
    m.scores = floats(kAttentionRows * m.scoreStride);
    m.weightCodes = reinterpret_cast<std::uint8_t*>(coded(valueFloats ? 0 : kAttentionRows * kCodedKeys));
    m.out = floats(rows * m.paddedDim);
    m.maxima = floats(rows);
    m.sums = floats(rows);
    m.floats = static_cast<std::size_t>(used);
    return m;
}

struct Call {
    const AttentionShape& shape;
    const QuantisedScheme& scheme;
    ConstRows q, k, v;
    Rows out; ///< of weights (map) or of mixed values
    bool map;
    const AttentionTable& loops;
    const IntegerTable& integers;
    const RunContext& context;
    float levels() const { return scheme.scoreBits == 4 ? 7.0F : 127.0F; }
};

/// The scale of each of `count` rows of x - shift: max / levels over its tensor, block or row; no number for rows that are not finite.
void rowScales(const Call& call, ConstRows x, std::int64_t column, const float* shift, std::int64_t block, std::int64_t first, std::int64_t count, float* scales)
{
    const std::int64_t d = call.shape.headDim;
    const std::int64_t step = call.scheme.scaleOf == ScaleOf::Tensor ? std::max<std::int64_t>(1, x.rows) : call.scheme.scaleOf == ScaleOf::Token ? 1 : block;
    for (std::int64_t begin = first / step * step; begin < first + count; begin += step) {
        float greatest = 0;
        for (std::int64_t i = begin; i < std::min(x.rows, begin + step); ++i)
            if (const float own = call.integers.greatest(x.data + i * x.stride + column, shift, d); std::isfinite(own))
                greatest = std::max(greatest, own);
        for (std::int64_t i = std::max(first, begin); i < std::min(first + count, begin + step); ++i) {
            const bool finite = std::isfinite(call.integers.greatest(x.data + i * x.stride + column, shift, d));
            scales[i - first] = finite ? greatest / call.levels() : kNoNumber;
        }
    }
}

/// 1 / scale for codes; 0 where nothing is to be coded.
float inverse(float scale) { return scale > 0 && 1 / scale <= std::numeric_limits<float>::max() ? 1 / scale : 0.0F; }

class Worker {
public:
    Worker(const Call& call, float* buffer) : m_call(call), m_memory(layOut(buffer, call.shape, call.scheme, call.q.rows, call.k.rows))
    {
        std::fill_n(m_memory.zeros, m_memory.paddedDim, 0.0F);
        std::fill_n(m_memory.noOffsets, kAttentionPanel, 0);
        std::fill_n(m_memory.ones, kIntegerRows, 1.0F);
    }
    void keyHead(std::int64_t head); ///< prepares its keys and values
    void queryTile(std::int64_t head, std::int64_t tile);
    /// All scores of queries first .. first + rows of all.
    void scoreTile(std::int64_t head, std::int64_t first, std::int64_t rows, const std::function<void(const ScoreBlock&)>& visit);

private:
    void prepareQueries(std::int64_t head, std::int64_t first, std::int64_t rows, float factor);
    /// Scores of queries first .. first + rows of the tile against keys [begin, end), begin a multiple of 32, times `factor`, into m_memory.scores.
    void scores(std::int64_t first, std::int64_t rows, std::int64_t begin, std::int64_t end) const;
    void keyMean(std::int64_t column);
    void codeKeys(std::int64_t column);
    void codeValues(std::int64_t column);
    void chunk(std::int64_t head, std::int64_t tileFirst, std::int64_t first, std::int64_t rows, std::int64_t begin, std::int64_t end);
    void mixCodes(std::int64_t first, std::int64_t rows, std::int64_t begin, std::int64_t count);
    void mapRow(std::int64_t query, float shrink, std::int64_t begin, std::int64_t end, std::int64_t row);
    bool seesOddValue(KeyRange seen) const { return m_lastOdd >= 0 && std::any_of(m_odd.begin(), m_odd.end(), [&](std::int64_t j) { return j >= seen.begin && j < seen.end; }); }
    RunningRow runningRow(std::int64_t r) const { return {m_memory.maxima[r], m_memory.sums[r], m_memory.out + r * m_memory.paddedDim, m_memory.paddedDim}; }

    const Call& m_call;
    QuantisedMemory m_memory;
    std::int64_t m_head = -1, m_lastOdd = -1;
    std::vector<std::int64_t> m_odd; ///< keys whose value is not finite
};

void Worker::keyMean(std::int64_t column)
{
    const ConstRows k = m_call.k;
    const std::int64_t d = m_call.shape.headDim;
    std::fill_n(m_memory.mean, m_memory.paddedDim, 0.0F);
    if (!m_call.scheme.smoothKeys)
        return;
    std::vector<double> sums(static_cast<std::size_t>(d));
    std::int64_t count = 0;
    for (std::int64_t j = 0; j < k.rows; ++j) {
        const float* const row = k.data + j * k.stride + column;
        if (!std::isfinite(m_call.integers.greatest(row, m_memory.zeros, d)))
            continue;
        ++count;
        for (std::int64_t p = 0; p < d; ++p)
            sums[static_cast<std::size_t>(p)] += static_cast<double>(row[p]);
    }
    for (std::int64_t p = 0; p < d && count > 0; ++p)
        m_memory.mean[p] = static_cast<float>(sums[static_cast<std::size_t>(p)] / static_cast<double>(count));
}

void Worker::codeKeys(std::int64_t column)
{
    const QuantisedMemory& m = m_memory;
    const ConstRows k = m_call.k;
    const std::int64_t d = m_call.shape.headDim;
    if (m_call.scheme.scoreBits == 32) { // the mean is 0 unless keys are smoothed, and then changes rounding alone
        for (std::int64_t j = 0; j < k.rows; j += kAttentionPanel) {
            float* const panel = m.keyFloats + j * d;
            const std::int64_t count = std::min(kAttentionPanel, k.rows - j);
            m_call.loops.packKeys(k.data + j * k.stride + column, k.stride, d, count, panel);
            for (std::int64_t p = 0; m_call.scheme.smoothKeys && p < d; ++p)
                for (std::int64_t r = 0; r < count; ++r)
                    panel[p * kAttentionPanel + r] -= m.mean[p];
        }
        return;
    }
    rowScales(m_call, k, column, m.mean, m_call.scheme.keyBlock, 0, k.rows, m.keyScales);
    std::fill(m.keyScales + k.rows, m.keyScales + m.paddedKeys, 0.0F);
    std::fill_n(m.rowCodes, m.dim4, std::int8_t{0});
    for (std::int64_t j = 0; j < m.paddedKeys; ++j) {
        if (j < k.rows && m.keyScales[j] > 0)
            m_call.integers.codes(k.data + j * k.stride + column, m.mean, inverse(m.keyScales[j]), d, m.rowCodes);
        else
            std::fill_n(m.rowCodes, d, std::int8_t{0});
        std::int8_t* const panel = m.keyCodes + j / kAttentionPanel * kAttentionPanel * m.dim4 + j % kAttentionPanel * 4;
        std::int32_t sum = 0;
        for (std::int64_t p = 0; p < m.dim4; p += 4)
            for (std::int64_t i = 0; i < 4; ++i) {
                panel[p * kAttentionPanel + i] = m.rowCodes[p + i];
                sum += m.rowCodes[p + i];
            }
        m.offsets[j] = 128 * sum; // codes of queries are stored with 128 added
    }
}

void Worker::codeValues(std::int64_t column)
{
    const QuantisedMemory& m = m_memory;
    const ConstRows v = m_call.v;
    const std::int64_t d = m_call.shape.headDim;
    m_odd.clear();
    for (std::int64_t j = 0; j < v.rows; ++j)
        if (!std::isfinite(m_call.integers.greatest(v.data + j * v.stride + column, m.zeros, d)))
            m_odd.push_back(j);
    m_lastOdd = m_odd.empty() ? -1 : m_odd.back();
    const auto rowOf = [&](std::int64_t j) { return std::ranges::binary_search(m_odd, j) ? m.zeros : v.data + j * v.stride + column; };
    if (m_call.scheme.valueBits == 32) {
        for (std::int64_t j = 0; j < v.rows; ++j) {
            const float* const from = rowOf(j);
            for (std::int64_t p = 0; p < d; p += kAttentionPanel)
                m_call.loops.packValues(from + p, v.stride, std::min(kAttentionPanel, d - p), 1, m.valueFloats + p * m.paddedKeys + j * kAttentionPanel);
        }
        return;
    }
    std::fill_n(m.valueScales, m.paddedDim, 0.0F);
    for (std::int64_t j = 0; j < v.rows; ++j) {
        const float* const from = rowOf(j);
        for (std::int64_t p = 0; p < d; ++p)
            m.valueScales[p] = std::max(m.valueScales[p], std::abs(from[p]));
    }
    for (std::int64_t p = 0; p < m.paddedDim; ++p) {
        m.valueScales[p] /= 127;
        m.inverses[p] = inverse(m.valueScales[p]);
    }
    std::fill_n(m.rowCodes, m.paddedDim, std::int8_t{0});
    for (std::int64_t j = 0; j < m.paddedKeys; ++j) {
        const float* const from = j < v.rows ? rowOf(j) : m.zeros;
        for (std::int64_t p = 0; p < d; ++p)
            m.row[p] = from[p] * m.inverses[p];
        m_call.integers.codes(m.row, m.zeros, 1, d, m.rowCodes);
        for (std::int64_t p = 0; p < m.paddedDim; ++p)
            m.valueCodes[p / kAttentionPanel * kAttentionPanel * m.paddedKeys + (j / 4 * kAttentionPanel + p % kAttentionPanel) * 4 + j % 4] = m.rowCodes[p];
    }
}

void Worker::keyHead(std::int64_t head)
{
    if (head == m_head)
        return;
    m_head = head;
    keyMean(head * m_call.shape.headDim);
    codeKeys(head * m_call.shape.headDim);
    if (m_call.v.data)
        codeValues(head * m_call.shape.headDim);
}

void Worker::prepareQueries(std::int64_t head, std::int64_t first, std::int64_t rows, float factor)
{
    const QuantisedMemory& m = m_memory;
    const ConstRows q = m_call.q;
    const std::int64_t d = m_call.shape.headDim, column = head * d;
    if (m_call.scheme.scoreBits == 32) {
        for (std::int64_t r = 0; r < rows; ++r)
            m_call.loops.scale(q.data + (first + r) * q.stride + column, factor, m.queryFloats + r * d, d);
        return;
    }
    rowScales(m_call, q, column, m.zeros, m_call.scheme.queryBlock, first, rows, m.queryScales);
    for (std::int64_t r = 0; r < rows; ++r) {
        std::fill_n(m.rowCodes, m.dim4, std::int8_t{0});
        if (m.queryScales[r] > 0)
            m_call.integers.codes(q.data + (first + r) * q.stride + column, m.zeros, inverse(m.queryScales[r]), d, m.rowCodes);
        for (std::int64_t p = 0; p < m.dim4; ++p)
            m.queryCodes[r * m.dim4 + p] = static_cast<std::uint8_t>(m.rowCodes[p] + 128);
        m.queryScales[r] *= factor;
    }
}

void Worker::scores(std::int64_t first, std::int64_t rows, std::int64_t begin, std::int64_t end) const
{
    const QuantisedMemory& m = m_memory;
    const std::int64_t d = m_call.shape.headDim;
    for (std::int64_t j = begin; j < end; j += kAttentionPanel)
        if (m_call.scheme.scoreBits == 32)
            m_call.loops.product(m.queryFloats + first * d, d, m.keyFloats + j * d, d, m.scores + j - begin, m.scoreStride, rows, false);
        else
            m_call.integers.product(m.queryCodes + first * m.dim4, m.dim4, m.keyCodes + j * m.dim4, m.dim4, m.offsets + j, m.queryScales + first, m.keyScales + j, m.scores + j - begin, m.scoreStride, rows, false);
}

void Worker::scoreTile(std::int64_t head, std::int64_t first, std::int64_t rows, const std::function<void(const ScoreBlock&)>& visit)
{
    prepareQueries(head, first, rows, m_call.shape.scale);
    const std::int64_t strips = (rows + kAttentionRows - 1) / kAttentionRows;
    for (std::int64_t s = 0; s < strips; ++s) {
        const std::int64_t at = rows * s / strips, count = rows * (s + 1) / strips - at;
        for (std::int64_t begin = 0; begin < m_call.k.rows; begin += kCodedKeys) {
            const std::int64_t end = std::min(m_call.k.rows, begin + kCodedKeys);
            scores(at, count, begin, end);
            visit({first + at, count, begin, end - begin, m_memory.scores, m_memory.scoreStride});
        }
    }
}

void Worker::mixCodes(std::int64_t first, std::int64_t rows, std::int64_t begin, std::int64_t count)
{
    const QuantisedMemory& m = m_memory;
    for (std::int64_t p = 0; p < m.paddedDim; p += kAttentionPanel)
        m_call.integers.product(m.weightCodes, kCodedKeys, m.valueCodes + p * m.paddedKeys + begin * kAttentionPanel, rounded(count, 4), m.noOffsets, m.ones, m.valueScales + p,
                                m.out + first * m.paddedDim + p, m.paddedDim, rows, true);
}

/// Weights of one query as they mix; what is there already shrinks.
void Worker::mapRow(std::int64_t query, float shrink, std::int64_t begin, std::int64_t end, std::int64_t row)
{
    float* const to = m_call.out.data + query * m_call.out.stride;
    if (shrink != 1)
        m_call.loops.scale(to, shrink, to, begin);
    for (std::int64_t j = begin; j < end; ++j)
        to[j] = m_call.scheme.valueBits == 32 ? m_memory.scores[row * m_memory.scoreStride + j - begin] : static_cast<float>(m_memory.weightCodes[row * kCodedKeys + j - begin]);
}

/// Queries first .. first + rows of the tile against keys [begin, end) of one coded group.
void Worker::chunk(std::int64_t head, std::int64_t tileFirst, std::int64_t first, std::int64_t rows, std::int64_t begin, std::int64_t end)
{
    const QuantisedMemory& m = m_memory;
    const AttentionTable& loops = m_call.loops;
    const std::int64_t count = end - begin, padded = wholePanels(count);
    scores(first, rows, begin, end);
    maskScores(loops, m_call.shape, m_call.q.rows, m_call.k.rows, {m.scores, m.scoreStride, head, tileFirst + first, rows, begin, end});
    for (std::int64_t r = 0; r < rows; ++r) {
        float* const row = m.scores + r * m.scoreStride;
        const RunningRow running = runningRow(first + r);
        bool seen = false;
        const float shrink = raiseTop(loops, running, row, count, seen);
        if (!seen)
            std::fill_n(row, padded, kMinusInfinity);
        const float top = seen ? running.top : 0.0F; // minus infinity has weight 0 with any
        if (m_call.scheme.valueBits == 32) {
            running.sum += loops.exponentials(row, top, padded);
        } else {
            const std::int32_t sum = loops.exponentialCodes(row, top, padded, m.weightCodes + r * kCodedKeys);
            running.sum += sum < 0 ? kNoNumber : static_cast<float>(sum);
        }
        if (m_call.map)
            mapRow(tileFirst + first + r, shrink, begin, end, r);
    }
    if (m_call.map)
        return;
    if (m_call.scheme.valueBits == 8)
        return mixCodes(first, rows, begin, count);
    for (std::int64_t p = 0; p < m.paddedDim; p += kAttentionPanel)
        loops.product(m.scores, m.scoreStride, m.valueFloats + p * m.paddedKeys + begin * kAttentionPanel, count, m.out + first * m.paddedDim + p, m.paddedDim, rows, true);
}

void Worker::queryTile(std::int64_t head, std::int64_t tile)
{
    const Call& c = m_call;
    const QuantisedMemory& m = m_memory;
    const std::int64_t d = c.shape.headDim, tileFirst = tile * kQueryTile, rows = std::min(kQueryTile, c.q.rows - tileFirst), keys = c.k.rows;
    prepareQueries(head, tileFirst, rows, c.shape.scale * std::numbers::log2e_v<float>);
    std::fill_n(m.maxima, rows, kMinusInfinity);
    std::fill_n(m.sums, rows, 0.0F);
    std::fill_n(m.out, rows * m.paddedDim, 0.0F);
    const std::int64_t strips = (rows + kAttentionRows - 1) / kAttentionRows;
    for (std::int64_t s = 0; s < strips; ++s) {
        c.context.throwIfStopped();
        const std::int64_t first = rows * s / strips, count = rows * (s + 1) / strips - first;
        const KeyRange seen = visibleKeys(c.shape, c.q.rows, keys, tileFirst + first, tileFirst + first + count - 1);
        for (std::int64_t group = seen.begin / kCodedKeys * kCodedKeys; group < seen.end; group += kCodedKeys)
            chunk(head, tileFirst, first, count, std::max(group, seen.begin / kAttentionPanel * kAttentionPanel), std::min(seen.end, group + kCodedKeys));
    }
    for (std::int64_t r = 0; r < rows; ++r) {
        float* const to = c.out.data + (tileFirst + r) * c.out.stride + (c.map ? 0 : head * d);
        if (c.map && m.sums[r] != 0)
            c.loops.scale(to, 1.0F / m.sums[r], to, keys);
        else if (!c.map)
            finishRow(c.loops, runningRow(r), to, d);
        if (!c.map && seesOddValue(visibleKeys(c.shape, c.q.rows, keys, tileFirst + r)))
            std::fill_n(to, d, kNoNumber);
    }
}

void check(const AttentionShape& shape, const QuantisedScheme& scheme)
{
    const auto refuse = [](const std::string& found, const char* expected) { throw Error(ErrorCode::InvalidParameter, "found " + found + ", expected " + expected); };
    if (scheme.scoreBits != 32 && scheme.scoreBits != 8 && scheme.scoreBits != 4)
        refuse("scores of " + std::to_string(scheme.scoreBits) + " bits", "32, 8 or 4");
    if (scheme.valueBits != 32 && scheme.valueBits != 8)
        refuse("values of " + std::to_string(scheme.valueBits) + " bits", "32 or 8");
    if (scheme.queryBlock < 1 || scheme.keyBlock < 1)
        refuse("blocks of " + std::to_string(scheme.queryBlock) + " queries and " + std::to_string(scheme.keyBlock) + " keys", "at least 1");
    if (shape.headDim > kIntegerDepth)
        refuse("heads of " + std::to_string(shape.headDim) + " features", "65536 at most");
}

Call callOf(const AttentionShape& shape, const QuantisedScheme& scheme, ConstRows q, ConstRows k, ConstRows v, Rows out, bool map, const RunContext& context)
{
    check(shape, scheme);
    checkAttentionShapes(shape, q, k, v.data ? v.rows : k.rows, v.data ? v.cols : k.cols);
    return {shape, scheme, q, k, v, out, map, attentionLoops(), integers(), context};
}


void requireBuffer(std::span<float> buffer, std::size_t workers, std::size_t floats)
{
    if (workers < 1 || buffer.size() < workers * floats)
        throw Error(ErrorCode::InvalidParameter, "found a buffer of " + std::to_string(buffer.size()) + " floats for " + std::to_string(workers) + " workers, expected " + std::to_string(floats) + " each");
}
} // namespace

std::size_t quantisedAttentionFloats(const AttentionShape& shape, const QuantisedScheme& scheme, std::int64_t queries, std::int64_t keys)
{
    return layOut(nullptr, shape, scheme, queries, keys).floats;
}

std::size_t quantisedAttentionWorkers(const AttentionShape& shape, std::int64_t queries, bool parallel)
{
    const std::int64_t tiles = (queries + kQueryTile - 1) / kQueryTile;
    return parallel ? static_cast<std::size_t>(std::clamp<std::int64_t>(shape.keyValueHeads * tiles, 1, threadCount())) : 1;
}

void quantisedAttention(const AttentionShape& shape, const QuantisedScheme& scheme, ConstRows q, ConstRows k, ConstRows v, Rows out, std::size_t workers,
                        std::span<float> buffer, const RunContext& context)
{
    const Call call = callOf(shape, scheme, q, k, v, out, false, context);
    const std::size_t floats = quantisedAttentionFloats(shape, scheme, q.rows, k.rows);
    requireBuffer(buffer, workers, floats);
    const std::int64_t tiles = (q.rows + kQueryTile - 1) / kQueryTile, group = shape.heads / shape.keyValueHeads;
    // one task a key head, more where there are fewer heads than workers, each coding the keys again
    const std::int64_t parts = std::clamp<std::int64_t>((static_cast<std::int64_t>(workers) + shape.keyValueHeads - 1) / shape.keyValueHeads, 1, std::max<std::int64_t>(1, tiles));
    std::atomic<std::int64_t> next{0};
    const auto work = [&](std::size_t index) {
        Worker worker(call, buffer.data() + index * floats);
        for (std::int64_t task = next++; task < shape.keyValueHeads * parts; task = next++) {
            worker.keyHead(task / parts);
            for (std::int64_t head = task / parts * group; head < (task / parts + 1) * group; ++head)
                for (std::int64_t tile = task % parts; tile < tiles; tile += parts)
                    worker.queryTile(head, tile);
        }
    };
    if (workers > 1)
        parallelFor(context, workers, work);
    else
        work(0);
}

void quantisedProbabilities(const AttentionShape& shape, const QuantisedScheme& scheme, ConstRows q, ConstRows k, std::int64_t head, Rows probabilities, const RunContext& context)
{
    for (std::int64_t i = 0; i < q.rows; ++i)
        std::ranges::fill(probabilities.row(i), 0.0F);
    const Call call = callOf(shape, scheme, q, k, {}, probabilities, true, context);
    TileBuffer memory;
    Worker worker(call, memory.ensure(quantisedAttentionFloats(shape, scheme, q.rows, k.rows)));
    worker.keyHead(head / (shape.heads / shape.keyValueHeads));
    for (std::int64_t tile = 0; tile * kQueryTile < q.rows; ++tile)
        worker.queryTile(head, tile);
}

void scoreBlocks(const AttentionShape& shape, const QuantisedScheme& scheme, ConstRows q, ConstRows k, std::int64_t head, std::span<float> buffer,
                 const std::function<void(const ScoreBlock&)>& visit)
{
    const RunContext context;
    const Call call = callOf(shape, scheme, q, k, {}, {}, true, context);
    requireBuffer(buffer, 1, quantisedAttentionFloats(shape, scheme, q.rows, k.rows));
    Worker worker(call, buffer.data());
    worker.keyHead(head / (shape.heads / shape.keyValueHeads));
    for (std::int64_t first = 0; first < q.rows; first += kQueryTile)
        worker.scoreTile(head, first, std::min(kQueryTile, q.rows - first), visit);
}

void quantisedScores(const AttentionShape& shape, const QuantisedScheme& scheme, ConstRows q, ConstRows k, std::int64_t head, Rows scores)
{
    TileBuffer memory;
    const std::size_t floats = quantisedAttentionFloats(shape, scheme, q.rows, k.rows);
    scoreBlocks(shape, scheme, q, k, head, {memory.ensure(floats), floats}, [&](const ScoreBlock& block) {
        for (std::int64_t i = 0; i < block.queries; ++i)
            std::copy_n(block.scores + i * block.stride, block.keys, scores.data + (block.firstQuery + i) * scores.stride + block.firstKey);
    });
}

} // namespace tamis::kernels
