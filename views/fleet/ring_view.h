// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/common/figure.h"

#include <QPainterPath>
#include <QString>
#include <QWidget>

#include <cstdint>
#include <vector>

namespace tamis::views {

/// Devices around a circle, each with a bar outwards as long as what it was asked for, its hits the solid part; dashed: the mean. Hover names the device.
class RingView : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit RingView(QWidget* parent = nullptr);

    void setLoad(const std::vector<std::uint64_t>& requests, const std::vector<std::uint64_t>& hits, int leaving); ///< [devices] each; leaving: marked, -1: none
    void setCaption(const QString& settings) { m_caption = settings; }
    QPointF barMiddle(int device) const; ///< this widget's pixels
    double barLength(int device) const;  ///< pixels
    double meanLength() const;
    QStringList hoverLines() const;      ///< of the device under the pointer

    QSize minimumSizeHint() const override { return {240, 220}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override;
    QString figureCaption() const override { return m_caption; }

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;

private:
    double radius() const; ///< of the circle that bars stand on
    double room() const;   ///< that the longest bar has
    double length(double requests) const;
    QPainterPath bar(int device, double from, double to) const;

    std::vector<std::uint64_t> m_requests, m_hits;
    double m_mean = 0, m_most = 1;
    int m_leaving = -1, m_hovered = -1;
    QPointF m_pointer;
    QString m_caption;
};

} // namespace tamis::views
