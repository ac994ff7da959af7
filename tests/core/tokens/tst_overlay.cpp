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
        QVERIFY(!report.unmergedShift.empty() && std::ranges::all_of(report.unmergedShift, [](float shift) { return shift < 1e-12f; })); // roundings of sums in double
        QCOMPARE(report.before[0].probability, report.after[0].probability);
        QVERIFY(report.layers[0].scores.empty());
    }
    /// The rows that come out are those that the model itself has behind its last norm.
    void wholeRowsAreTheModelsOwn()
    {
        struct Last final : nn::Observer {
            tensor::Matrix<float> rows;
            void finalHidden(std::size_t, kernels::ConstRows hidden) override
            {
                rows = tensor::Matrix<float>(hidden.rows, hidden.cols);
                for (std::int64_t i = 0; i < hidden.rows; ++i)
                    std::ranges::copy(hidden.row(i), rows.view().row(i).begin());
            }
        } last;
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        nn::Scratch scratch;
        tensor::Matrix<float> output(1, model->outputWidth());
        model->run(images.samples[0], output.view(), scratch, 0, &last);
        QCOMPARE(tokens::wholeResult(*model, images.samples[0], scratch).rows, last.rows);
    }
    void featuresGoBackToTheGrid_data()
    {
        QTest::addColumn<QString>("method");
        QTest::addColumn<QString>("parameter");
        QTest::addColumn<QString>("value");
        QTest::newRow("merged") << "tokens.tome" << "r" << "30";
        QTest::newRow("pruned") << "tokens.top-rho" << "keep" << "0.5";
        QTest::newRow("left early") << "tokens.truncated" << "blocks" << "3";
    }
    /// Patch by patch against the formula in double, from the row of the token that holds it.
    void featuresGoBackToTheGrid()
    {
        QFETCH(QString, method);
        QFETCH(QString, parameter);
        QFETCH(QString, value);
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        const auto chain = test::chainOf(method.toStdString(), model, {{parameter.toStdString(), value.toStdString()}});
        nn::Scratch scratch;
        tokens::Trace trace;
        test::runOne(*model, chain, images.samples[0], &trace);
        const auto whole = tokens::wholeResult(*model, images.samples[0], scratch);
        const auto report = tokens::overlay(*model, chain, images.samples[0], {}, whole, {}, scratch);
        QCOMPARE(report.unmergedShift.size(), std::size_t{256});
        const auto features = tokens::unmergedFeatures(*model, chain, images.samples[0], {}, scratch);
        QCOMPARE(features.rows(), 257);
        int run = 0;
        while (run + 1 < 6 && report.layers[static_cast<std::size_t>(run + 1)].after > 0)
            ++run;
        int pruned = 0;
        for (std::int64_t source = 1; source < 257; ++source) {
            const int token = report.layers[static_cast<std::size_t>(run)].group[static_cast<std::size_t>(source)];
            double product = 0, one = 0, other = 0;
            for (std::int64_t j = 0; j < 128; ++j) {
                const double mine = token < 0 ? 0 : static_cast<double>(trace.rows(token, j)), its = static_cast<double>(whole.rows(source, j));
                QCOMPARE(static_cast<double>(features(source, j)), mine);
                product += mine * its;
                one += mine * mine;
                other += its * its;
            }
            pruned += token < 0;
            const double expected = token < 0 ? 1 : 1 - product / std::sqrt(one * other);
            QVERIFY(std::abs(static_cast<double>(report.unmergedShift[static_cast<std::size_t>(source - 1)]) - expected) < 1e-6); // a float of order 1
        }
        QCOMPARE(pruned > 0, method == "tokens.top-rho");
    }
    void aGridOfItsOwnHasNoFeaturesOnTheModels()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        const auto chain = test::chainOf("tokens.mixed-patches", model, {{"keep", "0.5"}});
        nn::Scratch scratch;
        const auto whole = tokens::wholeResult(*model, images.samples[0], scratch);
        QVERIFY(tokens::overlay(*model, chain, images.samples[0], {}, whole, {}, scratch).unmergedShift.empty());
        QVERIFY(tokens::unmergedFeatures(*model, chain, images.samples[0], {}, scratch).empty());
        QVERIFY(!tokens::takesWishes(chain) && tokens::takesWishes(test::chainOf("tokens.tome", model, {})));
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
