// SPDX-License-Identifier: GPL-3.0-or-later
// Windows that choose each other: exact attention over what a brute-force choice says, in double; nothing of later tokens reaches earlier ones.
#include "core/attention/chosen_windows.h"
#include "core/attention/window.h"
#include "tests/core/attention/masked_reference.h"
#include "tests/core/attention/one_head.h"

#include <QTest>

#include <algorithm>
#include <functional>
#include <limits>
#include <vector>

using namespace tamis;
using namespace tamis::attention;

namespace {
constexpr double kTolerance = 5e-6; // as in tst_attention_rules
constexpr float kScale = 0.25F;

/// [windows][windows]: whether the first sees the second; scores in double. Windows are those of `at`, 0 .. windows - 1.
std::vector<std::vector<bool>> choice(const tensor::Matrix<float>& q, const tensor::Matrix<float>& k, const std::function<int(std::int64_t)>& at, int windows, int seen, bool causal)
{
    const auto size = static_cast<std::size_t>(windows);
    std::vector<std::vector<double>> queries(size, std::vector<double>(16)), keys = queries;
    std::vector<int> counts(size);
    for (std::int64_t i = 0; i < q.rows(); ++i)
        if (at(i) >= 0)
            ++counts[static_cast<std::size_t>(at(i))];
    std::vector<bool> first(size, true);
    for (std::int64_t i = 0; i < q.rows(); ++i) {
        if (at(i) < 0)
            continue;
        const auto w = static_cast<std::size_t>(at(i));
        for (std::int64_t d = 0; d < 16; ++d) {
            keys[w][static_cast<std::size_t>(d)] += static_cast<double>(k(i, d)) / counts[w];
            if (!causal)
                queries[w][static_cast<std::size_t>(d)] += static_cast<double>(q(i, d)) / counts[w];
            else if (first[w])
                queries[w][static_cast<std::size_t>(d)] = static_cast<double>(q(i, d));
        }
        first[w] = false;
    }
    std::vector<std::vector<bool>> sees(size, std::vector<bool>(size));
    for (std::size_t a = 0; a < size; ++a) {
        std::vector<std::pair<double, std::size_t>> scored;
        for (std::size_t b = 0; b < (causal ? a : size); ++b) {
            double score = 0;
            for (std::size_t d = 0; d < 16; ++d)
                score += queries[a][d] * keys[b][d];
            if (b != a)
                scored.emplace_back(-score, b);
        }
        std::ranges::sort(scored);
        sees[a][a] = true;
        for (std::size_t i = 0; i < std::min(scored.size(), static_cast<std::size_t>(seen - 1)); ++i)
            sees[a][scored[i].second] = true;
    }
    return sees;
}
} // namespace

class TstChosenWindows : public QObject {
    Q_OBJECT
private slots:
    void theyAreExactOverTheirChoice()
    {
        for (const int seen : {1, 2, 5}) {
            // a grid of 10 x 12 in windows of 4: 3 x 3, the lower ones of 2 rows
            const auto q = test::normalRows(121, 16, 1, 4), k = test::normalRows(121, 16, 1, 5), v = test::normalRows(121, 12, 1, 6);
            const auto at = [](std::int64_t i) { return i == 0 ? -1 : static_cast<int>((i - 1) / 12 / 4 * 3 + (i - 1) % 12 / 4); };
            const auto sees = choice(q, k, at, 9, seen, false);
            const auto seenKeys = [&](std::int64_t i, std::int64_t j) { return i == 0 || j == 0 || sees[static_cast<std::size_t>(at(i))][static_cast<std::size_t>(at(j))]; };
            QVERIFY(test::relativeError(test::mixed(*chosenWindowsRule({1, 10, 12}, 4, seen, false), {16, kScale, false, 0}, q, k, v), test::maskedAttention(q, k, v, 0.25, seenKeys)) < kTolerance);
            QVERIFY(chosenWindowsRule({1, 10, 12}, 4, seen, false)->macs(121, 16) >= 2 * 16 * test::pairs(121, seenKeys));
            const auto run = [](std::int64_t i) { return static_cast<int>(i / 10); };
            const auto earlier = choice(q, k, run, 13, seen, true);
            const auto causalKeys = [&](std::int64_t i, std::int64_t j) { return j <= i && earlier[static_cast<std::size_t>(run(i))][static_cast<std::size_t>(run(j))]; };
            QVERIFY(test::relativeError(test::mixed(*chosenWindowsRule({}, 10, seen, true), {16, kScale, true, 0}, q, k, v), test::maskedAttention(q, k, v, 0.25, causalKeys)) < kTolerance);
        }
    }
    void allWindowsAreExactAndOneIsItsOwn()
    {
        const auto q = test::normalRows(97, 16, 1, 4), k = test::normalRows(97, 16, 1, 5), v = test::normalRows(97, 12, 1, 6);
        const HeadShape shape{16, kScale, false, 0};
        QVERIFY(test::relativeError(test::mixed(*chosenWindowsRule({1, 8, 12}, 4, 1000, false), shape, q, k, v), test::maskedAttention(q, k, v, 0.25, [](std::int64_t, std::int64_t) { return true; })) < kTolerance);
        QVERIFY(test::mixed(*chosenWindowsRule({1, 8, 12}, 4, 1, false), shape, q, k, v) == test::mixed(*windowRule({1, 8, 12}, 4, 0, false), shape, q, k, v));
    }
    void laterTokensDoNotReachEarlierOnes()
    {
        auto q = test::normalRows(80, 16, 1, 4), k = test::normalRows(80, 16, 1, 5), v = test::normalRows(80, 12, 1, 6);
        const HeadShape shape{16, kScale, true, 0};
        const auto rule = chosenWindowsRule({}, 8, 3, true);
        const auto before = test::mixed(*rule, shape, q, k, v);
        for (std::int64_t i = 45; i < 80; ++i)
            for (std::int64_t d = 0; d < 16; ++d) {
                q(i, d) = -3 * q(i, d);
                k(i, d) = 5;
            }
        const auto after = test::mixed(*rule, shape, q, k, v);
        for (std::int64_t i = 0; i < 45; ++i)
            for (std::int64_t c = 0; c < 12; ++c)
                QCOMPARE(after(i, c), before(i, c));
        QVERIFY(after(60, 0) != before(60, 0));
    }
    void scoresThatAreNoNumbersAreTheLeast()
    {
        const auto q = test::normalRows(64, 16, 1, 4), v = test::normalRows(64, 12, 1, 6);
        auto k = test::normalRows(64, 16, 1, 5);
        k(63, 0) = std::numeric_limits<float>::quiet_NaN(); // in the last of 8 windows
        const auto out = test::mixed(*chosenWindowsRule({}, 8, 7, false), {16, kScale, false, 0}, q, k, v);
        for (std::int64_t i = 0; i < 56; ++i)
            QVERIFY(std::isfinite(out(i, 0))); // seven of eight are chosen: not that one
        QVERIFY(std::isnan(out(60, 0)));
    }
};

QTEST_APPLESS_MAIN(TstChosenWindows)
#include "tst_chosen_windows.moc"
