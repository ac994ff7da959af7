// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/io/zip_directory.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/io/mapped_file.h"
#include "core/io/printable_name.h"
#include "core/io/tensor_entry.h"

#include <zlib.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <optional>

namespace tamis::io
{
namespace
{
constexpr std::uint32_t kEndSignature = 0x06054b50, kEnd64Signature = 0x06064b50, kLocator64Signature = 0x07064b50,
                        kCentralSignature = 0x02014b50, kLocalSignature = 0x04034b50;
constexpr std::uint64_t kEndBytes = 22, kEnd64Bytes = 56, kLocator64Bytes = 20, kCentralBytes = 46, kLocalBytes = 30;
constexpr std::uint64_t kMaximumDirectory = 256ull << 20;

/// Little-endian fields of a record that was checked to be long enough; at() refuses what is not.
class Record
{
public:
    Record(std::span<const std::byte> bytes, std::uint64_t offset, const std::string& subject)
        : m_bytes(bytes), m_offset(offset), m_subject(subject)
    {
    }
    std::uint64_t number(std::uint64_t at, int size) const
    {
        if (at > m_bytes.size() || m_bytes.size() - at < static_cast<std::uint64_t>(size))
            throw Error(ErrorCode::MalformedFile, "the zip directory ends inside a record", m_subject, m_offset + at);
        std::uint64_t value = 0;
        for (int i = size; i-- > 0;)
            value = value << 8 | std::to_integer<std::uint64_t>(m_bytes[at + static_cast<std::uint64_t>(i)]);
        return value;
    }
    std::uint16_t u16(std::uint64_t at) const { return static_cast<std::uint16_t>(number(at, 2)); }
    std::uint32_t u32(std::uint64_t at) const { return static_cast<std::uint32_t>(number(at, 4)); }
    std::uint64_t u64(std::uint64_t at) const { return number(at, 8); }

private:
    std::span<const std::byte> m_bytes;
    std::uint64_t m_offset;
    const std::string& m_subject;
};

/// One directory entry as written, before anything is believed.
struct Entry {
    std::string name;
    std::uint16_t flags = 0, method = 0;
    std::uint32_t crc = 0;
    std::uint64_t stored = 0, inflated = 0, localOffset = 0, disk = 0;
};

/// The zip64 extra field replaces, in this order, the 32-bit fields that are all ones (APPNOTE 4.5.3).
void applyZip64(std::span<const std::byte> extra, std::uint64_t offset, const std::string& subject, Entry& entry,
                bool central)
{
    const Record record(extra, offset, subject);
    for (std::uint64_t at = 0; at < extra.size();) {
        const std::uint64_t id = record.u16(at), size = record.u16(at + 2), start = at + 4;
        if (size > extra.size() - start)
            throw Error(ErrorCode::MalformedFile, "an extra field of the zip directory is longer than its record",
                        subject, offset + at);
        at = start + size;
        if (id != 1)
            continue;
        const Record field(extra.subspan(start, size), offset + start, subject);
        std::uint64_t next = 0;
        for (std::uint64_t* value : {&entry.inflated, &entry.stored, central ? &entry.localOffset : nullptr})
            if (value != nullptr && *value == 0xffffffffu) {
                *value = field.u64(next);
                next += 8;
            }
        if (central && entry.disk == 0xffffu)
            entry.disk = field.u32(next);
        return;
    }
}

void checkName(const std::string& name, const std::string& subject)
{
    const auto refuse = [&](const char* why) {
        throw Error(ErrorCode::MalformedFile, std::string("the member's name ") + why, zipMemberSubject(subject, name));
    };
    if (name.empty() || name.size() > kMaximumNameBytes)
        refuse("is empty or too long");
    if (name.front() == '/' || (name.size() > 1 && name[1] == ':'))
        refuse("is absolute, expected a relative one");
    if (name.find('\\') != std::string::npos ||
        std::any_of(name.begin(), name.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }))
        refuse("has a backslash or control characters");
    if (("/" + name + "/").find("/../") != std::string::npos)
        refuse("leads out of the archive with '..'");
}

/// Walks the records of an archive of `size` bytes.
class DirectoryReader
{
public:
    DirectoryReader(const ZipSource& source, std::uint64_t size, const std::string& subject, const ZipLimits& limits)
        : m_source(source), m_size(size), m_subject(subject), m_limits(limits)
    {
    }

