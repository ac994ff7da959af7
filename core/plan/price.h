// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the forms of one matrix cost in the unit of a budget. Internal to core/plan.
#include "core/plan/accounting.h"
#include "core/plan/latency_curve.h"

#include <cstdint>

namespace tamis::plan {

class Price {
public:
    /// `elementBytes` is read for Bytes, `latency` (it must outlive this) for Latency, which must have it. Throws
    /// Error{InvalidParameter} for a shape that cannot be and for a curve that is too short, falls or is not finite.
    Price(Accounting accounting, BudgetUnit unit, std::int64_t m, std::int64_t n, std::uint64_t elementBytes, const LatencyCurve* latency = nullptr);

    /// Whole units; latency in nanoseconds. Grows with the rank, not always strictly.
    std::int64_t of(std::int64_t rank) const; ///< 1 <= rank <= the accounting's largest useful rank
    std::int64_t dense() const noexcept { return m_dense; }
    /// Largest rank that is useful in the accounting and strictly cheaper than dense in the unit; 0 when there is none.
    std::int64_t largestRank() const noexcept { return m_largest; }

private:
    std::int64_t unchecked(std::int64_t rank) const;
    Accounting m_accounting;
    BudgetUnit m_unit;
    std::int64_t m_rows, m_cols;
    std::uint64_t m_elementBytes;
    const LatencyCurve* m_latency;
    std::int64_t m_dense = 0, m_useful = 0, m_largest = 0;
};

} // namespace tamis::plan
