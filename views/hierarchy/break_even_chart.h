// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/common/figure.h"

#include <QString>
#include <QWidget>

#include <vector>

namespace tamis::views {

/// Times on a logarithmic axis, one row each, against the time of recomputing as a line: what is right of it does not pay.
class BreakEvenChart : public QWidget, public Figure {
    Q_OBJECT
public:
    struct Row {
        QString label;
        double ns = 0;   ///< above 0 to be shown
        int series = -1; ///< its colour; -1: of text
    };
    explicit BreakEvenChart(QWidget* parent = nullptr);
    void setTimes(const std::vector<Row>& rows, double recomputeNs); ///< no row: nothing
    const std::vector<Row>& rows() const noexcept { return m_rows; }
    void setCaption(const QString& settings) { m_caption = settings; }
    double pixelOf(double ns) const; ///< x in this widget
    QRectF barRect(int row) const;   ///< from the axis to the time

    QSize minimumSizeHint() const override;
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override;
    QString figureCaption() const override { return m_caption; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    void paintRecomputing(QPainter& painter, double bottom) const; ///< the line that hits are against
    double rowHeight() const;
    QRectF area() const;
    std::vector<Row> m_rows;
    double m_recompute = 0, m_low = 1, m_high = 10;
    QString m_caption;
};

} // namespace tamis::views
