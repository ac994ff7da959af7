// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session/session_document.h"

#include <QUndoCommand>

#include <utility>

namespace tamis::app {
namespace {
bool differOnlyInSelection(const SessionState& before, SessionState after)
{
    after.selection = before.selection;
    return after == before;
}
} // namespace

class SessionDocument::Step : public QUndoCommand
{
public:
    Step(SessionDocument& document, const QString& label, int mergeId, SessionState before, SessionState after)
        : QUndoCommand(label), m_document(document), m_mergeId(mergeId), m_before(std::move(before)), m_after(std::move(after))
    {
    }
    void redo() override
    {
        const bool again = !std::exchange(m_first, false);
        if (again)
            m_document.endMerge();
        m_document.assign(m_after, again);
    }
    void undo() override
    {
        m_document.endMerge();
        m_document.assign(m_before, true);
    }
    int id() const override { return m_mergeId; }
    bool mergeWith(const QUndoCommand* other) override
    {
        const auto* next = static_cast<const Step*>(other);
        m_after = next->m_after;
        setObsolete(differOnlyInSelection(m_before, m_after));
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
    if (differOnlyInSelection(m_state, after)) {
        select([&after](Selection& selection) { selection = after.selection; });
        return;
    }
    if (mergeKey.isEmpty() || mergeKey != m_mergeKey)
        ++m_mergeId;
    m_mergeKey = mergeKey;
    m_stack.push(new Step(*this, label, mergeKey.isEmpty() ? -1 : m_mergeId, m_state, std::move(after))); // -1 never merges
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
    endMerge();
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
