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
        for (const int size : {1, 15, 16, 63, 64, 65, 1000, 5000})
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
            BestScores whole(static_cast<std::size_t>(count), above), pieces(static_cast<std::size_t>(count), above);
            whole.offer(0, scores);
            QVERIFY(whole.take() == expected);
            QVERIFY(whole.take().empty());
            // the same from pieces that come in another order, each reduced to its own best first
            std::vector<std::size_t> order;
            for (std::size_t begin = 0; begin < scores.size(); begin += 37)
                order.push_back(begin);
            std::ranges::shuffle(order, random);
            for (const std::size_t begin : order) {
                BestScores part(static_cast<std::size_t>(count), above);
                part.offer(static_cast<std::int32_t>(begin), std::span(scores).subspan(begin, std::min<std::size_t>(37, scores.size() - begin)));
                pieces.offer(part.take());
            }
            QVERIFY(pieces.take() == expected);
        }
    }
    void whatIsNoNumberIsLeftOut()
    {
        const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
        BestScores best(4, -infinity);
        best.offer(10, std::vector<float>{nan, 1, -infinity, infinity, -2, nan});
        QVERIFY((best.take() == std::vector<Scored>{{infinity, 13}, {1, 11}, {-2, 14}}));
    }
    void zerosOfBothSignsAreEqual()
    {
        BestScores best(2, -1);
        best.offer(0, std::vector<float>{-0.0F, 0.0F, -0.0F});
        const auto found = best.take();
        QCOMPARE(found.size(), std::size_t{2});
        QCOMPARE(found[0].row, 0);
        QCOMPARE(found[1].row, 1);
    }
};

QTEST_GUILESS_MAIN(TestBestScores)
#include "tst_best_scores.moc"
