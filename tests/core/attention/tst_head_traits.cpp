// SPDX-License-Identifier: GPL-3.0-or-later
// What heads do, by NumPy's account of random maps (tests/golden/make_head_traits_golden.py) and on maps whose traits are known.
#include "core/attention/head_traits.h"
#include "core/io/npz.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <string>

using namespace tamis;
using namespace tamis::attention;

namespace {
io::NpyArray golden(const std::string& name)
{
    static const auto archive = io::NpzArchive::open(TAMIS_SOURCE_DIR "/tests/golden/head_traits_golden.npz");
    return archive->read(name);
}

tensor::Matrix<float> mapOf(const std::string& name)
{
    const io::NpyArray array = golden(name);
    tensor::Matrix<float> map(array.shape[0], array.shape[1]);
    std::ranges::copy(array.toFloats(), map.data());
    return map;
}

tensor::Matrix<float> filled(std::int64_t n, float value)
{
    tensor::Matrix<float> map(n, n);
    std::ranges::fill(map.values(), value);
    return map;
}
} // namespace

class TstHeadTraits : public QObject {
    Q_OBJECT

private slots:
    void numPyAgrees_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<std::int64_t>("prefix");
        QTest::addColumn<std::int64_t>("height");
        QTest::addColumn<std::int64_t>("width");
        QTest::addColumn<std::int64_t>("sliding");
        QTest::newRow("photo") << "photo" << std::int64_t{2} << std::int64_t{5} << std::int64_t{7} << std::int64_t{0};
        QTest::newRow("causal text") << "causal" << std::int64_t{0} << std::int64_t{0} << std::int64_t{0} << std::int64_t{0};
        QTest::newRow("sliding window") << "sliding" << std::int64_t{0} << std::int64_t{0} << std::int64_t{0} << std::int64_t{9};
    }
    void numPyAgrees()
    {
        QFETCH(QString, name);
        QFETCH(std::int64_t, prefix);
        QFETCH(std::int64_t, height);
        QFETCH(std::int64_t, width);
        QFETCH(std::int64_t, sliding);
        const auto expected = golden(name.toStdString() + "_traits").toDoubles();
        const auto map = mapOf(name.toStdString());
        const auto traits = headTraits(map.view(), {prefix, height, width, height == 0, sliding}, true);
        // Both sums are in double over the same floats: some hundred roundings.
        QVERIFY(std::abs(traits.entropy - expected[0]) < 1e-12);
        QVERIFY(std::abs(traits.evenness - expected[1]) < 1e-12);
        QVERIFY(std::abs(traits.distance - expected[2]) < 1e-11);
        QVERIFY(std::abs(traits.prefixMass - expected[3]) < 1e-12);
        // Singular values by the Gram matrix: eps (s_1 / s)^2 relative, and none below 1e-7 s_1, which adds less than 40 x 1e-7 x 16 nats.
        QVERIFY(std::abs(traits.effectiveRank / expected[4] - 1) < 1e-5);
        QCOMPARE(traits.tokens, static_cast<double>(map.rows()));
    }
    void evenMapsAreEven()
    {
        const std::int64_t n = 16;
        const auto traits = headTraits(filled(n, 1.0F / 16).view(), {0, 4, 4, false, 0}, true);
        QVERIFY(std::abs(traits.entropy - std::log(16.0)) < 1e-12 && std::abs(traits.evenness - 1) < 1e-12);
        QVERIFY(std::abs(traits.effectiveRank - 1) < 1e-9);
        double distance = 0;
        for (int a = 0; a < 16; ++a)
            for (int b = 0; b < 16; ++b)
                distance += std::hypot(a / 4 - b / 4, a % 4 - b % 4) / 256;
        QVERIFY(std::abs(traits.distance - distance) < 1e-12);
        QCOMPARE(traits.prefixMass, 0.0);
    }
    void headsThatLookAtThemselves()
    {
        tensor::Matrix<float> map(12, 12);
        for (std::int64_t i = 0; i < 12; ++i)
            map(i, i) = 1;
        const auto traits = headTraits(map.view(), {.causal = true}, true);
        QCOMPARE(traits.entropy, 0.0);
        QCOMPARE(traits.distance, 0.0);
        QVERIFY(std::abs(traits.effectiveRank - 12) < 1e-9);
        QVERIFY(std::abs(traits.prefixMass - 1.0 / 12) < 1e-15); // the first alone sees the first
        QVERIFY(std::isnan(headTraits(map.view(), {.causal = true}, false).effectiveRank));
    }
    void whatIsNotThereIsNotMeasured()
    {
        const auto one = headTraits(filled(1, 1).view(), {.causal = true}, true);
        QVERIFY(std::isnan(one.evenness)); // one key: nothing to be even over
        tensor::Matrix<float> onPrefix(5, 5);
        for (std::int64_t i = 0; i < 5; ++i)
            onPrefix(i, 0) = 1;
        const auto class1 = headTraits(onPrefix.view(), {1, 2, 2, false, 0}, true);
        QVERIFY(std::isnan(class1.distance));
        QCOMPARE(class1.prefixMass, 1.0);
    }
    void meansRun()
    {
        report::HeadTraits mean;
        addTraits(mean, {1, 0.5, 2, 0.1, 4, 10}, 0);
        addTraits(mean, {3, 0.7, 4, 0.3, 6, 20}, 1);
        addTraits(mean, {8, 0.9, 6, 0.2, 8, 30}, 2);
        QVERIFY(std::abs(mean.entropy - 4) < 1e-14 && std::abs(mean.evenness - 0.7) < 1e-14 && std::abs(mean.distance - 4) < 1e-14);
        QVERIFY(std::abs(mean.prefixMass - 0.2) < 1e-14 && std::abs(mean.effectiveRank - 6) < 1e-14 && std::abs(mean.tokens - 20) < 1e-14);
    }
};

QTEST_APPLESS_MAIN(TstHeadTraits)
#include "tst_head_traits.moc"
