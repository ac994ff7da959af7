// SPDX-License-Identifier: GPL-3.0-or-later
// How HeatMap draws its cells, labels and colour bar.
#include "views/common/heat_map.h"
#include "views/common/nice_step.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {

void HeatMap::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    draw(painter, true);
}

void HeatMap::paintFigure(QPainter& painter) const { draw(painter, false); }

void HeatMap::draw(QPainter& painter, bool interactive) const
{
    const auto& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    if (isEmpty()) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(16, 16, -16, -16), Qt::AlignCenter | Qt::TextWordWrap, m_emptyText);
    } else {
        const Frame f = frame();
        painter.setFont(Theme::smallFont(font()));
        drawCells(painter, f);
        drawBadges(painter);
        drawLabels(painter, f);
        drawBar(painter, f);
        const bool marked = interactive && m_marked >= 0 && m_marked < m_grid.columns;
        if (marked || (interactive && m_selected)) {
            const QRectF cell = m_selected ? cellRect(m_selected->first, m_selected->second)
                                           : cellRect(0, m_marked).united(cellRect(m_grid.rows - 1, m_marked));
            painter.setBrush(Qt::NoBrush);
            painter.setPen(QPen(theme.color(Ink::Panel), 4));
            painter.drawRect(cell.adjusted(0.5, 0.5, -0.5, -0.5));
            painter.setPen(QPen(theme.color(Ink::Text), 2));
            painter.drawRect(cell.adjusted(0.5, 0.5, -0.5, -0.5));
        }
        if (interactive && m_hovered)
            drawHover(painter);
    }
    if (interactive && hasFocus()) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme.color(Ink::Accent), 1));
        painter.drawRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5));
    }
}

void HeatMap::drawCells(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const double w = f.cells.width() / m_grid.columns, h = f.cells.height() / m_grid.rows;
    const double gap = std::min(w, h) > 14 ? 1 : 0;
    const bool numbers = w > metrics.horizontalAdvance(QStringLiteral("0.000")) + 8 && h > metrics.height() + 2;
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing, gap > 0);
    for (int row = 0; row < m_grid.rows; ++row)
        for (int column = 0; column < m_grid.columns; ++column) {
            const double v = value(row, column);
            const QRectF cell(f.cells.left() + column * w, f.cells.top() + row * h, w, h);
            const QColor ground = cellColor(row, column);
            painter.fillRect(gap > 0 ? cell.adjusted(0, 0, -gap, -gap) : cell, ground);
            if (numbers && std::isfinite(v)) {
                painter.setPen(theme.textOn(ground));
                painter.drawText(cell, Qt::AlignCenter, formatNumber(v, 2));
            }
        }
    painter.restore();
}

/// A folded corner, framed so that it stands out on any colour.
void HeatMap::drawBadges(QPainter& painter) const
{
    const auto& theme = Theme::instance();
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing);
    for (const auto& [row, column] : m_badges) {
        if (row < 0 || column < 0 || row >= m_grid.rows || column >= m_grid.columns)
            continue;
        const QRectF cell = cellRect(row, column);
        const double side = std::clamp(0.4 * std::min(cell.width(), cell.height()), 4.0, 12.0);
        const QPointF corner = cell.topRight() + QPointF(-1, 0);
        const QPolygonF fold{{corner, corner - QPointF(side, 0), corner + QPointF(0, side)}};
        painter.setPen(QPen(theme.color(Ink::Panel), 1.6));
        painter.setBrush(theme.color(Ink::HeldOut));
        painter.drawPolygon(fold);
    }
    painter.restore();
}

