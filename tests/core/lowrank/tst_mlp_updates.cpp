// SPDX-License-Identifier: GPL-3.0-or-later
// The block updates of the joint up and down problem against one-dimensional search, normal equations and NumPy.
#include "core/base/error.h"
#include "core/io/npz.h"
#include "core/linalg/gemm.h"
#include "core/lowrank/mlp_alternation.h"
#include "tests/core/linalg/matrices.h"

#include <QTest>

#include <cmath>
#include <functional>
#include <random>

using namespace tamis;
using kernels::Activation;
using tensor::Matrix;

namespace {
/// The least value of `f` on [centre - reach, centre + reach] on a grid of 2,001 points, refined twice around its best point.
double leastOnGrid(const std::function<double(double)>& f, double centre, double reach)
{
    double best = f(centre);
    for (int round = 0; round < 3; ++round) {
        double at = centre;
        for (int i = 0; i <= 2000; ++i) {
            const double z = centre - reach + 2 * reach * i / 2000;
            if (const double value = f(z); value < best) {
                best = value;
                at = z;
            }
        }
        centre = at;
        reach /= 500;
    }
    return best;
}

struct Draw {
    double m, p, alpha, gamma, z;
};
/// Targets on both sides and near the dip of gelu and silu; weights over four decades.
std::vector<Draw> draws(std::size_t count)
{
    std::mt19937_64 random(5);
    std::normal_distribution<double> normal;
    std::uniform_real_distribution<double> uniform(-1, 1);
    std::vector<Draw> all;
    for (std::size_t i = 0; i < count; ++i) {
        Draw draw{3 * normal(random), i % 2 == 0 ? 3 * normal(random) : 0.3 * uniform(random) - 0.1, std::pow(10.0, uniform(random)), std::pow(10.0, uniform(random)),
                  2 * normal(random)};
        all.push_back(draw);
    }
    return all;
}

Matrix<double> matrixOf(const io::NpzArchive& archive, const std::string& name) { return archive.read(name).toDoubleMatrix(); }

double worst(const Matrix<double>& a, const Matrix<double>& b)
{
    double difference = a.rows() == b.rows() && a.cols() == b.cols() ? 0 : 1e9;
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
        difference = std::max(difference, std::abs(a.values()[i] - b.values()[i]));
    return difference;
}

Matrix<double> productOf(const lowrank::FittedPair& pair) { return linalg::product(pair.b.view(), pair.a.view()); }

/// A small gated or plain MLP with rows that are correlated.
lowrank::MlpWeights weightsOf(Activation activation, bool gated)
{
    lowrank::MlpWeights weights{.up = test::gaussian(24, 10, 1), .gate = {}, .down = test::gaussian(8, 24, 2), .upBias = {}, .gateBias = {}, .activation = activation};
    if (gated)
        weights.gate = test::gaussian(24, 10, 3);
    else
        for (int j = 0; j < 24; ++j)
            weights.upBias.push_back(std::sin(j));
    return weights;
}

lowrank::MlpFactors separateFactors(const lowrank::MlpWeights& weights, const Matrix<double>& x)
{
    const Matrix<double> hidden = lowrank::hiddenOf(weights, nullptr, x);
    const auto fit = [](const Matrix<double>& inputs, const Matrix<double>& w, std::int64_t rank) {
        return lowrank::fitPair(inputs, linalg::product(linalg::Op::None, linalg::Op::Transpose, inputs.view(), w.view()), w, 1e-6, rank);
    };
    return {fit(x, weights.up, 4), weights.gated() ? fit(x, weights.gate, 4) : lowrank::FittedPair{}, fit(hidden, weights.down, 4)};
}
} // namespace

class TestMlpUpdates : public QObject {
    Q_OBJECT
private slots:
    /// Values, slopes and curvatures against difference quotients: h = 1e-5, truncation 1e-10, rounding 1e-11; curvatures from
    /// slopes alike.
    void activationsAndTheirDerivatives()
    {
        for (const Activation activation : {Activation::None, Activation::Gelu, Activation::GeluTanh, Activation::QuickGelu, Activation::Silu, Activation::Tanh})
            for (double z = -6; z < 6; z += 0.173) {
                const double h = 1e-5;
                const auto at = lowrank::activationAt(activation, z), above = lowrank::activationAt(activation, z + h), below = lowrank::activationAt(activation, z - h);
                QVERIFY(std::abs((above.value - below.value) / (2 * h) - at.slope) < 1e-8);
                QVERIFY(std::abs((above.slope - below.slope) / (2 * h) - at.curvature) < 1e-8);
            }
        // PyTorch: gelu(-0.7), gelu(-0.7, approximate="tanh"), silu(-0.7)
        QVERIFY(std::abs(lowrank::activationAt(Activation::Gelu, -0.7).value - -0.16937456) < 1e-7);
        QVERIFY(std::abs(lowrank::activationAt(Activation::GeluTanh, -0.7).value - -0.16942987) < 1e-7);
        QVERIFY(std::abs(lowrank::activationAt(Activation::Silu, -0.7).value - -0.23226856) < 1e-7);
    }

