// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/feature_mix.h"

#include "core/base/error.h"
#include "core/linalg/float_product.h"

#include <algorithm>
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
float dot(const float* a, const float* b, std::int64_t count)
{
    float sum = 0;
    for (std::int64_t i = 0; i < count; ++i)
        sum += a[i] * b[i];
    return sum;
}

/// out row i divided by its denominator, or the mean of the values seen where that is zero.
void divide(float* row, float denominator, const float* valueSum, std::int64_t seen, std::int64_t width)
{
    for (std::int64_t j = 0; j < width; ++j)
        row[j] = denominator == 0 ? valueSum[j] / static_cast<float>(seen) : row[j] / denominator;
}

void mixCausally(ConstRows f, ConstRows g, ConstRows v, Rows out, nn::Scratch& scratch)
{
    nn::Scratch::Frame frame(scratch);
    const Rows state = frame.take(g.cols, v.cols), featureSum = frame.take(1, g.cols), valueSum = frame.take(1, v.cols), scores = frame.take(kBlock, kBlock);
    clear(state);
    clear(featureSum);
    clear(valueSum);
    for (std::int64_t first = 0; first < f.rows; first += kBlock) {
        const std::int64_t count = std::min(kBlock, f.rows - first);
        const ConstRows fb = rowsOf(f, first, count), gb = rowsOf(g, first, count), vb = rowsOf(v, first, count);
        const Rows part = rowsOf(out, first, count), inside{scores.data, count, count, scores.stride};
        floatProduct(Turn::None, Turn::Transpose, 1, fb, gb, 0, inside);
        for (std::int64_t i = 0; i < count; ++i)
            std::fill_n(inside.data + i * inside.stride + i + 1, count - i - 1, 0.0f);
        floatProduct(Turn::None, Turn::None, 1, fb, state, 0, part);
        floatProduct(Turn::None, Turn::None, 1, inside, vb, 1, part);
        for (std::int64_t i = 0; i < count; ++i) {
            float denominator = dot(fb.data + i * fb.stride, featureSum.data, f.cols);
            for (std::int64_t j = 0; j <= i; ++j)
                denominator += inside.data[i * inside.stride + j];
            addRows(rowsOf(vb, i, 1), valueSum.data);
            divide(part.data + i * part.stride, denominator, valueSum.data, first + i + 1, v.cols);
        }
        floatProduct(Turn::Transpose, Turn::None, 1, gb, vb, 1, state);
        addRows(gb, featureSum.data);
    }
}
} // namespace

void mixByFeatures(bool causal, ConstRows f, ConstRows g, ConstRows v, Rows out, nn::Scratch& scratch)
{
    if (causal) {
        mixCausally(f, g, v, out, scratch);
        return;
    }
    nn::Scratch::Frame frame(scratch);
    const Rows state = frame.take(g.cols, v.cols), featureSum = frame.take(1, g.cols), valueSum = frame.take(1, v.cols);
    clear(featureSum);
    clear(valueSum);
    floatProduct(Turn::Transpose, Turn::None, 1, g, v, 0, state);
    addRows(g, featureSum.data);
    addRows(v, valueSum.data);
    floatProduct(Turn::None, Turn::None, 1, f, state, 0, out);
    for (std::int64_t i = 0; i < f.rows; ++i)
        divide(out.data + i * out.stride, dot(f.data + i * f.stride, featureSum.data, f.cols), valueSum.data, v.rows, v.cols);
}

std::uint64_t featureMixMacs(std::int64_t tokens, std::int64_t features, std::int64_t width)
{
    // g' v, f state; the sums of features and the denominators
    return static_cast<std::uint64_t>(tokens) * static_cast<std::uint64_t>(features) * static_cast<std::uint64_t>(2 * width + 2);
}

void requireNoSlidingWindow(const nn::AttentionSpec& spec, std::string_view kind)
{
    if (spec.causal && spec.slidingWindow > 0)
        throw Error(ErrorCode::UnsupportedFeature, "found attention to the last " + std::to_string(spec.slidingWindow) + " tokens, expected attention to all before: sums over a prefix do not forget",
                    std::string(kind));
}

} // namespace tamis::attention
