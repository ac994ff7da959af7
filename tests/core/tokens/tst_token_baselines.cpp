// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/down_sampling.h"
#include "core/tokens/random_pruning.h"
#include "tests/core/tokens/bundled_model.h"
#include "tests/core/tokens/random_vit.h"

#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;

class TestTokenBaselines : public QObject {
    Q_OBJECT
private slots:
    void randomIsAFunctionOfSeedAndImage()
    {
        const auto model = test::narrowVit(4);
        const std::vector<float> one = test::wavyImage(*model), other = test::wavyImage(*model, 1);
        const auto rows = [&](const std::vector<float>& image, std::uint64_t seed) {
            tokens::Trace trace;
            test::runOne(*model, test::chainOf("tokens.random", model, {{"keep", "0.5"}}, seed), {image, {}, {}}, &trace);
            return trace.layers.back().set.row;
        };
        QCOMPARE(rows(one, 1), rows(one, 1));
        QVERIFY(rows(one, 1) != rows(one, 2));
        QVERIFY(rows(one, 1) != rows(other, 1));
    }
    /// Whatever draws does so by its parameter: the same parameters the same tokens, another seed others; also within a chain and a cascade, where a
    /// link's own seed comes first.
    void parametersRepeatWhatIsDrawn_data()
    {
        using Settings = QList<QPair<QString, QString>>;
        QTest::addColumn<QString>("id");
        QTest::addColumn<Settings>("settings");
        QTest::addColumn<bool>("own");
        const auto row = [](const char* name, const char* id, const Settings& settings, bool own = false) { QTest::newRow(name) << QString(id) << settings << own; };
        row("random", "tokens.random", {{"keep", "0.5"}});
        row("score", "tokens.top-rho", {{"score", "random"}});
        row("stages", "tokens.dynamicvit", {{"score", "random"}});
        row("complexity", "tokens.adaptive", {{"score", "random"}});
        row("halves", "tokens.merge", {{"matching", "random"}, {"r", "20"}});
        row("buckets", "tokens.merge", {{"matching", "lsh"}, {"tables", "1"}, {"r", "20"}});
        row("chain", "tokens.chain", {{"steps", "random keep=0.5 @1 + tome r=4 @rest"}});
        row("cascade", "tokens.cascade", {{"stage", "random keep=0.5"}, {"threshold", "0"}});
        row("link's own", "tokens.chain", {{"steps", "random keep=0.5 seed=3 @1"}}, true);
        row("stage's own", "tokens.cascade", {{"stage", "random keep=0.5 seed=3"}, {"threshold", "0"}}, true);
    }
    void parametersRepeatWhatIsDrawn()
    {
        using Settings = QList<QPair<QString, QString>>;
        QFETCH(QString, id);
        QFETCH(Settings, settings);
        QFETCH(bool, own);
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        const auto rows = [&](const char* seed) {
            std::vector<std::pair<std::string, std::string>> typed{{"seed", seed}};
            for (const auto& [name, value] : settings)
                typed.emplace_back(name.toStdString(), value.toStdString());
            tokens::Trace trace;
            test::runOne(*model, test::chainOf(id.toStdString(), model, typed), images.samples[0], &trace);
            return trace.layers.back().set.row;
        };
        const auto first = rows("5");
        QCOMPARE(rows("5"), first);
        QCOMPARE(rows("6") == first, own);
    }
    /// Every patch is as likely as another: over 400 seeds each of 196 is kept 200 times on the average, deviation sqrt(400 / 4) = 10. Beyond
    /// 5 deviations is one patch in 1.7 million.
    void randomFavoursNoPatch()
    {
        const auto model = test::narrowVit(1);
        const std::vector<float> image = test::wavyImage(*model);
        std::vector<int> kept(197);
        for (std::uint64_t seed = 0; seed < 400; ++seed) {
            tokens::Trace trace;
            test::runOne(*model, test::chainOf("tokens.random", model, {{"keep", "0.5"}, {"blocks", "0"}}, seed), {image, {}, {}}, &trace);
            QCOMPARE(trace.layers[0].tokens.mlp, 99);
            for (std::size_t i = 0; i < 197; ++i)
                kept[i] += trace.layers[0].set.row[i] >= 0 ? 1 : 0;
        }
        QCOMPARE(kept[0], 400);
        QVERIFY(std::ranges::all_of(kept.begin() + 1, kept.end(), [](int count) { return std::abs(count - 200) < 50; }));
    }
    void cellsAreRectanglesOfTheGrid()
    {
        const auto model = test::tokenModel("vit20"); // 16 x 16 patches
        const test::TokenImages images("vit20");
        tokens::Trace trace;
        test::runOne(*model, test::chainOf("tokens.downsample", model, {{"keep", "0.25"}}), images.samples[0], &trace);
        QCOMPARE(trace.layers[0].tokens.attention, 65);
        const tokens::TokenSet& set = trace.layers[0].set;
        for (std::size_t y = 0; y < 16; ++y)
            for (std::size_t x = 0; x < 16; ++x) {
                QCOMPARE(set.row[1 + 16 * y + x], static_cast<std::int32_t>(1 + 8 * (y / 2) + x / 2));
                QCOMPARE(set.sizes[static_cast<std::size_t>(set.row[1 + 16 * y + x])], 4.0f);
            }
        tokens::Trace middle;
        test::runOne(*model, test::chainOf("tokens.downsample", model, {{"keep", "0.11"}, {"cell", "middle"}, {"block", "2"}}), images.samples[0], &middle);
        QCOMPARE(test::tokensAfter(middle), (std::vector<std::int64_t>{257, 257, 26, 26, 26, 26})); // 0.332 * 16 = 5.3: 5 x 5
        QCOMPARE(std::ranges::count_if(middle.layers[2].set.row, [](std::int32_t row) { return row >= 0; }), 26);
    }
    void meanOfACellIsItsMean()
    {
        const auto model = test::narrowVit(1, 64, 16); // 4 x 4
        const std::vector<float> image = test::wavyImage(*model);
        const auto chain = test::chainOf("tokens.downsample", model, {{"keep", "0.25"}});
        nn::Scratch scratch;
        tensor::Matrix<float> x(17, 8);
        model->embed({image, {}, {}}, x.view(), scratch);
        const tokens::TokenSet set = tokens::wholeSet(1, 4, 4);
        const tokens::Assignment a = chain.steps[0].reduction->assign({0, model->blocks()[0], nullptr, x.view(), set, image, {}, nullptr, nullptr, scratch});
        QCOMPARE(a.count, 5);
        QCOMPARE(a.to, (std::vector<std::int32_t>{0, 1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4}));
        QVERIFY(a.weights.empty() && a.sum.empty()); // means by size
    }
    void keepingAllIsTheWholeModel()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        const auto whole = test::runOne(*model, {}, images.samples[0]);
        for (const char* method : {"tokens.random", "tokens.downsample"})
            QCOMPARE(test::runOne(*model, test::chainOf(method, model, {{"keep", "1"}}), images.samples[0]), whole);
    }
    void bothAreMarkedAsBaselines()
    {
        QVERIFY(tokens::findMethod("tokens.random")->baseline && tokens::findMethod("tokens.downsample")->baseline);
        QVERIFY(!tokens::findMethod("tokens.tome")->baseline && !tokens::findMethod("tokens.none"));
    }
};

QTEST_GUILESS_MAIN(TestTokenBaselines)
#include "tst_token_baselines.moc"
