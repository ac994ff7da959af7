// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Datasets of floats and texts in HDF5, read with nothing believed before it is checked. The library's filters are not
// used: chunks are fetched raw and inflated here, within their declared size. External storage and virtual datasets are
// refused. All functions need the Hdf5Lock. Included by the .cpp files of core/io only.
#include "core/io/hdf5_handle.h"

#include <span>

namespace tamis::io {

/// Extents and storage of a dataset of IEEE floats (32 or 64 bits, either byte order).
struct FloatDataset {
    Hdf5Handle handle;
    std::vector<std::uint64_t> shape;
    std::size_t elementBytes = 0;
    bool bigEndian = false;
    std::uint64_t elements() const noexcept;
};

/// Checks class, rank, extents against the bytes that the file really stores, chunk sizes and filters (shuffle and deflate
/// only), before anything is allocated. Throws Error{MalformedFile, UnsupportedFeature, LimitExceeded}.
FloatDataset inspectFloats(Hdf5Handle dataset, std::size_t rank, const std::string& subject);
/// All values, row-major. Throws Error{MalformedFile, IoFailure, OutOfMemory}.
void readFloats(const FloatDataset& dataset, std::span<double> values, const std::string& subject);
void readFloats(const FloatDataset& dataset, std::span<float> values, const std::string& subject);
/// Rows of a dataset of rank 2, as many as fill `values`; only the chunks that hold them are read. Throws as readFloats().
void readFloatRows(const FloatDataset& dataset, std::uint64_t first, std::span<float> values, const std::string& subject);

/// A scalar text (fixed-length string). Throws Error{MalformedFile, LimitExceeded (over 1 GiB)}.
std::string readText(hid_t location, const std::string& name, const std::string& subject);

/// Contiguous, little-endian. The shape's product is values.size(). Throw Error{IoFailure}.
void writeFloats(hid_t location, const std::string& name, std::span<const double> values, const std::vector<hsize_t>& shape,
                 const std::string& subject);
void writeFloats(hid_t location, const std::string& name, std::span<const float> values, const std::vector<hsize_t>& shape,
                 const std::string& subject);
void writeText(hid_t location, const std::string& name, const std::string& text, const std::string& subject);

} // namespace tamis::io
