// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What merging compares tokens by.
#include "core/tokens/reduction.h"

namespace tamis::tokens {

/// Keys averaged over the heads, of length 1 (zero where the mean is zero): token i into to(row of i), [tokens, headDim].
template <class RowOf> void matchingMetric(const Look& look, kernels::Rows metric, RowOf rowOf);
/// Throws Error{InvalidParameter} where the place has no keys.
void requireKeys(const Look& look);
/// Rows of these tokens of x, each of length 1 (zero where it is zero): [tokens, width].
tensor::Matrix<float> unitRows(kernels::ConstRows x, const std::vector<std::int32_t>& tokens);
/// One token's.
void matchingRow(const Look& look, std::int64_t token, float* to, std::int64_t headDim);

template <class RowOf> void matchingMetric(const Look& look, kernels::Rows metric, RowOf rowOf)
{
    for (std::int64_t i = 0; i < look.x.rows; ++i)
        matchingRow(look, i, metric.data + rowOf(i) * metric.stride, metric.cols);
}

} // namespace tamis::tokens
