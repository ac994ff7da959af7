// SPDX-License-Identifier: GPL-3.0-or-later
// Cost against the number of tokens: logarithmic places, predicted beside measured, crossovers with labels, what was left out.
#include "tests/views/attention_lab_sample.h"
#include "views/attention/length_chart.h"
#include "views/attention/length_page.h"

#include <QComboBox>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

class TstLengthChart : public QObject {
    Q_OBJECT
    std::unique_ptr<LengthPage> m_page;
    template <class T> T* part(const char* name) const { return m_page->findChild<T*>(QLatin1String(name)); }

private slots:
    void init()
    {
        m_page = std::make_unique<LengthPage>();
        m_page->resize(1000, 760);
        m_page->show();
        QVERIFY(QTest::qWaitForWindowExposed(m_page.get()));
        m_page->setCurves(sample::attentionCurves());
    }
    void cleanup() { m_page.reset(); }

    void pointsStandByLogarithms()
    {
        auto* chart = m_page->time();
        QCOMPARE(chart->shownPoints(), 8 + 9 + 9 + 9); // exact was not measured at 16384
        // Doubling the tokens is one step to the right; exact time goes up by four, the method's by two: slopes 2 and 1.
        const QPointF a = chart->toPixel(0), b = chart->toPixel(1), c = chart->toPixel(7);
        QVERIFY(std::abs((c.x() - a.x()) - 7 * (b.x() - a.x())) < 0.01);
        const QPointF from = chart->toPixel(8 + 9), to = chart->toPixel(8 + 9 + 1); // the method's
        const double ratio = (b.y() - a.y()) / (to.y() - from.y());
        QVERIFY2(std::abs(ratio - 2) < 1e-6, qPrintable(QString::number(ratio)));
        QVERIFY(chart->toPixel(8).y() > a.y()); // predicted to be faster than measured
    }
    void crossoversAreLabelled()
    {
        const auto found = m_page->time()->crossovers();
        QCOMPARE(found.size(), std::size_t{2});
        QVERIFY(found[0].predicted && found[0].label.contains("256") && found[0].label.contains("Nyström"));
        QVERIFY(!found[1].predicted && found[1].label.contains("512"));
        QVERIFY(m_page->memory()->crossovers().empty());
        QVERIFY2(part<QLabel>("lengthCrossovers")->text().contains("from 512 tokens on as measured, from 256 tokens on as predicted"), qPrintable(part<QLabel>("lengthCrossovers")->text()));
        auto never = std::make_shared<CostCurves>(*sample::attentionCurves());
        (*never)[1].measuredCrossover = report::kNotMeasured;
        m_page->setCurves(never);
        QVERIFY(part<QLabel>("lengthCrossovers")->text().contains("nowhere in this range as measured"));
        QCOMPARE(m_page->time()->crossovers().size(), std::size_t{1});
    }
    void hoverTellsOfAPoint()
    {
        auto* chart = m_page->time();
        QTest::mouseMove(chart, chart->toPixel(4).toPoint());
        const QString lines = chart->hoverLines().join('|');
        QVERIFY2(lines.contains("1024 tokens") && lines.contains(QStringLiteral("1.00\u202fms measured")), qPrintable(lines));
    }
    void theSecondChartSwitches()
    {
        QCOMPARE(m_page->memory()->measure(), LengthMeasure::Scratch);
        QCOMPARE(m_page->memory()->shownPoints(), 18); // known for sizes that were not measured, too
        auto* box = part<QComboBox>("lengthMeasure");
        box->setFocus();
        QTest::keyClick(box, Qt::Key_Down);
        QCOMPARE(m_page->memory()->measure(), LengthMeasure::Macs);
        QTest::keyClick(box, Qt::Key_Down);
        QCOMPARE(m_page->memory()->shownPoints(), 0); // no cache model for these
    }
    void whatIsLeftOutIsSaidAndWritten()
    {
        QVERIFY(part<QLabel>("lengthState")->text().contains("1 sizes left out"));
        QVERIFY(part<QLabel>("lengthState")->toolTip().contains("needs 4 GiB"));
        const QString csv = m_page->time()->figureCsv();
        QCOMPARE(csv.count('\n'), 1 + 18);
        QVERIFY(csv.contains("exact,,16384,,128,268435456,1073741824,0,needs 4 GiB"));
        m_page->setDisabledReason("no model is open");
        QVERIFY(!part<QPushButton>("measureLengths")->isEnabled());
        m_page->setCurves(nullptr);
        QCOMPARE(m_page->time()->shownPoints(), 0);
    }
    void aClickStartsIt()
    {
        QSignalSpy asked(m_page.get(), &LengthPage::measureRequested);
        QTest::mouseClick(part<QPushButton>("measureLengths"), Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
    }
};

QTEST_MAIN(TstLengthChart)
#include "tst_length_chart.moc"
