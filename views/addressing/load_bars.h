// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/common/figure.h"

#include <QString>
#include <QStringList>
#include <QWidget>

#include <vector>

namespace tamis::views {

/// The share of the tokens that chose each expert: one upright bar an expert, the even load as a line across. Hover names the expert.
class LoadBars : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit LoadBars(QWidget* parent = nullptr);

    void setLoad(const std::vector<double>& load); ///< [experts], 0..1
    const std::vector<double>& load() const noexcept { return m_load; }
    void setEmptyText(const QString& text);
    void setCaption(const QString& settings) { m_caption = settings; }
    QRectF barRect(int expert) const; ///< this widget's pixels
    double meanPixel() const;         ///< y of the line
    QStringList hoverLines() const;   ///< of the expert under the pointer

    QSize minimumSizeHint() const override { return {260, 140}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override;
    QString figureCaption() const override { return m_caption; }

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;

private:
    QRectF area() const;
    double most() const;

    std::vector<double> m_load;
    double m_mean = 0;
    int m_hovered = -1;
    QPointF m_pointer;
    QString m_emptyText, m_caption;
};

} // namespace tamis::views
