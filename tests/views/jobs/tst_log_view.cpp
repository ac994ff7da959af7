// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/jobs/log_view.h"

#include <QAbstractItemModelTester>
#include <QApplication>
#include <QClipboard>
#include <QComboBox>
#include <QIcon>
#include <QLineEdit>
#include <QListView>
#include <QPushButton>
#include <QScrollBar>
#include <QTest>

#include <memory>

using namespace tamis::views;
using Level = LogEntry::Level;

class TstLogView : public QObject {
    Q_OBJECT
    std::unique_ptr<LogView> m_log;

    static QDateTime noon(int seconds = 0) { return QDateTime(QDate(2026, 1, 2), QTime(12, 0, seconds)); }
    void three()
    {
        m_log->append({Level::Information, "Opened vit20", noon()});
        m_log->append({Level::Warning, "Ill-conditioned\nsite", noon(1)});
        m_log->append({Level::Error, "No space left", noon(2)});
    }

private slots:
    void init()
    {
        m_log = std::make_unique<LogView>();
        m_log->resize(600, 160);
        m_log->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_log.get()));
    }
    void cleanup() { m_log.reset(); }

    void entriesAreLinesWithTimeAndLevel()
    {
        three();
        QCOMPARE(m_log->shownText(), QStringLiteral("2026-01-02T12:00:00\tinformation\tOpened vit20\n2026-01-02T12:00:01\twarning\tIll-conditioned\nsite\n2026-01-02T12:00:02\terror\tNo space left\n"));
        const QModelIndex second = m_log->view()->model()->index(1, 0);
        QCOMPARE(second.data().toString(), QStringLiteral("12:00:01  Ill-conditioned site")); // one line in the list
        QCOMPARE(second.data(Qt::AccessibleTextRole).toString(), QStringLiteral("warning: Ill-conditioned\nsite"));
        for (int row = 0; row < 3; ++row)
            QVERIFY(!m_log->view()->model()->index(row, 0).data(Qt::DecorationRole).value<QIcon>().isNull());
    }

    void filters()
    {
        three();
        auto* level = m_log->findChild<QComboBox*>("logLevel");
        level->setCurrentIndex(1);
        QCOMPARE(m_log->view()->model()->rowCount(), 2);
        level->setCurrentIndex(2);
        QCOMPARE(m_log->view()->model()->rowCount(), 1);
        level->setCurrentIndex(0);
        QTest::keyClicks(m_log->findChild<QLineEdit*>("logFilter"), "VIT");
        QCOMPARE(m_log->view()->model()->rowCount(), 1);
        QVERIFY(m_log->shownText().contains("vit20"));
    }

    void copying()
    {
        three();
        QTest::mouseClick(m_log->findChild<QPushButton*>("logCopy"), Qt::LeftButton);
        QCOMPARE(QApplication::clipboard()->text(), m_log->shownText()); // nothing selected: all that is shown
        const QModelIndex last = m_log->view()->model()->index(2, 0);
        QTest::mouseClick(m_log->view()->viewport(), Qt::LeftButton, {}, m_log->view()->visualRect(last).center());
        QTest::mouseClick(m_log->findChild<QPushButton*>("logCopy"), Qt::LeftButton);
        QCOMPARE(QApplication::clipboard()->text(), QStringLiteral("2026-01-02T12:00:02\terror\tNo space left\n"));
    }

    void followsTheEndUnlessTheReaderScrolledUp()
    {
        auto* bar = m_log->view()->verticalScrollBar();
        for (int i = 0; i < 100; ++i)
            m_log->append(Level::Information, QString::number(i));
        QTest::qWait(20);
        QVERIFY(bar->maximum() > 0);
        QCOMPARE(bar->value(), bar->maximum());
        bar->setValue(3);
        m_log->append(Level::Information, "more");
        QTest::qWait(20);
        QCOMPARE(bar->value(), 3);
    }

    void oldEntriesGo()
    {
        LogModel model;
        for (int i = 0; i < LogModel::kEntryLimit; ++i)
            model.append({Level::Information, QString::number(i), noon()});
        QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest); // walks all rows at each change
        for (int i = 0; i < 5; ++i)
            model.append({Level::Information, QString::number(LogModel::kEntryLimit + i), noon()});
        QCOMPARE(model.rowCount(), LogModel::kEntryLimit);
        QCOMPARE(model.index(0, 0).data(LogModel::TextRole).toString(), QStringLiteral("5"));
        model.clear();
        QCOMPARE(model.rowCount(), 0);
    }

    void clearing()
    {
        three();
        m_log->clear();
        QVERIFY(m_log->shownText().isEmpty());
    }
};

QTEST_MAIN(TstLogView)
#include "tst_log_view.moc"
