// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Exact attention over the keys that a query may see, in double, score by score: what windows and patterns are held against.
#include "core/tensor/matrix.h"

#include <cmath>
#include <cstdint>
#include <functional>
#include <vector>

namespace tamis::test {

using SeenKeys = std::function<bool(std::int64_t query, std::int64_t key)>;

/// A query that sees nothing is a row of NaN.
inline tensor::Matrix<float> maskedAttention(const tensor::Matrix<float>& q, const tensor::Matrix<float>& k, const tensor::Matrix<float>& v, double scale, const SeenKeys& seen)
{
    tensor::Matrix<float> out(q.rows(), v.cols());
    for (std::int64_t i = 0; i < q.rows(); ++i) {
        std::vector<double> row(static_cast<std::size_t>(v.cols()));
        double all = 0;
        for (std::int64_t j = 0; j < k.rows(); ++j) {
            if (!seen(i, j))
                continue;
            double score = 0;
            for (std::int64_t d = 0; d < q.cols(); ++d)
                score += static_cast<double>(q(i, d)) * static_cast<double>(k(j, d));
            const double weight = std::exp(scale * score); // scores of a few units: no shift is needed in double
            all += weight;
            for (std::int64_t c = 0; c < v.cols(); ++c)
                row[static_cast<std::size_t>(c)] += weight * static_cast<double>(v(j, c));
        }
        for (std::int64_t c = 0; c < v.cols(); ++c)
            out(i, c) = static_cast<float>(row[static_cast<std::size_t>(c)] / all);
    }
    return out;
}

/// Pairs of a query and a key that `seen` allows.
inline std::uint64_t pairs(std::int64_t tokens, const SeenKeys& seen)
{
    std::uint64_t count = 0;
    for (std::int64_t i = 0; i < tokens; ++i)
        for (std::int64_t j = 0; j < tokens; ++j)
            count += seen(i, j) ? 1 : 0;
    return count;
}

} // namespace tamis::test
