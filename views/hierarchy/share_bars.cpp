// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/hierarchy/share_bars.h"

#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/plot_paint.h"
#include "views/common/theme.h"

#include <QMouseEvent>
#include <QPainter>

#include <cmath>

namespace tamis::views {
namespace {
constexpr double kSide = 10, kBar = 26, kGap = 10;

double sumOf(const ShareBars::Row& row)
{
    double sum = 0;
    for (const auto& part : row.parts)
        sum += part.value;
    return sum;
}

QColor colourOf(const ShareBars::Part& part) { return part.series < 0 ? Theme::instance().color(Ink::Baseline) : Theme::instance().seriesColor(part.series); }
} // namespace

ShareBars::ShareBars(QWidget* parent) : QWidget(parent)
{
    setMouseTracking(true);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::MinimumExpanding);
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void ShareBars::setRows(const std::vector<Row>& rows)
{
    m_rows = rows;
    QStringList said;
    for (const Row& row : m_rows) {
        QStringList parts;
        for (const Part& part : row.parts)
            parts << QStringLiteral("%1 %2").arg(part.name, formatPercent(sumOf(row) > 0 ? part.value / sumOf(row) : 0));
        said << QStringLiteral("%1: %2").arg(row.label, parts.join(QStringLiteral(", ")));
    }
    setAccessibleDescription(said.isEmpty() ? tr("Nothing is simulated yet") : said.join(QStringLiteral("; ")));
    updateGeometry();
    update();
}

double ShareBars::textHeight() const { return std::ceil(QFontMetricsF(Theme::smallFont(font())).height()); }

QSize ShareBars::minimumSizeHint() const
{
    const double rows = static_cast<double>(std::max<std::size_t>(1, m_rows.size()));
    return {260, static_cast<int>(textHeight() + 12 + rows * (textHeight() + kBar + kGap))};
}

QRectF ShareBars::partRect(int row, int part) const
{
    if (row < 0 || row >= static_cast<int>(m_rows.size()))
        return {};
    const Row& of = m_rows[static_cast<std::size_t>(row)];
    const double sum = sumOf(of), room = width() - 2 * kSide;
    if (part < 0 || part >= static_cast<int>(of.parts.size()) || !(sum > 0))
        return {};
    double before = 0;
    for (int i = 0; i < part; ++i)
        before += of.parts[static_cast<std::size_t>(i)].value;
    const double top = textHeight() + 10 + row * (textHeight() + kBar + kGap) + textHeight() + 2;
    return {kSide + room * before / sum, top, room * of.parts[static_cast<std::size_t>(part)].value / sum, kBar};
}

void ShareBars::mouseMoveEvent(QMouseEvent* event)
{
    m_pointer = event->position();
    m_inside = true;
    update();
}

void ShareBars::leaveEvent(QEvent*)
{
    m_inside = false;
    update();
}

void ShareBars::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    paintFigure(painter);
    for (int row = 0; m_inside && row < static_cast<int>(m_rows.size()); ++row) {
        const Row& of = m_rows[static_cast<std::size_t>(row)];
        for (int part = 0; part < static_cast<int>(of.parts.size()); ++part)
            if (partRect(row, part).contains(m_pointer))
                drawHoverBox(painter, rect(), m_pointer, {of.parts[static_cast<std::size_t>(part)].name, tr("%1 of %2").arg(formatPercent(of.parts[static_cast<std::size_t>(part)].value / sumOf(of)), of.total)});
    }
}

void ShareBars::paintFigure(QPainter& painter) const
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
    double x = kSide;
    for (const Part& part : m_rows.front().parts) {
        painter.fillRect(QRectF(x, 4 + metrics.height() / 2 - 4, 8, 8), colourOf(part));
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(x + 12, 4, metrics.horizontalAdvance(part.name) + 2, metrics.height()), Qt::AlignLeft | Qt::AlignVCenter, part.name);
        x += 12 + metrics.horizontalAdvance(part.name) + 14;
    }
    for (int row = 0; row < static_cast<int>(m_rows.size()); ++row) {
        const Row& of = m_rows[static_cast<std::size_t>(row)];
        const QRectF first = partRect(row, 0);
        painter.setPen(theme.color(Ink::Text));
        painter.drawText(QRectF(kSide, first.top() - metrics.height() - 2, width() - 2 * kSide, metrics.height()), Qt::AlignLeft | Qt::AlignVCenter, QStringLiteral("%1  %2").arg(of.label, of.total));
        for (int part = 0; part < static_cast<int>(of.parts.size()); ++part) {
            const QRectF area = partRect(row, part);
            painter.fillRect(area, colourOf(of.parts[static_cast<std::size_t>(part)]));
            const QString text = formatPercent(of.parts[static_cast<std::size_t>(part)].value / sumOf(of));
            if (metrics.horizontalAdvance(text) + 8 <= area.width()) {
                painter.setPen(theme.textOn(colourOf(of.parts[static_cast<std::size_t>(part)])));
                painter.drawText(area, Qt::AlignCenter, text);
            }
        }
    }
}

QString ShareBars::figureCsv() const
{
    QString text = QStringLiteral("of,part,value\n");
    for (const Row& row : m_rows)
        for (const Part& part : row.parts)
            text += QStringLiteral("%1,%2,%3\n").arg(csvField(row.label), csvField(part.name)).arg(part.value, 0, 'g', 12);
    return text;
}

} // namespace tamis::views
