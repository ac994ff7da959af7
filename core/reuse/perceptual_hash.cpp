// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/perceptual_hash.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <vector>

namespace tamis::reuse {

namespace {
/// Share of pixel i in [begin, end).
double overlap(std::int64_t i, double begin, double end) { return std::max(0.0, std::min(end, static_cast<double>(i + 1)) - std::max(begin, static_cast<double>(i))); }
} // namespace

tensor::Matrix<double> areaMeans(kernels::ConstRows grey, std::int64_t rows, std::int64_t cols)
{
    tensor::Matrix<double> across(grey.rows, cols), means(rows, cols);
    const double stepX = static_cast<double>(grey.cols) / static_cast<double>(cols), stepY = static_cast<double>(grey.rows) / static_cast<double>(rows);
    for (std::int64_t c = 0; c < cols; ++c) {
        const double begin = static_cast<double>(c) * stepX, end = begin + stepX;
        for (auto x = static_cast<std::int64_t>(begin); x < std::min(grey.cols, static_cast<std::int64_t>(std::ceil(end))); ++x)
            for (std::int64_t y = 0; y < grey.rows; ++y)
                across(y, c) += overlap(x, begin, end) / stepX * static_cast<double>(grey(y, x));
    }
    for (std::int64_t r = 0; r < rows; ++r) {
        const double begin = static_cast<double>(r) * stepY, end = begin + stepY;
        for (auto y = static_cast<std::int64_t>(begin); y < std::min(grey.rows, static_cast<std::int64_t>(std::ceil(end))); ++y)
            for (std::int64_t c = 0; c < cols; ++c)
                means(r, c) += overlap(y, begin, end) / stepY * across(y, c);
    }
    return means;
}

std::uint64_t differenceHash(kernels::ConstRows grey)
{
    const auto means = areaMeans(grey, 8, 9);
    std::uint64_t bits = 0;
    for (std::int64_t r = 0; r < 8; ++r)
        for (std::int64_t c = 0; c < 8; ++c)
            bits |= static_cast<std::uint64_t>(means(r, c) < means(r, c + 1)) << static_cast<unsigned>(8 * r + c);
    return bits;
}

std::uint64_t cosineHash(kernels::ConstRows grey)
{
    constexpr std::int64_t kSide = 32, kKept = 8;
    const auto means = areaMeans(grey, kSide, kSide);
    tensor::Matrix<double> across(kSide, kKept), waves(kKept, kSide);
    for (std::int64_t k = 0; k < kKept; ++k)
        for (std::int64_t i = 0; i < kSide; ++i)
            waves(k, i) = std::cos(std::numbers::pi * static_cast<double>(k * (2 * i + 1)) / (2 * kSide));
    for (std::int64_t y = 0; y < kSide; ++y)
        for (std::int64_t k = 0; k < kKept; ++k)
            for (std::int64_t x = 0; x < kSide; ++x)
                across(y, k) += waves(k, x) * means(y, x);
    std::vector<double> coefficients(kKept * kKept);
    for (std::int64_t k = 0; k < kKept; ++k)
        for (std::int64_t c = 0; c < kKept; ++c)
            for (std::int64_t y = 0; y < kSide; ++y)
                coefficients[static_cast<std::size_t>(k * kKept + c)] += waves(k, y) * across(y, c);
    std::vector<double> sorted(coefficients.begin() + 1, coefficients.end());
    std::ranges::nth_element(sorted, sorted.begin() + 31);
    const double median = sorted[31];
    std::uint64_t bits = 0;
    for (std::size_t i = 0; i < coefficients.size(); ++i)
        bits |= static_cast<std::uint64_t>(coefficients[i] > median) << i;
    return bits;
}

int hammingDistance(std::uint64_t a, std::uint64_t b) noexcept { return std::popcount(a ^ b); }

} // namespace tamis::reuse
