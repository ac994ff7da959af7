// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/token_report.h"
#include "views/common/frontier_chart.h"

#include <memory>
#include <string>
#include <vector>

namespace tamis::views {

enum class TokenQuality { Top1, Agreement, Kl, SpeedUp };
enum class TokenCost { Macs, Latency, Tokens };

QString tokenQualityTitle(TokenQuality quality);
QString tokenCostTitle(TokenCost cost);
/// NaN: not measured. Speed-up is measured: the latency of the whole model over the point's, in turn with it where both were taken so.
double tokenQualityOf(TokenQuality quality, const report::TokenComparison& comparison, const report::TokenPoint& point);
double tokenCostOf(TokenCost cost, const report::TokenPoint& point);
QString formatTokenQuality(TokenQuality quality, double value);
QString formatTokenCost(TokenCost cost, double value);
/// Of each point whether no other of its title costs no more, is at least as good and better in one of the two; of speed-ups
/// all. Points without both: never.
std::vector<bool> tokenFronts(const report::TokenComparison& comparison, TokenQuality quality, TokenCost cost);
/// MACs below which the points of `title` are faster than the whole model as measured, between points by a straight line; the whole model's
/// MACs where all are; NaN where none is or nothing was measured.
double tokenBreakEven(const report::TokenComparison& comparison, const std::string& title);

/// Reductions at many settings: what they cost to the right, what is left of the model upwards. A colour and front a method; trivial
/// reductions in the baseline's colour with shapes of their own and dashed; the whole model as a square. Measured speed-up over MACs stands
/// beside the curve that the MACs promise, and the line of no gain. Indices are of the comparison's points.
class TokenParetoChart : public FrontierChart {
    Q_OBJECT
public:
    explicit TokenParetoChart(QWidget* parent = nullptr);

    void setComparison(std::shared_ptr<const report::TokenComparison> comparison); ///< null: none
    void setQuality(TokenQuality quality);
    TokenQuality quality() const noexcept { return m_quality; }
    void setCost(TokenCost cost);
    TokenCost cost() const noexcept { return m_cost; }
    void setChosen(int index); ///< drawn as a ring; -1: none
    int chosen() const noexcept { return m_chosen; }

    QPointF promised(double macs) const; ///< where the MACs' promise lies; (-1, -1) unless it is drawn
    QString figureCsv() const override;  ///< a row a point with every measure
    QString figureCaption() const override;

protected:
    QStringList linesOf(int index) const override;
    QString emptyText() const override;
    void drawUnder(QPainter& painter, const QRectF& area) const override;
    void drawOn(QPainter& painter, const FrontierPoint& point, const QPointF& at) const override;

private:
    void rebuild();
    void showAxes();
    std::vector<FrontierSeries> seriesOf() const; ///< the whole model first
    const report::TokenPoint& point(int index) const { return m_comparison->points[static_cast<std::size_t>(index)]; }
    bool hasPoints() const { return m_comparison && !m_comparison->points.empty(); }
    bool showsPromise() const { return m_quality == TokenQuality::SpeedUp && m_cost == TokenCost::Macs && hasPoints(); }
    double wholeMacs() const;

    std::shared_ptr<const report::TokenComparison> m_comparison;
    TokenQuality m_quality = TokenQuality::Agreement;
    TokenCost m_cost = TokenCost::Macs;
    int m_chosen = -1;
};

} // namespace tamis::views
