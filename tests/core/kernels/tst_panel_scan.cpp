// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/kernels/packed_matrix.h"
#include "core/kernels/panel_scan.h"
#include "core/kernels/score_scan.h"

#include <QTest>

#include <numeric>
#include <random>

using namespace tamis;
using namespace tamis::kernels;
using tensor::Matrix;

namespace {
/// Small whole numbers: many equal scores.
Matrix<float> whole(std::int64_t rows, std::int64_t cols, unsigned seed, int most)
{
    std::mt19937 random(seed);
    std::uniform_int_distribution<int> draw(-most, most);
    Matrix<float> values(rows, cols);
    for (float& value : values.values())
        value = static_cast<float>(draw(random));
    return values;
}

Matrix<float> gaussian(std::int64_t rows, std::int64_t cols, unsigned seed)
{
    std::mt19937 random(seed);
    std::normal_distribution<float> normal;
    Matrix<float> values(rows, cols);
    for (float& value : values.values())
        value = normal(random);
    return values;
}
} // namespace

class TestPanelScan : public QObject {
    Q_OBJECT
private slots:
    void isTheScan_data()
    {
        QTest::addColumn<int>("rows");
        QTest::addColumn<int>("width");
        QTest::addColumn<int>("k");
        QTest::addColumn<bool>("ties");
        QTest::newRow("one") << 1 << 1 << 1 << false;
        QTest::newRow("a panel that is not full") << 31 << 20 << 5 << false;
        QTest::newRow("a block and a bit") << 300 << 128 << 12 << false;
        QTest::newRow("blocks of equal scores") << 700 << 3 << 25 << true;
        QTest::newRow("all") << 90 << 7 << 90 << true;
    }
    /// In pieces, backwards, under names in falling order, on both instruction sets and in every precision: the scan of the rows in the order of
    /// their names, bit for bit, whatever equal scores there are.
    void isTheScan()
    {
        QFETCH(int, rows);
        QFETCH(int, width);
        QFETCH(int, k);
        QFETCH(bool, ties);
        const Matrix<float> w = ties ? whole(rows, width, 1, 1) : gaussian(rows, width, 1), x = ties ? whole(3, width, 2, 1) : gaussian(3, width, 2);
        const Matrix<float> b = ties ? whole(1, rows, 3, 1) : gaussian(1, rows, 3);
        Matrix<float> reversed(rows, width);
        std::vector<float> bias(b.values().begin(), b.values().end()), reversedBias(bias.rbegin(), bias.rend());
        std::vector<std::int32_t> names(static_cast<std::size_t>(rows));
        std::iota(names.rbegin(), names.rend(), 0);
        for (std::int64_t i = 0; i < rows; ++i)
            std::ranges::copy(w.view().row(rows - 1 - i), reversed.view().row(i).begin());
        for (const auto precision : {ScanPrecision::Float32, ScanPrecision::Bfloat16, ScanPrecision::Int8})
            for (const bool portable : {false, true}) {
                forcePortableKernels(portable);
                const ScanRows stored(w.view(), bias, precision), turned(reversed.view(), reversedBias, precision);
                const auto expected = scanTopScores(stored, x.view(), k);
                for (std::int64_t t = 0; t < 3; ++t) {
                    TopScores best(static_cast<std::size_t>(k));
                    for (std::int64_t panel = turned.panels(); panel > 0;) {
                        const std::int64_t count = std::min<std::int64_t>(panel, 3);
                        panel -= count;
                        offerPanels(turned, panel, count, x.view().row(t), names, best);
                    }
                    auto found = best.take();
                    keepBest(found, static_cast<std::size_t>(k));
                    QVERIFY(found == expected[static_cast<std::size_t>(t)]);
                }
            }
        forcePortableKernels(false);
    }
    void badRequestsAreRefused()
    {
        const Matrix<float> w = gaussian(40, 6, 1);
        const ScanRows rows(w.view(), std::vector<float>(40), ScanPrecision::Float32);
        const std::vector<float> x(6), narrow(5);
        const std::vector<std::int32_t> names(40), few(39);
        TopScores best(3);
        QVERIFY_THROWS_EXCEPTION(Error, offerPanels(rows, 0, 2, narrow, names, best));
        QVERIFY_THROWS_EXCEPTION(Error, offerPanels(rows, 0, 2, x, few, best));
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_THROWS_EXCEPTION(Error, offerPanels(rows, 0, 2, x, names, best, RunContext(stop.get_token())));
    }
};

QTEST_GUILESS_MAIN(TestPanelScan)
#include "tst_panel_scan.moc"
