// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/train/linear_ops.h"
#include "core/train/norm_ops.h"
#include "core/train/pointwise_ops.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/train/gradient_check.h"

#include <QtTest>

using namespace tamis;
using namespace tamis::train;
using kernels::Activation;
using test::checkGradients;

/// Gradients of products, norms and pointwise operations against central differences.
class TstTrainOps : public QObject {
    Q_OBJECT

    static void passes(const std::string& complaint) { QVERIFY2(complaint.empty(), complaint.c_str()); }

private slots:
    void linearWithBias()
    {
        passes(checkGradients({{5, 3}, {4, 3}, {1, 4}}, [](auto&, const auto& x) { return linear(x[0], x[1], x[2]); }));
    }
    void linearWithActivation_data()
    {
        QTest::addColumn<int>("kind");
        for (const Activation kind : {Activation::Gelu, Activation::GeluTanh, Activation::QuickGelu, Activation::Silu, Activation::Tanh, Activation::Relu})
            QTest::newRow(std::to_string(static_cast<int>(kind)).c_str()) << static_cast<int>(kind);
    }
    void linearWithActivation()
    {
        QFETCH(int, kind);
        passes(checkGradients({{5, 3}, {4, 3}, {1, 4}},
                              [kind](auto&, const auto& x) { return linear(x[0], x[1], x[2], static_cast<Activation>(kind)); }));
        passes(checkGradients({{5, 3}}, [kind](auto&, const auto& x) { return activation(x[0], static_cast<Activation>(kind)); }));
        passes(checkGradients({{5, 3}, {5, 3}}, [kind](auto&, const auto& x) { return gatedProduct(x[0], x[1], static_cast<Activation>(kind)); }));
    }
    void linearOntoAResidual()
    {
        passes(checkGradients({{5, 3}, {4, 3}, {1, 4}, {5, 4}}, [](auto&, const auto& x) { return linearResidual(x[0], x[1], x[2], x[3]); }));
        // the residual feeds its own branch, as in a transformer
        passes(checkGradients({{5, 4}, {4, 4}}, [](auto&, const auto& x) {
            const auto first = linearResidual(x[0], x[1], {}, x[0]);
            return linearResidual(activation(first, Activation::Gelu), x[1], {}, first);
        }));
    }
    void lowRankFactorsAndTheirProduct()
    {
        passes(checkGradients({{5, 6}, {4, 2}, {2, 6}, {1, 4}}, [](auto&, const auto& x) { return lowRankLinear(x[0], x[1], x[2], x[3]); }));
        passes(checkGradients({{5, 3}, {3, 4}}, [](auto&, const auto& x) { return product(x[0], x[1]); }));
        Tape<double> tape;
        const auto x = test::gaussian(5, 6, 1), b = test::gaussian(4, 2, 2), a = test::gaussian(2, 6, 3);
        const auto factored = lowRankLinear(tape.constant(x.view()), tape.constant(b.view()), tape.constant(a.view()));
        const auto whole = linear(tape.constant(x.view()), product(tape.constant(b.view()), tape.constant(a.view())));
        for (std::int64_t i = 0; i < 5; ++i)
            for (std::int64_t j = 0; j < 4; ++j)
                QVERIFY(std::abs(factored.value()(i, j) - whole.value()(i, j)) < 1e-13);
    }
    /// Many rows and columns: every branch of the tiling, by difference quotients along random directions would be blind to a
    /// missing tile, so against plain loops.
    void tilesCoverEverything()
    {
        constexpr std::int64_t kRows = 1000, kIn = 70, kOut = 1100;
        const auto x = test::gaussian(kRows, kIn, 1), w = test::gaussian(kOut, kIn, 2), b = test::gaussian(1, kOut, 3), r = test::gaussian(kRows, kOut, 4);
        Tape<double> tape;
        const auto xs = tape.input(x.view()), ws = tape.input(w.view()), bs = tape.input(b.view());
        const auto y = linear(xs, ws, bs);
        tape.backward(sumAll(multiplyElements(y, tape.constant(r.view()))));
        double worst = 0;
        tensor::Matrix<double> dw(kOut, kIn), dx(kRows, kIn), db(1, kOut);
        for (std::int64_t t = 0; t < kRows; ++t)
            for (std::int64_t o = 0; o < kOut; ++o) {
                double sum = b(0, o);
                for (std::int64_t i = 0; i < kIn; ++i) {
                    sum += x(t, i) * w(o, i);
                    dw(o, i) += r(t, o) * x(t, i);
                    dx(t, i) += r(t, o) * w(o, i);
                }
                db(0, o) += r(t, o);
                worst = std::max(worst, std::abs(sum - y.value()(t, o)));
            }
        const auto compare = [&](const tensor::Matrix<double>& expected, auto found) {
            for (std::int64_t i = 0; i < expected.rows(); ++i)
                for (std::int64_t j = 0; j < expected.cols(); ++j)
                    worst = std::max(worst, std::abs(expected(i, j) - found(i, j)));
        };
        compare(dw, tape.gradient(ws));
        compare(dx, tape.gradient(xs));
        compare(db, tape.gradient(bs));
        QVERIFY2(worst < 1e-10, qPrintable(QString::number(worst))); // sums of 1100 terms of size 1
    }
    void weightsTooLargeForPartialSums()
    {
        constexpr std::int64_t kRows = 1100, kIn = 1024, kOut = 1300; // several chunks: 8 Mi elements of partial sums are exceeded
        const auto x = test::gaussian(kRows, kIn, 1), r = test::gaussian(kRows, kOut, 4);
        const tensor::Matrix<double> w(kOut, kIn);
        Tape<double> tape;
        const auto ws = tape.input(w.view());
        tape.backward(sumAll(multiplyElements(linear(tape.constant(x.view()), ws), tape.constant(r.view()))));
        for (const auto& [o, i] : {std::pair{0, 0}, std::pair{255, 3}, std::pair{256, 1023}, std::pair{1299, 500}}) {
            double sum = 0;
            for (std::int64_t t = 0; t < kRows; ++t)
                sum += r(t, o) * x(t, i);
            QVERIFY(std::abs(sum - tape.gradient(ws)(o, i)) < 1e-10);
        }
    }

