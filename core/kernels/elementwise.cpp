// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/elementwise.h"

#include "core/kernels/kernel_table.h"

#include <cmath>
#include <vector>

namespace tamis::kernels {

void activate(Activation activation, std::span<float> values)
{
    kernels().activate(activation, values.data(), static_cast<std::int64_t>(values.size()));
}

void layerNorm(ConstRows x, const float* weight, const float* bias, float epsilon, Rows y)
{
    for (std::int64_t i = 0; i < x.rows; ++i)
        kernels().layerNormRow(x.data + i * x.stride, weight, bias, epsilon, y.data + i * y.stride, x.cols);
}

void rmsNorm(ConstRows x, const float* weight, float epsilon, Rows y)
{
    for (std::int64_t i = 0; i < x.rows; ++i)
        kernels().rmsNormRow(x.data + i * x.stride, weight, epsilon, y.data + i * y.stride, x.cols);
}

void softmaxRow(std::span<float> row)
{
    const auto count = static_cast<std::int64_t>(row.size());
    const float sum = kernels().exponential(row.data(), kernels().maximum(row.data(), count), count);
    kernels().scaleCopy(row.data(), 1.0f / sum, row.data(), count);
}

void add(std::span<const float> x, std::span<float> y)
{
    kernels().add(x.data(), y.data(), static_cast<std::int64_t>(y.size()));
}

LogSumExp logSumExp(std::span<const float> row)
{
    constexpr std::int64_t kPart = 512;
    float part[kPart];
    LogSumExp result;
    const auto count = static_cast<std::int64_t>(row.size());
    result.maximum = kernels().maximum(row.data(), count);
    double sum = 0;
    for (std::int64_t i = 0; i < count; i += kPart) {
        const std::int64_t n = std::min(kPart, count - i);
        kernels().scaleCopy(row.data() + i, 1.0f, part, n);
        sum += kernels().exponential(part, result.maximum, n);
    }
    result.logSum = static_cast<float>(std::log(sum));
    return result;
}

} // namespace tamis::kernels
