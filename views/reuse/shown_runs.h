// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/reuse_report.h"

#include <memory>
#include <vector>

namespace tamis::views {

/// Runs beside one another on the frames of a report. They are shared with who made them: nothing is copied to be shown.
struct ShownRuns {
    std::shared_ptr<const report::ReuseReport> of; ///< grid, frames and labels; never null
    std::vector<std::shared_ptr<const report::ReuseRun>> runs; ///< the asked first; none is null

    int count() const { return static_cast<int>(runs.size()); }
    const report::ReuseRun* run(int index) const { return index >= 0 && index < count() ? runs[static_cast<std::size_t>(index)].get() : nullptr; } ///< null outside
};

/// One run of a report, which lives as long as this does.
inline std::shared_ptr<const report::ReuseRun> sharedRun(const std::shared_ptr<const report::ReuseReport>& report, std::size_t index) { return {report, &report->runs.at(index)}; }

/// The runs that a report has itself; null for null.
inline std::shared_ptr<const ShownRuns> shownRuns(const std::shared_ptr<const report::ReuseReport>& report)
{
    if (!report)
        return nullptr;
    auto made = std::make_shared<ShownRuns>();
    made->of = report;
    for (std::size_t i = 0; i < report->runs.size(); ++i)
        made->runs.push_back(sharedRun(report, i));
    return made;
}

} // namespace tamis::views
