// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Rows of a .npy matrix that is too large to read: a few at a time, by pread, so that nothing of the file stays in memory.
#include "core/io/npy.h"
#include "core/tensor/matrix.h"

#include <cstdint>
#include <filesystem>
#include <memory>

namespace tamis::io {

/// All element types and both orders of readNpy(). In Fortran order each column is read on its own: few rows at a time cost more there.
/// Immutable and safe to share between threads. The file must not change while it is open.
class NpyRows {
public:
    /// Throws as readNpyHeader(), and Error{InvalidParameter} for an array that has no two dimensions.
    static std::shared_ptr<const NpyRows> open(const std::filesystem::path& file);
    ~NpyRows();
    NpyRows(const NpyRows&) = delete;
    NpyRows& operator=(const NpyRows&) = delete;

    const std::filesystem::path& path() const noexcept { return m_path; }
    std::int64_t rows() const noexcept { return m_header.shape[0]; }
    std::int64_t cols() const noexcept { return m_header.shape[1]; }
    /// Rows [first, first + destination.rows), converted as NpyArray::toFloatMatrix() does. Throws Error{InvalidParameter} for rows that
    /// there are not, Error{IoFailure} (a read error; a file that shrank).
    void read(std::int64_t first, tensor::MatrixView<float> destination) const;

private:
    NpyRows(std::filesystem::path file, int descriptor);
    void readBytes(std::uint64_t offset, std::span<std::byte> bytes) const;
    void readRowMajor(std::int64_t first, tensor::MatrixView<float> destination) const;
    void readColumnMajor(std::int64_t first, tensor::MatrixView<float> destination) const;
    void decode(std::span<std::byte> stored, std::span<float> values) const; ///< turns `stored` little-endian
    std::filesystem::path m_path;
    int m_descriptor = -1;
    NpyHeader m_header;
};

} // namespace tamis::io
