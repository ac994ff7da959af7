// SPDX-License-Identifier: GPL-3.0-or-later
// Runs beside one another as a table, under QAbstractItemModelTester.
#include "tests/views/reuse/reuse_sample.h"
#include "views/common/inline_bar_delegate.h"
#include "views/reuse/reuse_run_model.h"

#include <QAbstractItemModelTester>
#include <QFont>
#include <QSignalSpy>
#include <QTest>

using namespace tamis;
using namespace tamis::views;
using Model = ReuseRunModel;

class TstReuseRunModel : public QObject {
    Q_OBJECT

private slots:
    void cells()
    {
        Model model;
        QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        QCOMPARE(model.rowCount(), 0);
        model.setRuns(shownRuns(test::sampleReuse()));
        QCOMPARE(model.rowCount(), 4);
        const auto text = [&](int row, int column) { return model.data(model.index(row, column), Qt::DisplayRole).toString(); };
        QCOMPARE(text(0, Model::RunColumn), QString("Token gate, threshold 0.1"));
        QCOMPARE(text(0, Model::MacsColumn), QString("40.0\u202f%"));
        QCOMPARE(text(0, Model::TimeColumn), QString("50.0\u202f%"));
        QCOMPARE(text(0, Model::WorstColumn), QString("0.04"));
        QCOMPARE(text(0, Model::FalseColumn), QString::fromUtf8("–")); // nothing was looked up
        QCOMPARE(text(1, Model::FalseColumn), QString("14.3\u202f%")); // 2 of 6 hits and 8 misses
        QCOMPARE(text(2, Model::RunColumn), QString("Everything computed"));
        QVERIFY(model.data(model.index(2, 0), Qt::FontRole).value<QFont>().italic());
        QVERIFY(model.data(model.index(0, 0), Qt::FontRole).value<QFont>().bold());
        QCOMPARE(model.data(model.index(0, Model::MacsColumn), kFractionRole).toDouble(), 0.4); // of all frames whole
        QCOMPARE(model.data(model.index(2, Model::TimeColumn), kFractionRole).toDouble(), 1.0); // slower than that: a full bar
        QCOMPARE(model.data(model.index(3, Model::MeanColumn), kSortRole).toDouble(), 0.2);
        for (int column = 0; column < Model::kColumnCount; ++column) {
            QVERIFY(!model.headerData(column, Qt::Horizontal, Qt::DisplayRole).toString().isEmpty());
            QVERIFY(!model.headerData(column, Qt::Horizontal, Qt::ToolTipRole).toString().isEmpty());
        }
    }

    /// Hits that nobody can judge are not shown as right ones.
    void whatWasNotMeasuredSaysSo()
    {
        Model model;
        auto report = test::sampleReuse();
        report->runs[1].falseHitsMeasured = false;
        report->runs[1].falseHits = 0;
        model.setRuns(shownRuns(report));
        QCOMPARE(model.data(model.index(1, Model::FalseColumn), Qt::DisplayRole).toString(), QString("not measured"));
        QVERIFY(!model.data(model.index(1, Model::FalseColumn), kSortRole).isValid());
        QCOMPARE(model.data(model.index(0, Model::FalseColumn), Qt::DisplayRole).toString(), QString::fromUtf8("–")); // nothing was looked up
    }

    void newNumbersKeepRows()
    {
        Model model;
        QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        auto report = test::sampleReuse();
        model.setRuns(shownRuns(report));
        QSignalSpy reset(&model, &QAbstractItemModel::modelReset), changed(&model, &QAbstractItemModel::dataChanged);
        auto later = test::sampleReuse();
        later->runs[0].macsShare = 0.5;
        model.setRuns(shownRuns(later));
        QCOMPARE(reset.size(), 0);
        QCOMPARE(changed.size(), 1);
        later = test::sampleReuse();
        later->runs.pop_back();
        model.setRuns(shownRuns(later));
        QCOMPARE(reset.size(), 1);
        model.setRuns(nullptr);
        QCOMPARE(model.rowCount(), 0);
    }

    void failuresSaySo()
    {
        Model model;
        auto report = test::sampleReuse();
        report->runs[1] = {};
        report->runs[1].title = "Warp";
        report->runs[1].failure = "no motion vectors";
        model.setRuns(shownRuns(report));
        QCOMPARE(model.data(model.index(1, Model::MacsColumn), Qt::DisplayRole).toString(), QString::fromUtf8("–"));
        QCOMPARE(model.data(model.index(1, Model::WholeColumn), Qt::DisplayRole).toString(), QString::fromUtf8("–"));
        QCOMPARE(model.data(model.index(1, 0), Qt::ToolTipRole).toString(), QString("Warp: no motion vectors"));
        QVERIFY(!model.data(model.index(1, Model::MacsColumn), kSortRole).isValid());
    }
};

QTEST_MAIN(TstReuseRunModel)
#include "tst_reuse_run_model.moc"
