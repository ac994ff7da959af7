// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/cache_tab.h"

#include "app/window/fleet_controller.h"
#include "views/cache/cache_panel.h"

namespace tamis::app {

CacheTab::CacheTab(const CacheNeighbours& neighbours, views::CachePanel& panel, QObject* parent) : QObject(parent), m_with(neighbours), m_panel(panel)
{
    const auto exportFigure = [this](const views::Figure& figure, views::FigureFormat format, const QString& name) { m_with.exports.exportFigure(figure, format, name); };
    m_fleet = std::make_unique<FleetController>(FleetNeighbours{m_with.document, m_with.jobs, exportFigure}, panel);
    listenTo(*m_fleet);
    connect(&m_panel, &views::CachePanel::pageShown, this, [this](const QString& name) { m_with.document.select([&](Selection& selection) { selection.cachePage = name.toStdString(); }); });
    connect(&m_with.document, &SessionDocument::stateChanged, this, [this](const SessionState&, const SessionState& after) { m_panel.showPage(QString::fromStdString(after.selection.cachePage)); });
}

CacheTab::~CacheTab() = default;

void CacheTab::setWorkspace(const std::shared_ptr<const Workspace>& /*workspace*/) {}

} // namespace tamis::app
