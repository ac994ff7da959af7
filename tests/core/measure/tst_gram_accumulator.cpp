// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/measure/gram_accumulator.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/linalg/matrices.h"

#include <cmath>
#include <limits>

using namespace tamis;
using measure::GramAccumulator;
using tensor::Matrix;

namespace {
/// Samples of different lengths, one of them longer than an inner block of the update.
std::vector<Matrix<float>> someSamples(std::int64_t features)
{
    std::vector<Matrix<float>> samples;
    std::uint64_t seed = 1;
    for (const std::int64_t tokens : {17, 1, 400, 257, 3})
        samples.push_back(test::gaussianFloat(tokens, features, seed++));
    return samples;
}

io::CalibrationSite accumulated(const std::vector<Matrix<float>>& samples)
{
    GramAccumulator sums("layer", samples.front().cols());
    for (const auto& sample : samples)
        sums.add(sample.view(), std::vector<std::int64_t>{0}, "sample", {});
    return sums.site();
}

ErrorCode codeOf(const std::function<void()>& call, std::string* text = nullptr)
{
    try {
        call();
    } catch (const Error& error) {
        if (text)
            *text = error.what();
        return error.code();
    }
    return ErrorCode::LimitExceeded; // never thrown here
}
} // namespace

class TstGramAccumulator : public QObject
{
    Q_OBJECT
private slots:
    void sumsAgreeWithThreeLoops_data()
    {
        QTest::addColumn<int>("features");
        for (const int features : {1, 7, 128, 200})
            QTest::addRow("%d features", features) << features;
    }
    void sumsAgreeWithThreeLoops()
    {
        QFETCH(int, features);
        const auto samples = someSamples(features);
        const auto site = accumulated(samples);
        std::vector<long double> mean(static_cast<std::size_t>(features));
        Matrix<double> gram(features, features);
        std::uint64_t count = 0;
        for (const auto& sample : samples) {
            count += static_cast<std::uint64_t>(sample.rows());
            for (std::int64_t t = 0; t < sample.rows(); ++t)
                for (std::int64_t i = 0; i < features; ++i) {
                    mean[static_cast<std::size_t>(i)] += static_cast<long double>(sample(t, i));
                    for (std::int64_t j = 0; j < features; ++j)
                        gram(i, j) += static_cast<double>(sample(t, i)) * static_cast<double>(sample(t, j));
                }
        }
        QCOMPARE(site.count, count);
        // Products are exact: what differs is the order of 678 additions of size 1, 678 * 2^-53 of a sum of at most about 1,000.
        QVERIFY(test::maxAbs(test::difference(site.gram, gram)) < 1e-10);
        for (std::size_t i = 0; i < mean.size(); ++i)
            QVERIFY(std::abs(site.mean[i] - static_cast<double>(mean[i] / static_cast<long double>(count))) < 1e-13);
        for (std::int64_t i = 0; i < features; ++i)
            for (std::int64_t j = 0; j < i; ++j)
                QCOMPARE(site.gram(i, j), site.gram(j, i));
    }

    void threadsDoNotMatter()
    {
        const auto samples = someSamples(300);
        const auto all = accumulated(samples);
        const ThreadLimit one(1);
        const auto single = accumulated(samples);
        QVERIFY(all.gram == single.gram);
        QVERIFY(all.mean == single.mean);
    }

    void interruptedSumsContinueBitForBit()
    {
        const auto samples = someSamples(64);
        GramAccumulator first("layer", 64), second("layer", 64);
        for (std::size_t i = 0; i < 2; ++i)
            first.add(samples[i].view(), std::vector<std::int64_t>{0}, "sample", {});
        first.addHeldOut(samples[1].view(), std::vector<std::int64_t>{0}, "sample");
        second.restore(first.state());
        for (std::size_t i = 2; i < samples.size(); ++i)
            second.add(samples[i].view(), std::vector<std::int64_t>{0}, "sample", {});
        const auto whole = accumulated(samples), resumed = second.site();
        QVERIFY(whole.gram == resumed.gram && whole.mean == resumed.mean && whole.samples == resumed.samples);
        QCOMPARE(resumed.heldOut.rows(), 1);
    }

