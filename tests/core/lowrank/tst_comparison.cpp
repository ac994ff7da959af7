// SPDX-License-Identifier: GPL-3.0-or-later
// One protocol for all rows: order, baselines, failures, partial results; rounding to nearest against an exhaustive search.
#include "core/base/error.h"
#include "core/lowrank/comparison.h"
#include "core/lowrank/round_to_nearest.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <random>

using namespace tamis;

namespace {
const std::filesystem::path kDatasets = TAMIS_SOURCE_DIR "/datasets";

/// Smooth pictures with noise, a function of the index.
class Pictures final : public measure::SampleSource {
public:
    std::size_t count() const noexcept override { return 6; }
    std::string name(std::size_t index) const override { return "picture " + std::to_string(index); }
    void load(std::size_t index, measure::LoadedSample& sample) const override
    {
        std::mt19937 random(static_cast<unsigned>(index));
        std::normal_distribution<float> noise(0, 0.3f);
        sample = {};
        sample.image.resize(3 * 64 * 64);
        for (std::size_t i = 0; i < sample.image.size(); ++i)
            sample.image[i] = static_cast<float>(std::sin(double(i % 64) / (3.0 + double(index)) + double(i / 640))) + noise(random);
    }
    std::string description() const override { return "6 made pictures"; }
    std::string sha256(const RunContext&) const override { return "-"; }
};

lowrank::Inputs vit20()
{
    lowrank::Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(kDatasets / "vit20");
    inputs.model = nn::Model::load(*inputs.checkpoint);
    inputs.calibration = io::CalibrationSet::open(kDatasets / "vit20" / "calibration.h5");
    return inputs;
}

lowrank::ComparisonEntry rounding(int bits)
{
    lowrank::ComparisonEntry entry;
    entry.label = std::to_string(bits) + " bit";
    entry.method = "round-to-nearest";
    entry.bits = bits;
    return entry;
}
} // namespace

class TestComparison : public QObject {
    Q_OBJECT
private slots:
    /// Every weight goes to the nearest of the 2^bits - 1 levels k scale, by trying them all; the scale is the row's largest
    /// magnitude over the largest code, in float16 (relative rounding 2^-11).
    void roundsToTheNearestLevel_data()
    {
        QTest::addColumn<int>("bits");
        QTest::newRow("8") << 8;
        QTest::newRow("4") << 4;
    }
    void roundsToTheNearestLevel()
    {
        QFETCH(int, bits);
        std::mt19937 random(3);
        std::normal_distribution<double> normal;
        tensor::Matrix<double> w(5, 33);
        for (double& value : w.values())
            value = normal(random);
        for (std::int64_t j = 0; j < w.cols(); ++j)
            w(3, j) = 0; // a row of zeros stays one
        const auto q = lowrank::roundToNearest(w, bits);
        const int top = (1 << (bits - 1)) - 1;
        for (std::int64_t i = 0; i < w.rows(); ++i) {
            double largest = 0, smallestStep = 0;
            for (std::int64_t j = 0; j < w.cols(); ++j) {
                largest = std::max(largest, std::abs(w(i, j)));
                smallestStep = std::max(smallestStep, std::abs(q(i, j)));
            }
            const double scale = smallestStep / top; // the largest magnitude has the largest code
            QVERIFY(std::abs(scale - largest / top) <= largest / top * 0x1p-11);
            for (std::int64_t j = 0; j < w.cols(); ++j) {
                double best = std::abs(w(i, j));
                for (int code = -top; code <= top; ++code)
                    best = std::min(best, std::abs(w(i, j) - code * scale));
                QVERIFY(std::abs(std::abs(w(i, j) - q(i, j)) - best) <= 1e-15);
            }
        }
        QCOMPARE(lowrank::roundToNearestBytes(5, 33, bits), std::uint64_t(bits == 8 ? 5 * 33 + 10 : 5 * 17 + 10));
    }

    void rowsComeInOrderAndAFailureStopsNoOther()
    {
        const auto inputs = vit20();
        lowrank::ComparisonEntry unknown;
        unknown.label = unknown.method = "lowrank.unknown";
        std::vector<std::size_t> sizes;
        const auto comparison = lowrank::compareMethods(inputs, Pictures{}, {rounding(8), unknown, rounding(4)}, {.latencyRuns = 0}, {},
                                                        [&](const report::MethodComparison& soFar) { sizes.push_back(soFar.rows.size()); });
        QCOMPARE(sizes, (std::vector<std::size_t>{1, 2, 3, 4}));
        QCOMPARE(comparison.planned, std::size_t(4));
        QCOMPARE(comparison.rows[0].method, std::string("dense"));
        QVERIFY(comparison.rows[2].failure.find("lowrank.unknown") != std::string::npos);
        const auto& eight = comparison.rows[1];
        const auto& four = comparison.rows[3];
        QVERIFY(eight.failure.empty() && four.failure.empty());
        // 16 times coarser levels: the output moves further, at half the bytes of the codes.
        QVERIFY(eight.fidelity.kl.mean < four.fidelity.kl.mean && eight.relativeLoss * 16 < four.relativeLoss);
        QVERIFY(four.cost.bytes < eight.cost.bytes && eight.cost.bytes < comparison.rows[0].cost.bytes);
        QCOMPARE(four.layers.size(), std::size_t(6));
        QCOMPARE(comparison.samples, std::string("6 made pictures"));
    }

    void cancelKeepsWhatIsThere()
    {
        const auto inputs = vit20();
        std::stop_source stop;
        std::size_t seen = 0;
        try {
            lowrank::compareMethods(inputs, Pictures{}, {rounding(8), rounding(4)}, {.latencyRuns = 0}, RunContext(stop.get_token()), [&](const report::MethodComparison& soFar) {
                seen = soFar.rows.size();
                if (seen == 2)
                    stop.request_stop();
            });
            QFAIL("a cancelled comparison went on");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
        }
        QCOMPARE(seen, std::size_t(2));
    }
};

QTEST_GUILESS_MAIN(TestComparison)
#include "tst_comparison.moc"
