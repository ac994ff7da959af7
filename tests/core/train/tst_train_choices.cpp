// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/train/linear_ops.h"
#include "core/train/pointwise_ops.h"
#include "core/train/selection_ops.h"
#include "core/train/svd_op.h"
#include "tests/core/train/gradient_check.h"

#include <QtTest>

#include <cmath>

using namespace tamis;
using namespace tamis::train;
using test::checkGradients;
using test::checkGradientsAt;
using test::gaussian;
using tensor::Matrix;

/// Top-k, gates, ranks and the singular value decomposition.
class TstTrainChoices : public QObject {
    Q_OBJECT

    static void passes(const std::string& complaint) { QVERIFY2(complaint.empty(), complaint.c_str()); }

    /// q diag(s) r^T with orthonormal q [m, p], r [n, p] from a decomposition of Gaussian matrices.
    static Matrix<double> withSingularValues(std::int64_t m, std::int64_t n, const std::vector<double>& s)
    {
        Tape<double> tape;
        const auto a = gaussian(m, n, 31);
        const auto f = svd(tape.constant(a.view()));
        Matrix<double> values(1, static_cast<std::int64_t>(s.size()));
        std::ranges::copy(s, values.data());
        const auto x = linear(multiplyRow(f.u, tape.constant(values.view())), f.v);
        Matrix<double> result(m, n);
        std::copy_n(x.value().data, m * n, result.data());
        return result;
    }

    static test::DoubleVariable truncated(const std::vector<test::DoubleVariable>& x)
    {
        const auto f = svd(x[0]);
        return linear(multiplyRow(f.u, multiplyElements(f.s, rankGate(x[1], f.s.cols(), 2.0))), f.v);
    }

private slots:
    void topKKeepsTheLargest()
    {
        Tape<double> tape;
        Matrix<double> values(2, 5);
        const double entries[] = {1, 3, 3, 3, 2, -1, -5, -2, -3, -4};
        std::copy_n(entries, 10, values.data());
        const auto x = tape.input(values.view());
        const auto y = topK(x, 2);
        const double expected[] = {0, 3, 3, 0, 0, -1, 0, -2, 0, 0};
        for (int i = 0; i < 10; ++i)
            QCOMPARE(y.value().data[i], expected[i]);
        tape.backward(sumAll(scale(y, 2.0)));
        for (int i = 0; i < 10; ++i)
            QCOMPARE(tape.gradient(x).data[i], expected[i] != 0 ? 2.0 : 0.0);
        tape.reset();
        const auto again = tape.input(values.view());
        tape.backward(sumAll(topK(again, 2, ChoiceGradient::StraightThrough)));
        for (int i = 0; i < 10; ++i)
            QCOMPARE(tape.gradient(again).data[i], 1.0);
        passes(checkGradients({{4, 9}}, [](auto&, const auto& in) { return topK(in[0], 3); })); // no ties, far from a change of order
        QVERIFY_EXCEPTION_THROWN(topK(again, 6), Error);
        QVERIFY_EXCEPTION_THROWN(topK(again, 0), Error);
    }

    void bernoulliGatesOpenAsOftenAsTheyShould()
    {
        Tape<double> tape;
        Matrix<double> p(3, 20000);
        for (std::int64_t j = 0; j < p.cols(); ++j) {
            p(0, j) = 0.3;
            p(1, j) = 0;
            p(2, j) = 1;
        }
        const auto x = tape.input(p.view());
        const auto y = bernoulliGate(x, 9);
        double open = 0;
        for (std::int64_t j = 0; j < p.cols(); ++j) {
            open += y.value()(0, j) / 20000;
            QCOMPARE(y.value()(1, j), 0.0);
            QCOMPARE(y.value()(2, j), 1.0);
        }
        QVERIFY(std::abs(open - 0.3) < 0.013); // four deviations of sqrt(0.21 / 20000) = 0.0032
        tape.backward(sumAll(scale(y, 1.5)));
        QCOMPARE(tape.gradient(x)(0, 7), 1.5);
        const auto steps = stepGate(x, 0.3);
        QCOMPARE(steps.value()(0, 0), 0.0);
        QCOMPARE(steps.value()(2, 0), 1.0);
    }

