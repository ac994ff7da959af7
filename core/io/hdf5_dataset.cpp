// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/hdf5_dataset.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <type_traits>

namespace tamis::io {
namespace {

constexpr std::uint64_t kMaximumChunkBytes = 256ull << 20;
constexpr std::uint64_t kDeflateRatio = 1032; // the most that deflate can do (zlib's technical notes)
constexpr std::uint64_t kMaximumText = 1ull << 30;

[[noreturn]] void malformed(const std::string& message, const std::string& subject) { throw Error(ErrorCode::MalformedFile, message, subject); }

std::uint64_t checkedProduct(const std::vector<std::uint64_t>& factors, std::uint64_t start, const char* what, const std::string& subject)
{
    std::uint64_t product = start;
    for (const std::uint64_t factor : factors)
        if (__builtin_mul_overflow(product, factor, &product) || product > static_cast<std::uint64_t>(INT64_MAX))
            throw Error(ErrorCode::LimitExceeded, std::string(what) + " overflow 63 bits", subject);
    return product;
}

std::string extentsText(const std::vector<std::uint64_t>& extents)
{
    std::string text = "[";
    for (const std::uint64_t extent : extents)
        text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
    return text + "]";
}

/// The filters of a chunked dataset, in the order of writing. -1: absent.
struct Pipeline {
    int shuffle = -1, deflate = -1;
};

Pipeline inspectFilters(hid_t creation, const std::string& subject)
{
    Pipeline pipeline;
    const int filters = H5Pget_nfilters(creation);
    if (filters < 0)
        failHdf5(ErrorCode::MalformedFile, "the filters cannot be read", subject);
    for (int i = 0; i < filters; ++i) {
        unsigned flags = 0, configuration = 0;
        std::size_t values = 0;
        std::array<char, 64> name{};
        const H5Z_filter_t filter = H5Pget_filter2(creation, static_cast<unsigned>(i), &flags, &values, nullptr, name.size() - 1, name.data(), &configuration);
        int* place = filter == H5Z_FILTER_SHUFFLE && pipeline.deflate < 0 ? &pipeline.shuffle : filter == H5Z_FILTER_DEFLATE ? &pipeline.deflate : nullptr;
        if (place == nullptr || *place >= 0)
            throw Error(ErrorCode::UnsupportedFeature, "found the HDF5 filter " + std::to_string(filter) + " '" + name.data()
                                                           + "', expected none, or shuffle and deflate in this order", subject);
        *place = i;
    }
    return pipeline;
}

std::uint64_t fileBytes(hid_t object, const std::string& subject)
{
    const Hdf5Handle file(H5Iget_file_id(object), H5Fclose);
    hsize_t size = 0;
    if (!file.valid() || H5Fget_filesize(file, &size) < 0)
        failHdf5(ErrorCode::MalformedFile, "the size of the file is unknown", subject);
    return size;
}

/// Bytes in the file must be able to hold the declared extents.
void checkStorage(hid_t dataset, std::uint64_t bytes, std::uint64_t ratio, const std::string& extents, const std::string& subject)
{
    const std::uint64_t stored = H5Dget_storage_size(dataset), size = fileBytes(dataset, subject);
    if (stored > size)
        malformed("is said to be stored in " + std::to_string(stored) + " bytes, but the file has " + std::to_string(size), subject);
    if (bytes / ratio > stored)
        malformed("declares the extents " + extents + " (" + std::to_string(bytes) + " bytes), which the " + std::to_string(stored) + " bytes stored for it cannot hold", subject);
}

void checkLayout(hid_t dataset, std::uint64_t bytes, const std::string& extents, std::size_t elementBytes, const std::string& subject)
{
    const Hdf5Handle creation(H5Dget_create_plist(dataset), H5Pclose);
    const H5D_layout_t layout = creation.valid() ? H5Pget_layout(creation) : H5D_LAYOUT_ERROR;
    if (layout == H5D_CHUNKED) {
        std::array<hsize_t, H5S_MAX_RANK> chunk{};
        const int rank = H5Pget_chunk(creation, static_cast<int>(chunk.size()), chunk.data());
        if (rank < 1)
            failHdf5(ErrorCode::MalformedFile, "the chunk size cannot be read", subject);
        std::vector<std::uint64_t> extent(chunk.begin(), chunk.begin() + rank);
        if (std::find(extent.begin(), extent.end(), 0u) != extent.end())
            malformed("has chunks of size zero", subject);
        if (checkedProduct(extent, elementBytes, "the chunk sizes", subject) > kMaximumChunkBytes)
            throw Error(ErrorCode::LimitExceeded, "has chunks of " + extentsText(extent) + " elements, expected at most "
                                                      + std::to_string(kMaximumChunkBytes) + " bytes a chunk", subject);
        const bool deflated = inspectFilters(creation, subject).deflate >= 0;
        checkStorage(dataset, bytes, deflated ? kDeflateRatio : 1, extents, subject);
    } else if (layout == H5D_CONTIGUOUS || layout == H5D_COMPACT) {
        if (H5Pget_external_count(creation) != 0)
            throw Error(ErrorCode::UnsupportedFeature, "keeps its values in another file, expected them in this one", subject);
        checkStorage(dataset, bytes, 1, extents, subject);
        const haddr_t offset = layout == H5D_CONTIGUOUS && bytes > 0 ? H5Dget_offset(dataset) : 0;
        if (offset == HADDR_UNDEF || offset > fileBytes(dataset, subject) || fileBytes(dataset, subject) - offset < bytes)
            malformed("lies beyond the end of the file", subject);
    } else {
        throw Error(ErrorCode::UnsupportedFeature, "is a virtual dataset, expected values in this file", subject);
    }
}

/// Exactly result.size() bytes, or the chunk is damaged.
void inflateChunk(std::span<const std::byte> stored, std::span<std::byte> result, const std::string& subject)
{
    uLongf written = result.size();
    uLong consumed = stored.size();
    const int status = uncompress2(reinterpret_cast<Bytef*>(result.data()), &written, reinterpret_cast<const Bytef*>(stored.data()), &consumed);
    if (status != Z_OK || written != result.size() || consumed != stored.size())
        malformed("a compressed chunk is damaged: expected it to inflate to " + std::to_string(result.size()) + " bytes", subject);
}

/// Undoes HDF5's shuffle: all first bytes, then all second bytes ...
void unshuffle(std::vector<std::byte>& bytes, std::size_t elementBytes)
{
    const std::size_t elements = bytes.size() / elementBytes;
    std::vector<std::byte> plain(bytes.size());
    for (std::size_t b = 0; b < elementBytes; ++b)
        for (std::size_t i = 0; i < elements; ++i)
            plain[i * elementBytes + b] = bytes[b * elements + i];
    bytes.swap(plain);
}

template <class Stored, class Word, class T> void decodeElements(const std::byte* source, std::size_t count, bool bigEndian, T* destination)
{
    for (std::size_t i = 0; i < count; ++i) {
        Word word;
        std::memcpy(&word, source + i * sizeof word, sizeof word);
        if (bigEndian)
            word = sizeof word == 8 ? static_cast<Word>(__builtin_bswap64(word)) : static_cast<Word>(__builtin_bswap32(static_cast<std::uint32_t>(word)));
        destination[i] = static_cast<T>(std::bit_cast<Stored>(word));
    }
}

/// Some rows of a dataset of rank 2, or all of one of rank 1 as one row.
struct Slab {
    std::uint64_t first = 0, count = 0;
};

Slab wholeOf(const FloatDataset& dataset) { return {0, dataset.shape.size() == 2 ? dataset.shape[0] : 1}; }

/// Reads a chunked dataset of rank 1 or 2 chunk by chunk.
template <class T> class ChunkReader {
public:
    ChunkReader(const FloatDataset& dataset, Slab slab, std::span<T> values, const std::string& subject) : m_dataset(dataset), m_slab(slab), m_values(values), m_subject(subject)
    {
        const Hdf5Handle creation(H5Dget_create_plist(dataset.handle), H5Pclose);
        m_pipeline = inspectFilters(creation, subject);
        const std::size_t rank = dataset.shape.size();
        std::array<hsize_t, 2> chunk{1, 1};
        if (rank < 1 || rank > 2 || H5Pget_chunk(creation, static_cast<int>(rank), chunk.data()) != static_cast<int>(rank))
            failHdf5(ErrorCode::MalformedFile, "the chunk size cannot be read", subject);
        m_cols = dataset.shape.back();
        m_chunkRows = rank == 2 ? chunk[0] : 1;
        m_chunkCols = rank == 2 ? chunk[1] : chunk[0];
        m_plain.resize(m_chunkRows * m_chunkCols * dataset.elementBytes);
    }

    void read()
    {
        for (std::uint64_t row = m_slab.first / m_chunkRows * m_chunkRows; row < m_slab.first + m_slab.count; row += m_chunkRows)
            for (std::uint64_t col = 0; col < m_cols; col += m_chunkCols) {
                fetch(row, col);
                place(row, col);
            }
    }

private:
    void fetch(std::uint64_t row, std::uint64_t col)
    {
        const std::array<hsize_t, 2> position = m_dataset.shape.size() == 2 ? std::array<hsize_t, 2>{row, col} : std::array<hsize_t, 2>{col, 0};
        const std::string where = "the chunk at " + std::to_string(row) + ", " + std::to_string(col);
        hsize_t stored = 0;
        if (H5Dget_chunk_storage_size(m_dataset.handle, position.data(), &stored) < 0)
            failHdf5(ErrorCode::MalformedFile, where + " cannot be found", m_subject);
        // zlib never expands beyond compressBound().
        if (stored == 0 || stored > compressBound(m_plain.size()))
            malformed(where + " is stored in " + std::to_string(stored) + " bytes, expected 1 to " + std::to_string(compressBound(m_plain.size())), m_subject);
        m_stored.resize(stored);
        std::uint32_t skipped = 0;
        if (H5Dread_chunk(m_dataset.handle, H5P_DEFAULT, position.data(), &skipped, m_stored.data()) < 0)
            failHdf5(ErrorCode::MalformedFile, where + " cannot be read", m_subject);
        const auto used = [&](int filter) { return filter >= 0 && (skipped >> filter & 1u) == 0; };
        if (used(m_pipeline.deflate))
            inflateChunk(m_stored, m_plain, m_subject);
        else if (m_stored.size() == m_plain.size())
            std::copy(m_stored.begin(), m_stored.end(), m_plain.begin());
        else
            malformed(where + " has " + std::to_string(stored) + " bytes, expected " + std::to_string(m_plain.size()), m_subject);
        if (used(m_pipeline.shuffle))
            unshuffle(m_plain, m_dataset.elementBytes);
    }

    void place(std::uint64_t row, std::uint64_t col)
    {
        const std::uint64_t begin = std::max(row, m_slab.first), end = std::min(row + m_chunkRows, m_slab.first + m_slab.count), cols = std::min(m_chunkCols, m_cols - col);
        for (std::uint64_t i = begin; i < end; ++i) {
            const std::byte* source = m_plain.data() + (i - row) * m_chunkCols * m_dataset.elementBytes;
            T* destination = m_values.data() + (i - m_slab.first) * m_cols + col;
            if (m_dataset.elementBytes == 8)
                decodeElements<double, std::uint64_t>(source, cols, m_dataset.bigEndian, destination);
            else
                decodeElements<float, std::uint32_t>(source, cols, m_dataset.bigEndian, destination);
        }
    }

    const FloatDataset& m_dataset;
    Slab m_slab;
    std::span<T> m_values;
    const std::string& m_subject;
    Pipeline m_pipeline;
    std::uint64_t m_cols = 0, m_chunkRows = 1, m_chunkCols = 1;
    std::vector<std::byte> m_stored, m_plain;
};

template <class T> void readSlab(const FloatDataset& dataset, Slab slab, std::span<T> values, const std::string& subject)
{
    if (values.empty())
        return;
    const Hdf5Handle creation(H5Dget_create_plist(dataset.handle), H5Pclose);
    if (creation.valid() && H5Pget_layout(creation) == H5D_CHUNKED)
        return ChunkReader<T>(dataset, slab, values, subject).read();
    const hid_t type = std::is_same_v<T, float> ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE;
    if (slab.count == wholeOf(dataset).count) {
        if (H5Dread(dataset.handle, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()) < 0)
            failHdf5(ErrorCode::MalformedFile, "the values cannot be read", subject);
        return;
    }
    const std::array<hsize_t, 2> first{slab.first, 0}, count{slab.count, dataset.shape[1]};
    const Hdf5Handle file(H5Dget_space(dataset.handle), H5Sclose), memory(H5Screate_simple(2, count.data(), nullptr), H5Sclose);
    if (!file.valid() || !memory.valid() || H5Sselect_hyperslab(file, H5S_SELECT_SET, first.data(), nullptr, count.data(), nullptr) < 0
        || H5Dread(dataset.handle, type, memory, file, H5P_DEFAULT, values.data()) < 0)
        failHdf5(ErrorCode::MalformedFile, "the values cannot be read", subject);
}

template <class T> void readValues(const FloatDataset& dataset, std::span<T> values, const std::string& subject)
{
    if (values.size() != dataset.elements())
        malformed("has " + std::to_string(dataset.elements()) + " values, expected " + std::to_string(values.size()), subject);
    readSlab(dataset, wholeOf(dataset), values, subject);
}

/// Contiguous; without time stamps, so that equal contents give equal files.
void writeContiguous(hid_t location, const std::string& name, hid_t fileType, hid_t memoryType, const void* values, const Hdf5Handle& space, bool empty,
                     const std::string& subject)
{
    const Hdf5Handle creation(H5Pcreate(H5P_DATASET_CREATE), H5Pclose);
    if (!space.valid() || !creation.valid() || H5Pset_obj_track_times(creation, false) < 0)
        failHdf5(ErrorCode::IoFailure, "'" + name + "' cannot be written", subject);
    Hdf5Handle dataset(H5Dcreate2(location, name.c_str(), fileType, space, H5P_DEFAULT, creation, H5P_DEFAULT), H5Dclose);
    if (!dataset.valid() || (!empty && H5Dwrite(dataset, memoryType, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0) || !dataset.reset())
        failHdf5(ErrorCode::IoFailure, "'" + name + "' cannot be written", subject);
}

template <class T>
void writeValues(hid_t location, const std::string& name, std::span<const T> values, const std::vector<hsize_t>& shape, const std::string& subject)
{
    constexpr bool single = std::is_same_v<T, float>;
    const Hdf5Handle space(H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose);
    writeContiguous(location, name, single ? H5T_IEEE_F32LE : H5T_IEEE_F64LE, single ? H5T_NATIVE_FLOAT : H5T_NATIVE_DOUBLE, values.data(), space,
                    values.empty(), subject);
}

} // namespace

std::uint64_t FloatDataset::elements() const noexcept
{
    std::uint64_t product = 1;
    for (const std::uint64_t extent : shape)
        product *= extent;
    return product;
}

FloatDataset inspectFloats(Hdf5Handle dataset, std::size_t rank, const std::string& subject)
{
    const Hdf5Handle type(H5Dget_type(dataset), H5Tclose), space(H5Dget_space(dataset), H5Sclose);
    if (!type.valid() || !space.valid())
        failHdf5(ErrorCode::MalformedFile, "the dataset cannot be read", subject);
    if (H5Tget_class(type) != H5T_FLOAT)
        malformed("holds no floating-point numbers, expected float64 or float32", subject);
    const auto is = [&](hid_t known) { return H5Tequal(type, known) > 0; };
    FloatDataset result;
    result.bigEndian = is(H5T_IEEE_F64BE) || is(H5T_IEEE_F32BE);
    result.elementBytes = is(H5T_IEEE_F64LE) || is(H5T_IEEE_F64BE) ? 8 : is(H5T_IEEE_F32LE) || is(H5T_IEEE_F32BE) ? 4 : 0;
    if (result.elementBytes == 0)
        throw Error(ErrorCode::UnsupportedFeature, "holds floating-point numbers of another form than IEEE 64 or 32 bits", subject);
    const bool simple = H5Sget_simple_extent_type(space) == H5S_SIMPLE;
    const int found = simple ? H5Sget_simple_extent_ndims(space) : 0;
    if (found != static_cast<int>(rank))
        malformed("has " + std::to_string(found) + " dimensions, expected " + std::to_string(rank), subject);
    std::array<hsize_t, H5S_MAX_RANK> extents{};
    if (H5Sget_simple_extent_dims(space, extents.data(), nullptr) != found)
        failHdf5(ErrorCode::MalformedFile, "the extents cannot be read", subject);
    result.shape.assign(extents.begin(), extents.begin() + found);
    const std::uint64_t bytes = checkedProduct(result.shape, result.elementBytes, "the extents", subject);
    for (const std::uint64_t extent : result.shape)
        if (extent > static_cast<std::uint64_t>(INT32_MAX))
            throw Error(ErrorCode::LimitExceeded, "declares the extents " + extentsText(result.shape) + ", expected at most 2^31 - 1 each", subject);
    checkLayout(dataset, bytes, extentsText(result.shape), result.elementBytes, subject);
    result.handle = std::move(dataset);
    return result;
}

void readFloats(const FloatDataset& dataset, std::span<double> values, const std::string& subject) { readValues(dataset, values, subject); }
void readFloats(const FloatDataset& dataset, std::span<float> values, const std::string& subject) { readValues(dataset, values, subject); }

void readFloatRows(const FloatDataset& dataset, std::uint64_t first, std::span<float> values, const std::string& subject)
{
    if (dataset.shape.size() != 2 || dataset.shape[1] == 0 || values.size() % dataset.shape[1] != 0 || first > dataset.shape[0] ||
        values.size() / dataset.shape[1] > dataset.shape[0] - first)
        malformed("has the extents " + extentsText(dataset.shape) + ", expected rows for " + std::to_string(values.size()) + " values from row " + std::to_string(first) + " on", subject);
    readSlab(dataset, {first, values.size() / dataset.shape[1]}, values, subject);
}

std::string readText(hid_t location, const std::string& name, const std::string& subject)
{
    const Hdf5Handle dataset = openDataset(location, name, subject);
    const Hdf5Handle type(H5Dget_type(dataset), H5Tclose), space(H5Dget_space(dataset), H5Sclose);
    if (!type.valid() || !space.valid())
        failHdf5(ErrorCode::MalformedFile, "'" + name + "' cannot be read", subject);
    if (H5Tget_class(type) != H5T_STRING || H5Tis_variable_str(type) != 0 || H5Sget_simple_extent_type(space) != H5S_SCALAR)
        malformed("'" + name + "' is not one text of fixed length", subject);
    const std::uint64_t size = H5Tget_size(type);
    if (size > kMaximumText)
        throw Error(ErrorCode::LimitExceeded, "'" + name + "' has " + std::to_string(size) + " bytes, expected at most " + std::to_string(kMaximumText), subject);
    checkLayout(dataset, size, std::to_string(size), 1, subject);
    std::string text(size, '\0');
    if (H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text.data()) < 0)
        failHdf5(ErrorCode::MalformedFile, "'" + name + "' cannot be read", subject);
    text.resize(strnlen(text.c_str(), text.size()));
    return text;
}

void writeFloats(hid_t location, const std::string& name, std::span<const double> values, const std::vector<hsize_t>& shape, const std::string& subject)
{
    writeValues(location, name, values, shape, subject);
}
void writeFloats(hid_t location, const std::string& name, std::span<const float> values, const std::vector<hsize_t>& shape, const std::string& subject)
{
    writeValues(location, name, values, shape, subject);
}

void writeText(hid_t location, const std::string& name, const std::string& text, const std::string& subject)
{
    const Hdf5Handle type(H5Tcopy(H5T_C_S1), H5Tclose), space(H5Screate(H5S_SCALAR), H5Sclose);
    if (!type.valid() || H5Tset_size(type, std::max<std::size_t>(text.size(), 1)) < 0 || H5Tset_cset(type, H5T_CSET_UTF8) < 0
        || H5Tset_strpad(type, H5T_STR_NULLPAD) < 0)
        failHdf5(ErrorCode::IoFailure, "'" + name + "' cannot be written", subject);
    writeContiguous(location, name, type, type, text.c_str(), space, false, subject);
}

} // namespace tamis::io