    std::vector<ZipMember> read()
    {
        findDirectory();
        if (m_entries > m_limits.members || m_length > kMaximumDirectory)
            throw Error(ErrorCode::LimitExceeded,
                        "found a zip directory of " + std::to_string(m_entries) + " members and " +
                            std::to_string(m_length) + " bytes, expected at most " + std::to_string(m_limits.members) +
                            " members",
                        m_subject, m_start);
        if (m_entries > m_length / kCentralBytes)
            fail("the zip directory of " + std::to_string(m_length) + " bytes cannot hold " +
                     std::to_string(m_entries) + " members",
                 m_start);
        const std::vector<std::byte> directory = bytes(m_start, m_length);
        std::vector<ZipMember> members;
        std::uint64_t at = 0, total = 0;
        for (std::uint64_t i = 0; i < m_entries; ++i) {
            const Entry entry = centralEntry(directory, at);
            checkEntry(entry);
            if (total += entry.inflated; total > m_limits.totalBytes)
                throw Error(ErrorCode::LimitExceeded,
                            "the members inflate to more than " + std::to_string(m_limits.totalBytes) + " bytes in all",
                            m_subject);
            members.push_back(locate(entry));
        }
        if (at != m_length)
            fail("found " + std::to_string(m_length - at) + " bytes after the last member of the zip directory",
                 m_start + at);
        checkOverlaps();
        return members;
    }

private:
    [[noreturn]] void fail(const std::string& message, std::uint64_t offset) const
    {
        throw Error(ErrorCode::MalformedFile, message, m_subject, offset);
    }
    std::vector<std::byte> bytes(std::uint64_t offset, std::uint64_t length) const
    {
        if (offset > m_size || length > m_size - offset)
            fail("the file of " + std::to_string(m_size) + " bytes ends inside a zip record", offset);
        std::vector<std::byte> result(length);
        m_source(offset, result, m_subject);
        return result;
    }

    /// The end record stands last, followed by its comment only; its position must be where the directory says it ends.
    void findDirectory()
    {
        const std::uint64_t tail = std::min<std::uint64_t>(m_size, kEndBytes + 0xffff);
        const std::vector<std::byte> last = bytes(m_size - tail, tail);
        std::optional<std::uint64_t> end;
        for (std::uint64_t at = tail >= kEndBytes ? tail - kEndBytes + 1 : 0; at-- > 0 && !end;) {
            const Record record(last, m_size - tail, m_subject);
            if (record.u32(at) == kEndSignature && record.u16(at + 20) == tail - at - kEndBytes)
                end = at;
        }
        if (!end)
            fail("is not a zip archive: found no end-of-directory record at its end", m_size);
        m_end = m_size - tail + *end;
        const std::span<const std::byte> endBytes(last.data() + *end, last.size() - *end);
        const Record record(endBytes, m_end, m_subject);
        std::uint64_t disk = record.u16(4), directoryDisk = record.u16(6), here = record.u16(8);
        m_entries = record.u16(10);
        m_length = record.u32(12);
        m_start = record.u32(16);
        if (m_end >= kLocator64Bytes) {
            const std::vector<std::byte> locatorBytes = bytes(m_end - kLocator64Bytes, kLocator64Bytes);
            const Record locator(locatorBytes, m_end - kLocator64Bytes, m_subject);
            if (locator.u32(0) == kLocator64Signature) {
                if (locator.u32(4) != 0 || locator.u32(16) > 1)
                    refuseDisks();
                m_end = locator.u64(8);
                const std::vector<std::byte> end64Bytes = bytes(m_end, kEnd64Bytes);
                const Record end64(end64Bytes, m_end, m_subject);
                if (end64.u32(0) != kEnd64Signature)
                    fail("the zip64 locator does not point to a zip64 end-of-directory record", m_end);
                disk = end64.u32(16);
                directoryDisk = end64.u32(20);
                here = end64.u64(24);
                m_entries = end64.u64(32);
                m_length = end64.u64(40);
                m_start = end64.u64(48);
            }
        }
        if (disk != 0 || directoryDisk != 0 || here != m_entries)
            refuseDisks();
        if (m_start > m_end || m_end - m_start != m_length)
            fail("the zip directory is said to be " + std::to_string(m_length) + " bytes from byte " +
                     std::to_string(m_start) + ", expected it to end at its end record",
                 m_end);
    }
    [[noreturn]] void refuseDisks() const
    {
        throw Error(ErrorCode::UnsupportedFeature, "the zip archive is spread over several disks, expected one file",
                    m_subject, m_end);
    }

