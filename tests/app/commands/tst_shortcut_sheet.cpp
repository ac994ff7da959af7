// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/commands/shortcut_sheet.h"

#include <QApplication>
#include <QClipboard>
#include <QDialogButtonBox>
#include <QLineEdit>
#include <QPushButton>
#include <QTest>
#include <QTreeWidget>

using namespace tamis::app;

class TstShortcutSheet : public QObject
{
    Q_OBJECT

    struct Desk {
        QWidget window;
        CommandRegistry registry{&window};
        ShortcutSheet* sheet = nullptr;

        Desk()
        {
            add("file.open", "File", "Open checkpoint…", {QKeySequence("Ctrl+O"), QKeySequence("F3")});
            add("view.theme", "View", "Dark theme", {});
            add("file.save", "File", "Save session", {QKeySequence("Ctrl+S")});
            sheet = new ShortcutSheet(registry, &window);
            sheet->show();
        }
        void add(const char* id, const char* category, const char* title, const QList<QKeySequence>& shortcuts)
        {
            registry.add({.id = id, .category = category, .title = QString::fromUtf8(title), .help = "help", .shortcuts = shortcuts, .run = [] {}});
        }
        QTreeWidget* tree() const { return sheet->findChild<QTreeWidget*>(); }
        QLineEdit* filter() const { return sheet->findChild<QLineEdit*>(); }
        /// "heading/title/keys" of the rows that are shown, the headings alone included.
        QStringList shown() const
        {
            QStringList rows;
            for (int i = 0; i < tree()->topLevelItemCount(); ++i) {
                const auto* top = tree()->topLevelItem(i);
                if (top->isHidden())
                    continue;
                rows << top->text(0);
                for (int j = 0; j < top->childCount(); ++j)
                    if (!top->child(j)->isHidden())
                        rows << top->text(0) + '/' + top->child(j)->text(0) + '/' + top->child(j)->text(1);
            }
            return rows;
        }
    };

private slots:
    void everyCommandIsListedUnderItsCategory()
    {
        Desk desk;
        const QStringList rows = desk.shown();
        QCOMPARE(rows.mid(0, 5), QStringList({"File", QString::fromUtf8("File/Open checkpoint…/Ctrl+O, F3"), "File/Save session/Ctrl+S",
                                              "View", "View/Dark theme/"}));
        QCOMPARE(rows.value(5), QString("In a chart")); // and what mouse and keys do there
        QVERIFY(rows.size() > 7);
        for (const auto& row : rows.mid(6))
            QVERIFY2(row.section('/', 1, 1) != "" && row.section('/', 2) != "", qPrintable(row));
    }
    void theFilterHides()
    {
        Desk desk;
        const QStringList all = desk.shown();
        QTest::keyClicks(desk.filter(), "SESSION");
        QCOMPARE(desk.shown(), QStringList({"File", "File/Save session/Ctrl+S"}));
        desk.filter()->clear();
        QCOMPARE(desk.shown(), all);
        QTest::keyClicks(desk.filter(), "f3"); // keys are found, too
        QCOMPARE(desk.shown(), QStringList({"File", QString::fromUtf8("File/Open checkpoint…/Ctrl+O, F3")}));
        desk.filter()->clear();
        QTest::keyClicks(desk.filter(), "no such command");
        QCOMPARE(desk.shown(), QStringList());
    }
    void theTextHasALineForEachCommand()
    {
        Desk desk;
        QCOMPARE(ShortcutSheet::asText(desk.registry), QString::fromUtf8("File\tOpen checkpoint…\tCtrl+O, F3\nView\tDark theme\t\nFile\tSave session\tCtrl+S\n"));
    }
    void copyPutsItOnTheClipboard()
    {
        Desk desk;
        QApplication::clipboard()->setText("before");
        for (auto* button : desk.sheet->findChildren<QPushButton*>())
            if (button->text().remove('&') == "Copy")
                QTest::mouseClick(button, Qt::LeftButton);
        QCOMPARE(QApplication::clipboard()->text(), ShortcutSheet::asText(desk.registry));
    }
    void escapeAndCloseClose()
    {
        Desk desk;
        QVERIFY(desk.sheet->isVisible());
        QTest::mouseClick(desk.sheet->findChild<QDialogButtonBox*>()->button(QDialogButtonBox::Close), Qt::LeftButton);
        QVERIFY(!desk.sheet->isVisible());
        desk.sheet->show();
        QTest::keyClick(desk.filter(), Qt::Key_Escape);
        QVERIFY(!desk.sheet->isVisible());
    }
};

QTEST_MAIN(TstShortcutSheet)
#include "tst_shortcut_sheet.moc"
