// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/addressing/grouped_bars.h"

#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QPainter>

#include <algorithm>
#include <cmath>
#include <limits>

namespace tamis::views {
namespace {
constexpr double kRowGap = 8, kSide = 10;
QString exact(double value) { return std::isfinite(value) ? QString::number(value, 'g', 9) : QString(); }
} // namespace

GroupedBars::GroupedBars(QWidget* parent) : QWidget(parent), m_format([](double value) { return formatNumber(value, 4); }), m_emptyText(tr("Nothing is measured yet."))
{
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::MinimumExpanding);
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

void GroupedBars::setBars(const QStringList& series, const std::vector<BarRow>& rows)
{
    m_series = series;
    m_rows = rows;
    for (auto& row : m_rows)
        row.values.resize(static_cast<std::size_t>(series.size()), std::numeric_limits<double>::quiet_NaN());
    measure();
    QStringList said;
    for (const auto& row : m_rows) {
        QStringList values;
        for (int i = 0; i < m_series.size(); ++i)
            if (std::isfinite(row.values[static_cast<std::size_t>(i)]))
                values << QStringLiteral("%1 %2").arg(m_series[i], m_format(row.values[static_cast<std::size_t>(i)]));
        said << QStringLiteral("%1: %2").arg(row.label, values.isEmpty() ? row.remark : values.join(QStringLiteral(", ")));
    }
    setAccessibleDescription(m_rows.empty() ? m_emptyText : said.join(QStringLiteral("; ")));
    updateGeometry();
    update();
}

void GroupedBars::setFormat(Format format, const QString& unit)
{
    m_format = std::move(format);
    m_unit = unit;
    update();
}

void GroupedBars::setLogarithmic(bool logarithmic)
{
    m_logarithmic = logarithmic;
    measure();
    update();
}

void GroupedBars::setEmptyText(const QString& text)
{
    m_emptyText = text;
    update();
}

void GroupedBars::measure()
{
    double low = std::numeric_limits<double>::infinity(), high = 0;
    for (const auto& row : m_rows)
        for (const double value : row.values)
            if (std::isfinite(value) && value > 0) {
                low = std::min(low, value);
                high = std::max(high, value);
            }
    m_high = high > 0 ? high : 1;
    m_low = m_logarithmic && high > 0 ? std::pow(10, std::ceil(std::log10(low)) - 1) : 0;
}

double GroupedBars::fraction(double value) const
{
    if (!std::isfinite(value) || value <= 0)
        return 0;
    const double part = m_logarithmic ? std::log(value / m_low) / std::log(m_high / m_low) : value / m_high;
    return std::clamp(part, 0.0, 1.0);
}

double GroupedBars::barHeight() const { return std::ceil(QFontMetricsF(Theme::smallFont(font())).height()) + 1; }
double GroupedBars::rowHeight() const { return static_cast<double>(std::max<qsizetype>(1, m_series.size())) * barHeight() + kRowGap; }
double GroupedBars::rowTop(int row) const { return barHeight() + 10 + row * rowHeight(); }

QSize GroupedBars::minimumSizeHint() const
{
    return {300, static_cast<int>(std::ceil(rowTop(static_cast<int>(std::max<std::size_t>(1, m_rows.size())))))};
}

QRectF GroupedBars::barArea() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    double names = 40, numbers = 30;
    for (const auto& row : m_rows) {
        names = std::max(names, metrics.horizontalAdvance(row.label));
        for (const double value : row.values)
            if (std::isfinite(value))
                numbers = std::max(numbers, metrics.horizontalAdvance(m_format(value)));
    }
    const double left = kSide + std::min(names, 0.4 * width()) + 8;
    return {left, rowTop(0), std::max(width() - left - numbers - 8 - kSide, 10.0), height() - rowTop(0)};
}

