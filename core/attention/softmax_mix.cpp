// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/softmax_mix.h"

#include "core/attention/row_scan.h"
#include "core/kernels/elementwise.h"
#include "core/linalg/float_product.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis::attention {
using kernels::ConstRows;
using kernels::Rows;
using linalg::floatProduct;
using linalg::Turn;

void softmaxScores(const RunContext& context, float scale, ConstRows a, ConstRows b, Rows rows)
{
    floatProduct(context, Turn::None, Turn::Transpose, scale, a, b, 0, rows);
    for (std::int64_t i = 0; i < rows.rows; ++i)
        softmaxOf(rows.row(i));
}

void softmaxOf(std::span<float> scores)
{
    if (!scores.empty() && allNumbers(scores.data(), static_cast<std::int64_t>(scores.size())))
        return kernels::softmaxRow(scores);
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    float most = -kInfinity;
    bool none = false;
    for (const float score : scores) {
        most = std::max(most, score);
        none = none || std::isnan(score) || score == kInfinity;
    }
    if (none)
        std::ranges::fill(scores, std::numeric_limits<float>::quiet_NaN());
    else if (most == -kInfinity)
        std::ranges::fill(scores, 0.0F);
    else
        kernels::softmaxRow(scores);
}

void mixBySoftmax(float scale, ConstRows q, ConstRows k, ConstRows v, Rows out, nn::Scratch& scratch)
{
    nn::Scratch::Frame frame(scratch);
    const Rows p = frame.take(q.rows, k.rows);
    softmaxScores(scratch.context(), scale, q, k, p);
    floatProduct(scratch.context(), Turn::None, Turn::None, 1, p, v, 0, out);
}

void segmentMeans(ConstRows x, Rows means)
{
    for (std::int64_t i = 0; i < means.rows; ++i) {
        const std::int64_t first = i * x.rows / means.rows, end = (i + 1) * x.rows / means.rows;
        float* mean = means.data + i * means.stride;
        std::fill_n(mean, x.cols, 0.0F);
        for (std::int64_t row = first; row < end; ++row)
            for (std::int64_t j = 0; j < x.cols; ++j)
                mean[j] += x.data[row * x.stride + j];
        for (std::int64_t j = 0; j < x.cols; ++j)
            mean[j] /= static_cast<float>(end - first);
    }
}

} // namespace tamis::attention
