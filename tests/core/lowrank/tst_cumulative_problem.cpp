// SPDX-License-Identifier: GPL-3.0-or-later
// The cumulative-error target against its special cases, brute force and NumPy (tests/golden/make_saes_golden.py).
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/io/npz.h"
#include "core/linalg/symmetric_eigen.h"
#include "core/linalg/whitening.h"
#include "core/lowrank/cumulative_problem.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/linalg/matrices.h"

#include <cmath>
#include <limits>
#include <random>

using namespace tamis;
using lowrank::AcesCurve;
using lowrank::CumulativeProblem;
using lowrank::DriftMoments;
using tensor::Matrix;
using test::difference;
using test::multiply;
using test::sumOfSquares;
using test::transposed;

namespace {
/// x, xf [n, tokens]: columns are tokens, as in the formulas.
DriftMoments momentsOf(const Matrix<double>& x, const Matrix<double>& xf)
{
    DriftMoments moments(x.rows());
    moments.tokens = static_cast<std::uint64_t>(x.cols());
    const Matrix<double> e = difference(xf, x);
    moments.h = multiply(x, transposed(x));
    moments.delta = multiply(e, transposed(x));
    moments.drift = multiply(e, transposed(e));
    return moments;
}

struct Case {
    Matrix<double> w, x, xf;
    DriftMoments moments;
    explicit Case(std::int64_t m = 17, std::int64_t n = 12, std::int64_t tokens = 70)
        : w(test::gaussian(m, n, 1)), x(multiply(test::gaussian(n, n, 2), test::gaussian(n, tokens, 3))),
          xf(sum(x, multiply(test::gaussian(n, n, 4), x), 0.1, test::gaussian(n, tokens, 5), 0.5)), moments(momentsOf(x, xf))
    {
    }
    static Matrix<double> sum(Matrix<double> a, const Matrix<double>& b, double scaleB, const Matrix<double>& c, double scaleC)
    {
        for (std::size_t i = 0; i < a.size(); ++i)
            a.values()[i] += scaleB * b.values()[i] + scaleC * c.values()[i];
        return a;
    }
    /// (1 - beta) |M X - W X|^2 + beta |M X - W Xf|^2 token by token.
    double objective(const Matrix<double>& m, double beta) const
    {
        const Matrix<double> out = multiply(m, x);
        return (1 - beta) * sumOfSquares(difference(out, multiply(w, x))) + beta * sumOfSquares(difference(out, multiply(w, xf)));
    }
};

/// Solves S y = t for symmetric positive definite s by Gaussian elimination: independent of the code under test.
Matrix<double> solved(Matrix<double> s, Matrix<double> t)
{
    const std::int64_t n = s.rows();
    for (std::int64_t k = 0; k < n; ++k)
        for (std::int64_t i = k + 1; i < n; ++i) {
            const double f = s(i, k) / s(k, k);
            for (std::int64_t j = k; j < n; ++j)
                s(i, j) -= f * s(k, j);
            for (std::int64_t j = 0; j < t.cols(); ++j)
                t(i, j) -= f * t(k, j);
        }
    for (std::int64_t i = n - 1; i >= 0; --i)
        for (std::int64_t j = 0; j < t.cols(); ++j) {
            for (std::int64_t k = i + 1; k < n; ++k)
                t(i, j) -= s(i, k) * t(k, j);
            t(i, j) /= s(i, i);
        }
    return t;
}

/// Alternating least squares on target z [m, tokens] over inputs x: b for a, a for b, until nothing moves.
Matrix<double> alternating(const Matrix<double>& z, const Matrix<double>& x, std::int64_t rank, std::uint64_t seed)
{
    const Matrix<double> h = multiply(x, transposed(x)), t = multiply(z, transposed(x)); // [n, n], [m, n]
    Matrix<double> a = test::gaussian(rank, x.rows(), seed), b;
    for (int i = 0; i < 400; ++i) {
        b = transposed(solved(multiply(multiply(a, h), transposed(a)), multiply(a, transposed(t))));
        a = multiply(solved(multiply(transposed(b), b), multiply(transposed(b), t)), solved(h, test::identity(h.rows())));
    }
    return multiply(b, a);
}

double relative(const Matrix<double>& a, const Matrix<double>& b) { return std::sqrt(sumOfSquares(difference(a, b)) / sumOfSquares(b)); }
Matrix<double> solution(const CumulativeProblem& problem, const Matrix<double>& w, std::int64_t rank, double beta)
{
    const auto factors = problem.factors(w, rank, beta);
    return multiply(factors.b, factors.a);
}
} // namespace

