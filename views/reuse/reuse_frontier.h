// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/reuse/shown_runs.h"
#include "views/common/frontier_chart.h"

#include <memory>
#include <vector>

namespace tamis::views {

enum class ReuseLoss { MeanError, WorstError, Kl, Agreement, FalseHits };
enum class ReuseCost { Macs, Time, Misses };

QString reuseLossTitle(ReuseLoss loss);
QString reuseCostTitle(ReuseCost cost);
double reuseLossOf(ReuseLoss loss, const report::ReuseRun& run); ///< NaN: not measured
double reuseCostOf(ReuseCost cost, const report::ReuseRun& run);

/// Runs: what they cost of running every frame whole to the right, what they lose upwards, the better upwards. A colour a method, trivial
/// baselines hollow and dashed. Content keys alone have false hits (collisions) and misses, both of all lookups: runs over the key's radius or bits
/// trade one for the other. Indices are of the report's runs.
class ReuseFrontier : public FrontierChart {
    Q_OBJECT
public:
    explicit ReuseFrontier(QWidget* parent = nullptr);

    void setRuns(std::shared_ptr<const ShownRuns> runs); ///< null: none
    void setLoss(ReuseLoss loss);
    ReuseLoss loss() const noexcept { return m_loss; }
    void setCost(ReuseCost cost);
    ReuseCost cost() const noexcept { return m_cost; }
    void setChosen(int index); ///< drawn as a ring; -1: none
    int chosen() const noexcept { return m_chosen; }
    void setCaption(const QString& settings) { m_caption = settings; }

    QString figureCsv() const override; ///< a row a run with every measure
    QString figureCaption() const override { return m_caption; }

protected:
    QStringList linesOf(int index) const override;
    QString emptyText() const override;
    void drawOn(QPainter& painter, const FrontierPoint& point, const QPointF& at) const override;

private:
    void rebuild();
    void showAxes();
    bool lossIsShare() const noexcept { return m_loss == ReuseLoss::Agreement || m_loss == ReuseLoss::FalseHits; }
    const report::ReuseRun& run(int index) const { return *m_runs->runs[static_cast<std::size_t>(index)]; }

    std::shared_ptr<const ShownRuns> m_runs;
    ReuseLoss m_loss = ReuseLoss::MeanError;
    ReuseCost m_cost = ReuseCost::Macs;
    int m_chosen = -1;
    QString m_caption;
};

} // namespace tamis::views
