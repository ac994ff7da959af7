// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/class_bars.h"

#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/plot_paint.h"
#include "views/common/theme.h"

#include <QPainter>

#include <algorithm>
#include <cmath>

namespace tamis::views {
namespace {
QString nameOf(const report::ClassProbability& of) { return of.name.empty() ? QObject::tr("class %1").arg(of.index) : QString::fromStdString(of.name); }
QString exact(double value) { return std::isfinite(value) ? QString::number(value, 'g', 9) : QString(); }
} // namespace

std::vector<ClassRow> classRows(const std::vector<report::ClassProbability>& before, const std::vector<report::ClassProbability>& after)
{
    std::vector<ClassRow> rows;
    for (const auto& one : after)
        rows.push_back({one.index, nameOf(one), report::kNotMeasured, one.probability});
    for (const auto& one : before) {
        const auto found = std::ranges::find(rows, one.index, &ClassRow::index);
        if (found != rows.end())
            found->before = one.probability;
        else
            rows.push_back({one.index, nameOf(one), one.probability, report::kNotMeasured});
    }
    return rows;
}

ClassBars::ClassBars(QWidget* parent) : QWidget(parent), m_before(tr("whole")), m_after(tr("reduced")), m_emptyText(tr("The classes of the photo are shown here."))
{
    setAccessibleName(tr("Classes before and after"));
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void ClassBars::setSides(const QString& before, const QString& after)
{
    m_before = before;
    m_after = after;
    update();
}

void ClassBars::setClasses(const std::vector<report::ClassProbability>& before, const std::vector<report::ClassProbability>& after)
{
    m_rows = classRows(before, after);
    m_changed = !before.empty() && !after.empty() && before.front().index != after.front().index;
    QStringList said;
    for (const auto& row : m_rows)
        said << tr("%1: %2 %3, %4 %5").arg(row.name, m_before, formatPercent(row.before), m_after, formatPercent(row.after));
    setAccessibleDescription(m_rows.empty() ? m_emptyText : said.join(QStringLiteral("; ")));
    update();
}

void ClassBars::setEmptyText(const QString& text)
{
    m_emptyText = text;
    update();
}

double ClassBars::rowHeight() const { return 2 * std::ceil(QFontMetricsF(Theme::smallFont(font())).height()) + 7; }

int ClassBars::shownRows() const
{
    const double line = QFontMetricsF(Theme::smallFont(font())).height();
    return std::clamp(static_cast<int>((height() - line - 12) / rowHeight()), 1, std::max(static_cast<int>(m_rows.size()), 1));
}

QRectF ClassBars::barArea() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    double names = 40;
    for (const auto& row : m_rows)
        names = std::max(names, metrics.horizontalAdvance(row.name));
    const double left = 10 + std::min(names, 0.34 * width()) + 8;
    const double numbers = metrics.horizontalAdvance(QStringLiteral("100.0 %")) + 8;
    return {left, metrics.height() + 8, std::max(width() - left - numbers - 10, 10.0), height() - metrics.height() - 8};
}

QRectF ClassBars::barRect(int row, bool after) const
{
    if (row < 0 || row >= shownRows() || m_rows.empty())
        return {};
    const auto& of = m_rows[static_cast<std::size_t>(row)];
    const double value = after ? of.after : of.before;
    if (!std::isfinite(value))
        return {};
    const QRectF area = barArea();
    const double half = (rowHeight() - 7) / 2;
    return {area.left(), area.top() + row * rowHeight() + (after ? half : 0) + 2, std::max(area.width() * std::clamp(value, 0.0, 1.0), 1.0), half - 4};
}

void ClassBars::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    paintFigure(painter);
}

void ClassBars::paintFigure(QPainter& painter) const
{
    const auto& theme = Theme::instance();
    painter.setRenderHint(QPainter::Antialiasing);
    painter.fillRect(rect(), theme.color(Ink::Panel));
    painter.setFont(Theme::smallFont(font()));
    if (m_rows.empty()) {
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(rect().adjusted(12, 8, -12, -8), Qt::AlignCenter | Qt::TextWordWrap, m_emptyText);
        return;
    }
    const QFontMetricsF metrics(painter.font());
    const QRectF area = barArea();
    double right = width() - 10.0;
    if (m_changed)
        right = drawTag(painter, QRectF(rect()).adjusted(10, 2, -10, 0), {width() - 10.0, 4 + metrics.height() / 2}, tr("changed"), Ink::HeldOut).left() - 8;
    double x = 10;
    const double each = (right - x) / 2;
    for (const auto& [name, ink] : {std::pair(m_before, Ink::Baseline), std::pair(m_after, Ink::Accent)}) {
        painter.fillRect(QRectF(x, 4 + metrics.height() / 2 - 4, 8, 8), theme.color(ink));
        painter.setPen(theme.color(Ink::MutedText));
        const QString text = metrics.elidedText(name, Qt::ElideRight, each - 20);
        painter.drawText(QRectF(x + 13, 4, each, metrics.height()), Qt::AlignLeft | Qt::AlignVCenter, text);
        x += 13 + metrics.horizontalAdvance(text) + 18;
    }
    const QFont plain = painter.font(), digits = Theme::numberFont(plain);
    for (int row = 0; row < shownRows(); ++row) {
        const auto& of = m_rows[static_cast<std::size_t>(row)];
        const double top = area.top() + row * rowHeight(), half = (rowHeight() - 7) / 2;
        painter.setFont(plain);
        painter.setPen(theme.color(Ink::Text));
        painter.drawText(QRectF(10, top, area.left() - 18, 2 * half), Qt::AlignRight | Qt::AlignVCenter, metrics.elidedText(of.name, Qt::ElideRight, area.left() - 18));
        painter.setFont(digits);
        for (const bool after : {false, true}) {
            const double y = top + (after ? half : 0);
            painter.fillRect(QRectF(area.left(), y + 2, area.width(), half - 4), theme.color(Ink::Grid));
            painter.fillRect(barRect(row, after), theme.color(after ? Ink::Accent : Ink::Baseline));
            const double value = after ? of.after : of.before;
            painter.setPen(theme.color(after ? Ink::Text : Ink::MutedText));
            painter.drawText(QRectF(area.right() + 4, y, width() - area.right() - 12, half), Qt::AlignRight | Qt::AlignVCenter,
                             std::isfinite(value) ? formatPercent(value) : QStringLiteral("–"));
        }
    }
}

QString ClassBars::figureCsv() const
{
    QString text = QStringLiteral("class,name,before,after\n");
    for (const auto& row : m_rows)
        text += QStringLiteral("%1,%2,%3,%4\n").arg(row.index).arg(csvField(row.name), exact(row.before), exact(row.after));
    return text;
}

} // namespace tamis::views
