// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/hierarchy/break_even_chart.h"

#include "views/common/figure_export.h"
#include "views/common/theme.h"
#include "views/hierarchy/time_words.h"

#include <QPainter>

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis::views {
namespace {
constexpr double kSide = 10;
} // namespace

BreakEvenChart::BreakEvenChart(QWidget* parent) : QWidget(parent)
{
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::MinimumExpanding);
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void BreakEvenChart::setTimes(const std::vector<Row>& rows, double recomputeNs)
{
    m_rows = rows;
    m_recompute = recomputeNs;
    double low = recomputeNs > 0 ? recomputeNs : std::numeric_limits<double>::infinity(), high = recomputeNs;
    QStringList said;
    for (const Row& row : rows)
        if (row.ns > 0 && std::isfinite(row.ns)) {
            low = std::min(low, row.ns);
            high = std::max(high, row.ns);
            said << tr("%1: %2, %3").arg(row.label, formatNanoseconds(row.ns), row.ns < recomputeNs ? tr("pays") : tr("does not pay"));
        }
    m_low = std::isfinite(low) ? std::pow(10, std::floor(std::log10(low)) - (std::log10(low) == std::floor(std::log10(low)) ? 1 : 0)) : 1;
    m_high = std::max(high > 0 ? std::pow(10, std::ceil(std::log10(high))) : 10, 10 * m_low);
    setAccessibleDescription(said.isEmpty() ? tr("Nothing is simulated yet") : said.join(QStringLiteral("; ")));
    updateGeometry();
    update();
}

double BreakEvenChart::rowHeight() const { return std::ceil(QFontMetricsF(Theme::smallFont(font())).height()) + 8; }

QSize BreakEvenChart::minimumSizeHint() const { return {280, static_cast<int>(rowHeight() * static_cast<double>(std::max<std::size_t>(3, m_rows.size()) + 2))}; }

QRectF BreakEvenChart::area() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    double names = 40;
    for (const Row& row : m_rows)
        names = std::max(names, metrics.horizontalAdvance(row.label));
    const double left = kSide + names + 8, right = metrics.horizontalAdvance(QStringLiteral("000.0 µs")) + 12;
    return {left, rowHeight(), std::max(width() - left - right - kSide, 10.0), rowHeight() * static_cast<double>(m_rows.size())};
}

double BreakEvenChart::pixelOf(double ns) const
{
    const QRectF plot = area();
    return plot.left() + plot.width() * std::clamp(std::log(ns / m_low) / std::log(m_high / m_low), 0.0, 1.0);
}

QRectF BreakEvenChart::barRect(int row) const
{
    if (row < 0 || row >= static_cast<int>(m_rows.size()) || !(m_rows[static_cast<std::size_t>(row)].ns > 0))
        return {};
    const QRectF plot = area();
    return {plot.left(), plot.top() + row * rowHeight() + 3, pixelOf(m_rows[static_cast<std::size_t>(row)].ns) - plot.left(), rowHeight() - 6};
}

void BreakEvenChart::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    paintFigure(painter);
}

void BreakEvenChart::paintFigure(QPainter& painter) const
{
    const auto& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    painter.setFont(Theme::smallFont(font()));
    const QFontMetricsF metrics(painter.font());
    if (m_rows.empty()) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(12, 8, -12, -8), Qt::AlignCenter | Qt::TextWordWrap, tr("Nothing is simulated yet."));
        return;
    }
    const QRectF plot = area();
    const double bottom = plot.bottom() + 4;
    const int decades = static_cast<int>(std::lround(std::log10(m_high / m_low))), every = std::max(1, decades / 4);
    for (int decade = 0; decade <= decades; decade += every) {
        const double ns = m_low * std::pow(10, decade), x = pixelOf(ns);
        painter.setPen(theme.color(Ink::Grid));
        painter.drawLine(QPointF(x, plot.top()), QPointF(x, bottom));
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(x - 60, bottom, 120, metrics.height()), Qt::AlignCenter, formatNanoseconds(ns));
    }
    for (int row = 0; row < static_cast<int>(m_rows.size()); ++row) {
        const Row& of = m_rows[static_cast<std::size_t>(row)];
        const QRectF bar = barRect(row);
        const double top = plot.top() + row * rowHeight();
        painter.setPen(theme.color(Ink::Text));
        painter.drawText(QRectF(0, top, plot.left() - 8, rowHeight()), Qt::AlignRight | Qt::AlignVCenter, of.label);
        painter.fillRect(bar, of.series < 0 ? theme.color(Ink::MutedText) : theme.seriesColor(of.series));
    }
    paintRecomputing(painter, bottom);
    for (int row = 0; row < static_cast<int>(m_rows.size()); ++row) { // over the line, which does not go through a number
        const Row& of = m_rows[static_cast<std::size_t>(row)];
        const QRectF bar = barRect(row);
        const QString number = of.ns > 0 ? formatNanoseconds(of.ns) : QStringLiteral("–");
        const QRectF place(bar.isEmpty() ? plot.left() + 4 : bar.right() + 5, plot.top() + row * rowHeight(), metrics.horizontalAdvance(number), rowHeight());
        painter.fillRect(place.adjusted(-2, 0, 2, 0), theme.color(Ink::Panel));
        painter.setPen(theme.color(m_recompute > 0 && of.ns >= m_recompute ? Ink::Warning : Ink::Text));
        painter.drawText(place.adjusted(0, 0, 8, 0), Qt::AlignLeft | Qt::AlignVCenter, number);
    }
}

void BreakEvenChart::paintRecomputing(QPainter& painter, double bottom) const
{
    if (!(m_recompute > 0))
        return;
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    const QRectF plot = area();
    const double x = pixelOf(m_recompute);
    painter.setPen(QPen(theme.color(Ink::Baseline), 2, Qt::DashLine));
    painter.drawLine(QPointF(x, plot.top() - 2), QPointF(x, bottom));
    const QString text = tr("recomputing %1").arg(formatNanoseconds(m_recompute));
    const double wide = metrics.horizontalAdvance(text) + 4;
    painter.setPen(theme.color(Ink::Text));
    painter.drawText(QRectF(std::clamp(x - wide / 2, 0.0, std::max(0.0, width() - wide)), plot.top() - metrics.height() - 4, wide, metrics.height()), Qt::AlignCenter, text);
}

QString BreakEvenChart::figureCsv() const
{
    QString text = QStringLiteral("what,time [ns],pays\n");
    for (const Row& row : m_rows)
        text += QStringLiteral("%1,%2,%3\n").arg(csvField(row.label)).arg(row.ns, 0, 'g', 9).arg(row.ns < m_recompute ? QStringLiteral("yes") : QStringLiteral("no"));
    return text + QStringLiteral("recomputing,%1,\n").arg(m_recompute, 0, 'g', 9);
}

} // namespace tamis::views
