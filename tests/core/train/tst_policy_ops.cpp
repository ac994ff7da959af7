// SPDX-License-Identifier: GPL-3.0-or-later
// What a learned choice of tokens is trained through: gradients against differences, values against their definition and against plain attention.
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/train/pointwise_ops.h"
#include "core/train/policy_ops.h"
#include "core/train/token_ops.h"
#include "tests/core/train/gradient_check.h"

#include <QtTest>

#include <cmath>

using namespace tamis;
using namespace tamis::train;
using tensor::Matrix;
using test::checkGradientsAt;
using test::gaussian;

namespace {
constexpr std::int64_t kSequences = 2, kTokens = 5, kHeads = 2, kDepth = 3, kMixed = 2;

/// 0, 1 and what lies between: the gradient is that of any number.
Matrix<double> policyOf(std::int64_t rows, unsigned seed)
{
    Matrix<double> policy = gaussian(rows, 1, seed);
    for (double& value : policy.values())
        value = std::abs(value);
    policy(0, 0) = 1;
    policy(2, 0) = 0;
    return policy;
}

std::vector<Matrix<double>> attentionInputs(unsigned seed)
{
    std::vector<Matrix<double>> inputs;
    inputs.push_back(gaussian(kSequences * kTokens, kHeads * kDepth, seed));
    inputs.push_back(gaussian(kSequences * kTokens, kHeads * kDepth, seed + 1));
    inputs.push_back(gaussian(kSequences * kTokens, kHeads * kMixed, seed + 2));
    inputs.push_back(policyOf(kSequences * kTokens, seed + 3));
    return inputs;
}
} // namespace

