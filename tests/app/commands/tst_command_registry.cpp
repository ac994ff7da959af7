// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/commands/command_registry.h"

#include <QMenu>
#include <QSignalSpy>
#include <QTest>
#include <QWidget>

using namespace tamis::app;

namespace {
Command command(const char* id, const QList<QKeySequence>& shortcuts = {}, std::function<void()> run = [] {})
{
    return {.id = id, .category = QString(id).section('.', 0, 0), .title = QString("Title of %1").arg(id), .help = "What it does", .shortcuts = shortcuts, .run = std::move(run)};
}
} // namespace

class TstCommandRegistry : public QObject
{
    Q_OBJECT
private slots:
    void commandsAreFoundById()
    {
        QWidget window;
        CommandRegistry registry(&window);
        registry.add(command("file.open", {QKeySequence("Ctrl+O")}));
        registry.add(command("view.theme"));
        registry.add(command("file.save"));
        QCOMPARE(registry.commands().size(), std::size_t(3));
        QCOMPARE(registry.find("view.theme")->title, QString("Title of view.theme"));
        QVERIFY(!registry.find("view.none") && !registry.action("view.none"));
        QCOMPARE(registry.categories(), QStringList({"file", "view"}));
        auto* action = registry.action("file.open");
        QCOMPARE(action->text(), QString("Title of file.open"));
        QCOMPARE(action->toolTip(), QString("What it does"));
        QCOMPARE(action->shortcut(), QKeySequence("Ctrl+O"));
        QVERIFY(window.actions().contains(action));
        QMenu menu;
        registry.fillMenu(menu, "file");
        QCOMPARE(menu.actions(), QList<QAction*>({registry.action("file.open"), registry.action("file.save")}));
        registry.trigger("nobody.has.it"); // ignored
    }
    void clashesAreTold_data()
    {
        QTest::addColumn<QStringList>("left");
        QTest::addColumn<QStringList>("right");
        QTest::addColumn<bool>("clash");
        QTest::newRow("none") << QStringList{} << QStringList{} << false;
        QTest::newRow("other keys") << QStringList{"Ctrl+O"} << QStringList{"Ctrl+S"} << false;
        QTest::newRow("one has none") << QStringList{"Ctrl+O"} << QStringList{} << false;
        QTest::newRow("empty shortcuts") << QStringList{""} << QStringList{""} << false;
        QTest::newRow("same") << QStringList{"Ctrl+O"} << QStringList{"Ctrl+O"} << true;
        QTest::newRow("second of several") << QStringList{"F1", "Ctrl+O"} << QStringList{"Ctrl+O", "F2"} << true;
        QTest::newRow("modifiers tell apart") << QStringList{"Ctrl+O"} << QStringList{"Ctrl+Shift+O"} << false;
        QTest::newRow("beginning of another") << QStringList{"Ctrl+K"} << QStringList{"Ctrl+K, Ctrl+S"} << true;
        QTest::newRow("begun by another") << QStringList{"Ctrl+K, Ctrl+S"} << QStringList{"Ctrl+K"} << true;
        QTest::newRow("same beginning") << QStringList{"Ctrl+K, Ctrl+S"} << QStringList{"Ctrl+K, Ctrl+T"} << false;
    }
    void clashesAreTold()
    {
        QFETCH(QStringList, left);
        QFETCH(QStringList, right);
        QFETCH(bool, clash);
        const auto keys = [](const QStringList& texts) {
            QList<QKeySequence> all;
            for (const auto& text : texts)
                all << QKeySequence(text);
            return all;
        };
        const QStringList clashes = commandClashes({command("a.one", keys(left)), command("a.two", keys(right))});
        QCOMPARE(!clashes.isEmpty(), clash);
        if (clash)
            QVERIFY2(clashes.size() == 1 && clashes[0].contains("a.one") && clashes[0].contains("a.two"), qPrintable(clashes.join('\n')));
    }
    void idsAreUnique()
    {
        QCOMPARE(commandClashes({command("a.one"), command("a.two"), command("a.one")}), QStringList({"Two commands have the id a.one."}));
        QCOMPARE(commandClashes({}), QStringList());
    }
    void aDisabledCommandSaysWhyAndDoesNotRun()
    {
        QWidget window;
        CommandRegistry registry(&window);
        int runs = 0;
        QString reason = "Nothing is open.";
        auto save = command("file.save", {}, [&] { ++runs; });
        save.disabledReason = [&] { return reason; };
        registry.add(save);
        QSignalSpy refused(&registry, &CommandRegistry::refused);
        registry.refresh();
        QVERIFY(!registry.action("file.save")->isEnabled());
        registry.trigger("file.save");
        QCOMPARE(runs, 0);
        QCOMPARE(refused.count(), 1);
        QCOMPARE(refused[0], QVariantList({"Title of file.save", "Nothing is open."}));
        reason.clear();
        registry.refresh();
        QVERIFY(registry.action("file.save")->isEnabled());
        registry.action("file.save")->trigger();
        QCOMPARE(runs, 1);
        reason = "Now it is not."; // between two refreshes the action still looks enabled
        registry.action("file.save")->trigger();
        QCOMPARE(runs, 1);
        QCOMPARE(refused.count(), 2);
        QVERIFY(!registry.action("file.save")->isEnabled());
    }
    void runningBringsTheOthersUpToDate()
    {
        QWidget window;
        CommandRegistry registry(&window);
        bool isOpen = false;
        registry.add(command("file.open", {}, [&] { isOpen = true; }));
        auto close = command("file.close", {}, [&] { isOpen = false; });
        close.disabledReason = [&] { return isOpen ? QString() : QString("Nothing is open."); };
        registry.add(close);
        registry.refresh();
        QVERIFY(!registry.action("file.close")->isEnabled());
        registry.trigger("file.open");
        QVERIFY(registry.action("file.close")->isEnabled());
        registry.trigger("file.close");
        QVERIFY(!registry.action("file.close")->isEnabled());
    }
    void checkableCommandsFollowTheState()
    {
        QWidget window;
        CommandRegistry registry(&window);
        bool on = false;
        QString reason;
        auto grid = command("view.grid", {}, [&] { on = !on; });
        grid.checkable = true;
        grid.checked = [&] { return on; };
        grid.disabledReason = [&] { return reason; };
        registry.add(grid);
        auto* action = registry.action("view.grid");
        QVERIFY(action->isCheckable() && !action->isChecked());
        registry.trigger("view.grid"); // from the palette
        QVERIFY(on && action->isChecked());
        action->trigger(); // from the menu: the action toggles itself first
        QVERIFY(!on && !action->isChecked());
        on = true;
        registry.refresh();
        QVERIFY(action->isChecked());
        reason = "No chart is shown."; // refused: neither the state nor the tick moves
        action->trigger();
        QVERIFY(on && action->isChecked());
    }
    void shortcutsRunInTheWindow()
    {
        QWidget window;
        CommandRegistry registry(&window);
        int opened = 0, saved = 0;
        registry.add(command("file.open", {QKeySequence("Ctrl+O"), QKeySequence("F3")}, [&] { ++opened; }));
        auto save = command("file.save", {QKeySequence("Ctrl+S")}, [&] { ++saved; });
        save.disabledReason = [] { return QString("Nothing is open."); };
        registry.add(save);
        registry.refresh();
        window.show();
        window.activateWindow();
        QVERIFY(QTest::qWaitForWindowActive(&window));
        QTest::keyClick(&window, Qt::Key_O, Qt::ControlModifier);
        QTest::keyClick(&window, Qt::Key_F3);
        QTest::keyClick(&window, Qt::Key_S, Qt::ControlModifier);
        QCOMPARE(opened, 2);
        QCOMPARE(saved, 0);
    }
};

QTEST_MAIN(TstCommandRegistry)
#include "tst_command_registry.moc"
