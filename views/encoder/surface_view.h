// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/recall_surface.h"
#include "core/report/series.h"
#include "views/common/figure.h"

#include <QImage>
#include <QStringList>
#include <QWidget>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

class QPainter;
class QPolygonF;

namespace tamis::views {

/// Recall of two-stage encoders as colour over the number of candidates (to the right) and the rank of the coarse scores (upwards), both
/// logarithmic. Solid lines are equal recall, dashed ones equal cost as a share of the exact encoder's; a star is the cheapest
/// setting that finds the share that is aimed for, a ring the present one. Colours between the measured settings are interpolated; hover, clicks
/// and keys only know measured ones: a click takes one, with focus the arrows walk through them and Enter takes one.
class SurfaceView : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit SurfaceView(QWidget* parent = nullptr);

    void setSurface(std::shared_ptr<const report::RecallSurface> surface); ///< null: none
    const std::shared_ptr<const report::RecallSurface>& surface() const noexcept { return m_surface; }
    void setMeasure(report::RecallMeasure measure);
    report::RecallMeasure measure() const noexcept { return m_measure; }
    void setCost(report::SurfaceCost cost);
    report::SurfaceCost cost() const noexcept { return m_cost; }
    void setAim(double share); ///< 0 to 1
    /// Rank and candidates of the encoder that is looked at; nothing where it has none.
    void setCurrent(const std::optional<std::pair<std::int64_t, std::int64_t>>& current);
    const std::optional<std::pair<std::int64_t, std::int64_t>>& current() const noexcept { return m_current; }
    void setEmptyText(const QString& text);
    void setCaption(const QString& settings) { m_caption = settings; }
    void setStale(bool stale); ///< a badge says so

    const report::RecallPoint* cheapest() const; ///< that reaches the aim; nullptr: none
    QPointF toPixel(double rank, double candidates) const; ///< in this widget's coordinates, clamped to the axes; (-1, -1) without a surface
    QStringList hoverLines() const; ///< of the measured setting under the pointer, or walked to; empty without one

    QSize minimumSizeHint() const override { return {360, 240}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override; ///< a row a setting with every recall and cost
    QString figureCaption() const override;

signals:
    void pointChosen(qlonglong rank, qlonglong candidates); ///< by the user

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
        QRectF area, bar, legend;
        double xLow = 0, xHigh = 1, yLow = 0, yHigh = 1; ///< log2 of candidates and ranks
    };
    struct Cell {
        std::size_t rank = 0, candidates = 0; ///< indices
        bool operator==(const Cell&) const = default;
    };
    bool isEmpty() const;
    Frame frame() const;
    QPointF place(const Frame& frame, double rank, double candidates) const;
    QPointF place(const Frame& frame, const report::Point& grid) const; ///< of isolines
    const report::RecallPoint& at(const Cell& cell) const { return m_surface->points[cell.rank * m_surface->candidates.size() + cell.candidates]; }
    std::optional<Cell> cellAt(const QPointF& position) const;
    double lowest() const; ///< of the colours
    QImage picture(const QSize& pixels) const;
    void choose(const Cell& cell);
    void draw(QPainter& painter, bool interactive) const;
    void drawAxes(QPainter& painter, const Frame& frame) const;
    void drawIsolines(QPainter& painter, const Frame& frame) const;
    void drawIsoline(QPainter& painter, const QPolygonF& line, bool dashed) const;
    void drawMarks(QPainter& painter, const Frame& frame, bool interactive) const;
    void drawBar(QPainter& painter, const Frame& frame) const;
    void drawLegend(QPainter& painter, const Frame& frame) const;

    std::shared_ptr<const report::RecallSurface> m_surface;
    report::RecallMeasure m_measure = report::RecallMeasure::Mean;
    report::SurfaceCost m_cost = report::SurfaceCost::Macs;
    double m_aim = 0.99;
    std::optional<std::pair<std::int64_t, std::int64_t>> m_current;
    std::optional<Cell> m_hovered, m_walked;
    bool m_stale = false;
    QString m_emptyText, m_caption;
};

QString recallMeasureTitle(report::RecallMeasure measure);
QString surfaceCostTitle(report::SurfaceCost cost);
QString formatSurfaceCost(report::SurfaceCost cost, double value);

} // namespace tamis::views
