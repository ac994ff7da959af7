// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/common/figure.h"
#include "views/lowrank/comparison_measure.h"

#include <QList>
#include <QStringList>
#include <QWidget>

#include <memory>
#include <vector>

namespace tamis::views {

/// The configurations of a comparison: cost to the right, quality upwards, one colour and line a method, the front behind them,
/// baselines as squares with their names. Hover shows a configuration; a click selects it, with Ctrl it joins the selection; with
/// focus Left and Right walk through them in the order of their cost.
class TradeOffChart : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit TradeOffChart(QWidget* parent = nullptr);

    void setComparison(std::shared_ptr<const report::MethodComparison> comparison); ///< null: none
    void setUnit(CostUnit unit);
    CostUnit unit() const noexcept { return m_unit; }
    void setMeasure(ComparisonMeasure measure);
    ComparisonMeasure measure() const noexcept { return m_measure; }
    void setSelectedRows(const QList<int>& rows); ///< without a signal
    const QList<int>& selectedRows() const noexcept { return m_selected; }
    void setEmptyText(const QString& text);

    bool isLogarithmic() const; ///< the quality's axis
    int shownPoints() const;    ///< rows with both values
    QPointF toPixel(int row) const; ///< in this widget's coordinates; the row must have both values
    QStringList hoverLines() const; ///< of the point under the pointer, or walked to; empty without one

    QSize minimumSizeHint() const override { return {280, 150}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override; ///< a row a configuration with every cost and measure
    QString figureCaption() const override;

signals:
    void rowsSelected(const QList<int>& rows); ///< by the user

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    struct Point {
        int row = 0;
        double cost = 0, value = 0;
    };
    struct Frame {
        QRectF area, legend;
        double xLow = 0, xHigh = 1, yLow = 0, yHigh = 1; ///< y as drawn: log10 on a logarithmic axis
        bool logarithmic = false;
    };
    void rebuild();
    Frame frame() const;
    std::vector<double> yTicks(const Frame& frame) const; ///< values
    double place(const Frame& frame, double value) const; ///< pixel of a quality
    QPointF place(const Frame& frame, const Point& point) const;
    QColor colorOf(int row) const;
    int pointAt(const QPointF& position) const; ///< index into m_points; -1: none
    void draw(QPainter& painter, bool interactive) const;
    void drawAxes(QPainter& painter, const Frame& frame) const;
    void drawLines(QPainter& painter, const Frame& frame) const;
    void drawPoints(QPainter& painter, const Frame& frame) const;
    void drawLegend(QPainter& painter, const Frame& frame) const;
    void drawHover(QPainter& painter, const Frame& frame) const;
    const report::ComparisonRow& row(int index) const { return m_comparison->rows[static_cast<std::size_t>(index)]; }

    std::shared_ptr<const report::MethodComparison> m_comparison;
    std::vector<Point> m_points; ///< by cost
    std::vector<bool> m_front;   ///< a row
    std::vector<int> m_colors;   ///< a row
    CostUnit m_unit = CostUnit::Parameters;
    ComparisonMeasure m_measure = ComparisonMeasure::HeldOutLoss;
    QList<int> m_selected;
    int m_hovered = -1; ///< row
    QString m_emptyText;
};

} // namespace tamis::views
