// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/kernels/packed_matrix.h"
#include "core/kernels/score_scan.h"
#include "tests/core/base/stop_clock.h"

#include <QTest>

#include <chrono>
#include <cmath>
#include <limits>
#include <random>
#include <thread>

using namespace tamis;
using namespace tamis::kernels;
using tensor::Matrix;

namespace {
Matrix<float> gaussian(std::int64_t rows, std::int64_t cols, unsigned seed)
{
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    Matrix<float> values(rows, cols);
    for (float& value : values.values())
        value = normal(random);
    return values;
}
std::vector<float> biases(std::int64_t count, unsigned seed)
{
    const Matrix<float> b = gaussian(1, count, seed);
    return {b.values().begin(), b.values().end()};
}

/// The definition, term by term: one std::fma an input, in order.
std::vector<Scored> definition(const Matrix<float>& rows, const std::vector<float>& bias, std::span<const float> x, std::size_t k)
{
    std::vector<Scored> all;
    for (std::int64_t i = 0; i < rows.rows(); ++i) {
        float sum = 0;
        for (std::int64_t j = 0; j < rows.cols(); ++j)
            sum = std::fma(x[static_cast<std::size_t>(j)], rows(i, j), sum);
        const float z = sum + bias[static_cast<std::size_t>(i)];
        if (z > 0)
            all.push_back({z, static_cast<std::int32_t>(i)});
    }
    std::ranges::sort(all, before);
    all.resize(std::min(all.size(), k));
    return all;
}

/// Runs the rest of a test on AVX2.
struct Portable {
    explicit Portable(bool portable) { forcePortableKernels(portable); }
    ~Portable() { forcePortableKernels(false); }
};
} // namespace