    Entry centralEntry(std::span<const std::byte> directory, std::uint64_t& at) const
    {
        const std::uint64_t offset = m_start + at;
        const Record record(directory.subspan(at), offset, m_subject);
        if (record.u32(0) != kCentralSignature)
            fail("expected the record of a member in the zip directory", offset);
        Entry entry{.flags = record.u16(8),
                    .method = record.u16(10),
                    .crc = record.u32(16),
                    .stored = record.u32(20),
                    .inflated = record.u32(24),
                    .localOffset = record.u32(42),
                    .disk = record.u16(34)};
        const std::uint64_t nameBytes = record.u16(28), extraBytes = record.u16(30), commentBytes = record.u16(32);
        const std::uint64_t length = kCentralBytes + nameBytes + extraBytes + commentBytes;
        if (length > directory.size() - at)
            fail("the zip directory ends inside the record of a member", offset);
        const auto name = directory.subspan(at + kCentralBytes, nameBytes);
        entry.name.assign(reinterpret_cast<const char*>(name.data()), name.size());
        applyZip64(directory.subspan(at + kCentralBytes + nameBytes, extraBytes), offset + kCentralBytes + nameBytes,
                   m_subject, entry, true);
        at += length;
        return entry;
    }

    void checkEntry(const Entry& entry)
    {
        checkName(entry.name, m_subject);
        const std::string subject = zipMemberSubject(m_subject, entry.name);
        if (!m_names.emplace(entry.name, true).second)
            throw Error(ErrorCode::MalformedFile, "two members have this name", subject);
        if (entry.flags & 0x2041) // encrypted, strongly encrypted, masked headers
            throw Error(ErrorCode::UnsupportedFeature, "the member is encrypted", subject);
        if (entry.disk != 0)
            refuseDisks();
        if (entry.method != 0 && entry.method != 8)
            throw Error(ErrorCode::UnsupportedFeature,
                        "found the compression method " + std::to_string(entry.method) +
                            ", expected stored (0) or deflated (8)",
                        subject);
        if (entry.method == 0 && entry.stored != entry.inflated)
            throw Error(ErrorCode::MalformedFile,
                        "the member is stored in " + std::to_string(entry.stored) + " bytes but declares " +
                            std::to_string(entry.inflated),
                        subject);
        if (entry.inflated > m_limits.memberBytes)
            throw Error(ErrorCode::LimitExceeded,
                        "the member inflates to " + std::to_string(entry.inflated) + " bytes, expected at most " +
                            std::to_string(m_limits.memberBytes),
                        subject);
        if (entry.inflated > m_limits.ratioFreeBytes && entry.inflated / m_limits.ratio > entry.stored)
            throw Error(ErrorCode::LimitExceeded,
                        "the member inflates " + std::to_string(entry.stored) + " bytes to " +
                            std::to_string(entry.inflated) + ", expected at most " + std::to_string(m_limits.ratio) +
                            " times its size",
                        subject);
    }

