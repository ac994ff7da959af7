// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/common/figure.h"

#include <QStringList>
#include <QWidget>

#include <vector>

namespace tamis::views {

/// The rms of every feature of one site as thin columns. Features beyond kOutlier times the median stand out in another colour
/// and the largest are named. Where features are narrower than a pixel, a pixel shows the largest of its features. Hover tells.
class FeatureStrip : public QWidget, public Figure {
    Q_OBJECT
public:
    static constexpr double kOutlier = 6;

    explicit FeatureStrip(QWidget* parent = nullptr);
    void setFeatures(const QString& site, const std::vector<float>& rms); ///< [features]; not finite: left out
    void setEmptyText(const QString& text);
    double median() const noexcept { return m_median; }
    const std::vector<int>& outliers() const noexcept { return m_outliers; } ///< strongest first
    QRectF columnRect(int feature) const;  ///< in this widget's pixels
    QStringList hoverLines() const;

    QSize minimumSizeHint() const override { return {200, 70}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override;
    QString figureCaption() const override { return m_site; }

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;

private:
    QRectF area() const;
    void draw(QPainter& painter, bool interactive) const;
    void drawColumns(QPainter& painter, const QRectF& area) const;
    void drawScale(QPainter& painter, const QRectF& area) const;
    void drawNames(QPainter& painter, const QRectF& area) const;
    void drawHover(QPainter& painter, const QRectF& area) const;

    QString m_site, m_emptyText;
    std::vector<float> m_rms;
    std::vector<int> m_outliers;
    double m_median = 0, m_largest = 0;
    int m_hovered = -1;
};

} // namespace tamis::views
