// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/jobs/lane.h"

#include <QTimer>
#include <QWidget>

class QProgressBar;
class QToolButton;

namespace tamis::app {

/// A lane's progress with a button that stops it, for a status bar: shows itself once work has taken a moment, and hides when it is over.
class LaneProgress : public QWidget
{
    Q_OBJECT
public:
    explicit LaneProgress(const QString& accessibleName, QWidget* parent = nullptr);
    void follow(LaneCore& lane); ///< once; not owned

private:
    QProgressBar* m_bar;
    QToolButton* m_stop;
    QTimer m_delay;
};

} // namespace tamis::app
