// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Runs that are done, to be shown again without being run again.
#include "core/report/reuse_report.h"

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tamis::app {

/// Runs by settingKey(). One thread at a time.
class ReuseRuns {
public:
    using Run = std::shared_ptr<const report::ReuseRun>;
    static constexpr std::size_t kMost = 24; ///< beside those that are kept
    /// In place of an older one; the oldest go where there are more than kMost whose keys are not among `kept`.
    void add(const std::string& key, Run run, std::span<const std::string> kept);
    Run find(const std::string& key) const; ///< null: none
    void clear() { m_runs.clear(); }
    std::size_t size() const noexcept { return m_runs.size(); }

private:
    struct Named {
        std::string key;
        Run run;
    };
    std::vector<Named> m_runs; ///< the newest last
};

} // namespace tamis::app
