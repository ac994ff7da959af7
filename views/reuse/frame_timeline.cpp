// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/reuse/frame_timeline.h"

#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/reuse/reuse_words.h"

#include <QKeyEvent>
#include <QMouseEvent>

#include <algorithm>
#include <cmath>
#include <utility>

namespace tamis::views {
namespace {
constexpr int kLeap = 10; ///< frames of Page Up and Page Down
QString exact(double value) { return std::isfinite(value) ? QString::number(value, 'g', 12) : QString(); }
} // namespace

double stripValue(int strip, const report::FrameResult& frame)
{
    return strip == FrameTimeline::MacsStrip ? macsShareOf(frame) : strip == FrameTimeline::ErrorStrip ? frame.featureError : frame.kl;
}

QString stripTitle(int strip)
{
    return strip == FrameTimeline::MacsStrip ? QObject::tr("MACs") : strip == FrameTimeline::ErrorStrip ? QObject::tr("error") : QObject::tr("KL");
}

FrameTimeline::FrameTimeline(QWidget* parent) : QWidget(parent)
{
    setObjectName(QStringLiteral("frameTimeline"));
    setAccessibleName(tr("MACs, feature error and KL over the frames"));
    setToolTip(tr("MACs of running each frame whole, relative error of the pooled features, and KL of the outputs. Click or drag to go to a frame."));
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
    describe();
}

const report::ReuseRun* FrameTimeline::run(int index) const { return m_runs ? m_runs->run(index) : nullptr; }

void FrameTimeline::setRuns(std::shared_ptr<const ShownRuns> runs, int shown, int beside)
{
    m_runs = std::move(runs);
    m_shown = shown;
    m_beside = beside == shown ? -1 : beside;
    m_frame = std::clamp(m_frame, 0, std::max(frameCount() - 1, 0));
    rescale();
    describe();
    update();
}

/// The scale of both runs, so that they can be compared; the MACs' holds the whole model.
void FrameTimeline::rescale()
{
    for (int strip = 0; strip < kStrips; ++strip) {
        double high = strip == MacsStrip ? 1.0 : 0.0;
        m_known[strip] = false;
        for (const int index : {m_shown, m_beside})
            if (const auto* of = run(index))
                for (const auto& frame : of->frames)
                    if (const double value = stripValue(strip, frame); std::isfinite(value)) {
                        high = std::max(high, value);
                        m_known[strip] = true;
                    }
        m_high[strip] = high > 0 ? high * 1.05 : 1;
    }
}

void FrameTimeline::setSceneCuts(const std::vector<int>& frames)
{
    m_cuts = frames;
    update();
}

void FrameTimeline::setFrame(int frame)
{
    m_frame = std::clamp(frame, 0, std::max(frameCount() - 1, 0));
    describe();
    update();
}

void FrameTimeline::setStale(bool stale)
{
    m_stale = stale;
    update();
}

void FrameTimeline::describe()
{
    const auto* of = run(m_shown);
    if (!of) {
        setAccessibleDescription(tr("Nothing is measured yet"));
        return;
    }
    QString text = tr("frame %1 of %2").arg(m_frame + 1).arg(frameCount());
    if (m_frame < static_cast<int>(of->frames.size())) {
        const auto& frame = of->frames[static_cast<std::size_t>(m_frame)];
        text += tr(", MACs %1, error %2, KL %3").arg(formatPercent(macsShareOf(frame)), formatNumber(frame.featureError, 3), formatNumber(frame.kl, 3));
        if (isFlipped(frame))
            text += tr(", another label");
    }
    setAccessibleDescription(text);
}

std::vector<int> FrameTimeline::flips() const
{
    std::vector<int> found;
    if (const auto* of = run(m_shown))
        for (std::size_t i = 0; i < of->frames.size(); ++i)
            if (isFlipped(of->frames[i]))
                found.push_back(static_cast<int>(i));
    return found;
}

std::vector<int> FrameTimeline::keyFrames() const
{
    std::vector<int> found;
    if (const auto* of = run(m_shown))
        for (std::size_t i = 0; i < of->frames.size(); ++i)
            if (of->frames[i].keyFrame)
                found.push_back(static_cast<int>(i));
    return found;
}

double FrameTimeline::legendWidth() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    return std::min(metrics.horizontalAdvance(tr("key frame, computed whole")) + 26, width() * 0.3);
}

QRectF FrameTimeline::marksArea() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    const double left = metrics.height() + metrics.horizontalAdvance(QStringLiteral("0.0000")) + 14;
    return {left, 4, std::max(width() - left - legendWidth() - 12, 10.0), metrics.height()};
}

QRectF FrameTimeline::stripArea(int strip) const
{
    const QRectF marks = marksArea();
    const double line = QFontMetricsF(Theme::smallFont(font())).height(), gap = 6;
    const double strips = static_cast<double>(kStrips);
    const double top = marks.bottom() + 4, room = std::max(height() - top - line - 6 - gap * (strips - 1), 12.0);
    return {marks.left(), top + strip * (room / strips + gap), marks.width(), room / strips};
}

double FrameTimeline::xOf(double frame) const
{
    const QRectF area = marksArea();
    return area.left() + (frame + 0.5) / std::max(frameCount(), 1) * area.width();
}

