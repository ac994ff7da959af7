// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/heat_map.h"

#include "views/common/figure_export.h"
#include "views/common/number_format.h"
#include "views/common/theme.h"

#include <QKeyEvent>
#include <QMouseEvent>

#include <algorithm>
#include <cmath>

namespace tamis::views {

HeatMap::HeatMap(QWidget* parent) : QWidget(parent)
{
    setMouseTracking(true);
    setFocusPolicy(Qt::StrongFocus);
    setAccessibleName(tr("Heat map"));
    m_emptyText = tr("Nothing to show yet.");
    connect(&Theme::instance(), &Theme::changed, this, qOverload<>(&QWidget::update));
}

bool HeatMap::isEmpty() const noexcept
{
    return m_grid.rows <= 0 || m_grid.columns <= 0 ||
           m_grid.values.size() != static_cast<std::size_t>(m_grid.rows) * static_cast<std::size_t>(m_grid.columns);
}

void HeatMap::setGrid(const HeatGrid& grid)
{
    m_grid = grid;
    m_hovered.reset();
    if (isEmpty() || (m_selected && (m_selected->first >= m_grid.rows || m_selected->second >= m_grid.columns)))
        m_selected.reset();
    double low = INFINITY, high = -INFINITY;
    for (const double v : m_grid.values)
        if (std::isfinite(v)) {
            low = std::min(low, v);
            high = std::max(high, v);
        }
    if (low > high)
        low = high = 0;
    if (m_grid.diverging) {
        high = std::max(std::abs(low), std::abs(high));
        low = -high;
    } else if (m_grid.fromZero) {
        low = std::min(low, 0.0);
    }
    m_low = low;
    m_high = high > low ? high : low + 1;
    setAccessibleDescription(isEmpty() ? m_emptyText : tr("%1 from %2 to %3").arg(m_grid.valueTitle, formatNumber(m_low), formatNumber(m_high)));
    update();
}

void HeatMap::setEmptyText(const QString& text)
{
    m_emptyText = text;
    update();
}

void HeatMap::setSelected(std::optional<std::pair<int, int>> cell)
{
    m_selected = cell && !isEmpty() && cell->first >= 0 && cell->first < m_grid.rows && cell->second >= 0 && cell->second < m_grid.columns
                     ? cell : std::nullopt;
    update();
}

void HeatMap::setBadges(const std::vector<std::pair<int, int>>& cells)
{
    m_badges = cells;
    update();
}

void HeatMap::setMarkedColumn(int column)
{
    m_marked = column;
    update();
}

void HeatMap::choose(int row, int column)
{
    setSelected({{row, column}});
    setAccessibleDescription(tr("%1 %2, %3 %4: %5").arg(m_grid.rowTitle, label(m_grid.rowLabels, row), m_grid.columnTitle,
                                                        label(m_grid.columnLabels, column), formatNumber(value(row, column))));
    emit cellSelected(row, column);
}

QString HeatMap::label(const QStringList& labels, int index) const { return index < labels.size() ? labels[index] : QString::number(index); }

QColor HeatMap::colorOf(double v) const
{
    const double t = (v - m_low) / (m_high - m_low);
    return m_grid.diverging ? Theme::instance().divergingColor(t) : Theme::sequentialColor(t);
}

QColor HeatMap::cellColor(int row, int column) const
{
    const double v = value(row, column);
    return std::isfinite(v) ? colorOf(v) : Theme::instance().color(Ink::Grid);
}

HeatMap::Frame HeatMap::frame() const
{
    const QFontMetricsF metrics(Theme::smallFont(font()));
    const double line = metrics.height();
    double widest = 0;
    for (int row = 0; row < m_grid.rows; ++row)
        widest = std::max(widest, metrics.horizontalAdvance(label(m_grid.rowLabels, row)));
    const double left = (m_grid.rowTitle.isEmpty() ? 0 : line + 4) + std::min(widest, width() / 3.0) + 10;
    const double numbers = std::max(metrics.horizontalAdvance(formatNumber(m_low, 3)), metrics.horizontalAdvance(formatNumber(m_high, 3)));
    const double right = 12 + 14 + 6 + numbers + (m_grid.valueTitle.isEmpty() ? 0 : line + 4) + 6;
    const double bottom = line + 6 + (m_grid.columnTitle.isEmpty() ? 0 : line + 2) + 4;
    Frame f;
    f.cells = QRectF(left, 8, std::max(width() - left - right, 1.0), std::max(height() - 8 - bottom, 1.0));
    f.bar = QRectF(f.cells.right() + 12, f.cells.top(), 14, f.cells.height());
    return f;
}

QRectF HeatMap::cellRect(int row, int column) const
{
    const QRectF cells = frame().cells;
    const double w = cells.width() / m_grid.columns, h = cells.height() / m_grid.rows;
    return {cells.left() + column * w, cells.top() + row * h, w, h};
}

std::optional<std::pair<int, int>> HeatMap::cellAt(const QPointF& position) const
{
    if (isEmpty())
        return std::nullopt;
    const QRectF cells = frame().cells;
    if (!cells.contains(position))
        return std::nullopt;
    return {{std::min(static_cast<int>((position.y() - cells.top()) / cells.height() * m_grid.rows), m_grid.rows - 1),
             std::min(static_cast<int>((position.x() - cells.left()) / cells.width() * m_grid.columns), m_grid.columns - 1)}};
}

QStringList HeatMap::hoverLines() const
{
    if (!m_hovered)
        return {};
    const auto [row, column] = *m_hovered;
    return {QStringLiteral("%1 %2, %3 %4").arg(m_grid.rowTitle, label(m_grid.rowLabels, row), m_grid.columnTitle, label(m_grid.columnLabels, column)),
            QStringLiteral("%1  %2").arg(m_grid.valueTitle, formatNumber(value(row, column)))};
}

void HeatMap::mouseMoveEvent(QMouseEvent* event)
{
    m_hovered = cellAt(event->position());
    setCursor(m_hovered ? Qt::PointingHandCursor : Qt::ArrowCursor);
    update();
}

void HeatMap::mousePressEvent(QMouseEvent* event)
{
    if (event->button() != Qt::LeftButton)
        return;
    if (const auto cell = cellAt(event->position()))
        choose(cell->first, cell->second);
}

void HeatMap::keyPressEvent(QKeyEvent* event)
{
    const auto walk = [&](int rows, int columns) {
        if (isEmpty())
            return;
        const auto [row, column] = m_selected.value_or(std::pair{0, 0});
        if (m_selected)
            choose(std::clamp(row + rows, 0, m_grid.rows - 1), std::clamp(column + columns, 0, m_grid.columns - 1));
        else
            choose(0, 0);
    };
    switch (event->key()) {
    case Qt::Key_Left: return walk(0, -1);
    case Qt::Key_Right: return walk(0, 1);
    case Qt::Key_Up: return walk(-1, 0);
    case Qt::Key_Down: return walk(1, 0);
    case Qt::Key_Escape:
        setSelected(std::nullopt);
        emit selectionCleared();
        return;
    default: QWidget::keyPressEvent(event);
    }
}

void HeatMap::leaveEvent(QEvent*)
{
    m_hovered.reset();
    update();
}

void HeatMap::focusInEvent(QFocusEvent* event)
{
    QWidget::focusInEvent(event);
    update();
}

void HeatMap::focusOutEvent(QFocusEvent* event)
{
    QWidget::focusOutEvent(event);
    update();
}

QString HeatMap::figureCsv() const
{
    QString text = QStringList{csvField(m_grid.rowTitle), csvField(m_grid.columnTitle), csvField(m_grid.valueTitle)}.join(QLatin1Char(',')) + QLatin1Char('\n');
    if (isEmpty())
        return text;
    for (int row = 0; row < m_grid.rows; ++row)
        for (int column = 0; column < m_grid.columns; ++column)
            text += QStringList{csvField(label(m_grid.rowLabels, row)), csvField(label(m_grid.columnLabels, column)),
                                std::isfinite(value(row, column)) ? QString::number(value(row, column), 'g', 12) : QString()}
                        .join(QLatin1Char(',')) + QLatin1Char('\n');
    return text;
}

} // namespace tamis::views