    /// Checks the local header against the directory and finds the member's bytes.
    ZipMember locate(const Entry& entry)
    {
        const std::string subject = zipMemberSubject(m_subject, entry.name);
        if (entry.localOffset > m_start || m_start - entry.localOffset < kLocalBytes)
            throw Error(ErrorCode::MalformedFile, "the local header lies outside the members' part of the archive",
                        subject, entry.localOffset);
        const std::vector<std::byte> fixed = bytes(entry.localOffset, kLocalBytes);
        const Record record(fixed, entry.localOffset, subject);
        if (record.u32(0) != kLocalSignature)
            throw Error(ErrorCode::MalformedFile, "expected a local header where the zip directory points", subject,
                        entry.localOffset);
        const std::uint64_t nameBytes = record.u16(26), extraBytes = record.u16(28),
                            room = m_start - entry.localOffset - kLocalBytes;
        if (nameBytes + extraBytes > room || entry.stored > room - nameBytes - extraBytes)
            throw Error(ErrorCode::MalformedFile,
                        "the member's " + std::to_string(entry.stored) + " bytes reach into the zip directory", subject,
                        entry.localOffset);
        const std::vector<std::byte> variable = bytes(entry.localOffset + kLocalBytes, nameBytes + extraBytes);
        Entry local{.flags = record.u16(6),
                    .method = record.u16(8),
                    .crc = record.u32(14),
                    .stored = record.u32(18),
                    .inflated = record.u32(22)};
        local.name.assign(reinterpret_cast<const char*>(variable.data()), nameBytes);
        applyZip64(std::span(variable).subspan(nameBytes), entry.localOffset + kLocalBytes + nameBytes, subject, local,
                   false);
        // Flag 3: sizes and CRC follow the data; the local header may then hold zeros.
        const bool later = (entry.flags & 8) != 0 && local.crc == 0 && local.stored == 0 && local.inflated == 0;
        const bool same =
            later || (local.crc == entry.crc && local.stored == entry.stored && local.inflated == entry.inflated);
        if (local.name != entry.name || local.method != entry.method ||
            (local.flags & 0x2049) != (entry.flags & 0x2049) || !same)
            throw Error(ErrorCode::MalformedFile, "the local header contradicts the zip directory", subject,
                        entry.localOffset);
        const std::uint64_t data = entry.localOffset + kLocalBytes + nameBytes + extraBytes;
        if (!m_ranges.emplace(entry.localOffset, data + entry.stored).second)
            throw Error(ErrorCode::MalformedFile, "the member overlaps another member", subject, entry.localOffset);
        return {.name = entry.name,
                .deflated = entry.method == 8,
                .storedBytes = entry.stored,
                .inflatedBytes = entry.inflated,
                .dataOffset = data,
                .crc = entry.crc};
    }

    void checkOverlaps() const
    {
        std::uint64_t free = 0;
        for (const auto& [begin, end] : m_ranges) {
            if (begin < free)
                fail("two members of the zip archive overlap", begin);
            free = end;
        }
    }

    const ZipSource& m_source;
    std::uint64_t m_size;
    const std::string& m_subject;
    const ZipLimits& m_limits;
    std::uint64_t m_start = 0, m_length = 0, m_entries = 0, m_end = 0;
    std::map<std::string, bool> m_names;
    std::map<std::uint64_t, std::uint64_t> m_ranges;
};

/// Raw deflate of one member, from the source in pieces. Never writes more than it is asked for.
class Inflater
{
public:
    Inflater(const ZipSource& source, const ZipMember& member, const std::string& subject)
        : m_source(source), m_member(member), m_subject(subject),
          m_buffer(std::min<std::uint64_t>(member.storedBytes, 1u << 18))
    {
        if (inflateInit2(&m_stream, -MAX_WBITS) != Z_OK)
            throw Error(ErrorCode::OutOfMemory, "the inflater cannot be started", subject);
    }
    ~Inflater() { inflateEnd(&m_stream); }
    Inflater(const Inflater&) = delete;
    Inflater& operator=(const Inflater&) = delete;

    /// Fills `destination`, or as much of it as there is; returns how much.
    std::size_t fill(std::span<std::byte> destination)
    {
        std::size_t done = 0;
        while (done < destination.size() && !m_ended) {
            if (m_stream.avail_in == 0)
                refill();
            const std::size_t room = std::min<std::size_t>(destination.size() - done, 1u << 30);
            m_stream.next_out = reinterpret_cast<Bytef*>(destination.data() + done);
            m_stream.avail_out = static_cast<uInt>(room);
            const int status = inflate(&m_stream, Z_NO_FLUSH);
            const std::size_t written = room - m_stream.avail_out;
            done += written;
            m_ended = status == Z_STREAM_END;
            if (status != Z_OK && !m_ended && !(status == Z_BUF_ERROR && m_consumed < m_member.storedBytes))
                throw Error(ErrorCode::MalformedFile, "the deflated bytes are damaged or end too early", m_subject,
                            m_member.dataOffset + m_consumed);
        }
        return done;
    }
    /// True when the deflate stream ended exactly with the member's stored bytes.
    bool complete()
    {
        std::byte extra{};
        return fill({&extra, 1}) == 0 && m_ended && m_consumed == m_member.storedBytes && m_stream.avail_in == 0;
    }

private:
    void refill()
    {
        const std::uint64_t size = std::min<std::uint64_t>(m_buffer.size(), m_member.storedBytes - m_consumed);
        if (size > 0)
            m_source(m_member.dataOffset + m_consumed, std::span(m_buffer).first(size), m_subject);
        m_consumed += size;
        m_stream.next_in = reinterpret_cast<Bytef*>(m_buffer.data());
        m_stream.avail_in = static_cast<uInt>(size);
    }