class TestCumulativeProblem : public QObject {
    Q_OBJECT
private slots:
    /// beta = 0 is the whitened SVD on the drifted inputs: the projection on the leading eigenvectors of W H W^T. Both in double,
    /// by two routes; the condition of H is below 1e4.
    void betaZeroIsTheWhitenedSvd()
    {
        for (const auto& [m, n] : {std::pair{17, 12}, std::pair{9, 14}, std::pair{12, 12}}) {
            const Case c(m, n);
            const std::int64_t rank = 4;
            const auto eigen = linalg::symmetricEigen(multiply(multiply(c.w, c.moments.h), transposed(c.w)));
            Matrix<double> u(rank, m);
            std::copy_n(eigen.vectors.data(), rank * m, u.data());
            const CumulativeProblem problem(c.moments, 0);
            QVERIFY(problem.warnings().empty());
            QVERIFY(relative(solution(problem, c.w, rank, 0), multiply(transposed(u), multiply(u, c.w))) < 1e-9);
            double tail = 0;
            for (std::size_t i = rank; i < eigen.values.size(); ++i)
                tail += eigen.values[i];
            const double loss = c.objective(solution(problem, c.w, rank, 0), 0);
            QVERIFY(std::abs(loss - tail) < 1e-9 * tail);
        }
    }

    /// beta = 1 fits the dense outputs alone: W Xf X^T H^{-1} at full rank, whatever the drift.
    void betaOneIsTheAnchoredTarget()
    {
        const Case c;
        const CumulativeProblem problem(c.moments, 0);
        const Matrix<double> full = solution(problem, c.w, 12, 1);
        const Matrix<double> expected = transposed(solved(c.moments.h, multiply(c.x, transposed(multiply(c.w, c.xf)))));
        QVERIFY(relative(full, expected) < 1e-9);
        // and at rank r no factors come nearer to the dense outputs: alternation from several starts ends there
        const double found = c.objective(solution(problem, c.w, 3, 1), 1);
        for (const std::uint64_t seed : {7u, 8u, 9u}) {
            const double other = c.objective(alternating(multiply(c.w, c.xf), c.x, 3, seed), 1);
            QVERIFY(found <= other * (1 + 1e-9));
            QVERIFY(other <= found * (1 + 1e-6)); // alternation converges linearly
        }
    }

