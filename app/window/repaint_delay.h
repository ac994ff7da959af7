// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include <QObject>
#include <QPointer>
#include <QTimer>
#include <QWidget>

#include <chrono>

namespace tamis::app {

/// Lets a window's next repaint wait for a picture that comes in a few milliseconds, so that an edit and its first picture are one
/// repaint: as long as the edit alone is painted, some 20 ms for a page of charts, its picture waits. GUI thread.
class RepaintDelay : public QObject {
public:
    /// Nothing waits longer than `longest` after the await() that began it.
    explicit RepaintDelay(std::chrono::milliseconds longest = std::chrono::milliseconds(20), QObject* parent = nullptr);
    ~RepaintDelay() override { release(); }

    void await(QWidget* shown); ///< a picture for `shown` was asked for
    void release();             ///< it is there, or none comes

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    QPointer<QWidget> m_window; ///< whose repaints wait
    QTimer m_timer;             ///< runs while they do
    bool m_held = false;        ///< one waits
    bool m_owed = false;        ///< one has waited and must not wait again
};

} // namespace tamis::app
