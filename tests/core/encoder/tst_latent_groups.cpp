// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/exact.h"
#include "core/encoder/latent_groups.h"
#include "core/encoder/tiling.h"
#include "tests/core/encoder/bundled.h"
#include "tests/core/encoder/dictionaries.h"
#include "tests/core/linalg/blas_main.h"

#include <cmath>
#include <numeric>
#include <set>
#include <tuple>

using namespace tamis;
using namespace tamis::encoder;
using tensor::Matrix;

namespace {
std::vector<std::int32_t> allOf(std::int64_t count)
{
    std::vector<std::int32_t> all(static_cast<std::size_t>(count));
    std::iota(all.begin(), all.end(), 0);
    return all;
}

/// Tokens of `topics` kinds: kind c makes the latents i with i * 5 % topics == c active, three of them a token, and no others.
SparseCodes topicCodes(std::int64_t latents, std::int64_t topics, std::int64_t tokens)
{
    SparseCodes codes;
    for (std::int64_t t = 0; t < tokens; ++t) {
        std::vector<std::int32_t> members;
        for (std::int64_t i = 0; i < latents; ++i)
            if (i * 5 % topics == t % topics)
                members.push_back(static_cast<std::int32_t>(i));
        for (std::size_t j = 0; j < 3; ++j) {
            codes.latents.push_back(members[(static_cast<std::size_t>(t / topics) * 2 + j * 3) % members.size()]);
            codes.values.push_back(static_cast<float>(3 - j));
        }
        codes.first.push_back(codes.latents.size());
    }
    return codes;
}
} // namespace

