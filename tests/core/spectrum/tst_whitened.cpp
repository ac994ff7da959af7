// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/spectrum/small_workspace.h"

#include <algorithm>
#include <cmath>
#include <random>

using namespace tamis;
using spectrum::Factors;
using tensor::Matrix;

namespace {
const spectrum::Method& whitened() { return *spectrum::findMethod("spectrum.whitened"); }

Parameters settings(double ridge, const std::string& form = "auto", const std::string& statistics = "gram")
{
    Parameters p;
    p.set("ridge", ridge);
    p.set("form", form);
    p.set("statistics", statistics);
    return p;
}

/// Tokens with a decaying spectrum, as activations have.
Matrix<double> activations(std::int64_t tokens, std::int64_t n, std::uint64_t seed)
{
    Matrix<double> x = test::multiply(test::gaussian(tokens, n, seed), test::orthonormalRows(n, n, seed + 1));
    const Matrix<double> scale = test::orthonormalRows(n, n, 99);
    Matrix<double> stretched(n, n);
    for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t j = 0; j < n; ++j)
            stretched(i, j) = scale(i, j) * std::pow(static_cast<double>(i + 1), -0.6);
    return test::multiply(x, stretched);
}

test::SmallWorkspace workspace(std::int64_t m, std::int64_t n, std::int64_t tokens)
{
    return test::SmallWorkspace({{"layer", test::gaussian(m, n, 1)}},
                                {test::makeSite("layer", activations(tokens, n, 2), std::min<std::int64_t>(tokens, 20), activations(30, n, 7))});
}
} // namespace

