// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/spectrum/curves.h"

#include <QTest>

#include <cmath>
#include <limits>

using namespace tamis;
using namespace tamis::spectrum;

namespace {
report::MatrixSpectrum spectrumOf(std::vector<double> values)
{
    report::MatrixSpectrum s;
    s.rows = s.cols = static_cast<std::int64_t>(values.size());
    double square = 0;
    for (const double value : values)
        square += value * value;
    s.singularValues = std::move(values);
    deriveFigures(s, square);
    return s;
}
} // namespace

class TstCurves : public QObject
{
    Q_OBJECT
private slots:
    void tailSumsEndInZeroAndKeepTheSmallTerms()
    {
        const std::vector<double> sums = tailSums({1e16, 3, 2, 1});
        QVERIFY(sums == (std::vector<double>{1e16 + 6, 6, 3, 1, 0}));
        QVERIFY(tailSums({}) == std::vector<double>{0});
    }
    void remaindersNeverGoBelowZero() { QVERIFY(remainders(5, {3, 2.5}) == (std::vector<double>{5, 2, 0})); }
    void equalValuesHaveFullRankByEveryMeasure()
    {
        const report::MatrixSpectrum s = spectrumOf(std::vector<double>(20, 3.0));
        QVERIFY(std::abs(s.stableRank - 20) < 1e-12);
        QVERIFY(std::abs(s.effectiveRank - 20) < 1e-12);
        QVERIFY(std::abs(s.nuclearNorm - 60) < 1e-12);
        QCOMPARE(s.condition, 1.0);
        QVERIFY(std::isnan(s.tailExponent)); // no tail to speak of
    }
    void oneDirectionHasRankOneAndInfiniteCondition()
    {
        const report::MatrixSpectrum s = spectrumOf({2, 0, 0});
        QCOMPARE(s.stableRank, 1.0);
        QCOMPARE(s.effectiveRank, 1.0);
        QVERIFY(std::isinf(s.condition));
    }
    void zeroHasNoFigures()
    {
        const report::MatrixSpectrum s = spectrumOf({0, 0});
        QVERIFY(std::isnan(s.stableRank) && std::isnan(s.effectiveRank) && std::isnan(s.condition) && std::isnan(s.tailExponent));
        QCOMPARE(s.nuclearNorm, 0.0);
    }
    void effectiveRankOfTwoUnequalValues()
    {
        // p = 3/4, 1/4: exp(3/4 ln 4/3 + 1/4 ln 4)
        QVERIFY(std::abs(spectrumOf({3, 1}).effectiveRank - std::exp(0.75 * std::log(4.0 / 3) + 0.25 * std::log(4.0))) < 1e-14);
    }
    void hillFindsTheExponentOfAPowerLaw()
    {
        // Quantiles of a Pareto density ~ x^-a: lambda_i = (i / p)^(-1 / (a - 1)). The estimate over k order statistics has
        // a bias of order (ln k) / k, here under 0.05 for k = 1000.
        for (const double exponent : {1.5, 2.0, 4.0}) {
            std::vector<double> values;
            for (int i = 1; i <= 10000; ++i)
                values.push_back(std::sqrt(std::pow(i / 10000.0, -1.0 / (exponent - 1.0))));
            QVERIFY(std::abs(hillExponent(values) - exponent) < 0.05);
        }
        QVERIFY(std::isnan(hillExponent({5, 4, 3, 2, 1}))); // k + 1 = 6 are needed
        QVERIFY(std::isnan(hillExponent({5, 4, 3, 2, 1, 0})));
        QCOMPARE(hillCount(3), std::size_t{5});
        QCOMPARE(hillCount(128), std::size_t{13});
    }
};

QTEST_GUILESS_MAIN(TstCurves)
#include "tst_curves.moc"
