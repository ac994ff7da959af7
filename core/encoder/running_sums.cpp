// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/running_sums.h"

#include "core/base/parallel.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis::encoder {
namespace {
constexpr std::int64_t kErrorRows = 256; // of one task

/// Of two sets of na and nb rows, the spread of both about their common mean; the first becomes both.
void merge(double& mean, double& spread, double na, double otherMean, double otherSpread, double nb)
{
    const double difference = otherMean - mean;
    spread += otherSpread + difference * difference * (na * nb / (na + nb));
    mean += difference * (nb / (na + nb));
}
} // namespace

void CompensatedSum::add(double term) noexcept
{
    const double sum = m_sum + term;
    m_lost += std::abs(m_sum) >= std::abs(term) ? (m_sum - sum) + term : (term - sum) + m_sum;
    m_sum = sum;
}

RowSpread::RowSpread(std::int64_t width)
    : m_mean(static_cast<std::size_t>(width)), m_spread(m_mean.size()), m_tileMean(m_mean.size()), m_tileSpread(m_mean.size())
{
}

void RowSpread::addColumns(tensor::MatrixView<const float> rows, std::size_t begin, std::size_t end)
{
    std::int64_t merged = m_merged, open = m_open;
    for (std::int64_t row = 0; row < rows.rows; ++row) {
        const float* x = rows.row(row).data();
        const double share = 1.0 / static_cast<double>(++open);
        for (std::size_t j = begin; j < end; ++j) {
            const double value = static_cast<double>(x[j]), before = value - m_tileMean[j];
            m_tileMean[j] += before * share;
            m_tileSpread[j] += before * (value - m_tileMean[j]);
        }
        if (open < kTileRows)
            continue;
        for (std::size_t j = begin; j < end; ++j) {
            merge(m_mean[j], m_spread[j], static_cast<double>(merged), m_tileMean[j], m_tileSpread[j], static_cast<double>(open));
            m_tileMean[j] = m_tileSpread[j] = 0;
        }
        merged += open;
        open = 0;
    }
}

void RowSpread::add(tensor::MatrixView<const float> rows, const RunContext& context)
{
    const std::size_t width = m_mean.size(), tasks = (width + kColumns - 1) / kColumns;
    parallelFor(context, tasks, [&](std::size_t task) { addColumns(rows, task * kColumns, std::min<std::size_t>(width, (task + 1) * kColumns)); });
    m_open += rows.rows;
    m_merged += m_open / kTileRows * kTileRows;
    m_open %= kTileRows;
}

double RowSpread::total() const
{
    CompensatedSum sum;
    for (std::size_t j = 0; j < m_mean.size(); ++j) {
        double mean = m_mean[j], spread = m_spread[j];
        if (m_open > 0)
            merge(mean, spread, static_cast<double>(m_merged), m_tileMean[j], m_tileSpread[j], static_cast<double>(m_open));
        sum.add(spread);
    }
    return sum.value();
}

void SquaredErrors::add(tensor::MatrixView<const float> rows, tensor::MatrixView<const float> reconstructions, const RunContext& context)
{
    std::vector<double> errors(static_cast<std::size_t>(rows.rows));
    const std::int64_t tasks = (rows.rows + kErrorRows - 1) / kErrorRows;
    parallelFor(context, static_cast<std::size_t>(tasks), [&](std::size_t task) {
        const std::int64_t begin = static_cast<std::int64_t>(task) * kErrorRows;
        for (std::int64_t t = begin; t < std::min(rows.rows, begin + kErrorRows); ++t) {
            double error = 0;
            for (std::int64_t j = 0; j < rows.cols; ++j) {
                const double difference = static_cast<double>(rows(t, j)) - static_cast<double>(reconstructions(t, j));
                error += difference * difference;
            }
            errors[static_cast<std::size_t>(t)] = error;
        }
    });
    for (const double error : errors)
        m_sum.add(error);
}

double unexplained(double error, double spread)
{
    if (spread > 0)
        return error / spread;
    return error > 0 ? std::numeric_limits<double>::infinity() : 0.0;
}

} // namespace tamis::encoder
