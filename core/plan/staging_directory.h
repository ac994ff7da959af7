// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A directory that appears whole or not at all. Internal to core/plan.
#include <filesystem>

namespace tamis::plan {

/// Made beside `target` under a temporary name; publish() renames it, otherwise the destructor removes it and what is in it.
/// All members throw Error{IoFailure} naming the target and the system's reason.
class StagingDirectory {
public:
    /// `target` must not exist or be an empty directory: Error{InvalidParameter}.
    explicit StagingDirectory(std::filesystem::path target);
    ~StagingDirectory();
    StagingDirectory(const StagingDirectory&) = delete;
    StagingDirectory& operator=(const StagingDirectory&) = delete;

    const std::filesystem::path& path() const noexcept { return m_path; }
    const std::filesystem::path& target() const noexcept { return m_target; }
    void makeSubdirectory(const std::filesystem::path& relative) const;
    /// Syncs every directory of the tree and renames it; what it holds must have been synced by its writers.
    void publish();

private:
    [[noreturn]] void fail(const char* what, int systemError) const;
    std::filesystem::path m_target, m_path;
};

} // namespace tamis::plan
