// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// NumPy arrays on disk (.npy), format versions 1.0, 2.0 and 3.0. Reference: numpy/lib/format.py of NumPy 1.24.
// Read: f8 f4 f2 i8 i4 i2 i1 u1 b1 in either byte order, row-major or Fortran order, any rank up to kMaximumRank. Everything else
// (objects, structured types, unsigned words, complex numbers, strings) is refused by name. No Python is evaluated.
#include "core/io/tensor_entry.h"
#include "core/tensor/dtype.h"
#include "core/tensor/matrix.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace tamis::io {

/// NumPy's own writer keeps headers of plain arrays under 200 bytes.
inline constexpr std::uint64_t kMaximumNpyHeader = 65536;

struct NpyHeader {
    tensor::DType dtype = tensor::DType::F64;
    bool bigEndian = false;          ///< elements are stored with the most significant byte first
    bool fortranOrder = false;       ///< the FIRST index varies fastest in the file
    std::vector<std::int64_t> shape; ///< empty for a scalar
    std::uint64_t dataOffset = 0;    ///< of the first element, from the start of the array's bytes
    std::uint64_t dataBytes = 0;     ///< elements() * dtypeSize(dtype), checked against overflow
    std::uint64_t elements() const noexcept;
};

/// Bytes that must be at hand for parseNpyHeader(): given the first 12 bytes (or all, when there are fewer).
/// Throws Error{MalformedFile, UnsupportedFeature (a newer version), LimitExceeded}.
std::uint64_t npyHeaderBytes(std::span<const std::byte> start, const std::string& subject);

/// `bytes`: the start of an array of `size` bytes in all, at least its header. The data must fill the rest exactly.
/// Throws Error{MalformedFile, UnsupportedFeature, LimitExceeded} with `subject`.
NpyHeader parseNpyHeader(std::span<const std::byte> bytes, std::uint64_t size, const std::string& subject);

/// An array in memory: little-endian and row-major whatever it was in the file (Fortran order is transposed on the way).
struct NpyArray {
    tensor::DType dtype = tensor::DType::F64;
    std::vector<std::int64_t> shape;
    std::vector<std::byte> bytes;

    std::uint64_t elements() const noexcept;
    std::vector<float> toFloats() const;
    std::vector<double> toDoubles() const;
    /// [rows, cols]: rank 2 as it is, rank 1 as one row, rank 0 as 1 x 1, a higher rank as [shape[0], the rest].
    tensor::Matrix<float> toFloatMatrix() const;
    tensor::Matrix<double> toDoubleMatrix() const;
};

/// Turns stored elements (`data`, header.dataBytes long) into little-endian row-major ones.
std::vector<std::byte> normaliseNpyElements(const NpyHeader& header, std::vector<std::byte> data);

/// A whole .npy in memory.
NpyArray parseNpy(std::span<const std::byte> bytes, const std::string& subject);

/// Header of a file, without its data. Throws as parseNpyHeader, and Error{IoFailure}.
NpyHeader readNpyHeader(const std::filesystem::path& file);
/// Throws as parseNpyHeader, Error{IoFailure}, and Error{OutOfMemory} when the array cannot fit.
NpyArray readNpy(const std::filesystem::path& file);

/// Bytes of a version 1.0 .npy with row-major `values`; the shape's product must be values.size() (Error{InvalidParameter}).
std::string formatNpy(std::span<const float> values, const std::vector<std::int64_t>& shape);
std::string formatNpy(std::span<const double> values, const std::vector<std::int64_t>& shape);
std::string formatNpy(std::span<const std::int64_t> values, const std::vector<std::int64_t>& shape);
/// The same into a file that appears whole or not at all.
void writeNpy(const std::filesystem::path& file, std::span<const float> values, const std::vector<std::int64_t>& shape);
void writeNpy(const std::filesystem::path& file, std::span<const double> values, const std::vector<std::int64_t>& shape);
void writeNpy(const std::filesystem::path& file, std::span<const std::int64_t> values, const std::vector<std::int64_t>& shape);

} // namespace tamis::io