QRectF GroupedBars::barRect(int row, int series) const
{
    if (row < 0 || row >= static_cast<int>(m_rows.size()) || series < 0 || series >= m_series.size())
        return {};
    const double value = m_rows[static_cast<std::size_t>(row)].values[static_cast<std::size_t>(series)];
    if (!std::isfinite(value) || value <= 0)
        return {};
    const QRectF area = barArea();
    return {area.left(), rowTop(row) + series * barHeight() + 2, std::max(area.width() * fraction(value), 1.0), barHeight() - 4};
}

void GroupedBars::paintEvent(QPaintEvent*)
{
    QPainter painter(this);
    paintFigure(painter);
}

void GroupedBars::paintLegend(QPainter& painter) const
{
    const auto& theme = Theme::instance();
    const QFontMetricsF metrics(painter.font());
    double x = kSide;
    for (int i = 0; i < m_series.size(); ++i) {
        painter.fillRect(QRectF(x, 4 + metrics.height() / 2 - 4, 8, 8), theme.seriesColor(i));
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(x + 13, 4, metrics.horizontalAdvance(m_series[i]) + 2, metrics.height()), Qt::AlignLeft | Qt::AlignVCenter, m_series[i]);
        x += 13 + metrics.horizontalAdvance(m_series[i]) + 16;
    }
}

void GroupedBars::paintRow(QPainter& painter, int row) const
{
    const auto& theme = Theme::instance();
    const auto& of = m_rows[static_cast<std::size_t>(row)];
    const QRectF area = barArea();
    const QFontMetricsF metrics(painter.font());
    const double top = rowTop(row), height = rowHeight() - kRowGap;
    painter.setPen(theme.color(Ink::Text));
    const QRectF name(kSide, top, area.left() - kSide - 8, height);
    const bool wraps = metrics.boundingRect(name, Qt::TextWordWrap, of.label).height() <= height + kRowGap / 2;
    painter.drawText(name.adjusted(0, -kRowGap / 2, 0, kRowGap / 2), Qt::AlignRight | Qt::AlignVCenter | Qt::TextWordWrap, wraps ? of.label : metrics.elidedText(of.label, Qt::ElideMiddle, name.width()));
    if (!of.remark.isEmpty()) {
        const double room = width() - area.left() - kSide;
        painter.setPen(theme.color(Ink::MutedText));
        painter.drawText(QRectF(area.left(), top, room, height), Qt::AlignLeft | Qt::AlignVCenter, metrics.elidedText(of.remark, Qt::ElideRight, room));
        return;
    }
    const QFont plain = painter.font();
    painter.setFont(Theme::numberFont(plain));
    for (int i = 0; i < m_series.size(); ++i) {
        const double value = of.values[static_cast<std::size_t>(i)];
        painter.fillRect(barRect(row, i), theme.seriesColor(i));
        painter.setPen(theme.color(Ink::Text));
        painter.drawText(QRectF(area.left() + area.width() * fraction(value) + 4, top + i * barHeight(), width(), barHeight()), Qt::AlignLeft | Qt::AlignVCenter,
                         std::isfinite(value) ? m_format(value) : QStringLiteral("–"));
    }
    painter.setFont(plain);
}

void GroupedBars::paintFigure(QPainter& painter) const
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
    paintLegend(painter);
    for (int row = 0; row < static_cast<int>(m_rows.size()); ++row)
        paintRow(painter, row);
}

QString GroupedBars::figureCsv() const
{
    QString text = QStringLiteral("row");
    for (const QString& name : m_series)
        text += QLatin1Char(',') + csvField(m_unit.isEmpty() ? name : QStringLiteral("%1 [%2]").arg(name, m_unit));
    text += QStringLiteral(",remark\n");
    for (const auto& row : m_rows) {
        text += csvField(row.label);
        for (const double value : row.values)
            text += QLatin1Char(',') + exact(value);
        text += QLatin1Char(',') + csvField(row.remark) + QLatin1Char('\n');
    }
    return text;
}

} // namespace tamis::views
