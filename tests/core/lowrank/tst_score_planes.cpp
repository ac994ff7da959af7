// SPDX-License-Identifier: GPL-3.0-or-later
// Shared planes of queries and keys against the tensor that they approximate, formed head by head and displacement by displacement.
#include "core/lowrank/score_planes.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/linalg/singular_values.h"
#include "core/linalg/whitening.h"
#include "core/nn/rotary.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/linalg/matrices.h"

#include <cmath>
#include <numeric>

using namespace tamis;
using lowrank::Displacement;
using lowrank::ScorePlanes;
using lowrank::ScoreProblem;
using lowrank::ScoreSolution;
using tensor::Matrix;
using test::multiply;
using test::transposed;

namespace {
constexpr std::int64_t kWidth = 24, kHeadDim = 8;

/// C of inputs whose directions decay.
Matrix<double> statistics(std::int64_t n, std::uint64_t seed)
{
    Matrix<double> x = test::gaussian(3 * n, n, seed);
    for (std::int64_t t = 0; t < x.rows(); ++t)
        for (std::int64_t j = 0; j < n; ++j)
            x(t, j) *= std::pow(static_cast<double>(j + 1), -0.7);
    x = multiply(x, test::orthonormalRows(n, n, seed + 1));
    return multiply(transposed(x), x);
}

ScoreProblem problem(std::int64_t heads, std::int64_t keyValueHeads, std::int64_t headDim = kHeadDim)
{
    ScoreProblem p;
    p.query = test::gaussian(heads * headDim, kWidth, 1);
    p.key = test::gaussian(keyValueHeads * headDim, kWidth, 2);
    p.queryInputs = statistics(kWidth, 3);
    p.heads = heads;
    p.keyValueHeads = keyValueHeads;
    p.headDim = headDim;
    return p;
}

Matrix<double> rowsOf(const Matrix<double>& m, std::int64_t begin, std::int64_t count)
{
    Matrix<double> rows(count, m.cols());
    std::copy_n(m.data() + begin * m.cols(), count * m.cols(), rows.data());
    return rows;
}

/// R_d as a matrix, from cosines and sines.
Matrix<double> rotation(const nn::RopeSpec& rope, std::int64_t headDim, std::int64_t d)
{
    Matrix<double> r = test::identity(headDim);
    const auto f = nn::rotaryFrequencies(rope, 64).frequencies;
    for (std::int64_t i = 0; i < rope.dimensions / 2; ++i) {
        const std::int64_t j = i + rope.dimensions / 2;
        const double angle = static_cast<double>(d) * f[static_cast<std::size_t>(i)];
        r(i, i) = r(j, j) = std::cos(angle);
        r(i, j) = -std::sin(angle);
        r(j, i) = std::sin(angle);
    }
    return r;
}

/// sum_i sum_d w_d |L_q^T (W_q,i^T R_d^T W_k,g - ...) L_k|_F^2 over the same without "- ...", every product written out.
double bruteForce(const ScoreProblem& p, const ScoreSolution& s, const nn::RopeSpec& rope, const std::vector<Displacement>& window)
{
    const Matrix<double> rootQ = *linalg::choleskyRoot(p.queryInputs), rootK = p.keyInputs.empty() ? rootQ : *linalg::choleskyRoot(p.keyInputs);
    const Matrix<double> nowQ = multiply(s.query.b, s.query.a), nowK = multiply(s.key.b, s.key.a);
    double lost = 0, total = 0;
    for (std::int64_t i = 0; i < p.heads; ++i)
        for (const Displacement& d : window) {
            const std::int64_t g = i * p.keyValueHeads / p.heads, n = p.headDim;
            const Matrix<double> turn = transposed(rotation(rope, n, d.distance));
            const auto scores = [&](const Matrix<double>& q, const Matrix<double>& k) {
                return multiply(multiply(transposed(multiply(rowsOf(q, i * n, n), rootQ)), turn), multiply(rowsOf(k, g * n, n), rootK));
            };
            const Matrix<double> exact = scores(p.query, p.key);
            total += d.weight * test::sumOfSquares(exact);
            lost += d.weight * test::sumOfSquares(test::difference(exact, scores(nowQ, nowK)));
        }
    return lost / total;
}

const nn::RopeSpec kStill;
nn::RopeSpec rope(std::int64_t dimensions)
{
    nn::RopeSpec spec;
    spec.enabled = true;
    spec.theta = 100;
    spec.dimensions = dimensions;
    return spec;
}
constexpr lowrank::Alternation kThorough{200, 1e-13};
} // namespace

