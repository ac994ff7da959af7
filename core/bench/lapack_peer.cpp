// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/bench/peers.h"

#include <lapacke.h>

#include <algorithm>

namespace tamis::bench {

std::vector<double> lapackSingularValues(tensor::Matrix<float>& a)
{
    std::vector<float> values(static_cast<std::size_t>(std::min(a.rows(), a.cols())));
    const auto rows = static_cast<lapack_int>(a.cols()), cols = static_cast<lapack_int>(a.rows());
    const lapack_int status = LAPACKE_sgesdd(LAPACK_COL_MAJOR, 'N', rows, cols, a.data(), rows, values.data(), nullptr, 1, nullptr, 1);
    if (status != 0)
        throw Error(ErrorCode::NonFinite, "LAPACK's sgesdd did not converge");
    return {values.begin(), values.end()};
}

std::vector<double> referenceSingularValues(tensor::MatrixView<const float> a)
{
    std::vector<double> copy(a.data, a.data + a.rows * a.cols), values(static_cast<std::size_t>(std::min(a.rows, a.cols)));
    const auto rows = static_cast<lapack_int>(a.cols), cols = static_cast<lapack_int>(a.rows);
    const lapack_int status = LAPACKE_dgesdd(LAPACK_COL_MAJOR, 'N', rows, cols, copy.data(), rows, values.data(), nullptr, 1, nullptr, 1);
    if (status != 0)
        throw Error(ErrorCode::NonFinite, "LAPACK's dgesdd did not converge");
    return values;
}

SingularVectors lapackSingularVectors(tensor::Matrix<float>& a)
{
    // Row-major A is column-major A^T = R S L^T: sgesdd's U are A's right vectors, its V^T A's left ones.
    const std::int64_t m = a.rows(), n = a.cols(), p = std::min(m, n);
    SingularVectors result{tensor::Matrix<float>(m, p), std::vector<float>(static_cast<std::size_t>(p)), tensor::Matrix<float>(p, n)};
    const lapack_int status = LAPACKE_sgesdd(LAPACK_COL_MAJOR, 'S', static_cast<lapack_int>(n), static_cast<lapack_int>(m), a.data(), static_cast<lapack_int>(n),
                                             result.values.data(), result.right.data(), static_cast<lapack_int>(n), result.left.data(), static_cast<lapack_int>(p));
    if (status != 0)
        throw Error(ErrorCode::NonFinite, "LAPACK's sgesdd did not converge");
    return result;
}

} // namespace tamis::bench
