// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/budget_report.h"

#include <QWidget>

#include <optional>
#include <vector>

namespace tamis::views {

enum class CostUnit { Parameters, Bytes, Macs, Latency };
double costIn(CostUnit unit, const report::Cost& cost);
QString costUnitTitle(CostUnit unit);
QString formatCost(CostUnit unit, double value);

/// Operating points: cost to the right, relative loss upwards (logarithmic), the front as a line. Hover shows a point's
/// settings; a click activates it. Left and Right walk through the points, Enter activates.
class ParetoChart : public QWidget
{
    Q_OBJECT
public:
    explicit ParetoChart(QWidget* parent = nullptr);
    void setPoints(const std::vector<report::OperatingPoint>& points);
    /// The configuration on screen now, drawn as a ring; not part of the collection.
    void setCurrent(const std::optional<report::OperatingPoint>& point);
    void setUnit(CostUnit unit);
    CostUnit unit() const noexcept { return m_unit; }
    void setSelected(int index); ///< -1: none
    int selected() const noexcept { return m_selected; }
    const std::vector<report::OperatingPoint>& points() const noexcept { return m_points; }
    QStringList hoverLines() const;             ///< of the point under the pointer, or chosen with the keys; else empty
    void paintPicture(QPainter& painter) const; ///< for export: without hover
    QPointF toPixel(const report::OperatingPoint& point) const;
    QSize minimumSizeHint() const override { return {220, 110}; }

signals:
    void pointActivated(int index);

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void leaveEvent(QEvent* event) override;

private:
    struct Frame {
        QRectF area;
        double xLow = 0, xHigh = 1, yLow = -6, yHigh = 0; ///< y in log10 of the relative loss
    };
    Frame frame() const;
    QPointF place(const Frame& frame, const report::OperatingPoint& point) const;
    int pointAt(const QPointF& position) const;
    void draw(QPainter& painter, bool hover) const;
    void drawLegend(QPainter& painter, const Frame& frame) const;
    void drawAxes(QPainter& painter, const Frame& frame) const;
    void drawPoints(QPainter& painter, const Frame& frame) const;
    void drawHover(QPainter& painter, const Frame& frame) const;

    std::vector<report::OperatingPoint> m_points;
    std::optional<report::OperatingPoint> m_current;
    CostUnit m_unit = CostUnit::Parameters;
    int m_selected = -1, m_hovered = -1;
};

} // namespace tamis::views
