// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace tamis {

/// A file that appears whole or not at all: written beside its target under a temporary name, synced, renamed by commit().
/// Without commit() the destructor removes it. All members throw Error{IoFailure} naming the target and the system's reason.
class AtomicFile {
public:
    explicit AtomicFile(std::filesystem::path target);
    ~AtomicFile();
    AtomicFile(const AtomicFile&) = delete;
    AtomicFile& operator=(const AtomicFile&) = delete;

    void write(std::span<const std::byte> bytes);
    /// Where the file may be empty so far; position() stays.
    void writeAt(std::uint64_t offset, std::span<const std::byte> bytes);
    void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }
    std::uint64_t position() const noexcept { return m_position; }
    /// Path of the temporary file, for libraries that write by name (HDF5). Nothing may be written here then.
    const std::filesystem::path& temporaryPath() const noexcept { return m_temporary; }
    void commit();

private:
    [[noreturn]] void fail(const char* what, int systemError) const;
    std::filesystem::path m_target, m_temporary;
    std::uint64_t m_position = 0;
    int m_descriptor = -1;
};

/// Whole-file convenience.
void writeFileAtomically(const std::filesystem::path& target, std::string_view text);

} // namespace tamis
