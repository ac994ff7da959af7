// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/vision_zip.h"

#include "core/tokens/scores.h"
#include "tests/core/tokens/golden_chain.h"
#include "tests/core/tokens/probe.h"
#include "tests/core/tokens/random_vit.h"

#include <numeric>

using namespace tamis;
using Settings = std::vector<std::pair<std::string, std::string>>;

class TestVisionZip : public QObject {
    Q_OBJECT
private slots:
    void whoHoldsWhomAndWhatTheModelSays_data()
    {
        QTest::addColumn<QString>("model");
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("dominant");
        QTest::addColumn<QString>("contextual");
        QTest::newRow("54 + 10, the last block but one") << "vit20" << "visionzip" << "54" << "10";
        QTest::newRow("a distilled model") << "deit" << "visionzip" << "10" << "4";
    }
    void whoHoldsWhomAndWhatTheModelSays()
    {
        QFETCH(QString, model);
        QFETCH(QString, name);
        QFETCH(QString, dominant);
        QFETCH(QString, contextual);
        const auto loaded = test::tokenModel(model.toStdString());
        test::verifyGolden(test::mergingGolden, model.toStdString(), name.toStdString(), *loaded,
                                  test::chainOf("tokens.visionzip", loaded, {{"dominant", dominant.toStdString()}, {"contextual", contextual.toStdString()}}));
    }
    void twoSteps()
    {
        const auto model = test::tokenModel("vit20");
        tokens::Chain chain;
        chain.steps = {{1, tokens::Place::BetweenBranches, tokens::visionZipStep(120, 30)}, {3, tokens::Place::BetweenBranches, tokens::visionZipStep(40, 7)}};
        test::verifyGolden(test::mergingGolden, "vit20", "visionzip_twice", *model, chain);
    }
    void countsAsTyped()
    {
        QCOMPARE(tokens::countOf(0.094, 576, "x"), 54); // the authors' 54 + 10 of 576
        QCOMPARE(tokens::countOf(0.0174, 576, "x"), 10);
        QCOMPARE(tokens::countOf(0.5, 5, "x"), 3);
        QCOMPARE(tokens::countOf(0, 5, "x"), 0);
        QCOMPARE(tokens::countOf(1, 5, "x"), 1);
        QCOMPARE(tokens::countOf(191, 5, "x"), 191);
        QVERIFY_EXCEPTION_THROWN(tokens::countOf(1.5, 5, "x"), Error);
    }
    /// Every row by hand from the rows before: dominant ones as they were, in order, then target + mean. One product and some additions in float: 1e-5.
    void tokensAreTargetsPlusMeans()
    {
        const auto model = test::narrowVit(2, 64, 8); // 64 patches
        const std::vector<float> image = test::wavyImage(*model);
        tensor::Matrix<float> before, after;
        tokens::TokenSet set;
        std::vector<float> attention;
        const auto copy = [](const tokens::Look& look) {
            tensor::Matrix<float> rows(look.x.rows, look.x.cols);
            for (std::int64_t i = 0; i < rows.rows(); ++i)
                std::ranges::copy(look.x.row(i), rows.view().row(i).begin());
            return rows;
        };
        tokens::Chain chain;
        chain.steps.push_back({0, tokens::Place::BetweenBranches, std::make_shared<test::Probe>([&](const tokens::Look& look) {
                                   before = copy(look);
                                   attention = tokens::scoreTokens(tokens::Score::ClassAttention, look);
                               })});
        chain.steps.push_back({0, tokens::Place::BetweenBranches, tokens::visionZipStep(9, 5)});
        chain.steps.push_back({0, tokens::Place::BetweenBranches, std::make_shared<test::Probe>([&](const tokens::Look& look) {
                                   after = copy(look);
                                   set = look.set;
                               })});
        test::runOne(*model, chain, {image, {}, {}});
        QCOMPARE(set.tokens(), 1 + 8 + 5);
        QCOMPARE(std::accumulate(set.sizes.begin(), set.sizes.end(), 0.0f), 65.0f);
        float least = 1, most = 0; // of dominant patches, of the others
        std::vector<std::int32_t> rest;
        for (std::size_t i = 1; i < 65; ++i)
            if (set.row[i] < 9) {
                least = std::min(least, attention[i]);
                for (std::int64_t j = 0; j < before.cols(); ++j)
                    QCOMPARE(after(set.row[i], j), before(static_cast<std::int64_t>(i), j));
            } else {
                most = std::max(most, attention[i]);
                rest.push_back(static_cast<std::int32_t>(i));
            }
        QVERIFY(least >= most);
        QCOMPARE(rest.size(), 56u);
        for (std::int32_t context = 0; context < 5; ++context) {
            const std::int32_t target = rest[static_cast<std::size_t>(context) * 11]; // 56 / 5
            QCOMPARE(set.row[static_cast<std::size_t>(target)], 9 + context);
            for (std::int64_t j = 0; j < before.cols(); ++j) {
                double sum = 0, count = 0;
                for (const std::int32_t other : rest)
                    if (other != target && set.row[static_cast<std::size_t>(other)] == 9 + context) {
                        sum += static_cast<double>(before(other, j));
                        count += 1;
                    }
                const double expected = static_cast<double>(before(target, j)) + (count > 0 ? sum / count : 0);
                QVERIFY(std::abs(expected - static_cast<double>(after(9 + context, j))) < 1e-5 * std::max(1.0, std::abs(expected)));
            }
        }
    }
    void extremes()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        const auto left = [&](const char* dominant, const char* contextual, std::span<const tokens::Wish> wishes = {}) {
            tokens::Trace trace;
            test::runOne(*model, test::chainOf("tokens.visionzip", model, {{"dominant", dominant}, {"contextual", contextual}, {"blocks", "0"}}), images.samples[0], &trace, wishes);
            return trace.layers[0].tokens.mlp;
        };
        QCOMPARE(left("54", "10"), 64);
        QCOMPARE(left("54", "0"), 54);   // pruned
        QCOMPARE(left("0", "0"), 2);     // a patch stays beside the class token
        QCOMPARE(left("1", "7"), 8);
        QCOMPARE(left("200", "300"), 257);
        QCOMPARE(left("1000", "10"), 257);
        std::vector<tokens::Wish> wishes(257, tokens::Wish::None);
        for (std::size_t i = 1; i <= 100; ++i)
            wishes[i] = tokens::Wish::Keep;
        QCOMPARE(left("54", "10", wishes), 111); // the class token, what the user keeps, ten more
        const auto whole = test::runOne(*model, {}, images.samples[0]);
        QCOMPARE(test::runOne(*model, test::chainOf("tokens.visionzip", model, {{"dominant", "257"}}), images.samples[0]), whole);
        for (const auto& step : test::chainOf("tokens.visionzip", model, {}).steps)
            QCOMPARE(step.block, 4);
    }
    void badSettingsAreRefused()
    {
        const auto model = test::tokenModel("vit20");
        for (const Settings& bad : {Settings{{"dominant", "1.5"}}, Settings{{"contextual", "2.25"}}, Settings{{"dominant", "-0.1"}}, Settings{{"blocks", "6"}}, Settings{{"blocks", "x"}}})
            QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.visionzip", model, bad), Error);
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.visionzip", test::tokenModel("timm_vit_avg_prenorm"), {}), Error);
    }
};

QTEST_GUILESS_MAIN(TestVisionZip)
#include "tst_vision_zip.moc"
