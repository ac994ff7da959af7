// SPDX-License-Identifier: GPL-3.0-or-later
// Undo history: what is one step, what is none, what undo leaves alone.
#include "app/session/session_document.h"

#include <QSignalSpy>
#include <QTest>

#include <cmath>
#include <optional>

using namespace tamis;
using namespace tamis::app;

namespace {
std::function<void(SessionState&)> keepOf(double keep)
{
    return [keep](SessionState& state) { state.settings.budget.keep = keep; };
}
std::function<void(SessionState&)> alignmentOf(std::int64_t alignment)
{
    return [alignment](SessionState& state) { state.settings.budget.alignment = alignment; };
}
void drag(SessionDocument& document, std::initializer_list<double> keeps)
{
    for (const double keep : keeps)
        document.change("keep", "keep", keepOf(keep));
    document.endMerge();
}
} // namespace

class TstSessionDocument : public QObject
{
    Q_OBJECT
private slots:
    void eachChangeIsAStep()
    {
        SessionDocument document;
        document.change("Keep a half", {}, keepOf(0.5));
        document.change("Keep a quarter", {}, keepOf(0.25));
        QCOMPARE(document.undoStack().count(), 2);
        QCOMPARE(document.undoStack().undoText(), QString("Keep a quarter"));
        document.undoStack().undo();
        QCOMPARE(document.state().settings.budget.keep, 0.5);
        document.undoStack().undo();
        QVERIFY(document.state() == SessionState());
        document.undoStack().redo();
        document.undoStack().redo();
        QCOMPARE(document.state().settings.budget.keep, 0.25);
    }
    void aDragIsOneStep()
    {
        SessionDocument document;
        drag(document, {0.5, 0.4, 0.3});
        QCOMPARE(document.undoStack().count(), 1);
        QCOMPARE(document.state().settings.budget.keep, 0.3);
        document.undoStack().undo();
        QVERIFY(document.state() == SessionState());
        document.undoStack().redo();
        QCOMPARE(document.state().settings.budget.keep, 0.3);
    }
    void twoDragsAreTwoSteps()
    {
        SessionDocument document;
        drag(document, {0.5, 0.4});
        drag(document, {0.35, 0.3});
        QCOMPARE(document.undoStack().count(), 2);
        document.undoStack().undo();
        QCOMPARE(document.state().settings.budget.keep, 0.4);
    }
    void otherKeysAndPlainChangesEndARow()
    {
        SessionDocument document;
        document.change("keep", "keep", keepOf(0.5));
        document.change("alignment", "alignment", alignmentOf(8));
        document.change("keep", "keep", keepOf(0.4));
        document.change("keep", {}, keepOf(0.3));
        document.change("keep", "keep", keepOf(0.2));
        QCOMPARE(document.undoStack().count(), 5);
    }
    // What was reached by undo or redo is a place of its own: a new drag does not run into the step before it.
    void undoAndRedoEndARow()
    {
        SessionDocument document;
        document.change("keep", "keep", keepOf(0.5));
        document.change("alignment", {}, alignmentOf(8));
        document.undoStack().undo();
        document.change("keep", "keep", keepOf(0.4));
        QCOMPARE(document.undoStack().count(), 2);
        document.undoStack().undo();
        document.undoStack().redo();
        document.change("keep", "keep", keepOf(0.3));
        QCOMPARE(document.undoStack().count(), 3);
        document.undoStack().undo();
        QCOMPARE(document.state().settings.budget.keep, 0.4);
    }
    void aDragThatReturnsLeavesNoStep()
    {
        SessionDocument document;
        document.change("alignment", {}, alignmentOf(8));
        document.markSaved();
        const double before = document.state().settings.budget.keep;
        document.change("keep", "keep", keepOf(0.5));
        document.change("keep", "keep", keepOf(0.4));
        QVERIFY(document.isModified());
        document.change("keep", "keep", keepOf(before));
        QCOMPARE(document.undoStack().count(), 1);
        QVERIFY(!document.isModified());
        QCOMPARE(document.state().settings.budget.keep, before);
        document.change("keep", "keep", keepOf(0.9)); // still the same drag: it goes on
        document.change("keep", "keep", keepOf(0.8));
        QCOMPARE(document.undoStack().count(), 2);
        document.undoStack().undo();
        QCOMPARE(document.state().settings.budget.keep, before);
        QCOMPARE(document.state().settings.budget.alignment, std::int64_t(8));
    }
    void aReturningDragLeavesNoStepThoughTheSelectionMoved()
    {
        SessionDocument document;
        const double before = document.state().settings.budget.keep;
        document.change("keep", "keep", keepOf(0.5));
        document.select([](Selection& selection) { selection.current = "blocks.0.qkv"; });
        document.change("keep", "keep", keepOf(before));
        QCOMPARE(document.undoStack().count(), 0);
        QCOMPARE(document.state().selection.current, std::string("blocks.0.qkv"));
    }
    void noChangeNoStepNoSignal()
    {
        SessionDocument document;
        KeptPoint unmeasured; // its latency is not a number
        unmeasured.relativeLoss = std::nan("");
        document.change("point", {}, [&](SessionState& state) { state.points.push_back(unmeasured); });
        QCOMPARE(document.undoStack().count(), 1);
        QSignalSpy changed(&document, &SessionDocument::stateChanged);
        document.change("nothing", {}, [](SessionState&) {});
        document.change("nothing", "key", keepOf(document.state().settings.budget.keep));
        document.select([](Selection&) {});
        QCOMPARE(document.undoStack().count(), 1);
        QCOMPARE(changed.count(), 0);
    }
    void selectionIsNotUndoable()
    {
        SessionDocument document;
        document.change("keep", {}, keepOf(0.5));
        document.markSaved();
        document.select([](Selection& selection) { selection = {"blocks.1.fc1", {"blocks.1.fc1", "head"}}; });
        const Selection chosen = document.state().selection;
        QCOMPARE(document.undoStack().count(), 1);
        QVERIFY(!document.isModified());
        document.undoStack().undo();
        QVERIFY(document.state().selection == chosen);
        document.select([](Selection& selection) { selection.current = "head"; });
        document.undoStack().redo();
        QCOMPARE(document.state().selection.current, std::string("head"));
        QCOMPARE(document.state().settings.budget.keep, 0.5);
    }
    void aChangeOfTheSelectionAloneIsNoStep()
    {
        SessionDocument document;
        document.change("look", {}, [](SessionState& state) { state.selection.current = "head"; });
        QCOMPARE(document.undoStack().count(), 0);
        QCOMPARE(document.state().selection.current, std::string("head"));
        document.change("override", {}, [](SessionState& state) {
            state.selection.current = "blocks.0.qkv";
            state.settings.budget.overrides["blocks.0.qkv"].rank = 8;
        });
        QCOMPARE(document.state().selection.current, std::string("blocks.0.qkv"));
        document.undoStack().undo();
        QVERIFY(document.state().settings.budget.overrides.empty());
        QCOMPARE(document.state().selection.current, std::string("blocks.0.qkv"));
    }
    void modifiedFollowsTheSavedPlace()
    {
        SessionDocument document;
        QSignalSpy clean(&document.undoStack(), &QUndoStack::cleanChanged);
        QVERIFY(!document.isModified());
        document.change("keep", "keep", keepOf(0.5));
        QVERIFY(document.isModified());
        document.markSaved();
        QVERIFY(!document.isModified());
        document.change("keep", "keep", keepOf(0.4)); // saved in the middle of a drag: what was saved stays reachable
        QVERIFY(document.isModified());
        document.undoStack().undo();
        QVERIFY(!document.isModified());
        QCOMPARE(document.state().settings.budget.keep, 0.5);
        document.undoStack().undo();
        QVERIFY(document.isModified());
        document.undoStack().redo();
        QVERIFY(!document.isModified());
        QCOMPARE(clean.count(), 6);
    }
    void signalsCarryBothStates()
    {
        SessionDocument document;
        std::optional<SessionState> before, after;
        int count = 0;
        connect(&document, &SessionDocument::stateChanged, this, [&](const SessionState& a, const SessionState& b) {
            before = a;
            after = b;
            ++count;
        });
        document.change("keep", {}, keepOf(0.5));
        QCOMPARE(count, 1);
        QVERIFY(*before == SessionState() && *after == document.state());
        QCOMPARE(after->settings.budget.keep, 0.5);
        document.undoStack().undo();
        QCOMPARE(count, 2);
        QCOMPARE(before->settings.budget.keep, 0.5);
        QVERIFY(*after == SessionState());
        document.select([](Selection& selection) { selection.current = "head"; });
        QCOMPARE(count, 3);
        QCOMPARE(after->selection.current, std::string("head"));
    }
    void resetStartsOver()
    {
        SessionDocument document;
        drag(document, {0.5, 0.4});
        SessionState other;
        other.modelPath = "/models/other";
        other.selection.current = "head";
        QSignalSpy changed(&document, &SessionDocument::stateChanged);
        document.reset(other);
        QCOMPARE(changed.count(), 1);
        QVERIFY(document.state() == other);
        QVERIFY(!document.isModified());
        QVERIFY(!document.undoStack().canUndo() && !document.undoStack().canRedo());
    }
};

QTEST_GUILESS_MAIN(TstSessionDocument)
#include "tst_session_document.moc"
