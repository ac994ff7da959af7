// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/encoder/histogram_chart.h"

#include "views/common/number_format.h"
#include "views/common/plot_paint.h"
#include "views/common/theme.h"

#include <QKeyEvent>
#include <QMouseEvent>
#include <QPainter>

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tamis::views {
namespace {
constexpr double kReach = 6;   ///< pixels from the cut within which it is meant
constexpr double kDecades = 8; ///< largest over least edge from which a logarithmic axis has logarithmic ticks
} // namespace

HistogramChart::HistogramChart(QWidget* parent) : QWidget(parent), m_emptyText(tr("Nothing to show yet."))
{
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void HistogramChart::setHistogram(const report::Histogram& histogram)
{
    m_histogram = histogram;
    if (m_hovered && *m_hovered >= static_cast<int>(histogram.counts.size()))
        m_hovered.reset();
    setAccessibleDescription(histogram.empty() ? m_emptyText : tr("%1 bins, %2 at most").arg(histogram.counts.size()).arg(most()));
    update();
}

void HistogramChart::setAxes(const HistogramAxes& axes)
{
    m_axes = axes;
    update();
}

void HistogramChart::setCut(std::optional<std::int64_t> cut, const QString& label)
{
    m_cut = cut;
    m_cutLabel = label;
    update();
}

void HistogramChart::setEmptyText(const QString& text)
{
    m_emptyText = text;
    update();
}

std::int64_t HistogramChart::most() const { return m_histogram.empty() ? 0 : *std::max_element(m_histogram.counts.begin(), m_histogram.counts.end()); }

QRectF HistogramChart::area() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    const double left = metrics.height() + metrics.horizontalAdvance(formatCount(static_cast<double>(std::max<std::int64_t>(most(), 1000)))) + 16;
    return QRectF(rect()).adjusted(left, metrics.height() + 8, -metrics.horizontalAdvance(QStringLiteral("100 %")) / 2 - 8, -2 * metrics.height() - 12);
}

double HistogramChart::toPixel(double x) const
{
    const QRectF f = area();
    const double low = m_histogram.edges.front(), high = m_histogram.edges.back();
    const double t = m_axes.logX ? std::log(x / low) / std::log(high / low) : (x - low) / (high - low);
    return f.left() + t * f.width();
}

double HistogramChart::fromPixel(double pixel) const
{
    const QRectF f = area();
    const double low = m_histogram.edges.front(), high = m_histogram.edges.back();
    const double t = std::clamp((pixel - f.left()) / f.width(), 0.0, 1.0);
    return m_axes.logX ? low * std::pow(high / low, t) : low + t * (high - low);
}

QRectF HistogramChart::barRect(int bin) const
{
    const QRectF f = area();
    const auto at = static_cast<std::size_t>(bin);
    const double left = toPixel(m_histogram.edges[at]), right = toPixel(m_histogram.edges[at + 1]);
    const double height = f.height() * static_cast<double>(m_histogram.counts[at]) / static_cast<double>(std::max<std::int64_t>(most(), 1));
    return {left, f.bottom() - height, right - left, height};
}

double HistogramChart::cutPixel() const
{
    return toPixel(std::clamp(static_cast<double>(*m_cut) + 0.5, m_histogram.edges.front(), m_histogram.edges.back()));
}

QPointF HistogramChart::cutHandle(std::int64_t cut) const { return {toPixel(static_cast<double>(cut) + 0.5), area().center().y()}; }

bool HistogramChart::nearCut(const QPointF& position) const
{
    return m_cut && !m_histogram.empty() && area().adjusted(-kReach, -kReach, kReach, kReach).contains(position) && std::abs(position.x() - cutPixel()) <= kReach;
}

void HistogramChart::moveCut(std::int64_t cut, bool finished)
{
    const auto last = static_cast<std::int64_t>(std::floor(m_histogram.edges.back()));
    cut = std::clamp<std::int64_t>(cut, 1, std::max<std::int64_t>(last, 1));
    const bool moved = m_cut != cut;
    m_cut = cut;
    update();
    if (moved || finished)
        emit cutMoved(cut, finished);
}

QString HistogramChart::edgeText(double x) const { return m_axes.percent ? formatPercent(x, 0) : formatNumber(x, 4); }

QString HistogramChart::binText(int bin) const
{
    const double low = m_histogram.edges[static_cast<std::size_t>(bin)], high = m_histogram.edges[static_cast<std::size_t>(bin) + 1];
    if (!m_axes.places)
        return edgeText(low) + QStringLiteral(" – ") + edgeText(high);
    const auto first = static_cast<qlonglong>(std::ceil(low)), last = static_cast<qlonglong>(std::floor(high));
    return first >= last ? QString::number(first) : QStringLiteral("%1 – %2").arg(first).arg(last);
}

QStringList HistogramChart::hoverLines() const
{
    if (!m_hovered || m_histogram.empty())
        return {};
    const auto count = m_histogram.counts[static_cast<std::size_t>(*m_hovered)];
    const auto all = std::accumulate(m_histogram.counts.begin(), m_histogram.counts.end(), std::int64_t{0});
    return {m_axes.xTitle + QLatin1Char(' ') + binText(*m_hovered),
            tr("%1: %2 (%3)").arg(m_axes.yTitle).arg(count).arg(formatPercent(static_cast<double>(count) / static_cast<double>(std::max<std::int64_t>(all, 1))))};
}

void HistogramChart::mousePressEvent(QMouseEvent* event)
{
    if (event->button() == Qt::LeftButton && nearCut(event->position()))
        m_dragging = true;
}

void HistogramChart::mouseMoveEvent(QMouseEvent* event)
{
    m_pointer = event->position();
    if (m_histogram.empty())
        return;
    if (m_dragging) {
        moveCut(std::llround(fromPixel(m_pointer.x()) - 0.5), false);
        return;
    }
    m_hovered.reset();
    if (area().contains(m_pointer)) {
        const double x = fromPixel(m_pointer.x());
        const auto above = std::upper_bound(m_histogram.edges.begin(), m_histogram.edges.end(), x) - m_histogram.edges.begin();
        m_hovered = std::clamp(static_cast<int>(above) - 1, 0, static_cast<int>(m_histogram.counts.size()) - 1);
    }
    setCursor(nearCut(m_pointer) ? Qt::SplitHCursor : Qt::ArrowCursor);
    update();
}

void HistogramChart::mouseReleaseEvent(QMouseEvent* event)
{
    if (event->button() == Qt::LeftButton && std::exchange(m_dragging, false))
        moveCut(*m_cut, true);
}

void HistogramChart::keyPressEvent(QKeyEvent* event)
{
    const int direction = event->key() == Qt::Key_Right ? 1 : event->key() == Qt::Key_Left ? -1 : 0;
    if (!m_cut || m_histogram.empty() || direction == 0) {
        QWidget::keyPressEvent(event);
        return;
    }
    const std::int64_t step = event->modifiers().testFlag(Qt::ShiftModifier) ? std::max<std::int64_t>(*m_cut / 10, 1) : 1;
    moveCut(*m_cut + direction * step, true);
}

void HistogramChart::leaveEvent(QEvent*)
{
    m_hovered.reset();
    update();
}

void HistogramChart::focusInEvent(QFocusEvent* event)
{
    QWidget::focusInEvent(event);
    update();
}

void HistogramChart::focusOutEvent(QFocusEvent* event)
{
    QWidget::focusOutEvent(event);
    update();
}

void HistogramChart::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    draw(painter, true);
}

