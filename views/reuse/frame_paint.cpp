// SPDX-License-Identifier: GPL-3.0-or-later
// How FrameView draws.
#include "views/common/plot_paint.h"
#include "views/common/theme.h"
#include "views/reuse/frame_view.h"
#include "views/reuse/reuse_words.h"

#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kSwatch = 12, kHead = 6; ///< pixels of a legend's square and of an arrow's head
using report::PatchSource;

/// Dropped frames are hatched, so that they are told from reused ones without the colour.
void fillPatch(QPainter& painter, const QRectF& place, PatchSource source, double opacity)
{
    QColor color = patchSourceColor(source);
    color.setAlphaF(static_cast<float>(opacity));
    painter.fillRect(place, source == PatchSource::Dropped ? QBrush(color, Qt::BDiagPattern) : QBrush(color));
}
} // namespace

void FrameView::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    draw(painter, true);
}

void FrameView::paintFigure(QPainter& painter) const { draw(painter, false); }

void FrameView::draw(QPainter& painter, bool interactive) const
{
    const auto& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.setRenderHint(QPainter::SmoothPixmapTransform);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    painter.setFont(Theme::smallFont(font()));
    if (m_photo.isNull() && !m_frame) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(16, 16, -16, -16), Qt::AlignCenter | Qt::TextWordWrap, m_emptyText);
        return;
    }
    const QRectF plot = plotArea();
    if (!m_photo.isNull())
        painter.drawImage(plot, m_photo);
    if (m_frame) {
        drawPatches(painter);
        drawArrows(painter);
        drawLegend(painter);
    }
    painter.setPen(QPen(theme.color(Ink::Border), 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(plot);
    const double line = QFontMetricsF(painter.font()).height();
    QFont strong = painter.font();
    const QFont plain = strong;
    strong.setWeight(QFont::DemiBold);
    painter.setFont(strong);
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(QRectF(8, 3, width() - 16.0, line + 2), Qt::AlignLeft | Qt::AlignVCenter, QFontMetricsF(strong).elidedText(m_title, Qt::ElideRight, width() - 16.0));
    painter.setFont(plain);
    if (!interactive)
        return;
    const int patch = shownPatch();
    if (m_frame && patch >= 0) {
        painter.setBrush(Qt::NoBrush);
        painter.setPen(QPen(theme.color(Ink::Panel), 4));
        painter.drawRect(patchRect(patch));
        painter.setPen(QPen(theme.color(Ink::Accent), 2));
        painter.drawRect(patchRect(patch));
    }
    if (m_stale)
        drawTag(painter, plot, plot.topRight() + QPointF(-30, 12), tr("refining"), Ink::Stale);
    if (patch >= 0)
        drawHoverBox(painter, rect(), patchRect(patch).center() + QPointF(4, 4), hoverLines());
    if (hasFocus())
        drawFocus(painter, rect());
}

void FrameView::drawPatches(QPainter& painter) const
{
    painter.save();
    painter.setRenderHint(QPainter::Antialiasing, false); // no seams between neighbours
    for (int patch = 0; patch < patches(); ++patch)
        fillPatch(painter, patchRect(patch), m_frame->patches[static_cast<std::size_t>(patch)], m_opacity);
    painter.restore();
    // Borders between patches of different sources, so that regions are told at any opacity.
    const auto& theme = Theme::instance();
    for (const auto& [ink, width] : {std::pair(Ink::Panel, 2.6), std::pair(Ink::Text, 1.0)}) {
        painter.setPen(QPen(theme.color(ink), width));
        for (int patch = 0; patch < patches(); ++patch) {
            const auto source = m_frame->patches[static_cast<std::size_t>(patch)];
            const QRectF place = patchRect(patch);
            if ((patch + 1) % m_columns != 0 && m_frame->patches[static_cast<std::size_t>(patch) + 1] != source)
                painter.drawLine(place.topRight(), place.bottomRight());
            if (patch + m_columns < patches() && m_frame->patches[static_cast<std::size_t>(patch + m_columns)] != source)
                painter.drawLine(place.bottomLeft(), place.bottomRight());
        }
    }
}

void FrameView::drawArrows(QPainter& painter) const
{
    const auto& theme = Theme::instance();
    const QColor color = patchSourceColor(PatchSource::Warped);
    for (const Arrow& arrow : arrowsShown()) {
        const QLineF line(patchRect(arrow.from).center(), patchRect(arrow.to).center());
        const double angle = std::atan2(line.dy(), line.dx());
        const auto wing = [&](double turn) { return line.p2() - QPointF(std::cos(angle + turn), std::sin(angle + turn)) * kHead; };
        for (const auto& pen : {QPen(theme.color(Ink::Panel), 4, Qt::SolidLine, Qt::RoundCap), QPen(color, 2, Qt::SolidLine, Qt::RoundCap)}) {
            painter.setPen(pen);
            painter.drawLine(line);
            painter.drawPolyline(QPolygonF{wing(0.5), line.p2(), wing(-0.5)});
        }
        painter.setPen(QPen(theme.color(Ink::Panel), 1));
        painter.setBrush(color);
        painter.drawEllipse(line.p1(), 2.5, 2.5);
    }
}

void FrameView::drawLegend(QPainter& painter) const
{
    const auto& theme = Theme::instance();
    for (const auto& entry : legend(plotArea().bottom() + 6)) {
        const QRectF swatch(entry.place.left(), entry.place.center().y() - kSwatch / 2, kSwatch, kSwatch);
        fillPatch(painter, swatch, entry.source, 1);
        painter.setPen(QPen(theme.color(Ink::Outline), 1));
        painter.setBrush(Qt::NoBrush);
        painter.drawRect(swatch);
        painter.setPen(theme.color(Ink::Text));
        painter.drawText(entry.place.adjusted(kSwatch + 5, 0, 0, 0), Qt::AlignLeft | Qt::AlignVCenter, entry.text);
    }
}

} // namespace tamis::views
