// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/reuse/frame_view.h"

#include "views/common/number_format.h"
#include "views/common/theme.h"
#include "views/reuse/reuse_words.h"

#include <QKeyEvent>
#include <QMouseEvent>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
constexpr double kSide = 8;     ///< pixels beside the picture
constexpr double kSwatch = 12;  ///< of the legend
using report::PatchSource;
} // namespace

FrameView::FrameView(QWidget* parent) : QWidget(parent), m_emptyText(tr("A frame with its patches is shown here."))
{
    setObjectName(QStringLiteral("frameView"));
    setAccessibleName(tr("Frame with its patches, coloured by where their features come from"));
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
    describe();
}

void FrameView::setFrame(const std::optional<report::FrameResult>& frame, int rows, int columns)
{
    const bool fills = frame && rows > 0 && columns > 0 && frame->patches.size() == static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
    m_frame = fills ? frame : std::nullopt;
    m_rows = std::max(rows, 0);
    m_columns = std::max(columns, 0);
    if (m_pointed >= patches())
        m_pointed = -1;
    if (m_focused >= patches())
        m_focused = -1;
    describe();
    update();
}

void FrameView::setPhoto(const QImage& photo)
{
    m_photo = photo;
    update();
}

void FrameView::setTitle(const QString& title)
{
    m_title = title;
    describe();
    update();
}

void FrameView::setLegend(const std::vector<PatchSource>& sources)
{
    m_legend = sources;
    update();
}

void FrameView::setThreshold(std::optional<double> threshold)
{
    m_threshold = threshold;
    update();
}

void FrameView::setOpacity(double share)
{
    m_opacity = std::clamp(share, 0.0, 1.0);
    update();
}

void FrameView::setArrows(bool shown)
{
    m_arrows = shown;
    update();
}

void FrameView::setStale(bool stale)
{
    m_stale = stale;
    update();
}

void FrameView::setEmptyText(const QString& text)
{
    m_emptyText = text;
    describe();
    update();
}

/// For readers who do not see the picture.
void FrameView::describe()
{
    if (!m_frame) {
        setAccessibleDescription(m_title.isEmpty() ? m_emptyText : m_title);
        return;
    }
    QString text = m_title + QStringLiteral(": ") + legendLines().join(QStringLiteral(", "));
    if (hasFocus() && m_focused >= 0)
        text = hoverLines().join(QStringLiteral(", ")) + QStringLiteral(". ") + text;
    setAccessibleDescription(text);
}

QStringList FrameView::legendLines() const
{
    if (!m_frame)
        return {};
    const auto counts = patchCounts(*m_frame);
    QStringList lines;
    for (int i = 0; i < kPatchSources; ++i) {
        const auto source = static_cast<PatchSource>(i);
        const int count = counts[static_cast<std::size_t>(i)];
        if (count > 0 || std::ranges::find(m_legend, source) != m_legend.end())
            lines << QStringLiteral("%1 %2").arg(patchSourceName(source)).arg(count);
    }
    return lines;
}

std::vector<FrameView::LegendEntry> FrameView::legend(double top) const
{
    std::vector<LegendEntry> entries;
    if (!m_frame)
        return entries;
    const QFontMetricsF metrics(Theme::smallFont(font()));
    const double line = metrics.height() + 4;
    double x = kSide;
    const auto counts = patchCounts(*m_frame);
    for (int i = 0; i < kPatchSources; ++i) {
        const auto source = static_cast<PatchSource>(i);
        const int count = counts[static_cast<std::size_t>(i)];
        if (count == 0 && std::ranges::find(m_legend, source) == m_legend.end())
            continue;
        const QString text = QStringLiteral("%1 %2").arg(patchSourceName(source)).arg(count);
        const QString widest = QStringLiteral("%1 %2").arg(patchSourceName(source)).arg(patches()); // entries stay where they are while frames play
        const double width = kSwatch + 5 + metrics.horizontalAdvance(widest) + 14;
        if (x > kSide && x + width > this->width() - kSide) {
            x = kSide;
            top += line;
        }
        entries.push_back({source, QRectF(x, top, width, line), text});
        x += width;
    }
    return entries;
}

double FrameView::legendHeight() const
{
    const auto entries = legend(0);
    return entries.empty() ? QFontMetricsF(Theme::smallFont(font())).height() + 4 : entries.back().place.bottom();
}

QRectF FrameView::plotArea() const
{
    const double line = QFontMetricsF(Theme::smallFont(font())).height();
    const QRectF room = QRectF(rect()).adjusted(kSide, line + 8, -kSide, -legendHeight() - 8);
    QSizeF shape = !m_photo.isNull() ? QSizeF(m_photo.size()) : QSizeF(std::max(m_columns, 1), std::max(m_rows, 1));
    shape.scale(std::max(room.width(), 1.0), std::max(room.height(), 1.0), Qt::KeepAspectRatio);
    return {room.left() + (room.width() - shape.width()) / 2, room.top() + (room.height() - shape.height()) / 2, shape.width(), shape.height()};
}

