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
    /// endMerge(), undo or redo; a drag that comes back to where it began leaves no step. No change, no step. What `edit` does to
    /// the selection is no step of its own, and undo leaves the selection as it is.
    void change(const QString& label, const QString& mergeKey, const std::function<void(SessionState&)>& edit);
    void endMerge() { m_mergeKey.clear(); }
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
    QString m_mergeKey; ///< of the step that the next change may join
    int m_mergeId = 0;  ///< one for each run of changes that merge
};

} // namespace tamis::app