void HistogramChart::paintFigure(QPainter& painter) const { draw(painter, false); }

void HistogramChart::draw(QPainter& painter, bool interactive) const
{
    const auto& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    if (m_histogram.empty()) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(16, 16, -16, -16), Qt::AlignCenter | Qt::TextWordWrap, m_emptyText);
    } else {
        painter.setFont(Theme::smallFont(font()));
        const QRectF f = area();
        drawAxes(painter, f);
        drawBars(painter, f);
        if (m_cut) {
            const double x = cutPixel();
            painter.setPen(QPen(theme.color(Ink::Accent), 2));
            painter.drawLine(QPointF(x, f.top()), QPointF(x, f.bottom()));
            drawTag(painter, QRectF(f.left(), 2, f.width(), f.bottom()), {x, f.top() - QFontMetricsF(painter.font()).height() / 2}, m_cutLabel, Ink::Accent);
        }
        if (interactive && m_hovered)
            drawHoverBox(painter, rect(), m_pointer, hoverLines());
    }
    if (interactive && hasFocus())
        drawFocus(painter, rect());
}

void HistogramChart::drawAxes(QPainter& painter, const QRectF& f) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const double line = metrics.height();
    for (const double count : linearTicks(0, static_cast<double>(std::max<std::int64_t>(most(), 1)), std::clamp(static_cast<int>(f.height() / (2.2 * line)), 1, 6))) {
        if (count != std::floor(count))
            continue; // tokens are whole
        const double y = f.bottom() - f.height() * count / static_cast<double>(std::max<std::int64_t>(most(), 1));
        painter.setPen(QPen(theme.color(Ink::Grid), 1));
        painter.drawLine(QPointF(f.left(), y), QPointF(f.right(), y));
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(0, y - line / 2, f.left() - 6, line), Qt::AlignRight | Qt::AlignVCenter, formatCount(count));
    }
    const double low = m_histogram.edges.front(), high = m_histogram.edges.back();
    const int room = std::clamp(static_cast<int>(f.width() / (metrics.horizontalAdvance(QStringLiteral("0000.0")) + 8)), 2, 12);
    painter.setPen(theme.color(Ink::MutedText));
    const bool decades = m_axes.logX && high > kDecades * low; // fewer have too few round numbers among 1, 2 and 5
    for (const double x : decades ? logTicks(low, high, room) : linearTicks(low, high, std::min(room, 8))) {
        if (m_axes.places && (x < 1 || x != std::floor(x)))
            continue; // there is no such place
        const double at = toPixel(x);
        painter.drawLine(QPointF(at, f.bottom()), QPointF(at, f.bottom() + 3));
        painter.drawText(QRectF(at - 60, f.bottom() + 4, 120, line), Qt::AlignHCenter, edgeText(x));
    }
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(QRectF(f.left(), f.bottom() + line + 6, f.width(), line), Qt::AlignHCenter, metrics.elidedText(m_axes.xTitle, Qt::ElideRight, f.width()));
    drawAxisTitle(painter, f, m_axes.yTitle);
}

