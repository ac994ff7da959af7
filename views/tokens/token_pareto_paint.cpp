// SPDX-License-Identifier: GPL-3.0-or-later
// How TokenParetoChart draws.
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/encoder/plot_paint.h"
#include "views/tokens/token_pareto_chart.h"

#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr int kColors = 10; ///< of the theme, before they repeat
constexpr int kPromiseSteps = 48;

void drawShape(QPainter& painter, const QPointF& at, int shape)
{
    switch (shape % 4) {
    case 0: painter.drawPolygon(QPolygonF{at + QPointF(0, -6), at + QPointF(6, 0), at + QPointF(0, 6), at + QPointF(-6, 0)}); return;
    case 1: painter.drawPolygon(QPolygonF{at + QPointF(0, -6), at + QPointF(5.5, 4.5), at + QPointF(-5.5, 4.5)}); return;
    case 2: painter.drawPolygon(QPolygonF{at + QPointF(0, 6), at + QPointF(5.5, -4.5), at + QPointF(-5.5, -4.5)}); return;
    default:
        painter.drawLine(at + QPointF(-4.5, -4.5), at + QPointF(4.5, 4.5));
        painter.drawLine(at + QPointF(-4.5, 4.5), at + QPointF(4.5, -4.5));
    }
}
} // namespace

void TokenParetoChart::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    draw(painter, true);
}

void TokenParetoChart::paintFigure(QPainter& painter) const { draw(painter, false); }

void TokenParetoChart::draw(QPainter& painter, bool interactive) const
{
    const auto& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    if (m_points.empty()) {
        painter.setPen(theme.color(Ink::MutedText));
        const QString nothing = m_comparison && !m_comparison->points.empty() ? tr("%1 was not measured.").arg(tokenQualityTitle(m_quality)) : m_emptyText;
        painter.drawText(rect().adjusted(16, 16, -16, -16), Qt::AlignCenter | Qt::TextWordWrap, nothing);
    } else {
        const Frame f = frame();
        painter.setFont(Theme::smallFont(font()));
        drawAxes(painter, f);
        if (showsPromise())
            drawPromise(painter, f);
        drawFronts(painter, f);
        drawPoints(painter, f);
        drawLegend(painter, f);
        if (const QStringList lines = interactive ? hoverLines() : QStringList(); !lines.isEmpty())
            drawHoverBox(painter, rect(), toPixel(m_hovered >= 0 ? m_hovered : m_walked), lines);
    }
    if (interactive && hasFocus())
        drawFocus(painter, rect());
}

void TokenParetoChart::drawAxes(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const double line = QFontMetricsF(painter.font()).height();
    for (const double value : linearTicks(f.yLow, f.yHigh, std::clamp(static_cast<int>(f.area.height() / (2 * line)), 2, 10))) {
        const double y = place(f, f.xLow, value).y();
        painter.setPen(QPen(theme.color(Ink::Grid), 1));
        painter.drawLine(QPointF(f.area.left(), y), QPointF(f.area.right(), y));
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(0, y - line / 2, f.area.left() - 6, line), Qt::AlignRight | Qt::AlignVCenter, formatTokenQuality(m_quality, value));
    }
    for (const double value : linearTicks(f.xLow, f.xHigh, std::clamp(static_cast<int>(f.area.width() / 80), 2, 10))) {
        const double x = place(f, value, f.yLow).x();
        painter.setPen(QPen(theme.color(Ink::Grid), 1));
        painter.drawLine(QPointF(x, f.area.top()), QPointF(x, f.area.bottom()));
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(x - 60, f.area.bottom() + 4, 120, line), Qt::AlignHCenter, formatTokenCost(m_cost, value));
    }
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(QRectF(f.area.left(), f.area.bottom() + line + 6, f.area.width(), line), Qt::AlignHCenter, tokenCostTitle(m_cost));
    drawAxisTitle(painter, f.area, m_quality == TokenQuality::Kl ? tr("%1 (less is upwards)").arg(tokenQualityTitle(m_quality)) : tokenQualityTitle(m_quality));
}