    /// The weighted sum of both terms equals one least-squares problem on stacked tokens, and its solution is at least as good as
    /// alternation on those and as any perturbed neighbour.
    void solvesTheStackedProblem()
    {
        const Case c;
        const CumulativeProblem problem(c.moments, 0);
        for (const double beta : {0.1, 0.5, 0.8}) {
            const std::int64_t tokens = c.x.cols(), n = c.x.rows();
            Matrix<double> inputs(n, 2 * tokens), shifted(n, 2 * tokens);
            for (std::int64_t i = 0; i < n; ++i)
                for (std::int64_t t = 0; t < tokens; ++t) {
                    inputs(i, t) = shifted(i, t) = std::sqrt(1 - beta) * c.x(i, t);
                    inputs(i, tokens + t) = std::sqrt(beta) * c.x(i, t);
                    shifted(i, tokens + t) = std::sqrt(beta) * c.xf(i, t);
                }
            const Matrix<double> outputs = multiply(c.w, shifted);
            const Matrix<double> m = solution(problem, c.w, 4, beta);
            const double loss = sumOfSquares(difference(multiply(m, inputs), outputs));
            QVERIFY(std::abs(c.objective(m, beta) - loss) < 1e-12 * loss);
            const double alternated = c.objective(alternating(outputs, inputs, 4, 11), beta);
            QVERIFY(loss <= alternated * (1 + 1e-9) && alternated <= loss * (1 + 1e-6));
            const auto factors = problem.factors(c.w, 4, beta);
            for (std::uint64_t seed = 20; seed < 40; ++seed) {
                const Matrix<double> b = Case::sum(factors.b, test::gaussian(17, 4, seed), 1e-3, test::gaussian(17, 4, 0), 0);
                const Matrix<double> a = Case::sum(factors.a, test::gaussian(4, 12, seed + 100), 1e-3, test::gaussian(4, 12, 0), 0);
                QVERIFY(c.objective(multiply(b, a), beta) > loss);
            }
        }
    }

    /// The moments give the same objective as the tokens; sums of 1e3 terms in double.
    void momentsMeasureTheObjective()
    {
        const Case c;
        const Matrix<double> m = test::gaussian(17, 12, 30);
        for (const double beta : {0.0, 0.3, 1.0}) {
            const double expected = c.objective(m, beta);
            QVERIFY(std::abs(lowrank::cumulativeObjective(c.w, m, c.moments, beta) - expected) < 1e-11 * expected);
        }
        QCOMPARE(lowrank::cumulativeObjective(c.w, c.w, momentsOf(c.x, c.x), 1.0), 0.0);
        QVERIFY(relative(c.moments.dense(), multiply(c.xf, transposed(c.xf))) < 1e-13);
    }

    void matchesNumpy_data()
    {
        QTest::addColumn<QString>("name");
        QTest::newRow("tall") << "tall";
        QTest::newRow("wide") << "wide";
        QTest::newRow("few tokens") << "few";
    }
    /// NumPy goes through H^{-1/2} and a full SVD, Tamis through Cholesky and the Gram matrix of G: conditions up to 1e6 of H and
    /// the squared one of G leave 1e-8 of the double's digits in the product, and about their square in what is lost.
    void matchesNumpy()
    {
        QFETCH(QString, name);
        const auto archive = io::NpzArchive::open(std::filesystem::path(TAMIS_SOURCE_DIR) / "tests" / "golden" / "saes_golden.npz");
        const std::string prefix = name.toStdString() + ".";
        const auto matrix = [&](const std::string& key) { return archive->read(prefix + key).toDoubleMatrix(); };
        const auto scalars = archive->read(prefix + "scalars").toDoubles();
        Case c;
        c.w = matrix("w");
        c.x = matrix("x");
        c.xf = matrix("xf");
        c.moments = momentsOf(c.x, c.xf);
        const auto rank = static_cast<std::int64_t>(scalars[9]);
        const CumulativeProblem problem(c.moments, scalars[10]);
        QVERIFY(problem.warnings().empty());
        const AcesCurve curve = problem.curve(c.w, rank);
        const double found[] = {curve.tailS, curve.tailCross, curve.tailD, curve.wholeS, curve.wholeCross, curve.wholeD, curve.best(0.25, 0.75), curve.normD, curve.gap};
        const double scale[] = {scalars[3], scalars[3], scalars[5], scalars[3], scalars[3], scalars[5], 1, scalars[7], std::sqrt(scalars[3])};
        for (std::size_t i = 0; i < 9; ++i)
            QVERIFY2(std::abs(found[i] - scalars[i]) < (i == 6 ? 3e-7 : 1e-8 * scale[i]), qPrintable(QString("%1: %2 for %3").arg(i).arg(found[i], 0, 'g', 17).arg(scalars[i], 0, 'g', 17)));
        for (const auto& [beta, suffix] : {std::pair{0.0, "0.0"}, std::pair{0.5, "0.5"}, std::pair{1.0, "1.0"}}) {
            const Matrix<double> product = solution(problem, c.w, rank, beta);
            QVERIFY(relative(product, matrix(std::string("product") + suffix)) < 1e-6);
            const auto losses = archive->read(prefix + "losses" + suffix).toDoubles();
            QVERIFY(std::abs(c.objective(product, 0) - losses[0]) < 1e-7 * losses[0]);
            QVERIFY(std::abs(c.objective(product, 1) - losses[1]) < 1e-7 * losses[1]);
        }
    }

