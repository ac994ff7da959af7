// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/line_chart.h"

#include "views/common/chart_canvas.h"
#include "views/common/chart_figure.h"
#include "views/common/elided_label.h"
#include "views/common/figure_export.h"
#include "views/common/icons.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QToolButton>
#include <QVBoxLayout>

namespace tamis::views {
namespace {
QToolButton* cornerButton(QWidget* parent, const QString& text, const QString& name, const QString& help)
{
    auto* button = new QToolButton(parent);
    button->setText(text);
    button->setObjectName(name);
    button->setToolTip(help);
    button->setAccessibleName(help);
    button->setAutoRaise(true);
    button->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    return button;
}
} // namespace

LineChart::LineChart(QWidget* parent) : QWidget(parent)
{
    m_canvas = new ChartCanvas(this);
    setFocusProxy(m_canvas);
    m_resetButton = cornerButton(this, tr("Reset zoom"), QStringLiteral("resetZoom"), tr("Show everything (0 or double click)"));
    auto* exports = new ExportButton(this);
    m_exportButton = exports;
    connect(exports, &ExportButton::exportRequested, this, [this](FigureFormat format) { emit exportRequested(figureSuffix(format)); });
    connect(exports, &ExportButton::copyPictureRequested, this, [this] { emit exportRequested(QStringLiteral("copy")); });
    connect(exports, &ExportButton::copyTableRequested, this, [this] { copyFigureTable(ChartFigure(*this)); });
    m_resetButton->setIcon(themedIcon(QStringLiteral("zoom-reset")));
    m_resetButton->setVisible(false);

    auto* corner = new QHBoxLayout;
    corner->setContentsMargins(0, 0, 0, 0);
    m_heading = new ElidedLabel(this, QStringLiteral("chartHeading"), Ink::Text);
    QFont bold = font();
    bold.setWeight(QFont::DemiBold);
    m_heading->setFont(bold);
    m_heading->hide();
    corner->addWidget(m_heading, 1);
    corner->addStretch();
    corner->addWidget(m_resetButton);
    corner->addWidget(m_exportButton);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addLayout(corner);
    layout->addWidget(m_canvas, 1);

    connect(m_resetButton, &QToolButton::clicked, this, &LineChart::resetZoom);
    connect(m_canvas, &ChartCanvas::cursorMoved, this, &LineChart::cursorMoved);
    connect(m_canvas, &ChartCanvas::zoomChanged, m_resetButton, &QWidget::setVisible);
}

void LineChart::setSeries(const std::vector<report::Series>& series)
{
    m_series = series;
    m_canvas->setSeries(series);
}

void LineChart::setAxes(const ChartAxes& axes)
{
    if (axes == m_axes)
        return;
    m_axes = axes;
    m_canvas->setAxes(axes);
}

void LineChart::setCursor(std::optional<double> x, const QString& label) { m_canvas->setCursorLine(x, label); }
std::optional<double> LineChart::cursor() const { return m_canvas->cursorLine(); }
void LineChart::setHeading(const QString& heading)
{
    m_heading->setText(heading);
    m_heading->setVisible(!heading.isEmpty());
}

void LineChart::setEmptyText(const QString& text) { m_canvas->setEmptyText(text); }
void LineChart::setCaption(const QString& caption) { m_caption = caption; }
void LineChart::setStale(bool stale) { m_canvas->setStale(stale); }
bool LineChart::isStale() const { return m_canvas->isStale(); }
bool LineChart::isZoomed() const { return m_canvas->isZoomed(); }
void LineChart::resetZoom() { m_canvas->resetZoom(); }
QRectF LineChart::plotArea() const { return m_canvas->plotArea().translated(m_canvas->pos()); }
QPointF LineChart::toPixel(double x, double y) const { return m_canvas->toPixel(x, y) + QPointF(m_canvas->pos()); }

} // namespace tamis::views
