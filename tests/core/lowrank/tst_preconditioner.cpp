// SPDX-License-Identifier: GPL-3.0-or-later
// The local problem under every preconditioner: the optimum by an independent SVD, losses by definition, NumPy's numbers by the
// published route with inverses, singular statistics, bad input.
#include "core/lowrank/preconditioner.h"

#include "core/base/error.h"
#include "core/io/checkpoint.h"
#include "core/linalg/whitening.h"
#include "core/lowrank/decomposition.h"
#include "tests/core/spectrum/small_workspace.h"

#include <Eigen/SVD>
#include <QFile>
#include <QTest>

#include <cmath>
#include <map>

using namespace tamis;
using namespace tamis::lowrank;
using tensor::Matrix;

namespace {
struct Shape {
    std::int64_t m, n;
};
const std::vector<Shape> kShapes{{24, 40}, {40, 24}, {30, 30}, {1, 9}, {9, 1}};

std::vector<double> someGradients(std::int64_t m)
{
    std::vector<double> squares;
    for (std::int64_t i = 0; i < m; ++i)
        squares.push_back(1.0 + static_cast<double>(37 * i % 101) / 50);
    return squares;
}

/// Correlated inputs: condition of C about 1e4.
io::CalibrationSite siteOf(std::int64_t n, std::int64_t m, std::int64_t tokens, unsigned seed)
{
    Matrix<double> x = test::multiply(test::gaussian(tokens, n, seed), test::gaussian(n, n, seed + 1));
    for (std::int64_t t = 0; t < tokens; ++t)
        for (std::int64_t j = 0; j < n; ++j)
            x(t, j) = x(t, j) * std::pow(0.9, static_cast<double>(j)) + 0.3 * std::sin(static_cast<double>(t * n + j));
    io::CalibrationSite site = test::makeSite("a", x, std::min<std::int64_t>(tokens, 20), test::gaussian(15, n, seed + 2));
    site.outputGradSq = someGradients(m);
    return site;
}

/// Sums of squared singular values of W L beyond each rank, L L^T = C by Eigen's own Cholesky, the SVD by Jacobi rotations.
std::vector<double> theoreticalMinimum(const Matrix<double>& w, const Matrix<double>& c)
{
    using Dense = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
    const Eigen::Map<const Dense> weight(w.data(), w.rows(), w.cols()), gram(c.data(), c.rows(), c.cols());
    const Dense root = Eigen::LLT<Dense>(gram).matrixL();
    const Eigen::JacobiSVD<Eigen::MatrixXd> svd(Eigen::MatrixXd(weight * root));
    std::vector<double> tails(static_cast<std::size_t>(svd.singularValues().size()) + 1, 0.0);
    for (auto i = static_cast<std::ptrdiff_t>(tails.size()) - 2; i >= 0; --i)
        tails[static_cast<std::size_t>(i)] = tails[static_cast<std::size_t>(i) + 1] + svd.singularValues()[i] * svd.singularValues()[i];
    return tails;
}

double lossUnder(const Matrix<double>& w, const Factors& f, const Matrix<double>& c)
{
    const Matrix<double> d = test::difference(w, test::multiply(f.b, f.a));
    const Matrix<double> image = test::multiply(d, c);
    double sum = 0;
    for (std::size_t i = 0; i < d.size(); ++i)
        sum += d.values()[i] * image.values()[i];
    return sum;
}

bool near(double a, double b, double tolerance) { return std::abs(a - b) <= tolerance; }

PreconditionerSettings with(Preconditioner preconditioner, double alpha = 0.5, double ridge = 0)
{
    return {preconditioner, alpha, ridge};
}
} // namespace

