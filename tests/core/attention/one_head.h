// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// One head for the tests of attention rules.
#include "core/attention/head_rule.h"

#include <cmath>
#include <cstdint>
#include <random>

namespace tamis::test {

inline tensor::Matrix<float> mixed(const attention::HeadRule& rule, const attention::HeadShape& shape, const tensor::Matrix<float>& q, const tensor::Matrix<float>& k, const tensor::Matrix<float>& v)
{
    tensor::Matrix<float> out(q.rows(), v.cols());
    nn::Scratch scratch(false);
    rule.mix(shape, q.view(), k.view(), v.view(), out.view(), scratch);
    return out;
}

inline tensor::Matrix<float> normalRows(std::int64_t rows, std::int64_t cols, double deviation, std::uint64_t seed)
{
    std::mt19937_64 random(seed);
    std::normal_distribution<double> normal(0, deviation);
    tensor::Matrix<float> x(rows, cols);
    for (float& value : x.values())
        value = static_cast<float>(normal(random));
    return x;
}

/// |a - b|_F / |b|_F
inline double relativeError(const tensor::Matrix<float>& a, const tensor::Matrix<float>& b)
{
    double difference = 0, norm = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
        const double d = static_cast<double>(a.data()[i]) - static_cast<double>(b.data()[i]);
        difference += d * d;
        norm += static_cast<double>(b.data()[i]) * static_cast<double>(b.data()[i]);
    }
    return std::sqrt(difference / norm);
}

} // namespace tamis::test
