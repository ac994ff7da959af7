// SPDX-License-Identifier: GPL-3.0-or-later
// Scores of fewer features: the best of their rank, by what is left and by everything near it; attention with them against double.
#include "core/attention/low_rank_scores.h"
#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/singular_values.h"
#include "tests/core/attention/masked_reference.h"
#include "tests/core/attention/one_head.h"

#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;
using namespace tamis::attention;
using tensor::Matrix;

namespace {
/// Features of unlike sizes, so that there is something to choose.
BlockSamples heads(std::size_t count, std::int64_t tokens, std::int64_t dim = 8)
{
    BlockSamples samples;
    for (std::size_t s = 0; s < count; ++s) {
        AttentionSample sample{{}, test::normalRows(tokens, dim, 1, 10 * s + 1), test::normalRows(tokens, dim, 1, 10 * s + 2), test::normalRows(tokens, dim, 1, 10 * s + 3)};
        for (std::int64_t t = 0; t < tokens; ++t)
            for (std::int64_t d = 0; d < dim; ++d) {
                sample.q(t, d) *= 2.0F / static_cast<float>(1 + d);
                sample.k(t, d) *= 0.3F * static_cast<float>(1 + (d * 5) % dim);
            }
        samples.samples.push_back(std::move(sample));
    }
    return samples;
}

Matrix<double> below(const BlockSamples& samples, Matrix<float> AttentionSample::*rows)
{
    const auto& first = samples.samples[0].*rows;
    Matrix<double> all(first.rows() * static_cast<std::int64_t>(samples.samples.size()), first.cols());
    double* to = all.data();
    for (const auto& sample : samples.samples)
        for (const float value : (sample.*rows).values())
            *to++ = static_cast<double>(value);
    return all;
}

Matrix<double> scores(const BlockSamples& samples) { return linalg::product(linalg::Op::None, linalg::Op::Transpose, below(samples, &AttentionSample::q).view(), below(samples, &AttentionSample::k).view()); }

/// |Q K^T - Q A B^T K^T|^2
double left(const BlockSamples& samples, const Matrix<double>& a, const Matrix<double>& b)
{
    Matrix<double> rest = scores(samples);
    const auto q = linalg::product(below(samples, &AttentionSample::q).view(), a.view()), k = linalg::product(below(samples, &AttentionSample::k).view(), b.view());
    linalg::gemm(linalg::Op::None, linalg::Op::Transpose, -1, q.view(), k.view(), 1, rest.view());
    return linalg::squaredNorm(rest.view());
}
} // namespace

