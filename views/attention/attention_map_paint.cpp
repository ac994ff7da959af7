// SPDX-License-Identifier: GPL-3.0-or-later
// How AttentionMapView draws its cells, axes and colour bar.
#include "views/attention/attention_map_view.h"

#include "views/common/nice_step.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {

void AttentionMapView::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    draw(painter, true);
}

void AttentionMapView::paintFigure(QPainter& painter) const { draw(painter, false); }

void AttentionMapView::draw(QPainter& painter, bool interactive) const
{
    const auto& theme = Theme::instance();
    painter.fillRect(rect(), theme.color(Ink::Panel));
    if (isEmpty()) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(12, 12, -12, -12), Qt::AlignCenter | Qt::TextWordWrap, m_emptyText);
    } else {
        painter.setFont(Theme::smallFont(font()));
        const Frame f = frame();
        drawMap(painter, f, interactive);
        drawAxes(painter, f);
        drawBar(painter, f);
        if (interactive && m_pointed && m_own)
            drawHover(painter, f);
    }
    if (interactive && hasFocus()) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme.color(Ink::Accent), 1));
        painter.drawRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5));
    }
}

void AttentionMapView::drawMap(QPainter& painter, const Frame& f, bool interactive) const
{
    const auto& theme = Theme::instance();
    const double cell = f.plot.width() / m_view.width();
    painter.save();
    painter.setClipRect(f.plot);
    painter.setRenderHint(QPainter::SmoothPixmapTransform, cell < 1); // fewer pixels than tokens: neighbours are mixed, none is lost
    painter.drawImage(f.plot, m_image, m_view);
    painter.setRenderHint(QPainter::SmoothPixmapTransform, false);
    const auto band = [&](int query, const QColor& color, double width) {
        const double y = f.plot.top() + (query - m_view.top()) * cell;
        painter.setPen(QPen(color, width));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(QRectF(f.plot.left() - 4, y - 1, f.plot.width() + 8, std::max(cell, 1.0) + 2));
    };
    if (interactive && m_chosen >= 0 && cell < 3) {
        painter.setPen(QPen(theme.color(Ink::Accent), 1));
        const double y = toPixel({m_chosen, 0}).y();
        painter.drawLine(QPointF(f.plot.left(), y), QPointF(f.plot.right(), y));
    } else if (interactive && m_chosen >= 0) {
        band(m_chosen, theme.color(Ink::Panel), 3);
        band(m_chosen, theme.color(Ink::Accent), 1.5);
    }
    if (interactive && m_pointed) {
        const QPointF at = toPixel(*m_pointed);
        QColor line = theme.color(Ink::Text);
        line.setAlphaF(0.55);
        painter.setPen(QPen(line, 1));
        painter.drawLine(QPointF(f.plot.left(), at.y()), QPointF(f.plot.right(), at.y()));
        painter.drawLine(QPointF(at.x(), f.plot.top()), QPointF(at.x(), f.plot.bottom()));
        const double side = std::max(cell, 5.0);
        painter.setPen(QPen(theme.color(Ink::Panel), 3));
        painter.drawRect(QRectF(at.x() - side / 2, at.y() - side / 2, side, side));
        painter.setPen(QPen(theme.color(Ink::Text), 1.2));
        painter.drawRect(QRectF(at.x() - side / 2, at.y() - side / 2, side, side));
    }
    painter.restore();
    painter.setPen(QPen(theme.color(Ink::Border), 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(f.plot);
}

void AttentionMapView::drawAxes(QPainter& painter, const Frame& f) const
{
    const QFontMetricsF metrics(painter.font());
    const double line = metrics.height();
    drawTitle(painter, f);
    painter.setPen(Theme::instance().color(Ink::MutedText));
    namesAxes() ? drawNames(painter, f) : drawNumbers(painter, f);
    const double names = nameRoom(), below = names > 0 ? names + 3 : line + 3;
    const double beside = names > 0 ? names : 2 + metrics.horizontalAdvance(QString::number(std::max(m_grid.tokens, 100)));
    painter.drawText(QRectF(f.plot.left(), f.plot.bottom() + below, f.plot.width(), line), Qt::AlignCenter, tr("key token"));
    painter.save();
    painter.translate(f.plot.left() - 6 - beside - line / 2 + 2, f.plot.center().y());
    painter.rotate(-90);
    painter.drawText(QRectF(-f.plot.height() / 2, -line / 2, f.plot.height(), line), Qt::AlignCenter, tr("query token"));
    painter.restore();
}

void AttentionMapView::drawTitle(QPainter& painter, const Frame& f) const
{
    const double line = QFontMetricsF(painter.font()).height();
    painter.setPen(Theme::instance().color(Ink::Text));
    QFont bold = painter.font();
    bold.setWeight(QFont::DemiBold);
    painter.save();
    painter.setFont(bold);
    const QFontMetricsF wide(bold);
    const auto shown = m_pointed ? value(*m_pointed) : std::nullopt;
    const QString number = shown ? formatNumber(*shown, 4) : QString();
    painter.drawText(QRectF(f.plot.left(), 2, f.plot.width(), line), Qt::AlignLeft | Qt::AlignVCenter,
                     wide.elidedText(m_title, Qt::ElideRight, f.plot.width() - wide.horizontalAdvance(number) - 8));
    painter.setFont(Theme::numberFont(bold));
    painter.drawText(QRectF(f.plot.left(), 2, f.plot.width(), line), Qt::AlignRight | Qt::AlignVCenter, number);
    painter.restore();
}

void AttentionMapView::drawNumbers(QPainter& painter, const Frame& f) const
{
    const double line = QFontMetricsF(painter.font()).height(), cell = f.plot.width() / m_view.width();
    const int step = std::max(1, static_cast<int>(niceStep(m_view.width(), std::max(2, static_cast<int>(f.plot.width() / 44)))));
    for (int token = static_cast<int>(std::ceil(m_view.left() / step)) * step; token < m_view.right(); token += step) {
        const double x = f.plot.left() + (token + 0.5 - m_view.left()) * cell;
        painter.drawLine(QPointF(x, f.plot.bottom()), QPointF(x, f.plot.bottom() + 3));
        painter.drawText(QRectF(x - 30, f.plot.bottom() + 3, 60, line), Qt::AlignHCenter | Qt::AlignVCenter, QString::number(token));
    }
    for (int token = static_cast<int>(std::ceil(m_view.top() / step)) * step; token < m_view.bottom(); token += step) {
        const double y = f.plot.top() + (token + 0.5 - m_view.top()) * cell;
        painter.drawLine(QPointF(f.plot.left() - 3, y), QPointF(f.plot.left(), y));
        painter.drawText(QRectF(0, y - line / 2, f.plot.left() - 5, line), Qt::AlignRight | Qt::AlignVCenter, QString::number(token));
    }
}

/// Every one where cells are as high as a line; else every so many. The pointed pair's names always stand there, on a ground of their own.
void AttentionMapView::drawNames(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const double line = metrics.height(), cell = f.plot.width() / m_view.width(), room = nameRoom() - 2;
    const int step = std::max(1, static_cast<int>(std::ceil(line / cell)));
    const auto write = [&](int token, bool key, bool pointed) {
        const double middle = (token + 0.5 - (key ? m_view.left() : m_view.top())) * cell;
        if (token >= m_names.size() || middle < 0 || middle > f.plot.width())
            return;
        painter.save();
        painter.translate(key ? QPointF(f.plot.left() + middle, f.plot.bottom() + 3) : QPointF(f.plot.left() - 3, f.plot.top() + middle));
        if (key)
            painter.rotate(-90);
        const QRectF place(-room, -line / 2, room, line);
        if (pointed)
            painter.fillRect(place, theme.color(Ink::Selection));
        painter.setPen(theme.color(pointed ? Ink::Text : Ink::MutedText));
        painter.drawText(place, Qt::AlignRight | Qt::AlignVCenter, metrics.elidedText(m_names[token], Qt::ElideRight, room));
        painter.restore();
    };
    const auto along = [&](double from, double to, bool key) {
        for (int token = static_cast<int>(std::ceil(from / step)) * step; token < to; token += step)
            write(token, key, false);
    };
    along(m_view.top(), m_view.bottom(), false);
    along(m_view.left(), m_view.right(), true);
    if (m_pointed) {
        write(m_pointed->query, false, true);
        write(m_pointed->key, true, true);
    }
    painter.setPen(theme.color(Ink::MutedText));
}

void AttentionMapView::drawBar(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const double line = metrics.height();
    QLinearGradient gradient(f.bar.bottomLeft(), f.bar.topLeft());
    for (int i = 0; i <= 32; ++i)
        gradient.setColorAt(i / 32.0, m_grid.signedValues ? theme.divergingColor(i / 32.0) : Theme::sequentialColor(i / 32.0));
    painter.setPen(QPen(theme.color(Ink::Border), 1));
    painter.setBrush(gradient);
    painter.drawRect(f.bar);
    painter.setPen(theme.color(Ink::MutedText));
    // Even steps along the bar, so that a root or a logarithmic scale is labelled where its colours are.
    const int parts = std::clamp(static_cast<int>(f.bar.height() / (2.6 * line)), 1, 4) * (m_grid.signedValues ? 2 : 1);
    const int even = m_grid.signedValues ? std::min(parts, 4) : parts;
    for (int i = 0; i <= even; ++i) {
        const double t = static_cast<double>(i) / even, y = f.bar.bottom() - t * f.bar.height();
        const double shown = valueAt(t);
        const bool least = m_scale == ColorScale::Logarithmic && (m_grid.signedValues ? 2 * i == even : i == 0);
        painter.drawLine(QPointF(f.bar.right(), y), QPointF(f.bar.right() + 3, y));
        painter.drawText(QRectF(f.bar.right() + 5, y - line / 2, width() - f.bar.right() - 5, line), Qt::AlignLeft | Qt::AlignVCenter,
                         least ? QStringLiteral("0") : formatNumber(shown, std::abs(shown) < 1e-3 ? 3 : 2));
    }
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(QRectF(f.bar.left() - 4, 2, width() - f.bar.left() + 4, line), Qt::AlignLeft | Qt::AlignVCenter, m_valueTitle);
}

void AttentionMapView::drawHover(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const QStringList lines = hoverLines();
    double widest = 0;
    for (const auto& text : lines)
        widest = std::max(widest, metrics.horizontalAdvance(text));
    const QPointF at = toPixel(*m_pointed);
    QRectF box(at.x() + 12, at.y() + 12, widest + 16, metrics.height() * static_cast<double>(lines.size()) + 10);
    if (box.right() > width() - 2)
        box.moveRight(std::max(at.x() - 12, box.width() + 2));
    if (box.bottom() > f.plot.bottom())
        box.moveBottom(std::max(at.y() - 12, box.height() + 2));
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setPen(theme.color(Ink::Border));
    painter.setBrush(theme.color(Ink::Panel));
    painter.drawRoundedRect(box, 4, 4);
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(box.adjusted(8, 5, -8, -5), Qt::AlignLeft | Qt::AlignTop, lines.join(QLatin1Char('\n')));
    painter.setRenderHint(QPainter::Antialiasing, false);
}

} // namespace tamis::views