    /// No point of the grid is lower: the grid's own best is above the minimum by curvature times the square of its spacing.
    void preActivationsAreMinimisers()
    {
        for (const Draw& d : draws(200)) {
            const double reach = std::sqrt(d.gamma / d.alpha) * (std::abs(d.p) + std::abs(d.m) + 1) + 1; // beyond it, alpha's term alone exceeds the value at m
            for (const Activation activation : {Activation::Relu, Activation::Gelu, Activation::GeluTanh, Activation::QuickGelu, Activation::Silu}) {
                const auto value = [&](double z) { return d.alpha * std::pow(z - d.m, 2) + d.gamma * std::pow(d.p - lowrank::activationAt(activation, z).value, 2); };
                const double z = activation == Activation::Relu ? lowrank::reluUpdate(d.m, d.p, d.alpha, d.gamma) : lowrank::smoothUpdate(activation, d.m, d.p, d.alpha, d.gamma);
                const double least = leastOnGrid(value, d.m, reach), size = 1 + value(d.m);
                QVERIFY2(value(z) <= least + 1e-10 * size, qPrintable(QString("activation %1, m %2, p %3, alpha %4, gamma %5: %6 at %7, grid %8")
                                                                          .arg(int(activation)).arg(d.m).arg(d.p).arg(d.alpha).arg(d.gamma).arg(value(z)).arg(z).arg(least)));
                if (activation != Activation::Relu) {
                    const auto g = lowrank::activationAt(activation, z);
                    const double slope = 2 * d.alpha * (z - d.m) - 2 * d.gamma * (d.p - g.value) * g.slope;
                    QVERIFY2(std::abs(slope) < 1e-7 * (d.alpha * (1 + std::abs(d.m)) + d.gamma * (1 + std::abs(d.p))), qPrintable(QString::number(slope)));
                }
            }
            const double a = lowrank::activationAt(Activation::Silu, d.z).value;
            const auto value = [&](double z) { return d.alpha * std::pow(z - d.m, 2) + d.gamma * std::pow(d.p - a * z, 2); };
            QVERIFY(value(lowrank::gatedUpdate(d.m, d.p, a, d.alpha, d.gamma)) <= leastOnGrid(value, d.m, reach) + 1e-10 * (1 + value(d.m)));
        }
    }

    /// Steps are the published ones where they descend, never climb, and 0 steps find the minimum.
    void gatesDescend()
    {
        int asPublished = 0;
        for (const Draw& d : draws(200)) {
            const double s = d.m + 0.5, g = d.m;
            const auto value = [&](double at) { return d.alpha * std::pow(at - g, 2) + d.gamma * std::pow(d.p - lowrank::activationAt(Activation::Silu, at).value * d.z, 2); };
            const auto slope = [&](double at) { // by differences
                return (value(at + 1e-6) - value(at - 1e-6)) / 2e-6;
            };
            const double once = lowrank::gateUpdate(Activation::Silu, s, g, d.z, d.p, d.alpha, d.gamma, 1, 0.01), plain = s - 0.01 * slope(s);
            if (value(plain) <= value(s)) {
                ++asPublished;
                QVERIFY(std::abs(once - plain) < 1e-6 * (1 + std::abs(slope(s)))); // the quotient's rounding, times the rate
            }
            QVERIFY(value(once) <= value(s));
            QVERIFY(value(lowrank::gateUpdate(Activation::Silu, s, g, d.z, d.p, d.alpha, d.gamma, 2, 0.01)) <= value(once));
            const double exact = lowrank::gateUpdate(Activation::Silu, s, g, d.z, d.p, d.alpha, d.gamma, 0, 0.01);
            const double reach = std::sqrt(value(g) / d.alpha) + 1;
            QVERIFY2(value(exact) <= leastOnGrid(value, g, reach) + 1e-9 * (1 + value(g)), qPrintable(QString("%1 %2 %3").arg(d.m).arg(d.p).arg(d.z)));
        }
        QVERIFY(asPublished > 150);
    }

