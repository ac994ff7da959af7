// SPDX-License-Identifier: GPL-3.0-or-later
// How EncoderParetoChart draws.
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/encoder/encoder_pareto_chart.h"
#include "views/encoder/plot_paint.h"

#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr std::size_t kColors = 10; ///< of the theme, before they repeat

/// Encoders beyond the theme's colours have diamonds, so that none looks like another.
void drawMarker(QPainter& painter, const QPointF& at, bool diamond)
{
    if (!diamond)
        painter.drawEllipse(at, 4.5, 4.5);
    else
        painter.drawPolygon(QPolygonF{at + QPointF(0, -6), at + QPointF(6, 0), at + QPointF(0, 6), at + QPointF(-6, 0)});
}
} // namespace

void EncoderParetoChart::draw(QPainter& painter, bool interactive) const
{
    const auto& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    const bool current = m_current && std::isfinite(encoderLossOf(m_loss, *m_current)) && std::isfinite(encoderSpeedOf(m_speed, *m_current));
    if (m_points.empty() && !current) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(16, 16, -16, -16), Qt::AlignCenter | Qt::TextWordWrap, m_emptyText);
    } else {
        const Frame f = frame();
        painter.setFont(Theme::smallFont(font()));
        drawAxes(painter, f);
        drawFronts(painter, f);
        drawPoints(painter, f);
        drawLegend(painter, f);
        if (const QStringList lines = interactive ? hoverLines() : QStringList(); !lines.isEmpty())
            drawHoverBox(painter, rect(), toPixel(m_hovered >= 0 ? m_hovered : m_walked), lines);
    }
    if (interactive && hasFocus())
        drawFocus(painter, rect());
}

void EncoderParetoChart::drawAxes(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const double line = metrics.height();
    const auto horizontal = [&](double value) {
        const double y = f.area.bottom() - (std::log10(value) - f.yLow) / (f.yHigh - f.yLow) * f.area.height();
        painter.setPen(QPen(theme.color(Ink::Grid), 1));
        painter.drawLine(QPointF(f.area.left(), y), QPointF(f.area.right(), y));
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(0, y - line / 2, f.area.left() - 6, line), Qt::AlignRight | Qt::AlignVCenter, formatEncoderSpeed(m_speed, value));
    };
    for (const double value : logTicks(std::pow(10, f.yLow), std::pow(10, f.yHigh), std::clamp(static_cast<int>(f.area.height() / (2 * line)), 2, 10)))
        horizontal(value);
    const int room = std::clamp(static_cast<int>(f.area.width() / 80), 2, 10);
    const auto vertical = [&](double value) {
        const double x = placeX(f, value);
        painter.setPen(QPen(theme.color(Ink::Grid), 1));
        painter.drawLine(QPointF(x, f.area.top()), QPointF(x, f.area.bottom()));
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(x - 60, f.area.bottom() + 4, 120, line), Qt::AlignHCenter, formatEncoderLoss(m_loss, value));
    };
    if (f.logX)
        for (const double value : logTicks(std::pow(10, f.xLow), std::pow(10, f.xHigh), room))
            vertical(value);
    else
        for (const double value : linearTicks(f.xLow, f.xHigh, room))
            if (value <= 1 + 1e-9)
                vertical(value);
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(QRectF(f.area.left(), f.area.bottom() + line + 6, f.area.width(), line), Qt::AlignHCenter,
                     f.logX ? tr("%1 over the exact encoder's (less is better; none at the left edge)").arg(encoderLossTitle(m_loss)) : encoderLossTitle(m_loss));
    drawAxisTitle(painter, f.area, encoderSpeedTitle(m_speed));
}

void EncoderParetoChart::drawFronts(QPainter& painter, const Frame& f) const
{
    for (std::size_t color = 0; color < m_methods.size(); ++color) {
        QPolygonF line;
        for (const Point& each : m_points)
            if (m_front[static_cast<std::size_t>(each.index)] && !point(each.index).exact && QString::fromStdString(point(each.index).title) == m_methods[color])
                line << place(f, each);
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(Theme::instance().seriesColor(static_cast<int>(color)), 1.6, color < kColors ? Qt::SolidLine : Qt::DashLine));
        painter.drawPolyline(line);
    }
    for (const Point& each : m_points)
        if (point(each.index).exact) { // slower than this is no gain
            const double y = place(f, each).y();
            painter.setPen(QPen(Theme::instance().color(Ink::Baseline), 1, Qt::DashLine));
            painter.drawLine(QPointF(f.area.left(), y), QPointF(f.area.right(), y));
        }
}

void EncoderParetoChart::drawPoints(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    for (const Point& each : m_points) {
        const QPointF at = place(f, each);
        const QColor color = colorOf(each.index);
        painter.setPen(QPen(color, 1.6));
        painter.setBrush(m_front[static_cast<std::size_t>(each.index)] ? color : theme.color(Ink::Panel));
        if (point(each.index).exact)
            painter.drawRect(QRectF(at.x() - 4.5, at.y() - 4.5, 9, 9));
        else
            drawMarker(painter, at, colorIndex(each.index) >= kColors);
        if (each.index == m_hovered || each.index == m_walked) {
            painter.setBrush(Qt::NoBrush);
            painter.setPen(QPen(theme.color(Ink::Text), 1.4));
            painter.drawEllipse(at, 8, 8);
        }
    }
    if (!m_current)
        return;
    const Point now{-1, encoderLossOf(m_loss, *m_current), encoderSpeedOf(m_speed, *m_current)};
    if (!std::isfinite(now.loss) || !std::isfinite(now.speed))
        return;
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(theme.color(Ink::Accent), 2.4));
    painter.drawEllipse(place(f, now), 7, 7);
}

void EncoderParetoChart::drawLegend(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    double y = f.legend.top() + metrics.height() / 2;
    const auto entry = [&](const QString& text, const QColor& color, bool square, bool filled, bool diamond = false) {
        painter.setPen(QPen(color, 1.8));
        painter.setBrush(filled ? QBrush(color) : QBrush(Qt::NoBrush));
        if (square)
            painter.drawRect(QRectF(f.legend.left() + 1, y - 4.5, 9, 9));
        else
            drawMarker(painter, QPointF(f.legend.left() + 5.5, y), diamond);
        painter.setPen(theme.color(Ink::Text));
        painter.drawText(QRectF(f.legend.left() + 18, y - metrics.height() / 2, f.legend.width() - 18, metrics.height()), Qt::AlignLeft | Qt::AlignVCenter,
                         metrics.elidedText(text, Qt::ElideRight, f.legend.width() - 18));
        y += 1.5 * metrics.height();
    };
    for (std::size_t i = 0; i < m_methods.size(); ++i)
        entry(m_methods[i], theme.seriesColor(static_cast<int>(i)), false, true, i >= kColors);
    if (m_comparison && std::ranges::any_of(m_comparison->points, &report::EncoderPoint::exact))
        entry(tr("Exact"), theme.color(Ink::Baseline), true, true);
    if (m_current)
        entry(tr("now"), theme.color(Ink::Accent), false, false);
}

} // namespace tamis::views
