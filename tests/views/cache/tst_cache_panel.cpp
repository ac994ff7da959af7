// SPDX-License-Identifier: GPL-3.0-or-later
// The tab of caches: pages come and go with their settings, Stop is there while something runs.
#include "views/cache/cache_panel.h"

#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QStackedWidget>
#include <QTabBar>
#include <QTabWidget>
#include <QTest>

using namespace tamis::views;

class TstCachePanel : public QObject {
    Q_OBJECT
private slots:
    void pagesBringTheirSettings()
    {
        CachePanel panel;
        auto* settings = new QLabel(QStringLiteral("settings of the first"));
        auto* first = new QLabel(QStringLiteral("first"));
        panel.addPage(first, QStringLiteral("one"), QStringLiteral("One"), settings);
        panel.addPage(new QLabel(QStringLiteral("second")), QStringLiteral("two"), QStringLiteral("Two"));
        QCOMPARE(panel.page(), QStringLiteral("one"));
        auto* stack = qobject_cast<QStackedWidget*>(panel.settings());
        QVERIFY(stack);
        QCOMPARE(stack->currentWidget(), static_cast<QWidget*>(settings));
        panel.resize(500, 300);
        panel.show();
        QVERIFY(QTest::qWaitForWindowExposed(&panel));
        QSignalSpy shown(&panel, &CachePanel::pageShown);
        auto* tabs = panel.findChild<QTabWidget*>("cachePages");
        QTest::mouseClick(tabs->tabBar(), Qt::LeftButton, {}, tabs->tabBar()->tabRect(1).center());
        QCOMPARE(shown.size(), 1);
        QCOMPARE(shown[0][0].toString(), QStringLiteral("two"));
        QVERIFY(stack->currentWidget() != settings);
        QCOMPARE(settings->sizePolicy().verticalPolicy(), QSizePolicy::Ignored); // does not make a dock scroll for what is not in sight
        panel.showPage(QStringLiteral("one"));
        panel.showPage(QStringLiteral("none such"));
        QCOMPARE(panel.page(), QStringLiteral("one"));
        QCOMPARE(shown.size(), 1);
        QCOMPARE(stack->currentWidget(), static_cast<QWidget*>(settings));
    }
    void whatRunsCanBeStopped()
    {
        CachePanel panel;
        panel.show();
        QVERIFY(QTest::qWaitForWindowExposed(&panel));
        auto* stop = panel.findChild<QPushButton*>("stopCache");
        QVERIFY(!stop->isVisible());
        panel.setRunning(QStringLiteral("Simulating"));
        QVERIFY(stop->isVisible());
        QSignalSpy asked(&panel, &CachePanel::stopRequested);
        QTest::mouseClick(stop, Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
        panel.setRunning({});
        QVERIFY(!stop->isVisible());
    }
};

QTEST_MAIN(TstCachePanel)
#include "tst_cache_panel.moc"
