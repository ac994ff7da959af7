// SPDX-License-Identifier: GPL-3.0-or-later
// How FrameTimeline draws.
#include "views/common/number_format.h"
#include "views/common/plot_paint.h"
#include "views/common/theme.h"
#include "views/reuse/frame_timeline.h"
#include "views/reuse/reuse_words.h"

#include <QPainter>
#include <QPainterPath>

#include <algorithm>
#include <cmath>
#include <functional>

namespace tamis::views {
namespace {
constexpr double kMark = 4; ///< half the width of a mark
constexpr int kDots = 120;  ///< frames up to which each has a dot

void drawKey(QPainter& painter, const QPointF& middle)
{
    painter.setPen(Qt::NoPen);
    painter.setBrush(Theme::instance().color(Ink::Accent));
    painter.drawPolygon(QPolygonF{middle + QPointF(-kMark, -kMark), middle + QPointF(kMark, -kMark), middle + QPointF(0, kMark)});
}

void drawFlip(QPainter& painter, const QPointF& middle)
{
    const auto& theme = Theme::instance();
    for (const auto& pen : {QPen(theme.color(Ink::Panel), 4), QPen(theme.color(Ink::Error), 2)}) {
        painter.setPen(pen);
        painter.drawLine(middle + QPointF(-kMark, -kMark), middle + QPointF(kMark, kMark));
        painter.drawLine(middle + QPointF(-kMark, kMark), middle + QPointF(kMark, -kMark));
    }
}

QPen cutPen() { return {Theme::instance().color(Ink::HeldOut), 1.4, Qt::DashDotLine}; }
QPen shownPen() { return {Theme::instance().seriesColor(0), 2}; }
QPen besidePen() { return {Theme::instance().seriesColor(1), 1.6, Qt::DashLine}; }
} // namespace

void FrameTimeline::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    draw(painter, true);
}

void FrameTimeline::paintFigure(QPainter& painter) const { draw(painter, false); }

void FrameTimeline::draw(QPainter& painter, bool interactive) const
{
    const auto& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    painter.setFont(Theme::smallFont(font()));
    if (!run(m_shown) || frameCount() == 0) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(16, 8, -16, -8), Qt::AlignCenter | Qt::TextWordWrap, tr("What is saved and lost from frame to frame is shown here."));
        return;
    }
    for (int strip = 0; strip < kStrips; ++strip)
        drawStrip(painter, strip);
    drawMarks(painter);
    drawFrames(painter);
    drawLegend(painter);
    const QRectF whole = stripArea(0).united(stripArea(kStrips - 1));
    painter.setPen(QPen(theme.color(Ink::Accent), 2));
    painter.drawLine(QPointF(xOf(m_frame), marksArea().bottom()), QPointF(xOf(m_frame), whole.bottom()));
    if (!interactive)
        return;
    if (m_stale)
        drawTag(painter, whole, whole.topRight() + QPointF(-30, 12), tr("refining"), Ink::Stale);
    if (m_pointed >= 0) {
        painter.setPen(QPen(theme.color(Ink::MutedText), 1, Qt::DotLine));
        painter.drawLine(QPointF(xOf(m_pointed), whole.top()), QPointF(xOf(m_pointed), whole.bottom()));
        drawHoverBox(painter, rect(), QPointF(xOf(m_pointed), whole.top()), hoverLines());
    }
    if (hasFocus())
        drawFocus(painter, rect());
}

void FrameTimeline::drawStrip(QPainter& painter, int strip) const
{
    const auto& theme = Theme::instance();
    const QRectF area = stripArea(strip);
    const QFontMetricsF metrics(painter.font());
    painter.setPen(QPen(theme.color(Ink::Border), 1));
    painter.setBrush(Qt::NoBrush);
    painter.drawRect(area);
    drawAxisTitle(painter, area, stripTitle(strip));
    if (!m_known[strip]) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(area, Qt::AlignCenter, tr("not measured"));
        return;
    }
    for (const double value : linearTicks(0, m_high[strip], std::clamp(static_cast<int>(area.height() / (1.8 * metrics.height())), 2, 4))) {
        const double y = area.bottom() - value / m_high[strip] * area.height();
        painter.setPen(QPen(theme.color(Ink::Grid), 1));
        painter.drawLine(QPointF(area.left(), y), QPointF(area.right(), y));
        painter.setPen(theme.color(Ink::MutedText));
        const QString label = strip == MacsStrip ? formatPercent(value, 0) : formatNumber(value, 2);
        painter.drawText(QRectF(0, y - metrics.height() / 2, area.left() - 5, metrics.height()), Qt::AlignRight | Qt::AlignVCenter, label);
    }
    painter.save();
    painter.setClipRect(area.adjusted(-1, -2, 1, 2));
    if (const auto* beside = run(m_beside))
        drawLine(painter, strip, *beside, besidePen());
    if (const auto* shown = run(m_shown))
        drawLine(painter, strip, *shown, shownPen());
    painter.restore();
}

