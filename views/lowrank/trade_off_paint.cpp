// SPDX-License-Identifier: GPL-3.0-or-later
// How TradeOffChart draws.
#include "views/lowrank/trade_off_chart.h"

#include "views/common/nice_step.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QPainter>

#include <algorithm>
#include <cmath>
#include <map>

namespace tamis::views {

std::vector<double> TradeOffChart::yTicks(const Frame& f) const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    const int most = std::clamp(static_cast<int>(f.area.height() / (1.8 * metrics.height())), 1, 8);
    std::vector<double> ticks;
    if (!f.logarithmic) {
        const double step = niceStep(f.yHigh - f.yLow, most);
        for (double value = std::ceil(f.yLow / step) * step; value <= f.yHigh; value += step)
            ticks.push_back(std::abs(value) < 1e-9 * step ? 0 : value);
        return ticks;
    }
    for (const auto& digits : {std::vector<double>{1, 2, 5}, std::vector<double>{1, 3}, std::vector<double>{1}}) {
        ticks.clear();
        for (double decade = std::floor(f.yLow); decade <= f.yHigh; ++decade)
            for (const double digit : digits)
                if (const double y = decade + std::log10(digit); y >= f.yLow && y <= f.yHigh)
                    ticks.push_back(digit * std::pow(10, decade));
        if (static_cast<int>(ticks.size()) <= most)
            break;
    }
    if (static_cast<int>(ticks.size()) > most) { // many decades: every second, third ...
        std::vector<double> fewer;
        const auto stride = (ticks.size() + static_cast<std::size_t>(most) - 1) / static_cast<std::size_t>(most);
        for (std::size_t i = 0; i < ticks.size(); i += stride)
            fewer.push_back(ticks[i]);
        ticks = fewer;
    }
    return ticks;
}

void TradeOffChart::draw(QPainter& painter, bool interactive) const
{
    const auto& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    if (m_points.empty()) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(16, 16, -16, -16), Qt::AlignCenter | Qt::TextWordWrap, m_emptyText);
        return;
    }
    const Frame f = frame();
    drawAxes(painter, f);
    drawLines(painter, f);
    drawPoints(painter, f);
    drawLegend(painter, f);
    if (interactive) {
        if (hasFocus()) {
            painter.setBrush(Qt::NoBrush);
            painter.setPen(QPen(theme.color(Ink::Accent), 1));
            painter.drawRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5));
        }
        drawHover(painter, f);
    }
}

void TradeOffChart::drawAxes(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    painter.setFont(Theme::smallFont(font()));
    const QFontMetricsF metrics(painter.font());
    for (const double value : yTicks(f)) {
        const double y = place(f, value);
        painter.setPen(QPen(theme.color(Ink::Grid), 1));
        painter.drawLine(QPointF(f.area.left(), y), QPointF(f.area.right(), y));
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(metrics.height(), y - metrics.height() / 2, f.area.left() - metrics.height() - 6, metrics.height()), Qt::AlignRight | Qt::AlignVCenter,
                         formatMeasure(m_measure, value));
    }
    // Bytes are labelled in KiB, MiB ...: round steps of those.
    const double unit = m_unit == CostUnit::Bytes ? std::pow(1024.0, std::floor(std::log(std::max(f.xHigh, 1.0)) / std::log(1024.0))) : 1;
    const double step = unit * niceStep((f.xHigh - f.xLow) / unit, std::clamp(static_cast<int>(f.area.width() / 80), 1, 8));
    for (double value = std::ceil(f.xLow / step) * step; value <= f.xHigh * (1 + 1e-12); value += step) {
        const double x = f.area.left() + (value - f.xLow) / (f.xHigh - f.xLow) * f.area.width();
        painter.setPen(QPen(theme.color(Ink::Grid), 1));
        painter.drawLine(QPointF(x, f.area.top()), QPointF(x, f.area.bottom()));
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(x - 45, f.area.bottom() + 4, 90, metrics.height()), Qt::AlignHCenter, formatCost(m_unit, value));
    }
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(QRectF(f.area.left(), f.area.bottom() + metrics.height() + 6, f.area.width(), metrics.height()), Qt::AlignHCenter, costUnitTitle(m_unit));
    painter.save();
    painter.translate(metrics.height() / 2 + 2, f.area.center().y());
    painter.rotate(-90);
    QString title = measureTitle(m_measure);
    const QString longer = lowerIsBetter(m_measure) ? tr("%1, less is better").arg(title) : tr("%1, more is better").arg(title);
    if (metrics.horizontalAdvance(longer) <= f.area.height())
        title = longer;
    painter.drawText(QRectF(-f.area.height() / 2, -metrics.height() / 2, f.area.height(), metrics.height()), Qt::AlignCenter,
                     metrics.elidedText(title, Qt::ElideRight, f.area.height()));
    painter.restore();
}

