// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/lowrank_controller.h"

#include "views/lowrank/low_rank_panel.h"

namespace tamis::app {

LowRankController::LowRankController(const LowRankNeighbours& neighbours, const LowRankViews& views, QObject* parent)
    : QObject(parent), m_with(neighbours), m_views(views)
{
    connect(m_views.panel, &views::LowRankPanel::stopRequested, this, &LowRankController::stop);
}

void LowRankController::setWorkspace(std::shared_ptr<const Workspace> workspace)
{
    m_workspace = std::move(workspace);
    m_views.panel->setModelOpen(m_workspace != nullptr);
    m_views.panel->setSummary(m_workspace ? QString::fromStdString(m_workspace->outline.modelPath) : QString());
}

void LowRankController::stop()
{
    for (const int id : std::vector<int>(m_jobIds))
        m_with.jobs.cancel(id);
}

} // namespace tamis::app
