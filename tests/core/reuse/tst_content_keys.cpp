// SPDX-License-Identifier: GPL-3.0-or-later
// Keys of content, the index over them and who leaves: against plain loops and lists.
#include "core/io/npz.h"
#include "core/reuse/content_index.h"
#include "core/reuse/perceptual_hash.h"
#include "core/reuse/recent_entries.h"
#include "core/reuse/token_hash.h"
#include "tests/core/base/stop_clock.h"
#include "tests/core/reuse/frames.h"

#include <QTest>

#include <algorithm>
#include <bit>
#include <cmath>
#include <list>
#include <numbers>
#include <random>
#include <thread>

using namespace tamis;
using namespace tamis::reuse;
using tensor::Matrix;

namespace {
Matrix<float> noise(std::int64_t rows, std::int64_t cols, unsigned seed)
{
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(100, 30);
    Matrix<float> all(rows, cols);
    for (float& value : all.values())
        value = normal(random);
    return all;
}
} // namespace

class TstContentKeys : public QObject {
    Q_OBJECT

private slots:
    void areaMeansKeepTheMean()
    {
        const auto picture = noise(13, 22, 1);
        const auto means = areaMeans(picture.view(), 5, 9);
        double all = 0, mean = 0;
        for (const float value : picture.values())
            all += static_cast<double>(value) / static_cast<double>(picture.size());
        for (const double value : means.values())
            mean += value / static_cast<double>(means.size());
        QVERIFY(std::abs(all - mean) < 1e-9); // every pixel's area is shared out
        const auto same = areaMeans(picture.view(), 13, 22);
        for (std::int64_t i = 0; i < 13; ++i)
            for (std::int64_t j = 0; j < 22; ++j)
                QVERIFY(std::abs(same(i, j) - static_cast<double>(picture(i, j))) < 1e-9);
    }

    void hashesAreWhatTheyAreDefinedAs()
    {
        const auto picture = noise(64, 72, 2);
        const auto means = areaMeans(picture.view(), 8, 9);
        const std::uint64_t difference = differenceHash(picture.view()), cosine = cosineHash(picture.view());
        for (std::int64_t r = 0; r < 8; ++r)
            for (std::int64_t c = 0; c < 8; ++c)
                QCOMPARE((difference >> static_cast<unsigned>(8 * r + c) & 1U) == 1U, means(r, c) < means(r, c + 1));
        const auto small = areaMeans(picture.view(), 32, 32);
        std::vector<double> coefficients;
        for (int k = 0; k < 8; ++k)
            for (int l = 0; l < 8; ++l) {
                double sum = 0;
                for (int y = 0; y < 32; ++y)
                    for (int x = 0; x < 32; ++x)
                        sum += small(y, x) * std::cos(std::numbers::pi * k * (2 * y + 1) / 64) * std::cos(std::numbers::pi * l * (2 * x + 1) / 64);
                coefficients.push_back(sum);
            }
        std::vector<double> sorted(coefficients.begin() + 1, coefficients.end());
        std::ranges::sort(sorted);
        for (std::size_t i = 0; i < 64; ++i)
            QCOMPARE((cosine >> i & 1U) == 1U, coefficients[i] > sorted[31]);
        QCOMPARE(std::popcount(cosine), coefficients[0] > sorted[31] ? 32 : 31);
        auto brighter = picture; // a hash of differences does not see it
        for (float& value : brighter.values())
            value = 1.1f * value + 7;
        QVERIFY(hammingDistance(difference, differenceHash(brighter.view())) == 0);
        QVERIFY(hammingDistance(cosine, cosineHash(brighter.view())) <= 2);
    }