void TradeOffChart::drawLines(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    QPolygonF front;
    std::map<int, QPolygonF> lines; ///< by colour: one a method
    for (const Point& point : m_points) {
        if (m_front[static_cast<std::size_t>(point.row)])
            front << place(f, point);
        if (m_colors[static_cast<std::size_t>(point.row)] >= 0)
            lines[m_colors[static_cast<std::size_t>(point.row)]] << place(f, point);
    }
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(theme.color(Ink::Selection), 7, Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    painter.drawPolyline(front);
    for (const auto& [color, line] : lines) {
        painter.setPen(QPen(theme.seriesColor(color), 1.3));
        painter.drawPolyline(line);
    }
}

void TradeOffChart::drawPoints(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    painter.setFont(Theme::smallFont(font()));
    const QFontMetricsF metrics(painter.font());
    for (const Point& point : m_points) {
        const QPointF at = place(f, point);
        const auto& of = row(point.row);
        const QColor color = colorOf(point.row);
        painter.setPen(QPen(color, 1.6));
        painter.setBrush(m_front[static_cast<std::size_t>(point.row)] ? QBrush(color) : QBrush(theme.color(Ink::Panel)));
        if (of.baseline) {
            painter.drawRect(QRectF(at.x() - 4, at.y() - 4, 8, 8));
            const QString name = QString::fromStdString(of.label);
            const double wide = metrics.horizontalAdvance(name);
            const bool left = at.x() + 9 + wide > f.area.right();
            painter.setPen(theme.color(Ink::MutedText));
            painter.drawText(QPointF(left ? at.x() - 9 - wide : at.x() + 9, at.y() - 5), name);
        } else {
            painter.drawEllipse(at, 4.5, 4.5);
        }
        if (m_selected.contains(point.row) || point.row == m_hovered) {
            painter.setBrush(Qt::NoBrush);
            painter.setPen(QPen(theme.color(Ink::Text), 1.6));
            painter.drawEllipse(at, 8.5, 8.5);
        }
    }
}

void TradeOffChart::drawLegend(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    painter.setFont(Theme::smallFont(font()));
    const QFontMetricsF metrics(painter.font());
    std::map<int, QString> names;
    for (const Point& point : m_points)
        if (const int color = m_colors[static_cast<std::size_t>(point.row)]; color >= 0)
            names[color] = QString::fromStdString(row(point.row).label);
    const double high = metrics.height() + 4;
    double y = f.legend.top() + high / 2;
    std::size_t drawn = 0;
    for (const auto& [color, name] : names) {
        if (y + high > f.legend.bottom() && drawn + 1 < names.size()) {
            painter.setPen(theme.color(Ink::MutedText));
            painter.drawText(QPointF(f.legend.left() + 14, y + metrics.ascent() / 2 - 1), tr("and %1 more").arg(names.size() - drawn));
            return;
        }
        painter.setPen(QPen(theme.seriesColor(color), 1.6));
        painter.setBrush(theme.seriesColor(color));
        painter.drawEllipse(QPointF(f.legend.left() + 5, y), 4, 4);
        painter.setPen(theme.color(Ink::Text));
        painter.drawText(QPointF(f.legend.left() + 14, y + metrics.ascent() / 2 - 1), metrics.elidedText(name, Qt::ElideRight, f.legend.width() - 14));
        y += high;
        ++drawn;
    }
}

void TradeOffChart::drawHover(QPainter& painter, const Frame& f) const
{
    const QString text = hoverLines().join(QLatin1Char('\n'));
    if (text.isEmpty())
        return;
    const auto& theme = Theme::instance();
    const int of = m_hovered >= 0 ? m_hovered : m_selected.first();
    const auto found = std::find_if(m_points.begin(), m_points.end(), [of](const Point& p) { return p.row == of; });
    if (found == m_points.end())
        return;
    const QPointF at = place(f, *found);
    painter.setFont(Theme::smallFont(font()));
    QRectF box = painter.fontMetrics().boundingRect(QRect(0, 0, 360, 300), Qt::TextWordWrap, text).toRectF().adjusted(-8, -5, 8, 5);
    box.moveTopLeft(at + QPointF(12, 12));
    if (box.right() > width() - 4)
        box.moveRight(at.x() - 12);
    if (box.bottom() > height() - 4)
        box.moveBottom(height() - 4);
    painter.setPen(theme.color(Ink::Border));
    painter.setBrush(theme.color(Ink::Panel));
    painter.drawRoundedRect(box, 4, 4);
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(box.adjusted(8, 5, -8, -5), Qt::TextWordWrap, text);
}

} // namespace tamis::views