class TstScorePlanes : public QObject
{
    Q_OBJECT
private slots:
    void objectiveIsTheTensorsError_data()
    {
        QTest::addColumn<int>("heads");
        QTest::addColumn<int>("keyValueHeads");
        QTest::addColumn<int>("queryRank");
        QTest::addColumn<int>("keyRank");
        QTest::newRow("one head") << 1 << 1 << 4 << 4;
        QTest::newRow("heads") << 3 << 3 << 9 << 7;
        QTest::newRow("shared keys") << 4 << 2 << 6 << 11;
        QTest::newRow("wider than the inputs") << 6 << 2 << 5 << 5;
    }
    /// The objective from d_h x d_h moments against every head's D x D product: 1e-12 of 1, the rounding of 1 - captured / total.
    void objectiveIsTheTensorsError()
    {
        QFETCH(int, heads);
        QFETCH(int, keyValueHeads);
        QFETCH(int, queryRank);
        QFETCH(int, keyRank);
        const ScoreProblem p = problem(heads, keyValueHeads);
        const ScorePlanes planes(p);
        for (const ScoreSolution& s : {planes.solve(queryRank, keyRank), planes.separate(queryRank, keyRank)}) {
            QCOMPARE(s.query.a.rows(), queryRank);
            QCOMPARE(s.key.a.rows(), keyRank);
            QVERIFY(s.objective > 1e-3);
            QVERIFY(std::abs(s.objective - bruteForce(p, s, kStill, {{0, 1.0}})) < 1e-12);
        }
    }

    /// Without several heads the Tucker form is a truncated SVD of C^{1/2} W_q^T W_k C^{1/2}, whatever the larger rank is
    /// (Eckart-Young); the alternation ends at its optimum.
    void oneHeadIsTheTruncatedSvd()
    {
        const ScoreProblem p = problem(1, 1, 16);
        const Matrix<double> root = *linalg::choleskyRoot(p.queryInputs);
        const Matrix<double> product = multiply(transposed(multiply(p.query, root)), multiply(p.key, root));
        const std::vector<double> squares = linalg::squaredSingularValues(product.view());
        const double total = std::accumulate(squares.begin(), squares.end(), 0.0);
        for (const auto& [rq, rk] : {std::pair{5, 5}, {3, 9}, {12, 4}}) {
            const ScoreSolution s = ScorePlanes(p).solve(rq, rk, kThorough);
            const double best = std::accumulate(squares.begin() + std::min(rq, rk), squares.end(), 0.0) / total;
            QVERIFY2(std::abs(s.objective - best) < 1e-10, qPrintable(QString::number(s.objective - best)));
        }
    }

