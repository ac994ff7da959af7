// SPDX-License-Identifier: GPL-3.0-or-later
// How FrontierChart draws.
#include "views/common/frontier_chart.h"
#include "views/common/plot_paint.h"
#include "views/common/theme.h"

#include <QPainter>

#include <algorithm>

namespace tamis::views {
namespace {
void drawMark(QPainter& painter, const QPointF& at, FrontierSeries::Mark mark)
{
    using enum FrontierSeries::Mark;
    switch (mark) {
    case Disc: painter.drawEllipse(at, 4.5, 4.5); return;
    case Square: painter.drawRect(QRectF(at.x() - 4.5, at.y() - 4.5, 9, 9)); return;
    case Diamond: painter.drawPolygon(QPolygonF{at + QPointF(0, -6), at + QPointF(6, 0), at + QPointF(0, 6), at + QPointF(-6, 0)}); return;
    case Up: painter.drawPolygon(QPolygonF{at + QPointF(0, -6), at + QPointF(5.5, 4.5), at + QPointF(-5.5, 4.5)}); return;
    case Down: painter.drawPolygon(QPolygonF{at + QPointF(0, 6), at + QPointF(5.5, -4.5), at + QPointF(-5.5, -4.5)}); return;
    case Cross:
        painter.drawLine(at + QPointF(-4.5, -4.5), at + QPointF(4.5, 4.5));
        painter.drawLine(at + QPointF(-4.5, 4.5), at + QPointF(4.5, -4.5));
        return;
    case Stroke: painter.drawLine(at + QPointF(-6.5, 0), at + QPointF(7.5, 0)); return;
    }
}
} // namespace

void FrontierChart::drawUnder(QPainter&, const QRectF&) const {}
void FrontierChart::drawOn(QPainter&, const FrontierPoint&, const QPointF&) const {}
void FrontierChart::drawOver(QPainter&, const QRectF&) const {}

void FrontierChart::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    draw(painter, true);
}

void FrontierChart::paintFigure(QPainter& painter) const { draw(painter, false); }

void FrontierChart::draw(QPainter& painter, bool interactive) const
{
    const auto& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    if (isEmpty()) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(16, 16, -16, -16), Qt::AlignCenter | Qt::TextWordWrap, emptyText());
    } else {
        const auto [area, legend] = frame();
        painter.setFont(Theme::smallFont(font()));
        drawAxes(painter, area);
        drawUnder(painter, area);
        drawFrontiers(painter, area);
        drawPoints(painter, area);
        drawOver(painter, area);
        drawLegend(painter, legend);
        if (const QStringList lines = interactive ? hoverLines() : QStringList(); !lines.isEmpty())
            drawHoverBox(painter, rect(), toPixel(m_hovered >= 0 ? m_hovered : m_walked), lines);
    }
    if (interactive && hasFocus())
        drawFocus(painter, rect());
}

void FrontierChart::drawAxes(QPainter& painter, const QRectF& area) const
{
    const auto& theme = Theme::instance();
    const double line = QFontMetricsF(painter.font()).height();
    for (const double value : m_y.ticks(std::clamp(static_cast<int>(area.height() / (2 * line)), 2, 10))) {
        const double y = area.bottom() - m_y.share(value) * area.height();
        painter.setPen(QPen(theme.color(Ink::Grid), 1));
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y));
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(0, y - line / 2, area.left() - 6, line), Qt::AlignRight | Qt::AlignVCenter, m_y.format(value));
    }
    for (const double value : m_x.ticks(std::clamp(static_cast<int>(area.width() / 80), 2, 10))) {
        const double x = area.left() + m_x.share(value) * area.width();
        painter.setPen(QPen(theme.color(Ink::Grid), 1));
        painter.drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()));
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(x - 60, area.bottom() + 4, 120, line), Qt::AlignHCenter, m_x.format(value));
    }
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(QRectF(area.left(), area.bottom() + line + 6, area.width(), line), Qt::AlignHCenter, m_x.title);
    drawAxisTitle(painter, area, m_y.title);
}

void FrontierChart::drawFrontiers(QPainter& painter, const QRectF& area) const
{
    painter.setBrush(Qt::NoBrush);
    for (std::size_t of = 0; of < m_series.size(); ++of) {
        const FrontierSeries& series = m_series[of];
        if (series.line == Qt::NoPen)
            continue;
        painter.setPen(QPen(series.paint(), series.lineWidth, series.line));
        QPolygonF line;
        for (const FrontierPoint& each : m_points)
            if (each.series == of && series.across) {
                const double y = place(area, each.x, each.y).y();
                painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y));
            } else if (each.series == of && each.front) {
                line << place(area, each.x, each.y);
            }
        painter.drawPolyline(line);
    }
}

void FrontierChart::drawPoints(QPainter& painter, const QRectF& area) const
{
    const auto& theme = Theme::instance();
    for (const FrontierPoint& each : m_points) {
        const QPointF at = place(area, each.x, each.y);
        const FrontierSeries& series = m_series[each.series];
        const QColor color = series.paint();
        painter.setPen(QPen(color, 1.6));
        painter.setBrush(each.front && series.filled ? color : theme.color(Ink::Panel));
        drawMark(painter, at, series.mark);
        painter.setBrush(Qt::NoBrush);
        drawOn(painter, each, at);
        if (each.index == m_hovered || (each.index == m_walked && (m_habits.ringStays || hasFocus()))) {
            painter.setPen(QPen(theme.color(Ink::Text), 1.4));
            painter.drawEllipse(at, m_habits.ring, m_habits.ring);
        }
    }
}

void FrontierChart::drawLegend(QPainter& painter, const QRectF& room) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const double indent = m_habits.legendIndent;
    double y = room.top() + metrics.height() / 2;
    for (const FrontierSeries& series : m_series) {
        const QColor color = series.paint();
        painter.setPen(series.mark == FrontierSeries::Mark::Stroke ? QPen(color, series.lineWidth, series.line) : QPen(color, 1.8));
        painter.setBrush(series.filled ? color : theme.color(Ink::Panel));
        drawMark(painter, {room.left() + (indent - 7) / 2, y}, series.mark);
        painter.setPen(theme.color(Ink::Text));
        painter.drawText(QRectF(room.left() + indent, y - metrics.height() / 2, room.width() - indent, metrics.height()), Qt::AlignLeft | Qt::AlignVCenter,
                         metrics.elidedText(series.title, Qt::ElideRight, room.width() - indent));
        y += 1.5 * metrics.height();
    }
}

} // namespace tamis::views
