// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/cache/outcome_bars.h"

#include "views/common/number_format.h"
#include "views/common/plot_paint.h"
#include "views/common/theme.h"

#include <QMouseEvent>
#include <QPainter>

#include <algorithm>

namespace tamis::views {
namespace {
constexpr double kGap = 0.5; ///< before the bar that is not one of the sum, in bars
constexpr double kFill = 0.78;
} // namespace

OutcomeBars::OutcomeBars(QWidget* parent) : QWidget(parent)
{
    setObjectName(QStringLiteral("cacheOutcome"));
    setAccessibleName(tr("What was evicted, and when it was wanted again"));
    setMouseTracking(true);
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void OutcomeBars::setOutcome(const std::optional<report::EvictionOutcome>& outcome)
{
    m_outcome = outcome;
    m_hovered = std::min(m_hovered, bars() - 1);
    QStringList described;
    for (int bar = 0; bar < bars(); ++bar)
        described << tr("%1: %2").arg(meaning(bar)).arg(count(bar));
    setAccessibleDescription(described.join(QStringLiteral("; ")));
    update();
}

int OutcomeBars::bars() const { return m_outcome ? static_cast<int>(m_outcome->wantedAfter.size()) + 2 : 0; }

std::uint64_t OutcomeBars::count(int bar) const
{
    if (!m_outcome || bar < 0 || bar >= bars())
        return 0;
    const auto i = static_cast<std::size_t>(bar);
    return i < m_outcome->wantedAfter.size() ? m_outcome->wantedAfter[i] : i == m_outcome->wantedAfter.size() ? m_outcome->neverWanted : m_outcome->neverUsed;
}

QString OutcomeBars::label(int bar) const { return bar == bars() - 1 ? tr("unused") : bar == bars() - 2 ? tr("never") : formatCount(static_cast<double>(std::uint64_t{1} << std::min(bar, 62))); }

QString OutcomeBars::meaning(int bar) const
{
    if (bar == bars() - 1)
        return tr("left without a hit since they entered");
    if (bar == bars() - 2)
        return tr("never wanted again: rightly evicted");
    const auto low = std::uint64_t{1} << std::min(bar, 62);
    return bar == 0 ? tr("wanted again by the next request") : tr("wanted again %1 to %2 requests later").arg(low).arg(2 * low - 1);
}

QRectF OutcomeBars::area() const
{
    const double line = fontMetrics().height();
    return QRectF(rect()).adjusted(Theme::kSpacing + line * 2.6, line + Theme::kSpacing, -Theme::kSpacing, -line * 2 - Theme::kSpacing);
}

double OutcomeBars::slot() const { return area().width() / (bars() + kGap); }

QRectF OutcomeBars::barRect(int bar) const
{
    if (bar < 0 || bar >= bars())
        return {};
    std::uint64_t most = 1;
    for (int i = 0; i < bars(); ++i)
        most = std::max(most, count(i));
    const QRectF all = area();
    const double left = all.left() + slot() * (bar + (bar == bars() - 1 ? kGap : 0) + (1 - kFill) / 2);
    const double height = all.height() * static_cast<double>(count(bar)) / static_cast<double>(most);
    return {left, all.bottom() - height, slot() * kFill, height};
}

QStringList OutcomeBars::hoverLines() const
{
    if (!m_outcome || m_hovered < 0 || m_hovered >= bars())
        return {};
    const double share = m_outcome->evictions > 0 ? static_cast<double>(count(m_hovered)) / static_cast<double>(m_outcome->evictions) : 0;
    return {meaning(m_hovered), tr("%1 of %2 evictions (%3)").arg(count(m_hovered)).arg(m_outcome->evictions).arg(formatPercent(share))};
}

void OutcomeBars::paintFigure(QPainter& painter) const
{
    const Theme& theme = Theme::instance();
    painter.fillRect(rect(), theme.color(Ink::Panel));
    painter.setFont(Theme::smallFont(font()));
    if (!m_outcome) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(12, 12, -12, -12), Qt::AlignCenter | Qt::TextWordWrap, tr("What leaves the cache, and whether it was wanted again, is shown here."));
        return;
    }
    const QRectF all = area();
    std::uint64_t most = 1;
    for (int i = 0; i < bars(); ++i)
        most = std::max(most, count(i));
    const QFontMetricsF metrics(painter.font());
    for (const double tick : linearTicks(0, static_cast<double>(most), 4)) {
        const double y = all.bottom() - tick / static_cast<double>(most) * all.height();
        painter.setPen(theme.color(Ink::Grid));
        painter.drawLine(QPointF(all.left(), y), QPointF(all.right(), y));
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(0, y - metrics.height() / 2, all.left() - 4, metrics.height()), Qt::AlignRight | Qt::AlignVCenter, formatCount(tick));
    }
    double free = -1e9; // right end of the last label
    for (int bar = 0; bar < bars(); ++bar) {
        const bool right = bar == bars() - 2;
        painter.fillRect(barRect(bar), theme.color(right ? Ink::Good : bar == bars() - 1 ? Ink::Warning : Ink::Accent));
        const QString text = label(bar);
        const double middle = barRect(bar).center().x(), width = metrics.horizontalAdvance(text);
        const bool word = bar >= bars() - 2;
        const double row = all.bottom() + 3 + (bar == bars() - 1 && middle - width / 2 < free + 4 ? metrics.height() : 0);
        if (!word && (middle - width / 2 < free + 4 || (bar > 0 && middle + width / 2 > barRect(bars() - 2).center().x() - metrics.horizontalAdvance(label(bars() - 2)) / 2)))
            continue;
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(std::min(middle - width / 2, this->width() - width - 1.0), row, width + 1, metrics.height()), Qt::AlignCenter, text);
        free = middle + width / 2;
    }
    painter.setPen(theme.color(Ink::Text));
    const double words = metrics.horizontalAdvance(label(bars() - 1)), end = std::min(barRect(bars() - 1).center().x() - words / 2, width() - words) - 6; // the last word may stand in this row
    painter.drawText(QRectF(all.left(), all.bottom() + 3 + metrics.height(), end - all.left(), metrics.height()), Qt::AlignLeft,
                     metrics.elidedText(tr("requests until wanted again"), Qt::ElideRight, end - all.left()));
    painter.drawText(QRectF(all.left(), 2, all.width(), metrics.height() + 2), Qt::AlignLeft | Qt::AlignVCenter, tr("%1 evictions").arg(formatCount(static_cast<double>(m_outcome->evictions))));
}