    /// NumPy's bits (tests/golden/make_reuse_hash_golden.py), which no rounding decides.
    void hashesAreNumPys_data()
    {
        QTest::addColumn<QString>("name");
        for (const char* name : {"noise", "odd", "small", "narrow", "waves"})
            QTest::newRow(name) << name;
    }
    void hashesAreNumPys()
    {
        QFETCH(QString, name);
        const auto archive = io::NpzArchive::open(TAMIS_SOURCE_DIR "/tests/golden/reuse_hash_golden.npz");
        const auto array = archive->read(name.toStdString());
        Matrix<float> picture(array.shape[0], array.shape[1]);
        std::ranges::copy(array.toFloats(), picture.values().begin());
        const auto bits = [&](const char* kind) {
            const auto halves = archive->read(name.toStdString() + kind).toDoubles();
            return static_cast<std::uint64_t>(halves[0]) | static_cast<std::uint64_t>(halves[1]) << 32U;
        };
        QCOMPARE(differenceHash(picture.view()), bits(".dhash"));
        if (name != "small")
            QCOMPARE(cosineHash(picture.view()), bits(".phash"));
    }

    /// Every share that a mean takes of a pixel, counted by plain loops over whole numbers.
    void areasAreCounted()
    {
        for (const auto& [rows, cols] : {std::pair{64, 72}, {37, 53}, {4, 4}, {16, 5}})
            for (const auto& [down, across] : {std::pair{8, 9}, {32, 32}}) {
                double count = 0;
                for (int c = 0; c < across; ++c)
                    for (int x = 0; x < cols; ++x)
                        count += x * across < (c + 1) * cols && (x + 1) * across > c * cols ? rows : 0;
                for (int r = 0; r < down; ++r)
                    for (int y = 0; y < rows; ++y)
                        count += y * down < (r + 1) * rows && (y + 1) * down > r * rows ? across : 0;
                QCOMPARE(areaMeansMacs(rows, cols, down, across), count);
            }
        QCOMPARE(differenceHashMacs(64, 72), 64 * 72 + 64 * 9 + 64.0); // whole pixels: each in one mean
        QCOMPARE(cosineHashMacs(64, 64), 64 * 64 + 64 * 32 + (32 + 8) * 8 * 32 + 63 + 64.0);
    }

    /// 1200 features: an eigen-problem of some seconds.
    void axesStopSoon()
    {
        const auto rows = noise(64, 1200, 7);
        std::stop_source source;
        test::StopClock clock;
        std::jthread asks([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
            clock.ask(source);
        });
        try {
            const PrincipalAxes axes(rows.view(), 8, RunContext(source.get_token()));
            asks.join();
            QFAIL("went on to the end");
        } catch (const Error& error) {
            asks.join();
            QCOMPARE(error.code(), ErrorCode::Cancelled);
            QVERIFY2(clock.seconds() < test::kSoonSeconds, qPrintable(QString::number(clock.seconds())));
        }
    }

    /// Neighbouring frames are near, the two shots are not.
    void framesAreNearTheirNeighbours()
    {
        const auto& frames = test::motion();
        const auto hash = [&](std::size_t i) { return differenceHash(greyOf(frames.frames[i].image, frames.preprocess).view()); };
        QCOMPARE(hammingDistance(hash(13), hash(14)), 0);
        QVERIFY(hammingDistance(hash(2), hash(3)) < 16);
        QVERIFY(hammingDistance(hash(29), hash(30)) > 16);
    }

    void principalAxesHoldTheVariance()
    {
        std::mt19937 random(3);
        std::normal_distribution<float> normal;
        Matrix<float> rows(200, 12); // two strong directions and little else
        for (std::int64_t i = 0; i < 200; ++i) {
            const float a = 10 * normal(random), b = 5 * normal(random);
            for (std::int64_t j = 0; j < 12; ++j)
                rows(i, j) = 3 + a * (j % 2 == 0 ? 1.0f : -1.0f) + b * (j < 6 ? 1.0f : -1.0f) + 0.1f * normal(random);
        }
        const PrincipalAxes axes(rows.view(), 2);
        QCOMPARE(axes.components(), std::int64_t{2});
        double kept = 0, all = 0;
        std::vector<double> mean(12);
        for (std::int64_t i = 0; i < 200; ++i)
            for (std::int64_t j = 0; j < 12; ++j)
                mean[static_cast<std::size_t>(j)] += static_cast<double>(rows(i, j)) / 200;
        std::vector<float> point(2);
        for (std::int64_t i = 0; i < 200; ++i) {
            axes.project(rows.view().row(i), point);
            kept += std::pow(static_cast<double>(point[0]), 2) + std::pow(static_cast<double>(point[1]), 2);
            for (std::int64_t j = 0; j < 12; ++j)
                all += std::pow(static_cast<double>(rows(i, j)) - mean[static_cast<std::size_t>(j)], 2);
        }
        QVERIFY(kept / all > 0.99 && kept <= all * (1 + 1e-5));
    }

