// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/matching_metric.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace tamis::tokens {

void requireKeys(const Look& look)
{
    if (!look.attention)
        throw Error(ErrorCode::InvalidParameter, "found merging by keys at a place without keys, expected it behind the attention of its block", "block " + std::to_string(look.block));
}

void matchingRow(const Look& look, std::int64_t token, float* to, std::int64_t headDim)
{
    const float* from = look.attention->k.data + token * look.attention->k.stride;
    const std::int64_t heads = look.attention->k.cols / headDim;
    std::copy_n(from, headDim, to);
    for (std::int64_t head = 1; head < heads; ++head)
        for (std::int64_t j = 0; j < headDim; ++j)
            to[j] += from[head * headDim + j];
    // the mean's divisor cancels in the normalised row
    double squares = 0;
    for (std::int64_t j = 0; j < headDim; ++j)
        squares += static_cast<double>(to[j]) * static_cast<double>(to[j]);
    const auto scale = static_cast<float>(squares > 0 ? 1.0 / std::sqrt(squares) : 0.0);
    for (std::int64_t j = 0; j < headDim; ++j)
        to[j] *= scale;
}

tensor::Matrix<float> unitRows(kernels::ConstRows x, const std::vector<std::int32_t>& tokens)
{
    tensor::Matrix<float> rows(static_cast<std::int64_t>(tokens.size()), x.cols);
    for (std::int64_t i = 0; i < rows.rows(); ++i) {
        const auto from = x.row(tokens[static_cast<std::size_t>(i)]);
        double squares = 0;
        for (const float value : from)
            squares += static_cast<double>(value) * static_cast<double>(value);
        const double scale = squares > 0 ? 1 / std::sqrt(squares) : 0;
        std::ranges::transform(from, rows.view().row(i).begin(), [scale](float value) { return static_cast<float>(static_cast<double>(value) * scale); });
    }
    return rows;
}

} // namespace tamis::tokens
