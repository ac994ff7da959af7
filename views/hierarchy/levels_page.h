// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/hierarchy_report.h"
#include "views/common/figure.h"

#include <QWidget>

#include <memory>

class QLabel;
class QStandardItemModel;

namespace tamis::views {

class BreakEvenChart;
class CopyableTableView;
class LevelChain;
class ShareBars;

/// Levels of caches before recomputing: what each serves, where the nanoseconds and the energy go, when a hit pays, what fetching ahead is worth and
/// what smaller types lose.
class LevelsPage : public QWidget {
    Q_OBJECT
public:
    explicit LevelsPage(QWidget* parent = nullptr);
    void setReport(std::shared_ptr<const report::HierarchyReport> report); ///< null: none
    void setStale(bool stale);
    void setProblem(const QString& sentence); ///< why there is no picture; empty: there is none
    void setCaption(const QString& settings);

    LevelChain* chain() const { return m_chain; }
    ShareBars* shares() const { return m_shares; }
    BreakEvenChart* breakEven() const { return m_breakEven; }
    CopyableTableView* prefetch() const { return m_prefetch; }
    CopyableTableView* types() const { return m_types; }

signals:
    void shown(); ///< it came into sight
    /// `figure` lives until the slot returns.
    void exportRequested(tamis::views::Figure* figure, tamis::views::FigureFormat format, const QString& name);

protected:
    void showEvent(QShowEvent* event) override;

private:
    QWidget* boxed(const QString& title, const QString& name, QWidget* body, Figure* figure);
    void showSummary();
    void showShares();
    void showBreakEven();
    void showPrefetch();
    void addPrefetch(const report::PrefetchOutcome& outcome);
    void showTypes();

    std::shared_ptr<const report::HierarchyReport> m_report;
    QLabel *m_summary, *m_problem, *m_warnings;
    LevelChain* m_chain;
    ShareBars* m_shares;
    BreakEvenChart* m_breakEven;
    QStandardItemModel *m_prefetchModel, *m_typeModel;
    CopyableTableView *m_prefetch, *m_types;
    QWidget* m_typeBox = nullptr;
};

} // namespace tamis::views
