// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cache/step_playback.h"

#include <QCoreApplication>

#include <algorithm>

namespace tamis::views {

void StepPlayback::setReport(std::shared_ptr<const report::CacheStepReport> report)
{
    m_report = std::move(report);
    m_cells = m_report ? m_report->start : std::vector<std::uint32_t>();
    if (m_report)
        m_cells.resize(static_cast<std::size_t>(std::max(0, m_report->cells)), kFreeCell);
    m_position = m_hits = 0;
}

int StepPlayback::count() const noexcept { return m_report ? static_cast<int>(m_report->steps.size()) : 0; }

const report::CacheStep* StepPlayback::last() const { return m_position > 0 ? &m_report->steps[static_cast<std::size_t>(m_position) - 1] : nullptr; }
const report::CacheStep* StepPlayback::next() const { return m_position < count() ? &m_report->steps[static_cast<std::size_t>(m_position)] : nullptr; }

void StepPlayback::moveTo(int position)
{
    position = std::clamp(position, 0, count());
    while (m_position < position)
        forward();
    while (m_position > position)
        back();
}

void StepPlayback::put(int cell, std::uint32_t object)
{
    if (cell >= 0 && cell < static_cast<int>(m_cells.size()))
        m_cells[static_cast<std::size_t>(cell)] = object;
}

void StepPlayback::forward()
{
    const report::CacheStep& step = *next();
    for (const auto& gone : step.evicted)
        put(gone.cell, kFreeCell);
    if (!step.hit)
        put(step.cell, step.object);
    m_hits += step.hit ? 1 : 0;
    ++m_position;
}

/// The newcomer goes before those that it pushed out come back: one of them lay where it lies.
void StepPlayback::back()
{
    const report::CacheStep& step = *last();
    if (!step.hit)
        put(step.cell, kFreeCell);
    for (const auto& gone : step.evicted)
        put(gone.cell, gone.object);
    m_hits -= step.hit ? 1 : 0;
    --m_position;
}

QString StepPlayback::nameOf(std::uint32_t object) const
{
    if (m_report) {
        const auto found = std::ranges::lower_bound(m_report->named, object);
        const auto at = static_cast<std::size_t>(found - m_report->named.begin());
        if (found != m_report->named.end() && *found == object && at < m_report->names.size())
            return QString::fromStdString(m_report->names[at]);
    }
    return QCoreApplication::translate("StepPlayback", "object %1").arg(object);
}

} // namespace tamis::views
