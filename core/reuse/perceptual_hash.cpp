// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/perceptual_hash.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <numbers>
#include <vector>

namespace tamis::reuse {

namespace {
constexpr std::int64_t kSide = 32, kKept = 8; ///< of pHash: means and coefficients a side

/// Pixels of `from` that part i of `parts` equal ones has a share of.
struct Share {
    Share(std::int64_t i, std::int64_t parts, std::int64_t from) : begin(i * from / parts), end(((i + 1) * from + parts - 1) / parts), m_part(i), m_parts(parts), m_from(from) {}
    /// Exactly 1 where the part is all in one pixel.
    double of(std::int64_t pixel) const { return static_cast<double>(std::min((m_part + 1) * m_from, (pixel + 1) * m_parts) - std::max(m_part * m_from, pixel * m_parts)) / static_cast<double>(m_from); }
    std::int64_t begin, end;

private:
    std::int64_t m_part, m_parts, m_from;
};

/// cos(pi k (2 i + 1) / 64), [8, 32].
const tensor::Matrix<double>& cosines()
{
    static const tensor::Matrix<double> all = [] {
        tensor::Matrix<double> waves(kKept, kSide);
        for (std::int64_t k = 0; k < kKept; ++k)
            for (std::int64_t i = 0; i < kSide; ++i)
                waves(k, i) = std::cos(std::numbers::pi * static_cast<double>(k * (2 * i + 1)) / (2 * kSide));
        return waves;
    }();
    return all;
}

std::int64_t sharesOf(std::int64_t from, std::int64_t parts) noexcept
{
    std::int64_t count = 0;
    for (std::int64_t i = 0; i < parts; ++i) {
        const Share share(i, parts, from);
        count += share.end - share.begin;
    }
    return count;
}
} // namespace

tensor::Matrix<double> areaMeans(kernels::ConstRows grey, std::int64_t rows, std::int64_t cols)
{
    tensor::Matrix<double> across(grey.rows, cols), means(rows, cols);
    for (std::int64_t c = 0; c < cols; ++c) {
        const Share share(c, cols, grey.cols);
        for (std::int64_t x = share.begin; x < share.end; ++x)
            for (std::int64_t y = 0; y < grey.rows; ++y)
                across(y, c) += share.of(x) * static_cast<double>(grey(y, x));
    }
    for (std::int64_t r = 0; r < rows; ++r) {
        const Share share(r, rows, grey.rows);
        for (std::int64_t y = share.begin; y < share.end; ++y)
            for (std::int64_t c = 0; c < cols; ++c)
                means(r, c) += share.of(y) * across(y, c);
    }
    return means;
}

double areaMeansMacs(std::int64_t fromRows, std::int64_t fromCols, std::int64_t rows, std::int64_t cols) noexcept
{
    return static_cast<double>(fromRows * sharesOf(fromCols, cols) + sharesOf(fromRows, rows) * cols);
}

double differenceHashMacs(std::int64_t rows, std::int64_t cols) noexcept { return areaMeansMacs(rows, cols, 8, 9) + 64; }

double cosineHashMacs(std::int64_t rows, std::int64_t cols) noexcept
{
    return areaMeansMacs(rows, cols, kSide, kSide) + static_cast<double>(kSide * kKept * kSide + kKept * kKept * kSide) + 63 + 64;
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
    const auto means = areaMeans(grey, kSide, kSide);
    const tensor::Matrix<double>& waves = cosines();
    tensor::Matrix<double> across(kSide, kKept);
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
