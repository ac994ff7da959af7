// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/addressing/row_reader.h"

#include "core/addressing/io_ring.h"
#include "core/base/error.h"
#include "core/io/mapped_file.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <limits>
#include <new>
#include <numeric>
#include <sys/stat.h>
#include <unistd.h>

namespace tamis::addressing {
namespace {

class MappedReader final : public RowReader {
public:
    explicit MappedReader(const std::filesystem::path& file) : RowReader(file, false), m_file(io::MappedFile::open(file)) {}
    ReaderKind kind() const noexcept override { return ReaderKind::Mapped; }
    void evict() override
    {
        m_file.reset(); // mapped pages are not forgotten
        RowReader::evict();
        m_file = io::MappedFile::open(path());
    }

protected:
    void fetch(std::span<const Request> requests) override
    {
        for (const Request& request : requests)
            m_file->copy(request.offset, {request.to, static_cast<std::size_t>(request.bytes)}, path().string());
    }

private:
    std::shared_ptr<const io::MappedFile> m_file;
};

class PreadReader final : public RowReader {
public:
    PreadReader(const std::filesystem::path& file, bool direct) : RowReader(file, direct) {}
    ReaderKind kind() const noexcept override { return ReaderKind::Pread; }

protected:
    void fetch(std::span<const Request> requests) override
    {
        for (const Request& request : requests)
            for (std::uint64_t done = 0; done < present(request);) {
                const ssize_t got = ::pread(descriptor(), request.to + done, static_cast<std::size_t>(request.bytes - done), static_cast<off_t>(request.offset + done));
                if (got < 0 && errno == EINTR)
                    continue;
                if (got <= 0)
                    failRead(request.offset + done, got < 0 ? errno : 0);
                done += static_cast<std::uint64_t>(got);
            }
    }
};

class RingReader final : public RowReader {
public:
    RingReader(const std::filesystem::path& file, const ReaderSettings& settings) : RowReader(file, settings.direct), m_ring(settings.depth), m_depth(settings.depth) {}
    ReaderKind kind() const noexcept override { return ReaderKind::Ring; }

protected:
    /// Never leaves while the kernel may still write, for `to` is the caller's: behind the reservation only submit() throws, when nothing is under way.
    void fetch(std::span<const Request> requests) override
    {
        m_done.assign(requests.size(), 0);
        m_again.clear();
        m_again.reserve(requests.size());
        std::size_t next = 0, underWay = 0;
        int failure = 0;
        std::uint64_t failedAt = 0;
        bool failed = false;
        while (underWay > 0 || (!failed && (next < requests.size() || !m_again.empty()))) {
            while (!failed && underWay < m_depth && (next < requests.size() || !m_again.empty())) {
                const std::size_t which = m_again.empty() ? next : m_again.back();
                const Request& request = requests[which];
                const auto bytes = static_cast<std::uint32_t>(std::min<std::uint64_t>(request.bytes - m_done[which], std::uint32_t{1} << 30U));
                if (!m_ring.push(descriptor(), request.offset + m_done[which], request.to + m_done[which], bytes, which))
                    break;
                ++underWay;
                if (m_again.empty())
                    ++next;
                else
                    m_again.pop_back();
            }
            m_ring.submit(1);
            for (IoRing::Completion completion; m_ring.pop(completion);) {
                --underWay;
                const auto which = static_cast<std::size_t>(completion.tag);
                if (completion.result > 0)
                    m_done[which] += static_cast<std::uint64_t>(completion.result);
                const bool retried = completion.result == -EINTR || completion.result == -EAGAIN;
                if (m_done[which] >= present(requests[which]))
                    continue;
                if (completion.result > 0 || retried) {
                    m_again.push_back(which);
                    continue;
                }
                failed = true;
                failure = -completion.result;
                failedAt = requests[which].offset + m_done[which];
            }
        }
        if (failed)
            failRead(failedAt, failure);
    }

private:
    IoRing m_ring;
    unsigned m_depth;
    std::vector<std::uint64_t> m_done;
    std::vector<std::size_t> m_again;
};

std::uint64_t pageFloor(std::uint64_t offset) { return offset / kPageBytes * kPageBytes; }
std::uint64_t pageCeiling(std::uint64_t offset) { return pageFloor(offset + kPageBytes - 1); }
} // namespace

std::string_view readerName(ReaderKind kind) noexcept { return kind == ReaderKind::Mapped ? "mmap" : kind == ReaderKind::Pread ? "pread" : "io_uring"; }

RowReader::AlignedBytes::~AlignedBytes() { std::free(data); }

void RowReader::AlignedBytes::reserve(std::size_t bytes)
{
    if (bytes <= size)
        return;
    std::free(data);
    size = 0;
    data = static_cast<std::byte*>(std::aligned_alloc(kPageBytes, bytes)); // bytes is a multiple of the page
    if (data == nullptr)
        throw std::bad_alloc();
    size = bytes;
}

RowReader::RowReader(std::filesystem::path file, bool direct) : m_path(std::move(file)), m_direct(direct)
{
    m_descriptor = ::open(m_path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | (direct ? O_DIRECT : 0));
    if (m_descriptor < 0 && direct && errno == EINVAL)
        throw Error(ErrorCode::UnsupportedFeature, "the file system has no reading past the page cache (O_DIRECT)", m_path.string());
    struct stat status = {};
    const bool readable = m_descriptor >= 0 && ::fstat(m_descriptor, &status) == 0;
    if (!readable || !S_ISREG(status.st_mode)) {
        const std::string reason = readable ? "is not a regular file" : std::string("cannot be opened: ") + std::strerror(errno);
        if (m_descriptor >= 0)
            ::close(m_descriptor);
        throw Error(ErrorCode::IoFailure, reason, m_path.string());
    }
    m_size = static_cast<std::uint64_t>(status.st_size);
}

RowReader::~RowReader() { ::close(m_descriptor); }

void RowReader::evict() { ::posix_fadvise(m_descriptor, 0, 0, POSIX_FADV_DONTNEED); }

std::uint64_t RowReader::present(const Request& request) const noexcept { return std::min(request.bytes, m_size - std::min(request.offset, m_size)); }

void RowReader::failRead(std::uint64_t offset, int systemError) const
{
    if (systemError == 0)
        throw Error(ErrorCode::IoFailure, "the file shrank after it was opened: expected " + std::to_string(m_size) + " bytes", m_path.string(), offset);
    throw Error(ErrorCode::IoFailure, std::string("cannot be read: ") + std::strerror(systemError), m_path.string(), offset);
}

void RowReader::planRows(std::span<const ByteRange> rows, std::span<std::byte> destination)
{
    for (std::size_t place = 0; place < m_order.size(); ++place) {
        const std::size_t row = m_order[place];
        if (place == 0 || rows[m_order[place - 1]] != rows[row])
            m_requests.push_back({rows[row].offset, rows[row].bytes, destination.data() + m_starts[row]});
        m_requestOf[place] = m_requests.size() - 1;
    }
}

void RowReader::planPages(std::span<const ByteRange> rows)
{
    std::uint64_t total = 0;
    for (std::size_t place = 0; place < m_order.size(); ++place) {
        const ByteRange& row = rows[m_order[place]];
        const std::uint64_t first = pageFloor(row.offset), end = pageCeiling(row.offset + row.bytes);
        if (m_requests.empty() || first > m_requests.back().offset + m_requests.back().bytes)
            m_requests.push_back({first, 0, nullptr});
        Request& last = m_requests.back();
        const std::uint64_t bytes = std::max(last.bytes, end - last.offset);
        total += bytes - last.bytes;
        last.bytes = bytes;
        m_requestOf[place] = m_requests.size() - 1;
    }
    m_pages.reserve(static_cast<std::size_t>(total));
    std::byte* to = m_pages.data;
    for (Request& request : m_requests) {
        request.to = to;
        to += request.bytes;
    }
}

void RowReader::spread(std::span<const ByteRange> rows, std::span<std::byte> destination) const
{
    for (std::size_t place = 0; place < m_order.size(); ++place) {
        const std::size_t row = m_order[place];
        const Request& request = m_requests[m_requestOf[place]];
        const std::byte* const from = request.to + (rows[row].offset - request.offset);
        std::byte* const to = destination.data() + m_starts[row];
        if (from != to && rows[row].bytes > 0)
            std::memcpy(to, from, static_cast<std::size_t>(rows[row].bytes));
    }
}

void RowReader::read(std::span<const ByteRange> rows, std::span<std::byte> destination)
{
    m_starts.resize(rows.size());
    std::uint64_t total = 0;
    for (std::size_t row = 0; row < rows.size(); ++row) {
        if (rows[row].offset > m_size || rows[row].bytes > m_size - rows[row].offset)
            throw Error(ErrorCode::InvalidParameter, std::to_string(rows[row].bytes) + " bytes were asked for, the file has " + std::to_string(m_size), m_path.string(), rows[row].offset);
        m_starts[row] = static_cast<std::size_t>(total);
        total += rows[row].bytes;
        if (total > kMaximumBatchBytes)
            throw Error(ErrorCode::LimitExceeded, "a batch of rows has more than " + std::to_string(kMaximumBatchBytes) + " bytes", m_path.string());
    }
    if (destination.size() != total)
        throw Error(ErrorCode::InvalidParameter, "found room for " + std::to_string(destination.size()) + " bytes, expected " + std::to_string(total), m_path.string());
    m_order.resize(rows.size());
    std::iota(m_order.begin(), m_order.end(), std::size_t{0});
    std::ranges::sort(m_order, [&](std::size_t a, std::size_t b) {
        return rows[a].offset != rows[b].offset ? rows[a].offset < rows[b].offset : rows[a].bytes != rows[b].bytes ? rows[a].bytes < rows[b].bytes : a < b;
    });
    m_requests.clear();
    m_requestOf.resize(rows.size());
    if (m_direct)
        planPages(rows);
    else
        planRows(rows, destination);
    fetch(m_requests);
    spread(rows, destination);
    m_counts.rows += rows.size();
    m_counts.requests += m_requests.size();
    for (const Request& request : m_requests)
        m_counts.bytes += request.bytes;
}

std::unique_ptr<RowReader> openReader(ReaderKind kind, const std::filesystem::path& file, const ReaderSettings& settings)
{
    if (kind == ReaderKind::Mapped && settings.direct)
        throw Error(ErrorCode::InvalidParameter, "a mapping cannot go past the page cache, expected pread or io_uring", "direct");
    if (kind == ReaderKind::Mapped)
        return std::make_unique<MappedReader>(file);
    if (kind == ReaderKind::Pread)
        return std::make_unique<PreadReader>(file, settings.direct);
    return std::make_unique<RingReader>(file, settings);
}

} // namespace tamis::addressing
