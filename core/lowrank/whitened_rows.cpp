// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/lowrank/whitened_rows.h"

#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/linalg/whitening.h"

#include <algorithm>

namespace tamis::lowrank {
namespace {
using linalg::Op;
using tensor::Matrix;
constexpr double kTieBreak = 1e-12; // of the mean diagonal: orders what C does not see, moves nothing that it does
} // namespace

WhitenedRows::WhitenedRows(const Matrix<double>& weight, const Matrix<double>& c, const RunContext& context)
    : m_mostRank(std::min(weight.rows(), weight.cols()))
{
    const Matrix<double> seen = linalg::product(weight.view(), linalg::withRidge(c, kTieBreak * linalg::meanDiagonal(c)).view(), context);
    m_vectors = linalg::symmetricEigen(linalg::product(Op::None, Op::Transpose, seen.view(), weight.view(), context), context).vectors;
    m_reader = linalg::product(m_vectors.view(), weight.view(), context);
}

WhitenedRows::Factors WhitenedRows::factors(std::int64_t rank) const
{
    if (rank < 1 || rank > m_mostRank)
        throw Error(ErrorCode::InvalidParameter, "a rank of " + std::to_string(rank) + " was asked for, expected 1 to " + std::to_string(m_mostRank));
    Factors made{Matrix<double>(m_vectors.cols(), rank), Matrix<double>(rank, m_reader.cols())};
    for (std::int64_t i = 0; i < rank; ++i) {
        for (std::int64_t j = 0; j < m_vectors.cols(); ++j)
            made.b(j, i) = m_vectors(i, j);
        std::copy_n(&m_reader(i, 0), m_reader.cols(), &made.a(i, 0));
    }
    return made;
}

} // namespace tamis::lowrank
