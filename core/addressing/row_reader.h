// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Rows of a file, a batch at a time, by three ways of the system: a mapping, pread and io_uring. All give the same bytes.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::addressing {

struct ByteRange {
    std::uint64_t offset = 0, bytes = 0;
    bool operator==(const ByteRange&) const = default;
};

inline constexpr std::uint64_t kPageBytes = 4096;
inline constexpr std::uint64_t kMaximumBatchBytes = std::uint64_t{1} << 30;

enum class ReaderKind { Mapped, Pread, Ring };
std::string_view readerName(ReaderKind kind) noexcept; ///< "mmap", "pread", "io_uring"

struct ReaderSettings {
    bool direct = false; ///< past the page cache (O_DIRECT): whole pages are read; pread and io_uring
    unsigned depth = 64; ///< io_uring: reads under way at once
};

/// What was asked of the system so far.
struct ReadCounts {
    std::uint64_t rows = 0;     ///< asked for
    std::uint64_t requests = 0; ///< sent, after equal rows (direct: rows of the same or touching pages) were joined
    std::uint64_t bytes = 0;    ///< of the requests
    bool operator==(const ReadCounts&) const = default;
};

/// Not thread-safe.
class RowReader {
public:
    virtual ~RowReader();
    RowReader(const RowReader&) = delete;
    RowReader& operator=(const RowReader&) = delete;

    virtual ReaderKind kind() const noexcept = 0;
    bool direct() const noexcept { return m_direct; }
    std::uint64_t size() const noexcept { return m_size; } ///< of the file when it was opened
    const ReadCounts& counts() const noexcept { return m_counts; }
    /// The bytes of all rows one after another; equal rows are read once. Throws Error{InvalidParameter (a row beyond the file, a destination of
    /// another size), LimitExceeded (more than kMaximumBatchBytes), IoFailure (a read error; a file that shrank)}.
    void read(std::span<const ByteRange> rows, std::span<std::byte> destination);
    /// Asks the system to forget the file's pages, so that the next read comes from the disk. What was written but not synced stays.
    virtual void evict();

protected:
    /// Bytes [offset, offset + bytes) of the file go to `to`; of the last page at least what the file has.
    struct Request {
        std::uint64_t offset = 0, bytes = 0;
        std::byte* to = nullptr;
    };
    RowReader(std::filesystem::path file, bool direct);
    virtual void fetch(std::span<const Request> requests) = 0;
    int descriptor() const noexcept { return m_descriptor; }
    const std::filesystem::path& path() const noexcept { return m_path; }
    /// Bytes of the request that the file has.
    std::uint64_t present(const Request& request) const noexcept;
    [[noreturn]] void failRead(std::uint64_t offset, int systemError) const; ///< 0: the file ended

private:
    void planRows(std::span<const ByteRange> rows, std::span<std::byte> destination);
    void planPages(std::span<const ByteRange> rows);
    void spread(std::span<const ByteRange> rows, std::span<std::byte> destination) const;
    struct AlignedBytes {
        std::byte* data = nullptr;
        std::size_t size = 0;
        ~AlignedBytes();
        void reserve(std::size_t bytes);
    };
    std::filesystem::path m_path;
    int m_descriptor = -1;
    bool m_direct = false;
    std::uint64_t m_size = 0;
    ReadCounts m_counts;
    std::vector<std::size_t> m_order;          ///< rows by offset
    std::vector<std::size_t> m_starts;         ///< of each row in the destination
    std::vector<Request> m_requests;
    std::vector<std::size_t> m_requestOf;      ///< by place in m_order
    AlignedBytes m_pages;
};

/// Throws Error{IoFailure (cannot be opened), UnsupportedFeature (io_uring or O_DIRECT, with the system's reason), InvalidParameter (a direct
/// mapping, a depth out of range)}.
std::unique_ptr<RowReader> openReader(ReaderKind kind, const std::filesystem::path& file, const ReaderSettings& settings = {});

} // namespace tamis::addressing
