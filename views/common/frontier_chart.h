// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/common/figure.h"
#include "views/common/ink.h"

#include <QStringList>
#include <QWidget>

#include <functional>
#include <limits>
#include <string>
#include <vector>

namespace tamis::views {

/// What one point is worth against the others of its title; more is better in both, not a number: not measured.
struct FrontierWorth {
    std::string title;
    double first = 0, second = 0;
};
/// Of each whether no other of its title is at least as good in both and better in one. Those without both: never.
std::vector<bool> frontiersOf(const std::vector<FrontierWorth>& worths);

struct FrontierAxis {
    QString title;
    double low = 0, high = 1;                                  ///< as drawn: log10 of the value on a logarithmic axis
    bool logarithmic = false;                                  ///< what is not above zero stands at `low`
    bool backwards = false;                                    ///< the least value to the right or on top
    double lastTick = std::numeric_limits<double>::infinity(); ///< values above it are not labelled
    std::function<QString(double)> format;
    bool bytes = false;                                        ///< labelled at powers of two

    double share(double value) const;        ///< of the axis' length from its origin
    std::vector<double> ticks(int most) const; ///< values to label
};

/// How the points of a series look and what joins them.
struct FrontierSeries {
    enum class Mark { Disc, Square, Diamond, Up, Down, Cross, Stroke };
    QString title; ///< in the legend
    Mark mark = Mark::Disc;
    int color = -1;            ///< of the theme's series; -1: `ink`
    Ink ink = Ink::Baseline;
    bool filled = true;        ///< points on the frontier and the legend's mark; other points are hollow
    Qt::PenStyle line = Qt::NoPen; ///< through the points on the frontier
    double lineWidth = 1.6;
    bool across = false;       ///< the line goes through each point from side to side instead

    QColor paint() const; ///< in the theme of now
};

struct FrontierPoint {
    int index = 0;          ///< of the owner's collection
    double x = 0, y = 0;    ///< values
    std::size_t series = 0;
    bool front = false; ///< on its series' frontier
};

/// What differs from chart to chart apart from the content.
struct FrontierHabits {
    QString widestTick, widestEntry; ///< room is kept for these whatever is shown
    double legendIndent = 20, legendRoom = 28; ///< pixels to an entry's words; beside them in all
    double ring = 9;          ///< radius around the point that is meant
    bool ringStays = false;   ///< around the point walked to, also without focus
    bool walkWraps = false;   ///< beyond the last point the first comes; else the walk ends there
    bool handOverPoints = false; ///< the pointer becomes a hand
};

/// Points of several series on two axes, each series with its frontier; a legend on the right. Hover shows a point's lines, a click makes
/// it current; with focus Left and Right walk through the points from left to right and Enter makes one current. Who derives from it says
/// what the points are.
class FrontierChart : public QWidget, public Figure {
    Q_OBJECT
public:
    void setEmptyText(const QString& text);
    int shownPoints() const noexcept { return static_cast<int>(m_points.size()); }
    QPointF toPixel(int index) const; ///< of the owner's collection; (-1, -1): it has no place
    QStringList hoverLines() const;   ///< of the point under the pointer, or walked to; else empty

    QSize minimumSizeHint() const override { return {320, 200}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;

signals:
    void pointActivated(int index); ///< of the owner's collection, by the user

protected:
    FrontierChart(const FrontierHabits& habits, const QString& emptyText, QWidget* parent);

    void setSeries(const std::vector<FrontierSeries>& series); ///< in the legend's order, also those without a point
    void setAxes(const FrontierAxis& x, const FrontierAxis& y);
    const FrontierAxis& xAxis() const noexcept { return m_x; }
    /// In any order; those that are not finite in both are left out. `count`: of the owner's collection. Nothing is hovered afterwards.
    void setPoints(const std::vector<FrontierPoint>& points, int count);
    const std::vector<FrontierPoint>& points() const noexcept { return m_points; } ///< that have a place, by x
    QPointF place(const QRectF& area, double x, double y) const;                   ///< values to pixels
    QRectF plotArea() const { return frame().area; }

    virtual QStringList linesOf(int index) const = 0;         ///< a point's hover text
    virtual QString emptyText() const { return m_emptyText; } ///< instead of the chart while isEmpty()
    virtual bool isEmpty() const { return m_points.empty(); }
    virtual void drawUnder(QPainter& painter, const QRectF& area) const; ///< above the axes, below the frontiers; nothing here
    virtual void drawOn(QPainter& painter, const FrontierPoint& point, const QPointF& at) const; ///< above a point's mark; nothing here
    virtual void drawOver(QPainter& painter, const QRectF& area) const; ///< above all points; nothing here

    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    struct Frame {
        QRectF area, legend;
    };
    Frame frame() const;
    int pointAt(const QPointF& position) const; ///< index of the owner's collection; -1: none
    void walk(int step);
    void draw(QPainter& painter, bool interactive) const;
    void drawAxes(QPainter& painter, const QRectF& area) const;
    void drawFrontiers(QPainter& painter, const QRectF& area) const;
    void drawPoints(QPainter& painter, const QRectF& area) const;
    void drawLegend(QPainter& painter, const QRectF& room) const;

    FrontierHabits m_habits;
    std::vector<FrontierSeries> m_series;
    std::vector<FrontierPoint> m_points;
    FrontierAxis m_x, m_y;
    int m_hovered = -1, m_walked = -1; ///< indices of the owner's collection
    QString m_emptyText;
};

} // namespace tamis::views
