// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/lowrank/low_rank_panel.h"

#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QTabBar>
#include <QTabWidget>
#include <QTest>

using tamis::views::LowRankPanel;

class TstLowRankPanel : public QObject {
    Q_OBJECT
private slots:
    void pagesAreShownByNameAndByClick()
    {
        LowRankPanel panel;
        auto* first = new QWidget;
        auto* second = new QWidget;
        panel.addPage(first, QStringLiteral("First"), QStringLiteral("first"));
        panel.addPage(second, QStringLiteral("Second"), QStringLiteral("second"));
        panel.setModelOpen(true);
        panel.resize(800, 500);
        panel.show();
        QVERIFY(QTest::qWaitForWindowExposed(&panel));
        QSignalSpy shown(&panel, &LowRankPanel::pageShown);
        QCOMPARE(panel.page(), QStringLiteral("first"));
        panel.showPage(QStringLiteral("second"));
        QVERIFY(second->isVisible());
        QCOMPARE(shown.size(), 0); // code does not say what it did
        panel.showPage(QStringLiteral("third"));
        QCOMPARE(panel.page(), QStringLiteral("second"));
        auto* bar = panel.findChild<QTabWidget*>(QStringLiteral("lowRankPages"))->tabBar();
        QTest::mouseClick(bar, Qt::LeftButton, {}, bar->tabRect(0).center());
        QCOMPARE(shown.size(), 1);
        QCOMPARE(shown.first().first().toString(), QStringLiteral("first"));
        QCOMPARE(panel.page(QStringLiteral("second")), second);
        QCOMPARE(panel.page(QStringLiteral("third")), nullptr);
    }
    void withoutAModelThePagesGiveWay()
    {
        LowRankPanel panel;
        auto* page = new QWidget;
        panel.addPage(page, QStringLiteral("Page"), QStringLiteral("page"));
        panel.show();
        auto* empty = panel.findChild<QWidget*>(QStringLiteral("lowRankEmpty"));
        QVERIFY(empty->isVisible() && !page->isVisible());
        panel.setModelOpen(true);
        QVERIFY(!empty->isVisible() && page->isVisible());
    }
    void whatRunsCanBeStopped()
    {
        LowRankPanel panel;
        panel.setModelOpen(true);
        panel.show();
        auto* stop = panel.findChild<QPushButton*>(QStringLiteral("stopLowRank"));
        QVERIFY(!stop->isVisible());
        panel.setRunning(QStringLiteral("Comparing"));
        QCOMPARE(panel.findChild<QLabel*>(QStringLiteral("lowRankRunning"))->text(), QStringLiteral("Comparing"));
        QSignalSpy stopped(&panel, &LowRankPanel::stopRequested);
        QTest::mouseClick(stop, Qt::LeftButton);
        QCOMPARE(stopped.size(), 1);
        panel.setRunning({});
        QVERIFY(!stop->isVisible());
    }
};

QTEST_MAIN(TstLowRankPanel)
#include "tst_low_rank_panel.moc"
