// SPDX-License-Identifier: GPL-3.0-or-later
// Candidates, margins and the law of their number.
#include "core/report/encoder_recall.h"
#include "tests/views/encoder_sample.h"
#include "views/common/copyable_table_view.h"
#include "views/common/figure_export.h"
#include "views/common/line_chart.h"
#include "views/encoder/certificate_model.h"
#include "views/encoder/certificate_page.h"
#include "views/encoder/histogram_chart.h"

#include <QAbstractItemModelTester>
#include <QLabel>
#include <QSignalSpy>
#include <QTest>

#include <cmath>
#include <numeric>

using namespace tamis;
using namespace tamis::views;

class TstCertificatePage : public QObject {
    Q_OBJECT
    std::unique_ptr<CertificatePage> m_page;

    /// 100 tokens whose bounds grow and with them their candidates; the last was scored whole.
    static std::shared_ptr<report::EncoderReport> certified()
    {
        auto report = sample::encoderReport();
        report->certified = true;
        report->outcomes.clear();
        for (int t = 0; t < 100; ++t) {
            report::TokenOutcome outcome;
            outcome.exact = outcome.found = 4;
            outcome.candidates = 4 + t;
            outcome.margin = 0.01 * t;
            outcome.bound = 0.1 + 0.005 * t;
            report->outcomes.push_back(outcome);
        }
        report->outcomes.back().dense = true;
        report->outcomes.back().candidates = 1000;
        report->outcomes.back().bound = report::kNotMeasured;
        return report;
    }

private slots:
    void init()
    {
        m_page = std::make_unique<CertificatePage>();
        m_page->resize(1000, 700);
        m_page->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_page.get()));
    }
    void cleanup() { m_page.reset(); }

    void methodsThatProveNothingSaySo()
    {
        m_page->setReport(sample::encoderReport());
        QVERIFY(!m_page->shows());
        QVERIFY(m_page->findChild<QWidget*>("certificateEmpty")->isVisible());
        m_page->setReport(nullptr);
        QVERIFY(!m_page->shows());
    }
    void everyTokenIsCounted()
    {
        m_page->setReport(certified());
        QVERIFY(m_page->shows());
        for (const auto* chart : {m_page->candidates(), m_page->margins()}) {
            const auto& counts = chart->histogram().counts;
            QCOMPARE(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}), std::int64_t(100));
        }
        const QString state = m_page->findChild<QLabel*>("certificateState")->text();
        QVERIFY(state.contains("99 of 100 sets proven"));
        QVERIFY(state.contains("1000 at most"));
        QVERIFY(state.contains("1 of 100 sets by the dense fall-back"));
        auto unproven = certified();
        unproven->outcomes[3].margin = -0.1;
        m_page->setReport(unproven);
        QVERIFY(m_page->findChild<QLabel*>("certificateState")->text().contains("98 of 100 sets proven"));
        QVERIFY(m_page->findChild<QLabel*>("certificateState")->text().contains("1 of 100 sets not proven"));
    }
    void everyTokenSaysWhatIsCertain()
    {
        auto report = certified();
        for (int t = 10; t < 40; ++t)
            report->outcomes[static_cast<std::size_t>(t)].failure = 1e-3;
        report->outcomes[5].margin = report::kNotMeasured; // no number proves nothing
        report->outcomes.back().failure = 1e-3;            // every latent was scored: nothing is left to chance
        m_page->setReport(report);
        const auto* model = m_page->model();
        const auto label = [&](int token) { return model->index(token, CertificateModel::CertaintyColumn).data().toString(); };
        QCOMPARE(model->rowCount(), 100);
        QCOMPARE(label(0), QStringLiteral("proven"));
        QCOMPARE(label(5), QStringLiteral("not proven"));
        QCOMPARE(label(20), QStringLiteral("with probability 1 − 0.001"));
        QCOMPARE(label(99), QStringLiteral("dense fall-back"));
        const QString state = m_page->findChild<QLabel*>("certificateState")->text();
        QVERIFY(state.contains("68 of 100 sets proven") && state.contains("30 of 100 sets certain with probability 1 − 0.001 each"));
        QVERIFY(figureTable(*m_page->table()).contains("20,24,0.2,"));
        const QAbstractItemModelTester tester(m_page->model(), QAbstractItemModelTester::FailureReportingMode::Fatal);
        m_page->setReport(sample::encoderReport()); // proves nothing
        QCOMPARE(model->rowCount(), 0);
    }
    void aTokenIsSeenClosely()
    {
        m_page->setReport(certified());
        m_page->table()->sortByColumn(CertificateModel::CandidatesColumn, Qt::DescendingOrder);
        QSignalSpy activated(m_page.get(), &CertificatePage::tokenActivated);
        emit m_page->table()->activated(m_page->table()->model()->index(0, 0));
        QCOMPARE(activated.last().first().toLongLong(), 99LL);
    }
    void theLawStandsBesideWhatWasMeasured()
    {
        m_page->setReport(certified());
        const auto& series = m_page->law()->series();
        QCOMPARE(series.size(), std::size_t(4));
        for (const auto& point : series[0].points) { // the token scored whole has no bound and no place here
            QVERIFY(point.x >= 0.1 && point.x < 0.6);
            QVERIFY(point.y >= 4 && point.y < 104);
        }
        for (const auto& point : series[3].points)
            QCOMPARE(point.y, report::expectedSurvivors(1000, 4, point.x));
    }
    void theLawIsThatOfTheNormalTail()
    {
        QVERIFY(std::abs(report::expectedSurvivors(1000, 4, 0) - 4) < 1e-9); // exact scores leave k
        // Q^-1(0.1) = 1.2815515655446004 (tables); less 2 * 0.64077578277 leaves the upper half.
        QVERIFY(std::abs(report::expectedSurvivors(100'000, 10'000, 1.2815515655446004 / 2) - 50'000) < 1e-3);
        QVERIFY(report::expectedSurvivors(1000, 1000, 1) > 999.999);
        double before = 0;
        for (double bound = 0; bound < 8; bound += 0.25) {
            const double now = report::expectedSurvivors(65'536, 64, bound);
            QVERIFY(now > before || now == 65'536);
            QVERIFY(now <= 65'536);
            before = now;
        }
    }
    void anEncoderThatTellsNoBoundsHasNoLaw()
    {
        auto report = certified();
        for (auto& outcome : report->outcomes)
            outcome.bound = report::kNotMeasured;
        m_page->setReport(report);
        QVERIFY(m_page->law()->series().empty());
        QVERIFY(!m_page->grab().isNull());
    }
};

QTEST_MAIN(TstCertificatePage)
#include "tst_certificate_page.moc"