    void neverRisesAndBeatsSeparate()
    {
        for (const bool relative : {false, true}) {
            ScoreProblem p = problem(4, 2);
            p.relativeHeads = relative;
            for (double& x : p.query.view().row(0))
                x *= 30; // heads of unlike size
            const ScorePlanes planes(p);
            for (const auto& [rq, rk] : {std::pair{2, 2}, {7, 3}, {12, 12}}) {
                const ScoreSolution s = planes.solve(rq, rk, kThorough);
                QCOMPARE(s.history.size(), std::size_t(2 * s.iterations + 1));
                for (std::size_t i = 1; i < s.history.size(); ++i)
                    QVERIFY(s.history[i] <= s.history[i - 1] + 1e-13); // rounding of a sum near 1
                QVERIFY(std::abs(s.history.back() - s.objective) < 1e-12);
                QVERIFY(s.objective < planes.separate(rq, rk).objective);
                // HOSVD: what either plane cuts off is lost, and no more than both together.
                const auto cut = [](const std::vector<double>& energy, int rank) {
                    return std::accumulate(energy.begin() + rank, energy.end(), 0.0) / std::accumulate(energy.begin(), energy.end(), 0.0);
                };
                const double q = cut(planes.queryEnergy(), rq), k = cut(planes.keyEnergy(), rk);
                QVERIFY(s.objective >= std::max(q, k) - 1e-12 && s.objective <= q + k + 1e-12);
            }
        }
    }

