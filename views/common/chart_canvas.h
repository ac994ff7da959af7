// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The drawing area of LineChart: Qt Charts below, cursor, crosshair and badge above.
#include "views/common/line_chart.h"

#include <QChartView>
#include <QTimer>

class QAbstractAxis;
class QLineSeries;

namespace tamis::views {

class ChartCanvas : public QChartView
{
    Q_OBJECT
public:
    explicit ChartCanvas(QWidget* parent = nullptr);

    void setSeries(const std::vector<report::Series>& series);
    void setAxes(const ChartAxes& axes);
    void setCursorLine(std::optional<double> x, const QString& label);
    std::optional<double> cursorLine() const noexcept { return m_cursor; }
    void setEmptyText(const QString& text);
    void setStale(bool stale);
    bool isStale() const noexcept { return m_stale; }
    bool isZoomed() const noexcept { return m_zoomed; }
    void resetZoom();
    QRectF plotArea() const;
    QPointF toPixel(double x, double y, bool secondary = false) const;
    QStringList hoverLines() const;        ///< text under the pointer: x, then one line a series; empty without hover
    void paintPicture(QPainter& painter);  ///< for export: without hover and badge
    int seriesObjects() const; ///< QLineSeries in the chart, for tests: they are reused

signals:
    void cursorMoved(double x, bool finished);
    void zoomChanged(bool zoomed);

protected:
    void drawForeground(QPainter* painter, const QRectF& rect) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void mouseDoubleClickEvent(QMouseEvent* event) override;
    void wheelEvent(QWheelEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    struct Range {
        double low = 0, high = 1;
    };
    struct HoverPoint {
        QPointF position;
        QColor color;
    };
    enum class Drag { None, Cursor, Band, Pan };

    void rebuildAxes();
    void restyle();
    void showLegend();
    int legendRows() const;
    void stylePens();
    void fill();
    void applyRanges();
    Range fullRange(bool horizontal, bool secondary) const;
    double fromPixelX(double px) const;
    double fromPixelY(double py) const;
    bool nearCursor(const QPointF& position) const;
    void moveCursor(double x, bool finished);
    void zoomTo(const QRectF& pixels);
    QStringList hoverLines(double x, std::vector<HoverPoint>* found) const;
    void drawHover(QPainter* painter);
    void drawBadge(QPainter* painter) const;

    std::vector<report::Series> m_series;
    std::vector<QLineSeries*> m_lines;
    ChartAxes m_axes;
    QAbstractAxis* m_x = nullptr;
    QAbstractAxis* m_y = nullptr;
    QAbstractAxis* m_right = nullptr;
    Range m_xRange, m_yRange, m_rightRange;
    QString m_legendOf; ///< what the legend was laid out for
    bool m_zoomed = false, m_stale = false, m_badge = false, m_exporting = false;
    QTimer m_badgeTimer;
    std::optional<double> m_cursor;
    QString m_cursorLabel, m_emptyText;
    Drag m_drag = Drag::None;
    QPointF m_dragStart, m_pointer;
    bool m_pointerInside = false;
    std::vector<HoverPoint> m_hoverPoints;
    Range m_panX, m_panY;
};

} // namespace tamis::views
