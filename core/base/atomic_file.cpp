// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/atomic_file.h"

#include "core/base/error.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace tamis {

AtomicFile::AtomicFile(std::filesystem::path target) : m_target(std::move(target))
{
    std::string pattern = m_target.string() + ".XXXXXX";
    m_descriptor = mkostemp(pattern.data(), O_CLOEXEC);
    if (m_descriptor < 0)
        fail("cannot be created", errno);
    m_temporary = pattern;
    const mode_t mask = umask(0);
    umask(mask);
    fchmod(m_descriptor, 0666 & ~mask);
}

AtomicFile::~AtomicFile()
{
    if (m_descriptor >= 0)
        close(m_descriptor);
    if (!m_temporary.empty())
        unlink(m_temporary.c_str());
}

void AtomicFile::fail(const char* what, int systemError) const
{
    throw Error(ErrorCode::IoFailure, std::string(what) + ": " + std::strerror(systemError), m_target.string());
}

void AtomicFile::write(std::span<const std::byte> bytes)
{
    while (!bytes.empty()) {
        const ssize_t written = ::write(m_descriptor, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            fail("writing failed", errno);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
        m_position += static_cast<std::uint64_t>(written);
    }
}

void AtomicFile::writeAt(std::uint64_t offset, std::span<const std::byte> bytes)
{
    while (!bytes.empty()) {
        const ssize_t written = ::pwrite(m_descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            fail("writing failed", errno);
        bytes = bytes.subspan(static_cast<std::size_t>(written));
        offset += static_cast<std::uint64_t>(written);
    }
}

void AtomicFile::commit()
{
    if (fsync(m_descriptor) != 0)
        fail("writing failed", errno);
    const int descriptor = m_descriptor;
    m_descriptor = -1;
    if (close(descriptor) != 0)
        fail("writing failed", errno);
    if (rename(m_temporary.c_str(), m_target.c_str()) != 0)
        fail("cannot be replaced", errno);
    m_temporary.clear();
}

void writeFileAtomically(const std::filesystem::path& target, std::string_view text)
{
    AtomicFile file(target);
    file.write(text);
    file.commit();
}

} // namespace tamis
