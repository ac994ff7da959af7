// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/repaint_delay.h"

#include <QCoreApplication>
#include <QEvent>

#include <utility>

namespace tamis::app {

RepaintDelay::RepaintDelay(std::chrono::milliseconds longest, QObject* parent) : QObject(parent)
{
    m_timer.setSingleShot(true);
    m_timer.setTimerType(Qt::PreciseTimer);
    m_timer.setInterval(longest);
    connect(&m_timer, &QTimer::timeout, this, &RepaintDelay::release);
}

void RepaintDelay::await(QWidget* shown)
{
    if (m_timer.isActive())
        return;
    if (m_window != shown->window()) {
        release();
        if (m_window)
            m_window->removeEventFilter(this);
        m_window = shown->window();
        m_window->installEventFilter(this);
        m_owed = false;
    }
    m_timer.start();
}

void RepaintDelay::release()
{
    m_timer.stop();
    if (!std::exchange(m_held, false) || !m_window)
        return;
    m_owed = true;
    QCoreApplication::postEvent(m_window, new QEvent(QEvent::UpdateRequest), Qt::LowEventPriority); // as Qt asks for a repaint
}

bool RepaintDelay::eventFilter(QObject* watched, QEvent* event)
{
    if (watched != m_window || event->type() != QEvent::UpdateRequest)
        return QObject::eventFilter(watched, event);
    m_held = m_timer.isActive() && !m_owed;
    m_owed = false;
    return m_held;
}

} // namespace tamis::app
