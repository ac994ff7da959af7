// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A line chart as something to export, and charts drawn without a window.
#include "views/common/figure.h"
#include "views/common/line_chart.h"
#include "views/common/pareto_chart.h"

#include <functional>
#include <optional>

namespace tamis::views {

/// Picture, numbers and caption of a chart that must outlive it. CSV: one row a distinct x, one column a series ("" where a
/// series has no such x).
class ChartFigure : public Figure {
public:
    explicit ChartFigure(LineChart& chart) : m_chart(chart) {}
    QSize figureSize() const override;
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override;
    QString figureCaption() const override;

private:
    LineChart& m_chart;
};

/// Whenever a user of `chart` asks for a picture: "copy" puts it on the clipboard, a file is `write`'s to make; the figure lives until
/// that returns. For as long as `receiver` lives.
void onChartExport(LineChart* chart, QObject* receiver, std::function<void(Figure& figure, FigureFormat format)> write);

/// Operating points: CSV has one row a point with every cost, the loss and the settings.
class ParetoFigure : public Figure {
public:
    ParetoFigure(const ParetoChart& chart, QString caption) : m_chart(chart), m_caption(std::move(caption)) {}
    QSize figureSize() const override;
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override;
    QString figureCaption() const override;

private:
    const ParetoChart& m_chart;
    QString m_caption;
};

/// A whole chart as a value.
struct ChartDescription {
    ChartAxes axes;
    std::vector<report::Series> series;
    std::optional<double> cursor;
    QString cursorLabel;
    QString caption; ///< settings
};

/// Draws without showing a window, in the current theme (QApplication needed; platform "offscreen" will do); format by the
/// suffix of `path`. nullopt: written. Otherwise one sentence.
std::optional<QString> renderChartToFile(const ChartDescription& description, const QString& path,
                                         const QSize& size = QSize(900, 520));

} // namespace tamis::views
