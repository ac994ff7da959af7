// SPDX-License-Identifier: GPL-3.0-or-later
// Predicted cost beside measured cost.
#include "tests/views/encoder_sample.h"
#include "views/common/copyable_table_view.h"
#include "views/common/line_chart.h"
#include "views/encoder/cost_page.h"
#include "views/encoder/encoder_cost_model.h"

#include <QAbstractItemModelTester>
#include <QLabel>
#include <QPlainTextEdit>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::views;
using Model = EncoderCostModel;

class TstCostPage : public QObject {
    Q_OBJECT
    std::unique_ptr<CostPage> m_page;
    QString cell(int row, int column) const { return m_page->model()->index(row, column).data().toString(); }

private slots:
    void init()
    {
        m_page = std::make_unique<CostPage>();
        new QAbstractItemModelTester(m_page->model(), QAbstractItemModelTester::FailureReportingMode::QtTest, m_page.get());
        m_page->resize(900, 600);
        m_page->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_page.get()));
        m_page->setReport(sample::encoderReport());
    }
    void cleanup() { m_page.reset(); }

    void shapesPredictAndClocksMeasure()
    {
        QCOMPARE(m_page->model()->rowCount(), 6); // MACs, bytes, memory, three batches
        QCOMPARE(cell(0, Model::EncoderColumn), QStringLiteral("8.00\u202fk"));
        QCOMPARE(cell(0, Model::ExactColumn), QStringLiteral("64.0\u202fk"));
        QCOMPARE(cell(0, Model::PredictedColumn), QStringLiteral("8.00\u202f×"));
        QCOMPARE(cell(0, Model::MeasuredColumn), QStringLiteral("–"));
        QCOMPARE(cell(1, Model::PredictedColumn), QStringLiteral("8.50\u202f×")); // 272000 over 32000
        QCOMPARE(cell(2, Model::PredictedColumn), QStringLiteral("–")); // less memory is no speed
        QCOMPARE(cell(3, Model::EncoderColumn), QStringLiteral("20.0\u202fµs"));
        QCOMPARE(cell(3, Model::MeasuredColumn), QStringLiteral("5.00\u202f×"));
        QCOMPARE(cell(3, Model::PredictedColumn), QStringLiteral("8.00 – 8.50\u202f×")); // between multiply-adds and bytes
        QCOMPARE(cell(5, Model::MeasuredColumn), QStringLiteral("2.00\u202f×"));
        QVERIFY(m_page->model()->index(3, Model::EncoderColumn).data(Qt::ToolTipRole).toString().contains("30.0\u202fµs")); // p99
    }
    void theRangeIsOrderedWhicheverRatioIsLarger()
    {
        auto report = *sample::encoderReport();
        report.cost.bytesRead = 136'000;
        const auto range = predictedSpeedUp(report);
        QCOMPARE(range.low, 2.0);
        QCOMPARE(range.high, 8.0);
        report.cost.macs = 0;
        QVERIFY(std::isnan(predictedSpeedUp(report).low));
    }
    void slowerIsSaidInAnotherColour()
    {
        auto report = sample::encoderReport();
        report->latency[1].p50 = 0.8;
        m_page->setReport(report);
        QCOMPARE(cell(4, Model::MeasuredColumn), QStringLiteral("0.50\u202f×"));
        QVERIFY(m_page->model()->index(4, Model::MeasuredColumn).data(Qt::ForegroundRole) != m_page->model()->index(3, Model::MeasuredColumn).data(Qt::ForegroundRole));
    }
    void withoutLatencyItSaysThatItComes()
    {
        auto report = sample::encoderReport();
        report->latency.clear();
        m_page->setReport(report);
        QCOMPARE(m_page->model()->rowCount(), 3);
        QVERIFY(m_page->findChild<QLabel*>("costState")->text().contains("once nothing changes"));
        m_page->setReport(nullptr);
        QCOMPARE(m_page->model()->rowCount(), 0);
    }
    void noticesAreShown()
    {
        QVERIFY(m_page->findChild<QPlainTextEdit*>("encoderNotices")->toPlainText().contains("The rank is 8"));
    }
};

QTEST_MAIN(TstCostPage)
#include "tst_cost_page.moc"
