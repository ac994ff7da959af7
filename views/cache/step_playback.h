// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A played cache at one moment: the cells' content, forward and back.
#include "core/report/cache_size_report.h"

#include <QString>

#include <cstdint>
#include <memory>
#include <vector>

namespace tamis::views {

inline constexpr std::uint32_t kFreeCell = 0xFFFFFFFFU;

class StepPlayback {
public:
    void setReport(std::shared_ptr<const report::CacheStepReport> report); ///< null: none; stands before the first step
    const std::shared_ptr<const report::CacheStepReport>& report() const noexcept { return m_report; }
    int count() const noexcept; ///< steps
    int position() const noexcept { return m_position; } ///< steps that are behind; 0: none
    void moveTo(int position);  ///< clamped; costs the steps between
    const report::CacheStep* last() const; ///< the step that led here; nullptr: none
    const report::CacheStep* next() const; ///< nullptr: none is left
    const std::vector<std::uint32_t>& cells() const noexcept { return m_cells; } ///< [cells] objects, or kFreeCell
    QString nameOf(std::uint32_t object) const; ///< id as the file has it; "object 17" where it is not told
    int hits() const noexcept { return m_hits; } ///< in the steps that are behind

private:
    void forward();
    void back();
    void put(int cell, std::uint32_t object);

    std::shared_ptr<const report::CacheStepReport> m_report;
    std::vector<std::uint32_t> m_cells;
    int m_position = 0, m_hits = 0;
};

} // namespace tamis::views
