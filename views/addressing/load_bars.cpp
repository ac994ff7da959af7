// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/addressing/load_bars.h"

#include "views/common/number_format.h"
#include "views/common/plot_paint.h"
#include "views/common/theme.h"

#include <QMouseEvent>
#include <QPainter>

#include <algorithm>
#include <numeric>

namespace tamis::views {

LoadBars::LoadBars(QWidget* parent) : QWidget(parent), m_emptyText(tr("The load of a router's experts is shown here."))
{
    setMouseTracking(true);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Expanding);
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void LoadBars::setLoad(const std::vector<double>& load)
{
    m_load = load;
    m_hovered = -1;
    m_mean = load.empty() ? 0 : std::accumulate(load.begin(), load.end(), 0.0) / static_cast<double>(load.size());
    setAccessibleDescription(load.empty() ? m_emptyText
                                          : tr("%1 experts, the busiest has %2 of the tokens, the idlest %3").arg(load.size()).arg(formatPercent(*std::ranges::max_element(load)), formatPercent(*std::ranges::min_element(load))));
    update();
}

void LoadBars::setEmptyText(const QString& text)
{
    m_emptyText = text;
    update();
}

double LoadBars::most() const { return m_load.empty() ? 1 : std::max(*std::ranges::max_element(m_load), 1e-12); }

QRectF LoadBars::area() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    const double left = 10 + metrics.horizontalAdvance(QStringLiteral("100.0 %")) + 6;
    return {left, metrics.height() / 2 + 6, std::max(width() - left - 10, 10.0), std::max(height() - 2 * metrics.height() - 14, 10.0)};
}

QRectF LoadBars::barRect(int expert) const
{
    if (expert < 0 || expert >= static_cast<int>(m_load.size()))
        return {};
    const QRectF plot = area();
    const double each = plot.width() / static_cast<double>(m_load.size()), high = plot.height() * m_load[static_cast<std::size_t>(expert)] / most();
    const double gap = each > 4 ? 1 : 0;
    return {plot.left() + expert * each + gap / 2, plot.bottom() - high, each - gap, high};
}

double LoadBars::meanPixel() const { return area().bottom() - area().height() * m_mean / most(); }

QStringList LoadBars::hoverLines() const
{
    if (m_hovered < 0)
        return {};
    const double load = m_load[static_cast<std::size_t>(m_hovered)];
    return {tr("expert %1").arg(m_hovered), tr("%1 of the tokens").arg(formatPercent(load)), tr("%1 times the mean").arg(formatNumber(m_mean > 0 ? load / m_mean : 0, 3))};
}

void LoadBars::mouseMoveEvent(QMouseEvent* event)
{
    m_pointer = event->position();
    const QRectF plot = area();
    const bool inside = plot.contains(m_pointer) && !m_load.empty();
    m_hovered = inside ? std::min(static_cast<int>((m_pointer.x() - plot.left()) / plot.width() * static_cast<double>(m_load.size())), static_cast<int>(m_load.size()) - 1) : -1;
    update();
}

void LoadBars::leaveEvent(QEvent*)
{
    m_hovered = -1;
    update();
}

void LoadBars::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    paintFigure(painter);
    drawHoverBox(painter, rect(), m_pointer, hoverLines());
}

void LoadBars::paintFigure(QPainter& painter) const
{
    const auto& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    painter.setFont(Theme::smallFont(font()));
    if (m_load.empty()) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(12, 8, -12, -8), Qt::AlignCenter | Qt::TextWordWrap, m_emptyText);
        return;
    }
    const QRectF plot = area();
    const QFontMetricsF metrics(painter.font());
    const auto label = [&](double y, const QString& text) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(0, y - metrics.height() / 2, plot.left() - 6, metrics.height()), Qt::AlignRight | Qt::AlignVCenter, text);
    };
    painter.fillRect(QRectF(plot.left(), plot.bottom(), plot.width(), 1), theme.color(Ink::Grid));
    for (int expert = 0; expert < static_cast<int>(m_load.size()); ++expert)
        painter.fillRect(barRect(expert), theme.color(Ink::Accent));
    label(plot.top(), formatPercent(most()));
    label(plot.bottom(), QStringLiteral("0"));
    painter.setPen(QPen(theme.color(Ink::Baseline), 1, Qt::DashLine));
    painter.drawLine(QPointF(plot.left(), meanPixel()), QPointF(plot.right(), meanPixel()));
    if (plot.bottom() - meanPixel() > metrics.height() && meanPixel() - plot.top() > metrics.height())
        label(meanPixel(), formatPercent(m_mean));
    painter.setPen(theme.color(Ink::MutedText));
    painter.drawText(QRectF(plot.left(), plot.bottom() + 4, plot.width(), metrics.height()), Qt::AlignCenter, tr("experts 0 to %1; dashed: the mean").arg(m_load.size() - 1));
}

QString LoadBars::figureCsv() const
{
    QString text = QStringLiteral("expert,load\n");
    for (std::size_t expert = 0; expert < m_load.size(); ++expert)
        text += QStringLiteral("%1,%2\n").arg(expert).arg(m_load[expert], 0, 'g', 9);
    return text;
}

} // namespace tamis::views
