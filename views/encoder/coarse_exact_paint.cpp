// SPDX-License-Identifier: GPL-3.0-or-later
// How CoarseExactView draws.
#include "views/common/number_format.h"
#include "views/common/plot_paint.h"
#include "views/common/theme.h"
#include "views/encoder/coarse_exact_view.h"

#include <QPainter>
#include <QPainterPath>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kLegibleRow = 13; ///< pixels from which a latent has its words

/// With as many decimals in each row, so that a column can be compared.
QString valueText(double value)
{
    return value >= 0.0995 && value < 999.5 ? QString::number(value, 'f', value < 9.9995 ? 3 : value < 99.995 ? 2 : 1) : formatNumber(value, 3);
}
} // namespace

void CoarseExactView::draw(QPainter& painter, bool interactive) const
{
    const auto& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    if (!m_ranking) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(16, 16, -16, -16), Qt::AlignCenter | Qt::TextWordWrap, m_emptyText);
    } else {
        const Frame f = frame();
        painter.setFont(Theme::smallFont(font()));
        drawHeads(painter, f);
        drawRanked(painter, f);
        drawExact(painter, f);
        drawLines(painter, f);
        if (m_ranking->coarse)
            drawCut(painter, f);
        if (interactive)
            drawHoverBox(painter, rect(), m_pointer, hoverLines());
    }
    if (interactive && m_stale)
        drawTag(painter, QRectF(rect()).adjusted(8, 8, -8, -8), {rect().center().x() + 0.0, 0}, tr("of older settings"), Ink::Stale);
    if (interactive && hasFocus())
        drawFocus(painter, rect());
}

void CoarseExactView::drawHeads(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const double y = 10;
    painter.save();
    QFont bold = painter.font();
    bold.setWeight(QFont::DemiBold);
    painter.setFont(bold);
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(QRectF(f.left.left(), y, f.left.width(), metrics.height()), Qt::AlignLeft, tr("Exact set"));
    painter.drawText(QRectF(f.right.left(), y, f.right.width(), metrics.height()), Qt::AlignLeft, m_ranking->coarse ? tr("Coarse order") : tr("What the encoder returns"));
    painter.restore();
    painter.setPen(theme.color(Ink::MutedText));
    painter.drawText(QRectF(f.left.left(), y + metrics.height(), f.left.width(), metrics.height()), Qt::AlignLeft,
                     m_ranking->exact.empty() ? tr("no positive latent") : tr("%1 positive of k = %2").arg(m_ranking->exact.size()).arg(m_ranking->k));
    painter.drawText(QRectF(f.right.left(), y + metrics.height(), f.right.width(), metrics.height()), Qt::AlignLeft,
                     m_ranking->coarse ? tr("of %1 latents, logarithmic").arg(m_ranking->latents) : tr("%1 latents").arg(m_ranking->ranked.size()));
    if (m_ranking->exact.empty())
        return;
    const double recall = static_cast<double>(found()) / static_cast<double>(m_ranking->exact.size());
    painter.setPen(theme.color(recall >= 1 ? Ink::Good : Ink::Text));
    painter.drawText(QRectF(f.middle.left(), y, f.middle.width(), metrics.height()), Qt::AlignCenter, tr("%1 of %2 found").arg(found()).arg(m_ranking->exact.size()));
    painter.drawText(QRectF(f.middle.left(), y + metrics.height(), f.middle.width(), metrics.height()), Qt::AlignCenter, tr("recall %1").arg(formatPercent(recall)));
}

void CoarseExactView::drawExact(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const bool words = f.row >= kLegibleRow && f.row >= metrics.height() - 2;
    const double name = words ? metrics.horizontalAdvance(QStringLiteral("000000")) + 8 : 0, number = words ? metrics.horizontalAdvance(QStringLiteral("0.0000")) + 8 : 0;
    double most = 0;
    for (const auto& wanted : m_ranking->exact)
        most = std::max(most, wanted.value);
    for (std::size_t i = 0; i < m_ranking->exact.size(); ++i) {
        const auto& wanted = m_ranking->exact[i];
        const QRectF row(f.left.left(), f.left.top() + static_cast<double>(i) * f.row, f.left.width(), f.row);
        const double room = row.width() - name - number;
        const double length = most > 0 ? room * wanted.value / most : 0;
        const double gap = f.row > 6 ? std::min(0.18 * f.row, 4.0) : f.row > 2 ? 0.5 : 0;
        painter.fillRect(QRectF(row.right() - length, row.top() + gap, length, row.height() - 2 * gap), theme.color(isFound(wanted) ? Ink::Energy : Ink::Loss));
        if (!words)
            continue;
        painter.setPen(theme.color(m_wanted == static_cast<int>(i) ? Ink::Accent : Ink::Text));
        painter.drawText(QRectF(row.left(), row.top(), name, row.height()), Qt::AlignLeft | Qt::AlignVCenter, QString::number(wanted.latent));
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(row.left() + name, row.top(), number - 6, row.height()), Qt::AlignRight | Qt::AlignVCenter, valueText(wanted.value));
    }
}

