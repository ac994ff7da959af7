// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Trained, fractional ranks and the whole ones that a budget allows. Pure functions of numbers. Private to the lab.
#include "core/plan/allocate.h"

#include <cstdint>
#include <vector>

namespace tamis::lowrank {

inline constexpr std::int64_t kStaysDense = 0; ///< in the place of a rank

struct MatrixShape {
    std::int64_t rows = 0, cols = 0;
};

class RankBudget {
public:
    /// `keep` of the dense units of `shapes` and of `fixedDense`, of which `fixedUnits` are spent already. Throws
    /// Error{InvalidParameter} when not even the smallest ranks fit (found, expected), and for an alignment below 1.
    RankBudget(plan::Accounting accounting, double keep, std::int64_t alignment, std::vector<MatrixShape> shapes, std::int64_t fixedDense = 0, std::int64_t fixedUnits = 0);

    std::size_t size() const noexcept { return m_shapes.size(); }
    std::int64_t largest(std::size_t matrix) const { return m_largest[matrix]; } ///< useful rank, a multiple of the alignment; 0: none is
    std::int64_t allowed() const noexcept { return m_allowed; }                  ///< units
    std::int64_t dense() const noexcept { return m_dense; }                      ///< units of `shapes`
    double target() const noexcept { return static_cast<double>(m_allowed) / static_cast<double>(m_dense); }
    /// Units of a fractional rank over dense(): linear r + quadratic r^2.
    struct Share {
        double linear = 0, quadratic = 0;
    };
    Share share(std::size_t matrix) const;
    std::int64_t units(const std::vector<std::int64_t>& ranks) const; ///< kStaysDense counts as dense

    /// The same keep for all (as lowrank::chooseRanks() gives).
    std::vector<std::int64_t> uniform() const;
    /// Whole, aligned ranks in proportion to `wanted` that use the budget up: no further alignment of any matrix fits. A matrix whose
    /// share goes beyond its largest useful rank stays dense. Deterministic.
    std::vector<std::int64_t> whole(const std::vector<double>& wanted) const;

private:
    std::int64_t unitsOf(std::size_t matrix, std::int64_t rank) const;
    std::vector<std::int64_t> scaled(const std::vector<double>& wanted, double factor) const;
    plan::Accounting m_accounting;
    double m_keep;
    std::int64_t m_alignment;
    std::vector<MatrixShape> m_shapes;
    std::vector<std::int64_t> m_largest;
    std::int64_t m_dense = 0, m_allowed = 0;
};

} // namespace tamis::lowrank
