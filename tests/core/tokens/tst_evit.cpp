// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/evit.h"

#include "core/tokens/scores.h"
#include "core/tokens/selection.h"
#include "tests/core/tokens/bundled_model.h"
#include "tests/core/tokens/random_vit.h"

#include <QTest>

#include <algorithm>
#include <numeric>

using namespace tamis;

class TestEvit : public QObject {
    Q_OBJECT
private slots:
    void keptIsRoundedUp()
    {
        QCOMPARE(tokens::keptOf(0.7, 196), 138);
        QCOMPARE(tokens::keptOf(0.5, 196), 98);
        QCOMPARE(tokens::keptOf(1.0, 196), 196);
        QCOMPARE(tokens::keptOf(0.01, 5), 1);
    }
    void bestAreKeptInOrderEarlierOfEqualOnes()
    {
        const tokens::TokenSet set = tokens::wholeSet(1, 1, 5);
        const std::vector<float> scores{0, 2, 3, 2, 1, 2};
        const tokens::Assignment a = tokens::keepBest(set, scores, 3);
        QCOMPARE(a.to, (std::vector<std::int32_t>{0, 1, 2, 3, -1, -1}));
        QCOMPARE(a.count, 4);
        QCOMPARE(tokens::keepBest(set, scores, 9).count, 6);
        QCOMPARE(tokens::keepBest(set, scores, 0).count, 1);
    }
    void whatTheUserKeepsComesFirst()
    {
        tokens::TokenSet set = tokens::wholeSet(1, 1, 5);
        set.wishes.assign(6, tokens::Wish::None);
        set.wishes[4] = set.wishes[5] = tokens::Wish::Keep;
        const std::vector<float> scores{0, 2, 3, 2, 1, 0};
        QCOMPARE(tokens::keepBest(set, scores, 3).to, (std::vector<std::int32_t>{0, -1, 1, -1, 2, 3}));
        QCOMPARE(tokens::keepBest(set, scores, 1).to, (std::vector<std::int32_t>{0, -1, -1, -1, 1, 2})); // more than asked for
    }
    void keepingAllIsTheWholeModel()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        QCOMPARE(test::runOne(*model, test::chainOf("tokens.evit", model, {{"keep", "1"}}), images.samples[0]), test::runOne(*model, {}, images.samples[0]));
    }
    void fusedTokenHoldsAllOthers()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        tokens::Trace fused, pruned;
        test::runOne(*model, test::chainOf("tokens.evit", model, {{"keep", "0.4"}, {"blocks", "2"}}), images.samples[0], &fused);
        test::runOne(*model, test::chainOf("tokens.evit", model, {{"keep", "0.4"}, {"blocks", "2"}, {"fuse", "false"}}), images.samples[0], &pruned);
        const tokens::TokenSet &with = fused.layers[2].set, &without = pruned.layers[2].set;
        QCOMPARE(with.tokens(), without.tokens() + 1);
        QCOMPARE(std::accumulate(with.sizes.begin(), with.sizes.end(), 0.0f), 257.0f);
        for (std::size_t source = 0; source < 257; ++source)
            QCOMPARE(with.row[source], without.row[source] >= 0 ? without.row[source] : static_cast<std::int32_t>(with.tokens() - 1));
        // those kept have scores at or above all others
        const std::vector<float>& scores = pruned.layers[2].scores;
        float least = 1, most = 0;
        for (std::size_t source = 1; source < 257; ++source)
            if (without.row[source] >= 0)
                least = std::min(least, scores[source]);
            else
                most = std::max(most, scores[source]);
        QVERIFY(least >= most && most > 0);
    }
    void modelsWithoutAClassTokenAreRefused()
    {
        const auto model = test::tokenModel("timm_vit_avg_prenorm");
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.evit", model, {}), Error);
        const auto vit = test::tokenModel("vit20");
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.evit", vit, {{"blocks", "6"}}), Error);
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.evit", vit, {{"keep", "0"}}), Error);
    }
};

QTEST_GUILESS_MAIN(TestEvit)
#include "tst_evit.moc"
