// SPDX-License-Identifier: GPL-3.0-or-later
// Encoders compared: fronts, axes, hover, what a click and keys choose.
#include "tests/views/encoder_sample.h"
#include "tests/views/frontier_checks.h"
#include "views/encoder/encoder_pareto_chart.h"
#include "views/encoder/pareto_page.h"

#include <QComboBox>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

class TstEncoderPareto : public QObject {
    Q_OBJECT
    std::unique_ptr<ParetoPage> m_page;
    EncoderParetoChart* chart() const { return m_page->chart(); }

private slots:
    void init() { m_page = checks::pageWith<ParetoPage>(sample::encoders()); }
    void cleanup() { m_page.reset(); }

    void eachMethodHasItsFront()
    {
        const auto front = encoderFronts(*sample::encoders(), EncoderLoss::Recall, EncoderSpeed::Tokens64);
        // Rank 16 finds less and is slower than rank 8; the certified encoder is on its own front though the exact one finds as much.
        QCOMPARE(front, (std::vector<bool>{true, true, false, true, true, false}));
        const auto costs = encoderFronts(*sample::encoders(), EncoderLoss::FvuIncrease, EncoderSpeed::Macs);
        QCOMPARE(costs, (std::vector<bool>{true, true, false, true, true, false}));
    }
    void valuesAreThoseOfThePoint()
    {
        const auto all = sample::encoders();
        const auto& point = all->points[1];
        QCOMPARE(encoderSpeedOf(EncoderSpeed::Tokens64, point), 64 / 0.4e-3);
        QCOMPARE(encoderSpeedOf(EncoderSpeed::Tokens1, point), 1000 / (0.4 / 32));
        QVERIFY(std::abs(encoderLossOf(EncoderLoss::FvuIncrease, point) - 0.1) < 1e-12);
        QCOMPARE(encoderLossOf(EncoderLoss::Recall, all->points[0]), 1.0);
        QVERIFY(std::isnan(encoderSpeedOf(EncoderSpeed::Tokens8, all->points[5])));
        QVERIFY(std::isnan(encoderLossOf(EncoderLoss::RecallP5, all->points[5])));
    }
    void fasterIsUpAndMoreRecallIsRight()
    {
        QCOMPARE(chart()->shownPoints(), 5); // the failed one has no place
        QCOMPARE(chart()->toPixel(5), QPointF(-1, -1));
        QVERIFY(chart()->toPixel(1).y() < chart()->toPixel(3).y());
        QVERIFY(chart()->toPixel(1).x() < chart()->toPixel(3).x());
        // Twice as fast is as far everywhere: 0.4, 0.8 and 1.6 ms.
        const double first = chart()->toPixel(2).y() - chart()->toPixel(1).y(), second = chart()->toPixel(3).y() - chart()->toPixel(2).y();
        QVERIFY(std::abs(first - second) < 1e-6);
    }
    void axesAreSwitched()
    {
        auto* loss = m_page->findChild<QComboBox*>("paretoLoss");
        auto* speed = m_page->findChild<QComboBox*>("paretoSpeed");
        loss->setCurrentIndex(loss->findText("Increase of FVU"));
        QCOMPARE(chart()->loss(), EncoderLoss::FvuIncrease);
        QVERIFY(chart()->toPixel(3).x() < chart()->toPixel(1).x()); // 0.01 left of 0.1
        QVERIFY(chart()->toPixel(4).x() < chart()->toPixel(3).x()); // no increase: at the edge
        speed->setCurrentIndex(speed->findText("MACs a token"));
        QCOMPARE(chart()->speed(), EncoderSpeed::Macs);
        QVERIFY(chart()->toPixel(4).y() < chart()->toPixel(0).y()); // twice the multiply-adds of the exact one
        QVERIFY(!chart()->grab().isNull());
    }
    void hoverTellsTheSettings()
    {
        const QStringList lines = checks::hovered(*chart(), 3);
        QCOMPARE(lines.value(0), QStringLiteral("Low rank"));
        QCOMPARE(lines.value(1), QStringLiteral("rank 32"));
        QVERIFY(lines.value(2).contains("95.00"));
    }
    void aClickAndEnterMakeAPointCurrent() { checks::clickAndKeysChoose(*m_page, 1, 3, 3, 4); } // by recall: 0.65, 0.7, 0.95, ...; before the first comes the last
    void theLossOfAModelIsAnAxisOnceItWasMeasured()
    {
        auto* loss = m_page->findChild<QComboBox*>("paretoLoss");
        loss->setCurrentIndex(loss->findText("Increase of the model's loss, nats"));
        QCOMPARE(chart()->loss(), EncoderLoss::LossIncrease);
        QCOMPARE(chart()->shownPoints(), 0);
        QVERIFY(!chart()->grab().isNull());
        auto* button = m_page->findChild<QPushButton*>("measureLosses");
        QSignalSpy asked(m_page.get(), &ParetoPage::lossRequested);
        m_page->setLossState("no model is open", false, {});
        QTest::mouseClick(button, Qt::LeftButton);
        QVERIFY(asked.isEmpty() && button->toolTip().contains("no model is open"));
        m_page->setLossState({}, false, "Loss of vit20");
        QVERIFY(m_page->findChild<QLabel*>("encoderLossNote")->isVisible());
        QTest::mouseClick(button, Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
        auto measured = sample::encoders();
        for (std::size_t i = 0; i < 4; ++i) {
            auto& quality = measured->points[i].quality;
            quality.lossDense = 0.5;
            quality.lossExact = 0.6;
            quality.loss = i == 0 ? 0.6 : 0.6 + 0.1 / static_cast<double>(i * i);
        }
        m_page->setComparison(measured);
        QCOMPARE(chart()->shownPoints(), 4);
        QVERIFY(chart()->toPixel(0).x() < chart()->toPixel(3).x() && chart()->toPixel(3).x() < chart()->toPixel(2).x()); // none at the left edge; less is better
        // A tenth, a fortieth and a ninetieth: as far as their logarithms.
        const double first = chart()->toPixel(1).x() - chart()->toPixel(2).x(), second = chart()->toPixel(2).x() - chart()->toPixel(3).x();
        QVERIFY(std::abs(first / second - std::log(4) / std::log(2.25)) < 1e-6);
        QTest::mouseMove(chart(), chart()->toPixel(1).toPoint());
        QVERIFY(chart()->hoverLines().join(QLatin1Char(' ')).contains("model's loss 0.7"));
    }
    void theStateCountsPointsAndFailures()
    {
        const auto* state = m_page->findChild<QLabel*>("encoderCompareState");
        QVERIFY(state->text().contains("6 points, 1 failed"));
        QVERIFY(state->toolTip().contains("expected at most 1000"));
        checks::stateCountsWhatIsMissing(*m_page, *state, sample::encoders());
    }
    void theButtonSaysWhyNot() { checks::buttonSaysWhyNot(*m_page, "compareEncoders", "no autoencoder is open"); }
    void tablesHaveEveryPointWithItsFailure()
    {
        const QString table = checks::tableOf(*chart(), "/saes/small: 1000 latents of width 64, k = 4, measured on 300 tokens of /saes/heldout.npy", 6);
        QVERIFY(table.contains("encoder.low-rank,rank 32,0.95,0.85,"));
        QVERIFY(table.contains("\"found 4096 clusters, expected at most 1000\""));
    }
    void nothingComparedIsEmpty()
    {
        checks::nothingComparedIsEmpty(*m_page);
        report::EncoderPoint now = sample::encoders()->points[1];
        m_page->setCurrent(now); // alone
        QVERIFY(!chart()->grab().isNull());
    }
};

QTEST_MAIN(TstEncoderPareto)
#include "tst_encoder_pareto.moc"
