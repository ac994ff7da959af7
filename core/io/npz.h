// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Archives of NumPy arrays (.npz): a zip of .npy members, stored or deflated. Reference: APPNOTE.TXT 6.3.10 (PKWARE).
// The directory is read strictly: the archive starts at byte 0, members do not overlap, local headers agree with the
// central directory, names are unique and relative. Encryption, several disks and other compressions are refused.
#include "core/io/npy.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::io {

/// What an archive may ask of the machine. Deflate cannot exceed 1032:1; arrays worth opening stay far below.
struct NpzLimits {
    std::uint64_t members = 100'000;
    std::uint64_t memberBytes = 16ull << 30;  ///< inflated size of one member
    std::uint64_t totalBytes = 256ull << 30;  ///< inflated size of all
    std::uint64_t ratio = 256;                ///< inflated : stored, for members over `ratioFreeBytes`
    std::uint64_t ratioFreeBytes = 4ull << 20;
};

struct NpzMember {
    std::string name;        ///< without ".npy"
    NpyHeader header;        ///< means nothing where `unsupported` says something
    std::string unsupported; ///< why the array cannot be read (texts, objects ...); the others still can
    bool deflated = false;
    std::uint64_t storedBytes = 0;   ///< in the archive
    std::uint64_t inflatedBytes = 0; ///< of the whole .npy, header included
    std::uint64_t dataOffset = 0;    ///< of the member's first stored byte in the archive
    std::uint32_t crc = 0;
};

/// Opening reads the directory and every member's header; arrays are decoded on demand. Immutable, safe to share between
/// threads.
class NpzArchive {
public:
    /// Throws Error{MalformedFile, UnsupportedFeature, LimitExceeded, IoFailure}; the subject is the file, or file and member.
    static std::shared_ptr<const NpzArchive> open(const std::filesystem::path& file, const NpzLimits& limits = {});
    /// `bytes` must outlive the archive.
    static std::shared_ptr<const NpzArchive> parse(std::span<const std::byte> bytes, const std::string& subject,
                                                   const NpzLimits& limits = {});
    ~NpzArchive();

    const std::vector<NpzMember>& members() const noexcept; ///< in directory order
    const NpzMember* find(std::string_view name) const noexcept;
    /// Inflates at most the declared size, checks the CRC, returns little-endian row-major elements. Throws
    /// Error{MalformedFile, IoFailure (the file shrank), OutOfMemory}, Error{UnsupportedFeature} with the member's
    /// `unsupported`, Error{InvalidParameter} for an unknown name.
    NpyArray read(const NpzMember& member) const;
    NpyArray read(std::string_view name) const;

private:
    struct Content;
    explicit NpzArchive(std::unique_ptr<Content> content);
    std::unique_ptr<Content> m_content;
};

} // namespace tamis::io