    /// The gradient of gamma |p - f|^2 + beta |p W2^T - Y|^2 vanishes: residual to rounding (condition below 1e4 here).
    void hiddenValuesSolveTheirEquations()
    {
        const Matrix<double> f = test::gaussian(9, 14, 1), y = test::gaussian(9, 5, 2), w2 = test::gaussian(5, 14, 3);
        const double beta = 0.7, gamma = 0.2;
        const Matrix<double> p = lowrank::hiddenUpdate(f, y, w2, beta, gamma);
        const Matrix<double> out = linalg::product(linalg::Op::None, linalg::Op::Transpose, p.view(), w2.view());
        for (std::int64_t t = 0; t < 9; ++t)
            for (std::int64_t j = 0; j < 14; ++j) {
                double slope = gamma * (p(t, j) - f(t, j));
                for (std::int64_t i = 0; i < 5; ++i)
                    slope += beta * (out(t, i) - y(t, i)) * w2(i, j);
                QVERIFY(std::abs(slope) < 1e-12);
            }
        QVERIFY_EXCEPTION_THROWN((void)lowrank::hiddenUpdate(f, y, w2, 1, 0), Error); // W2^T W2 has rank 5 of 14
    }

    /// Of 200 random pairs near the fitted one, none is better; and at full rank it solves the normal equations.
    void pairsAreOptimal()
    {
        const Matrix<double> x = test::gaussian(30, 7, 1), target = test::gaussian(30, 6, 2), prior = test::gaussian(6, 7, 3);
        const double ridge = 2;
        const auto value = [&](const Matrix<double>& w) {
            Matrix<double> error = target, distance = prior;
            linalg::gemm(linalg::Op::None, linalg::Op::Transpose, -1, x.view(), w.view(), 1, error.view());
            for (std::size_t i = 0; i < w.size(); ++i)
                distance.values()[i] -= w.values()[i];
            return linalg::squaredNorm(error.view()) + ridge * linalg::squaredNorm(distance.view());
        };
        const auto pair = lowrank::fitPair(x, target, prior, ridge, 3);
        const double least = value(productOf(pair));
        for (unsigned trial = 0; trial < 200; ++trial) {
            lowrank::FittedPair other = pair;
            const double scale = trial % 2 ? 1e-3 : 0.3;
            for (auto* side : {&other.b, &other.a}) {
                const Matrix<double> noise = test::gaussian(side->rows(), side->cols(), 100 + trial);
                for (std::size_t i = 0; i < noise.size(); ++i)
                    side->values()[i] += scale * noise.values()[i];
            }
            QVERIFY(value(productOf(other)) >= least * (1 - 1e-12));
        }
        const Matrix<double> w = productOf(lowrank::fitPair(x, target, prior, ridge, 6));
        const Matrix<double> fitted = linalg::product(linalg::Op::None, linalg::Op::Transpose, x.view(), w.view());
        for (std::int64_t i = 0; i < 6; ++i)
            for (std::int64_t j = 0; j < 7; ++j) {
                double slope = ridge * (w(i, j) - prior(i, j));
                for (std::int64_t t = 0; t < 30; ++t)
                    slope += (fitted(t, i) - target(t, i)) * x(t, j);
                QVERIFY(std::abs(slope) < 1e-10);
            }
    }

    /// Two rounds against NumPy, which inverts and decomposes where Tamis solves: 1e-9 of values of size 10.
    void reluRoundsAreNumPys()
    {
        const auto golden = io::NpzArchive::open(std::filesystem::path(TAMIS_SOURCE_DIR) / "tests" / "golden" / "mlp_updates.npz");
        const auto penalties = golden->read("penalties").toDoubles();
        lowrank::MlpWeights weights{.up = matrixOf(*golden, "up"), .gate = {}, .down = matrixOf(*golden, "down"), .upBias = golden->read("up_bias").toDoubles(), .gateBias = {},
                                    .activation = Activation::Relu};
        const Matrix<double> x = matrixOf(*golden, "x");
        const auto ranks = golden->read("ranks").toDoubles();
        const auto zero = [](std::int64_t m, std::int64_t n, double r) { return lowrank::FittedPair{Matrix<double>(m, std::int64_t(r)), Matrix<double>(std::int64_t(r), n)}; };
        const lowrank::MlpFactors start{zero(10, 6, ranks[0]), {}, zero(5, 10, ranks[1])}; // worse than what comes: only its ranks count
        for (int rounds = 1; rounds <= 2; ++rounds) {
            const auto solution = lowrank::alternateMlp(weights, start, x, {}, {.penalties = {penalties[0], penalties[1], penalties[2]}, .iterations = rounds,
                                                                                 .damping = golden->read("damping").toDoubles()[0], .refit = false});
            const std::string k = std::to_string(rounds - 1);
            QCOMPARE(solution.objective.size(), std::size_t(1 + 3 * rounds));
            const double objective = golden->read("objective." + k).toDoubles()[0], error = golden->read("error." + k).toDoubles()[0];
            QVERIFY2(std::abs(solution.objective.back() - objective) < 1e-9 * objective, qPrintable(QString("%1, expected %2").arg(solution.objective.back()).arg(objective)));
            QVERIFY(std::abs(solution.checkError.back() - error) < 1e-9 * error);
            if (solution.bestIteration == rounds) {
                QVERIFY(worst(productOf(solution.factors.up), matrixOf(*golden, "up." + k)) < 1e-8);
                QVERIFY(worst(productOf(solution.factors.down), matrixOf(*golden, "down." + k)) < 1e-8);
            }
            QVERIFY(rounds == 2 || solution.bestIteration == 1);
        }
    }

