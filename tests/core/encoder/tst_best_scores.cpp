// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/best_scores.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

using namespace tamis::encoder;
using tamis::kernels::Scored;

namespace {
/// By sorting all of them.
std::vector<Scored> sorted(const std::vector<float>& scores, std::size_t count, float above)
{
    std::vector<Scored> all;
    for (std::size_t i = 0; i < scores.size(); ++i)
        if (scores[i] > above)
            all.push_back({scores[i], static_cast<std::int32_t>(i)});
    std::ranges::stable_sort(all, [](const Scored& a, const Scored& b) { return a.value > b.value; });
    all.resize(std::min(all.size(), count));
    return all;
}
} // namespace

class TestBestScores : public QObject {
    Q_OBJECT
private slots:
    void areThoseOfAFullSort_data()
    {
        QTest::addColumn<int>("size");
        QTest::addColumn<int>("count");
        QTest::addColumn<int>("values"); // different ones that scores are drawn from: few make ties
        for (const int size : {1, 15, 16, 63, 64, 65, 1000, 5000, 40'000})
            for (const int count : {0, 1, 7, 64, 300, 6000})
                for (const int values : {2, 50, 1'000'000})
                    QTest::addRow("%d of %d, %d values", count, size, values) << size << count << values;
    }
    void areThoseOfAFullSort()
    {
        QFETCH(int, size);
        QFETCH(int, count);
        QFETCH(int, values);
        std::mt19937 random(static_cast<std::uint32_t>(size + count));
        std::uniform_int_distribution<int> draw(-values / 2, values / 2);
        std::vector<float> scores(static_cast<std::size_t>(size));
        for (float& score : scores)
            score = static_cast<float>(draw(random));
        for (const float above : {0.0F, -std::numeric_limits<float>::infinity()}) {
            const auto expected = sorted(scores, static_cast<std::size_t>(count), above);
            QVERIFY(bestScores(scores, static_cast<std::size_t>(count), above, Order::Falling) == expected);
            auto unordered = bestScores(scores, static_cast<std::size_t>(count), above, Order::None);
            std::ranges::sort(unordered, tamis::kernels::before);
            QVERIFY(unordered == expected);
        }
    }
    void whatIsNoNumberIsLeftOut()
    {
        const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
        const std::vector<float> scores{nan, 1, -infinity, infinity, -2, nan};
        QVERIFY((bestScores(scores, 4, -infinity, Order::Falling) == std::vector<Scored>{{infinity, 3}, {1, 1}, {-2, 4}}));
        std::vector<float> many(10'000, nan);
        many[9'000] = 5;
        QVERIFY((bestScores(many, 3, 0, Order::Falling) == std::vector<Scored>{{5, 9'000}}));
    }
    /// Scores that a sample of every 17th misleads: all of those are large, or none is.
    void misleadingSamples()
    {
        for (const bool large : {true, false}) {
            std::vector<float> scores(20'000);
            for (std::size_t i = 0; i < scores.size(); ++i)
                scores[i] = static_cast<float>(i % 911) + ((i % 17 == 0) == large ? 1000.0F : 0.0F);
            for (const std::size_t count : {10, 300, 2000})
                QVERIFY(bestScores(scores, count, 0, Order::Falling) == sorted(scores, count, 0));
        }
    }
    void zerosOfBothSignsAreEqual()
    {
        const auto found = bestScores(std::vector<float>{-0.0F, 0.0F, -0.0F}, 2, -1, Order::Falling);
        QCOMPARE(found.size(), std::size_t{2});
        QCOMPARE(found[0].row, 0);
        QCOMPARE(found[1].row, 1);
    }
};

QTEST_GUILESS_MAIN(TestBestScores)
#include "tst_best_scores.moc"
