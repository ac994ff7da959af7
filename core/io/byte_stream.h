// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A file from its first byte to its last, decompressed on the way (gzip, xz, zstd) where its first bytes say so.
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>

namespace tamis::io {

/// Not thread-safe. Memory is bounded whatever the file says: xz and zstd windows over 256 MiB are refused.
class ByteStream {
public:
    virtual ~ByteStream() = default;
    /// Fills as much of `to` as there is left; fewer bytes than asked for mean the end. Throws Error{IoFailure, MalformedFile (file, offset)}.
    virtual std::size_t read(std::span<std::byte> to) = 0;
    virtual std::uint64_t fileOffset() const noexcept = 0; ///< of the file itself: for progress
    virtual std::uint64_t fileBytes() const noexcept = 0;

    /// Throws Error{IoFailure, MalformedFile}.
    static std::unique_ptr<ByteStream> open(const std::filesystem::path& path);
};

} // namespace tamis::io
