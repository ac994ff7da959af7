// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/core/linalg/matrices.h"

#include <algorithm>
#include <cmath>
#include <random>

namespace tamis::test {

using tensor::Matrix;

Matrix<double> gaussian(std::int64_t rows, std::int64_t cols, std::uint64_t seed)
{
    std::mt19937_64 generator(seed);
    std::normal_distribution<double> normal;
    Matrix<double> a(rows, cols);
    for (double& value : a.values())
        value = normal(generator);
    return a;
}

Matrix<float> gaussianFloat(std::int64_t rows, std::int64_t cols, std::uint64_t seed) { return toFloat(gaussian(rows, cols, seed)); }

Matrix<double> orthonormalRows(std::int64_t k, std::int64_t n, std::uint64_t seed)
{
    Matrix<double> q = gaussian(k, n, seed);
    for (std::int64_t i = 0; i < k; ++i) {
        for (int pass = 0; pass < 2; ++pass)
            for (std::int64_t j = 0; j < i; ++j) {
                double dot = 0;
                for (std::int64_t c = 0; c < n; ++c)
                    dot += q(i, c) * q(j, c);
                for (std::int64_t c = 0; c < n; ++c)
                    q(i, c) -= dot * q(j, c);
            }
        double norm = 0;
        for (std::int64_t c = 0; c < n; ++c)
            norm += q(i, c) * q(i, c);
        for (std::int64_t c = 0; c < n; ++c)
            q(i, c) /= std::sqrt(norm);
    }
    return q;
}

Matrix<double> withSingularValues(std::int64_t m, std::int64_t n, const std::vector<double>& values, std::uint64_t seed)
{
    const auto k = static_cast<std::int64_t>(values.size());
    Matrix<double> left = transposed(orthonormalRows(k, m, seed)), right = orthonormalRows(k, n, seed + 1);
    for (std::int64_t i = 0; i < m; ++i)
        for (std::int64_t j = 0; j < k; ++j)
            left(i, j) *= values[static_cast<std::size_t>(j)];
    return multiply(left, right);
}

Matrix<double> multiply(const Matrix<double>& a, const Matrix<double>& b)
{
    Matrix<double> c(a.rows(), b.cols());
    for (std::int64_t i = 0; i < a.rows(); ++i)
        for (std::int64_t k = 0; k < a.cols(); ++k)
            for (std::int64_t j = 0; j < b.cols(); ++j)
                c(i, j) += a(i, k) * b(k, j);
    return c;
}

Matrix<double> transposed(const Matrix<double>& a)
{
    Matrix<double> t(a.cols(), a.rows());
    for (std::int64_t i = 0; i < a.rows(); ++i)
        for (std::int64_t j = 0; j < a.cols(); ++j)
            t(j, i) = a(i, j);
    return t;
}

Matrix<double> difference(const Matrix<double>& a, const Matrix<double>& b)
{
    Matrix<double> d(a.rows(), a.cols());
    for (std::size_t i = 0; i < d.size(); ++i)
        d.data()[i] = a.data()[i] - b.data()[i];
    return d;
}

Matrix<float> toFloat(const Matrix<double>& a)
{
    Matrix<float> f(a.rows(), a.cols());
    std::ranges::transform(a.values(), f.data(), [](double value) { return static_cast<float>(value); });
    return f;
}

Matrix<double> toDoubles(const Matrix<float>& a)
{
    Matrix<double> d(a.rows(), a.cols());
    std::ranges::copy(a.values(), d.data());
    return d;
}

Matrix<double> identity(std::int64_t n)
{
    Matrix<double> i(n, n);
    for (std::int64_t k = 0; k < n; ++k)
        i(k, k) = 1;
    return i;
}

double maxAbs(const Matrix<double>& a)
{
    double largest = 0;
    for (const double value : a.values())
        largest = std::max(largest, std::abs(value));
    return largest;
}

double sumOfSquares(const Matrix<double>& a)
{
    double sum = 0;
    for (const double value : a.values())
        sum += value * value;
    return sum;
}

} // namespace tamis::test
