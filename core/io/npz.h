// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Archives of NumPy arrays (.npz): a zip (core/io/zip_directory.h) of .npy members, stored or deflated.
#include "core/io/npy.h"
#include "core/io/zip_directory.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::io {

using NpzLimits = ZipLimits;

/// `name` is without ".npy"; the bytes are those of the whole .npy, header included.
struct NpzMember : ZipMember {
    NpyHeader header;        ///< means nothing where `unsupported` says something
    std::string unsupported; ///< why the array cannot be read (texts, objects ...); the others still can
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
