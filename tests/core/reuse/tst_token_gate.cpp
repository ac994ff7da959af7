// SPDX-License-Identifier: GPL-3.0-or-later
// Which tokens pass a gate: errors against a plain loop in double, policies against what they say.
#include "core/reuse/token_gate.h"
#include "core/tensor/matrix.h"

#include <QTest>

#include <cmath>
#include <limits>
#include <random>

using namespace tamis;
using namespace tamis::reuse;
using Rows = std::vector<std::int32_t>;

class TstTokenGate : public QObject {
    Q_OBJECT

private slots:
    void errorsAreRelativeToAllReferences()
    {
        std::mt19937 random(3);
        std::normal_distribution<float> normal;
        tensor::Matrix<float> current(9, 33), reference(9, 33);
        for (float& value : current.values())
            value = normal(random);
        for (float& value : reference.values())
            value = 3 * normal(random);
        std::vector<float> errors(9);
        relativeErrors(current.view(), reference.view(), errors);
        double energy = 0;
        for (const float value : reference.values())
            energy += static_cast<double>(value) * static_cast<double>(value);
        for (std::int64_t i = 0; i < 9; ++i) {
            double squared = 0;
            for (std::int64_t j = 0; j < 33; ++j)
                squared += std::pow(static_cast<double>(current(i, j)) - static_cast<double>(reference(i, j)), 2);
            // 33 squares in float: 33 half units of its last place at worst, 2e-6
            QVERIFY(std::abs(static_cast<double>(errors[static_cast<std::size_t>(i)]) - std::sqrt(squared / (energy / 9))) < 2e-6);
        }
        relativeErrors(current.view(), current.view(), errors);
        QCOMPARE(errors, std::vector<float>(9, 0.0f));
        const tensor::Matrix<float> zeros(9, 33);
        relativeErrors(current.view(), zeros.view(), errors); // nothing to divide by
        double own = 0;
        for (std::int64_t j = 0; j < 33; ++j)
            own += static_cast<double>(current(4, j)) * static_cast<double>(current(4, j));
        QVERIFY(std::abs(static_cast<double>(errors[4]) - std::sqrt(own)) < 2e-5);
    }

    void policies()
    {
        const std::vector<float> errors{0.1f, 0.5f, 0, 0.5f, 0.3f, 0.9f};
        const auto by = [&](GatePolicy policy, double threshold, std::int64_t r, double fraction) { return gated(errors, {policy, threshold, r, fraction}); };
        QCOMPARE(by(GatePolicy::Threshold, 0.3f, 1, 1), (Rows{1, 3, 5})); // above, not at
        QCOMPARE(by(GatePolicy::Threshold, 0, 1, 1), (Rows{0, 1, 3, 4, 5}));
        QCOMPARE(by(GatePolicy::TopR, 0, 2, 1), (Rows{1, 5})); // of the two 0.5 the first
        QCOMPARE(by(GatePolicy::TopR, 9, 3, 1), (Rows{1, 3, 5}));
        QCOMPARE(by(GatePolicy::TopR, 0, 0, 1), Rows());
        QCOMPARE(by(GatePolicy::TopR, 0, 100, 0), (Rows{0, 1, 2, 3, 4, 5}));
        QCOMPARE(by(GatePolicy::Fraction, 0, 0, 0.5), (Rows{1, 3, 5}));
        QCOMPARE(by(GatePolicy::Fraction, 0, 0, 0.51), (Rows{1, 3, 4, 5})); // rounded up
        QCOMPARE(by(GatePolicy::Fraction, 0, 0, 1), (Rows{0, 1, 2, 3, 4, 5}));
    }

    void stillsPassNothingAndNoNumbersPass()
    {
        const std::vector<float> still(5, 0.0f);
        for (const GatePolicy policy : {GatePolicy::Threshold, GatePolicy::TopR, GatePolicy::Fraction})
            QCOMPARE(gated(still, {policy, 0, 3, 1}), Rows());
        const std::vector<float> broken{0.1f, std::numeric_limits<float>::quiet_NaN(), 0.2f};
        QCOMPARE(gated(broken, {GatePolicy::Threshold, 10, 0, 0}), (Rows{1}));
        QCOMPARE(gated(broken, {GatePolicy::TopR, 0, 1, 0}), (Rows{1}));
    }
};

QTEST_APPLESS_MAIN(TstTokenGate)
#include "tst_token_gate.moc"