    void keepsTheRowsAskedFor()
    {
        const auto rows = test::gaussianFloat(9, 5, 3), others = test::gaussianFloat(4, 5, 4);
        GramAccumulator sums("layer", 5);
        sums.add(rows.view(), std::vector<std::int64_t>{2, 8}, "a", {});
        sums.addHeldOut(others.view(), std::vector<std::int64_t>{3}, "b");
        const auto site = sums.site();
        QCOMPARE(site.count, 9u);
        QCOMPARE(site.samples.rows(), 2);
        QCOMPARE(site.heldOut.rows(), 1);
        for (std::int64_t j = 0; j < 5; ++j) {
            QCOMPARE(site.samples(0, j), rows(2, j));
            QCOMPARE(site.samples(1, j), rows(8, j));
            QCOMPARE(site.heldOut(0, j), others(3, j));
        }
    }

    void stridedRows()
    {
        const auto wide = test::gaussianFloat(40, 12, 5);
        Matrix<float> narrow(40, 7);
        for (std::int64_t i = 0; i < 40; ++i)
            for (std::int64_t j = 0; j < 7; ++j)
                narrow(i, j) = wide(i, j + 3);
        GramAccumulator strided("layer", 7), dense("layer", 7);
        strided.add({wide.data() + 3, 40, 7, 12}, {}, "s", {});
        dense.add(narrow.view(), {}, "s", {});
        QVERIFY(strided.site().gram == dense.site().gram);
    }

    void nonFiniteInputIsNamed_data()
    {
        QTest::addColumn<float>("value");
        QTest::addColumn<QString>("word");
        QTest::newRow("NaN") << std::numeric_limits<float>::quiet_NaN() << "NaN";
        QTest::newRow("infinity") << -std::numeric_limits<float>::infinity() << "infinity";
    }
    void nonFiniteInputIsNamed()
    {
        QFETCH(float, value);
        QFETCH(QString, word);
        auto rows = test::gaussianFloat(6, 4, 1);
        rows(5, 2) = value;
        GramAccumulator sums("blocks.3.mlp.fc1", 4);
        std::string text;
        QCOMPARE(codeOf([&] { sums.add(rows.view(), {}, "dog.jpg", {}); }, &text), ErrorCode::NonFinite);
        QCOMPARE(QString::fromStdString(text), "dog.jpg: the input of 'blocks.3.mlp.fc1' holds " + word
                                                   + " at token 5, feature 2, expected finite numbers");
        GramAccumulator heldOut("layer", 4);
        heldOut.addHeldOut(rows.view(), std::vector<std::int64_t>{4}, "dog.jpg");
        QCOMPARE(codeOf([&] { heldOut.addHeldOut(rows.view(), std::vector<std::int64_t>{5}, "dog.jpg"); }), ErrorCode::NonFinite);
    }

    void refusals()
    {
        GramAccumulator sums("layer", 4);
        QCOMPARE(codeOf([&] { sums.site(); }), ErrorCode::InvalidParameter);
        const auto rows = test::gaussianFloat(6, 5, 1);
        QCOMPARE(codeOf([&] { sums.add(rows.view(), {}, "s", {}); }), ErrorCode::InvalidParameter);
        auto state = sums.state();
        state.sum.resize(3);
        QCOMPARE(codeOf([&] { sums.restore(state); }), ErrorCode::MalformedFile);
        state = sums.state();
        state.samples.resize(6);
        QCOMPARE(codeOf([&] { sums.restore(state); }), ErrorCode::MalformedFile);
    }

    void stops()
    {
        std::stop_source stop;
        stop.request_stop();
        GramAccumulator sums("layer", 8);
        const auto rows = test::gaussianFloat(6, 8, 1);
        QCOMPARE(codeOf([&] { sums.add(rows.view(), {}, "s", RunContext(stop.get_token())); }), ErrorCode::Cancelled);
    }
};

TAMIS_BLAS_TEST_MAIN(TstGramAccumulator)
#include "tst_gram_accumulator.moc"