    /// The chosen beta is the least of a fine grid, inside as at the ends, for curves of all shapes.
    void bestBetaIsTheLeastOfAGrid()
    {
        std::mt19937_64 random(3);
        std::normal_distribution<double> normal;
        int inside = 0;
        for (int i = 0; i < 300; ++i) {
            // Gram matrices of two vectors each: what norms and inner products can be.
            double v[8];
            for (double& each : v)
                each = normal(random);
            AcesCurve curve;
            curve.tailS = v[0] * v[0] + v[1] * v[1];
            curve.tailCross = v[0] * v[2] + v[1] * v[3];
            curve.tailD = v[2] * v[2] + v[3] * v[3];
            curve.wholeS = curve.tailS + v[4] * v[4] + v[5] * v[5];
            curve.wholeCross = curve.tailCross + v[4] * v[6] + v[5] * v[7];
            curve.wholeD = curve.tailD + v[6] * v[6] + v[7] * v[7];
            const double best = curve.best(0.1, 0.9);
            QVERIFY(best >= 0.1 && best <= 0.9);
            inside += best > 0.1 && best < 0.9 ? 1 : 0;
            for (int k = 0; k <= 2000; ++k)
                QVERIFY(curve.value(best) <= curve.value(0.1 + 0.8 * k / 2000) + 1e-15);
            const double energy = curve.bestEnergy(0.1, 0.9);
            const auto lost = [&](double beta) { return curve.tailS + 2 * beta * curve.tailCross + beta * beta * curve.tailD; };
            for (int k = 0; k <= 2000; ++k)
                QVERIFY(lost(energy) <= lost(0.1 + 0.8 * k / 2000) + 1e-14);
        }
        QVERIFY(inside > 30); // or nothing but ends would have been tested
    }

    /// rho is the share that truncation of G(beta) really loses at beta = 0, with the same slope: first order holds.
    void curveIsTheFirstOrderOfTheTruth()
    {
        const Case c;
        const CumulativeProblem problem(c.moments, 0);
        const std::int64_t rank = 4;
        const AcesCurve curve = problem.curve(c.w, rank);
        const auto lost = [&](double beta) {
            const auto squares = problem.factors(c.w, rank, beta).squares;
            double tail = 0, whole = 0;
            for (std::size_t i = 0; i < squares.size(); ++i) {
                whole += squares[i];
                tail += i >= static_cast<std::size_t>(rank) ? squares[i] : 0;
            }
            return tail / whole;
        };
        QVERIFY(std::abs(curve.value(0) - lost(0)) < 1e-11);
        const double step = 1e-5; // differences of second order, some 1e-5 relative
        const double slope = (curve.value(step) - curve.value(-step)) / (2 * step), truth = (lost(step) - lost(-step)) / (2 * step);
        QVERIFY2(std::abs(slope - truth) < 1e-5 * (std::abs(truth) + 1e-3), qPrintable(QString("%1 %2").arg(slope).arg(truth)));
        QVERIFY(curve.gap > 0 && curve.normD > 0);
        QCOMPARE(curve.validity(0.5), 0.5 * curve.normD / curve.gap);
    }

