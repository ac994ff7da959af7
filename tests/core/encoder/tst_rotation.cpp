// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/rotation.h"

#include <QTest>

#include <cmath>
#include <numeric>
#include <random>
#include <vector>

using tamis::encoder::Rotation;

namespace {
std::vector<double> normal(std::size_t size, unsigned seed)
{
    std::mt19937 random(seed);
    std::normal_distribution<double> draw;
    std::vector<double> v(size);
    for (double& value : v)
        value = draw(random);
    return v;
}
double dot(const std::vector<double>& a, const std::vector<double>& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }
} // namespace

class TestRotation : public QObject {
    Q_OBJECT
private slots:
    /// Products are kept to the promised 1e-13 of the lengths, twice.
    void productsAreKept()
    {
        for (const std::size_t width : {1U, 2U, 3U, 7U, 64U, 100U, 768U, 2304U}) {
            const Rotation rotation(static_cast<std::int64_t>(width), 5);
            auto a = normal(width, 1), b = normal(width, 2);
            const double before = dot(a, b), lengths = std::sqrt(dot(a, a) * dot(b, b)), length = dot(a, a);
            rotation.apply(a);
            rotation.apply(b);
            QVERIFY(std::abs(dot(a, b) - before) <= 2e-13 * lengths);
            QVERIFY(std::abs(dot(a, a) - length) <= 2e-13 * length);
        }
    }
    /// Blocks of 4, 2 and 1 features by the definition H(i, j) = (-1)^popcount(i & j) / sqrt(n), after the signs.
    void isTheHadamardMatrixAfterSigns()
    {
        const Rotation rotation(7, 9);
        std::vector<double> signs(7);
        for (std::size_t j = 0; j < 7; ++j) { // the first row of every block is positive: it shows the signs
            std::vector<double> unit(7);
            unit[j] = 1;
            rotation.apply(unit);
            signs[j] = unit[j < 4 ? 0 : j < 6 ? 4 : 6] > 0 ? 1 : -1;
        }
        for (std::size_t j = 0; j < 7; ++j) {
            std::vector<double> unit(7);
            unit[j] = 1;
            rotation.apply(unit);
            for (std::size_t i = 0; i < 7; ++i) {
                const std::size_t begin = i < 4 ? 0 : i < 6 ? 4 : 6, size = i < 4 ? 4 : i < 6 ? 2 : 1;
                const bool inside = j >= begin && j < begin + size;
                const double sign = std::popcount((i - begin) & (j - begin)) % 2 ? -1 : 1;
                QVERIFY(std::abs(unit[i] - (inside ? signs[j] * sign / std::sqrt(static_cast<double>(size)) : 0.0)) < 1e-15);
            }
        }
    }
    void signsAreDrawnFromTheSeed()
    {
        const auto once = normal(64, 1);
        auto a = once, b = once, c = once;
        Rotation(64, 1).apply(a);
        Rotation(64, 1).apply(b);
        Rotation(64, 2).apply(c);
        QVERIFY(a == b && a != c);
        auto d = once;
        Rotation().apply(d);
        QVERIFY(d == once && Rotation().identity());
    }
};

QTEST_GUILESS_MAIN(TestRotation)
#include "tst_rotation.moc"
