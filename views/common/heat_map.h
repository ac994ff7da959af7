// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/common/figure.h"

#include <QStringList>
#include <QWidget>

#include <optional>
#include <utility>
#include <vector>

namespace tamis::views {

/// Values on a grid. NaN: an empty cell.
struct HeatGrid {
    int rows = 0, columns = 0;
    std::vector<double> values;             ///< [rows * columns], row by row; row 0 on top
    QString rowTitle, columnTitle, valueTitle; ///< with units
    QStringList rowLabels, columnLabels;    ///< empty: the index
    bool diverging = false;                 ///< around 0, the same span on both sides
    bool fromZero = true;                   ///< of a sequential map: the scale starts at 0, not at the least value
    bool operator==(const HeatGrid&) const = default;
};

/// A heat map with a colour bar. Numbers stand in the cells where they fit. Hover shows the value, a click selects a cell; with
/// focus the arrow keys walk and Escape selects nothing.
class HeatMap : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit HeatMap(QWidget* parent = nullptr);

    /// The selection stays where the grid still has that cell. `values` of another size than rows x columns shows nothing.
    void setGrid(const HeatGrid& grid);
    const HeatGrid& grid() const noexcept { return m_grid; }
    void setEmptyText(const QString& text);
    void setCaption(const QString& settings) { m_caption = settings; }
    void setSelected(std::optional<std::pair<int, int>> cell); ///< row, column; without a signal
    std::optional<std::pair<int, int>> selected() const noexcept { return m_selected; }
    void setBadges(const std::vector<std::pair<int, int>>& cells); ///< row, column of cells with a mark in a corner; in pictures, too
    const std::vector<std::pair<int, int>>& badges() const noexcept { return m_badges; }
    void setMarkedColumn(int column); ///< brushed elsewhere: outlined as a whole; -1: none
    int markedColumn() const noexcept { return m_marked; }
    bool isEmpty() const noexcept;

    QRectF cellRect(int row, int column) const; ///< in this widget's pixels
    QColor cellColor(int row, int column) const;
    QStringList hoverLines() const; ///< of the cell under the pointer; empty without one
    std::pair<double, double> range() const noexcept { return {m_low, m_high}; } ///< of the colour bar

    QSize minimumSizeHint() const override { return {180, 120}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override; ///< row, column, value
    QString figureCaption() const override { return m_caption; }

signals:
    void cellSelected(int row, int column); ///< by the user
    void selectionCleared();

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    struct Frame {
        QRectF cells, bar;
    };
    Frame frame() const;
    double value(int row, int column) const { return m_grid.values[static_cast<std::size_t>(row * m_grid.columns + column)]; }
    QString label(const QStringList& labels, int index) const;
    std::optional<std::pair<int, int>> cellAt(const QPointF& position) const;
    void choose(int row, int column);
    QColor colorOf(double value) const;
    void draw(QPainter& painter, bool interactive) const;
    void drawCells(QPainter& painter, const Frame& frame) const;
    void drawBadges(QPainter& painter) const;
    void drawLabels(QPainter& painter, const Frame& frame) const;
    void drawBar(QPainter& painter, const Frame& frame) const;
    void drawHover(QPainter& painter) const;

    HeatGrid m_grid;
    double m_low = 0, m_high = 1;
    int m_marked = -1;
    std::vector<std::pair<int, int>> m_badges;
    std::optional<std::pair<int, int>> m_selected, m_hovered;
    QString m_emptyText, m_caption;
};

} // namespace tamis::views