    void norms()
    {
        passes(checkGradients({{5, 6}, {1, 6}, {1, 6}}, [](auto&, const auto& x) { return layerNorm(x[0], x[1], x[2], 1e-6); }));
        passes(checkGradients({{5, 6}}, [](Tape<double>&, const auto& x) { return layerNorm<double>(x[0], {}, {}, 1e-6); }));
        passes(checkGradients({{5, 6}, {1, 6}}, [](auto&, const auto& x) { return rmsNorm(x[0], x[1], 1e-6); }));
        passes(checkGradients({{5, 6}, {1, 3}}, [](auto&, const auto& x) { return headRmsNorm(x[0], x[1], 1e-6); }));
        passes(checkGradients({{5, 6}, {1, 3}, {1, 3}}, [](auto&, const auto& x) { return headLayerNorm(x[0], x[1], x[2], 1e-6); }));
        // the epsilon matters where the row hardly varies
        passes(checkGradients({{2, 4}, {1, 4}}, [](auto&, const auto& x) { return layerNorm(scale(x[0], 0.01), x[1], {}, 1e-3); }));
    }

    void pointwise()
    {
        passes(checkGradients({{5, 3}, {5, 3}}, [](auto&, const auto& x) { return subtract(multiplyElements(x[0], x[1]), x[1]); }));
        passes(checkGradients({{5, 3}}, [](auto&, const auto& x) { return scale(sigmoid(x[0]), -2.5); }));
        passes(checkGradients({{5, 3}, {1, 3}, {1, 3}}, [](auto&, const auto& x) { return addRow(multiplyRow(x[0], x[1]), x[2]); }));
        passes(checkGradients({{5, 3}}, [](auto&, const auto& x) { return add(sumSquares(x[0]), sumAll(x[0])); }));
        passes(checkGradients({{50, 3}}, [](auto&, const auto& x) { return dropout(x[0], 0.4, 7); }));
    }

    void dropoutKeepsTheMeanAndItsMask()
    {
        Tape<double> tape;
        tensor::Matrix<double> ones(200, 500);
        std::ranges::fill(ones.values(), 1.0);
        const auto y = dropout(tape.constant(ones.view()), 0.3, 5), same = dropout(tape.constant(ones.view()), 0.3, 5);
        const auto other = dropout(tape.constant(ones.view()), 0.3, 6);
        double mean = 0;
        int differences = 0;
        for (std::int64_t i = 0; i < 200; ++i)
            for (std::int64_t j = 0; j < 500; ++j) {
                mean += y.value()(i, j) / 1e5;
                QCOMPARE(y.value()(i, j), same.value()(i, j));
                differences += y.value()(i, j) != other.value()(i, j);
            }
        // deviation of the mean sqrt(0.3 / 0.7 / 1e5) = 0.002; of the differing places sqrt(0.42 * 0.58 * 1e5) = 156
        QVERIFY(std::abs(mean - 1) < 0.01);
        QVERIFY(std::abs(differences - 42000) < 800);
    }
};

TAMIS_BLAS_TEST_MAIN(TstTrainOps)
#include "tst_train_ops.moc"