QRectF FrameView::patchRect(int patch) const
{
    if (patch < 0 || patch >= patches())
        return {};
    const QRectF plot = plotArea();
    const double width = plot.width() / m_columns, height = plot.height() / m_rows;
    return {plot.left() + (patch % m_columns) * width, plot.top() + static_cast<int>(patch / m_columns) * height, width, height};
}

int FrameView::patchAt(const QPointF& position) const
{
    const QRectF plot = plotArea();
    if (!m_frame || !plot.contains(position))
        return -1;
    const int column = std::clamp(static_cast<int>((position.x() - plot.left()) / plot.width() * m_columns), 0, m_columns - 1);
    const int row = std::clamp(static_cast<int>((position.y() - plot.top()) / plot.height() * m_rows), 0, m_rows - 1);
    return row * m_columns + column;
}

std::vector<FrameView::Arrow> FrameView::arrowsShown() const
{
    std::vector<Arrow> arrows;
    if (!m_frame || !m_arrows || m_frame->movedFrom.size() != m_frame->patches.size())
        return arrows;
    for (int patch = 0; patch < patches(); ++patch) {
        const auto at = static_cast<std::size_t>(patch);
        const int from = m_frame->movedFrom[at];
        if (m_frame->patches[at] == PatchSource::Warped && from >= 0 && from < patches() && from != patch)
            arrows.push_back({from, patch});
    }
    return arrows;
}

QString FrameView::placeName(int patch) const { return tr("row %1, column %2").arg(patch / m_columns + 1).arg(patch % m_columns + 1); }

QStringList FrameView::hoverLines() const
{
    const int patch = shownPatch();
    if (!m_frame || patch < 0)
        return {};
    const auto at = static_cast<std::size_t>(patch);
    QStringList lines{tr("Patch at %1").arg(placeName(patch)), patchSourceHelp(m_frame->patches[at])};
    if (at < m_frame->change.size() && std::isfinite(m_frame->change[at])) {
        const double change = m_frame->change[at];
        lines << (m_threshold ? tr("change %1, threshold %2").arg(formatNumber(change, 3), formatNumber(*m_threshold, 3)) : tr("change %1").arg(formatNumber(change, 3)));
    }
    if (at < m_frame->movedFrom.size() && m_frame->patches[at] == PatchSource::Warped && m_frame->movedFrom[at] >= 0 && m_frame->movedFrom[at] < patches())
        lines << (m_frame->movedFrom[at] == patch ? tr("from the same place") : tr("moved from %1").arg(placeName(m_frame->movedFrom[at])));
    return lines;
}

void FrameView::mouseMoveEvent(QMouseEvent* event)
{
    m_pointed = patchAt(event->position());
    update();
}

void FrameView::mousePressEvent(QMouseEvent* event)
{
    if (const int patch = patchAt(event->position()); patch >= 0 && event->button() == Qt::LeftButton) {
        m_focused = patch;
        describe();
        update();
    }
}

void FrameView::keyPressEvent(QKeyEvent* event)
{
    const bool arrow = event->key() == Qt::Key_Left || event->key() == Qt::Key_Right || event->key() == Qt::Key_Up || event->key() == Qt::Key_Down;
    if (!m_frame || !(arrow || (event->key() == Qt::Key_Escape && m_focused >= 0))) {
        QWidget::keyPressEvent(event);
        return;
    }
    if (event->key() == Qt::Key_Escape) {
        m_focused = -1;
    } else if (m_focused < 0) {
        m_focused = 0;
    } else {
        const int row = m_focused / m_columns, column = m_focused % m_columns;
        const int down = event->key() == Qt::Key_Down ? 1 : event->key() == Qt::Key_Up ? -1 : 0;
        const int right = event->key() == Qt::Key_Right ? 1 : event->key() == Qt::Key_Left ? -1 : 0;
        m_focused = std::clamp(row + down, 0, m_rows - 1) * m_columns + std::clamp(column + right, 0, m_columns - 1);
    }
    m_pointed = -1;
    describe();
    update();
}

void FrameView::leaveEvent(QEvent*)
{
    m_pointed = -1;
    update();
}

void FrameView::focusInEvent(QFocusEvent* event)
{
    QWidget::focusInEvent(event);
    update();
}

void FrameView::focusOutEvent(QFocusEvent* event)
{
    QWidget::focusOutEvent(event);
    update();
}

QString FrameView::figureCsv() const
{
    QString table = QStringLiteral("patch,row,column,source,change,moved_from\n");
    if (!m_frame)
        return table;
    for (int patch = 0; patch < patches(); ++patch) {
        const auto at = static_cast<std::size_t>(patch);
        const bool changed = at < m_frame->change.size() && std::isfinite(m_frame->change[at]);
        table += QStringLiteral("%1,%2,%3,%4,%5,%6\n")
                     .arg(patch)
                     .arg(patch / m_columns)
                     .arg(patch % m_columns)
                     .arg(patchSourceName(m_frame->patches[at]), changed ? QString::number(static_cast<double>(m_frame->change[at]), 'g', 9) : QString(),
                          at < m_frame->movedFrom.size() && m_frame->movedFrom[at] >= 0 ? QString::number(m_frame->movedFrom[at]) : QString());
    }
    return table;
}

} // namespace tamis::views
