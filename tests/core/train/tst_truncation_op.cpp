// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/io/npz.h"
#include "core/train/linear_ops.h"
#include "core/train/loss_ops.h"
#include "core/train/optimiser.h"
#include "core/train/pointwise_ops.h"
#include "core/train/selection_ops.h"
#include "core/train/svd_op.h"
#include "core/train/truncation_op.h"
#include "tests/core/train/gradient_check.h"

#include <QtTest>

#include <cmath>

using namespace tamis;
using namespace tamis::train;
using tensor::Matrix;
using test::checkGradientsAt;
using test::gaussian;
using V = Variable<double>;

/// Truncated activations against the singular value decomposition's own operation, difference quotients, a closed form and PyTorch.
class TstTruncationOp : public QObject {
    Q_OBJECT

    static void passes(const std::string& complaint) { QVERIFY2(complaint.empty(), complaint.c_str()); }

    static Matrix<double> withSingularValues(std::int64_t m, std::int64_t n, const std::vector<double>& s, unsigned seed = 31)
    {
        Tape<double> tape;
        const auto a = gaussian(m, n, seed);
        const auto f = svd(tape.constant(a.view()));
        Matrix<double> values(1, static_cast<std::int64_t>(s.size())), result(m, n);
        std::ranges::copy(s, values.data());
        std::copy_n(linear(multiplyRow(f.u, tape.constant(values.view())), f.v).value().data, m * n, result.data());
        return result;
    }
    static Matrix<double> rowOf(std::initializer_list<double> values)
    {
        Matrix<double> row(1, static_cast<std::int64_t>(values.size()));
        std::ranges::copy(values, row.data());
        return row;
    }
    /// d sum(R o y) / dx by this operation, or by the composition of svd() with products.
    static Matrix<double> slopes(const Matrix<double>& a, const Matrix<double>& gates, bool composed)
    {
        Tape<double> tape;
        const auto weights = gaussian(a.rows(), a.cols(), 5);
        const V x = tape.input(a.view()), g = tape.constant(gates.view());
        V y;
        if (composed) {
            const auto f = svd(x);
            y = linear(multiplyRow(f.u, multiplyElements(f.s, g)), f.v);
        } else {
            y = truncateRows(x, g, a.rows());
        }
        tape.backward(sumAll(multiplyElements(y, tape.constant(weights.view()))));
        Matrix<double> result(a.rows(), a.cols());
        std::copy_n(tape.gradient(x).data, result.size(), result.data());
        return result;
    }
    static double apart(const Matrix<double>& a, const Matrix<double>& b)
    {
        double most = 0;
        for (std::size_t i = 0; i < a.size(); ++i)
            most = std::max(most, std::abs(a.values()[i] - b.values()[i]));
        return most;
    }

private slots:
    void decompositionsAreThin_data()
    {
        QTest::addColumn<int>("m");
        QTest::addColumn<int>("n");
        QTest::newRow("tall") << 9 << 4;
        QTest::newRow("wide") << 4 << 9;
        QTest::newRow("row") << 1 << 5;
    }
    void decompositionsAreThin()
    {
        QFETCH(int, m);
        QFETCH(int, n);
        const auto a = gaussian(m, n, 3);
        const RowSpace f = rowSpace(a.view());
        QCOMPARE(f.s.size(), std::size_t(std::min(m, n)));
        for (int i = 0; i < m; ++i)
            for (int j = 0; j < n; ++j) {
                double sum = 0;
                for (std::size_t k = 0; k < f.s.size(); ++k)
                    sum += f.u(std::int64_t(k), i) * f.s[k] * f.v(std::int64_t(k), j);
                QVERIFY(std::abs(sum - a(i, j)) < 1e-12); // double through the squares of well separated values
            }
        const auto poor = withSingularValues(6, 4, {2, 1, 1e-9, 0});
        QCOMPARE(rowSpace(poor.view()).s.size(), std::size_t(2)); // what is below 3e-7 of the largest is left out
        Matrix<double> zero(3, 2);
        QVERIFY(rowSpace(zero.view()).s.empty());
    }

