// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/feature_mix.h"

#include "core/attention/scalar_product.h"
#include "core/base/error.h"
#include "core/linalg/float_product.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

namespace tamis::attention {
namespace {
using kernels::ConstRows;
using kernels::Rows;
using linalg::floatProduct;
using linalg::Turn;

constexpr std::int64_t kBlock = 64;

ConstRows rowsOf(ConstRows rows, std::int64_t first, std::int64_t count) { return {rows.data + first * rows.stride, count, rows.cols, rows.stride}; }
Rows rowsOf(Rows rows, std::int64_t first, std::int64_t count) { return {rows.data + first * rows.stride, count, rows.cols, rows.stride}; }
void clear(Rows rows)
{
    for (std::int64_t i = 0; i < rows.rows; ++i)
        std::fill_n(rows.data + i * rows.stride, rows.cols, 0.0f);
}
void addRows(ConstRows rows, float* sum)
{
    for (std::int64_t i = 0; i < rows.rows; ++i)
        for (std::int64_t j = 0; j < rows.cols; ++j)
            sum[j] += rows.data[i * rows.stride + j];
}

/// out row i divided by its denominator, or the mean of the values seen where that is zero.
void divide(float* row, float denominator, const float* valueSum, std::int64_t seen, std::int64_t width)
{
    for (std::int64_t j = 0; j < width; ++j)
        row[j] = denominator == 0 ? valueSum[j] / static_cast<float>(seen) : row[j] / denominator;
}

/// What a query of row `to` makes of a sum that was kept by the stabiliser of row `from` <= to; 1 where there are no rows before.
float rescaled(std::span<const float> shifts, std::int64_t from, std::int64_t to)
{
    if (shifts.empty() || from < 0)
        return 1;
    const float a = shifts[static_cast<std::size_t>(from)], b = shifts[static_cast<std::size_t>(to)];
    return a == b ? 1.0F : std::exp(a - b); // equal ones may be infinite
}

void scaleRow(float* row, float factor, std::int64_t count)
{
    for (std::int64_t j = 0; factor != 1 && j < count; ++j)
        row[j] *= factor;
}

/// Everything as seen from the last row of the block: the state's rows are those of the block before until now.
void moveOn(std::span<const float> shifts, std::int64_t first, std::int64_t count, Rows gb, Rows state, float* featureSum)
{
    const std::int64_t last = first + count - 1;
    const float before = rescaled(shifts, first - 1, last);
    for (std::int64_t i = 0; i < state.rows; ++i)
        scaleRow(state.data + i * state.stride, before, state.cols);
    scaleRow(featureSum, before, state.rows);
    for (std::int64_t j = 0; j < count; ++j)
        scaleRow(gb.data + j * gb.stride, rescaled(shifts, first + j, last), gb.cols);
}

/// Blocks of rows: within one by its scores, all before it by state = sum g_j v_j^T, which is as seen from the block's predecessor.
void mixCausally(ConstRows f, ConstRows keys, std::span<const float> shifts, float floor, ConstRows v, Rows out, nn::Scratch& scratch)
{
    nn::Scratch::Frame frame(scratch);
    const Rows state = frame.take(keys.cols, v.cols), featureSum = frame.take(1, keys.cols), valueSum = frame.take(1, v.cols), scores = frame.take(kBlock, kBlock);
    const Rows own = frame.take(kBlock, keys.cols);
    clear(state);
    clear(featureSum);
    clear(valueSum);
    for (std::int64_t first = 0; first < f.rows; first += kBlock) {
        scratch.context().throwIfStopped();
        const std::int64_t count = std::min(kBlock, f.rows - first);
        const ConstRows fb = rowsOf(f, first, count), vb = rowsOf(v, first, count);
        const Rows gb = rowsOf(own, 0, count), part = rowsOf(out, first, count), inside{scores.data, count, count, scores.stride};
        for (std::int64_t i = 0; i < count; ++i)
            std::copy_n(keys.data + (first + i) * keys.stride, keys.cols, gb.data + i * gb.stride);
        floatProduct(Turn::None, Turn::Transpose, 1, fb, gb, 0, inside);
        floatProduct(Turn::None, Turn::None, 1, fb, state, 0, part);
        for (std::int64_t i = 0; i < count; ++i) {
            float* line = inside.data + i * inside.stride;
            for (std::int64_t j = 0; j < i; ++j)
                line[j] *= rescaled(shifts, first + j, first + i);
            std::fill_n(line + i + 1, count - i - 1, 0.0f);
            scaleRow(part.data + i * part.stride, rescaled(shifts, first - 1, first + i), part.cols);
        }
        floatProduct(Turn::None, Turn::None, 1, inside, vb, 1, part);
        for (std::int64_t i = 0; i < count; ++i) {
            const float* query = fb.data + i * fb.stride;
            float* row = part.data + i * part.stride;
            float denominator = rescaled(shifts, first - 1, first + i) * scalarProduct(query, featureSum.data, f.cols);
            for (std::int64_t j = 0; j <= i; ++j)
                denominator += inside.data[i * inside.stride + j];
            addRows(rowsOf(vb, i, 1), valueSum.data);
            if (floor > 0) {
                const float each = floor * std::accumulate(query, query + f.cols, 0.0F);
                denominator += each * static_cast<float>(first + i + 1);
                for (std::int64_t j = 0; j < v.cols; ++j)
                    row[j] += each * valueSum.data[j];
            }
            divide(row, denominator, valueSum.data, first + i + 1, v.cols);
        }
        moveOn(shifts, first, count, gb, state, featureSum.data);
        floatProduct(Turn::Transpose, Turn::None, 1, gb, vb, 1, state);
        addRows(gb, featureSum.data);
    }
}
} // namespace

void mixByFeatures(bool causal, ConstRows f, ConstRows g, ConstRows v, Rows out, nn::Scratch& scratch)
{
    if (causal) {
        mixCausally(f, g, {}, 0, v, out, scratch);
        return;
    }
    nn::Scratch::Frame frame(scratch);
    const Rows state = frame.take(g.cols, v.cols), featureSum = frame.take(1, g.cols), valueSum = frame.take(1, v.cols);
    clear(featureSum);
    clear(valueSum);
    floatProduct(scratch.context(), Turn::Transpose, Turn::None, 1, g, v, 0, state);
    addRows(g, featureSum.data);
    addRows(v, valueSum.data);
    floatProduct(scratch.context(), Turn::None, Turn::None, 1, f, state, 0, out);
    for (std::int64_t i = 0; i < f.rows; ++i)
        divide(out.data + i * out.stride, scalarProduct(f.data + i * f.stride, featureSum.data, f.cols), valueSum.data, v.rows, v.cols);
}

void mixByRunningFeatures(ConstRows f, ConstRows g, std::span<const float> shifts, float floor, ConstRows v, Rows out, nn::Scratch& scratch) { mixCausally(f, g, shifts, floor, v, out, scratch); }

std::uint64_t featureMixMacs(bool causal, bool floored, std::int64_t tokens, std::int64_t features, std::int64_t width)
{
    const std::int64_t state = tokens * features * (2 * width + 2), rest = tokens % kBlock; // g' v, f state; the sums of features and the denominators
    if (!causal)
        return static_cast<std::uint64_t>(state);
    const std::int64_t inside = (tokens / kBlock * kBlock * kBlock + rest * rest) * (features + width); // f g', and that times v
    return static_cast<std::uint64_t>(state + inside + (floored ? tokens * (width + 1) : 0));
}

std::uint64_t featureMixFloats(bool causal, std::int64_t features, std::int64_t width)
{
    return static_cast<std::uint64_t>(features * (width + 1) + width + (causal ? kBlock * (kBlock + features) : 0));
}

void requireNoSlidingWindow(const nn::AttentionSpec& spec, std::string_view kind)
{
    if (spec.causal && spec.slidingWindow > 0)
        throw Error(ErrorCode::UnsupportedFeature, "found attention to the last " + std::to_string(spec.slidingWindow) + " tokens, expected attention to all before: sums over a prefix do not forget",
                    std::string(kind));
}

} // namespace tamis::attention
