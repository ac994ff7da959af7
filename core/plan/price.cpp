// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/price.h"

#include "core/base/error.h"

#include <algorithm>
#include <cmath>

namespace tamis::plan {
namespace {

constexpr double kLongestMs = 1e8; // a day: sums of nanoseconds stay far below 2^53

std::int64_t nanoseconds(double ms) { return std::llround(ms * 1e6); }

void requireCurve(const LatencyCurve* curve, std::int64_t last)
{
    if (!curve)
        throw Error(ErrorCode::InvalidParameter, "a budget of latency needs the predicted time of every matrix at each rank", "unit");
    const auto possible = [](double ms) { return ms >= 0 && ms <= kLongestMs; };
    if (!possible(curve->dense) || !std::ranges::all_of(curve->ms, possible) || !std::ranges::is_sorted(curve->ms) ||
        static_cast<std::int64_t>(curve->ms.size()) <= last)
        throw Error(ErrorCode::InvalidParameter,
                    "found predicted times of " + std::to_string(curve->ms.size()) + " ranks, expected " + std::to_string(last + 1) +
                        " that are finite and do not fall",
                    "latency");
}

} // namespace

Price::Price(Accounting accounting, BudgetUnit unit, std::int64_t m, std::int64_t n, std::uint64_t elementBytes, const LatencyCurve* latency)
    : m_accounting(accounting), m_unit(unit), m_rows(m), m_cols(n), m_elementBytes(elementBytes), m_latency(latency)
{
    m_useful = largestUsefulRank(accounting, m, n);
    switch (unit) {
    case BudgetUnit::Parameters: m_dense = budgetUnitsDense(accounting, m, n); break;
    case BudgetUnit::Bytes: m_dense = static_cast<std::int64_t>(costDense(m, n, elementBytes).bytes); break;
    case BudgetUnit::Macs: m_dense = static_cast<std::int64_t>(costDense(m, n, elementBytes).macs); break;
    case BudgetUnit::Latency:
        requireCurve(latency, m_useful);
        m_dense = nanoseconds(latency->dense);
        break;
    }
    std::int64_t cheaper = 0, dearer = m_useful + 1; // costs do not fall as the rank grows
    while (dearer - cheaper > 1) {
        const std::int64_t middle = cheaper + (dearer - cheaper) / 2;
        (unchecked(middle) < m_dense ? cheaper : dearer) = middle;
    }
    m_largest = cheaper;
}

std::int64_t Price::unchecked(std::int64_t rank) const
{
    switch (m_unit) {
    case BudgetUnit::Parameters: return budgetUnits(m_accounting, m_rows, m_cols, rank);
    case BudgetUnit::Bytes: return static_cast<std::int64_t>(costOfRank(m_accounting, m_rows, m_cols, rank, m_elementBytes).bytes);
    case BudgetUnit::Macs: return static_cast<std::int64_t>(costOfRank(m_accounting, m_rows, m_cols, rank, m_elementBytes).macs);
    case BudgetUnit::Latency: return nanoseconds(m_latency->ms[static_cast<std::size_t>(rank)]);
    }
    return 0;
}

std::int64_t Price::of(std::int64_t rank) const
{
    if (rank < 1 || rank > m_useful)
        throw Error(ErrorCode::InvalidParameter, "found rank " + std::to_string(rank) + ", expected 1 to " + std::to_string(m_useful), "price");
    return unchecked(rank);
}

} // namespace tamis::plan
