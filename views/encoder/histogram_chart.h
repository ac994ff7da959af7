// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/histogram.h"
#include "views/common/figure.h"

#include <QStringList>
#include <QWidget>

#include <cstdint>
#include <optional>

namespace tamis::views {

struct HistogramAxes {
    QString xTitle, yTitle;  ///< with units; yTitle is also the counts' name in tables
    bool logX = false;       ///< edges must be above 0
    bool places = false;     ///< x are places 1, 2, ...: bins are named by the whole places in them
    bool percent = false;    ///< x are shares of 1
    bool operator==(const HistogramAxes&) const = default;
};

/// Bars over bins. A cut, if there is one, stands after that many places and is dragged with the mouse; what lies beyond it is drawn in the
/// colour of losses. Hover shows a bin's count and share; with focus Left and Right move the cut by one, with Shift by a tenth.
class HistogramChart : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit HistogramChart(QWidget* parent = nullptr);

    void setHistogram(const report::Histogram& histogram);
    const report::Histogram& histogram() const noexcept { return m_histogram; }
    void setAxes(const HistogramAxes& axes);
    void setCut(std::optional<std::int64_t> cut, const QString& label = {}); ///< from 0; no cutMoved
    std::optional<std::int64_t> cut() const noexcept { return m_cut; }
    void setEmptyText(const QString& text);
    void setCaption(const QString& settings) { m_caption = settings; }

    QRectF barRect(int bin) const;           ///< in this widget's coordinates
    double cutPixel() const;                 ///< x of the cut; there must be one
    QPointF cutHandle(std::int64_t cut) const; ///< where the line would stand, at half of the height
    QStringList hoverLines() const;          ///< of the bin under the pointer; empty without one

    QSize minimumSizeHint() const override { return {200, 120}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override; ///< from, to, count
    QString figureCaption() const override { return m_caption; }

signals:
    void cutMoved(qlonglong cut, bool finished); ///< by the user

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void leaveEvent(QEvent* event) override;
    void focusInEvent(QFocusEvent* event) override;
    void focusOutEvent(QFocusEvent* event) override;

private:
    QRectF area() const;
    double toPixel(double x) const;
    double fromPixel(double pixel) const;
    std::int64_t most() const; ///< counts in a bin
    bool nearCut(const QPointF& position) const;
    void moveCut(std::int64_t cut, bool finished);
    QString edgeText(double x) const;
    QString binText(int bin) const;
    void draw(QPainter& painter, bool interactive) const;
    void drawAxes(QPainter& painter, const QRectF& area) const;
    void drawBars(QPainter& painter, const QRectF& area) const;

    report::Histogram m_histogram;
    HistogramAxes m_axes;
    std::optional<std::int64_t> m_cut;
    QString m_cutLabel, m_emptyText, m_caption;
    bool m_dragging = false;
    std::optional<int> m_hovered;
    QPointF m_pointer;
};

} // namespace tamis::views