class TstWhitened : public QObject
{
    Q_OBJECT
private slots:
    void lossIsTheErrorOnTheVeryRows_data()
    {
        QTest::addColumn<double>("ridge");
        QTest::newRow("no ridge") << 0.0;
        QTest::newRow("ridge") << 1e-2;
    }
    /// Every site of the bundled model: predicted loss against |W X - B A X|^2 computed from the factors.
    void lossIsTheErrorOnTheVeryRows()
    {
        QFETCH(double, ridge);
        const spectrum::Inputs inputs{io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20"),
                                      io::CalibrationSet::open(TAMIS_SOURCE_DIR "/datasets/vit20/calibration.h5"), {}};
        const Parameters p = settings(ridge, "auto", "samples");
        const report::SpectrumReport report = whitened().run(inputs, p, {});
        int sites = 0;
        for (const report::MatrixSpectrum& matrix : report.matrices) {
            if (matrix.singularValues.empty()) {
                QVERIFY(!inputs.calibration->features(matrix.name));
                QVERIFY(!matrix.warnings.empty());
                continue;
            }
            ++sites;
            const io::CalibrationSite site = inputs.calibration->read(matrix.name);
            const Matrix<double> rows = test::toDoubles(site.samples), held = test::toDoubles(site.heldOut);
            const auto& layout = inputs.checkpoint->layout().matrices;
            const auto ref = std::ranges::find(layout, matrix.name, &io::MatrixRef::name);
            const Matrix<double> w = inputs.checkpoint->readMatrixDouble(*ref);
            const auto p0 = static_cast<std::int64_t>(matrix.singularValues.size());
            QCOMPARE(p0, std::min(matrix.rows, matrix.cols));
            QCOMPARE(matrix.tokens, matrix.sampleTokens);
            QCOMPARE(matrix.loss.back(), 0.0);
            for (const std::int64_t r : {std::int64_t{0}, std::int64_t{1}, p0 / 4, p0 / 2, p0 - 3, p0}) {
                const Factors f = whitened().factors(inputs, matrix.name, r, p, {});
                const auto at = static_cast<std::size_t>(r);
                // Rounding of W X in double: some n eps of the whole.
                const double tolerance = 1e-11;
                const Matrix<double> ba = linalg::product(f.b.view(), f.a.view());
                const Matrix<double> residual = test::difference(w, ba);
                const auto on = [&](const Matrix<double>& x) {
                    return test::sumOfSquares(linalg::product(linalg::Op::None, linalg::Op::Transpose, residual.view(), x.view()));
                };
                QVERIFY(std::abs(matrix.loss[at] - on(rows)) <= tolerance * matrix.loss[0]);
                QVERIFY(std::abs(matrix.sampleLoss[at] - matrix.loss[at]) <= tolerance * matrix.loss[0]);
                QVERIFY(std::abs(matrix.heldOutLoss[at] - on(held)) <= tolerance * matrix.heldOutLoss[0]);
            }
        }
        QVERIFY(sites >= 24);
    }
    void threeFormsAgree_data()
    {
        QTest::addColumn<int>("m");
        QTest::addColumn<int>("n");
        for (const auto& [m, n] : std::vector<std::pair<int, int>>{{24, 60}, {60, 24}, {40, 40}, {1, 30}, {30, 1}})
            QTest::addRow("%d x %d", m, n) << m << n;
    }
    void threeFormsAgree()
    {
        QFETCH(int, m);
        QFETCH(int, n);
        const auto small = workspace(m, n, 500);
        for (const double ridge : {0.0, 1e-3}) {
            const auto reference = whitened().run(small.inputs(), settings(ridge), {}).matrices[0];
            QVERIFY(reference.warnings.empty());
            for (const char* form : {"output", "cholesky", "eigen"}) {
                const auto other = whitened().run(small.inputs(), settings(ridge, form), {}).matrices[0];
                QVERIFY(other.warnings.empty());
                for (std::size_t i = 0; i < reference.singularValues.size(); ++i)
                    QVERIFY(std::abs(other.singularValues[i] - reference.singularValues[i]) <= 1e-8 * reference.singularValues[0]);
                for (std::size_t r = 0; r < reference.loss.size(); ++r) {
                    QVERIFY(std::abs(other.loss[r] - reference.loss[r]) <= 1e-8 * reference.loss[0]);
                    QVERIFY(std::abs(other.heldOutLoss[r] - reference.heldOutLoss[r]) <= 1e-8 * reference.heldOutLoss[0]);
                }
            }
        }
    }
    void lossIsTheTailOfTheSquaredSingularValues()
    {
        const auto small = workspace(24, 60, 500);
        const auto matrix = whitened().run(small.inputs(), settings(0), {}).matrices[0];
        double tail = 0;
        for (std::size_t r = matrix.singularValues.size(); r-- > 0;) {
            tail += matrix.singularValues[r] * matrix.singularValues[r];
            QVERIFY(std::abs(tail - matrix.loss[r]) <= 1e-12 * matrix.loss[0]);
        }
        QVERIFY(std::abs(matrix.stableRank - matrix.loss[0] / std::pow(matrix.singularValues[0], 2)) < 1e-9);
    }
    void theBaselineIsWhatThePlainSvdLoses_data()
    {
        QTest::addColumn<int>("m");
        QTest::newRow("wide") << 20;
        QTest::newRow("tall") << 45;
    }
    void theBaselineIsWhatThePlainSvdLoses()
    {
        QFETCH(int, m);
        const std::int64_t n = 30;
        const Matrix<double> x = activations(200, n, 2), w = test::gaussian(m, n, 1);
        const auto small = workspace(m, n, 200);
        const Matrix<double> rows = test::toDoubles(test::toFloat(x));
        const auto matrix = whitened().run(small.inputs(), settings(0), {}).matrices[0];
        QCOMPARE(matrix.baselineLoss.size(), matrix.loss.size());
        for (const std::int64_t r : {1, 5, 12, 19}) {
            const Factors plain = spectrum::findMethod("spectrum.plain")->factors(small.inputs(), "layer", r, {}, {});
            const double direct = test::lossByDefinition(w, plain, &rows);
            const double said = matrix.baselineLoss[static_cast<std::size_t>(r)];
            QVERIFY(std::abs(said - direct) < 1e-9 * matrix.loss[0]); // two double decompositions of a well-conditioned W
            QVERIFY(said >= matrix.loss[static_cast<std::size_t>(r)]);
        }
        Parameters without = settings(0);
        without.set("baseline", false);
        QVERIFY(whitened().run(small.inputs(), without, {}).matrices[0].baselineLoss.empty());
    }
    void nothingOfThatRankIsBetter()
    {
        const std::int64_t m = 20, n = 30, r = 6;
        const Matrix<double> x = activations(200, n, 2), w = test::gaussian(m, n, 1);
        const auto small = workspace(m, n, 200);
        const Matrix<double> rows = test::toDoubles(test::toFloat(x));
        const double optimum = whitened().run(small.inputs(), settings(0), {}).matrices[0].loss[r];
        const Factors best = whitened().factors(small.inputs(), "layer", r, settings(0), {});
        QVERIFY(std::abs(test::lossByDefinition(w, best, &rows) - optimum) < 1e-10 * optimum);
        const Factors plain = spectrum::findMethod("spectrum.plain")->factors(small.inputs(), "layer", r, {}, {});
        QVERIFY(test::lossByDefinition(w, plain, &rows) > 1.01 * optimum);
        for (std::uint64_t seed = 1; seed <= 40; ++seed) {
            Factors other = best; // near it and far from it
            const double size = seed <= 20 ? 1e-3 : 1.0;
            const Matrix<double> db = test::gaussian(m, r, seed), da = test::gaussian(r, n, seed + 100);
            for (std::size_t i = 0; i < db.size(); ++i)
                other.b.data()[i] += size * db.data()[i];
            for (std::size_t i = 0; i < da.size(); ++i)
                other.a.data()[i] += size * da.data()[i];
            QVERIFY(test::lossByDefinition(w, other, &rows) >= optimum);
            const Matrix<double> u = test::orthonormalRows(r, m, seed); // some other projection of the outputs
            const Factors projected{test::transposed(u), test::multiply(u, w)};
            QVERIFY(test::lossByDefinition(w, projected, &rows) >= optimum);
        }
    }
    void factorsHaveAnOrthonormalSide()
    {
        for (const auto& [m, n] : std::vector<std::pair<int, int>>{{20, 50}, {50, 20}}) {
            const auto small = workspace(m, n, 300);
            const Factors f = whitened().factors(small.inputs(), "layer", 11, settings(0), {});
            QVERIFY(test::maxAbs(test::difference(test::multiply(test::transposed(f.b), f.b), test::identity(11))) < 1e-12);
        }
    }
    void theRidgeRaisesTheCalibrationLossAndIsNotCountedInIt()
    {
        const auto small = workspace(24, 60, 500);
        const auto none = whitened().run(small.inputs(), settings(0), {}).matrices[0];
        const auto some = whitened().run(small.inputs(), settings(0.3), {}).matrices[0];
        QCOMPARE(some.ridge > 0, true);
        QVERIFY(std::abs(some.loss[0] - none.loss[0]) < 1e-12 * none.loss[0]);
        bool higher = false;
        for (std::size_t r = 0; r < none.loss.size(); ++r) {
            QVERIFY(some.loss[r] >= none.loss[r] - 1e-12 * none.loss[0]);
            higher = higher || some.loss[r] > none.loss[r] * 1.001;
        }
        QVERIFY(higher);
        QVERIFY(some.singularValues[0] > none.singularValues[0]);
    }
    void fewTokensAreReportedAndARidgeHelpsTheHeldOutLoss()
    {
        const std::int64_t m = 40, n = 60;
        const auto small = workspace(m, n, 15);
        const auto none = whitened().run(small.inputs(), settings(0), {}).matrices[0];
        QCOMPARE(none.calibrationRank, std::int64_t{15});
        QVERIFY(none.calibrationCondition > 1e12);
        QVERIFY(std::ranges::any_of(none.warnings, [](const std::string& text) { return text.find("ridge") != std::string::npos; }));
        QVERIFY(none.loss[15] < 1e-9 * none.loss[0]); // 15 directions explain 15 tokens
        const auto some = whitened().run(small.inputs(), settings(1e-2), {}).matrices[0];
        QVERIFY(some.heldOutLoss[10] < none.heldOutLoss[10]);
        for (const char* form : {"cholesky", "eigen"}) {
            const auto other = whitened().run(small.inputs(), settings(0, form), {}).matrices[0];
            for (std::size_t r = 0; r < none.loss.size(); ++r)
                QVERIFY(std::abs(other.loss[r] - none.loss[r]) <= 1e-8 * none.loss[0]);
        }
        // unseen directions are ordered by the weight's own energy: beyond the calibration's rank the pair still converges to W
        const Matrix<double> w = test::gaussian(m, n, 1);
        double previous = test::sumOfSquares(w);
        for (const std::int64_t r : {15, 20, 30, 39, 40}) {
            const double left = test::lossByDefinition(w, whitened().factors(small.inputs(), "layer", r, settings(0), {}));
            QVERIFY(left < previous);
            previous = left;
        }
        QVERIFY(previous < 1e-20 * test::sumOfSquares(w));
    }
    void choleskySaysWhenItGivesWay()
    {
        // Two identical features that dominate: the second pivot is the tie-break (1e-12 of the mean diagonal), while the
        // rounding of the statistics is n eps of a diagonal entry that is 100 times the mean.
        const std::int64_t n = 200;
        Matrix<double> x = test::gaussian(300, n, 4);
        for (std::int64_t t = 0; t < x.rows(); ++t)
            x(t, 1) = x(t, 0) = 1e4 * x(t, 0);
        const test::SmallWorkspace small({{"layer", test::gaussian(10, n, 1)}}, {test::makeSite("layer", x, 5, x)});
        const auto matrix = whitened().run(small.inputs(), settings(0, "cholesky"), {}).matrices[0];
        QVERIFY(std::ranges::any_of(matrix.warnings, [](const std::string& t) { return t.starts_with("Cholesky failed"); }));
        const auto reference = whitened().run(small.inputs(), settings(0, "eigen"), {}).matrices[0];
        QVERIFY(std::ranges::none_of(reference.warnings, [](const std::string& t) { return t.starts_with("Cholesky failed"); }));
        QVERIFY(matrix.loss == reference.loss);
        const auto ridged = whitened().run(small.inputs(), settings(1e-4, "cholesky"), {}).matrices[0];
        QVERIFY(std::ranges::none_of(ridged.warnings, [](const std::string& t) { return t.starts_with("Cholesky failed"); }));
    }
    void zeroMatrixAndZeroStatistics()
    {
        const Matrix<double> x = activations(50, 12, 3);
        const test::SmallWorkspace zero({{"layer", Matrix<double>(8, 12)}}, {test::makeSite("layer", x, 5, x)});
        const auto a = whitened().run(zero.inputs(), settings(0), {}).matrices[0];
        QVERIFY(a.loss == std::vector<double>(9, 0.0));
        QVERIFY(std::isnan(a.stableRank));
        const test::SmallWorkspace silent({{"layer", test::gaussian(8, 12, 1)}}, {test::makeSite("layer", Matrix<double>(50, 12), 5, x)});
        for (const char* form : {"auto", "cholesky", "eigen"}) {
            const auto b = whitened().run(silent.inputs(), settings(0, form), {}).matrices[0];
            QVERIFY(b.loss == std::vector<double>(9, 0.0));
            QCOMPARE(b.calibrationRank, std::int64_t{0});
            QVERIFY(!b.warnings.empty());
            QVERIFY(b.heldOutLoss[0] > 0);
        }
    }
    void previewIsALowerBoundWithAnError()
    {
        const std::int64_t m = 90, n = 120;
        const auto small = workspace(m, n, 600);
        const auto exact = whitened().run(small.inputs(), settings(0), {}).matrices[0];
        Parameters p = settings(0);
        p.set("preview", true);
        p.set("preview-rank", std::int64_t{12});
        const auto preview = whitened().run(small.inputs(), p, {}).matrices[0];
        QVERIFY(preview.preview && !exact.preview);
        QCOMPARE(preview.singularValues.size(), std::size_t{12});
        QCOMPARE(preview.loss.size(), std::size_t{13});
        QVERIFY(preview.previewError * preview.singularValues[0] >= exact.singularValues[22]);
        const Matrix<double> w = test::gaussian(m, n, 1), held = test::toDoubles(test::toFloat(activations(30, n, 7)));
        for (std::size_t i = 0; i < 12; ++i)
            QVERIFY(preview.singularValues[i] <= exact.singularValues[i] * (1 + 1e-10));
        for (std::size_t r = 0; r <= 12; ++r)
            QVERIFY(preview.loss[r] >= exact.loss[r] - 1e-10 * exact.loss[0]);
        const Factors f = whitened().factors(small.inputs(), "layer", 12, p, {});
        QVERIFY(std::abs(test::lossByDefinition(w, f, &held) - preview.heldOutLoss[12]) < 1e-9 * preview.heldOutLoss[0]);
        QVERIFY_EXCEPTION_THROWN(whitened().factors(small.inputs(), "layer", 13, p, {}), Error);
    }
    void sitesThatDoNotFitAreSaid()
    {
        const Matrix<double> x = activations(50, 12, 3), y = activations(50, 9, 3);
        const test::SmallWorkspace small({{"a", test::gaussian(8, 12, 1)}, {"b", test::gaussian(8, 12, 1)}, {"c", test::gaussian(8, 12, 2)}},
                                         {test::makeSite("a", x, 5, x), test::makeSite("b", y, 5, y)});
        const auto report = whitened().run(small.inputs(), settings(0), {});
        QVERIFY(!report.matrices[0].loss.empty());
        for (const std::size_t i : {1, 2}) {
            QVERIFY(report.matrices[i].loss.empty());
            QCOMPARE(report.matrices[i].warnings.size(), std::size_t{1});
            QVERIFY_EXCEPTION_THROWN(whitened().factors(small.inputs(), report.matrices[i].name, 2, settings(0), {}), Error);
        }
        QCOMPARE(report.warnings.size(), std::size_t{1});
        spectrum::Inputs bare = small.inputs();
        bare.calibration = nullptr;
        QVERIFY_EXCEPTION_THROWN(whitened().run(bare, {}, {}), Error);
    }
};

TAMIS_BLAS_TEST_MAIN(TstWhitened)
#include "tst_whitened.moc"