    /// The chance that a hyperplane parts two vectors is their angle over pi (Charikar 2002): of 4000 of them within four standard deviations.
    void hyperplanesPartByAngle()
    {
        const Hyperplanes planes(100, 40, 6, 9);
        const float angle = 0.7f;
        const std::vector<float> a{1, 0, 0, 0, 0, 0}, b{std::cos(angle), std::sin(angle), 0, 0, 0, 0};
        const auto first = planes.keys(a), second = planes.keys(b);
        QCOMPARE(first.size(), std::size_t{100});
        int parted = 0;
        for (std::size_t i = 0; i < first.size(); ++i)
            parted += std::popcount(first[i] ^ second[i]);
        const double share = static_cast<double>(angle) / std::numbers::pi;
        QVERIFY(std::abs(parted - 4000 * share) < 4 * std::sqrt(4000 * share * (1 - share)));
        QCOMPARE(planes.keys(a), Hyperplanes(100, 40, 6, 9).keys(a));
        QVERIFY(planes.keys(a) != Hyperplanes(100, 40, 6, 10).keys(a));
    }

    void indexesAreWhatALoopFinds()
    {
        std::mt19937_64 random(4);
        HammingIndex hamming(50);
        TableIndex tables(2);
        std::vector<std::uint64_t> keys(50);
        std::vector<std::vector<std::uint64_t>> pairs(50);
        for (std::size_t round = 0; round < 200; ++round) {
            const std::size_t slot = round < 50 ? round : random() % 50;
            keys[slot] = random() & 0xFF;
            pairs[slot] = {random() % 5, random() % 5};
            hamming.put(slot, keys[slot]);
            tables.put(slot, pairs[slot]);
            if (round < 50)
                continue;
            const std::uint64_t key = random() & 0xFF;
            for (const int radius : {0, 1, 2}) {
                std::optional<std::size_t> best;
                for (std::size_t i = 0; i < 50; ++i)
                    if (const int distance = std::popcount(key ^ keys[i]); distance <= radius && (!best || distance < std::popcount(key ^ keys[*best])))
                        best = i;
                QVERIFY(hamming.find(key, radius) == best);
            }
            const std::vector<std::uint64_t> wanted{random() % 5, random() % 5};
            std::vector<std::size_t> expected;
            for (std::size_t i = 0; i < 50; ++i)
                if (pairs[i][0] == wanted[0] || pairs[i][1] == wanted[1])
                    expected.push_back(i);
            QVERIFY(tables.candidates(wanted) == expected);
        }
    }

    void theLeastRecentLeaves()
    {
        RecentEntries recent(4);
        std::list<std::size_t> newest; // a plain list, newest first
        std::mt19937 random(6);
        for (int step = 0; step < 500; ++step) {
            if (newest.size() < 4 || random() % 3 == 0) {
                const std::size_t slot = recent.take();
                QCOMPARE(slot, newest.size() < 4 ? newest.size() : newest.back());
                newest.remove(slot);
                newest.push_front(slot);
            } else {
                const std::size_t slot = random() % 4;
                recent.use(slot);
                newest.remove(slot);
                newest.push_front(slot);
            }
        }
        RecentEntries one(1);
        for (int step = 0; step < 3; ++step) {
            QCOMPARE(one.take(), std::size_t{0});
            one.use(0);
        }
    }
};

QTEST_GUILESS_MAIN(TstContentKeys)
#include "tst_content_keys.moc"
