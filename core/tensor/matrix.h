// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Row-major matrices, owned and viewed. Plain memory for BLAS: no expression templates in headers.
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace tamis::tensor {

/// A row-major window on someone else's memory; element (i, j) is data[i * stride + j].
template <class T> struct MatrixView {
    T* data = nullptr;
    std::int64_t rows = 0, cols = 0, stride = 0;
    T& operator()(std::int64_t i, std::int64_t j) const { return data[i * stride + j]; }
    std::span<T> row(std::int64_t i) const { return {data + i * stride, static_cast<std::size_t>(cols)}; }
    operator MatrixView<const T>() const { return {data, rows, cols, stride}; }
};

/// Owns rows x cols elements, row-major and contiguous, zero-initialised.
template <class T> class Matrix {
public:
    Matrix() = default;
    Matrix(std::int64_t rows, std::int64_t cols)
        : m_rows(rows), m_cols(cols), m_values(static_cast<std::size_t>(rows) * static_cast<std::size_t>(cols))
    {
    }
    std::int64_t rows() const noexcept { return m_rows; }
    std::int64_t cols() const noexcept { return m_cols; }
    std::size_t size() const noexcept { return m_values.size(); }
    bool empty() const noexcept { return m_values.empty(); }
    T* data() noexcept { return m_values.data(); }
    const T* data() const noexcept { return m_values.data(); }
    T& operator()(std::int64_t i, std::int64_t j) { return m_values[static_cast<std::size_t>(i * m_cols + j)]; }
    const T& operator()(std::int64_t i, std::int64_t j) const { return m_values[static_cast<std::size_t>(i * m_cols + j)]; }
    std::span<T> values() noexcept { return m_values; }
    std::span<const T> values() const noexcept { return m_values; }
    MatrixView<T> view() noexcept { return {m_values.data(), m_rows, m_cols, m_cols}; }
    MatrixView<const T> view() const noexcept { return {m_values.data(), m_rows, m_cols, m_cols}; }
    bool operator==(const Matrix&) const = default;

private:
    std::int64_t m_rows = 0, m_cols = 0;
    std::vector<T> m_values;
};

} // namespace tamis::tensor