    /// Two samples in one variable, each against svd() of its own rows.
    void everySampleIsTruncatedAlone()
    {
        const auto a = gaussian(10, 4, 3);
        const auto gates = rowOf({1, 0.7, 0.2, 0, 0.9}); // one more than a sample needs
        Tape<double> tape;
        const V y = truncateRows(tape.constant(a.view()), tape.constant(gates.view()), 5);
        for (int sample = 0; sample < 2; ++sample) {
            const auto f = svd(tape.constant({a.data() + sample * 20, 5, 4, 4}));
            const auto first = rowOf({1, 0.7, 0.2, 0});
            const V expected = linear(multiplyRow(f.u, multiplyElements(f.s, tape.constant(first.view()))), f.v);
            for (int i = 0; i < 20; ++i)
                QVERIFY(std::abs(y.value().data[sample * 20 + i] - expected.value().data[i]) < 1e-13);
        }
    }

    void gradientsAgreeWithDifferences_data()
    {
        QTest::addColumn<int>("m");
        QTest::addColumn<int>("n");
        QTest::newRow("tall") << 7 << 4;
        QTest::newRow("wide") << 4 << 7;
        QTest::newRow("square") << 5 << 5;
        QTest::newRow("row") << 1 << 4;
    }
    void gradientsAgreeWithDifferences()
    {
        QFETCH(int, m);
        QFETCH(int, n);
        // both samples and the gates at once; vectors turn by 1 / (s_i - s_j): third derivatives of some hundreds, hence 1e-6
        const auto build = [m](auto&, const auto& x) { return truncateRows(x[0], x[1], m); };
        passes(checkGradientsAt({gaussian(2 * m, n, 8), gaussian(1, std::min(m, n), 9)}, build, 1e-6));
    }

    /// Equal singular values behind equal gates: the truncation is smooth there, whatever stands for 1 / (s_j^2 - s_i^2).
    void equalValuesWithEqualGatesAreExact()
    {
        for (const double distance : {0.0, 1e-13, 1e-11, 1e-8}) {
            const auto gates = rowOf({0.9, 0.5, 0.5, 0.1});
            passes(checkGradientsAt({withSingularValues(6, 4, {3, 2, 2 - distance, 1})}, [&](auto& t, const auto& x) { return truncateRows(x[0], t.input(gates.view()), 6); }, 1e-6));
        }
    }

    /// Unequal gates: exact down to the threshold (the twin composes svd()), bounded below it, where the true slope grows as 1 / distance.
    void nearlyEqualValuesStayBounded()
    {
        const auto gates = rowOf({1, 1, 0.2, 0});
        for (const double distance : {1.0, 1e-2, 1e-4, 1e-6}) {
            const auto a = withSingularValues(6, 4, {3, 2, 2 - distance, 0.7});
            const auto own = slopes(a, gates, false), twin = slopes(a, gates, true);
            double size = 0;
            for (const double value : twin.values())
                size = std::max(size, std::abs(value));
            // vectors of values `distance` apart are good to eps / distance, and the slope divides by it once more
            QVERIFY2(apart(own, twin) <= 1e-13 / distance * size + 1e-12 * size, qPrintable(QString("%1: %2").arg(distance).arg(apart(own, twin) / size)));
        }
        for (const double distance : {0.0, 1e-16, 1e-14, 1e-12, 1e-11}) {
            const auto own = slopes(withSingularValues(6, 4, {3, 2, 2 - distance, 1}), gates, false);
            // eleven terms of at most 1 / s^2 stand for it: s^2 times that times the gates' jump of 0.8 and |R| of some 5
            for (const double value : own.values())
                QVERIFY2(std::isfinite(value) && std::abs(value) < 2 * 11 * 0.8 * 5, qPrintable(QString("%1: %2").arg(distance).arg(value)));
        }
        // just below the threshold the series is what counts: sum of q^2k, k <= 10, is 11 to 1e-9 there
        const double s = 2, t = 2 - 5e-11;
        const auto a = withSingularValues(6, 4, {3, s, t, 1});
        const auto close = slopes(a, gates, false), equalGates = slopes(a, rowOf({1, 0.6, 0.6, 0}), false);
        QVERIFY(apart(close, equalGates) > 1); // the series' part, 11 s^2 / s^2 0.8 / 2 |M|, is there
    }

