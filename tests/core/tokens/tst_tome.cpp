// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/tome.h"

#include "core/tokens/schedule.h"
#include "tests/core/tokens/bundled_model.h"
#include "tests/core/tokens/random_vit.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace tamis;

class TestTome : public QObject {
    Q_OBJECT
private slots:
    void schedulesAsPublished()
    {
        using Counts = std::vector<std::int64_t>;
        QCOMPARE(tokens::mergeSchedule(12, 16, -1), (Counts{32, 29, 26, 23, 20, 17, 14, 11, 8, 5, 2, 0}));
        QCOMPARE(tokens::mergeSchedule(12, 13, 0), Counts(12, 13));
        QCOMPARE(tokens::mergeSchedule(3, 10, 1), (Counts{0, 10, 20}));
        QCOMPARE(tokens::mergeSchedule(1, 7, 0), Counts{7});
        QVERIFY(tokens::mergeSchedule(0, 7, 0).empty());
    }
    void listsAsTyped()
    {
        QCOMPARE(tokens::parseIntegers(" 1, 2,30", 0, 30, "x"), (std::vector<std::int64_t>{1, 2, 30}));
        QVERIFY(tokens::parseIntegers("  ", 0, 30, "x").empty());
        QCOMPARE(tokens::parseNumbers("0.5,1", 0, 1, "x"), (std::vector<double>{0.5, 1}));
        QCOMPARE(tokens::blocksOf("auto", 12, "x"), (std::vector<int>{3, 6, 9}));
        QCOMPARE(tokens::blocksOf("auto", 6, "x"), (std::vector<int>{1, 3, 4}));
        QCOMPARE(tokens::blocksOf("auto", 1, "x"), (std::vector<int>{0}));
        for (const char* bad : {"1,,2", "1,", ",1", "a", "1 2", "31", "-1", "0x2", "1.5"})
            QVERIFY_EXCEPTION_THROWN(tokens::parseIntegers(bad, 0, 30, "x"), Error);
        for (const char* bad : {"0.5,nan", "inf", "1.01"})
            QVERIFY_EXCEPTION_THROWN(tokens::parseNumbers(bad, 0, 1, "x"), Error);
        for (const char* bad : {"3,3", "4,3", "6"})
            QVERIFY_EXCEPTION_THROWN(tokens::blocksOf(bad, 6, "x"), Error);
    }
    void sizesSumToTheTokensAndGroupsArePartitions()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        tokens::Trace trace;
        test::runOne(*model, test::chainOf("tokens.tome", model, {{"r", "37"}}), images.samples[1], &trace);
        for (const auto& layer : trace.layers) {
            QCOMPARE(std::accumulate(layer.set.sizes.begin(), layer.set.sizes.end(), 0.0f), 257.0f); // whole numbers: exact in float
            std::vector<float> held(layer.set.sizes.size());
            for (const std::int32_t row : layer.set.row)
                ++held[static_cast<std::size_t>(row)]; // nothing is pruned: no -1
            QCOMPARE(held, layer.set.sizes);
            QCOMPARE(layer.set.sizes.front(), 1.0f); // the class token stays alone
            QCOMPARE(layer.set.row.front(), 0);
        }
        QCOMPARE(test::tokensAfter(trace), (std::vector<std::int64_t>{220, 183, 146, 109, 72, 37})); // the last: half of the 71 patches, 35
    }
    void noMoreThanHalfOfThePatches()
    {
        const auto model = test::narrowVit(6, 64, 16); // 16 patches and the class token
        const std::vector<float> image = test::wavyImage(*model);
        tokens::Trace trace;
        test::runOne(*model, test::chainOf("tokens.tome", model, {{"r", "1000"}}), {image, {}, {}}, &trace);
        QCOMPARE(test::tokensAfter(trace), (std::vector<std::int64_t>{9, 5, 3, 2, 2, 2})); // r = (t - 1) / 2
    }
    /// With a class token alone in the pool, what follows the last attention touches each row by itself.
    void theClassTokenDoesNotSeeWhatTheLastBlockMerges()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        tokens::Trace trace;
        const auto merged = test::runOne(*model, test::chainOf("tokens.tome", model, {{"schedule", "0,0,0,0,0,40"}}), images.samples[0], &trace);
        QCOMPARE(trace.layers.back().tokens.mlp, 217);
        QCOMPARE(merged, test::runOne(*model, {}, images.samples[0]));
    }
    /// softmax(q k + log n) with one key is softmax(q k) with n copies of it.
    void proportionalAttentionCountsAKeyAsOftenAsItsSize()
    {
        nn::AttentionSpec spec;
        spec.heads = spec.keyValueHeads = 2;
        spec.headDim = 8;
        spec.scale = 0.35f;
        const auto attention = nn::exactAttention(spec);
        const std::vector<std::int64_t> copies{1, 5, 1, 2, 30};
        tensor::Matrix<float> q(7, 16), k(5, 16), v(5, 16), allK(39, 16), allV(39, 16), one(7, 16), all(7, 16);
        for (std::size_t i = 0; i < q.size(); ++i)
            q.values()[i] = static_cast<float>(std::sin(1.7 * static_cast<double>(i)));
        for (std::size_t i = 0; i < k.size(); ++i) {
            k.values()[i] = static_cast<float>(std::cos(0.9 * static_cast<double>(i)));
            v.values()[i] = static_cast<float>(std::sin(2.3 * static_cast<double>(i) + 1));
        }
        std::vector<float> bias;
        std::int64_t at = 0;
        for (std::int64_t i = 0; i < 5; ++i) {
            bias.push_back(std::log(static_cast<float>(copies[static_cast<std::size_t>(i)])));
            for (std::int64_t copy = 0; copy < copies[static_cast<std::size_t>(i)]; ++copy, ++at) {
                std::ranges::copy(k.view().row(i), allK.view().row(at).begin());
                std::ranges::copy(v.view().row(i), allV.view().row(at).begin());
            }
        }
        nn::Scratch scratch;
        nn::AttentionInput few{q.view(), k.view(), v.view()};
        few.keyBias = bias.data();
        const nn::AttentionInput many{q.view(), allK.view(), allV.view()};
        attention->apply(few, one.view(), scratch);
        attention->apply(many, all.view(), scratch);
        for (std::size_t i = 0; i < one.size(); ++i) // values below 1; some 40 roundings of 6e-8
            QVERIFY(std::abs(one.values()[i] - all.values()[i]) < 3e-6f);
        const tensor::Matrix<float> map = attention->map(few, 1, 0), mapAll = attention->map(many, 1, 0);
        for (std::int64_t i = 0; i < 7; ++i) {
            float sum = 0;
            for (std::int64_t j = 9; j < 39; ++j)
                sum += mapAll(i, j);
            QVERIFY(std::abs(map(i, 4) - sum) < 3e-6f);
        }
    }
    void badSettingsAreRefused()
    {
        const auto model = test::tokenModel("vit20");
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.tome", model, {{"schedule", "1,2,3,4,5,6,7"}}), Error); // six blocks
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.tome", model, {{"schedule", "1;2"}}), Error);
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.tome", model, {{"r", "-1"}}), Error);
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.tome", model, {{"inflection", "2"}}), Error);
        const auto swin = test::tokenModel("timm_swin_oblong");
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.tome", swin, {}), Error);
    }
};

QTEST_GUILESS_MAIN(TestTome)
#include "tst_tome.moc"
