// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Products of Householder reflectors in LAPACK's storage (column-major, unit lower trapezoidal, tau), applied by blocks.
// Private to linalg.
#include "core/base/run_context.h"

#include <cstdint>
#include <vector>

namespace tamis::linalg {

/// H_0 H_1 ... H_{count-1}: reflector j acts on rows first + j ... rows - 1; its vector stands in column j of `v` from row
/// first + j on (the leading 1 is implied). Borrowed memory.
struct Reflectors {
    const double* v = nullptr; ///< column-major, leading dimension `stride`
    std::int64_t stride = 0, rows = 0, count = 0, first = 0;
    const double* tau = nullptr;
};

/// The triangular factors of the blocks of 64 reflectors, made once and used for every tile.
class BlockReflectors {
public:
    explicit BlockReflectors(const Reflectors& reflectors);
    /// C = H_0 H_1 ... C for the columns [begin, end) of the column-major `c`; a stop is seen between blocks. Blocks whose
    /// first reflector is not below `firstIdentityRow` are skipped: C's columns are zero from that row on.
    void apply(double* c, std::int64_t stride, std::int64_t begin, std::int64_t end, std::int64_t firstIdentityRow,
               const RunContext& context) const;

private:
    Reflectors m_reflectors;
    std::vector<double> m_factors;
};

/// One block: C = (I - V T^op V^T) C for V [rows, count], T [count, count], C [rows, columns], all column-major.
void applyBlock(bool transposed, std::int64_t rows, std::int64_t columns, std::int64_t count, const double* v,
                std::int64_t strideV, const double* t, std::int64_t strideT, double* c, std::int64_t strideC);
/// T of a block (LAPACK dlarft, forward, columnwise).
void blockFactor(std::int64_t rows, std::int64_t count, const double* v, std::int64_t strideV, const double* tau, double* t,
                 std::int64_t strideT);

} // namespace tamis::linalg