    /// The update never moves away from the dense outputs, reaches the least that this A allows, and leaves the anchored B as it is.
    void updateFitsTheDenseOutputs()
    {
        const Case c;
        const CumulativeProblem problem(c.moments, 0);
        for (const double beta : {0.0, 0.5, 1.0}) {
            const auto factors = problem.factors(c.w, 4, beta);
            const Matrix<double> b = problem.updated(c.w, factors.a);
            const double before = c.objective(multiply(factors.b, factors.a), 1), after = c.objective(multiply(b, factors.a), 1);
            QVERIFY(beta == 1.0 ? relative(b, factors.b) < 1e-9 : after < before);
            // residual orthogonal to the latent tokens A X: the normal equations
            const Matrix<double> latent = multiply(factors.a, c.x), residual = difference(multiply(b, latent), multiply(c.w, c.xf));
            QVERIFY(test::maxAbs(multiply(residual, transposed(latent))) < 1e-9 * std::sqrt(sumOfSquares(residual) * sumOfSquares(latent)));
        }
    }

    /// Without drift beta has no effect and the curve is constant.
    void withoutDriftBetaDoesNothing()
    {
        const Case c;
        const CumulativeProblem problem(momentsOf(c.x, c.x), 0);
        const AcesCurve curve = problem.curve(c.w, 4);
        QCOMPARE(curve.normD, 0.0);
        QCOMPARE(curve.best(0.25, 0.75), 0.25);
        QCOMPARE(curve.validity(0.75), 0.0);
        QVERIFY(problem.factors(c.w, 4, 0.25).b == problem.factors(c.w, 4, 1).b);
    }

    void raisesTheRidgeOfASingularH()
    {
        Case c(10, 12, 30);
        for (std::int64_t t = 0; t < c.x.cols(); ++t)
            c.x(3, t) = c.xf(3, t) = 0; // a dead channel
        const CumulativeProblem dead(momentsOf(c.x, c.xf), 0);
        QCOMPARE(dead.warnings().size(), std::size_t(1));
        QVERIFY(dead.ridge() > 0);
        const Case few(10, 12, 5); // fewer tokens than inputs
        const CumulativeProblem problem(few.moments, 0);
        QCOMPARE(problem.warnings().size(), std::size_t(1));
        // every token is reproduced at the rank of the tokens, to the square root of the ridge
        const double loss = few.objective(solution(problem, few.w, 5, 1), 1), energy = sumOfSquares(multiply(few.w, few.xf));
        QVERIFY(loss < 1e-6 * energy);
    }

    void refusesWhatCannotBeSolved()
    {
        const Case c;
        QVERIFY_EXCEPTION_THROWN(CumulativeProblem(DriftMoments(5), 0), Error); // all zero
        DriftMoments bad = c.moments;
        bad.delta(2, 3) = std::numeric_limits<double>::quiet_NaN();
        try {
            CumulativeProblem problem(bad, 0);
            QFAIL("NaN was taken");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::NonFinite);
        }
        const CumulativeProblem problem(c.moments, 0);
        QVERIFY_EXCEPTION_THROWN(problem.factors(c.w, 13, 0.5), Error);
        QVERIFY_EXCEPTION_THROWN(problem.updated(c.w, Matrix<double>(3, 12)), Error);
        std::stop_source source;
        source.request_stop();
        QVERIFY_EXCEPTION_THROWN(problem.factors(c.w, 4, 0.5, RunContext(source.get_token())), Error);
    }

    void doesNotDependOnThreads()
    {
        const Case c(200, 150, 400);
        const auto several = CumulativeProblem(c.moments, 1e-4).factors(c.w, 40, 0.5);
        const ThreadLimit limit(1);
        const auto one = CumulativeProblem(c.moments, 1e-4).factors(c.w, 40, 0.5);
        QVERIFY(several.a == one.a && several.b == one.b);
    }
};

TAMIS_BLAS_TEST_MAIN(TestCumulativeProblem)
#include "tst_cumulative_problem.moc"