    /// Vanishing values: as smooth as the truncation itself when their gates are shut, finite whatever the gates.
    void vanishingValuesAreHarmless()
    {
        const auto shut = rowOf({1, 0.4, 0, 0}), open = rowOf({1, 0.4, 0.3, 0.9});
        for (const auto& s : {std::vector<double>{3, 2, 0, 0}, {3, 2, 1e-9, 0}, {3, 2, 1e-3, 1e-5}})
            passes(checkGradientsAt({withSingularValues(6, 4, s)}, [&](auto& t, const auto& x) { return truncateRows(x[0], t.input(shut.view()), 6); }, 1e-6));
        for (const auto& a : {withSingularValues(6, 4, {3, 1, 0, 0}), withSingularValues(6, 4, {3, 1, 1e-12, 1e-13}), Matrix<double>(6, 4)}) {
            const auto own = slopes(a, open, false);
            for (const double value : own.values())
                QVERIFY2(std::isfinite(value) && std::abs(value) < 100, qPrintable(QString("%1").arg(value)));
        }
    }

    /// d loss / d k = sum_i beta / 2 (1 - tanh^2(beta (k - i))) s_i u_i^T G v_i
    void slopeOfTheRankIsTheClosedForm()
    {
        for (const double beta : {2.0, 10.0}) {
            const auto a = gaussian(6, 4, 8), g = gaussian(6, 4, 9), start = rowOf({2.3});
            Tape<double> tape;
            const V k = tape.input(start.view());
            tape.backward(sumAll(multiplyElements(truncateRows(tape.constant(a.view()), rankGate(k, 4, beta), 6), tape.constant(g.view()))));
            const RowSpace f = rowSpace(a.view());
            double expected = 0;
            for (std::int64_t i = 0; i < 4; ++i) {
                double inner = 0;
                for (std::int64_t r = 0; r < 6; ++r)
                    for (std::int64_t c = 0; c < 4; ++c)
                        inner += f.u(i, r) * g(r, c) * f.v(i, c);
                const double t = std::tanh(beta * (2.3 - double(i + 1)));
                expected += 0.5 * beta * (1 - t * t) * f.s[std::size_t(i)] * inner;
            }
            QVERIFY(std::abs(tape.gradient(k).data[0] - expected) < 1e-12 * std::max(1.0, std::abs(expected)));
            passes(checkGradientsAt({start}, [&](auto& t, const auto& x) { return truncateRows(t.constant(a.view()), rankGate(x[0], 4, beta), 6); }, 1e-6));
        }
    }

    /// With the decomposition for a constant, the operation is its own projection, values and slopes.
    void projectionIsThatOfTheGivenVectors()
    {
        const auto a = gaussian(10, 4, 3), weights = gaussian(10, 4, 5), gates = rowOf({1, 0.7, 0.2, 0});
        std::vector<Matrix<double>> vectors;
        for (int sample = 0; sample < 2; ++sample)
            vectors.push_back(rowSpace({a.data() + sample * 20, 5, 4, 4}).v);
        Matrix<double> results[2], gateSlopes[2];
        for (const bool given : {false, true}) {
            Tape<double> tape;
            const V x = tape.input(a.view()), g = tape.input(gates.view());
            const V y = given ? projectRows<double>(x, g, {vectors[0].view(), vectors[1].view()}) : truncateRows(x, g, 5, TruncationGradient::Projection);
            tape.backward(sumAll(multiplyElements(y, tape.constant(weights.view()))));
            results[given] = Matrix<double>(20, 4);
            std::copy_n(y.value().data, 40, results[given].data());
            std::copy_n(tape.gradient(x).data, 40, results[given].data() + 40);
            gateSlopes[given] = Matrix<double>(1, 4);
            std::copy_n(tape.gradient(g).data, 4, gateSlopes[given].data());
        }
        QVERIFY(apart(results[0], results[1]) < 1e-12);
        QVERIFY(apart(gateSlopes[0], gateSlopes[1]) < 1e-12); // x v_i = s_i u_i
        passes(checkGradientsAt({a, gates}, [&](auto&, const auto& x) { return projectRows<double>(x[0], x[1], {vectors[0].view(), vectors[1].view()}); }));
    }

    void threadsDoNotChangeABit()
    {
        const auto run = [] {
            Tape<double> tape;
            const auto a = gaussian(60, 9, 3), gates = gaussian(1, 9, 4);
            const V x = tape.input(a.view()), g = tape.input(gates.view());
            tape.backward(sumSquares(truncateRows(x, g, 10)));
            Matrix<double> all(1, 549);
            std::copy_n(tape.gradient(x).data, 540, all.data());
            std::copy_n(tape.gradient(g).data, 9, all.data() + 540);
            return all;
        };
        const auto many = run();
        const ThreadLimit limit(1);
        QVERIFY(many == run());
    }

