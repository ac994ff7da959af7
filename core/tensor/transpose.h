// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/tensor/matrix.h"

namespace tamis::tensor {

/// A new matrix [cols, rows].
template <class T> Matrix<T> transposed(MatrixView<const T> m)
{
    Matrix<T> t(m.cols, m.rows);
    for (std::int64_t i = 0; i < m.rows; ++i)
        for (std::int64_t j = 0; j < m.cols; ++j)
            t(j, i) = m(i, j);
    return t;
}
template <class T> Matrix<T> transposed(const Matrix<T>& m) { return transposed(m.view()); }

} // namespace tamis::tensor
