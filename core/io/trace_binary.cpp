// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/trace_binary.h"

#include "core/base/error.h"
#include "core/io/byte_stream.h"

#include <algorithm>
#include <vector>

namespace tamis::io {
namespace {
std::uint64_t little(const std::byte* bytes, std::size_t count) noexcept
{
    std::uint64_t value = 0;
    for (std::size_t i = count; i-- > 0;)
        value = (value << 8U) | std::to_integer<std::uint64_t>(bytes[i]);
    return value;
}

std::uint64_t big(const std::byte* bytes, std::size_t count) noexcept
{
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < count; ++i)
        value = (value << 8U) | std::to_integer<std::uint64_t>(bytes[i]);
    return value;
}

/// Version 1: u32 turn, u32 bytes, u32 parts, u16 command, u16 version, u64 block, u64 microseconds. Version 2 has command and version in front
/// and 8 bytes behind. The version's high byte is a mark of either.
constexpr std::size_t kVscsi1 = 32, kVscsi2 = 40;

std::size_t recordBytes(TraceFormat format, std::size_t vscsi) noexcept
{
    switch (format) {
    case TraceFormat::OracleGeneral:
        return 24;
    case TraceFormat::Vscsi:
        return vscsi;
    case TraceFormat::Be64:
    case TraceFormat::Le64:
        return 8;
    default:
        return 4;
    }
}

class BinaryTrace final : public TraceReader {
public:
    BinaryTrace(const std::filesystem::path& path, TraceFormat format) : m_name(path.string()), m_format(format), m_bytes(ByteStream::open(path))
    {
        if (format == TraceFormat::Vscsi)
            m_record = vscsiRecord(path);
        else
            m_record = recordBytes(format, 0);
    }
    std::size_t read(std::span<TraceEntry> to, std::stop_token) override
    {
        std::size_t done = 0;
        while (done < to.size()) {
            const std::size_t wanted = std::min<std::size_t>(to.size() - done, 8192);
            m_buffer.resize(wanted * m_record);
            const std::size_t got = m_bytes->read(m_buffer);
            if (got % m_record != 0)
                throw Error(ErrorCode::MalformedFile, "found " + std::to_string(got % m_record) + " bytes at the end, expected whole records of " + std::to_string(m_record) + " bytes", m_name,
                            m_offset + got - got % m_record);
            for (std::size_t i = 0; i < got / m_record; ++i)
                to[done + i] = entry(m_buffer.data() + i * m_record, m_offset + i * m_record);
            done += got / m_record;
            m_offset += got;
            if (got < m_buffer.size())
                break;
        }
        return done;
    }
    bool sized() const noexcept override { return m_format == TraceFormat::OracleGeneral || m_format == TraceFormat::Vscsi; }
    bool timed() const noexcept override { return sized(); }
    TraceFormat format() const noexcept override { return m_format; }
    double progress() const noexcept override { return m_bytes->fileBytes() == 0 ? 1 : static_cast<double>(m_bytes->fileOffset()) / static_cast<double>(m_bytes->fileBytes()); }

private:
    std::size_t vscsiRecord(const std::filesystem::path& path) const
    {
        std::vector<std::byte> head(kVscsi2 * 4);
        head.resize(ByteStream::open(path)->read(head));
        const auto marks = [&](std::size_t record, std::size_t at) {
            std::size_t records = 0;
            for (std::size_t i = 0; i + record <= head.size() && records < 3; i += record, ++records)
                if (const std::uint64_t version = little(head.data() + i + at, 2) >> 8U; version != 1 && version != 2)
                    return false;
            return records > 0;
        };
        if (marks(kVscsi2, 2))
            return kVscsi2;
        if (marks(kVscsi1, 14))
            return kVscsi1;
        throw Error(ErrorCode::MalformedFile, "found no version 1 or 2 in the first records, expected a vscsi trace", m_name, 0);
    }
    TraceEntry entry(const std::byte* bytes, std::uint64_t offset) const
    {
        switch (m_format) {
        case TraceFormat::OracleGeneral: {
            const auto size = static_cast<std::uint32_t>(little(bytes + 12, 4));
            return {.id = little(bytes + 4, 8), .size = checked(size, offset), .time = static_cast<std::int64_t>(little(bytes, 4))};
        }
        case TraceFormat::Vscsi: {
            const bool second = m_record == kVscsi2;
            const auto size = static_cast<std::uint32_t>(little(bytes + (second ? 8 : 4), 4));
            return {.id = little(bytes + 16, 8), .size = checked(size, offset), .time = static_cast<std::int64_t>(little(bytes + 24, 8) / 1'000'000)};
        }
        case TraceFormat::Be64:
            return {big(bytes, 8)};
        case TraceFormat::Le64:
            return {little(bytes, 8)};
        case TraceFormat::Be32:
            return {big(bytes, 4)};
        default:
            return {little(bytes, 4)};
        }
    }
    /// Objects of no bytes would fit any cache for ever.
    std::uint32_t checked(std::uint32_t size, std::uint64_t offset) const
    {
        if (size == 0)
            throw Error(ErrorCode::MalformedFile, "found a request of 0 bytes, expected 1 at least", m_name, offset);
        return size;
    }
    std::string m_name;
    TraceFormat m_format;
    std::unique_ptr<ByteStream> m_bytes;
    std::vector<std::byte> m_buffer;
    std::size_t m_record = 8;
    std::uint64_t m_offset = 0;
};
} // namespace

std::unique_ptr<TraceReader> binaryTrace(const std::filesystem::path& path, TraceFormat format) { return std::make_unique<BinaryTrace>(path, format); }

} // namespace tamis::io