    /// No pair of planes near the solution is better: rotations of either plane by small random amounts.
    void noPlaneNearbyIsBetter()
    {
        const ScoreProblem p = problem(3, 3);
        const ScorePlanes planes(p);
        const ScoreSolution s = planes.solve(6, 6, kThorough);
        const Matrix<double> root = *linalg::choleskyRoot(p.queryInputs);
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            ScoreSolution moved = s;
            for (lowrank::PlaneFactors* half : {&moved.query, &moved.key}) {
                const Matrix<double>& w = half == &moved.query ? p.query : p.key;
                Matrix<double> a = multiply(half->a, root); // orthonormal rows
                const Matrix<double> kick = test::gaussian(a.rows(), a.cols(), 100 + 2 * seed + (half == &moved.key ? 1 : 0));
                for (std::size_t i = 0; i < a.size(); ++i)
                    a.values()[i] += 1e-2 * kick.values()[i];
                for (std::int64_t i = 0; i < a.rows(); ++i) // Gram-Schmidt
                    for (std::int64_t j = 0; j <= i; ++j) {
                        double dot = 0;
                        for (std::int64_t c = 0; c < a.cols(); ++c)
                            dot += a(i, c) * a(j, c);
                        for (std::int64_t c = 0; c < a.cols(); ++c)
                            a(i, c) = i == j ? a(i, c) / std::sqrt(dot) : a(i, c) - dot * a(j, c);
                    }
                // W L A^T is the best core for the plane; A L^{-1} by forward substitution on columns from the right.
                half->b = multiply(multiply(w, root), transposed(a));
                for (std::int64_t r = 0; r < a.rows(); ++r)
                    for (std::int64_t j = kWidth; j-- > 0;) {
                        double sum = a(r, j);
                        for (std::int64_t c = j + 1; c < kWidth; ++c)
                            sum -= a(r, c) * root(c, j);
                        a(r, j) = sum / root(j, j);
                    }
                half->a = a;
            }
            QVERIFY(bruteForce(p, moved, kStill, {{0, 1.0}}) > s.objective);
        }
    }

    /// Every direction kept: the scores' own matrices come back, 1e-9 relative (Lambda^{1/2} and back over a condition of 1e3).
    void fullRanksAreExact()
    {
        const ScoreProblem p = problem(3, 3);
        const ScoreSolution s = ScorePlanes(p).solve(24, 24);
        QVERIFY(s.objective < 1e-13);
        QVERIFY(test::maxAbs(test::difference(multiply(s.query.b, s.query.a), p.query)) < 1e-9 * test::maxAbs(p.query));
        QVERIFY(test::maxAbs(test::difference(multiply(s.key.b, s.key.a), p.key)) < 1e-9 * test::maxAbs(p.key));
    }

    /// Two query heads of one key head see what they would of two copies of it.
    void sharedKeysAreCopies()
    {
        const ScoreProblem shared = problem(4, 2);
        ScoreProblem copied = shared;
        copied.keyValueHeads = 4;
        copied.key = Matrix<double>(4 * kHeadDim, kWidth);
        for (std::int64_t i = 0; i < 4; ++i)
            std::copy_n(shared.key.data() + i / 2 * kHeadDim * kWidth, kHeadDim * kWidth, copied.key.data() + i * kHeadDim * kWidth);
        const ScoreSolution a = ScorePlanes(shared).solve(7, 5), b = ScorePlanes(copied).solve(7, 5);
        QVERIFY(std::abs(a.objective - b.objective) < 1e-10);
        QVERIFY(test::maxAbs(test::difference(multiply(a.query.b, a.query.a), multiply(b.query.b, b.query.a))) < 1e-7);
    }

    /// Heads that count by their relative error: the size of a head's scores moves nothing.
    void relativeHeadsForgetTheirSize()
    {
        ScoreProblem p = problem(3, 3);
        p.relativeHeads = true;
        ScoreProblem scaled = p;
        for (std::int64_t i = 0; i < kHeadDim; ++i)
            for (double& x : scaled.query.view().row(i))
                x *= 20;
        const ScoreSolution a = ScorePlanes(p).solve(6, 6, kThorough), b = ScorePlanes(scaled).solve(6, 6, kThorough);
        QVERIFY(std::abs(a.objective - b.objective) < 1e-8);
        QVERIFY(std::abs(a.headObjective[0] - b.headObjective[0]) < 1e-5);
        QVERIFY(std::abs(std::accumulate(a.headObjective.begin(), a.headObjective.end(), 0.0) / 3 - a.objective) < 1e-12);
    }

    void windowIsTheMeanOverDisplacements_data()
    {
        QTest::addColumn<int>("dimensions");
        QTest::addColumn<int>("window");
        QTest::addColumn<QString>("spread");
        QTest::addColumn<bool>("causal");
        QTest::newRow("uniform") << 8 << 12 << "uniform" << true;
        QTest::newRow("triangular") << 8 << 12 << "triangular" << true;
        QTest::newRow("exponential") << 8 << 12 << "exponential" << true;
        QTest::newRow("both sides") << 8 << 6 << "triangular" << false;
        QTest::newRow("half of the features turn") << 4 << 9 << "triangular" << true;
    }
    void windowIsTheMeanOverDisplacements()
    {
        QFETCH(int, dimensions);
        QFETCH(int, window);
        QFETCH(QString, spread);
        QFETCH(bool, causal);
        const auto all = lowrank::displacements(window, lowrank::parseSpread(spread.toStdString()), 3, causal);
        QCOMPARE(all.size(), std::size_t(causal ? window : 2 * window - 1));
        ScoreProblem p = problem(4, 2);
        const ScoreSolution plain = ScorePlanes(p).solve(6, 5, kThorough);
        p.rotation = lowrank::MeanRotation(rope(dimensions), kHeadDim, all, window);
        QVERIFY(p.rotation.turns());
        const ScoreSolution s = ScorePlanes(p).solve(6, 5, kThorough);
        QVERIFY(std::abs(s.objective - bruteForce(p, s, rope(dimensions), all)) < 1e-12);
        // The planes are made for these displacements, not for displacement 0.
        QVERIFY(s.objective < bruteForce(p, plain, rope(dimensions), all) - 1e-4);
        for (std::size_t i = 1; i < s.history.size(); ++i)
            QVERIFY(s.history[i] <= s.history[i - 1] + 1e-13);
    }

    void windowOfOneIsThePlainForm()
    {
        ScoreProblem p = problem(4, 2);
        const ScoreSolution plain = ScorePlanes(p).solve(6, 5);
        p.rotation = lowrank::MeanRotation(rope(8), kHeadDim, lowrank::displacements(1, lowrank::Spread::Triangular, 3, true), 1);
        QVERIFY(!p.rotation.turns());
        QCOMPARE(ScorePlanes(p).solve(6, 5).query.a, plain.query.a);
        p.rotation = lowrank::MeanRotation(rope(8), kHeadDim, {{0, 0.25}, {0, 0.75}}, 1); // by the tables too
        QVERIFY(p.rotation.turns());
        QVERIFY(std::abs(ScorePlanes(p).solve(6, 5).objective - plain.objective) < 1e-13);
    }

    /// As often as a causal sequence has a displacement.
    void triangularCountsPairs()
    {
        const int tokens = 9;
        std::vector<double> counted(tokens);
        for (int query = 0; query < tokens; ++query)
            for (int key = 0; key <= query; ++key)
                counted[static_cast<std::size_t>(query - key)] += 2.0 / (tokens * (tokens + 1));
        for (const Displacement& d : lowrank::displacements(tokens, lowrank::Spread::Triangular, 1, true))
            QVERIFY(std::abs(d.weight - counted[static_cast<std::size_t>(d.distance)]) < 1e-15);
    }

    /// Statistics of fewer tokens than features: no error, the unseen directions are dropped, what was seen is exact.
    void fewTokens()
    {
        ScoreProblem p = problem(3, 3);
        const Matrix<double> x = test::gaussian(10, kWidth, 9);
        p.queryInputs = multiply(transposed(x), x);
        const ScoreSolution s = ScorePlanes(p).solve(24, 24);
        QCOMPARE(s.queryRank, 10);
        QCOMPARE(s.keyRank, 10);
        const Matrix<double> d = test::difference(multiply(s.query.b, s.query.a), p.query);
        QVERIFY(test::maxAbs(d) > 1e-2);
        QVERIFY(test::maxAbs(multiply(d, transposed(x))) < 1e-9);
    }

    void threadsChangeNothing()
    {
        const ScoreProblem p = problem(4, 2);
        const auto run = [&](int threads) {
            const ThreadLimit limit(threads);
            return ScorePlanes(p).solve(6, 5);
        };
        const ScoreSolution one = run(1), two = run(2);
        QCOMPARE(one.query.a, two.query.a);
        QCOMPARE(one.key.b, two.key.b);
    }

    void refusals()
    {
        const auto refusal = [](const std::function<void()>& body) -> QString {
            try {
                body();
            } catch (const Error& error) {
                return error.what();
            }
            return "nothing";
        };
        QCOMPARE(refusal([] { auto p = problem(3, 2); ScorePlanes planes(p); }), "3 query heads cannot share 2 key heads");
        QCOMPARE(refusal([] { auto p = problem(2, 2); p.key = Matrix<double>(3, kWidth); ScorePlanes planes(p); }), "key weights are [3, 24], expected [16, 24]");
        QCOMPARE(refusal([] { ScorePlanes(problem(2, 2)).solve(0, 3); }), "ranks of 0 and 3 were asked for, expected at least 1");
        QCOMPARE(refusal([] { auto p = problem(2, 2); p.key = Matrix<double>(16, kWidth); ScorePlanes planes(p); }),
                 "the key weights give nothing but zeros on the calibration's tokens");
        QVERIFY(refusal([] { auto p = problem(2, 2); p.query(0, 0) = NAN; ScorePlanes planes(p); }) != "nothing");
        QCOMPARE(refusal([] { lowrank::displacements(0, lowrank::Spread::Uniform, 1, true); }), "a window of 0 displacements was asked for, expected at least 1");
        QCOMPARE(refusal([] { lowrank::parseSpread("normal"); }), "normal: is no distribution of displacements: expected uniform, triangular or exponential");
        std::stop_source stop;
        stop.request_stop();
        QVERIFY(refusal([&] { ScorePlanes planes(problem(2, 2), RunContext(stop.get_token())); }) != "nothing");
    }
};

TAMIS_BLAS_TEST_MAIN(TstScorePlanes)
#include "tst_score_planes.moc"
