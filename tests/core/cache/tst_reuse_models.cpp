// SPDX-License-Identifier: GPL-3.0-or-later
// What policies learn with: least squares against the normal equations, planted logistic weights, trees against splits found by trying all.
#include "core/base/split_mix.h"
#include "core/cache/boosted_trees.h"
#include "core/cache/online_regression.h"

#include <QTest>

#include <cmath>
#include <random>

using namespace tamis::cache;

namespace {
/// a x = b by elimination with pivots.
std::vector<double> solved(std::vector<std::vector<double>> a, std::vector<double> b)
{
    const std::size_t n = b.size();
    for (std::size_t k = 0; k < n; ++k) {
        std::size_t pivot = k;
        for (std::size_t i = k; i < n; ++i)
            if (std::abs(a[i][k]) > std::abs(a[pivot][k]))
                pivot = i;
        std::swap(a[k], a[pivot]);
        std::swap(b[k], b[pivot]);
        for (std::size_t i = k + 1; i < n; ++i) {
            const double factor = a[i][k] / a[k][k];
            for (std::size_t j = k; j < n; ++j)
                a[i][j] -= factor * a[k][j];
            b[i] -= factor * b[k];
        }
    }
    for (std::size_t k = n; k-- > 0;) {
        for (std::size_t j = k + 1; j < n; ++j)
            b[k] -= a[k][j] * b[j];
        b[k] /= a[k][k];
    }
    return b;
}
} // namespace

