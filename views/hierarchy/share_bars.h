// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/common/figure.h"

#include <QString>
#include <QWidget>

#include <vector>

namespace tamis::views {

/// Where something goes: one bar of the whole width a row, cut into parts.
class ShareBars : public QWidget, public Figure {
    Q_OBJECT
public:
    struct Part {
        QString name;
        double value = 0;
        int series = -1; ///< its colour; -1: that of the baseline
    };
    struct Row {
        QString label, total; ///< total: in words, behind the label
        std::vector<Part> parts;
    };
    explicit ShareBars(QWidget* parent = nullptr);
    void setRows(const std::vector<Row>& rows); ///< the same parts in each
    const std::vector<Row>& rows() const noexcept { return m_rows; }
    void setCaption(const QString& settings) { m_caption = settings; }
    QRectF partRect(int row, int part) const; ///< this widget's pixels; empty where there is nothing

    QSize minimumSizeHint() const override;
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override;
    QString figureCaption() const override { return m_caption; }

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;

private:
    double textHeight() const;
    std::vector<Row> m_rows;
    QString m_caption;
    QPointF m_pointer;
    bool m_inside = false;
};

} // namespace tamis::views
