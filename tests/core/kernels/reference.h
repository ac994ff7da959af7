// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Random inputs and plain double-precision twins of the kernels.
#include "core/kernels/attention_kernel.h"

#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

namespace tamis::kernels::reference {

inline tensor::Matrix<float> randomMatrix(std::int64_t rows, std::int64_t cols, unsigned seed, float spread = 1)
{
    std::mt19937 engine(seed);
    std::normal_distribution<float> normal(0, spread);
    tensor::Matrix<float> m(rows, cols);
    for (float& v : m.values())
        v = normal(engine);
    return m;
}

inline double activate(Activation activation, double x)
{
    switch (activation) {
    case Activation::None: return x;
    case Activation::Gelu: return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::GeluTanh: return 0.5 * x * (1 + std::tanh(std::sqrt(2 / M_PI) * (x + 0.044715 * x * x * x)));
    case Activation::QuickGelu: return x / (1 + std::exp(-1.702 * x));
    case Activation::Relu: return x > 0 ? x : 0;
    case Activation::Silu: return x / (1 + std::exp(-x));
    case Activation::Tanh: return std::tanh(x);
    }
    return x;
}

/// Probabilities of one head, by the definition.
inline std::vector<std::vector<double>> probabilities(const AttentionShape& s, ConstRows q, ConstRows k, std::int64_t head)
{
    std::vector<std::vector<double>> p(static_cast<std::size_t>(q.rows), std::vector<double>(static_cast<std::size_t>(k.rows)));
    const std::int64_t keyHead = head / (s.heads / s.keyValueHeads);
    for (std::int64_t i = 0; i < q.rows; ++i) {
        auto& row = p[static_cast<std::size_t>(i)];
        double top = -1e300, sum = 0;
        for (std::int64_t j = 0; j < k.rows; ++j) {
            const std::int64_t last = i + k.rows - q.rows;
            const bool seen = !s.causal || (j <= last && (s.slidingWindow == 0 || j > last - s.slidingWindow));
            double score = 0;
            for (std::int64_t d = 0; d < s.headDim; ++d)
                score += double(q(i, head * s.headDim + d)) * k(j, keyHead * s.headDim + d);
            score = score * s.scale + (s.bias ? s.bias[head * s.biasHeadStride + i * s.biasRowStride + j] : 0);
            row[static_cast<std::size_t>(j)] = seen ? score : -INFINITY;
            top = std::max(top, row[static_cast<std::size_t>(j)]);
        }
        for (double& v : row)
            sum += v = std::exp(v - top);
        for (double& v : row)
            v /= sum;
    }
    return p;
}

} // namespace tamis::kernels::reference
