// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/kernels/bound_table.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

using namespace tamis::kernels;

namespace {
struct Problem {
    std::int64_t depth;
    std::vector<int> stored; ///< [depth, 32]
    std::vector<std::int8_t> high, low;
};

/// `extreme`: nothing but the largest values, where an instruction that saturates would show.
Problem problemOf(std::int64_t depth, int largest, bool extreme)
{
    std::mt19937 random(static_cast<unsigned>(depth));
    Problem p{depth, std::vector<int>(static_cast<std::size_t>(depth * kStripe)), std::vector<std::int8_t>(static_cast<std::size_t>(depth)), std::vector<std::int8_t>(static_cast<std::size_t>(depth))};
    for (int& each : p.stored)
        each = extreme ? largest : static_cast<int>(random() % static_cast<unsigned>(largest + 1));
    for (std::size_t i = 0; i < p.high.size(); ++i) {
        p.high[i] = static_cast<std::int8_t>(extreme ? -128 : static_cast<int>(random() % 256) - 128);
        p.low[i] = static_cast<std::int8_t>(extreme ? 127 : random() % 128);
    }
    return p;
}

/// The layouts as bound_table.h states them.
std::vector<std::uint8_t> laidOut(const Problem& p, bool nibbles)
{
    std::vector<std::uint8_t> stripe(static_cast<std::size_t>(p.depth * kStripe / (nibbles ? 2 : 1)));
    for (std::int64_t i = 0; i < p.depth; ++i)
        for (std::int64_t j = 0; j < kStripe; ++j) {
            const int value = p.stored[static_cast<std::size_t>(i * kStripe + j)];
            if (nibbles)
                stripe[static_cast<std::size_t>((i / 8 * kStripe + j) * 4 + i % 4)] |= static_cast<std::uint8_t>(i % 8 < 4 ? value : value << 4);
            else
                stripe[static_cast<std::size_t>((i / 4 * kStripe + j) * 4 + i % 4)] = static_cast<std::uint8_t>(value);
        }
    return stripe;
}

std::vector<const BoundTable*> tables()
{
    std::vector<const BoundTable*> all{&avx2Bounds()};
    if (hasAvxVnni())
        all.push_back(&avxVnniBounds());
    if (__builtin_cpu_supports("avx512vnni"))
        all.push_back(&avx512VnniBounds());
    return all;
}
} // namespace

