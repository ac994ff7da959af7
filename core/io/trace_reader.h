// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Traces of requests to a cache, read as a stream: docs/formats.md.
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::io {

enum class TraceFormat {
    Automatic,     ///< by the file's name and first bytes
    Ids,           ///< text: an id a line; numbers, or any keys
    Csv,           ///< text: columns
    Lirs,          ///< text: block numbers, lines of "*" between phases
    Arc,           ///< text: first block, blocks, two numbers that are not read
    OracleGeneral, ///< libCacheSim: u32 time, u64 id, u32 size, i64 next, little endian
    Vscsi,         ///< VMware's vscsi traces, versions 1 and 2, little endian
    Be64, Be32, Le64, Le32 ///< ids one after another
};
/// "automatic", "ids", "csv", "lirs", "arc", "oracle-general", "vscsi", "be64", ... ; nullopt for another text.
std::optional<TraceFormat> traceFormatNamed(std::string_view name) noexcept;
std::string_view traceFormatName(TraceFormat format) noexcept;
std::vector<std::string_view> traceFormatNames(); ///< the first is found by itself

/// Columns of a CSV file by the name in its first line or by number from 1. An empty text: found by usual names ("time", "id", "key", "obj_id",
/// "lbn", "size", "cost", "uniqueness", ...), or not there.
struct TraceColumns {
    std::string time, id, size, cost, uniqueness;
    std::string operation; ///< reads and writes; never found by itself
    bool operator==(const TraceColumns&) const = default;
};

struct TraceOptions {
    TraceFormat format = TraceFormat::Automatic;
    TraceColumns columns;
};

/// What readers may make of a text that stands for an object.
struct TraceIds {
    std::optional<std::uint64_t> number; ///< where it is one
    std::uint64_t key = 0;               ///< its hash, where ids are keys
};
TraceIds traceIds(std::string_view text) noexcept;

struct TraceEntry {
    std::uint64_t id = 0;
    std::uint32_t size = 1; ///< bytes; 1 where the format has no sizes
    bool write = false;     ///< all others are reads
    std::int64_t time = 0;  ///< seconds as a rule; 0 where it has none
    float cost = 1;         ///< of computing or fetching it anew, in any unit; 1 where the format has none
    float uniqueness = 1;   ///< 1 / number of similar objects, or another weight of that kind; 1 where the format has none
};

/// Not thread-safe. Memory does not depend on the length of the trace.
class TraceReader {
public:
    virtual ~TraceReader() = default;
    /// Fills as much of `to` as there is left: fewer mean the end. Throws Error{MalformedFile (line or offset, found, expected), IoFailure, Cancelled
    /// (a stop between lines: many may hold no request)}.
    virtual std::size_t read(std::span<TraceEntry> to, std::stop_token stop = {}) = 0;
    virtual bool sized() const noexcept = 0; ///< entries have sizes of their own
    virtual bool timed() const noexcept = 0;
    virtual bool marksWrites() const noexcept { return false; } ///< entries say whether they are writes
    virtual bool costed() const noexcept { return false; }
    virtual bool tellsUniqueness() const noexcept { return false; }
    virtual TraceFormat format() const noexcept = 0;
    virtual double progress() const noexcept = 0; ///< share of the file, 0 .. 1

    /// Throws Error{IoFailure, MalformedFile, UnsupportedFeature (no such column)}.
    static std::unique_ptr<TraceReader> open(const std::filesystem::path& path, const TraceOptions& options = {});
};

} // namespace tamis::io
