// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/attention_report.h"
#include "views/common/frontier_chart.h"

#include <memory>
#include <vector>

namespace tamis::views {

enum class AttentionError { Output, Map, Kl, Cosine, Agreement, Top1, Perplexity };
enum class AttentionCost { Macs, Scratch, Latency };

QString attentionErrorTitle(AttentionError error);
QString attentionCostTitle(AttentionCost cost);
bool moreIsBetter(AttentionError error);
double attentionErrorOf(AttentionError error, const report::AttentionPoint& point); ///< NaN: not measured
double attentionCostOf(AttentionCost cost, const report::AttentionPoint& point);
QString formatAttentionError(AttentionError error, double value);
QString formatAttentionCost(AttentionCost cost, double value);

/// Operators at many settings: what they cost to the right, what they do to heads or model upwards, the better upwards. A colour and front a
/// method, points around which the model was trained as diamonds with a front of their own; trivial operators always, as dashed lines from
/// side to side, for what they cost does not matter; exact attention as a square. Indices are of the comparison's points. A click tells of a
/// point, a double click or Enter takes its setting.
class AttentionFrontier : public FrontierChart {
    Q_OBJECT
public:
    explicit AttentionFrontier(QWidget* parent = nullptr);

    void setComparison(std::shared_ptr<const report::AttentionComparison> comparison); ///< null: none
    void setError(AttentionError error);
    AttentionError error() const noexcept { return m_error; }
    void setCost(AttentionCost cost);
    AttentionCost cost() const noexcept { return m_cost; }
    void setChosen(int index); ///< drawn as a ring; -1: none
    int chosen() const noexcept { return m_chosen; }

    QString figureCsv() const override; ///< a row a point with every measure
    QString figureCaption() const override;

signals:
    void pointTaken(int index);

protected:
    QStringList linesOf(int index) const override;
    QString emptyText() const override;
    void drawOn(QPainter& painter, const FrontierPoint& point, const QPointF& at) const override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    void rebuild();
    void showAxes();
    std::vector<FrontierSeries> seriesOf(std::vector<std::size_t>& of) const; ///< and of each point its series
    std::vector<bool> fronts(const std::vector<std::size_t>& of) const;
    double place(const report::AttentionPoint& point) const; ///< along the cost axis; of a trivial operator without a cost: its start
    const report::AttentionPoint& point(int index) const { return m_comparison->points[static_cast<std::size_t>(index)]; }

    std::shared_ptr<const report::AttentionComparison> m_comparison;
    AttentionError m_error = AttentionError::Output;
    AttentionCost m_cost = AttentionCost::Macs;
    int m_chosen = -1;
};

} // namespace tamis::views
