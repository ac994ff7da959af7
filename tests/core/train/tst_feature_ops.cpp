// SPDX-License-Identifier: GPL-3.0-or-later
// Features and projections on the tape: values from their formulas element by element, gradients against differences in double.
#include "core/base/error.h"
#include "core/train/feature_ops.h"
#include "tests/core/train/gradient_check.h"

#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;
using namespace tamis::train;
using test::DoubleVariable;

class TstFeatureOps : public QObject {
    Q_OBJECT
private slots:
    void gradientsOfLinearFeatures()
    {
        // squared-relu and relu have a corner at 0, where a difference says nothing; Gaussian draws are not there
        for (const FeatureKind kind : {FeatureKind::EluPlusOne, FeatureKind::Relu, FeatureKind::SquaredRelu})
            QCOMPARE(QString::fromStdString(test::checkGradients({{5, 6}}, [&](Tape<double>& tape, const auto& in) { return linearFeatures(tape.window(in[0], 1, 4), kind, 0.7); })), QString());
    }
    void positiveFeaturesAreTheirFormula()
    {
        const auto w = test::gaussian(7, 3, 2);
        const auto x = test::gaussian(8, 6, 3); // two sequences of four tokens, two heads
        for (const bool keys : {false, true}) {
            Tape<double> tape;
            const auto y = positiveFeatures(tape.input(x.view()), w.view(), {.sequences = 2, .heads = 2, .factor = 0.6, .epsilon = 1e-2, .keys = keys}).value();
            for (std::int64_t row = 0; row < 8; ++row)
                for (std::int64_t head = 0; head < 2; ++head) {
                    const auto along = [&](std::int64_t i, std::int64_t j) {
                        double sum = 0;
                        for (std::int64_t d = 0; d < 3; ++d)
                            sum += 0.6 * x(i, head * 3 + d) * w(j, d);
                        return sum;
                    };
                    double most = -1e300, half = 0;
                    for (std::int64_t i = keys ? row / 4 * 4 : row; i < (keys ? row / 4 * 4 + 4 : row + 1); ++i)
                        for (std::int64_t j = 0; j < 7; ++j)
                            most = std::max(most, along(i, j));
                    for (std::int64_t d = 0; d < 3; ++d)
                        half += 0.18 * x(row, head * 3 + d) * x(row, head * 3 + d);
                    for (std::int64_t j = 0; j < 7; ++j)
                        QVERIFY(std::abs(y(row, head * 7 + j) - (std::exp(along(row, j) - half - most) + 1e-2) / std::sqrt(7.0)) < 1e-14);
                }
        }
    }
    void gradientsOfPositiveFeatures()
    {
        const auto w = test::gaussian(7, 3, 2);
        for (const bool keys : {false, true})
            for (const double epsilon : {0.0, 1e-2})
                QCOMPARE(QString::fromStdString(test::checkGradients({{8, 6}}, [&](Tape<double>&, const auto& in) {
                             return positiveFeatures<double>(in[0], w.view(), {.sequences = 2, .heads = 2, .factor = 0.6, .epsilon = epsilon, .keys = keys});
                         })), QString());
    }
    /// Causal keys: c_i from the rows 0 .. i, epsilon behind it: P is the quotient of exp(u - |y|^2 / 2 - c_i) + epsilon, straight from the formula.
    void aRunningStabiliserIsItsFormula()
    {
        const std::int64_t n = 5, m = 7;
        const auto w = test::gaussian(m, 3, 2), q = test::gaussian(2 * n, 6, 3), k = test::gaussian(2 * n, 3, 4), v = test::gaussian(2 * n, 2, 5); // two heads share a key head
        const double epsilon = 1e-2;
        Tape<double> tape;
        const auto y = featureAttention(positiveFeatures(tape.input(q.view()), w.view(), {.sequences = 2, .heads = 2, .factor = 0.6, .epsilon = epsilon}),
                                        positiveFeatures(tape.input(k.view()), w.view(), {.sequences = 2, .factor = 0.6, .epsilon = epsilon, .keys = true, .causal = true}), tape.input(v.view()),
                                        {.sequences = 2, .heads = 2, .keyValueHeads = 1, .causal = true, .running = true, .floor = epsilon / std::sqrt(7.0)}).value();
        const auto along = [&](const auto& x, std::int64_t row, std::int64_t head, std::int64_t j) {
            double sum = 0;
            for (std::int64_t d = 0; d < 3; ++d)
                sum += 0.6 * x(row, head * 3 + d) * w(j, d);
            return sum;
        };
        const auto half = [](const auto& x, std::int64_t row, std::int64_t head) {
            double sum = 0;
            for (std::int64_t d = 0; d < 3; ++d)
                sum += 0.18 * x(row, head * 3 + d) * x(row, head * 3 + d);
            return sum;
        };
        for (std::int64_t row = 0; row < 2 * n; ++row)
            for (std::int64_t head = 0; head < 2; ++head) {
                const std::int64_t first = row / n * n;
                double own = -1e300, most = -1e300, all = 0, sum = 0;
                for (std::int64_t r = 0; r < m; ++r) {
                    own = std::max(own, along(q, row, head, r));
                    for (std::int64_t j = first; j <= row; ++j)
                        most = std::max(most, along(k, j, 0, r));
                }
                for (std::int64_t j = first; j <= row; ++j)
                    for (std::int64_t r = 0; r < m; ++r) {
                        const double weight = (std::exp(along(q, row, head, r) - half(q, row, head) - own) + epsilon) * (std::exp(along(k, j, 0, r) - half(k, j, 0) - most) + epsilon);
                        all += weight;
                        sum += weight * v(j, 0);
                    }
                QVERIFY(std::abs(y(row, head * 2) - sum / all) < 1e-13);
            }
    }
    void gradientsBehindARunningStabiliser()
    {
        const auto w = test::gaussian(7, 3, 2);
        QCOMPARE(QString::fromStdString(test::checkGradients({{8, 6}}, [&](Tape<double>&, const auto& in) {
                     return positiveFeatures<double>(in[0], w.view(), {.sequences = 2, .heads = 2, .factor = 0.6, .keys = true, .causal = true});
                 })), QString());
        for (const std::int64_t keyHeads : {2, 1})
            QCOMPARE(QString::fromStdString(test::checkGradients({{10, 6}, {10, 3 * keyHeads}, {10, 4 * keyHeads}}, [&](Tape<double>&, const auto& in) {
                         return featureAttention<double>(positiveFeatures<double>(in[0], w.view(), {.sequences = 2, .heads = 2, .factor = 0.6, .epsilon = 0.1}),
                                                         positiveFeatures<double>(in[1], w.view(), {.sequences = 2, .heads = keyHeads, .factor = 0.6, .keys = true, .causal = true}), in[2],
                                                         {.sequences = 2, .heads = 2, .keyValueHeads = keyHeads, .causal = true, .running = true, .floor = 0.04});
                     })), QString());
    }
    void gradientsOfFeatureAttention()
    {
        // features in (0.5, ...): sums that are near 0 would make the quotient steep, and the difference poor
        const auto features = [](DoubleVariable x) { return linearFeatures(x, FeatureKind::EluPlusOne, 1); };
        for (const bool causal : {false, true})
            for (const std::int64_t keyHeads : {2, 1})
                QCOMPARE(QString::fromStdString(test::checkGradients({{10, 6}, {10, 3 * keyHeads}, {10, 4 * keyHeads}}, [&](Tape<double>&, const auto& in) {
                             return featureAttention<double>(features(in[0]), features(in[1]), in[2], {.sequences = 2, .heads = 2, .keyValueHeads = keyHeads, .causal = causal});
                         })), QString());
        QCOMPARE(QString::fromStdString(test::checkGradients({{6, 6}, {10, 6}, {10, 4}}, [&](Tape<double>&, const auto& in) {
                     return featureAttention<double>(features(in[0]), features(in[1]), in[2], {.sequences = 2, .heads = 2});
                 })), QString());
    }
    /// More rows than one tile of queries, whose size is 131072 / keys.
    void tilesAreOneProduct()
    {
        const std::int64_t n = 600;
        const auto f = test::gaussian(n, 2, 1), g = test::gaussian(n, 2, 2), v = test::gaussian(n, 3, 3);
        for (const bool causal : {false, true}) {
            Tape<double> tape;
            const auto y = featureAttention(linearFeatures(tape.input(f.view()), FeatureKind::EluPlusOne, 1), linearFeatures(tape.input(g.view()), FeatureKind::EluPlusOne, 1), tape.input(v.view()), {.causal = causal}).value();
            for (const std::int64_t i : {0, 17, 218, 219, 436, 599})
                for (std::int64_t c = 0; c < 3; ++c) {
                    double sum = 0, all = 0;
                    for (std::int64_t j = 0; j < (causal ? i + 1 : n); ++j) {
                        double weight = 0;
                        for (std::int64_t d = 0; d < 2; ++d)
                            weight += (f(i, d) > 0 ? f(i, d) + 1 : std::exp(f(i, d))) * (g(j, d) > 0 ? g(j, d) + 1 : std::exp(g(j, d)));
                        sum += weight * v(j, c);
                        all += weight;
                    }
                    QVERIFY(std::abs(y(i, c) - sum / all) < 1e-12);
                }
        }
    }
    void rowsWithoutAFeatureAreTheMean()
    {
        auto f = test::gaussian(4, 2, 1);
        std::ranges::fill(f.values(), -1.0);
        const auto v = test::gaussian(4, 2, 2);
        Tape<double> tape;
        const auto in = tape.input(f.view()), values = tape.input(v.view());
        const auto y = featureAttention(linearFeatures(in, FeatureKind::Relu, 1), linearFeatures(tape.input(v.view()), FeatureKind::Relu, 1), values, {.causal = true});
        QVERIFY(std::abs(y.value()(2, 1) - (v(0, 1) + v(1, 1) + v(2, 1)) / 3) < 1e-15);
        QCOMPARE(QString::fromStdString(test::checkGradients({{4, 2}}, [&](Tape<double>& own, const auto& inputs) {
                     return featureAttention(linearFeatures(own.input(f.view()), FeatureKind::Relu, 1), linearFeatures(own.input(v.view()), FeatureKind::Relu, 1), inputs[0], {});
                 })), QString());
    }
    void gradientsOfProjections()
    {
        QCOMPARE(QString::fromStdString(test::checkGradients({{3, 5}, {10, 4}}, [](Tape<double>&, const auto& in) { return projectTokens(in[0], in[1], 2); })), QString());
    }
    void shapesAreRefused()
    {
        Tape<double> tape;
        const auto m = test::gaussian(6, 4, 1);
        const auto a = tape.input(m.view()), b = tape.input(m.view()), c = tape.input(m.view());
        QVERIFY_EXCEPTION_THROWN(featureAttention(a, b, c, {.sequences = 4}), Error);
        QVERIFY_EXCEPTION_THROWN(featureAttention(a, b, c, {.heads = 3}), Error);
        QVERIFY_EXCEPTION_THROWN(featureAttention(a, b, c, {.causal = true, .running = true}), Error); // no column of stabilisers
        QVERIFY_EXCEPTION_THROWN(featureAttention(a, b, c, {.running = true}), Error);
        QVERIFY_EXCEPTION_THROWN(positiveFeatures(a, m.view(), {.heads = 3}), Error);
        QVERIFY_EXCEPTION_THROWN(projectTokens(a, b, 1), Error);
    }
};

QTEST_APPLESS_MAIN(TstFeatureOps)
#include "tst_feature_ops.moc"
