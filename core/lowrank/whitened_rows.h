// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/base/run_context.h"
#include "core/tensor/matrix.h"

#include <cstdint>

namespace tamis::lowrank {

/// The whitened factors of any rows of an operator, prepared for every rank: U_r and U_r^T W, U the eigenvectors of W C W^T. What
/// spectrum.whitened gives for a whole matrix (docs/methods/spectrum.whitened.md), here for the q and k rows of a fused one too.
class WhitenedRows {
public:
    /// `weight` [m, n]; `c` [n, n] with its ridge. Directions that C does not see are ordered by the weight's own energy.
    WhitenedRows(const tensor::Matrix<double>& weight, const tensor::Matrix<double>& c, const RunContext& context);
    struct Factors {
        tensor::Matrix<double> b, a; ///< [m, r], [r, n]
    };
    Factors factors(std::int64_t rank) const; ///< Error{InvalidParameter} outside 1 .. mostRank()
    std::int64_t mostRank() const noexcept { return m_mostRank; }

private:
    tensor::Matrix<double> m_vectors, m_reader; ///< [m, m]: row i is u_i; [m, n]: u_i^T W
    std::int64_t m_mostRank;
};

} // namespace tamis::lowrank