    void badInputIsRefused()
    {
        Tape<float> tape;
        Matrix<float> bad(4, 3), gates(1, 2), enough(1, 3);
        QVERIFY_EXCEPTION_THROWN(truncateRows(tape.constant(bad.view()), tape.constant(gates.view()), 4), Error);
        QVERIFY_EXCEPTION_THROWN(truncateRows(tape.constant(bad.view()), tape.constant(enough.view()), 3), Error);
        bad(2, 1) = std::nanf("");
        try {
            truncateRows(tape.constant(bad.view()), tape.constant(enough.view()), 4);
            QFAIL("NaN was decomposed");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::NonFinite);
        }
        Matrix<float> basis(2, 4);
        QVERIFY_EXCEPTION_THROWN(projectRows<float>(tape.constant(bad.view()), tape.constant(enough.view()), {basis.view()}), Error);
    }

    /// Loss, gradients of the ranks and two steps of Adam are PyTorch's: torch.linalg.svd and autograd in double. 1e-10: a chain of two
    /// decompositions, each good to eps / gap.
    void stepsAreThoseOfPyTorch()
    {
        const auto golden = io::NpzArchive::open(std::filesystem::path(TAMIS_SOURCE_DIR) / "tests" / "golden" / "dobi_golden.npz");
        const auto matrix = [&](const char* name) { return golden->read(name).toDoubleMatrix(); };
        const auto x = matrix("x"), w1 = matrix("w1"), w2 = matrix("w2"), gradients = matrix("gradients"), ranks = matrix("ranks");
        const auto bias = golden->read("bias").toDoubles(), labels = golden->read("labels").toDoubles(), tasks = golden->read("tasks").toDoubles();
        const std::vector<std::int32_t> classes(labels.begin(), labels.end());
        ParameterSet<double> set;
        Parameter<double>* k[] = {&set.add("k1", {1, 1}, {2.3}), &set.add("k2", {1, 1}, {1.6})};
        Optimiser<double> optimiser(set, {.weightDecay = 0});
        const double rows[] = {7, 4}, cols[] = {6, 7}, dense = 7 * 6 + 4 * 7;
        Tape<double> tape;
        for (int step = 0; step < 2; ++step) {
            tape.reset();
            set.zeroGradients();
            const auto number = [&](double value) { return tape.input(rowOf({value}).view()); };
            const V v1 = tape.parameter(*k[0]), v2 = tape.parameter(*k[1]);
            const V hidden = activation(truncateRows(linear(tape.constant(x.view()), tape.constant(w1.view())), rankGate(v1, 5, 2), 5), kernels::Activation::Tanh);
            const V out = truncateRows(linear(hidden, tape.constant(w2.view())), rankGate(v2, 4, 2), 5);
            const V task = crossEntropy<double>(addRow(out, tape.constant({bias.data(), 1, 4, 4})), classes);
            V loss = scale(task, std::exp(tape.scalar(task))), share;
            for (int i = 0; i < 2; ++i) {
                const V rank = add(i == 0 ? v1 : v2, number(-0.5));
                const auto excess = [](V over) { return sumSquares(activation(over, kernels::Activation::Relu)); };
                loss = add(loss, add(excess(subtract(number(1), rank)), excess(subtract(rank, number(rows[i] * cols[i] / (rows[i] + cols[i]))))));
                const V part = scale(rank, (rows[i] + cols[i]) / dense);
                share = share ? add(share, part) : part;
            }
            loss = add(loss, scale(share, tape.scalar(share) > 0.35 ? 20.0 : -20.0));
            tape.backward(loss);
            QVERIFY(std::abs(tape.scalar(task) - tasks[std::size_t(step)]) < 1e-11);
            for (int i = 0; i < 2; ++i)
                QVERIFY2(std::abs(k[i]->gradient.data()[0] - gradients(step, i)) < 1e-10 * std::max(1.0, std::abs(gradients(step, i))),
                         qPrintable(QString("%1 instead of %2").arg(k[i]->gradient.data()[0], 0, 'g', 15).arg(gradients(step, i), 0, 'g', 15)));
            optimiser.step(0.05);
            for (int i = 0; i < 2; ++i)
                QVERIFY(std::abs(k[i]->values.data()[0] - ranks(step, i)) < 1e-9);
        }
    }
};

QTEST_APPLESS_MAIN(TstTruncationOp)
#include "tst_truncation_op.moc"