void OutcomeBars::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    paintFigure(painter);
    if (m_hovered >= 0)
        drawHoverBox(painter, rect(), m_pointer, hoverLines());
}

void OutcomeBars::mouseMoveEvent(QMouseEvent* event)
{
    m_pointer = event->position();
    m_hovered = -1;
    for (int bar = 0; bar < bars(); ++bar) {
        const QRectF at = barRect(bar);
        if (m_pointer.x() >= at.left() - slot() * (1 - kFill) / 2 && m_pointer.x() < at.right() + slot() * (1 - kFill) / 2 && area().adjusted(0, 0, 0, 20).contains(m_pointer))
            m_hovered = bar;
    }
    update();
}

void OutcomeBars::leaveEvent(QEvent*)
{
    m_hovered = -1;
    update();
}

QString OutcomeBars::figureCsv() const
{
    QString csv = QStringLiteral("wanted again after,evictions\n");
    for (int bar = 0; bar < bars(); ++bar)
        csv += QStringLiteral("%1,%2\n").arg(bar < bars() - 2 ? QString::number(std::uint64_t{1} << std::min(bar, 62)) : bar == bars() - 2 ? QStringLiteral("never") : QStringLiteral("left without a hit")).arg(count(bar));
    return csv;
}

} // namespace tamis::views