    void hardConcreteGates()
    {
        const auto logits = gaussian(6, 7, 4, 2.0);
        passes(checkGradientsAt({logits}, [](auto&, const auto& x) { return hardConcreteGate(x[0], 3); }));
        passes(checkGradientsAt({logits}, [](auto&, const auto& x) { return hardConcreteMean(x[0]); }));
        passes(checkGradientsAt({logits}, [](auto&, const auto& x) { return hardConcreteOpen(x[0]); }));
        // the share of gates that are not zero is what hardConcreteOpen() says
        Tape<double> tape;
        Matrix<double> same(1, 40000);
        std::ranges::fill(same.values(), -0.5);
        const auto x = tape.constant(same.view());
        const auto gates = hardConcreteGate(x, 5);
        double open = 0;
        for (std::int64_t j = 0; j < same.cols(); ++j) {
            open += gates.value().data[j] > 0 ? 1.0 / 40000 : 0;
            QVERIFY(gates.value().data[j] >= 0 && gates.value().data[j] <= 1);
        }
        QVERIFY(std::abs(open - hardConcreteOpen(x).value().data[0]) < 0.01); // four deviations of 0.0025
        QVERIFY_EXCEPTION_THROWN(hardConcreteGate(x, 1, {.low = 0.1}), Error);
    }

    void ranksAreDifferentiable()
    {
        Tape<double> tape;
        Matrix<double> k(1, 1);
        k(0, 0) = 3.5;
        const auto gates = rankGate(tape.constant(k.view()), 8);
        double sum = 0;
        for (int i = 0; i < 8; ++i) {
            sum += gates.value().data[i];
            QVERIFY(std::abs(gates.value().data[i] - (i < 3 ? 1 : 0)) < 1e-4); // tanh(5) = 1 - 9e-5
        }
        QVERIFY(std::abs(sum - 3) < 1e-9); // open and closed ends miss by the same
        passes(checkGradientsAt({k}, [](auto&, const auto& x) { return rankGate(x[0], 8, 2.0); }));
    }

    void decompositionsPutTheMatrixTogether_data()
    {
        QTest::addColumn<int>("m");
        QTest::addColumn<int>("n");
        QTest::newRow("tall") << 7 << 4;
        QTest::newRow("wide") << 3 << 6;
        QTest::newRow("square") << 5 << 5;
        QTest::newRow("row") << 1 << 4;
    }
    void decompositionsPutTheMatrixTogether()
    {
        QFETCH(int, m);
        QFETCH(int, n);
        Tape<double> tape;
        const auto a = gaussian(m, n, 3);
        const auto f = svd(tape.constant(a.view()));
        const auto back = linear(multiplyRow(f.u, f.s), f.v);
        for (std::int64_t i = 0; i < m; ++i)
            for (std::int64_t j = 0; j < n; ++j)
                QVERIFY(std::abs(back.value()(i, j) - a(i, j)) < 1e-13);
        // all three outputs at once, each with its own random weights
        passes(checkGradients({{m, n}}, [&](Tape<double>& t, const auto& x) {
            const auto g = svd(x[0]);
            const auto p = std::min(m, n);
            const auto ru = gaussian(m, p, 60), rs = gaussian(1, p, 61), rv = gaussian(n, p, 62);
            const auto part = [&](Variable<double> v, const Matrix<double>& r) { return sumAll(multiplyElements(v, t.input(r.view()))); };
            return add(add(part(g.u, ru), part(g.s, rs)), part(g.v, rv));
        }, 1e-6)); // vectors turn by 1 / (s_i - s_j): third derivatives of some hundreds
        passes(checkGradients({{m, n}}, [](auto&, const auto& x) { return svd(x[0]).s; })); // the vectors' gradients are missing
    }

