// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/series.h"

#include <QString>
#include <QWidget>

#include <optional>
#include <vector>

class QLabel;
class QToolButton;

namespace tamis::views {

class ChartCanvas;

struct ChartAxes {
    QString xTitle, yTitle, rightTitle; ///< with units
    bool logX = false, logY = false;    ///< a logarithmic axis drops what is not positive
    bool wholeX = true; ///< x counts (ranks, layers): cursor and hover stand on whole numbers
    bool zeroBased = false; ///< heights are compared (counts): both vertical axes, where they are not logarithmic, hold zero
    bool operator==(const ChartAxes&) const = default;
};

/// Curves with a legend, hover values, zoom, and a rank cursor that can be dragged. Takes at most 4,000 points in all:
/// decimate in the worker (report::decimate). Zoom: rubber band, wheel; pan: middle button or Shift and drag; reset: double
/// click, 0. With focus, Left and Right move the cursor by 1, with Shift by 10.
class LineChart : public QWidget
{
    Q_OBJECT
public:
    explicit LineChart(QWidget* parent = nullptr);

    void setSeries(const std::vector<report::Series>& series);
    const std::vector<report::Series>& series() const noexcept { return m_series; }
    void setAxes(const ChartAxes& axes);
    const ChartAxes& axes() const noexcept { return m_axes; }
    /// Nothing: no cursor. `label` stands beside the line.
    void setCursor(std::optional<double> x, const QString& label = {});
    std::optional<double> cursor() const;
    void setHeading(const QString& heading); ///< in the line of the buttons; empty: none
    void setEmptyText(const QString& text); ///< shown while there is no series
    void setCaption(const QString& caption); ///< the settings, for exported pictures
    QString caption() const { return m_caption; }
    void setStale(bool stale); ///< badge after 150 ms: the picture is older than the settings
    bool isStale() const;
    bool isZoomed() const;
    QRectF plotArea() const;            ///< in this widget's coordinates
    QPointF toPixel(double x, double y) const; ///< in this widget's coordinates
    ChartCanvas* canvas() const { return m_canvas; }

public slots:
    void resetZoom();

signals:
    void cursorMoved(double x, bool finished);
    void exportRequested(const QString& format); ///< "png", "svg", "csv", "copy"

private:
    std::vector<report::Series> m_series;
    ChartAxes m_axes;
    QString m_caption;
    ChartCanvas* m_canvas = nullptr;
    QLabel* m_heading = nullptr;
    QToolButton* m_exportButton = nullptr;
    QToolButton* m_resetButton = nullptr;
};

} // namespace tamis::views
