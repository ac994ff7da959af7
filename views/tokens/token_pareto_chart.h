// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/token_report.h"
#include "views/common/figure.h"

#include <QStringList>
#include <QWidget>

#include <memory>
#include <optional>
#include <vector>

namespace tamis::views {

enum class TokenQuality { Top1, Agreement, Kl, SpeedUp };
enum class TokenCost { Macs, Latency, Tokens };

QString tokenQualityTitle(TokenQuality quality);
QString tokenCostTitle(TokenCost cost);
/// NaN: not measured. Speed-up is measured: the latency of the comparison's first point, the whole model, over the point's.
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
/// beside the curve that the MACs promise, and the line of no gain. Hover shows a point's measures, a click makes it current; Left and Right
/// walk through the points and Enter makes one current.
class TokenParetoChart : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit TokenParetoChart(QWidget* parent = nullptr);

    void setComparison(std::shared_ptr<const report::TokenComparison> comparison); ///< null: none
    void setQuality(TokenQuality quality);
    TokenQuality quality() const noexcept { return m_quality; }
    void setCost(TokenCost cost);
    TokenCost cost() const noexcept { return m_cost; }
    void setChosen(int index); ///< of comparison()->points, drawn as a ring; -1: none
    int chosen() const noexcept { return m_chosen; }
    void setEmptyText(const QString& text);

    int shownPoints() const noexcept { return static_cast<int>(m_points.size()); }
    QPointF toPixel(int index) const; ///< of comparison()->points; (-1, -1): it has no place
    QPointF promised(double macs) const; ///< where the MACs' promise lies; (-1, -1) unless it is drawn
    QStringList hoverLines() const;

    QSize minimumSizeHint() const override { return {320, 200}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override; ///< a row a point with every measure
    QString figureCaption() const override;

signals:
    void pointActivated(int index); ///< of comparison()->points, by the user

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    struct Point {
        int index = 0;
        double cost = 0, quality = 0;
    };
    struct Frame {
        QRectF area, legend;
        double xLow = 0, xHigh = 1, yLow = 0, yHigh = 1;
    };
    struct Method {
        QString title;
        bool baseline = false;
        int look = 0; ///< colour of a method, shape of a baseline
    };
    void rebuild();
    Frame frame() const;
    QPointF place(const Frame& frame, double cost, double quality) const;
    int pointAt(const QPointF& position) const; ///< of comparison()->points; -1: none
    const report::TokenPoint& point(int index) const { return m_comparison->points[static_cast<std::size_t>(index)]; }
    const Method& methodOf(int index) const;
    bool isWhole(int index) const { return index == 0; }
    bool showsPromise() const { return m_quality == TokenQuality::SpeedUp && m_cost == TokenCost::Macs && m_comparison && !m_comparison->points.empty(); }
    void draw(QPainter& painter, bool interactive) const;
    void drawAxes(QPainter& painter, const Frame& frame) const;
    void drawPromise(QPainter& painter, const Frame& frame) const;
    void drawFronts(QPainter& painter, const Frame& frame) const;
    void drawPoints(QPainter& painter, const Frame& frame) const;
    void drawLegend(QPainter& painter, const Frame& frame) const;

    std::shared_ptr<const report::TokenComparison> m_comparison;
    std::vector<Point> m_points; ///< with both values, by cost
    std::vector<bool> m_front;   ///< of all points
    std::vector<Method> m_methods;
    TokenQuality m_quality = TokenQuality::Agreement;
    TokenCost m_cost = TokenCost::Macs;
    int m_hovered = -1, m_walked = -1, m_chosen = -1; ///< indices of points
    QString m_emptyText;
};

} // namespace tamis::views
