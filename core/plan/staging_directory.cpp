// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/plan/staging_directory.h"

#include "core/base/error.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <system_error>
#include <unistd.h>

namespace tamis::plan {
namespace {

void requireFree(const std::filesystem::path& target)
{
    std::error_code error;
    const auto status = std::filesystem::symlink_status(target, error);
    if (status.type() == std::filesystem::file_type::not_found)
        return;
    if (status.type() != std::filesystem::file_type::directory)
        throw Error(ErrorCode::InvalidParameter, "is there already and is not a directory; expected a new or an empty directory",
                    target.string());
    if (!std::filesystem::is_empty(target, error) || error)
        throw Error(ErrorCode::InvalidParameter, "is a directory that is not empty; expected a new or an empty directory",
                    target.string());
}

// 0, or the system's error number.
int syncDirectory(const std::filesystem::path& directory)
{
    const int descriptor = open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return errno;
    const int result = fsync(descriptor) == 0 ? 0 : errno;
    close(descriptor);
    return result;
}

} // namespace

StagingDirectory::StagingDirectory(std::filesystem::path target) : m_target(std::move(target))
{
    if (m_target.filename().empty()) // "out/"
        m_target = m_target.parent_path();
    requireFree(m_target);
    const auto parent = m_target.has_parent_path() ? m_target.parent_path() : std::filesystem::path(".");
    std::string pattern = (parent / ("." + m_target.filename().string() + ".XXXXXX")).string();
    if (!mkdtemp(pattern.data()))
        fail("cannot be created", errno);
    m_path = pattern;
    const mode_t mask = umask(0); // mkdtemp gives 0700; a published directory is as readable as any other
    umask(mask);
    chmod(m_path.c_str(), 0777 & ~mask);
}

StagingDirectory::~StagingDirectory()
{
    std::error_code ignored;
    if (!m_path.empty())
        std::filesystem::remove_all(m_path, ignored);
}

void StagingDirectory::fail(const char* what, int systemError) const
{
    throw Error(ErrorCode::IoFailure, std::string(what) + ": " + std::strerror(systemError), m_target.string());
}

void StagingDirectory::makeSubdirectory(const std::filesystem::path& relative) const
{
    std::error_code error;
    std::filesystem::create_directories(m_path / relative, error);
    if (error)
        fail("cannot be created", error.value());
}

void StagingDirectory::publish()
{
    for (const auto& entry : std::filesystem::recursive_directory_iterator(m_path))
        if (entry.is_directory())
            if (const int error = syncDirectory(entry.path()))
                fail("writing failed", error);
    if (const int error = syncDirectory(m_path))
        fail("writing failed", error);
    if (rename(m_path.c_str(), m_target.c_str()) != 0) // replaces an empty directory, never a full one
        fail("cannot be put in place", errno);
    m_path.clear();
    syncDirectory(m_target.has_parent_path() ? m_target.parent_path() : std::filesystem::path("."));
}

} // namespace tamis::plan
