// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The safetensors container: 8 bytes little-endian length N, N bytes of JSON, then the tensors without holes.
// Reference: the format section of the safetensors README and its Rust reader, version 0.4.
#include "core/base/atomic_file.h"
#include "core/base/run_context.h"
#include "core/io/tensor_entry.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tamis::io {

/// The reference reader's limit.
inline constexpr std::uint64_t kMaximumSafetensorsHeader = 100'000'000;

class MappedFile;

struct SafetensorsHeader {
    std::vector<TensorEntry> tensors; ///< in the order of their bytes; TensorEntry::file is 0, offsets are absolute
    std::map<std::string, std::string> metadata; ///< "__metadata__"
};

/// `bytes`: the start of a file of `fileSize` bytes, at least its whole header (a mapped file, or a piece of memory).
/// As the reference does, refuses holes, overlaps and bytes after the last tensor. A tensor named twice is refused too.
/// Throws Error{MalformedFile, UnsupportedFeature (a dtype that Tamis does not know), LimitExceeded, Cancelled}; the subject is
/// `subject`, or `subject` and the tensor.
SafetensorsHeader parseSafetensorsHeader(std::span<const std::byte> bytes, std::uint64_t fileSize, const std::string& subject,
                                         const RunContext& context = {});

/// Of a mapped file. Throws as parseSafetensorsHeader, and Error{IoFailure} when the file shrinks under it.
SafetensorsHeader readSafetensorsHeader(const MappedFile& file, const RunContext& context = {});

struct TensorDeclaration {
    std::string name;
    tensor::DType dtype = tensor::DType::F32;
    std::vector<std::int64_t> shape;
};

/// Writes a safetensors file as a stream: all tensors are declared first, then their bytes come, in that order or side by side, in pieces of
/// any size. The file appears at commit(), whole; without it nothing remains. Memory: the header only.
/// Declare the widest types first and every tensor is aligned; readers that map the file like that.
class SafetensorsWriter {
public:
    /// Throws Error{InvalidParameter} (a name twice, empty or "__metadata__", a shape that cannot be) and Error{IoFailure}.
    SafetensorsWriter(std::filesystem::path target, std::vector<TensorDeclaration> tensors,
                      const std::map<std::string, std::string>& metadata = {});

    /// The next bytes of `tensor`, which must be the one in turn. Throws Error{InvalidParameter} for another tensor or more
    /// bytes than declared, Error{IoFailure} for a full disk.
    void append(std::string_view tensor, std::span<const std::byte> bytes);
    /// The next bytes of any tensor, for tensors that grow side by side. Throws as append(), for an unknown or complete tensor too.
    void appendBeside(std::string_view tensor, std::span<const std::byte> bytes);
    /// The next values of `tensor`, rounded to nearest even into its declared floating type.
    void appendValues(std::string_view tensor, std::span<const float> values);
    void appendValues(std::string_view tensor, std::span<const double> values);
    /// Throws Error{InvalidParameter} naming the first tensor that lacks bytes, Error{IoFailure}.
    void commit();

    /// Size of the whole file when complete.
    std::uint64_t fileSize() const noexcept { return m_fileSize; }
    /// Where the file is until commit(), to read back what was written so far.
    const std::filesystem::path& temporaryPath() const noexcept { return m_file.temporaryPath(); }

private:
    struct Pending {
        TensorDeclaration declaration;
        std::uint64_t bytes = 0, offset = 0; ///< in the file
        std::uint64_t written = 0;
    };
    Pending& inTurn(std::string_view tensor, std::uint64_t bytes);
    void requireRoom(const Pending& pending, std::uint64_t bytes) const;
    void write(Pending& pending, std::span<const std::byte> bytes);
    void skipComplete() noexcept;
    template <class T> void appendEncoded(std::string_view tensor, std::span<const T> values);
    std::string m_subject;
    AtomicFile m_file;
    std::vector<Pending> m_tensors;
    std::size_t m_current = 0; ///< the first that lacks bytes
    std::uint64_t m_fileSize = 0;
};

} // namespace tamis::io