void TokenParetoChart::drawPromise(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const double whole = tokenCostOf(TokenCost::Macs, m_comparison->points.front());
    QPolygonF curve;
    for (int i = 0; i <= kPromiseSteps; ++i)
        if (const double macs = f.xLow + (f.xHigh - f.xLow) * i / kPromiseSteps; macs > 0)
            curve << place(f, macs, whole / macs);
    painter.save();
    painter.setClipRect(f.area);
    painter.setPen(QPen(theme.color(Ink::Text), 1.2, Qt::DotLine));
    painter.drawPolyline(curve);
    const double even = place(f, f.xLow, 1).y();
    painter.setPen(QPen(theme.color(Ink::Loss), 1, Qt::DashLine));
    painter.drawLine(QPointF(f.area.left(), even), QPointF(f.area.right(), even));
    painter.setPen(theme.color(Ink::Loss));
    const double line = QFontMetricsF(painter.font()).height();
    painter.drawText(QRectF(f.area.left() + 4, even + 1, f.area.width(), line), Qt::AlignLeft, tr("no gain: as slow as the whole model"));
    painter.restore();
}

void TokenParetoChart::drawFronts(QPainter& painter, const Frame& f) const
{
    painter.setBrush(Qt::NoBrush);
    for (const auto& method : m_methods) {
        QPolygonF line;
        for (const Point& each : m_points)
            if (m_front[static_cast<std::size_t>(each.index)] && !isWhole(each.index) && QString::fromStdString(point(each.index).title) == method.title)
                line << place(f, each.cost, each.quality);
        painter.setPen(method.baseline ? QPen(Theme::instance().color(Ink::Baseline), 1.2, Qt::DashLine)
                                       : QPen(Theme::instance().seriesColor(method.look), 1.6, method.look < kColors ? Qt::SolidLine : Qt::DashDotLine));
        painter.drawPolyline(line);
    }
}

void TokenParetoChart::drawPoints(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    for (const Point& each : m_points) {
        const QPointF at = place(f, each.cost, each.quality);
        const bool whole = isWhole(each.index), baseline = !whole && methodOf(each.index).baseline;
        const QColor color = whole || baseline ? theme.color(Ink::Baseline) : theme.seriesColor(methodOf(each.index).look);
        painter.setPen(QPen(color, 1.6));
        painter.setBrush(m_front[static_cast<std::size_t>(each.index)] && !baseline ? color : theme.color(Ink::Panel));
        if (whole)
            painter.drawRect(QRectF(at.x() - 4.5, at.y() - 4.5, 9, 9));
        else if (baseline)
            drawShape(painter, at, methodOf(each.index).look);
        else
            painter.drawEllipse(at, 4.5, 4.5);
        painter.setBrush(Qt::NoBrush);
        if (each.index == m_chosen) {
            painter.setPen(QPen(theme.color(Ink::Accent), 2.4));
            painter.drawEllipse(at, 8, 8);
        }
        if (each.index == m_hovered || (each.index == m_walked && hasFocus())) {
            painter.setPen(QPen(theme.color(Ink::Text), 1.4));
            painter.drawEllipse(at, 9, 9);
        }
    }
}

void TokenParetoChart::drawLegend(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    double y = f.legend.top() + metrics.height() / 2;
    const auto label = [&](const QString& text) {
        painter.setPen(theme.color(Ink::Text));
        painter.drawText(QRectF(f.legend.left() + 20, y - metrics.height() / 2, f.legend.width() - 20, metrics.height()), Qt::AlignLeft | Qt::AlignVCenter,
                         metrics.elidedText(text, Qt::ElideRight, f.legend.width() - 20));
        y += 1.5 * metrics.height();
    };
    if (m_comparison && !m_comparison->points.empty()) {
        painter.setPen(QPen(theme.color(Ink::Baseline), 1.8));
        painter.setBrush(theme.color(Ink::Baseline));
        painter.drawRect(QRectF(f.legend.left() + 2, y - 4.5, 9, 9));
        label(tr("whole model"));
    }
    for (const auto& method : m_methods) {
        const QColor color = method.baseline ? theme.color(Ink::Baseline) : theme.seriesColor(method.look);
        painter.setPen(QPen(color, 1.8));
        painter.setBrush(method.baseline ? theme.color(Ink::Panel) : color);
        if (method.baseline)
            drawShape(painter, {f.legend.left() + 6.5, y}, method.look);
        else
            painter.drawEllipse(QPointF(f.legend.left() + 6.5, y), 4.5, 4.5);
        label(method.title);
    }
    if (showsPromise()) {
        painter.setPen(QPen(theme.color(Ink::Text), 1.2, Qt::DotLine));
        painter.drawLine(QPointF(f.legend.left(), y), QPointF(f.legend.left() + 14, y));
        label(tr("what the MACs promise"));
    }
}

} // namespace tamis::views
