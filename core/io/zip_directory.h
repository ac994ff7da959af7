// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The directory of a zip archive and the bytes of its members, stored or deflated. Reference: APPNOTE.TXT 6.3.10
// (PKWARE). It is read strictly: the archive starts at byte 0, members do not overlap, local headers agree with the
// central directory, names are unique and relative. Encryption, several disks and other compressions are refused.
#include "core/base/run_context.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tamis::io
{
class MappedFile;

/// What an archive may ask of the machine. Deflate cannot exceed 1032:1; arrays worth opening stay far below.
struct ZipLimits {
    std::uint64_t members = 100'000;
    std::uint64_t memberBytes = 16ull << 30; ///< inflated size of one member
    std::uint64_t totalBytes = 256ull << 30; ///< inflated size of all
    std::uint64_t ratio = 256;               ///< inflated : stored, for members over `ratioFreeBytes`
    std::uint64_t ratioFreeBytes = 4ull << 20;
};

struct ZipMember {
    std::string name;
    bool deflated = false;
    std::uint64_t storedBytes = 0; ///< in the archive
    std::uint64_t inflatedBytes = 0;
    std::uint64_t dataOffset = 0; ///< of the member's first stored byte in the archive
    std::uint32_t crc = 0;
};

/// Copies destination.size() bytes of the archive from `offset`; throws Error{MalformedFile, IoFailure} with `subject`
/// where there are fewer.
using ZipSource =
    std::function<void(std::uint64_t offset, std::span<std::byte> destination, const std::string& subject)>;
ZipSource zipSource(std::shared_ptr<const MappedFile> file);
ZipSource zipSource(std::span<const std::byte> bytes); ///< which must outlive the source

/// "file, member 'name'", for errors.
std::string zipMemberSubject(const std::string& subject, const std::string& name);

/// The members of an archive of `size` bytes, in the directory's order. Throws Error{MalformedFile, UnsupportedFeature,
/// LimitExceeded}; the subject is `subject`, or it and the member.
std::vector<ZipMember> readZipDirectory(const ZipSource& source, std::uint64_t size, const std::string& subject,
                                        const ZipLimits& limits = {});

/// The first `wanted` bytes of a member, inflated (fewer when it is shorter). The CRC is not looked at.
std::vector<std::byte> readZipMemberStart(const ZipSource& source, const ZipMember& member, std::uint64_t wanted,
                                          const std::string& subject);
/// The whole member: inflates at most the declared size and checks the CRC. Throws Error{MalformedFile, IoFailure}.
std::vector<std::byte> readZipMember(const ZipSource& source, const ZipMember& member, const std::string& subject);
/// Checks the CRC of a stored member without keeping it. Throws as readZipMember, Error{Cancelled}.
void verifyZipMember(const ZipSource& source, const ZipMember& member, const std::string& subject,
                     const RunContext& context = {});

} // namespace tamis::io