void CoarseExactView::drawRanked(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    double low = 0, high = 0;
    for (const auto& ranked : m_ranking->ranked) {
        low = std::min(low, ranked.score);
        high = std::max(high, ranked.score);
    }
    const double span = std::max(high - low, 1e-12), zero = f.right.left() + f.right.width() * (0 - low) / span;
    painter.setPen(QPen(theme.color(Ink::Grid), 1));
    painter.drawRect(f.right);
    for (std::size_t i = 0; i < m_ranking->ranked.size(); ++i) {
        const auto& ranked = m_ranking->ranked[i];
        const double top = placePixel(f, static_cast<double>(i)), bottom = placePixel(f, static_cast<double>(i) + 1);
        const double end = f.right.left() + f.right.width() * (ranked.score - low) / span, gap = bottom - top > 4 ? 0.5 : 0;
        const bool beyond = m_ranking->coarse && static_cast<std::int64_t>(i) >= m_cut;
        const QColor color = theme.color(!ranked.wanted ? Ink::Outline : beyond ? Ink::Loss : Ink::Energy);
        painter.fillRect(QRectF(QPointF(std::min(zero, end), top + gap), QPointF(std::max(zero, end), bottom - gap)), color);
        if (bottom - top >= metrics.height() && bottom - top >= kLegibleRow) {
            const QString text = QString::number(ranked.latent);
            const bool inside = std::abs(end - zero) > metrics.horizontalAdvance(text) + 10;
            painter.setPen(inside ? theme.textOn(color) : theme.color(Ink::Text));
            painter.drawText(QRectF(inside ? std::min(zero, end) + 5 : std::max(zero, end) + 5, top, 120, bottom - top), Qt::AlignLeft | Qt::AlignVCenter, text);
        }
    }
    // Places, as people count them.
    painter.setPen(theme.color(Ink::MutedText));
    const double line = metrics.height();
    double last = -1e9;
    for (const double place : logTicks(1, static_cast<double>(places()), 24)) {
        const double y = placePixel(f, place - 0.5);
        if (y - last < 1.25 * line)
            continue;
        last = y;
        painter.drawLine(QPointF(f.right.right(), y), QPointF(f.right.right() + 3, y));
        painter.drawText(QRectF(f.right.right() + 6, y - line / 2, width() - f.right.right() - 6, line), Qt::AlignLeft | Qt::AlignVCenter, QString::number(place, 'f', 0));
    }
    if (!m_ranking->coarse && std::ranges::any_of(m_ranking->exact, [](const auto& wanted) { return wanted.place < 0; })) {
        painter.setPen(theme.color(Ink::Loss));
        painter.drawText(QRectF(f.right.left(), f.right.bottom() + 4, f.right.width(), line), Qt::AlignLeft | Qt::AlignVCenter, tr("not found"));
    }
}

void CoarseExactView::drawLines(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    painter.save();
    painter.setBrush(Qt::NoBrush);
    const auto one = [&](int index) {
        const auto& wanted = m_ranking->exact[static_cast<std::size_t>(index)];
        const bool found = isFound(wanted), chosen = m_wanted == index || (m_ranked && wanted.place == *m_ranked);
        const QPointF from = exactPoint(index), to = landedPoint(index);
        const double bend = 0.4 * f.middle.width();
        QPainterPath path(from);
        path.cubicTo(from + QPointF(bend, 0), to - QPointF(bend, 0), to);
        QColor color = theme.color(found ? Ink::Energy : Ink::Loss);
        if ((m_wanted || m_ranked) && !chosen)
            color.setAlphaF(0.3F);
        painter.setPen(QPen(color, chosen ? 2.6 : 1.4));
        painter.drawPath(path);
        painter.setPen(Qt::NoPen);
        painter.setBrush(color);
        painter.drawEllipse(to, 3, 3);
        painter.setBrush(Qt::NoBrush);
    };
    for (int i = 0; i < static_cast<int>(m_ranking->exact.size()); ++i)
        one(i);
    painter.restore();
}

void CoarseExactView::drawCut(QPainter& painter, const Frame& f) const
{
    const auto& theme = Theme::instance();
    const double y = placePixel(f, static_cast<double>(m_cut));
    QColor shade = theme.color(Ink::Window);
    shade.setAlphaF(0.45F);
    painter.fillRect(QRectF(QPointF(f.right.left(), y), f.right.bottomRight()), shade);
    painter.setPen(QPen(theme.color(Ink::Accent), 2));
    painter.drawLine(QPointF(f.middle.center().x(), y), QPointF(f.right.right(), y));
    const QString text = tr("K coarse = %1").arg(m_cut);
    const QFontMetricsF metrics(painter.font());
    const double half = metrics.horizontalAdvance(text) / 2 + 6;
    drawTag(painter, QRectF(f.middle.left(), 0, f.right.right() - f.middle.left(), height()), {f.right.right() - half, y}, text, Ink::Accent);
}

} // namespace tamis::views
