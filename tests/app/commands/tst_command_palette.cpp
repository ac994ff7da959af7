// SPDX-License-Identifier: GPL-3.0-or-later
// The palette with real keys, and how matches are ranked.
#include "app/commands/command_palette.h"

#include <QApplication>
#include <QLineEdit>
#include <QListWidget>
#include <QTest>
#include <QVBoxLayout>

using namespace tamis::app;

class TstCommandPalette : public QObject
{
    Q_OBJECT

    /// A window with five commands, an editor that has the focus, and the palette.
    struct Desk {
        QWidget window;
        QLineEdit* editor = new QLineEdit(&window);
        CommandRegistry registry{&window};
        CommandPalette* palette = nullptr;
        QStringList ran;
        bool isOpen = false;

        Desk()
        {
            window.resize(800, 600);
            add("file.open", "File", "Open checkpoint…", {QKeySequence("Ctrl+O")});
            add("file.save", "File", "Save session", {}, true);
            add("view.curve", "View", "Show singular values");
            add("plan.export", "Plan", "Export plan…", {}, true);
            add("view.theme", "View", "Dark theme");
            palette = new CommandPalette(registry, &window);
            window.show();
            window.activateWindow();
            editor->setFocus();
        }
        void add(const char* id, const char* category, const char* title, const QList<QKeySequence>& shortcuts = {}, bool needsOpen = false)
        {
            Command command{.id = id, .category = category, .title = QString::fromUtf8(title), .help = "help", .shortcuts = shortcuts};
            command.run = [this, id] { ran << id; };
            if (needsOpen)
                command.disabledReason = [this] { return isOpen ? QString() : QString("Nothing is open."); };
            registry.add(command);
        }
        QLineEdit* input() const { return palette->findChild<QLineEdit*>("commandInput"); }
        QListWidget* list() const { return palette->findChild<QListWidget*>("commandList"); }
        QString current() const { return list()->currentItem() ? list()->currentItem()->data(Qt::UserRole).toString() : QString(); }
        QStringList ids() const
        {
            QStringList all;
            for (int row = 0; row < list()->count(); ++row)
                all << list()->item(row)->data(Qt::UserRole).toString();
            return all;
        }
        void key(Qt::Key key) { QTest::keyClick(QApplication::focusWidget(), key); }
        void type(const QString& text) { QTest::keyClicks(QApplication::focusWidget(), text); }
        bool opened()
        {
            if (!QTest::qWaitForWindowActive(&window))
                return false;
            palette->open();
            return palette->isVisible() && QApplication::focusWidget() == input();
        }
    };

private slots:
    void opensWithEverythingInOrder()
    {
        Desk desk;
        QVERIFY(!desk.palette->isVisible());
        QVERIFY(desk.opened());
        QCOMPARE(desk.ids(), QStringList({"file.open", "file.save", "view.curve", "plan.export", "view.theme"}));
        QCOMPARE(desk.current(), QString("file.open"));
        QVERIFY(desk.list()->item(0)->text().contains("Ctrl+O"));
        QVERIFY(desk.window.rect().contains(desk.palette->geometry()));
    }
    void wordsInAnyOrderEnterRuns()
    {
        Desk desk;
        QVERIFY(desk.opened());
        desk.type("val sing");
        QCOMPARE(desk.ids(), QStringList("view.curve"));
        desk.key(Qt::Key_Return);
        QCOMPARE(desk.ran, QStringList("view.curve"));
        QVERIFY(!desk.palette->isVisible());
        QCOMPARE(QApplication::focusWidget(), desk.editor);
        QVERIFY(desk.opened()); // the next time it starts afresh
        QCOMPARE(desk.input()->text(), QString());
        QCOMPARE(desk.ids().size(), 5);
    }
    void lettersWithGapsFindACategoryToo()
    {
        Desk desk;
        QVERIFY(desk.opened());
        desk.type("opck");
        QCOMPARE(desk.ids(), QStringList("file.open"));
        desk.input()->clear();
        desk.type("view");
        QCOMPARE(desk.ids(), QStringList({"view.curve", "view.theme"}));
        desk.type("zzz");
        QCOMPARE(desk.ids(), QStringList());
        desk.key(Qt::Key_Return); // nothing to run
        QVERIFY(desk.ran.isEmpty() && desk.palette->isVisible());
    }
    void arrowsMoveOverWhatCanRun()
    {
        Desk desk;
        QVERIFY(desk.opened());
        desk.key(Qt::Key_Up); // the first stays the first
        QCOMPARE(desk.current(), QString("file.open"));
        desk.key(Qt::Key_Down); // past "Save session", which cannot run now
        QCOMPARE(desk.current(), QString("view.curve"));
        desk.key(Qt::Key_Down);
        QCOMPARE(desk.current(), QString("view.theme"));
        desk.key(Qt::Key_Down); // the last stays the last
        QCOMPARE(desk.current(), QString("view.theme"));
        desk.key(Qt::Key_Up);
        QCOMPARE(desk.current(), QString("view.curve"));
        desk.key(Qt::Key_Enter);
        QCOMPARE(desk.ran, QStringList("view.curve"));
    }
    void escapeClosesAndRunsNothing()
    {
        Desk desk;
        QVERIFY(desk.opened());
        desk.type("dark");
        desk.key(Qt::Key_Escape);
        QVERIFY(!desk.palette->isVisible());
        QVERIFY(desk.ran.isEmpty());
        QCOMPARE(QApplication::focusWidget(), desk.editor);
    }
    void losingTheFocusCloses()
    {
        Desk desk;
        QVERIFY(desk.opened());
        desk.editor->setFocus();
        QVERIFY(!desk.palette->isVisible());
        QCOMPARE(QApplication::focusWidget(), desk.editor);
    }
    void aDisabledCommandSaysWhyAndDoesNotRun()
    {
        Desk desk;
        QVERIFY(desk.opened());
        desk.type("save");
        // The second has the letters with gaps; Enter must not run it in place of what was meant.
        QCOMPARE(desk.ids(), QStringList({"file.save", "view.curve"}));
        QCOMPARE(desk.current(), QString());
        QVERIFY(desk.list()->item(0)->text().contains("Nothing is open."));
        QVERIFY(!(desk.list()->item(0)->flags() & Qt::ItemIsEnabled));
        desk.key(Qt::Key_Return);
        QTest::mouseClick(desk.list()->viewport(), Qt::LeftButton, {}, desk.list()->visualItemRect(desk.list()->item(0)).center());
        QVERIFY(desk.ran.isEmpty());
        QVERIFY(desk.palette->isVisible());
        desk.key(Qt::Key_Down);
        QCOMPARE(desk.current(), QString("view.curve"));
        desk.key(Qt::Key_Escape);
        desk.isOpen = true;
        QVERIFY(desk.opened());
        desk.type("save");
        QVERIFY(!desk.list()->item(0)->text().contains("Nothing is open."));
        desk.key(Qt::Key_Return);
        QCOMPARE(desk.ran, QStringList("file.save"));
    }
    void aClickRuns()
    {
        Desk desk;
        QVERIFY(desk.opened());
        QTest::mouseClick(desk.list()->viewport(), Qt::LeftButton, {}, desk.list()->visualItemRect(desk.list()->item(4)).center());
        QCOMPARE(desk.ran, QStringList("view.theme"));
        QVERIFY(!desk.palette->isVisible());
    }

