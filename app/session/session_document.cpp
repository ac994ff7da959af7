// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session/session_document.h"

#include <QUndoCommand>

namespace tamis::app {

class SessionDocument::Step : public QUndoCommand
{
public:
    Step(SessionDocument& document, const QString& label, int mergeId, SessionState before, SessionState after)
        : QUndoCommand(label), m_document(document), m_mergeId(mergeId), m_before(std::move(before)), m_after(std::move(after))
    {
    }
    void redo() override { m_document.assign(m_after, !std::exchange(m_first, false)); }
    void undo() override { m_document.assign(m_before, true); }
    int id() const override { return m_mergeId; }
    bool mergeWith(const QUndoCommand* other) override
    {
        const auto* next = static_cast<const Step*>(other);
        m_after = next->m_after;
        setObsolete(m_after == m_before);
        return true;
    }

private:
    SessionDocument& m_document;
    int m_mergeId;
    bool m_first = true;
    SessionState m_before, m_after;
};

SessionDocument::SessionDocument(QObject* parent) : QObject(parent) { m_stack.setUndoLimit(500); }

void SessionDocument::change(const QString& label, const QString& mergeKey, const std::function<void(SessionState&)>& edit)
{
    SessionState after = m_state;
    edit(after);
    if (after == m_state)
        return;
    // QUndoStack merges steps of equal id: one id for each key and round. -1 never merges.
    const int mergeId = mergeKey.isEmpty() ? -1 : static_cast<int>((qHash(mergeKey) ^ (static_cast<std::size_t>(m_mergeRound) * 7919)) & 0x3fffffff);
    m_stack.push(new Step(*this, label, mergeId, m_state, std::move(after)));
}

void SessionDocument::select(const std::function<void(Selection&)>& edit)
{
    SessionState after = m_state;
    edit(after.selection);
    if (!(after == m_state))
        assign(after, false);
}

void SessionDocument::reset(const SessionState& state)
{
    m_stack.clear();
    assign(state, false);
    m_stack.setClean();
}

void SessionDocument::assign(const SessionState& state, bool keepSelection)
{
    const SessionState before = m_state;
    m_state = state;
    if (keepSelection)
        m_state.selection = before.selection;
    emit stateChanged(before, m_state);
}

} // namespace tamis::app