void HistogramChart::drawBars(QPainter& painter, const QRectF& f) const
{
    const auto& theme = Theme::instance();
    const double cut = m_cut ? cutPixel() : f.right() + 1;
    for (int bin = 0; bin < static_cast<int>(m_histogram.counts.size()); ++bin) {
        const QRectF bar = barRect(bin);
        if (bar.height() <= 0)
            continue;
        const double gap = bar.width() > 4 ? 1 : 0;
        QRectF whole = bar.adjusted(0, 0, -gap, 0);
        whole.setTop(std::min(whole.top(), f.bottom() - 1.5)); // one token among thousands is seen, too
        QRectF kept = whole, lost = whole;
        kept.setRight(std::clamp(cut, whole.left(), whole.right()));
        lost.setLeft(kept.right());
        painter.fillRect(kept, theme.color(m_hovered == bin ? Ink::Text : Ink::Energy));
        if (m_cut && lost.width() > 0)
            painter.fillRect(lost, theme.color(m_hovered == bin ? Ink::Text : Ink::Loss));
    }
    painter.setPen(QPen(theme.color(Ink::Border), 1));
    painter.drawLine(f.bottomLeft(), f.bottomRight());
}

QString HistogramChart::figureCsv() const
{
    QString text = QStringLiteral("from,to,count\n");
    for (std::size_t i = 0; i < m_histogram.counts.size(); ++i)
        text += QStringLiteral("%1,%2,%3\n").arg(QString::number(m_histogram.edges[i], 'g', 12), QString::number(m_histogram.edges[i + 1], 'g', 12)).arg(m_histogram.counts[i]);
    return text;
}

} // namespace tamis::views
