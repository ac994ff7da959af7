// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "views/cache/step_playback.h"

#include <QWidget>

namespace tamis::views {

/// Requests before and after the present one, as a tape: a tick below those that hit. A click goes there.
class StepTape : public QWidget {
    Q_OBJECT
public:
    explicit StepTape(QWidget* parent = nullptr);
    void show(const StepPlayback* playback); ///< outlives the tape; nullptr: none. Also after it moved
    QRectF requestRect(int step) const;      ///< this widget's pixels; empty: out of sight

    QSize minimumSizeHint() const override;
    QSize sizeHint() const override { return minimumSizeHint(); }

signals:
    void stepClicked(int position); ///< so many steps are behind

protected:
    void paintEvent(QPaintEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;

private:
    const StepPlayback* m_playback = nullptr;
};

} // namespace tamis::views