/// What was not measured is a gap.
void FrameTimeline::drawLine(QPainter& painter, int strip, const report::ReuseRun& of, const QPen& pen) const
{
    const QRectF area = stripArea(strip);
    QPainterPath path;
    std::vector<QPointF> places;
    bool broken = true;
    for (std::size_t i = 0; i < of.frames.size(); ++i) {
        const double value = stripValue(strip, of.frames[i]);
        if (!std::isfinite(value)) {
            broken = true;
            continue;
        }
        const QPointF at(xOf(static_cast<double>(i)), area.bottom() - value / m_high[strip] * area.height());
        broken ? path.moveTo(at) : path.lineTo(at);
        broken = false;
        places.push_back(at);
    }
    painter.setPen(pen);
    painter.setBrush(Qt::NoBrush);
    painter.drawPath(path);
    if (frameCount() > kDots || pen.style() != Qt::SolidLine)
        return;
    painter.setPen(Qt::NoPen);
    painter.setBrush(pen.color());
    for (const QPointF& at : places)
        painter.drawEllipse(at, 2, 2);
}

void FrameTimeline::drawMarks(QPainter& painter) const
{
    const QRectF marks = marksArea(), whole = stripArea(0).united(stripArea(kStrips - 1));
    for (const int cut : m_cuts) {
        const double x = xOf(cut - 0.5);
        painter.setPen(cutPen());
        painter.drawLine(QPointF(x, marks.top()), QPointF(x, whole.bottom()));
    }
    for (const int key : keyFrames())
        drawKey(painter, {xOf(key), marks.bottom() - kMark});
    for (const int flip : flips())
        drawFlip(painter, {xOf(flip), stripArea(KlStrip).top() + kMark + 4});
}

void FrameTimeline::drawFrames(QPainter& painter) const
{
    const QRectF last = stripArea(kStrips - 1);
    const QFontMetricsF metrics(painter.font());
    painter.setPen(Theme::instance().color(Ink::MutedText));
    const double most = std::max(2.0, last.width() / (4 * metrics.horizontalAdvance(QString::number(frameCount()))));
    for (const double tick : linearTicks(1, frameCount(), static_cast<int>(most)))
        if (tick == std::floor(tick))
            painter.drawText(QRectF(xOf(tick - 1) - 40, last.bottom() + 2, 80, metrics.height()), Qt::AlignHCenter | Qt::AlignTop, QString::number(static_cast<int>(tick)));
    painter.drawText(QRectF(last.right() + 8, last.bottom() + 2, legendWidth(), metrics.height()), Qt::AlignLeft | Qt::AlignTop, tr("frame"));
}

void FrameTimeline::drawLegend(QPainter& painter) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const double line = metrics.height() + 4, left = marksArea().right() + 10, room = width() - left - 28;
    double y = marksArea().top() + metrics.height() / 2;
    const auto entry = [&](const QString& text, const std::function<void(const QPointF&)>& mark) {
        if (y + line > height())
            return;
        mark({left + 8, y});
        painter.setPen(theme.color(Ink::Text));
        painter.drawText(QRectF(left + 22, y - metrics.height() / 2, room, metrics.height()), Qt::AlignLeft | Qt::AlignVCenter, metrics.elidedText(text, Qt::ElideRight, room));
        y += line;
    };
    const auto stroke = [&](const QPen& pen) {
        return [&painter, pen](const QPointF& at) {
            painter.setPen(pen);
            painter.drawLine(at - QPointF(8, 0), at + QPointF(8, 0));
        };
    };
    if (!keyFrames().empty())
        entry(tr("key frame, computed whole"), [&](const QPointF& at) { drawKey(painter, at); });
    if (!m_cuts.empty())
        entry(tr("scene cut"), [&](const QPointF& at) {
            painter.setPen(cutPen());
            painter.drawLine(at - QPointF(0, 7), at + QPointF(0, 7));
        });
    entry(tr("another label: %1").arg(flips().size()), [&](const QPointF& at) { drawFlip(painter, at); });
    if (const auto* shown = run(m_shown))
        entry(runTitle(*shown), stroke(shownPen()));
    if (const auto* beside = run(m_beside))
        entry(runTitle(*beside), stroke(besidePen()));
}

} // namespace tamis::views
