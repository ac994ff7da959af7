// SPDX-License-Identifier: GPL-3.0-or-later
// How TokenOverlayView draws.
#include "views/common/number_format.h"
#include "views/common/plot_paint.h"
#include "views/common/theme.h"
#include "views/tokens/token_overlay_view.h"

#include <QPainter>

#include <algorithm>

namespace tamis::views {
namespace {
using report::TokenWish;

/// A tick or a cross in a disc; the shape tells without the colour.
void drawWish(QPainter& painter, const QPointF& middle, double radius, TokenWish wish)
{
    const auto& theme = Theme::instance();
    const bool keep = wish == TokenWish::Keep;
    painter.setPen(QPen(theme.color(Ink::Panel), 1.5));
    painter.setBrush(theme.color(keep ? Ink::Good : Ink::Error));
    painter.drawEllipse(middle, radius, radius);
    painter.setPen(QPen(theme.color(Ink::AccentText), std::max(1.0, radius / 4), Qt::SolidLine, Qt::RoundCap, Qt::RoundJoin));
    painter.setBrush(Qt::NoBrush);
    const auto at = [&](double x, double y) { return middle + QPointF(x, y) * (radius / 9); };
    if (keep) {
        painter.drawPolyline(QPolygonF{at(-4, 0.5), at(-1, 3.5), at(4, -3)});
    } else {
        painter.drawLine(at(-3, -3), at(3, 3));
        painter.drawLine(at(-3, 3), at(3, -3));
    }
}
} // namespace

void TokenOverlayView::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    draw(painter, true);
}

void TokenOverlayView::paintFigure(QPainter& painter) const { draw(painter, false); }

void TokenOverlayView::draw(QPainter& painter, bool interactive) const
{
    const auto& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    painter.setFont(Theme::smallFont(font()));
    if (isEmpty()) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(16, 16, -16, -16), Qt::AlignCenter | Qt::TextWordWrap, m_emptyText);
    } else {
        const QRectF plot = plotArea(), whole = place();
        painter.save();
        painter.setClipRect(plot);
        m_picture.paint(painter, whole, m_depth, m_shade);
        drawWishes(painter, whole);
        if (interactive)
            drawMarks(painter, whole);
        painter.restore();
        painter.setPen(QPen(theme.color(Ink::Border), 1));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(plot);
        if (hasBar())
            drawBar(painter);
        drawTitles(painter, interactive);
        if (interactive && (m_own ? m_pointed >= 0 : m_pointed < 0 && hasFocus() && m_focused >= 0))
            drawHoverBox(painter, rect(), patchRect(shownPatch()).center() + QPointF(4, 4), hoverLines());
    }
    if (interactive && hasFocus())
        drawFocus(painter, rect());
}

void TokenOverlayView::drawTitles(QPainter& painter, bool interactive) const
{
    const auto& theme = Theme::instance();
    const double line = QFontMetricsF(painter.font()).height();
    const QFont plain = painter.font();
    QFont strong = plain;
    strong.setWeight(QFont::DemiBold);
    const QRectF top(8, 4, width() - 16.0, line + 2);
    const QString count = !m_picture.wasRun(m_depth) ? tr("not run") : m_depth == 0 ? tr("%1 tokens").arg(m_picture.tokens(0)) : tr("%1 of %2 tokens").arg(m_picture.tokens(m_depth)).arg(m_picture.tokens(0));
    painter.setPen(theme.color(Ink::MutedText));
    painter.drawText(top, Qt::AlignRight | Qt::AlignVCenter, count);
    const double room = top.width() - QFontMetricsF(plain).horizontalAdvance(count) - 10;
    painter.setFont(strong);
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(top, Qt::AlignLeft | Qt::AlignVCenter, QFontMetricsF(strong).elidedText(m_title, Qt::ElideRight, room));
    painter.setFont(plain);
    const QRectF foot(8, height() - line - 5, width() - 16.0, line + 2);
    const QString status = interactive ? statusLine() : QString();
    const QString below = !status.isEmpty() ? status : hasBar() ? barTitle() : whereText();
    painter.setPen(theme.color(status.isEmpty() ? Ink::MutedText : Ink::Text));
    painter.drawText(foot, Qt::AlignLeft | Qt::AlignVCenter, QFontMetricsF(plain).elidedText(below, Qt::ElideRight, foot.width()));
    if (m_stale && interactive)
        drawTag(painter, plotArea(), plotArea().topRight() + QPointF(-50, 14), tr("of older settings"), Ink::Stale);
}

void TokenOverlayView::drawWishes(QPainter& painter, const QRectF& whole) const
{
    for (int patch = 0; patch < m_picture.patches(); ++patch)
        if (const TokenWish asked = wish(patch); asked != TokenWish::None) {
            const QRectF cell = m_picture.patchRect(whole, patch);
            const double radius = std::clamp(0.24 * std::min(cell.width(), cell.height()), 2.5, 10.0);
            drawWish(painter, cell.topLeft() + QPointF(radius + 2, radius + 2), radius, asked);
        }
}

/// The group under the pointer, and the patch that the keys are on.
void TokenOverlayView::drawMarks(QPainter& painter, const QRectF& whole) const
{
    const auto& theme = Theme::instance();
    painter.setBrush(Qt::NoBrush);
    if (const int patch = shownPatch(); patch >= 0) {
        const auto& members = m_picture.members(m_depth, m_picture.groupOf(m_depth, patch));
        m_picture.paintOutline(painter, whole, members.empty() ? std::vector<int>{patch} : members, theme.color(Ink::Accent), 2.4);
        if (members.size() > 1)
            m_picture.paintOutline(painter, whole, {patch}, theme.color(Ink::Accent), 1);
    }
    if (m_focused >= 0 && hasFocus()) {
        const QRectF cell = m_picture.patchRect(whole, m_focused).adjusted(2, 2, -2, -2);
        painter.setPen(QPen(theme.color(Ink::Panel), 3));
        painter.drawRect(cell);
        painter.setPen(QPen(theme.color(Ink::Accent), 1.5, Qt::DashLine));
        painter.drawRect(cell);
    }
}

void TokenOverlayView::drawBar(QPainter& painter) const
{
    const auto& theme = Theme::instance();
    const QRectF bar = colorBar();
    const double line = QFontMetricsF(painter.font()).height();
    const bool unmerged = m_shade == TokenShade::Unmerged;
    if (unmerged ? !m_picture.hasUnmerged() : m_picture.scoreBlock(m_depth) < 0) // nothing was scored yet
        return;
    QLinearGradient gradient(bar.bottomLeft(), bar.topLeft());
    for (int i = 0; i <= 32; ++i)
        gradient.setColorAt(i / 32.0, Theme::sequentialColor(i / 32.0));
    painter.setPen(QPen(theme.color(Ink::Border), 1));
    painter.setBrush(gradient);
    painter.drawRect(bar);
    const auto [low, high] = unmerged ? std::pair(0.0, m_picture.mostUnmerged()) : m_picture.scoreRange(m_depth);
    const auto label = [&](double value, double y) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawLine(QPointF(bar.right(), y), QPointF(bar.right() + 3, y));
        painter.drawText(QRectF(bar.right() + 5, y - line / 2, width() - bar.right() - 5, line), Qt::AlignLeft | Qt::AlignVCenter, formatNumber(value, 3));
    };
    if (!(high > low))
        return label(low, bar.center().y());
    for (const double value : linearTicks(low, high, std::clamp(static_cast<int>(bar.height() / (3 * line)), 1, 6)))
        label(value, bar.bottom() - (value - low) / (high - low) * bar.height());
}

} // namespace tamis::views