class TestBoundTable : public QObject {
    Q_OBJECT
private slots:
    /// Every instruction set of this machine against sums of 64-bit integers.
    void sumsAreWhole_data()
    {
        QTest::addColumn<int>("depth");
        QTest::addColumn<bool>("nibbles");
        QTest::addColumn<bool>("extreme");
        for (const bool nibbles : {false, true})
            for (const bool extreme : {false, true})
                for (const int depth : {8, 16, 104, 4096, 65536})
                    QTest::addRow("%s, depth %d%s", nibbles ? "half bytes" : "bytes", depth, extreme ? ", largest values" : "") << depth << nibbles << extreme;
    }
    void sumsAreWhole()
    {
        QFETCH(int, depth);
        QFETCH(bool, nibbles);
        QFETCH(bool, extreme);
        const Problem p = problemOf(depth, nibbles ? 15 : 255, extreme);
        const std::vector<std::uint8_t> stripe = laidOut(p, nibbles);
        std::vector<std::int64_t> expected(2 * kStripe);
        for (std::int64_t i = 0; i < depth; ++i)
            for (std::int64_t j = 0; j < kStripe; ++j) {
                const std::int64_t value = p.stored[static_cast<std::size_t>(i * kStripe + j)];
                expected[static_cast<std::size_t>(j)] += value * p.high[static_cast<std::size_t>(i)];
                expected[static_cast<std::size_t>(kStripe + j)] += value * p.low[static_cast<std::size_t>(i)];
            }
        for (const BoundTable* table : tables())
            for (std::int64_t count = 1; count <= table->fewTokens; ++count) { // the last token is the one above, the others swap its planes
                std::vector<BoundToken> tokens(static_cast<std::size_t>(count), BoundToken{.high = p.low.data(), .low = p.low.data()});
                tokens.back() = {.high = p.high.data(), .low = p.low.data()};
                std::vector<std::int32_t> sums(static_cast<std::size_t>(count * 100), -1);
                (nibbles ? table->sumNibbles : table->sumBytes)(stripe.data(), depth, tokens.data(), count, sums.data(), 100);
                for (std::int64_t t = 0; t < count; ++t)
                    for (std::int64_t j = 0; j < 2 * kStripe; ++j)
                        QCOMPARE(std::int64_t{sums[static_cast<std::size_t>(t * 100 + j)]}, expected[static_cast<std::size_t>(t + 1 == count ? j : kStripe + j % kStripe)]);
            }
    }
    /// Bounds contain the formula's in long double, are no wider than float needs, and lead to the right survivors.
    void boundsAreRoundedOutwards()
    {
        std::mt19937 random(5);
        std::normal_distribution<float> normal;
        constexpr std::int64_t kCount = 3 * kStripe;
        std::vector<std::int32_t> sums(2 * kCount);
        std::vector<float> scale(kCount), bias(kCount), spread(kCount), length(kCount);
        for (auto& each : sums)
            each = static_cast<std::int32_t>(random() % 2000000) - 1000000;
        for (std::size_t i = 0; i < scale.size(); ++i) {
            scale[i] = std::exp(normal(random)) * 1e-6F;
            bias[i] = normal(random);
            spread[i] = std::abs(normal(random)) * 0.01F;
            length[i] = std::abs(normal(random));
        }
        const BoundToken token{.high = nullptr, .low = nullptr, .step = 3e-3, .offset = 12345, .dither = 17.5, .norm = 2.5, .error = 1e-3, .rounding = 1e-5, .least = 1e-40};
        const BoundRows rows{scale.data(), bias.data(), spread.data(), length.data()};
        for (const BoundTable* table : tables()) {
            std::vector<float> lower(kCount), upper(kCount);
            std::vector<std::int32_t> survivors(kCount);
            float outside = -100;
            const std::int64_t found = table->bound(&token, &rows, sums.data(), kCount, 0.5F, lower.data(), upper.data(), survivors.data(), &outside);
            std::vector<std::int32_t> expected;
            float largest = -100;
            for (std::int64_t i = 0; i < kCount; ++i) {
                const auto at = static_cast<std::size_t>(i), first = static_cast<std::size_t>(i / kStripe * 2 * kStripe + i % kStripe);
                const long double z = static_cast<long double>(scale[at]) * (3e-3L * (128.0L * sums[first] + sums[first + kStripe] - 12345) - 17.5L) + bias[at];
                const long double radius = 2.5L * spread[at] + 1e-3L * length[at] + 1e-5L * std::abs(bias[at]) + 1e-40L;
                QVERIFY(lower[at] <= z - radius && upper[at] >= z + radius);
                const long double room = (std::abs(z) + radius) * 2e-6L; // 2^-21 and the roundings to float, 2^-24 each
                QVERIFY(lower[at] >= z - radius - room && upper[at] <= z + radius + room);
                if (upper[at] >= 0.5F)
                    expected.push_back(static_cast<std::int32_t>(i));
                else
                    largest = std::max(largest, upper[at]);
            }
            QVERIFY(!expected.empty() && expected.size() < static_cast<std::size_t>(kCount));
            survivors.resize(static_cast<std::size_t>(found));
            QVERIFY(survivors == expected);
            QCOMPARE(outside, largest);
        }
    }
    /// What is no number is never dropped.
    void nansSurvive()
    {
        std::vector<std::int32_t> sums(2 * kStripe), survivors(kStripe);
        std::vector<float> zero(kStripe, 0.0F), bias(kStripe, -1.0F), lower(kStripe), upper(kStripe);
        bias[9] = std::numeric_limits<float>::quiet_NaN();
        const BoundToken token{};
        const BoundRows rows{zero.data(), bias.data(), zero.data(), zero.data()};
        for (const BoundTable* table : tables()) {
            float outside = -5;
            QCOMPARE(table->bound(&token, &rows, sums.data(), kStripe, 0.0F, lower.data(), upper.data(), survivors.data(), &outside), std::int64_t{1});
            QCOMPARE(survivors[0], 9);
            QVERIFY(outside < -0.99F && outside > -1);
        }
    }
};

QTEST_GUILESS_MAIN(TestBoundTable)
#include "tst_bound_table.moc"
