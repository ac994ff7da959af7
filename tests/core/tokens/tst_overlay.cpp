// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/overlay.h"

#include "tests/core/tokens/bundled_model.h"

#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;

class TestOverlay : public QObject {
    Q_OBJECT
private slots:
    void layersClassesAndCosts()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        nn::Scratch scratch;
        const auto whole = tokens::wholeResult(*model, images.samples[0], scratch);
        QCOMPARE(whole.output, test::runOne(*model, {}, images.samples[0]));
        QCOMPARE(whole.features.size(), std::size_t{128});
        const std::vector<std::string> names{"zero", "one", "two"};
        const auto report = tokens::overlay(*model, test::chainOf("tokens.tome", model, {{"r", "30"}}), images.samples[0], {}, whole, names, scratch);
        QCOMPARE(report.gridRows, 16);
        QCOMPARE(report.gridCols, 16);
        QCOMPARE(report.prefix, 1);
        QCOMPARE(report.patch, 4);
        QCOMPARE(report.layers.size(), std::size_t{6});
        std::uint64_t blocks = 0;
        for (const auto& layer : report.layers) {
            QCOMPARE(layer.after, layer.before - 30);
            QCOMPARE(layer.sizes.size(), static_cast<std::size_t>(layer.after));
            QCOMPARE(layer.group.size(), std::size_t{257});
            QCOMPARE(layer.scores.size(), std::size_t{257});
            QVERIFY(std::isnan(layer.scores[0])); // the class token has no partner
            QVERIFY(std::ranges::any_of(layer.scores, [](float score) { return std::isfinite(score); }));
            blocks += layer.macs;
        }
        QVERIFY(report.macs > blocks && report.macs < report.fullMacs);
        QVERIFY(report.embeddingShift > 0 && report.embeddingShift < 1);
        QCOMPARE(report.before.size(), std::size_t{5});
        QCOMPARE(report.after.size(), std::size_t{5});
        for (const auto& list : {report.before, report.after}) {
            QVERIFY(std::ranges::is_sorted(list, std::greater{}, &report::ClassProbability::probability));
            QCOMPARE(list[0].name, static_cast<std::size_t>(list[0].index) < names.size() ? names[static_cast<std::size_t>(list[0].index)] : std::string());
        }
    }
    void withoutStepsBeforeAndAfterAreTheSame()
    {
        const auto model = test::tokenModel("deit");
        const test::TokenImages images("deit");
        nn::Scratch scratch;
        const auto whole = tokens::wholeResult(*model, images.samples[1], scratch);
        const auto report = tokens::overlay(*model, {}, images.samples[1], {}, whole, {}, scratch);
        QCOMPARE(report.macs, report.fullMacs);
        QVERIFY(report.embeddingShift < 1e-12);
        QCOMPARE(report.before[0].probability, report.after[0].probability);
        QVERIFY(report.layers[0].scores.empty());
    }
    void droppingATokenByHandChangesThePrediction()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        nn::Scratch scratch;
        const auto whole = tokens::wholeResult(*model, images.samples[0], scratch);
        std::vector<tokens::Wish> wishes(257, tokens::Wish::None);
        std::fill_n(wishes.begin() + 100, 60, tokens::Wish::Drop);
        const auto report = tokens::overlay(*model, {}, images.samples[0], wishes, whole, {}, scratch);
        QVERIFY(report.embeddingShift > 0);
        QCOMPARE(report.layers[0].before, 197);
        QCOMPARE(report.layers[5].group[120], -1);
    }
};

QTEST_GUILESS_MAIN(TestOverlay)
#include "tst_overlay.moc"
