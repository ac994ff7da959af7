// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/npy_rows.h"

#include "core/base/error.h"
#include "core/tensor/convert.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <vector>

namespace tamis::io {
namespace {
constexpr std::size_t kPieceBytes = std::size_t{1} << 20; // of the file, held while it is converted
} // namespace

NpyRows::NpyRows(std::filesystem::path file, int descriptor) : m_path(std::move(file)), m_descriptor(descriptor) {}

NpyRows::~NpyRows() { ::close(m_descriptor); }

std::shared_ptr<const NpyRows> NpyRows::open(const std::filesystem::path& file)
{
    const std::string subject = file.string();
    const auto fail = [&](const std::string& message) { throw Error(ErrorCode::IoFailure, message, subject); };
    const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); // a FIFO must not block the open
    if (descriptor < 0)
        fail(std::string("cannot be opened: ") + std::strerror(errno));
    std::shared_ptr<NpyRows> result(new NpyRows(file, descriptor)); // owns the descriptor from here
    struct stat status = {};
    if (::fstat(descriptor, &status) != 0)
        fail(std::string("cannot be read: ") + std::strerror(errno));
    if (!S_ISREG(status.st_mode))
        fail(S_ISDIR(status.st_mode) ? "is a directory, expected a file" : "is not a regular file");
    const auto size = static_cast<std::uint64_t>(status.st_size);
    std::vector<std::byte> start(std::min<std::uint64_t>(size, 12));
    result->readBytes(0, start);
    start.resize(std::min(size, npyHeaderBytes(start, subject)));
    result->readBytes(0, start);
    result->m_header = parseNpyHeader(start, size, subject);
    const auto& shape = result->m_header.shape;
    if (shape.size() != 2)
        throw Error(ErrorCode::InvalidParameter, "found an array of shape " + shapeText(shape) + ", expected [rows, columns]", subject);
    if (!result->m_header.fortranOrder)
        ::posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL); // advice only
    return result;
}

void NpyRows::readBytes(std::uint64_t offset, std::span<std::byte> bytes) const
{
    while (!bytes.empty()) {
        const ssize_t got = ::pread(m_descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            throw Error(ErrorCode::IoFailure, std::string("cannot be read: ") + std::strerror(errno), m_path.string(), offset);
        if (got == 0)
            throw Error(ErrorCode::IoFailure, "the file shrank after it was opened: found its end, expected " + std::to_string(bytes.size()) + " more bytes", m_path.string(), offset);
        bytes = bytes.subspan(static_cast<std::size_t>(got));
        offset += static_cast<std::uint64_t>(got);
    }
}

void NpyRows::decode(std::span<std::byte> stored, std::span<float> values) const
{
    const std::size_t size = tensor::dtypeSize(m_header.dtype);
    if (m_header.bigEndian)
        for (std::size_t at = 0; at < stored.size(); at += size)
            std::reverse(stored.data() + at, stored.data() + at + size);
    tensor::decode(m_header.dtype, stored, values);
}

void NpyRows::read(std::int64_t first, tensor::MatrixView<float> destination) const
{
    if (first < 0 || destination.rows > rows() - first || destination.cols != cols())
        throw Error(ErrorCode::InvalidParameter,
                    "asked for " + std::to_string(destination.rows) + " rows of " + std::to_string(destination.cols) + " columns from row " + std::to_string(first) + " on, found " +
                        std::to_string(rows()) + " of " + std::to_string(cols()),
                    m_path.string());
    if (destination.rows == 0 || destination.cols == 0)
        return;
    if (m_header.fortranOrder)
        readColumnMajor(first, destination);
    else
        readRowMajor(first, destination);
}

void NpyRows::readRowMajor(std::int64_t first, tensor::MatrixView<float> destination) const
{
    const std::size_t rowBytes = static_cast<std::size_t>(cols()) * tensor::dtypeSize(m_header.dtype);
    const auto atOnce = static_cast<std::int64_t>(std::max<std::size_t>(kPieceBytes / rowBytes, 1));
    std::vector<std::byte> stored(rowBytes * static_cast<std::size_t>(std::min(atOnce, destination.rows)));
    for (std::int64_t row = 0; row < destination.rows; row += atOnce) {
        const std::int64_t count = std::min(atOnce, destination.rows - row);
        const std::span<std::byte> piece = std::span(stored).first(rowBytes * static_cast<std::size_t>(count));
        readBytes(m_header.dataOffset + static_cast<std::uint64_t>(first + row) * rowBytes, piece);
        for (std::int64_t i = 0; i < count; ++i)
            decode(piece.subspan(rowBytes * static_cast<std::size_t>(i), rowBytes), destination.row(row + i));
    }
}

void NpyRows::readColumnMajor(std::int64_t first, tensor::MatrixView<float> destination) const
{
    const std::size_t size = tensor::dtypeSize(m_header.dtype);
    const auto atOnce = std::min<std::int64_t>(destination.rows, static_cast<std::int64_t>(kPieceBytes / size));
    std::vector<std::byte> stored(static_cast<std::size_t>(atOnce) * size);
    std::vector<float> values(static_cast<std::size_t>(atOnce));
    for (std::int64_t row = 0; row < destination.rows; row += atOnce) {
        const auto count = static_cast<std::size_t>(std::min(atOnce, destination.rows - row));
        for (std::int64_t col = 0; col < cols(); ++col) {
            const std::uint64_t element = static_cast<std::uint64_t>(col) * static_cast<std::uint64_t>(rows()) + static_cast<std::uint64_t>(first + row);
            readBytes(m_header.dataOffset + element * size, std::span(stored).first(count * size));
            decode(std::span(stored).first(count * size), std::span(values).first(count));
            for (std::size_t i = 0; i < count; ++i)
                destination(row + static_cast<std::int64_t>(i), col) = values[i];
        }
    }
}

} // namespace tamis::io
