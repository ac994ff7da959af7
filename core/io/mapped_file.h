// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <type_traits>

namespace tamis::io {

/// A regular file mapped for reading. The pages of a mapping vanish when another process truncates the file, and touching
/// them raises SIGBUS: every access therefore goes through copy() or visit(), which turn that into Error{IoFailure}.
/// Immutable and safe to share between threads.
class MappedFile {
public:
    /// Throws Error{IoFailure} naming the file and the system's reason (missing, a directory, no permission, not a file).
    static std::shared_ptr<const MappedFile> open(const std::filesystem::path& file);
    ~MappedFile();
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    const std::filesystem::path& path() const noexcept { return m_path; }
    std::uint64_t size() const noexcept { return m_size; } ///< when it was opened

    /// Copies destination.size() bytes from `offset`. `subject` names file and tensor in errors.
    void copy(std::uint64_t offset, std::span<std::byte> destination, const std::string& subject) const;

    /// Calls use(bytes) on the mapped bytes [offset, offset + size). When the file shrank before or during the call, `use`
    /// is left where it is (siglongjmp) and Error{IoFailure} is thrown. So `use` may only read the bytes and write memory
    /// that its caller owns: no object with a destructor, no allocation, no lock; an exception ends the program.
    template <class Use> void visit(std::uint64_t offset, std::uint64_t size, const std::string& subject, Use&& use) const
    {
        visitGuarded(
            offset, size, subject,
            [](std::span<const std::byte> bytes, void* object) noexcept { (*static_cast<std::remove_reference_t<Use>*>(object))(bytes); },
            const_cast<void*>(static_cast<const void*>(std::addressof(use))));
    }

private:
    using Visitor = void (*)(std::span<const std::byte>, void*) noexcept;
    MappedFile(std::filesystem::path path, int descriptor, const std::byte* data, std::uint64_t size);
    void visitGuarded(std::uint64_t offset, std::uint64_t size, const std::string& subject, Visitor visitor, void* object) const;
    std::filesystem::path m_path;
    int m_descriptor = -1;
    const std::byte* m_bytes = nullptr;
    std::uint64_t m_size = 0;
};

} // namespace tamis::io
