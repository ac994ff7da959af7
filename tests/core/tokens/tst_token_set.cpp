// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/token_set.h"

#include "core/base/error.h"
#include "core/tokens/reduction.h"

#include <QTest>

#include <numeric>

using namespace tamis;
using tokens::Assignment;
using tokens::TokenSet;
using tokens::Wish;

static double sizeSum(const TokenSet& set)
{
    return std::accumulate(set.sizes.begin(), set.sizes.end(), 0.0, [](double sum, float size) { return sum + static_cast<double>(size); });
}

/// The sources that each token holds are as many as its size says.
static void verifyAccount(const TokenSet& set)
{
    std::vector<float> held(set.sizes.size());
    for (const std::int32_t row : set.row)
        if (row >= 0)
            held[static_cast<std::size_t>(row)] += 1;
    QCOMPARE(held, set.sizes);
}

class TestTokenSet : public QObject {
    Q_OBJECT
private slots:
    void wholeHoldsEverySourceOnce()
    {
        const TokenSet set = tokens::wholeSet(2, 3, 4);
        QCOMPARE(set.tokens(), 14);
        verifyAccount(set);
        QCOMPARE(set.protectedRows(), (std::vector<std::uint8_t>{1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}));
    }
    void mergedAndPrunedTokensAreAccountedFor()
    {
        TokenSet set = tokens::wholeSet(1, 2, 3);
        set.apply({.to = {0, 1, 1, 2, -1, 3, 1}, .count = 4});
        QCOMPARE(set.row, (std::vector<std::int32_t>{0, 1, 1, 2, -1, 3, 1}));
        QCOMPARE(set.sizes, (std::vector<float>{1, 3, 1, 1}));
        set.apply({.to = {0, 2, 1, 2}, .count = 3}); // rows move, a merged one is merged again
        QCOMPARE(set.row, (std::vector<std::int32_t>{0, 2, 2, 1, -1, 2, 2}));
        QCOMPARE(set.sizes, (std::vector<float>{1, 1, 4}));
        QCOMPARE(sizeSum(set), 6.0); // seven, less the one pruned
        verifyAccount(set);
    }
    void whatTheUserKeepsProtectsTheTokenThatHoldsIt()
    {
        TokenSet set = tokens::wholeSet(1, 2, 2);
        set.wishes = {Wish::None, Wish::None, Wish::Keep, Wish::Drop, Wish::Keep};
        set.apply({.to = {0, 1, 1, 2, -1}, .count = 3});
        QCOMPARE(set.protectedRows(), (std::vector<std::uint8_t>{1, 1, 0})); // the pruned one protects nothing any more
    }
    void assignmentsThatDoNotFitAreRefused_data()
    {
        QTest::addColumn<Assignment>("assignment");
        QTest::newRow("too short") << Assignment{.to = {0, 1, 2}, .count = 3};
        QTest::newRow("prefix moved") << Assignment{.to = {1, 0, 2, 3, 4}, .count = 5};
        QTest::newRow("prefix pruned") << Assignment{.to = {-1, 0, 1, 2, 3}, .count = 4};
        QTest::newRow("row beyond") << Assignment{.to = {0, 1, 2, 3, 4}, .count = 4};
        QTest::newRow("empty row") << Assignment{.to = {0, 1, 1, 3, 3}, .count = 4};
        QTest::newRow("nothing left") << Assignment{.to = {-1, -1, -1, -1, -1}, .count = 0};
        QTest::newRow("weights") << Assignment{.to = {0, 1, 2, 3, 3}, .count = 4, .weights = {1, 1}};
        QTest::newRow("sums") << Assignment{.to = {0, 1, 2, 3, 3}, .count = 4, .sum = {0, 1}};
        QTest::newRow("scores") << Assignment{.to = {0, 1, 2, 3, 3}, .count = 4, .scores = {1}};
    }
    void assignmentsThatDoNotFitAreRefused()
    {
        QFETCH(Assignment, assignment);
        TokenSet set = tokens::wholeSet(1, 2, 2);
        QVERIFY_EXCEPTION_THROWN(set.apply(assignment), Error);
        QCOMPARE(set.tokens(), 5); // as it was
        verifyAccount(set);
    }
};

QTEST_GUILESS_MAIN(TestTokenSet)
#include "tst_token_set.moc"