    const ZipSource& m_source;
    const ZipMember& m_member;
    const std::string& m_subject;
    std::vector<std::byte> m_buffer;
    z_stream m_stream{};
    std::uint64_t m_consumed = 0;
    bool m_ended = false;
};

std::uint32_t crcOf(std::uint32_t crc, std::span<const std::byte> bytes)
{
    return static_cast<std::uint32_t>(crc32_z(crc, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

void requireCrc(const ZipMember& member, std::uint32_t crc, const std::string& subject)
{
    if (crc != member.crc)
        throw Error(ErrorCode::MalformedFile,
                    "the member's CRC is " + std::to_string(crc) + ", expected " + std::to_string(member.crc), subject,
                    member.dataOffset);
}
} // namespace

std::string zipMemberSubject(const std::string& subject, const std::string& name)
{
    return subject + ", member '" + printableName(name) + "'";
}

ZipSource zipSource(std::shared_ptr<const MappedFile> file)
{
    return [file = std::move(file)](std::uint64_t offset, std::span<std::byte> destination,
                                    const std::string& subject) { file->copy(offset, destination, subject); };
}

ZipSource zipSource(std::span<const std::byte> bytes)
{
    return [bytes](std::uint64_t offset, std::span<std::byte> destination, const std::string& subject) {
        if (offset > bytes.size() || destination.size() > bytes.size() - offset)
            throw Error(ErrorCode::MalformedFile, "the archive ends inside a member", subject, offset);
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(offset), destination.size(), destination.begin());
    };
}

std::vector<ZipMember> readZipDirectory(const ZipSource& source, std::uint64_t size, const std::string& subject,
                                        const ZipLimits& limits)
{
    return DirectoryReader(source, size, subject, limits).read();
}

std::vector<std::byte> readZipMemberStart(const ZipSource& source, const ZipMember& member, std::uint64_t wanted,
                                          const std::string& subject)
{
    std::vector<std::byte> bytes(std::min(wanted, member.inflatedBytes));
    if (member.deflated)
        bytes.resize(Inflater(source, member, subject).fill(bytes));
    else
        source(member.dataOffset, bytes, subject);
    return bytes;
}

std::vector<std::byte> readZipMember(const ZipSource& source, const ZipMember& member, const std::string& subject)
{
    std::vector<std::byte> bytes(member.inflatedBytes);
    if (member.deflated) {
        Inflater inflater(source, member, subject);
        const std::size_t found = inflater.fill(bytes);
        if (found != bytes.size() || !inflater.complete())
            throw Error(ErrorCode::MalformedFile,
                        "the member inflates to " + std::string(found == bytes.size() ? "more" : "less") +
                            " than its declared " + std::to_string(bytes.size()) + " bytes, or has bytes after its end",
                        subject, member.dataOffset);
    } else {
        source(member.dataOffset, bytes, subject);
    }
    requireCrc(member, crcOf(0, bytes), subject);
    return bytes;
}

void verifyZipMember(const ZipSource& source, const ZipMember& member, const std::string& subject,
                     const RunContext& context)
{
    std::vector<std::byte> block(std::min<std::uint64_t>(member.storedBytes, 4u << 20));
    std::uint32_t crc = 0;
    for (std::uint64_t at = 0; at < member.storedBytes; at += block.size()) {
        context.throwIfStopped();
        const auto part = std::span(block).first(std::min<std::uint64_t>(block.size(), member.storedBytes - at));
        source(member.dataOffset + at, part, subject);
        crc = crcOf(crc, part);
    }
    requireCrc(member, crc, subject);
}

} // namespace tamis::io