QPointF FrameTimeline::pointOf(int strip, int frame) const
{
    const auto* of = run(m_shown);
    if (!of || frame < 0 || frame >= static_cast<int>(of->frames.size()))
        return {-1, -1};
    const double value = stripValue(strip, of->frames[static_cast<std::size_t>(frame)]);
    const QRectF area = stripArea(strip);
    return std::isfinite(value) ? QPointF(xOf(frame), area.bottom() - value / m_high[strip] * area.height()) : QPointF(-1, -1);
}

int FrameTimeline::frameAt(double x) const
{
    const QRectF area = marksArea();
    return std::clamp(static_cast<int>(std::floor((x - area.left()) / area.width() * frameCount())), 0, std::max(frameCount() - 1, 0));
}

QStringList FrameTimeline::hoverLines() const
{
    if (m_pointed < 0 || m_pointed >= frameCount())
        return {};
    QStringList lines{tr("Frame %1").arg(m_pointed + 1)};
    if (std::ranges::find(m_cuts, m_pointed) != m_cuts.end())
        lines << tr("a new scene begins");
    for (const int index : {m_shown, m_beside}) {
        const auto* of = run(index);
        if (!of)
            continue;
        lines << runTitle(*of);
        if (m_pointed >= static_cast<int>(of->frames.size())) {
            lines << tr("   not computed yet");
            continue;
        }
        const auto& frame = of->frames[static_cast<std::size_t>(m_pointed)];
        lines << tr("   MACs %1, error %2, KL %3").arg(formatPercent(macsShareOf(frame)), formatNumber(frame.featureError, 3), formatNumber(frame.kl, 3));
        if (frame.keyFrame)
            lines << tr("   key frame");
        if (isFlipped(frame))
            lines << tr("   %1 instead of %2").arg(labelName(*m_runs->of, frame.label), labelName(*m_runs->of, frame.wholeLabel));
    }
    return lines;
}

void FrameTimeline::choose(int frame, bool finished)
{
    frame = std::clamp(frame, 0, std::max(frameCount() - 1, 0));
    if (frame == m_frame && !finished)
        return;
    setFrame(frame);
    emit frameChosen(frame, finished);
}

void FrameTimeline::mousePressEvent(QMouseEvent* event)
{
    const QRectF room(stripArea(0).left() - 6, 0, stripArea(0).width() + 12, height());
    if (event->button() != Qt::LeftButton || frameCount() == 0 || !room.contains(event->position()))
        return;
    m_dragging = true;
    choose(frameAt(event->position().x()), false);
}

void FrameTimeline::mouseMoveEvent(QMouseEvent* event)
{
    const QRectF area = marksArea();
    const double x = event->position().x();
    m_pointed = frameCount() > 0 && x >= area.left() && x <= area.right() ? frameAt(x) : -1;
    setCursor(m_pointed >= 0 ? Qt::SizeHorCursor : Qt::ArrowCursor);
    if (m_dragging)
        choose(frameAt(x), false);
    update();
}

void FrameTimeline::mouseReleaseEvent(QMouseEvent* event)
{
    if (event->button() != Qt::LeftButton || !std::exchange(m_dragging, false))
        return;
    choose(frameAt(event->position().x()), true);
}

void FrameTimeline::keyPressEvent(QKeyEvent* event)
{
    int to = m_frame;
    switch (event->key()) {
    case Qt::Key_Left: --to; break;
    case Qt::Key_Right: ++to; break;
    case Qt::Key_PageUp: to -= kLeap; break;
    case Qt::Key_PageDown: to += kLeap; break;
    case Qt::Key_Home: to = 0; break;
    case Qt::Key_End: to = frameCount() - 1; break;
    default: QWidget::keyPressEvent(event); return;
    }
    if (frameCount() > 0)
        choose(to, true);
}

void FrameTimeline::leaveEvent(QEvent*)
{
    m_pointed = -1;
    update();
}

void FrameTimeline::focusInEvent(QFocusEvent* event)
{
    QWidget::focusInEvent(event);
    update();
}

void FrameTimeline::focusOutEvent(QFocusEvent* event)
{
    QWidget::focusOutEvent(event);
    update();
}

QString FrameTimeline::figureCsv() const
{
    QString table = QStringLiteral("run,frame,file,key_frame,macs,whole_macs,milliseconds,whole_milliseconds,feature_error,kl,label,whole_label,computed,reused,warped,fetched,dropped,coarse\n");
    for (const int index : {m_shown, m_beside}) {
        const auto* of = run(index);
        for (std::size_t i = 0; of && i < of->frames.size(); ++i) {
            const auto& frame = of->frames[i];
            QStringList cells{csvField(runTitle(*of)), QString::number(i), csvField(words(frame.file)), QString::number(frame.keyFrame), exact(frame.macs), exact(frame.wholeMacs),
                              exact(frame.milliseconds), exact(frame.wholeMilliseconds), exact(frame.featureError), exact(frame.kl), QString::number(frame.label), QString::number(frame.wholeLabel)};
            for (const int count : patchCounts(frame))
                cells << QString::number(count);
            table += cells.join(QLatin1Char(',')) + QLatin1Char('\n');
        }
    }
    return table;
}

} // namespace tamis::views