    void noMatchIsMinusOne_data()
    {
        QTest::addColumn<QString>("pattern");
        QTest::addColumn<QString>("text");
        QTest::addColumn<bool>("matches");
        QTest::newRow("nothing typed") << "" << "Open" << true;
        QTest::newRow("spaces only") << "   " << "Open" << true;
        QTest::newRow("nothing to find") << "a" << "" << false;
        QTest::newRow("case") << "oPEN" << "Open" << true;
        QTest::newRow("gaps") << "opn" << "Open" << true;
        QTest::newRow("letters of a word out of order") << "npo" << "Open" << false;
        QTest::newRow("words out of order") << "file open" << "Open file" << true;
        QTest::newRow("one word missing") << "open door" << "Open file" << false;
        QTest::newRow("each letter once") << "oo" << "Open" << false;
        QTest::newRow("later beginning") << "pla" << "Export plan" << true;
        QTest::newRow("longer than the text") << "openn" << "Open" << false;
    }
    void noMatchIsMinusOne()
    {
        QFETCH(QString, pattern);
        QFETCH(QString, text);
        QFETCH(bool, matches);
        const int score = fuzzyScore(pattern, text);
        QVERIFY2(matches ? score >= 0 : score == -1, qPrintable(QString::number(score)));
    }
    void ranking_data()
    {
        QTest::addColumn<QString>("pattern");
        QTest::addColumn<QString>("better");
        QTest::addColumn<QString>("worse");
        QTest::newRow("a run before gaps") << "plan" << "Export plan" << "Place a lone curve next";
        QTest::newRow("a word's beginning before its middle") << "port" << "Portable" << "Export";
        QTest::newRow("first letters of words") << "sv" << "Singular values" << "Save";
        QTest::newRow("small gaps before large ones") << "ac" << "xabc" << "xabbbbc";
        QTest::newRow("second word as good as it gets") << "curve" << "Show the curve" << "Scatter user verve";
    }
    void ranking()
    {
        QFETCH(QString, pattern);
        QFETCH(QString, better);
        QFETCH(QString, worse);
        QVERIFY2(fuzzyScore(pattern, better) > fuzzyScore(pattern, worse),
                 qPrintable(QString("%1 against %2").arg(fuzzyScore(pattern, better)).arg(fuzzyScore(pattern, worse))));
    }
    void theBeginningOfTheTextCountsLikeThatOfAnyWord()
    {
        QCOMPARE(fuzzyScore("plan", "Plan export"), fuzzyScore("plan", "Export plan"));
    }
};

QTEST_MAIN(TstCommandPalette)
#include "tst_command_palette.moc"
