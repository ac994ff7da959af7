// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/reuse/token_hash.h"

#include "core/base/split_mix.h"
#include "core/linalg/symmetric_eigen.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace tamis::reuse {

PrincipalAxes::PrincipalAxes(kernels::ConstRows rows, std::int64_t components, const RunContext& context)
{
    const std::int64_t width = rows.cols;
    std::vector<double> mean(static_cast<std::size_t>(width));
    for (std::int64_t i = 0; i < rows.rows; ++i)
        for (std::int64_t j = 0; j < width; ++j)
            mean[static_cast<std::size_t>(j)] += static_cast<double>(rows(i, j)) / static_cast<double>(rows.rows);
    tensor::Matrix<double> covariance(width, width);
    std::vector<double> centred(static_cast<std::size_t>(width));
    for (std::int64_t i = 0; i < rows.rows; ++i) {
        context.throwIfStopped();
        for (std::int64_t j = 0; j < width; ++j)
            centred[static_cast<std::size_t>(j)] = static_cast<double>(rows(i, j)) - mean[static_cast<std::size_t>(j)];
        for (std::int64_t j = 0; j < width; ++j)
            for (std::int64_t k = j; k < width; ++k)
                covariance(j, k) += centred[static_cast<std::size_t>(j)] * centred[static_cast<std::size_t>(k)];
    }
    const auto eigen = linalg::symmetricEigen(std::move(covariance), RunContext(context.stopToken())); // progress is the caller's
    m_axes = tensor::Matrix<float>(std::min(components, width), width);
    for (std::int64_t c = 0; c < m_axes.rows(); ++c)
        for (std::int64_t j = 0; j < width; ++j)
            m_axes(c, j) = static_cast<float>(eigen.vectors(c, j));
    m_mean.assign(mean.begin(), mean.end());
}

double PrincipalAxes::fitMacs(std::int64_t rows, std::int64_t width) noexcept
{
    return static_cast<double>(rows * width) * (2 + 0.5 * static_cast<double>(width + 1)) + linalg::symmetricEigenMacs(width);
}

void PrincipalAxes::project(std::span<const float> row, std::span<float> to) const
{
    std::vector<float> centred(m_mean.size());
    for (std::size_t j = 0; j < centred.size(); ++j)
        centred[j] = row[j] - m_mean[j];
    for (std::int64_t c = 0; c < m_axes.rows(); ++c) {
        float sum = 0;
        for (std::int64_t j = 0; j < m_axes.cols(); ++j)
            sum += m_axes(c, j) * centred[static_cast<std::size_t>(j)];
        to[static_cast<std::size_t>(c)] = sum;
    }
}

Hyperplanes::Hyperplanes(std::int64_t tables, std::int64_t bits, std::int64_t width, std::uint64_t seed) : m_tables(tables), m_bits(bits), m_directions(tables * bits, width)
{
    std::uint64_t state = seed;
    const auto uniform = [&] { return (static_cast<double>(nextBits(state) >> 11U) + 0.5) * 0x1p-53; };
    for (float& value : m_directions.values()) { // Box and Muller
        const double radius = std::sqrt(-2 * std::log(uniform()));
        value = static_cast<float>(radius * std::cos(2 * std::numbers::pi * uniform()));
    }
}

std::vector<std::uint64_t> Hyperplanes::keys(std::span<const float> vector) const
{
    std::vector<std::uint64_t> keys(static_cast<std::size_t>(m_tables));
    for (std::int64_t row = 0; row < m_directions.rows(); ++row) {
        float sum = 0;
        for (std::int64_t j = 0; j < m_directions.cols(); ++j)
            sum += m_directions(row, j) * vector[static_cast<std::size_t>(j)];
        keys[static_cast<std::size_t>(row / m_bits)] |= static_cast<std::uint64_t>(sum > 0) << static_cast<unsigned>(row % m_bits);
    }
    return keys;
}

} // namespace tamis::reuse