    void smoothTruncationPassesGradientsToMatrixAndRank()
    {
        auto k = gaussian(1, 1, 1);
        k(0, 0) = 2.3;
        passes(checkGradientsAt({gaussian(6, 4, 8), k}, [](auto&, const auto& x) { return truncated(x); }, 1e-6));
        // d / dk = sum_i beta / 2 (1 - tanh^2) s_i u_i^T G v_i
        Tape<double> tape;
        const auto a = gaussian(6, 4, 8), g = gaussian(6, 4, 9);
        const auto rank = tape.input(k.view());
        const auto f = svd(tape.constant(a.view()));
        tape.backward(sumAll(multiplyElements(truncated({tape.constant(a.view()), rank}), tape.constant(g.view()))));
        double expected = 0;
        for (std::int64_t i = 0; i < 4; ++i) {
            double inner = 0;
            for (std::int64_t r = 0; r < 6; ++r)
                for (std::int64_t c = 0; c < 4; ++c)
                    inner += f.u.value()(r, i) * g(r, c) * f.v.value()(c, i);
            const double t = std::tanh(2.0 * (2.3 - static_cast<double>(i + 1)));
            expected += 0.5 * 2.0 * (1 - t * t) * f.s.value().data[i] * inner;
        }
        QVERIFY(std::abs(tape.gradient(rank).data[0] - expected) < 1e-12 * std::max(1.0, std::abs(expected)));
    }

    /// Pairs of singular values at every distance: gradients stay finite and bounded, and are right where the values are
    /// separated by more than the threshold.
    void nearlyEqualSingularValues()
    {
        auto k = gaussian(1, 1, 1);
        k(0, 0) = 2.5;
        for (const double distance : {0.0, 1e-16, 1e-14, 1e-12, 1e-11, 1e-9, 1e-6}) {
            const auto a = withSingularValues(6, 4, {3, 2, 2 - distance, 1});
            const auto weights = gaussian(6, 4, 5);
            Tape<double> tape;
            const auto x = tape.input(a.view());
            tape.backward(sumAll(multiplyElements(truncated({x, tape.constant(k.view())}), tape.constant(weights.view()))));
            double largest = 0;
            for (int i = 0; i < 24; ++i) {
                QVERIFY(std::isfinite(tape.gradient(x).data[i]));
                largest = std::max(largest, std::abs(tape.gradient(x).data[i]));
            }
            // a jump of the gate of about 0.76 between two equal values: at distance d the true gradient grows as 0.76 * 2 / d;
            // beyond the threshold of 1e-10 of the square it must not
            QVERIFY2(distance > 1e-10 || largest < 1e3, qPrintable(QString("%1: %2").arg(distance).arg(largest)));
        }
        passes(checkGradientsAt({withSingularValues(6, 4, {3, 2, 1.9, 1}), k}, [](auto&, const auto& x) { return truncated(x); }, 1e-6));
        // the nuclear norm does not care about equal values: gradient u v^T
        const auto a = withSingularValues(5, 5, {2, 2, 2, 1, 1});
        Tape<double> tape;
        const auto x = tape.input(a.view());
        const auto f = svd(x);
        tape.backward(sumAll(f.s));
        for (std::int64_t i = 0; i < 5; ++i)
            for (std::int64_t j = 0; j < 5; ++j) {
                double polar = 0;
                for (std::int64_t r = 0; r < 5; ++r)
                    polar += f.u.value()(i, r) * f.v.value()(j, r);
                QVERIFY(std::abs(tape.gradient(x)(i, j) - polar) < 1e-12);
            }
    }

    void matricesWithoutFullRankAndZeros()
    {
        for (const auto& a : {withSingularValues(6, 4, {3, 1, 0, 0}), Matrix<double>(3, 2)}) {
            Tape<double> tape;
            const auto x = tape.input(a.view());
            const auto f = svd(x);
            tape.backward(add(sumSquares(f.s), add(sumAll(f.u), sumAll(f.v))));
            for (std::size_t i = 0; i < a.size(); ++i)
                QVERIFY(std::isfinite(tape.gradient(x).data[i]));
        }
        Tape<float> tape;
        Matrix<float> bad(2, 2), large(513, 513);
        bad(0, 1) = std::nanf("");
        QVERIFY_EXCEPTION_THROWN(svd(tape.constant(bad.view())), Error);
        QVERIFY_EXCEPTION_THROWN(svd(tape.constant(large.view())), Error);
    }
};

QTEST_APPLESS_MAIN(TstTrainChoices)
#include "tst_train_choices.moc"