class TestPreconditioner : public QObject {
    Q_OBJECT
private slots:
    void fourOfThemAttainTheTheoreticalMinimum()
    {
        for (const auto& [m, n] : kShapes) {
            const auto w = test::gaussian(m, n, 3);
            const auto site = siteOf(n, m, 5 * n + 20, 11);
            const auto minimum = theoreticalMinimum(w, site.gram);
            for (const Preconditioner each : preconditioners()) {
                if (!isOptimal(each))
                    continue;
                const Decomposition d = decompose(w, site, with(each));
                QVERIFY2(d.warnings.empty(), preconditionerName(each).data());
                QCOMPARE(d.loss.size(), minimum.size());
                for (std::size_t r = 0; r < minimum.size(); ++r) {
                    // 1e-8 of the loss; 1e-14 of the energy is what squaring W P leaves of a loss that is zero
                    QVERIFY2(near(d.loss[r], minimum[r], 1e-8 * minimum[r] + 1e-14 * minimum[0]), preconditionerName(each).data());
                    QVERIFY(near(d.minimum[r], minimum[r], 1e-8 * minimum[r] + 1e-14 * minimum[0]));
                }
            }
        }
    }
    void noneIsBetterThanTheMinimum()
    {
        for (const auto& [m, n] : kShapes) {
            const auto w = test::gaussian(m, n, 5);
            const auto site = siteOf(n, m, 5 * n + 20, 21);
            const auto minimum = theoreticalMinimum(w, site.gram);
            for (const Preconditioner each : preconditioners())
                for (const double alpha : {0.25, 1.0}) {
                    const Decomposition d = decompose(w, site, with(each, alpha, each == Preconditioner::Identity ? 0 : 1e-2));
                    double excess = 0;
                    for (std::size_t r = 0; r < minimum.size(); ++r) {
                        QVERIFY2(d.loss[r] >= minimum[r] - 1e-12 * minimum[0], preconditionerName(each).data());
                        QVERIFY(near(d.minimum[r], minimum[r], 1e-8 * minimum[r] + 1e-13 * minimum[0]));
                        excess += d.loss[r] - minimum[r];
                    }
                    if (!isOptimal(each) && std::min(m, n) > 1) // they are other directions, not a poor copy of the optimum
                        QVERIFY2(excess > 1e-4 * minimum[0], preconditionerName(each).data());
                }
        }
    }
    void lossesAreThoseOfTheFactors()
    {
        for (const auto& [m, n] : kShapes) {
            const auto w = test::gaussian(m, n, 7);
            const auto site = siteOf(n, m, 3 * n + 5, 31);
            const auto held = test::toDoubles(site.heldOut);
            for (const Preconditioner each : preconditioners()) {
                const Decomposition d = decompose(w, site, with(each));
                const std::int64_t p = std::min(m, n);
                for (const std::int64_t r : {std::int64_t{0}, p / 3, p / 2, p - 1, p}) {
                    const Factors f = factorsOf(d, r);
                    const auto at = static_cast<std::size_t>(r);
                    // Both are sums of squares of residuals: rounding is a few eps of the energy
                    QVERIFY2(near(lossUnder(w, f, site.gram), d.loss[at], 1e-12 * d.energy()), preconditionerName(each).data());
                    const double direct = test::sumOfSquares(test::multiply(test::difference(w, test::multiply(f.b, f.a)), test::transposed(held)));
                    QVERIFY2(near(direct, d.heldOut[at], 1e-12 * d.heldOutEnergy()), preconditionerName(each).data());
                }
                QVERIFY_THROWS_EXCEPTION(Error, factorsOf(d, p + 1));
            }
        }
    }
    void agreesWithNumPy()
    {
        const std::filesystem::path folder = TAMIS_SOURCE_DIR "/datasets/vit20";
        const auto checkpoint = io::Checkpoint::open(folder);
        const auto calibration = io::CalibrationSet::open(folder / "calibration.h5");
        QFile file(TAMIS_SOURCE_DIR "/tests/golden/preconditioner_golden.tsv");
        QVERIFY(file.open(QIODevice::ReadOnly));
        std::map<std::string, Decomposition> made;
        int compared = 0;
        for (const QByteArray& line : file.readAll().split('\n')) {
            const QList<QByteArray> cells = line.split('\t');
            if (line.startsWith('#') || cells.size() != 5)
                continue;
            const std::string name = cells[0].toStdString(), kind = cells[1].toStdString();
            if (!made.contains(name + kind)) {
                io::CalibrationSite site = calibration->read(name);
                const auto& matrices = checkpoint->layout().matrices;
                const auto matrix = std::ranges::find(matrices, name, &io::MatrixRef::name);
                site.outputGradSq = someGradients(matrix->rows);
                made[name + kind] = decompose(checkpoint->readMatrixDouble(*matrix), site, {parsePreconditioner(kind), 0.5, 1e-3});
            }
            const Decomposition& d = made[name + kind];
            const auto rank = static_cast<std::size_t>(cells[2].toInt());
            // NumPy's route solves with P (condition up to 1e3 with this ridge) and sums a residual: 1e-7 of the loss covers it
            QVERIFY2(near(d.loss[rank], cells[3].toDouble(), 1e-7 * cells[3].toDouble()), line.constData());
            QVERIFY2(near(d.heldOut[rank], cells[4].toDouble(), 1e-7 * cells[4].toDouble()), line.constData());
            ++compared;
        }
        QCOMPARE(compared, 3 * 12 * 4);
    }
    void singularStatisticsAreSolvedAndSaid()
    {
        // 10 tokens for 24 inputs: ten directions carry all, whatever the form.
        const std::int64_t m = 30, n = 24, tokens = 10;
        const auto w = test::gaussian(m, n, 9);
        const auto site = siteOf(n, m, tokens, 41);
        for (const Preconditioner each : preconditioners()) {
            if (!isOptimal(each))
                continue;
            const Decomposition d = decompose(w, site, with(each));
            QVERIFY(!d.warnings.empty());
            // Cholesky gives way to the eigen form, and says so
            QCOMPARE(d.warnings.size(), each == Preconditioner::Cholesky ? 2u : 1u);
            QVERIFY2(d.loss[tokens] <= 1e-10 * d.energy(), preconditionerName(each).data());
            QVERIFY(d.loss[tokens / 2] > 1e-4 * d.energy());
            const Factors f = factorsOf(d, tokens);
            QVERIFY(lossUnder(w, f, site.gram) <= 1e-10 * d.energy());
        }
        for (const Preconditioner each : preconditioners())
            for (const Matrix<double> right = decompose(w, site, with(each)).right; const double value : right.values())
                QVERIFY2(std::isfinite(value), preconditionerName(each).data());
    }
    void aRidgeMovesTowardsThePlainSvd()
    {
        const auto w = test::gaussian(20, 16, 13);
        const auto site = siteOf(16, 20, 60, 51);
        const auto plain = decompose(w, site, with(Preconditioner::Identity));
        double before = 0;
        for (const double ridge : {0.0, 1e-2, 1.0}) {
            const auto d = decompose(w, site, with(Preconditioner::OutputPca, 0.5, ridge));
            QVERIFY(d.loss[8] >= before - 1e-12 * d.energy());
            QVERIFY(d.loss[8] <= plain.loss[8] * (1 + 1e-12));
            before = d.loss[8];
            const auto root = decompose(w, site, with(Preconditioner::RootCovariance, 0.5, ridge));
            QVERIFY(near(root.loss[8], d.loss[8], 1e-10 * d.energy()));
        }
    }
    void whatIsMissingIsSaid()
    {
        const auto w = test::gaussian(6, 8, 1);
        auto site = siteOf(8, 6, 30, 2);
        auto bare = site;
        bare.outputGradSq.clear();
        bare.samples = {};
        for (const Preconditioner each : preconditioners())
            if (needsGradients(each) || needsSampleRows(each))
                QVERIFY_THROWS_EXCEPTION(Error, decompose(w, bare, with(each)));
            else
                QVERIFY(decompose(w, bare, with(each)).size() == 6);
        site.outputGradSq.pop_back();
        QVERIFY_THROWS_EXCEPTION(Error, decompose(w, site, with(Preconditioner::Fisher)));
        QVERIFY_THROWS_EXCEPTION(Error, decompose(test::gaussian(6, 7, 1), site, with(Preconditioner::Identity)));
        auto broken = w;
        broken(2, 3) = std::nan("");
        try {
            (void)decompose(broken, site, with(Preconditioner::Identity));
            QFAIL("a NaN passed");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::NonFinite);
        }
        QVERIFY_THROWS_EXCEPTION(Error, parsePreconditioner("whitened"));
    }
    void aStopEndsIt()
    {
        std::stop_source source;
        source.request_stop();
        try {
            (void)decompose(test::gaussian(30, 30, 1), siteOf(30, 30, 90, 2), with(Preconditioner::RootCovariance), RunContext(source.get_token()));
            QFAIL("went on after a stop");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
        }
    }
};

QTEST_GUILESS_MAIN(TestPreconditioner)
#include "tst_preconditioner.moc"
