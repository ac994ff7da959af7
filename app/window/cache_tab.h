// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/window/cache_controller.h"
#include "app/window/cache_neighbours.h"
#include "app/window/hierarchy_controller.h"

#include <QObject>

#include <memory>

namespace tamis::views {
class CachePanel;
} // namespace tamis::views

namespace tamis::app {

class FleetController;
class ReuseController;

/// The tab of caches: its panel, and the controllers of the labs that hang their pages in there.
class CacheTab : public QObject
{
    Q_OBJECT
public:
    CacheTab(const CacheNeighbours& neighbours, views::CachePanel& panel, QObject* parent = nullptr); ///< `panel` outlives it
    ~CacheTab() override;

    void setWorkspace(const std::shared_ptr<const Workspace>& workspace); ///< the model that is open; null: none
    views::CachePanel& panel() const noexcept { return m_panel; }
    CacheController& cache() noexcept { return m_cache; }
    FleetController& fleet() noexcept { return *m_fleet; }
    ReuseController& reuse() noexcept { return *m_reuse; }
    HierarchyController& levels() const noexcept { return *m_levels; }

signals:
    void availabilityChanged();
    void opened(); ///< something that is shown in this tab, by the user
    void done(const QString& sentence);
    void failed(const QString& sentence);

private:
    /// Passes on what a lab's controller says.
    template <class Controller> void listenTo(Controller& controller)
    {
        connect(&controller, &Controller::availabilityChanged, this, &CacheTab::availabilityChanged);
        connect(&controller, &Controller::done, this, &CacheTab::done);
        connect(&controller, &Controller::failed, this, &CacheTab::failed);
    }

    void showModel(); ///< to labs that look at it
    void addLevels();
    void seeLevels();
    void showLevelsBrief();
    bool isLong() const; ///< the trace is
    void addFrames();
    void listReuse(); ///< among the plan's parts

    CacheNeighbours m_with;
    views::CachePanel& m_panel;
    CacheController m_cache;
    std::unique_ptr<FleetController> m_fleet;
    std::unique_ptr<ReuseController> m_reuse;
    std::unique_ptr<HierarchyController> m_levels;
};

} // namespace tamis::app