void HeatMap::drawLabels(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const double line = metrics.height(), w = f.cells.width() / m_grid.columns, h = f.cells.height() / m_grid.rows;
    double widest = 0;
    for (int column = 0; column < m_grid.columns; ++column)
        widest = std::max(widest, metrics.horizontalAdvance(label(m_grid.columnLabels, column)));
    const auto stride = [](double need, double room, int count) {
        return need <= room ? 1 : std::max(1, static_cast<int>(niceStep(count, std::max(1, static_cast<int>(count * room / need)))));
    };
    painter.setPen(theme.color(Ink::MutedText));
    for (int row = 0, by = stride(line, h, m_grid.rows); row < m_grid.rows; row += by) {
        const QRectF place(m_grid.rowTitle.isEmpty() ? 2 : line + 4, f.cells.top() + row * h + h / 2 - line / 2, 0, line);
        const double room = f.cells.left() - 6 - place.left();
        painter.drawText(place.adjusted(0, 0, room, 0), Qt::AlignRight | Qt::AlignVCenter,
                         metrics.elidedText(label(m_grid.rowLabels, row), Qt::ElideMiddle, room));
    }
    for (int column = 0, by = stride(widest + 6, w, m_grid.columns); column < m_grid.columns; column += by) {
        const double middle = f.cells.left() + column * w + w / 2;
        painter.drawText(QRectF(middle - widest, f.cells.bottom() + 4, 2 * widest, line), Qt::AlignHCenter | Qt::AlignVCenter, label(m_grid.columnLabels, column));
    }
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(QRectF(f.cells.left(), f.cells.bottom() + line + 6, f.cells.width(), line), Qt::AlignCenter, m_grid.columnTitle);
    painter.save();
    painter.translate(line / 2 + 2, f.cells.center().y());
    painter.rotate(-90);
    painter.drawText(QRectF(-f.cells.height() / 2, -line / 2, f.cells.height(), line), Qt::AlignCenter, m_grid.rowTitle);
    painter.restore();
}

void HeatMap::drawBar(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const double line = metrics.height();
    QLinearGradient gradient(f.bar.bottomLeft(), f.bar.topLeft());
    for (int i = 0; i <= 32; ++i)
        gradient.setColorAt(i / 32.0, colorOf(m_low + (m_high - m_low) * i / 32.0));
    painter.setPen(QPen(theme.color(Ink::Border), 1));
    painter.setBrush(gradient);
    painter.drawRect(f.bar);
    const double step = niceStep(m_high - m_low, std::clamp(static_cast<int>(f.bar.height() / (2.5 * line)), 1, 6));
    double widest = 0;
    for (double v = std::ceil(m_low / step - 1e-9) * step; v <= m_high + 1e-9 * step; v += step) {
        const double y = f.bar.bottom() - (v - m_low) / (m_high - m_low) * f.bar.height();
        const QString text = formatNumber(std::abs(v) < 1e-9 * step ? 0 : v, 3);
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawLine(QPointF(f.bar.right(), y), QPointF(f.bar.right() + 3, y));
        painter.drawText(QRectF(f.bar.right() + 6, y - line / 2, width() - f.bar.right() - 6, line), Qt::AlignLeft | Qt::AlignVCenter, text);
        widest = std::max(widest, metrics.horizontalAdvance(text));
    }
    painter.setPen(theme.color(Ink::Text));
    painter.save();
    painter.translate(std::min(f.bar.right() + 10 + widest + line / 2, width() - line / 2 - 1), f.bar.center().y());
    painter.rotate(-90);
    painter.drawText(QRectF(-f.bar.height() / 2, -line / 2, f.bar.height(), line), Qt::AlignCenter,
                     metrics.elidedText(m_grid.valueTitle, Qt::ElideRight, f.bar.height()));
    painter.restore();
}

void HeatMap::drawHover(QPainter& painter) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const QStringList lines = hoverLines();
    double widest = 0;
    for (const auto& text : lines)
        widest = std::max(widest, metrics.horizontalAdvance(text));
    const QRectF cell = cellRect(m_hovered->first, m_hovered->second);
    QRectF box(cell.right() + 6, cell.top(), widest + 16, metrics.height() * static_cast<double>(lines.size()) + 10);
    if (box.right() > width() - 4)
        box.moveRight(std::max(cell.left() - 6, box.width() + 4));
    if (box.bottom() > height() - 4)
        box.moveBottom(height() - 4);
    painter.setPen(theme.color(Ink::Border));
    painter.setBrush(theme.color(Ink::Panel));
    painter.drawRoundedRect(box, 4, 4);
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(box.adjusted(8, 5, -8, -5), Qt::AlignLeft | Qt::AlignTop, lines.join(QLatin1Char('\n')));
}

} // namespace tamis::views
