// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cost/activation_statistics.h"

#include "core/base/error.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/linalg/matrices.h"

#include <cmath>
#include <random>

using namespace tamis;
using tensor::Matrix;

namespace {

/// A site whose second moment is that of its sample rows.
io::CalibrationSite siteOf(Matrix<float> rows)
{
    io::CalibrationSite site;
    site.name = "blocks.7.mlp.fc2";
    site.count = static_cast<std::uint64_t>(rows.rows());
    const auto doubles = test::toDoubles(rows);
    site.gram = test::multiply(test::transposed(doubles), doubles);
    site.mean.assign(static_cast<std::size_t>(rows.cols()), 0.0);
    site.samples = std::move(rows);
    return site;
}

bool near(double value, double expected, double tolerance) { return std::abs(value - expected) <= tolerance; }

ErrorCode refusal(const io::CalibrationSite& site, const RunContext& context = {})
{
    try {
        cost::activationStatistics(site, true, context);
    } catch (const Error& error) {
        return error.code();
    }
    return ErrorCode::IoFailure; // never thrown by it
}

} // namespace

class TstActivationStatistics : public QObject
{
    Q_OBJECT
private slots:
    void byHand()
    {
        // rows (3, 0), (-1, 0), (0, 2): squares 14 over 6 entries; features 10/3 and 4/3
        Matrix<float> rows(3, 2);
        rows(0, 0) = 3;
        rows(1, 0) = -1;
        rows(2, 1) = 2;
        const auto found = cost::activationStatistics(siteOf(rows));
        QCOMPARE(found.block, 7);
        QCOMPARE(found.tokens, std::uint64_t{3});
        QVERIFY(near(found.rms, std::sqrt(14.0 / 6), 1e-12));
        QVERIFY(near(found.meanAbsolute, 1.0, 1e-12));
        QCOMPARE(found.maximum, 3.0);
        QCOMPARE(found.outlierShare, 0.0);
        QVERIFY(near(found.topFeatureShare, 10.0 / 14, 1e-12)); // one of two features
        QCOMPARE(found.featureRms.size(), std::size_t{2});
        QVERIFY(near(found.featureRms[0], std::sqrt(10.0 / 3), 1e-6));
        // mean 4/6; fourth central moment over the squared variance, entry by entry
        double second = 0, fourth = 0;
        for (const double value : {3.0, -1.0, 0.0, 0.0, 0.0, 2.0}) {
            second += std::pow(value - 4.0 / 6, 2) / 6;
            fourth += std::pow(value - 4.0 / 6, 4) / 6;
        }
        QVERIFY(near(found.kurtosis, fourth / (second * second), 1e-12));
        // second moment diag(10, 4): entropy of (10/14, 4/14)
        const double p = 10.0 / 14;
        QVERIFY(near(found.effectiveRank, std::exp(-p * std::log(p) - (1 - p) * std::log(1 - p)), 1e-12));
    }
    void knownDistributions()
    {
        // Kurtosis of n entries scatters by sqrt(24 / n) about 3 for a Gaussian (0.011 here), by less for a uniform one about 1.8.
        const auto gaussian = cost::activationStatistics(siteOf(test::gaussianFloat(1000, 200, 5)), false);
        QVERIFY2(near(gaussian.kurtosis, 3.0, 0.055), qPrintable(QString::number(gaussian.kurtosis)));
        QVERIFY(near(gaussian.rms, 1.0, 0.01));
        QVERIFY(near(gaussian.meanAbsolute, std::sqrt(2 / M_PI), 0.01));
        QCOMPARE(gaussian.outlierShare, 0.0); // 2e-9 of a Gaussian lies beyond 6
        QCOMPARE(gaussian.effectiveRank, 0.0);
        QVERIFY(near(gaussian.topFeatureShare, 0.01, 0.003));
        std::mt19937 random(1);
        std::uniform_real_distribution<float> uniform(-1, 1);
        Matrix<float> rows(1000, 200);
        for (float& value : rows.values())
            value = uniform(random);
        QVERIFY(near(cost::activationStatistics(siteOf(rows), false).kurtosis, 1.8, 0.03));
    }
    void outliersInOneFeature()
    {
        Matrix<float> rows = test::gaussianFloat(500, 100, 9);
        for (int i = 0; i < 500; ++i)
            rows(i, 42) = i % 2 ? 100.0f : -100.0f; // rms of all: about 10.05
        const auto found = cost::activationStatistics(siteOf(rows), true);
        QCOMPARE(found.outlierShare, 0.01);
        QVERIFY(found.topFeatureShare > 0.98);
        QVERIFY(found.kurtosis > 50);
        QVERIFY(found.effectiveRank < 2);
        QCOMPARE(found.maximum, 100.0);
    }
    void effectiveRankOfKnownSpectra()
    {
        io::CalibrationSite site;
        site.name = "head";
        site.count = 10;
        site.gram = test::identity(64);
        auto found = cost::activationStatistics(site);
        QVERIFY(near(found.effectiveRank, 64, 1e-9));
        QCOMPARE(found.block, -1);
        QVERIFY(std::isnan(found.kurtosis) && std::isnan(found.maximum)); // no sample rows
        QVERIFY(near(found.rms, std::sqrt(0.1), 1e-12));
        // A = U diag(s) V^T: eigenvalues of A^T A are s^2
        const auto a = test::withSingularValues(20, 20, {4, 2, 1}, 3);
        site.gram = test::multiply(test::transposed(a), a);
        found = cost::activationStatistics(site);
        double entropy = 0;
        for (const double value : {16.0, 4.0, 1.0})
            entropy -= value / 21 * std::log(value / 21);
        QVERIFY(near(found.effectiveRank, std::exp(entropy), 1e-9));
        site.gram = Matrix<double>(8, 8);
        found = cost::activationStatistics(site);
        QCOMPARE(found.effectiveRank, 0.0);
        QCOMPARE(found.topFeatureShare, 0.0);
        QCOMPARE(found.rms, 0.0);
    }
    void refusesWhatCannotBe()
    {
        io::CalibrationSite site = siteOf(test::gaussianFloat(4, 3, 1));
        site.count = 0;
        QCOMPARE(refusal(site), ErrorCode::InvalidParameter);
        site = siteOf(test::gaussianFloat(4, 3, 1));
        site.gram = Matrix<double>(3, 2);
        QCOMPARE(refusal(site), ErrorCode::InvalidParameter);
        site = siteOf(test::gaussianFloat(4, 3, 1));
        site.samples(2, 1) = std::nanf("");
        QCOMPARE(refusal(site), ErrorCode::NonFinite);
        site = siteOf(test::gaussianFloat(4, 3, 1));
        site.gram(1, 1) = -1;
        QCOMPARE(refusal(site), ErrorCode::NonFinite);
        std::stop_source stop;
        stop.request_stop();
        QCOMPARE(refusal(siteOf(test::gaussianFloat(4, 3, 1)), RunContext(stop.get_token())), ErrorCode::Cancelled);
    }
};

TAMIS_BLAS_TEST_MAIN(TstActivationStatistics)
#include "tst_activation_statistics.moc"
