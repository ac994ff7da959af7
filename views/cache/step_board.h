// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/cache/step_playback.h"
#include "views/common/figure.h"

#include <QStringList>
#include <QWidget>

namespace tamis::views {

/// A cache's cells as coloured squares with the object's name: each object keeps its colour and its cell while it stays. The object of the last
/// request has a frame, and in the cell of one that has just left a corner says which.
class StepBoard : public QWidget, public Figure {
    Q_OBJECT
public:
    explicit StepBoard(QWidget* parent = nullptr);

    StepPlayback& playback() noexcept { return m_playback; }
    const StepPlayback& playback() const noexcept { return m_playback; }
    void moved();           ///< the playback has another report or position
    QString title() const;  ///< policy and settings
    QString outcome() const; ///< what the last request did, in a sentence; empty: none yet
    void setCaption(const QString& settings) { m_caption = settings; }
    QRectF cellRect(int cell) const;  ///< this widget's pixels
    QColor cellColour(int cell) const; ///< of a free one: the panel's
    QStringList hoverLines() const;   ///< of the cell under the pointer

    QSize minimumSizeHint() const override { return {240, 180}; }
    QSize figureSize() const override { return size(); }
    void paintFigure(QPainter& painter) const override;
    QString figureCsv() const override; ///< the steps: request, object, hit, evicted, why, wanted again in
    QString figureCaption() const override { return m_caption; }

protected:
    void paintEvent(QPaintEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;

private:
    int columns() const;
    QRectF area() const;
    void paintCell(QPainter& painter, int cell) const;

    StepPlayback m_playback;
    int m_hovered = -1;
    QPointF m_pointer;
    QString m_caption;
};

} // namespace tamis::views
