// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/plot_paint.h"

#include "views/common/nice_step.h"

#include <QFontMetricsF>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {

void drawHoverBox(QPainter& painter, const QRectF& bounds, const QPointF& anchor, const QStringList& lines)
{
    if (lines.isEmpty())
        return;
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    double widest = 0;
    for (const QString& line : lines)
        widest = std::max(widest, metrics.horizontalAdvance(line));
    QRectF box(anchor.x() + 12, anchor.y() + 12, widest + 16, metrics.height() * static_cast<double>(lines.size()) + 10);
    if (box.right() > bounds.right() - 4)
        box.moveRight(std::max(anchor.x() - 12, bounds.left() + box.width() + 4));
    if (box.bottom() > bounds.bottom() - 4)
        box.moveBottom(bounds.bottom() - 4);
    painter.setPen(QPen(theme.color(Ink::Border), 1));
    painter.setBrush(theme.color(Ink::Panel));
    painter.drawRoundedRect(box, 4, 4);
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(box.adjusted(8, 5, -8, -5), Qt::AlignLeft | Qt::AlignTop, lines.join(QLatin1Char('\n')));
}

QRectF drawTag(QPainter& painter, const QRectF& bounds, const QPointF& middle, const QString& text, Ink ink)
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    QRectF box(0, 0, metrics.horizontalAdvance(text) + 12, metrics.height() + 4);
    box.moveCenter(middle);
    box.moveLeft(std::clamp(box.left(), bounds.left(), std::max(bounds.left(), bounds.right() - box.width())));
    box.moveTop(std::clamp(box.top(), bounds.top(), std::max(bounds.top(), bounds.bottom() - box.height())));
    painter.setPen(Qt::NoPen);
    painter.setBrush(theme.color(ink));
    painter.drawRoundedRect(box, 3, 3);
    painter.setPen(theme.textOn(theme.color(ink)));
    painter.drawText(box, Qt::AlignCenter, text);
    return box;
}

void drawAxisTitle(QPainter& painter, const QRectF& area, const QString& text)
{
    const QFontMetricsF metrics(painter.font());
    painter.save();
    painter.setPen(Theme::instance().color(Ink::Text));
    painter.translate(metrics.height() / 2 + 3, area.center().y());
    painter.rotate(-90);
    painter.drawText(QRectF(-area.height() / 2, -metrics.height() / 2, area.height(), metrics.height()), Qt::AlignCenter,
                     metrics.elidedText(text, Qt::ElideRight, area.height()));
    painter.restore();
}

void drawFocus(QPainter& painter, const QRectF& bounds)
{
    painter.setBrush(Qt::NoBrush);
    painter.setPen(QPen(Theme::instance().color(Ink::Accent), 1));
    painter.drawRect(bounds.adjusted(0.5, 0.5, -0.5, -0.5));
}

std::vector<double> logTicks(double low, double high, int most)
{
    std::vector<double> ticks;
    for (const auto& digits : {std::vector<double>{1, 2, 5}, std::vector<double>{1}}) {
        ticks.clear();
        for (double decade = std::floor(std::log10(low)); decade <= std::log10(high); ++decade)
            for (const double digit : digits)
                if (const double value = digit * std::pow(10.0, decade); value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9))
                    ticks.push_back(value);
        if (static_cast<int>(ticks.size()) <= most)
            return ticks;
    }
    const auto stride = (ticks.size() + static_cast<std::size_t>(most) - 1) / static_cast<std::size_t>(most);
    std::vector<double> fewer;
    for (std::size_t i = 0; i < ticks.size(); i += stride)
        fewer.push_back(ticks[i]);
    return fewer;
}

std::vector<double> linearTicks(double low, double high, int most)
{
    std::vector<double> ticks;
    const double step = niceStep(high - low, std::max(most, 1));
    for (double value = std::ceil(low / step - 1e-9) * step; value <= high + 1e-9 * step; value += step)
        ticks.push_back(std::abs(value) < 1e-9 * step ? 0 : value);
    return ticks;
}

} // namespace tamis::views
