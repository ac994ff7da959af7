// SPDX-License-Identifier: GPL-3.0-or-later
// All tokens under a cut: numbers, histograms, the table of what is missed.
#include "tests/views/encoder_sample.h"
#include "views/common/chart_canvas.h"
#include "views/common/copyable_table_view.h"
#include "views/common/inline_bar_delegate.h"
#include "views/common/line_chart.h"
#include "views/encoder/histogram_chart.h"
#include "views/encoder/missed_latent_model.h"
#include "views/encoder/recall_page.h"

#include <QAbstractItemModelTester>
#include <QHeaderView>
#include <QLabel>
#include <QSignalSpy>
#include <QSortFilterProxyModel>
#include <QTabWidget>
#include <QTest>

#include <numeric>

using namespace tamis;
using namespace tamis::views;
using Model = MissedLatentModel;

class TstRecallPage : public QObject {
    Q_OBJECT
    std::unique_ptr<RecallPage> m_page;

    QString state() const { return m_page->findChild<QLabel*>("recallState")->text(); }
    QString cell(int row, int column) const { return m_page->model()->index(row, column).data().toString(); }

private slots:
    void init()
    {
        m_page = std::make_unique<RecallPage>();
        new QAbstractItemModelTester(m_page->model(), QAbstractItemModelTester::FailureReportingMode::QtTest, m_page.get());
        m_page->resize(1000, 700);
        m_page->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_page.get()));
        m_page->setReport(sample::encoderReport());
        m_page->setCut(4, false);
    }
    void cleanup() { m_page.reset(); }

    void everythingFollowsTheCut()
    {
        QCOMPARE(m_page->recall().mean, 0.75); // (4 + 3 + 2 + 3) / 16
        QCOMPARE(m_page->recall().min, 0.5);
        QVERIFY(state().contains("1 of 4 sets whole"));
        QCOMPARE(m_page->model()->rowCount(), 3);
        QCOMPARE(cell(0, Model::LatentColumn), QStringLiteral("14"));
        QCOMPARE(cell(0, Model::MissedColumn), QStringLiteral("2"));
        QCOMPARE(cell(0, Model::ShareColumn), QStringLiteral("100.0\u202f%"));
        m_page->setCut(41, false);
        QCOMPARE(m_page->recall().mean, (1 + 1 + 0.75 + 0.75) / 4);
        QCOMPARE(m_page->model()->rowCount(), 2); // 16 once, 14 once of two
        QCOMPARE(cell(0, Model::LatentColumn), QStringLiteral("14"));
        QCOMPARE(cell(0, Model::ShareColumn), QStringLiteral("50.0\u202f%"));
        QCOMPARE(m_page->places()->cut().value_or(0), std::int64_t(41));
        QCOMPARE(m_page->curve()->cursor().value_or(0), 41.0);
        m_page->setCut(1000, false);
        QCOMPARE(m_page->model()->rowCount(), 0);
        QVERIFY(state().contains("4 of 4 sets whole"));
    }
    void reRankingIsPaidFor()
    {
        QVERIFY(state().contains("8.26\u202fk MACs")); // 8000 and 4 rows of 64
        m_page->setCut(4, true); // the method's own: its cost has them already
        QVERIFY(!state().contains("MACs"));
    }
    void histogramsCountWhatThereIs()
    {
        const auto& places = m_page->places()->histogram().counts;
        QCOMPARE(std::accumulate(places.begin(), places.end(), std::int64_t{0}), std::int64_t(16));
        const auto& tokens = m_page->tokens()->histogram().counts;
        QCOMPARE(std::accumulate(tokens.begin(), tokens.end(), std::int64_t{0}), std::int64_t(4)); // one token has no set
        QCOMPARE(tokens.back(), std::int64_t(1));
    }
    void chartsAskForAnotherCut()
    {
        QSignalSpy moved(m_page.get(), &RecallPage::cutMoved);
        auto* places = m_page->places();
        QTest::mousePress(places, Qt::LeftButton, {}, places->cutHandle(4).toPoint());
        QTest::mouseMove(places, places->cutHandle(60).toPoint());
        QTest::mouseRelease(places, Qt::LeftButton, {}, places->cutHandle(60).toPoint());
        QVERIFY(moved.last().at(1).toBool());
        QVERIFY(moved.last().at(0).toLongLong() > 50);
        moved.clear();
        m_page->findChild<QTabWidget*>("recallCharts")->setCurrentIndex(1);
        m_page->curve()->canvas()->setFocus();
        QTest::keyClick(m_page->curve()->canvas(), Qt::Key_Right);
        QCOMPARE(moved.size(), 1);
        QCOMPARE(moved.last().at(0).toLongLong(), qlonglong(5));
    }
    void theTableSortsByNumber()
    {
        m_page->table()->sortByColumn(Model::LatentColumn, Qt::DescendingOrder);
        QCOMPARE(m_page->table()->proxy()->index(0, 0).data(kSortRole).toInt(), 16);
        m_page->table()->sortByColumn(Model::MissedColumn, Qt::AscendingOrder);
        QCOMPARE(m_page->table()->proxy()->index(2, Model::MissedColumn).data(kSortRole).toInt(), 2);
    }
    void withoutACoarseOrderItShowsWhatWasFound()
    {
        auto report = sample::encoderReport();
        report->coarseRanks.clear();
        m_page->setReport(report);
        QCOMPARE(m_page->recall().mean, 0.75);
        QVERIFY(!m_page->places()->cut().has_value());
        QVERIFY(m_page->places()->histogram().empty());
        QCOMPARE(m_page->model()->rowCount(), 3); // those of the report
        QVERIFY(!state().contains("candidates"));
    }
    void nothingMeasuredIsEmpty()
    {
        m_page->setReport(nullptr);
        QCOMPARE(m_page->model()->rowCount(), 0);
        QVERIFY(state().isEmpty());
        auto none = std::make_shared<report::EncoderReport>();
        none->outcomes.resize(3);
        m_page->setReport(none);
        QVERIFY(state().contains("no recall"));
    }
    void exportsCarryTheSettings()
    {
        m_page->setCaption("encoder.low-rank, rank 8");
        QSignalSpy asked(m_page.get(), &RecallPage::exportRequested);
        emit m_page->table()->exportRequested(FigureFormat::Csv);
        QCOMPARE(asked.last().at(2).toString(), QStringLiteral("missed-latents"));
        QCOMPARE(m_page->table()->figureCaption(), QStringLiteral("encoder.low-rank, rank 8"));
    }
};

QTEST_MAIN(TstRecallPage)
#include "tst_recall_page.moc"