class TestLatentGroups : public QObject {
    Q_OBJECT
private slots:
    /// All pairs of items and groups sorted by advantage and taken in turn; whole numbers, so that many are equal.
    void dealingOutIsByAdvantage_data()
    {
        QTest::addColumn<int>("items");
        QTest::addColumn<int>("groups");
        for (const int items : {1, 9, 40, 200})
            for (const int groups : {1, 3, 8})
                QTest::addRow("%d in %d", items, groups) << items << groups;
    }
    void dealingOutIsByAdvantage()
    {
        QFETCH(int, items);
        QFETCH(int, groups);
        Matrix<float> drawn(items, groups);
        test::fillWhole(drawn.values(), 4, 8);
        Matrix<double> gains(items, groups);
        std::ranges::copy(drawn.values(), gains.data());
        std::vector<std::tuple<double, std::int32_t, std::int32_t>> pairs;
        for (std::int32_t i = 0; i < items; ++i) {
            const auto row = gains.view().row(i);
            const double mean = std::accumulate(row.begin(), row.end(), 0.0) / groups;
            for (std::int32_t g = 0; g < groups; ++g)
                pairs.emplace_back(mean - gains(i, g), i, g);
        }
        std::ranges::sort(pairs);
        std::vector<std::int32_t> expected(static_cast<std::size_t>(items), -1), size(static_cast<std::size_t>(groups));
        int larger = items % groups;
        for (const auto& [advantage, item, group] : pairs) {
            auto& members = size[static_cast<std::size_t>(group)];
            if (expected[static_cast<std::size_t>(item)] >= 0 || members > items / groups || (members == items / groups && larger == 0))
                continue;
            larger -= members == items / groups ? 1 : 0;
            ++members;
            expected[static_cast<std::size_t>(item)] = group;
        }
        QVERIFY(balancedGroups(gains) == expected);
    }
    void groupsAreABalancedPartition_data()
    {
        QTest::addColumn<QString>("by");
        QTest::addColumn<int>("groups");
        for (const QString by : {"co-firing", "rows", "none"})
            for (const int groups : {1, 2, 7, 64, 90})
                QTest::addRow("%s, %d", qPrintable(by), groups) << by << groups;
    }
    void groupsAreABalancedPartition()
    {
        QFETCH(QString, by);
        QFETCH(int, groups);
        const auto dictionary = test::wholeDictionary(100, 12, 4);
        const Matrix<float> x = test::wholeTokens(80, 12);
        const LatentAffinity affinity(*dictionary, groupByNamed(by.toStdString()), x.view(), test::bruteCodes(*dictionary, x.view()));
        std::vector<std::int32_t> some; // 90 of the 100
        for (std::int32_t i = 0; i < 100; ++i)
            if (i % 10 != 3)
                some.push_back(i);
        const LatentGroups found = affinity.split(some, groups, 5);
        QCOMPARE(static_cast<int>(found.size()), groups);
        std::multiset<std::int32_t> seen;
        for (const auto& group : found) {
            QVERIFY(std::abs(static_cast<double>(group.size()) - 90.0 / groups) < 1);
            QVERIFY(std::ranges::is_sorted(group));
            seen.insert(group.begin(), group.end());
        }
        QVERIFY(std::ranges::equal(seen, some));
    }
    /// Where tokens fall into kinds with latents of their own, co-firing finds most of each kind from any start. Neighbours do not have them: 1/3
    /// where three latents lie in three runs.
    void kindsOfTokensAreFound()
    {
        constexpr std::int64_t kTopics = 6;
        const auto dictionary = test::wholeDictionary(120, 12, 4);
        const Matrix<float> x = test::wholeTokens(600, 12);
        const SparseCodes codes = topicCodes(120, kTopics, 600);
        const LatentAffinity affinity(*dictionary, GroupBy::CoFiring, x.view(), codes);
        for (const std::uint64_t seed : {0, 1, 2}) {
            const double found = concentration(codes, affinity.split(allOf(120), kTopics, seed));
            QVERIFY2(found > 0.7, qPrintable(QString::number(found)));
        }
        const LatentGroups runs = LatentAffinity(*dictionary, GroupBy::None, {}, {}).split(allOf(120), kTopics, 0);
        QVERIFY(concentration(codes, runs) < 0.5);
    }
    /// On rows that were not seen: co-firing beats correlated rows, those beat neighbours, whose concentration is near that of latents dealt out
    /// at random, sum over pairs of their chance to meet: 1/k + (1 - 1/k) / groups (0.092 for k = 32 and 16 groups).
    void whatIsSeenCarriesOver()
    {
        const auto dictionary = test::bundledDictionary("tinylm.block3.k32/sparsify");
        const Matrix<float> seen = dictionary->prepared(test::bundledRows("tinylm", 0, 512).view()), unseen = dictionary->prepared(test::bundledRows("tinylm", 512, 256).view());
        const auto exact = exactEncoder(dictionary);
        const SparseCodes codes = exact->encode(seen.view()), others = exact->encode(unseen.view());
        const auto of = [&](GroupBy by) { return concentration(others, LatentAffinity(*dictionary, by, seen.view(), codes).split(allOf(2048), 16, 0)); };
        const double firing = of(GroupBy::CoFiring), rows = of(GroupBy::Rows), none = of(GroupBy::None);
        QVERIFY2(firing > 1.05 * rows && rows > 1.2 * none, qPrintable(QStringLiteral("%1 %2 %3").arg(firing).arg(rows).arg(none)));
        QVERIFY(std::abs(none - (1.0 / 32 + 31.0 / 32 / 16)) < 0.03);
    }
    void doesNotDependOnThreads()
    {
        const auto dictionary = test::wholeDictionary(3000, 24, 6);
        const Matrix<float> x = test::wholeTokens(300, 24);
        const SparseCodes codes = test::bruteCodes(*dictionary, x.view());
        const auto split = [&] { return LatentAffinity(*dictionary, GroupBy::CoFiring, x.view(), codes).split(allOf(3000), 12, 3); };
        const LatentGroups all = split();
        const ThreadLimit one(1);
        QVERIFY(split() == all);
    }
    void badRequestsAreRefused()
    {
        const auto dictionary = test::wholeDictionary(30, 8, 3);
        const Matrix<float> x = test::wholeTokens(20, 8), narrow = test::wholeTokens(20, 7), still(20, 8);
        const SparseCodes codes = test::bruteCodes(*dictionary, x.view());
        QVERIFY_THROWS_EXCEPTION(Error, LatentAffinity(*dictionary, GroupBy::Rows, narrow.view(), codes));
        QVERIFY_THROWS_EXCEPTION(Error, LatentAffinity(*dictionary, GroupBy::Rows, x.view(), {}));
        QVERIFY_THROWS_EXCEPTION(Error, LatentAffinity(*dictionary, GroupBy::CoFiring, still.view(), codes));
        const LatentAffinity affinity(*dictionary, GroupBy::Rows, x.view(), codes);
        QVERIFY_THROWS_EXCEPTION(Error, affinity.split(allOf(30), 0, 0));
        QVERIFY_THROWS_EXCEPTION(Error, affinity.split(allOf(30), 31, 0));
        QVERIFY_THROWS_EXCEPTION(Error, groupByNamed("colour"));
        QVERIFY_THROWS_EXCEPTION(Error, groupOfLatents({{0, 1}, {1}}, 3));
        QVERIFY_THROWS_EXCEPTION(Error, groupOfLatents({{0, 1}}, 3));
        QVERIFY_THROWS_EXCEPTION(Error, groupOfLatents({{0, 3}, {1, 2}}, 3));
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_THROWS_EXCEPTION(Error, affinity.split(allOf(30), 3, 0, RunContext(stop.get_token())));
    }
};

TAMIS_BLAS_TEST_MAIN(TestLatentGroups)
#include "tst_latent_groups.moc"