class TstPolicyOps : public QObject {
    Q_OBJECT
    static void passes(const std::string& complaint) { QVERIFY2(complaint.empty(), complaint.c_str()); }

private slots:
    /// Element by element from the formula, with an epsilon large enough to be seen. Both sides in double: 1e-13 of sums of size 1.
    void attentionIsAsDefined()
    {
        const auto in = attentionInputs(3);
        const double epsilon = 0.3;
        Tape<double> tape;
        const auto y = policyAttention(tape.constant(in[0].view()), tape.constant(in[1].view()), tape.constant(in[2].view()), tape.constant(in[3].view()),
                                       {.sequences = kSequences, .heads = kHeads, .scale = 0.7}, epsilon);
        for (std::int64_t s = 0; s < kSequences; ++s)
            for (std::int64_t h = 0; h < kHeads; ++h)
                for (std::int64_t i = 0; i < kTokens; ++i) {
                    double scores[kTokens], top = -INFINITY, total = epsilon;
                    for (std::int64_t j = 0; j < kTokens; ++j) {
                        scores[j] = 0;
                        for (std::int64_t d = 0; d < kDepth; ++d)
                            scores[j] += 0.7 * in[0](s * kTokens + i, h * kDepth + d) * in[1](s * kTokens + j, h * kDepth + d);
                        top = std::max(top, scores[j]);
                    }
                    for (std::int64_t j = 0; j < kTokens; ++j)
                        total += scores[j] = std::exp(scores[j] - top) * (i == j ? 1 : in[3](s * kTokens + j, 0));
                    for (std::int64_t d = 0; d < kMixed; ++d) {
                        double expected = 0;
                        for (std::int64_t j = 0; j < kTokens; ++j)
                            expected += (scores[j] + epsilon / kTokens) / total * in[2](s * kTokens + j, h * kMixed + d);
                        QVERIFY(std::abs(y.value()(s * kTokens + i, h * kMixed + d) - expected) < 1e-13);
                    }
                }
    }
    /// Every token kept: plain attention, but for epsilon, which moves no probability by more than itself.
    void everythingKeptIsPlainAttention()
    {
        const auto in = attentionInputs(7);
        Tape<double> tape;
        const Matrix<double> ones = [] {
            Matrix<double> m(kSequences * kTokens, 1);
            std::ranges::fill(m.values(), 1.0);
            return m;
        }();
        const auto q = tape.constant(in[0].view()), k = tape.constant(in[1].view()), v = tape.constant(in[2].view());
        const AttentionShape shape{.sequences = kSequences, .heads = kHeads};
        const auto plain = attention(q, k, v, shape);
        const auto exact = policyAttention(q, k, v, tape.constant(ones.view()), shape, 0), near = policyAttention(q, k, v, tape.constant(ones.view()), shape);
        for (std::int64_t i = 0; i < plain.rows(); ++i)
            for (std::int64_t j = 0; j < plain.cols(); ++j) {
                QVERIFY(std::abs(exact.value()(i, j) - plain.value()(i, j)) < 1e-13);
                QVERIFY(std::abs(near.value()(i, j) - plain.value()(i, j)) < 1e-6 * kTokens * 4); // values of size 4 at most
            }
    }
    /// Dropped tokens are not there for the others: as if they had been taken out of the sequence.
    void whatIsDroppedIsNotSeen()
    {
        auto in = attentionInputs(11);
        for (std::int64_t i = 0; i < kSequences * kTokens; ++i)
            in[3](i, 0) = i % kTokens == 1 || i % kTokens == 4 ? 0 : 1;
        Tape<double> tape;
        const auto all = policyAttention(tape.constant(in[0].view()), tape.constant(in[1].view()), tape.constant(in[2].view()), tape.constant(in[3].view()),
                                         {.sequences = kSequences, .heads = kHeads}, 0);
        const std::int32_t kept[] = {0, 2, 3, 5, 7, 8};
        const auto pick = [&](int which) { return gatherRows<double>(tape.constant(in[static_cast<std::size_t>(which)].view()), kept); };
        const auto few = attention(pick(0), pick(1), pick(2), {.sequences = kSequences, .heads = kHeads});
        for (std::int64_t i = 0; i < few.rows(); ++i)
            for (std::int64_t j = 0; j < few.cols(); ++j)
                QVERIFY(std::abs(few.value()(i, j) - all.value()(kept[i], j)) < 1e-13);
    }
    void attentionHasItsGradient_data()
    {
        QTest::addColumn<double>("epsilon");
        QTest::newRow("as published") << 1e-6;
        QTest::newRow("large, so that the way through the maximum counts") << 0.5;
    }
    void attentionHasItsGradient()
    {
        QFETCH(double, epsilon);
        passes(checkGradientsAt(attentionInputs(17), [epsilon](auto&, const auto& in) {
            return policyAttention(in[0], in[1], in[2], in[3], {.sequences = kSequences, .heads = kHeads}, epsilon);
        }));
    }
    /// q, k and v side by side in one product, as timm has them: gradients add up in its windows.
    void windowsOfOneMatrix()
    {
        std::vector<Matrix<double>> inputs;
        inputs.push_back(gaussian(kSequences * kTokens, 3 * kHeads * kDepth, 23));
        inputs.push_back(policyOf(kSequences * kTokens, 24));
        passes(checkGradientsAt(std::move(inputs), [](auto& tape, const auto& in) {
            const std::int64_t d = kHeads * kDepth;
            return policyAttention(tape.window(in[0], 0, d), tape.window(in[0], d, d), tape.window(in[0], 2 * d, d), in[1], {.sequences = kSequences, .heads = kHeads}, 0.1);
        }));
    }
    /// More tokens than one tile of scores has rows; the same bits on one thread.
    void manyTokensAndThreads()
    {
        const std::int64_t tokens = 1100; // tiles of 119 rows
        const auto run = [&] {
            Tape<float> tape;
            const auto narrowed = [&](const Matrix<double>& from) {
                Matrix<float> to(from.rows(), from.cols());
                std::ranges::transform(from.values(), to.data(), [](double value) { return static_cast<float>(value); });
                return tape.input(to.view());
            };
            const auto q = narrowed(gaussian(tokens, 4, 31)), k = narrowed(gaussian(tokens, 4, 32)), v = narrowed(gaussian(tokens, 4, 33)), p = narrowed(policyOf(tokens, 34));
            const auto y = policyAttention(q, k, v, p, {.sequences = 1, .heads = 2});
            tape.backward(sumSquares(y));
            std::vector<float> all(y.value().data, y.value().data + tokens * 4);
            for (const auto& x : {q, k, v, p}) {
                const auto g = tape.gradient(x);
                all.insert(all.end(), g.data, g.data + g.rows * g.cols);
            }
            return all;
        };
        const auto many = run();
        for (const float value : many)
            QVERIFY(std::isfinite(value));
        const ThreadLimit limit(1);
        QVERIFY(run() == many);
    }
    void meansByPolicy()
    {
        Tape<double> tape;
        const auto x = gaussian(6, 4, 41);
        Matrix<double> policy(6, 1);
        policy(0, 0) = policy(2, 0) = 1; // the second sequence has none
        const auto given = tape.input(x.view()), weights = tape.input(policy.view());
        const auto mean = policyMean(given, weights, 2);
        for (std::int64_t j = 0; j < 4; ++j) {
            QCOMPARE(mean.value()(0, j), (x(0, j) + x(2, j)) / 2);
            QCOMPARE(mean.value()(1, j), 0.0);
        }
        tape.backward(sumAll(mean));
        for (std::int64_t i = 3; i < 6; ++i) {
            QCOMPARE(tape.gradient(given)(i, 0), 0.0);
            QCOMPARE(tape.gradient(weights)(i, 0), 0.0);
        }
        std::vector<Matrix<double>> inputs;
        inputs.push_back(gaussian(6, 4, 43));
        inputs.push_back(policyOf(6, 44));
        passes(checkGradientsAt(std::move(inputs), [](auto&, const auto& in) { return policyMean(in[0], in[1], 2); }));
    }
    /// The value is hard, the gradient that of the softmax.
    void keepingIsStraightThrough()
    {
        Tape<double> tape;
        Matrix<double> x(3, 2), noise(3, 2);
        x(0, 0) = 1;
        x(0, 1) = 2;
        noise(0, 0) = 1.5; // 2.5 against 2
        x(1, 0) = 1;
        x(1, 1) = 2;
        x(2, 0) = x(2, 1) = 3; // a tie: kept
        const auto in = tape.input(x.view());
        const auto y = straightThroughKeep<double>(in, noise.view());
        QCOMPARE(y.value()(0, 0), 1.0);
        QCOMPARE(y.value()(1, 0), 0.0);
        QCOMPARE(y.value()(2, 0), 1.0);
        tape.backward(sumAll(y));
        const double differences[] = {0.5, -1, 0};
        for (std::int64_t i = 0; i < 3; ++i) {
            const double soft = 1 / (1 + std::exp(-differences[i]));
            QVERIFY(std::abs(tape.gradient(in)(i, 0) - soft * (1 - soft)) < 1e-15);
            QVERIFY(std::abs(tape.gradient(in)(i, 1) + soft * (1 - soft)) < 1e-15);
        }
    }
    /// With Gumbel noise a token is kept as often as its softmax says: 20,000 draws, four deviations of their share.
    void gumbelKeepsAsOftenAsItShould()
    {
        const std::int64_t draws = 20000;
        for (const double difference : {-1.0, 0.0, 2.0}) {
            Tape<double> tape;
            Matrix<double> x(draws, 2), noise(draws, 2);
            for (std::int64_t i = 0; i < draws; ++i)
                x(i, 0) = difference;
            gumbelNoise(noise.view(), 5);
            double kept = 0;
            const auto y = straightThroughKeep<double>(tape.constant(x.view()), noise.view());
            for (std::int64_t i = 0; i < draws; ++i)
                kept += y.value()(i, 0);
            const double p = 1 / (1 + std::exp(-difference));
            QVERIFY(std::abs(kept / draws - p) < 4 * std::sqrt(p * (1 - p) / draws));
        }
    }
    void shapesThatDoNotFitAreRefused()
    {
        Tape<double> tape;
        const auto x = gaussian(6, 4, 1), column = gaussian(6, 1, 2), noise = gaussian(6, 1, 3);
        const auto given = tape.constant(x.view()), policy = tape.constant(column.view());
        QVERIFY_EXCEPTION_THROWN(policyAttention(given, given, given, given, {.sequences = 1, .heads = 2}), Error);
        QVERIFY_EXCEPTION_THROWN(policyAttention(given, given, given, policy, {.sequences = 4, .heads = 2}), Error);
        QVERIFY_EXCEPTION_THROWN(policyAttention(given, given, given, policy, {.sequences = 1, .heads = 3}), Error);
        QVERIFY_EXCEPTION_THROWN(policyAttention(given, given, given, policy, {.sequences = 1, .heads = 2, .causal = true}), Error);
        QVERIFY_EXCEPTION_THROWN(policyMean(given, given, 2), Error);
        QVERIFY_EXCEPTION_THROWN(straightThroughKeep<double>(given, noise.view()), Error);
    }
};

QTEST_GUILESS_MAIN(TstPolicyOps)
#include "tst_policy_ops.moc"
