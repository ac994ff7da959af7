// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "app/session/session_state.h"

#include <QObject>
#include <QUndoStack>

#include <functional>

namespace tamis::app {

/// Holds the state of the session and its undo history. Everything that changes the state goes through here.
class SessionDocument : public QObject
{
    Q_OBJECT
public:
    explicit SessionDocument(QObject* parent = nullptr);

    const SessionState& state() const noexcept { return m_state; }
    QUndoStack& undoStack() noexcept { return m_stack; }
    bool isModified() const { return !m_stack.isClean(); }

    /// An undoable change. Changes in a row with the same non-empty `mergeKey` become one step (a slider drag) until
    /// endMerge(); a drag that comes back to where it began leaves no step. No change, no step.
    void change(const QString& label, const QString& mergeKey, const std::function<void(SessionState&)>& edit);
    void endMerge() { ++m_mergeRound; }
    /// Not undoable: what is looked at.
    void select(const std::function<void(Selection&)>& edit);
    /// A new or opened session: history starts over.
    void reset(const SessionState& state);
    void markSaved() { m_stack.setClean(); }

signals:
    void stateChanged(const tamis::app::SessionState& before, const tamis::app::SessionState& after);

private:
    class Step;
    void assign(const SessionState& state, bool keepSelection);
    SessionState m_state;
    QUndoStack m_stack;
    int m_mergeRound = 0;
};

} // namespace tamis::app
