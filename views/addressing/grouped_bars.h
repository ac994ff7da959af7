// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/common/figure.h"

#include <QString>
#include <QStringList>
#include <QWidget>

#include <functional>
#include <vector>

namespace tamis::views {

/// One row: a bar for each series.
struct BarRow {
    QString label;
    std::vector<double> values; ///< one a series; NaN: no bar
    QString remark;             ///< instead of bars, where there are none: why
};

/// Rows of horizontal bars from a common start. Logarithmic: from the decade below the smallest value; values that are not positive have no bar.
class GroupedBars : public QWidget, public Figure {
    Q_OBJECT
public:
    using Format = std::function<QString(double value)>;
    explicit GroupedBars(QWidget* parent = nullptr);

    void setBars(const QStringList& series, const std::vector<BarRow>& rows);
    const std::vector<BarRow>& rows() const noexcept { return m_rows; }
    void setFormat(Format format, const QString& unit); ///< of values as they are shown; unit of those in tables
    void setLogarithmic(bool logarithmic);
    void setEmptyText(const QString& text);
    void setCaption(const QString& settings) { m_caption = settings; }
    QRectF barRect(int row, int series) const; ///< this widget's pixels; empty where there is none

    QSize minimumSizeHint() const override;
    QSize sizeHint() const override { return minimumSizeHint().expandedTo({420, 0}); }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override;
    QString figureCaption() const override { return m_caption; }

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    double barHeight() const;
    double rowHeight() const;
    double rowTop(int row) const;
    QRectF barArea() const;
    double fraction(double value) const; ///< 0..1 of the area's width
    void measure();
    void paintLegend(QPainter& painter) const;
    void paintRow(QPainter& painter, int row) const;

    QStringList m_series;
    std::vector<BarRow> m_rows;
    Format m_format;
    QString m_unit, m_emptyText, m_caption;
    bool m_logarithmic = false;
    double m_low = 0, m_high = 1;
};

} // namespace tamis::views
