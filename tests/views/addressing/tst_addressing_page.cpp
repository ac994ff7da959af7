// SPDX-License-Identifier: GPL-3.0-or-later
// The page of sparse addressing: bars are as long as their numbers, what was refused says why, what a report lacks is not shown.
#include "views/addressing/addressing_page.h"
#include "views/addressing/grouped_bars.h"
#include "views/addressing/load_bars.h"
#include "views/common/figure_export.h"
#include "views/common/line_chart.h"
#include "views/common/number_format.h"

#include <QComboBox>
#include <QLabel>
#include <QSignalSpy>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

class TstAddressingPage : public QObject {
    Q_OBJECT
    std::unique_ptr<AddressingPage> m_page;

    static std::shared_ptr<report::AddressingReport> sample()
    {
        auto made = std::make_shared<report::AddressingReport>();
        made->method = "addressing.deep-embed";
        made->samples = "tokens of heldout.npy";
        made->traceTokens = 1000;
        made->uniqueRows = 0.25;
        made->window = 256;
        made->tables = {{"token-major", "F16", 1 << 20, 256, 1536, 1, 4096.0 / 1536, 0.125, 256}, {"layer-major", "F16", 1 << 20, 256, 1536, 6, 16, 0.5, 256}};
        made->latencies = {{"mmap", "token-major", false, 1, 1, 10, 100, 0, 1, {}}, {"pread", "token-major", true, 1, 50, 1000, 1000, 4096, 1, {}}};
        report::ReadLatency refused;
        refused.reader = "io_uring";
        refused.layout = "token-major";
        refused.failure = "the kernel refuses io_uring: Operation not permitted";
        made->latencies.push_back(refused);
        made->caches = {{"LRU", {{1, 1536, 0.1}, {10, 15360, 0.5}, {100, 153600, 0.9}}}, {"static hot", {{1, 1536, 0.2}, {100, 153600, 0.95}}}};
        made->wholePerplexity = 15;
        made->perplexity = 60;
        made->sharedPerplexity = 45;
        made->tablePerplexity = 30;
        made->unseenTokens = 7;
        return made;
    }

private slots:
    void init()
    {
        m_page = std::make_unique<AddressingPage>();
        m_page->resize(1100, 900);
        m_page->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_page.get()));
    }
    void cleanup() { m_page.reset(); }

    void barsAreAsLongAsTheirNumbers()
    {
        m_page->setReport(sample());
        const GroupedBars& reads = *m_page->reads();
        QCOMPARE(reads.rows().size(), std::size_t{4});
        // layer-major, token by token: 6 pages of 4096 bytes beside rows of 1536
        QVERIFY(std::abs(reads.barRect(2, 1).width() / reads.barRect(2, 0).width() - 16) < 1e-6);
        QVERIFY(std::abs(reads.barRect(2, 1).width() / reads.barRect(0, 1).width() - 6) < 1e-6);
        QVERIFY(reads.barRect(2, 0).top() < reads.barRect(2, 1).top() && reads.barRect(1, 1).bottom() < reads.barRect(2, 0).top());
        QVERIFY(reads.accessibleDescription().contains(formatBytes(6 * 4096)));
    }
    void timesAreLogarithmicAndRefusalsSayWhy()
    {
        m_page->setReport(sample());
        const GroupedBars& times = *m_page->latencies();
        const double decade = times.barRect(0, 1).width() - times.barRect(0, 0).width(); // 1 to 10 microseconds
        QVERIFY(decade > 10);
        QVERIFY(std::abs(times.barRect(0, 2).width() - times.barRect(0, 1).width() - decade) < 1e-6);
        QVERIFY(std::abs(times.barRect(1, 1).width() - times.barRect(0, 2).width() - decade) < 1e-6); // 1000: another decade
        QVERIFY(times.barRect(2, 0).isEmpty());
        QVERIFY(times.rows()[2].remark.contains("refuses"));
        QVERIFY(times.figureCsv().contains("io_uring, token-major, from memory\",,,,the kernel refuses"));
        QVERIFY(times.accessibleDescription().contains("refuses"));
    }
    void curvesAreTheReports()
    {
        m_page->setReport(sample());
        QCOMPARE(m_page->caches()->series().size(), std::size_t{2});
        QCOMPARE(m_page->caches()->series()[0].points.back(), (report::Point{100, 0.9}));
        QVERIFY(m_page->findChild<QLabel*>("addressingSummary")->text().contains(formatPercent(0.25)));
        QVERIFY(m_page->findChild<QLabel*>("addressingSummary")->text().contains("7 tokens"));
        QCOMPARE(m_page->quality()->rows().size(), std::size_t{4});
        QVERIFY(std::abs(m_page->quality()->barRect(1, 0).width() / m_page->quality()->barRect(3, 0).width() - 2) < 1e-6);
    }
    void whatIsMissingIsHidden()
    {
        m_page->setReport(sample());
        QVERIFY(!m_page->load()->isVisible());
        QVERIFY(m_page->quality()->isVisible());
        m_page->setReport(nullptr);
        QVERIFY(!m_page->quality()->isVisible());
        QVERIFY(m_page->reads()->rows().empty());
        QCOMPARE(m_page->reads()->barRect(0, 0), QRectF());
    }
    void routersAreChosen()
    {
        auto report = sample();
        report::RouterReport even, uneven;
        even.routing = "relu";
        even.load = {0.25, 0.25, 0.25, 0.25};
        even.maxOverMean = 1;
        uneven.routing = "top-e";
        uneven.load = {0.8, 0.1, 0.1, 0.0};
        uneven.gini = 0.6;
        uneven.maxOverMean = 3.2;
        report->routers = {even, uneven};
        report->memories = {{"mean output", 1.0, 1.02, 0, 0}, {"top-e", 0.5, 0.7, 512, 1024}};
        m_page->setReport(report);
        QVERIFY(m_page->load()->isVisible());
        QCOMPARE(m_page->routers()->count(), 2);
        QCOMPARE(m_page->load()->load(), even.load);
        m_page->routers()->setCurrentIndex(1);
        const LoadBars& load = *m_page->load();
        QVERIFY(std::abs(load.barRect(0).height() / load.barRect(1).height() - 8) < 1e-6);
        QCOMPARE(load.barRect(3).height(), 0.0);
        QVERIFY(std::abs((load.barRect(0).bottom() - load.meanPixel()) / load.barRect(0).height() - 0.25 / 0.8) < 1e-6);
        QVERIFY(m_page->findChild<QLabel*>("addressingRouterText")->text().contains("3.2"));
        QTest::mouseMove(m_page->load(), QPoint(static_cast<int>(load.barRect(1).center().x()), static_cast<int>(load.barRect(0).center().y())));
        QTRY_COMPARE(load.hoverLines().value(0), QStringLiteral("expert 1"));
        QVERIFY(load.hoverLines().value(2).startsWith("0.4 "));
        QCOMPARE(m_page->quality()->rows()[1].values[0], 0.7);
    }
    void figuresAreExported()
    {
        m_page->setReport(sample());
        m_page->setCaption("layout token-major");
        QSignalSpy asked(m_page.get(), &AddressingPage::exportRequested);
        emit m_page->findChild<ExportButton*>("export-reads")->exportRequested(FigureFormat::Csv);
        QCOMPARE(asked.size(), 1);
        QCOMPARE(asked[0][2].toString(), QStringLiteral("reads"));
        QVERIFY(figureTable(*m_page->reads()).startsWith("# layout token-major\n"));
        QVERIFY(m_page->reads()->figureCsv().contains("\"layer-major, F16, token by token\",1536,24576,"));
        const QImage picture = figureImage(*m_page->latencies(), 1);
        QVERIFY(!picture.isNull());
        QVERIFY(picture.pixelColor(m_page->latencies()->barRect(0, 2).center().toPoint()) != picture.pixelColor(m_page->latencies()->width() - 3, m_page->latencies()->height() - 3));
    }
};

QTEST_MAIN(TstAddressingPage)
#include "tst_addressing_page.moc"