class TstLowRankScores : public QObject {
    Q_OBJECT
private slots:
    void noOtherPlaneLeavesLess()
    {
        const BlockSamples samples = heads(3, 20);
        const std::vector<double> exact = linalg::singularValues(scores(samples).view());
        for (const std::int64_t rank : {1, 3, 6}) {
            const FittedPlane fitted = fitPlane(samples, rank);
            for (std::size_t i = 0; i < 8; ++i)
                QVERIFY(std::abs(fitted.singularValues[i] - exact[i]) < 1e-9 * exact[0]);
            double behind = 0;
            for (std::size_t i = static_cast<std::size_t>(rank); i < 8; ++i)
                behind += exact[i] * exact[i];
            const Matrix<double> a = linalg::toDouble(fitted.plane.queries.view()), b = linalg::toDouble(fitted.plane.keys.view());
            const double best = left(samples, a, b);
            QVERIFY(std::abs(best - behind) < 1e-5 * behind); // planes are rounded to float, and the optimum is flat
            for (unsigned seed = 0; seed < 40; ++seed) {
                Matrix<double> otherA = a, otherB = b;
                const auto stepA = test::normalRows(8, rank, 0.03, 2 * seed), stepB = test::normalRows(8, rank, 0.03, 2 * seed + 1);
                for (std::size_t i = 0; i < a.size(); ++i) {
                    otherA.data()[i] += static_cast<double>(stepA.data()[i]);
                    otherB.data()[i] += static_cast<double>(stepB.data()[i]);
                }
                QVERIFY(left(samples, otherA, otherB) > best);
            }
        }
    }
    void allFeaturesAreExact()
    {
        const BlockSamples samples = heads(3, 20);
        const auto& s = samples.samples[1];
        for (const bool causal : {false, true})
            for (const std::int64_t rank : {8, 100}) {
                const auto rule = lowRankScoresRule(std::make_shared<ScorePlane>(fitPlane(samples, rank).plane));
                const auto seen = [&](std::int64_t i, std::int64_t j) { return !causal || j <= i; };
                QVERIFY(test::relativeError(test::mixed(*rule, {8, 0.35F, causal, 0}, s.q, s.k, s.v), test::maskedAttention(s.q, s.k, s.v, static_cast<double>(0.35F), seen)) < 2e-5); // scores through two float products of some 30
            }
    }
    void scoresAreThoseOfThePlane()
    {
        const BlockSamples samples = heads(3, 150);
        const auto& s = samples.samples[2];
        const FittedPlane fitted = fitPlane(samples, 3);
        Matrix<float> q(150, 3), k(150, 3);
        for (std::int64_t i = 0; i < 150; ++i)
            for (std::int64_t r = 0; r < 3; ++r)
                for (std::int64_t d = 0; d < 8; ++d) {
                    q(i, r) += s.q(i, d) * fitted.plane.queries(d, r);
                    k(i, r) += s.k(i, d) * fitted.plane.keys(d, r);
                }
        for (const std::int64_t sliding : {0, 9})
            QVERIFY(test::relativeError(test::mixed(*lowRankScoresRule(std::make_shared<ScorePlane>(fitted.plane)), {8, 0.35F, true, sliding}, s.q, s.k, s.v),
                                        test::maskedAttention(q, k, s.v, static_cast<double>(0.35F), [&](std::int64_t i, std::int64_t j) { return j <= i && (sliding == 0 || j > i - sliding); })) < 2e-5);
        // N d r for queries and as much for keys; r and d for every pair
        QCOMPARE(lowRankScoresRule(std::make_shared<ScorePlane>(fitted.plane))->macs({8, 0.35F, false, 0}, 150, 8), std::uint64_t{2 * 150 * 8 * 3 + 150 * 150 * (3 + 8)});
    }
    void directionsThatAreNotThereAreLeftOut()
    {
        BlockSamples samples = heads(2, 20);
        for (auto& sample : samples.samples)
            for (std::int64_t t = 0; t < 20; ++t)
                sample.q(t, 3) = sample.q(t, 4) = 0; // two features of no query
        const FittedPlane fitted = fitPlane(samples, 8);
        for (const auto* plane : {&fitted.plane.queries, &fitted.plane.keys})
            for (const float value : plane->values())
                QVERIFY(std::isfinite(value) && std::abs(value) < 1e3F);
        QVERIFY(left(samples, linalg::toDouble(fitted.plane.queries.view()), linalg::toDouble(fitted.plane.keys.view())) < 1e-9 * linalg::squaredNorm(scores(samples).view()));
        for (auto& sample : samples.samples)
            std::ranges::fill(sample.q.values(), 0.0F);
        const FittedPlane nothing = fitPlane(samples, 2);
        for (const float value : nothing.plane.queries.values())
            QCOMPARE(value, 0.0F); // all scores are 0, and stay so
    }
    void trainingStartsFromTheFit()
    {
        Inputs inputs;
        inputs.spec = {.heads = 4, .keyValueHeads = 2, .headDim = 8, .scale = 0.35F, .causal = true};
        auto samples = std::make_shared<BlockSamples>();
        samples->samples.push_back({{}, test::normalRows(25, 32, 1, 1), test::normalRows(25, 16, 1, 2), test::normalRows(25, 16, 1, 3)});
        inputs.samples = samples;
        Parameters parameters;
        parameters.set("rank", std::int64_t{3});
        const Method method = jointQkMethod();
        Matrix<float> one(25, 32), other(25, 32);
        nn::Scratch scratch(false);
        method.op(inputs, parameters)->apply(samples->samples[0].view(), one.view(), scratch);
        const auto onTape = method.onTape(inputs, parameters);
        onTape->op()->apply(samples->samples[0].view(), other.view(), scratch);
        QVERIFY(one == other);
        train::Tape<float> tape;
        const auto& s = samples->samples[0];
        const auto mixed = onTape->mix(tape, {{}, tape.input(s.q.view()), tape.input(s.k.view()), tape.input(s.v.view()), 1}).value();
        for (std::int64_t i = 0; i < 25; ++i)
            for (std::int64_t j = 0; j < 32; ++j)
                QVERIFY(std::abs(mixed(i, j) - one(i, j)) < 1e-5F);
        inputs.samples = nullptr;
        QVERIFY_EXCEPTION_THROWN(method.op(inputs, parameters), Error);
        QCOMPARE(method.onTape(inputs, parameters)->parameters()->count(), std::uint64_t{2 * 4 * 8 * 3});
    }
};

QTEST_APPLESS_MAIN(TstLowRankScores)
#include "tst_low_rank_scores.moc"