class TestScoreScan : public QObject {
    Q_OBJECT
private slots:
    /// Every path (few tokens, tiles, several shards, last panels that are not full) against the definition, to the bit.
    void isTheDefinition_data()
    {
        QTest::addColumn<int>("rows");
        QTest::addColumn<int>("width");
        QTest::addColumn<int>("tokens");
        QTest::addColumn<int>("k");
        QTest::newRow("one of everything") << 1 << 1 << 1 << 1;
        QTest::newRow("one input") << 70 << 1 << 3 << 5;
        QTest::newRow("one row") << 1 << 300 << 9 << 1;
        QTest::newRow("one token") << 300 << 97 << 1 << 12;
        QTest::newRow("few tokens") << 300 << 64 << 6 << 12;
        QTest::newRow("a tile") << 300 << 257 << 13 << 12;
        QTest::newRow("tiles") << 515 << 513 << 33 << 7;
        QTest::newRow("shards") << 4200 << 33 << 5 << 40;
        QTest::newRow("shards, tiles") << 4200 << 33 << 20 << 40;
        QTest::newRow("chunks of tokens") << 100 << 20 << 450 << 10;
        QTest::newRow("k = M") << 90 << 30 << 17 << 90;
    }
    void isTheDefinition()
    {
        QFETCH(int, rows);
        QFETCH(int, width);
        QFETCH(int, tokens);
        QFETCH(int, k);
        const Matrix<float> w = gaussian(rows, width, 1), x = gaussian(tokens, width, 2);
        const std::vector<float> bias = biases(rows, 3);
        for (const bool portable : {false, true}) {
            const Portable own(portable);
            const auto found = scanTopScores(ScanRows(w.view(), bias, ScanPrecision::Float32), x.view(), k);
            QCOMPARE(found.size(), static_cast<std::size_t>(tokens));
            for (std::int64_t t = 0; t < tokens; ++t)
                QVERIFY(found[static_cast<std::size_t>(t)] == definition(w, bias, x.view().row(t), static_cast<std::size_t>(k)));
        }
    }
    /// bfloat16: the definition on the rounded rows, to the bit. Rounding is checked against the two neighbours.
    void bfloat16RowsAreRoundedToNearest()
    {
        const Matrix<float> w = gaussian(150, 70, 1), x = gaussian(9, 70, 2);
        const std::vector<float> bias = biases(150, 3);
        const ScanRows rows(w.view(), bias, ScanPrecision::Bfloat16);
        const Matrix<float> rounded = rows.unpack();
        for (std::size_t i = 0; i < w.size(); ++i) {
            const float value = w.values()[i], stored = rounded.values()[i];
            QVERIFY(std::abs(stored - value) <= std::ldexp(1.0F, std::ilogb(value) - 8)); // half of the last of 8 bits
        }
        for (const bool portable : {false, true}) {
            const Portable own(portable);
            for (const std::int64_t tokens : {std::int64_t{1}, std::int64_t{9}}) {
                const auto found = scanTopScores(rows, {x.data(), tokens, 70, 70}, 20);
                for (std::int64_t t = 0; t < tokens; ++t)
                    QVERIFY(found[static_cast<std::size_t>(t)] == definition(rounded, bias, x.view().row(t), 20));
            }
        }
        const Matrix<float> largest = [] { Matrix<float> m(1, 1); m(0, 0) = std::numeric_limits<float>::max(); return m; }();
        QVERIFY(std::isfinite(ScanRows(largest.view(), std::vector<float>{0}, ScanPrecision::Bfloat16).unpack()(0, 0)));
    }
    /// int8: sums of whole numbers times x, then the scale and the bias in one rounding.
    void int8RowsHaveAScaleEach()
    {
        Matrix<float> w = gaussian(150, 70, 1);
        const Matrix<float> x = gaussian(9, 70, 2);
        std::ranges::fill(w.view().row(4), 0.0F);
        const std::vector<float> bias = biases(150, 3);
        const ScanRows rows(w.view(), bias, ScanPrecision::Int8);
        const Matrix<float> rounded = rows.unpack();
        for (std::int64_t i = 0; i < 150; ++i) {
            const float scale = rows.scale(0)[i];
            for (std::int64_t j = 0; j < 70; ++j) // half a step, and the roundings of the scale and of the product
                QVERIFY(std::abs(rounded(i, j) - w(i, j)) <= 0.5F * scale * (1 + 1e-4F));
        }
        for (const bool portable : {false, true}) {
            const Portable own(portable);
            for (const std::int64_t tokens : {std::int64_t{1}, std::int64_t{4}, std::int64_t{9}}) {
                const auto found = scanTopScores(rows, {x.data(), tokens, 70, 70}, 150);
                for (std::int64_t t = 0; t < tokens; ++t)
                    for (const Scored& each : found[static_cast<std::size_t>(t)]) {
                        const float scale = rows.scale(0)[each.row];
                        float sum = 0;
                        for (std::int64_t j = 0; j < 70; ++j)
                            sum = std::fma(x(t, j), scale > 0 ? std::round(rounded(each.row, j) / scale) : 0.0F, sum);
                        QCOMPARE(each.value, std::fma(sum, scale, bias[static_cast<std::size_t>(each.row)]));
                    }
            }
        }
    }
    void neighboursAndThreadsChangeNothing()
    {
        const Matrix<float> w = gaussian(5000, 60, 1), x = gaussian(210, 60, 2);
        const std::vector<float> bias = biases(5000, 3);
        for (const auto precision : {ScanPrecision::Float32, ScanPrecision::Bfloat16, ScanPrecision::Int8}) {
            const ScanRows rows(w.view(), bias, precision);
            const auto together = scanTopScores(rows, x.view(), 25);
            for (const int threads : {1, 2, 7}) {
                const ThreadLimit limit(threads);
                QVERIFY(scanTopScores(rows, x.view(), 25) == together);
            }
            for (const std::int64_t t : {0, 100, 209})
                QVERIFY(scanTopScores(rows, {x.view().row(t).data(), 1, 60, 60}, 25).front() == together[static_cast<std::size_t>(t)]);
        }
    }
    /// An equal score of a lower row still enters after another thread's k were merged; a smaller one does not reach the heap.
    void mergedScoresKeepTheOrder()
    {
        SharedTopScores shared(2);
        QCOMPARE(shared.bound(), 0.0F);
        TopScores first(2), second(2);
        for (const std::int32_t row : {10, 11, 12})
            first.offer({1.5F, row});
        shared.merge(first);
        QCOMPARE(shared.bound(), 1.5F);
        second.raiseFloor(shared.floor());
        second.offer({1.25F, 1});
        second.offer({1.5F, 3});
        QVERIFY((second.found() == std::vector<Scored>{{1.5F, 3}}));
        shared.merge(second);
        std::vector<Scored> best = shared.take();
        keepBest(best, 2);
        QVERIFY((best == std::vector<Scored>{{1.5F, 3}, {1.5F, 10}}));
    }
    /// Equal rows in every shard: among equal scores the lowest rows win, in all orders that threads may come in.
    void tiesGoToTheLowerRow()
    {
        Matrix<float> w(9000, 8);
        std::ranges::fill(w.values(), 1.0F);
        std::vector<float> bias(9000, 0.5F);
        bias[8500] = 1.0F;
        const Matrix<float> x = [] { Matrix<float> m(8, 8); std::ranges::fill(m.values(), 0.25F); return m; }();
        const ScanRows rows(w.view(), bias, ScanPrecision::Float32);
        for (int round = 0; round < 20; ++round)
            for (const std::int64_t tokens : {std::int64_t{1}, std::int64_t{8}})
                for (const auto& token : scanTopScores(rows, {x.data(), tokens, 8, 8}, 6)) {
                    QCOMPARE(token.size(), std::size_t{6});
                    QVERIFY((token[0] == Scored{3.0F, 8500}));
                    for (std::int32_t i = 1; i < 6; ++i)
                        QVERIFY((token[static_cast<std::size_t>(i)] == Scored{2.5F, i - 1}));
                }
    }
    /// Nothing that is 0, negative or no number is ever found.
    void onlyPositiveNumbersAreFound()
    {
        Matrix<float> w(70, 3);
        const std::vector<float> zero(70, 0.0F);
        for (std::int64_t i = 0; i < 70; ++i)
            w(i, 0) = i == 5 ? 1e30F : i == 6 ? std::numeric_limits<float>::quiet_NaN() : i == 7 ? 1e-42F : i % 2 ? -1.0F : 0.0F;
        Matrix<float> x(8, 3);
        for (std::int64_t t = 0; t < 8; ++t)
            x(t, 0) = t == 7 ? 0.0F : 1.0F;
        const ScanRows rows(w.view(), zero, ScanPrecision::Float32);
        for (const std::int64_t tokens : {std::int64_t{1}, std::int64_t{8}}) {
            const auto found = scanTopScores(rows, {x.data(), tokens, 3, 3}, 10);
            QVERIFY((found[0] == std::vector<Scored>{{1e30F, 5}, {1e-42F, 7}}));
            if (tokens == 8)
                QVERIFY(found[7].empty());
        }
    }
    /// Rows as they lie give the scan's bits, also those of a group that is not full.
    void listedRowsScoreTheSame()
    {
        for (const bool portable : {false, true}) {
            const Portable own(portable);
            for (const std::int64_t width : {1, 15, 16, 64, 203}) {
                const Matrix<float> w = gaussian(200, width, 1), x = gaussian(1, width, 2);
                const std::vector<float> bias = biases(200, 3);
                const auto found = scanTopScores(ScanRows(w.view(), bias, ScanPrecision::Float32), x.view(), 200).front();
                QVERIFY(found.size() > 20);
                std::vector<std::int32_t> listed;
                for (const Scored& each : found)
                    listed.push_back(each.row);
                std::vector<float> scores(listed.size());
                scoreListed(w.view(), bias, x.view().row(0), listed, scores.data());
                for (std::size_t i = 0; i < found.size(); ++i)
                    QCOMPARE(scores[i], found[i].value);
            }
        }
    }
    /// A scan that would take seconds ends soon after the stop.
    void stopsSoon()
    {
        const Matrix<float> w = gaussian(2048, 512, 1), x = gaussian(196, 512, 2);
        const ScanRows rows(w.view(), biases(2048, 3), ScanPrecision::Float32);
        Matrix<float> many(60000, 512);
        for (std::int64_t t = 0; t < many.rows(); ++t)
            std::ranges::copy(x.view().row(t % 196), many.view().row(t).begin());
        std::stop_source source;
        tamis::test::StopClock clock;
        std::jthread stopper([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            clock.ask(source);
        });
        try {
            scanTopScores(rows, many.view(), 32, RunContext(source.get_token()));
            QFAIL("was not stopped");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::Cancelled);
        }
        stopper.join();
        QVERIFY(clock.seconds() < tamis::test::kSoonSeconds);
    }
    void badRequestsAreRefused()
    {
        const Matrix<float> w = gaussian(8, 4, 1), x = gaussian(2, 5, 2);
        const ScanRows rows(w.view(), biases(8, 3), ScanPrecision::Float32);
        const auto refusal = [](const auto& run) {
            try {
                run();
            } catch (const Error& error) {
                return QString::fromUtf8(error.what());
            }
            return QString();
        };
        QVERIFY(refusal([&] { scanTopScores(rows, x.view(), 2); }).contains("found inputs of 5 features"));
        QVERIFY(refusal([&] { scanTopScores(rows, {x.data(), 1, 4, 4}, 0); }).contains("k = 0"));
        QVERIFY(refusal([&] { ScanRows(w.view(), biases(7, 3), ScanPrecision::Float32); }).contains("7 biases"));
        QVERIFY(scanTopScores(rows, {x.data(), 0, 4, 5}, 2).empty());
    }
};

QTEST_GUILESS_MAIN(TestScoreScan)
#include "tst_score_scan.moc"
