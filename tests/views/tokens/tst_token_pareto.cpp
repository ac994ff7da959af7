// SPDX-License-Identifier: GPL-3.0-or-later
// Reductions compared: fronts, break-even, axes, hover, what a click and keys choose.
#include "tests/views/frontier_checks.h"
#include "tests/views/token_sample.h"
#include "views/tokens/token_pareto_chart.h"
#include "views/tokens/token_pareto_page.h"

#include <QComboBox>

#include <cmath>

using namespace tamis;
using namespace tamis::views;

class TstTokenPareto : public QObject {
    Q_OBJECT
    std::unique_ptr<TokenParetoPage> m_page;
    TokenParetoChart* chart() const { return m_page->chart(); }
    void choose(const char* box, int value)
    {
        auto* combo = m_page->findChild<QComboBox*>(box);
        combo->setCurrentIndex(combo->findData(value));
    }

private slots:
    void init() { m_page = checks::pageWith<TokenParetoPage>(sample::tokenMethods()); }
    void cleanup() { m_page.reset(); }

    void eachMethodHasItsFront()
    {
        auto all = sample::tokenMethods();
        QCOMPARE(tokenFronts(*all, TokenQuality::Agreement, TokenCost::Macs), (std::vector<bool>{true, true, true, true, true, true, false}));
        all->points[2].agreement = 0.5; // worse than r 12 and dearer
        QCOMPARE(tokenFronts(*all, TokenQuality::Agreement, TokenCost::Macs), (std::vector<bool>{true, true, false, true, true, true, false}));
        QCOMPARE(tokenFronts(*all, TokenQuality::SpeedUp, TokenCost::Macs), (std::vector<bool>{true, true, true, true, true, true, false})); // what was measured is shown
        QCOMPARE(tokenFronts(*all, TokenQuality::Kl, TokenCost::Macs), (std::vector<bool>{true, true, true, true, true, true, false}));
    }
    void breakEvenIsWhereTheTimeCrosses()
    {
        const auto all = sample::tokenMethods();
        // 60 MMAC: 10 / 8 = 1.25 times as fast; 80: as fast. The line crosses 1 at 80.
        QVERIFY(std::abs(tokenBreakEven(*all, "ToMe") - 80e6) < 1);
        auto slower = sample::tokenMethods();
        slower->points[1].latencyMs = 12.5; // 0.8: crosses between 60 and 80 at 5 / 9 of the way
        QVERIFY(std::abs(tokenBreakEven(*slower, "ToMe") - (60e6 + 20e6 * 0.25 / 0.45)) < 1);
        QCOMPARE(tokenBreakEven(*all, "Random"), 100e6); // at every setting
        QVERIFY(std::isnan(tokenBreakEven(*all, "EViT")));
        for (auto& point : slower->points)
            point.latencyMs = point.method.empty() ? 10 : 11;
        QVERIFY(std::isnan(tokenBreakEven(*slower, "ToMe")));
        const QString said = m_page->findChild<QLabel*>("tokenBreakEven")->text();
        QVERIFY(said.contains("ToMe: below 80.0"));
        QVERIFY(said.contains("Random: at every setting"));
        QVERIFY(!said.contains("EViT")); // was not measured
    }
    void betterIsUpAndDearerIsRight()
    {
        QCOMPARE(chart()->shownPoints(), 6);
        QCOMPARE(chart()->toPixel(6), QPointF(-1, -1)); // failed
        QVERIFY(chart()->toPixel(1).y() < chart()->toPixel(3).y());
        QVERIFY(chart()->toPixel(1).x() > chart()->toPixel(3).x());
        choose("tokenQuality", static_cast<int>(TokenQuality::Kl)); // less is better: upwards still
        QVERIFY(chart()->toPixel(1).y() < chart()->toPixel(3).y());
        choose("tokenCost", static_cast<int>(TokenCost::Latency));
        QVERIFY(std::abs(chart()->toPixel(0).x() - chart()->toPixel(1).x()) < 1e-9); // both take 10 ms
        choose("tokenCost", static_cast<int>(TokenCost::Tokens));
        QVERIFY(chart()->toPixel(0).x() > chart()->toPixel(1).x());
        QVERIFY(!chart()->grab().isNull());
    }
    void thePromiseStandsBesideTheMeasure()
    {
        QCOMPARE(chart()->promised(50e6), QPointF(-1, -1));
        choose("tokenQuality", static_cast<int>(TokenQuality::SpeedUp));
        QVERIFY(std::abs(chart()->promised(50e6).y() - chart()->toPixel(3).y()) < 1e-9); // half the MACs, half the time: kept
        QVERIFY(chart()->promised(60e6).y() < chart()->toPixel(2).y()); // 1.67 promised, 1.25 measured
        QVERIFY(std::abs(chart()->promised(100e6).y() - chart()->toPixel(0).y()) < 1e-9);
        QVERIFY(!chart()->grab().isNull());
    }
    void whatWasNotMeasuredIsSaid()
    {
        choose("tokenQuality", static_cast<int>(TokenQuality::Top1));
        QCOMPARE(chart()->shownPoints(), 0);
        QVERIFY(!chart()->grab().isNull());
    }
    void hoverTellsEveryMeasure()
    {
        const QString lines = checks::hovered(*chart(), 2).join('\n');
        QVERIFY(lines.startsWith("ToMe\nr 8\n"));
        QVERIFY(lines.contains("90.0"));
        QVERIFY(lines.contains("1.25"));
        QVERIFY(lines.contains("a batch of 8, of it 0.20"));
    }
    void aClickAndEnterChoose()
    {
        checks::clickAndKeysChoose(*m_page, 3, 2, 3, 5); // by MACs: 45, 50, 60, ...; before the first there is none
        QVERIFY(chart()->accessibleDescription().contains("Random"));
    }
    void theStateCountsPointsAndFailures()
    {
        const auto* state = m_page->findChild<QLabel*>("tokenCompareState");
        QCOMPARE(state->text(), QStringLiteral("7 points, 1 failed"));
        QVERIFY(state->toolTip().contains("no class token"));
        auto some = sample::tokenMethods();
        some->warnings = {"cut.jpg: is cut off"};
        m_page->setComparison(some);
        QCOMPARE(state->text(), QStringLiteral("7 points, 1 failed, 1 photos left out"));
        QVERIFY(state->toolTip().endsWith("cut.jpg: is cut off"));
        checks::stateCountsWhatIsMissing(*m_page, *state, sample::tokenMethods());
    }
    void theButtonSaysWhyNot() { checks::buttonSaysWhyNot(*m_page, "compareTokens", "no photos are open"); }
    void tablesHaveEveryPoint()
    {
        const QString table = checks::tableOf(*chart(), "/models/small: 20 photos of /photos, latency at batch 8", 7);
        QVERIFY(table.contains("tokens.tome,ToMe,r 8,0,60000000,0.6,,0.9,0.05,8,0.2,\n"));
        QVERIFY(table.contains("\"the model has no class token, expected one\""));
    }
    void nothingComparedIsEmpty() { checks::nothingComparedIsEmpty(*m_page); }
};

QTEST_MAIN(TstTokenPareto)
#include "tst_token_pareto.moc"
