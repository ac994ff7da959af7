// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/dobi_ranks.h"

#include "core/base/error.h"
#include "core/plan/accounting.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

namespace tamis::lowrank {

RankBudget::RankBudget(plan::Accounting accounting, double keep, std::int64_t alignment, std::vector<MatrixShape> shapes, std::int64_t fixedDense, std::int64_t fixedUnits)
    : m_accounting(accounting), m_keep(keep), m_alignment(alignment), m_shapes(std::move(shapes))
{
    if (alignment < 1)
        throw Error(ErrorCode::InvalidParameter, "found an alignment of " + std::to_string(alignment) + ", expected 1 at least", "budget");
    std::int64_t least = 0;
    for (std::size_t i = 0; i < m_shapes.size(); ++i) {
        m_largest.push_back(plan::largestUsefulRank(accounting, m_shapes[i].rows, m_shapes[i].cols) / alignment * alignment);
        m_dense += unitsOf(i, kStaysDense);
        least += unitsOf(i, m_largest.back() > 0 ? alignment : kStaysDense);
    }
    m_allowed = plan::unitsForKeep(keep, m_dense + fixedDense) - fixedUnits;
    if (least > m_allowed)
        throw Error(ErrorCode::InvalidParameter, "keep " + std::to_string(keep) + " leaves " + std::to_string(m_allowed) + " units for the matrices to compress, expected " +
                                                     std::to_string(least) + " at least, which the smallest ranks take", "budget");
}

std::int64_t RankBudget::unitsOf(std::size_t matrix, std::int64_t rank) const
{
    const auto [m, n] = m_shapes[matrix];
    return rank == kStaysDense ? plan::budgetUnitsDense(m_accounting, m, n) : plan::budgetUnits(m_accounting, m, n, rank);
}

std::int64_t RankBudget::units(const std::vector<std::int64_t>& ranks) const
{
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < ranks.size(); ++i)
        sum += unitsOf(i, ranks[i]);
    return sum;
}

RankBudget::Share RankBudget::share(std::size_t matrix) const
{
    const auto m = static_cast<double>(m_shapes[matrix].rows), n = static_cast<double>(m_shapes[matrix].cols), all = static_cast<double>(m_dense);
    if (m_accounting == plan::Accounting::Remapped)
        return {2 * std::max(m, n) / all, 0};
    return {(m + n) / all, m_accounting == plan::Accounting::BlockIdentity ? -1 / all : 0};
}

std::vector<std::int64_t> RankBudget::uniform() const
{
    std::vector<std::int64_t> ranks;
    for (std::size_t i = 0; i < m_shapes.size(); ++i) {
        const std::int64_t rank = plan::rankForKeep(m_accounting, m_shapes[i].rows, m_shapes[i].cols, m_keep) / m_alignment * m_alignment;
        ranks.push_back(std::max(rank, m_alignment) <= m_largest[i] ? std::max(rank, m_alignment) : kStaysDense);
    }
    return ranks;
}

std::vector<std::int64_t> RankBudget::scaled(const std::vector<double>& wanted, double factor) const
{
    std::vector<std::int64_t> ranks;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
        const double most = static_cast<double>(m_largest[i]) + static_cast<double>(m_alignment);
        const auto steps = static_cast<std::int64_t>(std::min(std::max(wanted[i], 0.0) * factor, most) / static_cast<double>(m_alignment));
        const std::int64_t rank = std::max<std::int64_t>(1, steps) * m_alignment;
        ranks.push_back(rank <= m_largest[i] ? rank : kStaysDense);
    }
    return ranks;
}

std::vector<std::int64_t> RankBudget::whole(const std::vector<double>& wanted) const
{
    double low = 0, high = 1;
    for (int step = 0; step < 60 && units(scaled(wanted, high)) <= m_allowed; ++step)
        high *= 2;
    if (units(scaled(wanted, high)) <= m_allowed)
        low = high; // all that is wanted fits
    for (int step = 0; step < 100 && low < high; ++step) {
        const double middle = (low + high) / 2;
        (units(scaled(wanted, middle)) <= m_allowed ? low : high) = middle;
    }
    std::vector<std::int64_t> ranks = scaled(wanted, low);
    std::int64_t left = m_allowed - units(ranks);
    const auto next = [&](std::size_t i) { return ranks[i] + m_alignment <= m_largest[i] ? ranks[i] + m_alignment : kStaysDense; };
    for (bool grown = true; grown;) { // the rest goes where rounding down took most
        grown = false;
        std::vector<std::size_t> order(ranks.size());
        std::iota(order.begin(), order.end(), std::size_t{0});
        std::ranges::stable_sort(order, std::greater(), [&](std::size_t i) { return wanted[i] * low - static_cast<double>(ranks[i]); });
        for (const std::size_t i : order) {
            if (ranks[i] == kStaysDense)
                continue;
            const std::int64_t price = unitsOf(i, next(i)) - unitsOf(i, ranks[i]);
            if (price > left)
                continue;
            ranks[i] = next(i);
            left -= price;
            grown = true;
            break;
        }
    }
    return ranks;
}

} // namespace tamis::lowrank
