// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Matrices for tests, with independent, deliberately simple operations on them.
#include "core/tensor/matrix.h"

#include <cstdint>
#include <vector>

namespace tamis::test {

tensor::Matrix<double> gaussian(std::int64_t rows, std::int64_t cols, std::uint64_t seed);
tensor::Matrix<float> gaussianFloat(std::int64_t rows, std::int64_t cols, std::uint64_t seed);
/// Orthonormal rows [k, n] by modified Gram-Schmidt, twice.
tensor::Matrix<double> orthonormalRows(std::int64_t k, std::int64_t n, std::uint64_t seed);
/// [m, n] with these singular values (at most min(m, n)).
tensor::Matrix<double> withSingularValues(std::int64_t m, std::int64_t n, const std::vector<double>& values, std::uint64_t seed);
/// Three loops.
tensor::Matrix<double> multiply(const tensor::Matrix<double>& a, const tensor::Matrix<double>& b);
tensor::Matrix<double> transposed(const tensor::Matrix<double>& a);
tensor::Matrix<double> difference(const tensor::Matrix<double>& a, const tensor::Matrix<double>& b);
tensor::Matrix<float> toFloat(const tensor::Matrix<double>& a);
tensor::Matrix<double> toDoubles(const tensor::Matrix<float>& a);
tensor::Matrix<double> identity(std::int64_t n);
double maxAbs(const tensor::Matrix<double>& a);
double sumOfSquares(const tensor::Matrix<double>& a);

} // namespace tamis::test