class TstReuseModels : public QObject {
    Q_OBJECT
private slots:
    /// After every pair the weights are those of (X^T F X + ridge) w = X^T F y, F the forgetting of each row. The recursion loses some six digits of
    /// double's sixteen to cancellation at a ridge of 1e-4 against moments of 500.
    void leastSquaresAsInOnePiece()
    {
        for (const double forgetting : {1.0, 0.99}) {
            std::mt19937_64 random(4);
            std::normal_distribution<double> normal;
            RecursiveLeastSquares recursive(3, forgetting, 1e4);
            std::vector<std::vector<double>> moments(3, std::vector<double>(3, 0.0));
            std::vector<double> right(3, 0.0);
            for (std::size_t i = 0; i < 3; ++i)
                moments[i][i] = 1e-4;
            for (int n = 0; n < 500; ++n) {
                const std::vector<double> x{1, normal(random), 2 * normal(random) + 1};
                const double y = 0.5 - 2 * x[1] + 3 * x[2] + 0.1 * normal(random);
                recursive.learn(x, y);
                for (std::size_t i = 0; i < 3; ++i) {
                    right[i] = forgetting * right[i] + x[i] * y;
                    for (std::size_t j = 0; j < 3; ++j)
                        moments[i][j] = forgetting * moments[i][j] + x[i] * x[j];
                }
                if (n >= 10) {
                    const std::vector<double> expected = solved(moments, right);
                    for (std::size_t i = 0; i < 3; ++i)
                        QVERIFY2(std::abs(recursive.weights()[i] - expected[i]) < (forgetting == 1 ? 1e-8 : 1e-4), qPrintable(QString("%1 %2").arg(n).arg(recursive.weights()[i] - expected[i])));
                }
            }
            // 0.1 of noise over 100 (forgetting) or 500 rows: deviations of 0.01 at most.
            QVERIFY(std::abs(recursive.weights()[0] - 0.5) < 0.05 && std::abs(recursive.weights()[1] + 2) < 0.05 && std::abs(recursive.weights()[2] - 3) < 0.05);
        }
    }
    /// A direction that is never seen again does not blow up.
    void forgettingStaysBounded()
    {
        RecursiveLeastSquares recursive(2, 0.9);
        recursive.learn(std::vector<double>{1, 1}, 2);
        for (int n = 0; n < 20000; ++n)
            recursive.learn(std::vector<double>{1, 0}, 1);
        QVERIFY(std::isfinite(recursive.weights()[1]));
        QVERIFY(std::abs(recursive.predict(std::vector<double>{1, 0}) - 1) < 1e-6);
    }
    /// Labels drawn by planted weights: found within five of their standard errors (2 / sqrt(rows x p (1 - p)), features of deviation 1), here 0.1.
    void logisticFindsWhatWasPlanted()
    {
        std::mt19937_64 random(9);
        std::normal_distribution<double> normal;
        std::uniform_real_distribution<double> uniform;
        std::vector<float> rows;
        std::vector<std::uint8_t> labels;
        for (int n = 0; n < 20000; ++n) {
            const double a = normal(random), b = normal(random), c = normal(random);
            rows.insert(rows.end(), {static_cast<float>(a), static_cast<float>(3 * b + 10), static_cast<float>(c), 7.0F}); // the last says nothing
            labels.push_back(uniform(random) < 1 / (1 + std::exp(-(0.7 + 1.5 * a - 0.5 * (3 * b + 10 - 10)))) ? 1 : 0);
        }
        LogisticRegression regression;
        QVERIFY(!regression.fitted());
        regression.fit(rows, labels, 4, 1e-6);
        QVERIFY(std::abs(regression.weights()[0] - 1.5) < 0.1);
        QVERIFY(std::abs(regression.weights()[1] + 0.5) < 0.1 / 3);
        QVERIFY(std::abs(regression.weights()[2]) < 0.1);
        QCOMPARE(regression.weights()[3], 0.0);
        QVERIFY(std::abs(regression.intercept() - 5.7) < 0.45); // 0.7 + 0.5 x 10, the error of the weight times 10
        // At the optimum predicted and counted labels agree, in all and weighted by a feature.
        double sum = 0, weighted = 0;
        for (std::size_t i = 0; i < labels.size(); ++i) {
            const double off = static_cast<double>(labels[i]) - 1 / (1 + std::exp(-regression.score(std::span(rows).subspan(4 * i, 4))));
            sum += off;
            weighted += off * static_cast<double>(rows[4 * i]);
        }
        QVERIFY(std::abs(sum) < 1e-3 && std::abs(weighted) < 0.1); // the ridge: 1e-6 x 20000 x 1.5 = 0.03
    }
    /// Few labels of one kind and features that nearly repeat one another: whole Newton steps leap to and fro there. At the optimum of the penalised likelihood its gradient is none.
    void logisticOfFewLabels()
    {
        std::mt19937_64 random(5);
        std::normal_distribution<double> normal;
        for (const int ones : {3, 8, 29}) {
            std::vector<float> rows;
            std::vector<std::uint8_t> labels;
            for (int n = 0; n < 256; ++n) {
                const double base = n < ones ? std::exp(3 * normal(random)) + 20 : std::exp(normal(random));
                for (int f = 0; f < 8; ++f)
                    rows.push_back(static_cast<float>(base * (1 + 0.01 * f * normal(random)) + normal(random)));
                labels.push_back(n < ones ? 1 : 0);
            }
            LogisticRegression regression;
            regression.fit(rows, labels, 8, 1e-3);
            std::vector<double> deviations(8), gradient(9, 0.0);
            for (std::size_t f = 0; f < 8; ++f) {
                double sum = 0, squares = 0;
                for (std::size_t i = 0; i < 256; ++i) {
                    sum += static_cast<double>(rows[8 * i + f]);
                    squares += static_cast<double>(rows[8 * i + f]) * static_cast<double>(rows[8 * i + f]);
                }
                deviations[f] = std::sqrt(squares / 256 - sum * sum / 256 / 256);
                for (std::size_t i = 0; i < 256; ++i) {
                    const double off = static_cast<double>(labels[i]) - 1 / (1 + std::exp(-regression.score(std::span(rows).subspan(8 * i, 8))));
                    gradient[f] += off * (static_cast<double>(rows[8 * i + f]) - sum / 256) / deviations[f];
                    gradient[8] += f == 0 ? off : 0.0;
                }
                gradient[f] -= 256 * 1e-3 * regression.weights()[f] * deviations[f];
            }
            for (const double each : gradient) // of 256 rows, each up to 1
                QVERIFY2(std::abs(each) < 1e-4, qPrintable(QString("%1: %2").arg(ones).arg(each)));
        }
    }
    void logisticOfOneKindAndSeparable()
    {
        LogisticRegression regression;
        regression.fit(std::vector<float>{1, 2, 3, 4}, std::vector<std::uint8_t>{1, 1, 1, 1}, 1);
        QCOMPARE(regression.weights()[0], 0.0);
        QVERIFY(std::abs(regression.intercept() - std::log(4.5 / 0.5)) < 1e-12);
        regression.fit(std::vector<float>{1, 2, 3, 4}, std::vector<std::uint8_t>{0, 0, 1, 1}, 1);
        QVERIFY(std::isfinite(regression.intercept()) && regression.weights()[0] > 0);
        QVERIFY(regression.score(std::vector<float>{4}) > 0 && regression.score(std::vector<float>{1}) < 0);
    }
    /// One tree of one split: of all splits between distinct values the one with the largest gain, and leaves of its sums.
    void stumpIsTheBestOfAll()
    {
        std::uint64_t state = 8;
        std::vector<float> rows;
        std::vector<std::uint8_t> labels;
        for (int n = 0; n < 4000; ++n) {
            const auto a = static_cast<float>(tamis::nextBits(state) % 20), b = static_cast<float>(tamis::nextBits(state) % 20);
            rows.insert(rows.end(), {a, b});
            labels.push_back(tamis::nextBits(state) % 100 < (b > 12 ? 80U : a > 4 ? 30U : 20U) ? 1 : 0);
        }
        BoostedTrees trees;
        trees.fit(rows, labels, 2, {.trees = 1, .depth = 1});
        double ones = 0;
        for (const std::uint8_t label : labels)
            ones += label;
        const double start = std::log((ones + 0.5) / (4000 - ones + 0.5)), p = 1 / (1 + std::exp(-start));
        double best = -1, low = 0, high = 0;
        std::size_t feature = 0;
        float threshold = 0;
        for (std::size_t f = 0; f < 2; ++f)
            for (float t = 0; t < 19; ++t) {
                double g[2]{}, h[2]{};
                for (std::size_t i = 0; i < labels.size(); ++i) {
                    const int side = rows[2 * i + f] > t ? 1 : 0;
                    g[side] += static_cast<double>(labels[i]) - p;
                    h[side] += p * (1 - p);
                }
                const double gain = g[0] * g[0] / (h[0] + 1) + g[1] * g[1] / (h[1] + 1) - (g[0] + g[1]) * (g[0] + g[1]) / (h[0] + h[1] + 1);
                if (gain > best) {
                    best = gain;
                    feature = f;
                    threshold = t;
                    low = start + 0.25 * g[0] / (h[0] + 1);
                    high = start + 0.25 * g[1] / (h[1] + 1);
                }
            }
        QCOMPARE(feature, std::size_t{1});
        QCOMPARE(threshold, 12.0F);
        for (std::size_t i = 0; i < labels.size(); ++i) // leaves are kept as float
            QVERIFY(std::abs(trees.score(std::span(rows).subspan(2 * i, 2)) - (rows[2 * i + 1] > 12 ? high : low)) < 1e-6);
        QVERIFY(std::abs(trees.gains()[1] - best) < 1e-6 * best);
        QCOMPARE(trees.gains()[0], 0.0);
    }
    /// What no line separates: trees see it, a logistic regression does not.
    void treesSeeCrossings()
    {
        std::mt19937_64 random(2);
        std::uniform_real_distribution<float> uniform(-1, 1);
        const auto draw = [&](std::vector<float>& rows, std::vector<std::uint8_t>& labels, int count) {
            for (int n = 0; n < count; ++n) {
                const float a = uniform(random), b = uniform(random), c = uniform(random);
                rows.insert(rows.end(), {a, b, c});
                labels.push_back((a > 0.1F) != (b > -0.2F) ? 1 : 0);
            }
        };
        std::vector<float> rows, held;
        std::vector<std::uint8_t> labels, heldLabels;
        draw(rows, labels, 8192);
        draw(held, heldLabels, 4000);
        BoostedTrees trees, again;
        trees.fit(rows, labels, 3, {});
        again.fit(rows, labels, 3, {});
        LogisticRegression line;
        line.fit(rows, labels, 3);
        int byTrees = 0, byLine = 0;
        for (std::size_t i = 0; i < heldLabels.size(); ++i) {
            const std::span<const float> x = std::span<const float>(held).subspan(3 * i, 3);
            byTrees += (trees.score(x) > 0) == (heldLabels[i] != 0) ? 1 : 0;
            byLine += (line.score(x) > 0) == (heldLabels[i] != 0) ? 1 : 0;
            QCOMPARE(trees.score(x), again.score(x));
        }
        QVERIFY2(byTrees > 3800, qPrintable(QString::number(byTrees))); // bins of a 32nd of the rows leave a few per cent at the edges
        QVERIFY2(byLine < 2600, qPrintable(QString::number(byLine)));
        QVERIFY(trees.gains()[2] < 0.05 * (trees.gains()[0] + trees.gains()[1]));
    }
    void treesOfOddRows()
    {
        BoostedTrees trees;
        trees.fit(std::vector<float>{1, 2}, std::vector<std::uint8_t>{1}, 2, {});
        QVERIFY(trees.score(std::vector<float>{1, 2}) > 0);
        trees.fit(std::vector<float>(200, 5.0F), std::vector<std::uint8_t>(100, 0), 2, {});
        QVERIFY(trees.score(std::vector<float>{0, 9}) < -3);
    }
};

QTEST_APPLESS_MAIN(TstReuseModels)
#include "tst_reuse_models.moc"
