// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/cache_tab.h"

#include "app/window/fleet_controller.h"
#include "app/window/reuse_controller.h"
#include "app/window/reuse_plan.h"
#include "views/cache/cache_panel.h"
#include "views/cache/curves_page.h"
#include "views/hierarchy/levels_page.h"
#include "views/hierarchy/levels_settings.h"
#include "views/plan/cost_header.h"
#include "views/reuse/frames_page.h"
#include "views/reuse/reuse_settings.h"

namespace tamis::app {

CacheTab::CacheTab(const CacheNeighbours& neighbours, views::CachePanel& panel, QObject* parent) : QObject(parent), m_with(neighbours), m_panel(panel), m_cache(m_with, panel)
{
    listenTo(m_cache);
    connect(&m_cache, &CacheController::opened, this, &CacheTab::opened);
    const auto exportFigure = [this](const views::Figure& figure, views::FigureFormat format, const QString& name) { m_with.exports.exportFigure(figure, format, name); };
    addLevels();
    m_fleet = std::make_unique<FleetController>(FleetNeighbours{m_with.document, m_with.jobs, exportFigure}, panel);
    listenTo(*m_fleet);
    addFrames();
    connect(&m_with.model, &ModelController::reportShown, this, &CacheTab::showModel); // its kind is known
    connect(&m_panel, &views::CachePanel::pageShown, this, [this](const QString& name) { m_with.document.select([&](Selection& selection) { selection.cachePage = name.toStdString(); }); });
    connect(&m_with.document, &SessionDocument::stateChanged, this, [this](const SessionState&, const SessionState& after) { m_panel.showPage(QString::fromStdString(after.selection.cachePage)); });
}

CacheTab::~CacheTab() = default;

void CacheTab::setWorkspace(const std::shared_ptr<const Workspace>& /*workspace*/)
{
    showModel();
    m_levels->sourcesChanged(); // its model is that of ModelController, which was told before
}

void CacheTab::showModel()
{
    const auto& report = m_with.model.report();
    using enum ReuseController::Reads;
    m_reuse->setModel(m_with.model.runnable(), !report ? Unknown : report->task.rfind("image", 0) == 0 ? Images : Text);
}

void CacheTab::addFrames()
{
    auto* frames = new views::FramesPage(&m_panel);
    m_panel.addPage(frames, QStringLiteral("frames"), tr("Frames"), frames->settings());
    const auto exportFigure = [this](const views::Figure& figure, views::FigureFormat format, const QString& name) { m_with.exports.exportFigure(figure, format, name); };
    m_reuse = std::make_unique<ReuseController>(ReuseNeighbours{m_with.document, m_with.jobs, m_with.ask, exportFigure}, *frames);
    listenTo(*m_reuse);
    connect(&m_with.document, &SessionDocument::stateChanged, this, [this](const SessionState& before, const SessionState& after) {
        if (before.plannedReuse != after.plannedReuse)
            listReuse();
    });
    connect(&m_with.header, &views::CostHeader::partRemoved, this, [this](const QString& part) {
        if (part == QStringLiteral("reuse"))
            m_reuse->takeOutOfPlan();
    });
    listReuse();
}

void CacheTab::listReuse()
{
    const auto& planned = m_with.document.state().plannedReuse;
    const QString title = planned ? reuseSettingTitle({planned->method, planned->parameters}) : QString();
    m_with.header.setPart(QStringLiteral("reuse"), tr("Frames"), title, planned ? tr("%1\nChosen on %2").arg(title, QString::fromStdString(planned->sequence)) : QString());
}

void CacheTab::addLevels()
{
    auto* page = new views::LevelsPage;
    auto* settings = new views::LevelsSettings;
    m_panel.addPage(page, QStringLiteral("levels"), tr("Levels"), settings);
    m_levels = std::make_unique<HierarchyController>(HierarchyNeighbours{m_with.document, m_with.model, m_with.exports, m_with.ask}, *page, *settings);
    listenTo(*m_levels);
    const auto follow = [this] { m_levels->setCursor(m_cache.size(), m_cache.sources() && m_cache.sources()->trace.sized()); };
    connect(&m_cache, &CacheController::sizeChanged, m_levels.get(), follow);
    connect(&m_cache, &CacheController::traceChanged, m_levels.get(), follow);
    connect(m_levels.get(), &HierarchyController::briefChanged, this, [this] { showLevelsBrief(); });
    for (const auto seen : {&CacheController::traceChanged, &CacheController::availabilityChanged})
        connect(&m_cache, seen, this, &CacheTab::seeLevels);
    connect(&m_panel, &views::CachePanel::pageShown, this, &CacheTab::seeLevels);
    connect(&m_panel, &views::CachePanel::shown, this, &CacheTab::seeLevels);
}

/// The curves' page says what levels make of its size; of a long trace that would hold it up.
void CacheTab::seeLevels()
{
    m_levels->setSeenElsewhere(m_cache.sources() && !isLong() && m_cache.curvesPage().isVisible());
    showLevelsBrief();
}

bool CacheTab::isLong() const
{
    constexpr std::size_t kMostRequests = 1'000'000;
    return m_cache.sources() && m_cache.sources()->trace.requests() > kMostRequests;
}

void CacheTab::showLevelsBrief()
{
    m_cache.curvesPage().setLevels(isLong() ? tr("Levels are simulated on their page: the trace has more than a million requests.") : m_levels->brief());
}

} // namespace tamis::app
