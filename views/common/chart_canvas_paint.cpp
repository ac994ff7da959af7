// SPDX-License-Identifier: GPL-3.0-or-later
// What ChartCanvas draws above the curves.
#include "views/common/chart_canvas.h"

#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QLineSeries>
#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {

void ChartCanvas::drawForeground(QPainter* painter, const QRectF&)
{
    const auto& theme = Theme::instance();
    painter->save();
    painter->setRenderHint(QPainter::Antialiasing);
    const QRectF area = plotArea();
    if (m_series.empty()) {
        painter->fillRect(QRectF(rect()), theme.color(Ink::Panel));
        painter->setPen(theme.color(Ink::MutedText));
        painter->setFont(font());
        painter->drawText(QRectF(rect()).adjusted(24, 24, -24, -24), Qt::AlignCenter | Qt::TextWordWrap, m_emptyText);
        painter->restore();
        return;
    }
    if (m_cursor) {
        const double x = toPixel(*m_cursor, m_yRange.low).x();
        if (x >= area.left() - 0.5 && x <= area.right() + 0.5) {
            painter->setPen(QPen(theme.color(Ink::Accent), 2));
            painter->drawLine(QPointF(x, area.top()), QPointF(x, area.bottom()));
            const QFontMetricsF metrics(font());
            const QString label = m_cursorLabel.isEmpty() ? formatNumber(*m_cursor, 6) : m_cursorLabel;
            QRectF box(0, 0, metrics.horizontalAdvance(label) + 12, metrics.height() + 4);
            box.moveTopLeft({std::clamp(x - box.width() / 2, area.left(), std::max(area.left(), area.right() - box.width())),
                             area.top()});
            painter->setPen(Qt::NoPen);
            painter->setBrush(theme.color(Ink::Accent));
            painter->drawRoundedRect(box, 3, 3);
            painter->setFont(font());
            painter->setPen(theme.color(Ink::AccentText));
            painter->drawText(box, Qt::AlignCenter, label);
        }
    }
    if (m_drag == Drag::Band) {
        QColor fill = theme.color(Ink::Accent);
        fill.setAlpha(40);
        painter->setPen(QPen(theme.color(Ink::Accent), 1, Qt::DashLine));
        painter->setBrush(fill);
        painter->drawRect(QRectF(m_dragStart, m_pointer).normalized().intersected(area));
    }
    drawHover(painter);
    drawBadge(painter);
    painter->restore();
}

QStringList ChartCanvas::hoverLines(double x, std::vector<HoverPoint>* found) const
{
    constexpr std::size_t kMostRows = 13;
    QStringList lines{QStringLiteral("%1 %2").arg(m_axes.xTitle, formatNumber(x, 6))};
    found->clear();
    for (std::size_t i = 0; i < m_series.size() && found->size() < kMostRows; ++i) {
        const auto& points = m_series[i].points;
        if (points.empty() || !m_lines[i]->isVisible())
            continue;
        auto near = std::lower_bound(points.begin(), points.end(), x, [](const auto& p, double v) { return p.x < v; });
        if (near == points.end() || (near != points.begin() && x - (near - 1)->x < near->x - x))
            --near;
        const double reach = m_axes.wholeX ? 1 : 0.02 * (m_xRange.high - m_xRange.low);
        if (x < points.front().x - reach || x > points.back().x + reach)
            continue;
        found->push_back({toPixel(near->x, near->y, m_series[i].secondary), m_lines[i]->color()});
        lines.append(QString::fromStdString(m_series[i].name) + QStringLiteral("  ") + formatNumber(near->y));
    }
    return lines;
}

QStringList ChartCanvas::hoverLines() const
{
    if (!m_pointerInside || m_series.empty())
        return {};
    const double x = fromPixelX(m_pointer.x());
    std::vector<HoverPoint> found;
    return hoverLines(m_axes.wholeX ? std::round(x) : x, &found);
}

void ChartCanvas::drawHover(QPainter* painter)
{
    if (!m_pointerInside || m_exporting || m_drag == Drag::Band || m_drag == Drag::Pan)
        return;
    const auto& theme = Theme::instance();
    const QRectF area = plotArea();
    double x = fromPixelX(m_pointer.x());
    if (m_axes.wholeX)
        x = std::round(x);
    struct Row {
        QColor color;
        QString text;
    };
    std::vector<Row> rows;
    for (const QString& line : hoverLines(x, &m_hoverPoints))
        rows.push_back({rows.empty() ? theme.color(Ink::Text) : m_hoverPoints[rows.size() - 1].color, line});
    for (const auto& point : m_hoverPoints)
        if (area.contains(point.position)) {
            painter->setPen(QPen(theme.color(Ink::Panel), 1.5));
            painter->setBrush(point.color);
            painter->drawEllipse(point.position, 4, 4);
        }
    const QFont small = Theme::smallFont(font());
    const QFontMetricsF metrics(small);
    double width = 0;
    for (const auto& row : rows)
        width = std::max(width, metrics.horizontalAdvance(row.text));
    QRectF box(0, 0, width + 26, metrics.height() * static_cast<double>(rows.size()) + 10);
    box.moveTopLeft(m_pointer + QPointF(14, 14));
    if (box.right() > area.right())
        box.moveRight(m_pointer.x() - 14);
    if (box.bottom() > area.bottom())
        box.moveBottom(std::max(area.top() + box.height(), m_pointer.y() - 14));
    painter->setPen(QPen(theme.color(Ink::MutedText), 1, Qt::DotLine));
    painter->drawLine(QPointF(m_pointer.x(), area.top()), QPointF(m_pointer.x(), area.bottom()));
    QColor fill = theme.color(Ink::Panel);
    fill.setAlpha(240);
    painter->setPen(theme.color(Ink::Border));
    painter->setBrush(fill);
    painter->drawRoundedRect(box, 4, 4);
    painter->setFont(small);
    double y = box.top() + 5;
    for (std::size_t i = 0; i < rows.size(); ++i, y += metrics.height()) {
        if (i > 0) {
            painter->setPen(Qt::NoPen);
            painter->setBrush(rows[i].color);
            painter->drawEllipse(QPointF(box.left() + 10, y + metrics.height() / 2), 3.5, 3.5);
        }
        painter->setPen(theme.color(Ink::Text));
        painter->drawText(QRectF(box.left() + (i > 0 ? 18 : 8), y, box.width() - 18, metrics.height()), Qt::AlignVCenter, rows[i].text);
    }
}

void ChartCanvas::paintPicture(QPainter& painter)
{
    m_exporting = true;
    showLegend(); // nobody hovers a picture
    render(&painter, QRectF(QPointF(0, 0), QSizeF(size())), viewport()->rect(), Qt::IgnoreAspectRatio);
    m_exporting = false;
    showLegend();
}

void ChartCanvas::drawBadge(QPainter* painter) const
{
    if (!m_badge || m_exporting)
        return;
    const auto& theme = Theme::instance();
    const QString text = tr("updating…");
    const QFontMetricsF metrics(font());
    QRectF box(0, 0, metrics.horizontalAdvance(text) + 16, metrics.height() + 6);
    box.moveTopRight(plotArea().topRight() + QPointF(-6, 6));
    painter->setPen(QPen(theme.color(Ink::Stale), 1));
    painter->setBrush(theme.color(Ink::Panel));
    painter->drawRoundedRect(box, 4, 4);
    painter->setFont(font());
    painter->drawText(box, Qt::AlignCenter, text);
}

} // namespace tamis::views