    void objectiveNeverRises_data()
    {
        QTest::addColumn<int>("activation");
        QTest::addColumn<bool>("gated");
        QTest::addColumn<int>("gateSteps");
        QTest::newRow("relu") << int(Activation::Relu) << false << 2;
        QTest::newRow("gelu") << int(Activation::Gelu) << false << 2;
        QTest::newRow("swiglu, steps") << int(Activation::Silu) << true << 2;
        QTest::newRow("swiglu, exact") << int(Activation::Silu) << true << 0;
    }
    /// After any block's update it is at most what it was (to rounding), it falls in all, and the kept factors never lose more than the start
    /// on the rows they are judged by.
    void objectiveNeverRises()
    {
        QFETCH(int, activation);
        QFETCH(bool, gated);
        QFETCH(int, gateSteps);
        const auto weights = weightsOf(Activation(activation), gated);
        const Matrix<double> x = test::gaussian(300, 10, 20), check = test::gaussian(100, 10, 21);
        const auto start = separateFactors(weights, x);
        for (const lowrank::MlpPenalties penalties : {lowrank::MlpPenalties{0.1, 0.1, 0.1}, {5, 5, 5}, {1, 0.01, 10}}) {
            const auto solution = lowrank::alternateMlp(weights, start, x, check, {.penalties = penalties, .iterations = 5, .gateSteps = gateSteps});
            QCOMPARE(solution.objective.size(), std::size_t(1 + 5 * (gated ? 4 : 3)));
            for (std::size_t i = 1; i < solution.objective.size(); ++i)
                QVERIFY2(solution.objective[i] <= solution.objective[i - 1] * (1 + 1e-12), qPrintable(QString("update %1: %2 after %3").arg(i).arg(solution.objective[i]).arg(solution.objective[i - 1])));
            QVERIFY(solution.objective.back() < 0.99 * solution.objective.front());
            const double kept = lowrank::outputError(weights, solution.factors, check), separate = lowrank::outputError(weights, start, check);
            QVERIFY(kept <= separate);
            QVERIFY(solution.bestIteration > 0 && kept < separate); // the refit finds something here
            QCOMPARE(solution.checkError.front(), separate);
            QCOMPARE(solution.checkError.size(), std::size_t(6));
        }
    }

    /// Factors that cannot be improved: full rank has no error, and the start is kept.
    void fullRankKeepsTheStart()
    {
        const auto weights = weightsOf(Activation::Gelu, false);
        const Matrix<double> x = test::gaussian(100, 10, 20);
        Matrix<double> identityUp(10, 10), identityDown(8, 8);
        for (std::int64_t i = 0; i < 10; ++i)
            identityUp(i, i) = 1;
        for (std::int64_t i = 0; i < 8; ++i)
            identityDown(i, i) = 1;
        const lowrank::MlpFactors exact{{weights.up, identityUp}, {}, {identityDown, weights.down}};
        const auto solution = lowrank::alternateMlp(weights, exact, x, {}, {.iterations = 1});
        QVERIFY(solution.checkError.front() < 1e-28);
        QVERIFY(solution.objective.front() < 1e-20);
        QVERIFY(lowrank::outputError(weights, solution.factors, x) <= solution.checkError.front());
    }
};

QTEST_APPLESS_MAIN(TestMlpUpdates)
#include "tst_mlp_updates.moc"
