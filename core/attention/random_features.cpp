// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/attention/random_features.h"

#include "core/linalg/qr.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace tamis::attention {
namespace {
tensor::Matrix<double> gaussian(std::int64_t rows, std::int64_t cols, std::mt19937_64& random)
{
    std::normal_distribution<double> normal;
    tensor::Matrix<double> g(rows, cols);
    for (std::size_t i = 0; i < g.size(); ++i)
        g.data()[i] = normal(random);
    return g;
}

/// Columns orthonormal and distributed evenly over all such matrices: the sign of R's diagonal goes into Q (Mezzadri 2007).
tensor::Matrix<double> haar(std::int64_t dim, std::mt19937_64& random)
{
    linalg::ThinQr qr = linalg::thinQr(gaussian(dim, dim, random).view());
    for (std::int64_t j = 0; j < dim; ++j)
        if (qr.r(j, j) < 0)
            for (std::int64_t i = 0; i < dim; ++i)
                qr.q(i, j) = -qr.q(i, j);
    return std::move(qr.q);
}
} // namespace

tensor::Matrix<float> randomDirections(std::int64_t count, std::int64_t dim, Directions kind, std::uint64_t seed)
{
    std::mt19937_64 random(seed);
    tensor::Matrix<float> result(count, dim);
    if (kind == Directions::Independent) {
        const tensor::Matrix<double> g = gaussian(count, dim, random);
        std::transform(g.data(), g.data() + g.size(), result.data(), [](double value) { return static_cast<float>(value); });
        return result;
    }
    for (std::int64_t first = 0; first < count; first += dim) {
        const tensor::Matrix<double> q = haar(dim, random);
        for (std::int64_t i = 0; i < std::min(dim, count - first); ++i) {
            double length = std::sqrt(static_cast<double>(dim));
            if (kind == Directions::Orthogonal) {
                const tensor::Matrix<double> g = gaussian(1, dim, random);
                length = 0;
                for (std::int64_t j = 0; j < dim; ++j)
                    length += g(0, j) * g(0, j);
                length = std::sqrt(length);
            }
            for (std::int64_t j = 0; j < dim; ++j)
                result(first + i, j) = static_cast<float>(length * q(j, i));
        }
    }
    return result;
}

std::uint64_t seedFor(const Inputs& inputs, std::uint64_t draw)
{
    const auto mixed = [](std::uint64_t x) { // SplitMix64 (Steele, Lea, Flood 2014)
        x += 0x9E3779B97F4A7C15ULL;
        x = (x ^ (x >> 30U)) * 0xBF58476D1CE4E5B9ULL;
        x = (x ^ (x >> 27U)) * 0x94D049BB133111EBULL;
        return x ^ (x >> 31U);
    };
    return mixed(mixed(mixed(mixed(inputs.seed) + draw) + static_cast<std::uint64_t>(inputs.block)) + static_cast<std::uint64_t>(inputs.head));
}

} // namespace tamis::attention
