// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/train/loss_ops.h"
#include "core/train/pointwise_ops.h"
#include "core/train/router_ops.h"
#include "tests/core/train/gradient_check.h"

#include <QtTest>

#include <cmath>

using namespace tamis;
using namespace tamis::train;
using tensor::Matrix;

namespace {
/// Not negative; the first row has no mass, the second none in its first run of two.
Matrix<double> targets(std::int64_t rows, std::int64_t cols)
{
    Matrix<double> t = test::gaussian(rows, cols, 7);
    for (double& value : t.values())
        value = std::abs(value);
    for (std::int64_t j = 0; j < cols; ++j)
        t(0, j) = 0;
    t(1, 0) = t(1, 1) = 0;
    return t;
}
} // namespace

class TestRouterOps : public QObject {
    Q_OBJECT
private slots:
    void gradientsAreThoseOfDifferences_data()
    {
        QTest::addColumn<int>("choices");
        for (const int choices : {1, 2, 3, 6})
            QTest::addRow("%d", choices) << choices;
    }
    void gradientsAreThoseOfDifferences()
    {
        QFETCH(int, choices);
        const Matrix<double> t = targets(5, 6);
        const std::string complaint = test::checkGradients({{5, 6}}, [&](auto&, const auto& in) { return softCrossEntropy(in[0], t.view(), choices); });
        QVERIFY2(complaint.empty(), complaint.c_str());
        const std::string twice = test::checkGradients({{5, 6}}, [&](auto&, const auto& in) { // the same logits in two losses: gradients add up
            return add(softCrossEntropy(in[0], t.view(), choices), scale(softCrossEntropy(scale(in[0], 0.5), t.view(), choices), -0.3));
        });
        QVERIFY2(twice.empty(), twice.c_str());
    }
    /// Hard targets: crossEntropy(). Sums of six doubles in two orders: 1e-14 leaves a factor of ten.
    void hardTargetsAreLabels()
    {
        Tape<double> tape;
        const Matrix<double> values = test::gaussian(4, 6, 3, 5.0);
        const std::int32_t labels[] = {5, 0, 3, 3};
        Matrix<double> hard(4, 6);
        for (std::int64_t i = 0; i < 4; ++i)
            hard(i, labels[i]) = 1;
        const auto x = tape.constant(values.view());
        QVERIFY(std::abs(tape.scalar(softCrossEntropy(x, std::as_const(hard).view(), 6)) - tape.scalar(crossEntropy(x, std::span<const std::int32_t>(labels)))) < 1e-14);
    }
    /// The children of every node as runs and their mass as targets: the entropy of leaves whose probability is the product along their
    /// path, to the rounding of some ten sums.
    void aTreeIsItsLeaves()
    {
        constexpr std::int64_t kBranching = 3;
        const Matrix<double> logits = test::gaussian(2, 12, 5); // 3 children, 9 leaves
        Matrix<double> mass(2, 12);
        const Matrix<double> leaves = targets(4, 9);
        double expected = 0;
        for (std::int64_t t = 0; t < 2; ++t)
            for (std::int64_t leaf = 0; leaf < 9; ++leaf) {
                const std::int64_t parent = leaf / kBranching;
                const double share = leaves(t + 2, leaf);
                mass(t, parent) += share;
                mass(t, 3 + leaf) = share;
                double p = std::exp(logits(t, parent)) / (std::exp(logits(t, 0)) + std::exp(logits(t, 1)) + std::exp(logits(t, 2)));
                double siblings = 0;
                for (std::int64_t c = 0; c < kBranching; ++c)
                    siblings += std::exp(logits(t, 3 + parent * kBranching + c));
                p *= std::exp(logits(t, 3 + leaf)) / siblings;
                expected -= share * std::log(p) / 2;
            }
        Tape<double> tape;
        QVERIFY(std::abs(tape.scalar(softCrossEntropy(tape.constant(logits.view()), std::as_const(mass).view(), kBranching)) - expected) < 1e-13 * expected);
    }
    void badRequestsAreRefused()
    {
        Tape<double> tape;
        const Matrix<double> values = test::gaussian(4, 6, 3), narrow = test::gaussian(4, 5, 3), none(0, 6);
        const auto x = tape.constant(values.view());
        QVERIFY_EXCEPTION_THROWN(softCrossEntropy(x, narrow.view(), 1), Error);
        QVERIFY_EXCEPTION_THROWN(softCrossEntropy(x, values.view(), 4), Error);
        QVERIFY_EXCEPTION_THROWN(softCrossEntropy(x, values.view(), 0), Error);
        QVERIFY_EXCEPTION_THROWN(softCrossEntropy(tape.constant(none.view()), none.view(), 6), Error);
    }
};

QTEST_GUILESS_MAIN(TestRouterOps)
#include "tst_router_ops.moc"
