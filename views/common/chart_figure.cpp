// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/chart_figure.h"

#include "views/common/chart_canvas.h"
#include "views/common/figure_export.h"

#include <QPainter>

#include <cmath>
#include <map>

namespace tamis::views {
namespace {
QString exactNumber(double value) { return QString::number(value, 'g', 17); }

/// The shortest text that reads back as the same double.
QString shortestNumber(double value)
{
    for (int digits = 6; digits < 17; ++digits)
        if (const QString text = QString::number(value, 'g', digits); text.toDouble() == value)
            return text;
    return exactNumber(value);
}
} // namespace

void onChartExport(LineChart* chart, QObject* receiver, std::function<void(Figure& figure, FigureFormat format)> write)
{
    QObject::connect(chart, &LineChart::exportRequested, receiver, [chart, write = std::move(write)](const QString& format) {
        ChartFigure figure(*chart);
        if (format == QLatin1String("copy"))
            copyFigurePicture(figure);
        else if (const auto known = figureFormatOf(QStringLiteral("x.") + format))
            write(figure, *known);
    });
}

QSize ChartFigure::figureSize() const { return m_chart.canvas()->size(); }

void ChartFigure::paintFigure(QPainter& painter) const
{
    m_chart.canvas()->paintPicture(painter);
}

QString ChartFigure::figureCsv() const
{
    const auto& series = m_chart.series();
    std::map<double, std::vector<QString>> rows;
    for (std::size_t i = 0; i < series.size(); ++i)
        for (const auto& point : series[i].points) {
            auto& cells = rows[point.x];
            cells.resize(series.size());
            cells[i] = shortestNumber(point.y);
        }
    const QString x = m_chart.axes().xTitle;
    QString text = csvField(x.isEmpty() ? QStringLiteral("x") : x);
    for (const auto& one : series)
        text += QLatin1Char(',') + csvField(QString::fromStdString(one.name));
    text += QLatin1Char('\n');
    for (const auto& [key, cells] : rows) {
        text += shortestNumber(key);
        for (const QString& cell : cells)
            text += QLatin1Char(',') + cell;
        text += QLatin1Char('\n');
    }
    return text;
}

QString ChartFigure::figureCaption() const { return m_chart.caption(); }

QSize ParetoFigure::figureSize() const { return m_chart.size(); }
void ParetoFigure::paintFigure(QPainter& painter) const { m_chart.paintPicture(painter); }
QString ParetoFigure::figureCaption() const { return m_caption; }

QString ParetoFigure::figureCsv() const
{
    QString text = QStringLiteral("label,keep,parameters,bytes,macs,latency_ms,relative_loss,on_front,baseline,settings\n");
    for (const auto& p : m_chart.points())
        text += QStringList{csvField(QString::fromStdString(p.label)), shortestNumber(p.keep), QString::number(p.cost.parameters),
                            QString::number(p.cost.bytes), QString::number(p.cost.macs),
                            std::isfinite(p.cost.latencyMs) ? shortestNumber(p.cost.latencyMs) : QString(),
                            shortestNumber(p.relativeLoss), p.onFront ? QStringLiteral("1") : QStringLiteral("0"),
                            p.baseline ? QStringLiteral("1") : QStringLiteral("0"), csvField(QString::fromStdString(p.settings))}
                    .join(QLatin1Char(',')) + QLatin1Char('\n');
    return text;
}

std::optional<QString> renderChartToFile(const ChartDescription& description, const QString& path, const QSize& size)
{
    const auto format = figureFormatOf(path);
    if (!format)
        return QObject::tr("The format of %1 is unknown: expected a name that ends in .png, .svg or .csv.").arg(path);
    LineChart chart;
    chart.setAttribute(Qt::WA_DontShowOnScreen);
    chart.resize(size);
    chart.setAxes(description.axes);
    chart.setSeries(description.series);
    chart.setCursor(description.cursor, description.cursorLabel);
    chart.setCaption(description.caption);
    chart.show(); // never on a screen: lays out the widgets and the chart
    return writeFigure(ChartFigure(chart), *format, path);
}

} // namespace tamis::views
