// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/cache_size_report.h"
#include "views/common/figure.h"

#include <QStringList>
#include <QWidget>

#include <optional>

namespace tamis::views {

/// What left a cache, and when it was wanted again: an upright bar for each doubling of the requests between, then what never came again (rightly
/// evicted), and apart from them what left without a hit since it entered. Hover says how many.
class OutcomeBars : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit OutcomeBars(QWidget* parent = nullptr);

    void setOutcome(const std::optional<report::EvictionOutcome>& outcome); ///< nothing: none yet
    void setCaption(const QString& settings) { m_caption = settings; }
    int bars() const; ///< those by 2^i, then "never", then "unused"
    QRectF barRect(int bar) const; ///< this widget's pixels; no height: none
    QStringList hoverLines() const; ///< of the bar under the pointer

    QSize minimumSizeHint() const override { return {220, 130}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override;
    QString figureCaption() const override { return m_caption; }

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;

private:
    std::uint64_t count(int bar) const;
    QString label(int bar) const;
    QString meaning(int bar) const;
    QRectF area() const;
    double slot() const; ///< width, with the gap before the last bar

    std::optional<report::EvictionOutcome> m_outcome;
    int m_hovered = -1;
    QPointF m_pointer;
    QString m_caption;
};

} // namespace tamis::views
