// SPDX-License-Identifier: GPL-3.0-or-later
// Fitted projections: the optimum that each part is, against the normal equations solved once more, and against everything near it.
#include "core/attention/fitted_linformer.h"
#include "core/base/error.h"
#include "core/linalg/gemm.h"
#include "core/linalg/qr.h"
#include "core/linalg/symmetric_eigen.h"
#include "tests/core/attention/one_head.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <numeric>

using namespace tamis;
using namespace tamis::attention;
using tensor::Matrix;

namespace {
const HeadShape kShape{8, 0.4F, false, 0};

/// Neighbours alike, as in photos, so that maps have structure.
BlockSamples heads(std::size_t count, std::int64_t tokens)
{
    BlockSamples samples;
    for (std::size_t s = 0; s < count; ++s) {
        AttentionSample sample{{}, test::normalRows(tokens, 8, 1, 10 * s + 1), test::normalRows(tokens, 8, 1, 10 * s + 2), test::normalRows(tokens, 8, 1, 10 * s + 3)};
        for (std::int64_t t = 1; t < tokens; ++t)
            for (std::int64_t d = 0; d < 8; ++d) {
                sample.k(t, d) = 0.7F * sample.k(t - 1, d) + 0.7F * sample.k(t, d);
                sample.q(t, d) = 0.7F * sample.q(t - 1, d) + 0.7F * sample.q(t, d);
            }
        samples.samples.push_back(std::move(sample));
    }
    return samples;
}

/// softmax(s q k^T), in double.
Matrix<double> softmax(const Matrix<float>& q, const Matrix<double>& k)
{
    Matrix<double> map = linalg::product(linalg::Op::None, linalg::Op::Transpose, linalg::toDouble(q.view()).view(), k.view());
    for (std::int64_t i = 0; i < map.rows(); ++i) {
        double sum = 0;
        for (double& value : map.view().row(i))
            sum += value = std::exp(0.4F * value);
        for (double& value : map.view().row(i))
            value /= sum;
    }
    return map;
}

/// sum |P' F - P|^2 / sum |P|^2
double mapError(const BlockSamples& samples, const Matrix<float>& e, const Matrix<double>& f)
{
    double error = 0, all = 0;
    for (const AttentionSample& sample : samples.samples) {
        const Matrix<double> exact = softmax(sample.q, linalg::toDouble(sample.k.view()));
        const Matrix<double> seen = softmax(sample.q, linalg::product(linalg::toDouble(e.view()).view(), linalg::toDouble(sample.k.view()).view()));
        Matrix<double> rest = linalg::product(seen.view(), f.view());
        for (std::size_t i = 0; i < rest.size(); ++i)
            rest.data()[i] -= exact.data()[i];
        error += linalg::squaredNorm(rest.view());
        all += linalg::squaredNorm(exact.view());
    }
    return error / all;
}
} // namespace

class TstFittedLinformer : public QObject {
    Q_OBJECT
private slots:
    void valuesAreTheLeastSquaresOfTheMaps()
    {
        const BlockSamples samples = heads(3, 24);
        for (const bool subspace : {false, true}) {
            const FittedProjections fitted = fitProjections(kShape, samples, {.rows = 5, .energy = 0, .ridge = 0, .subspace = subspace});
            const Matrix<double> f = linalg::toDouble(fitted.projections.values.view());
            // F is rounded to float: an error of second order around the optimum
            const double best = mapError(samples, fitted.projections.keys, f);
            QVERIFY2(std::abs(best - fitted.mapError) < 1e-6, qPrintable(QString("%1, %2").arg(best).arg(fitted.mapError)));
            for (unsigned seed = 0; seed < 40; ++seed) { // nothing near it is better
                Matrix<double> other = f;
                const auto step = test::normalRows(other.rows(), other.cols(), seed % 2 == 0 ? 1e-2 : 1e-3, seed);
                for (std::size_t i = 0; i < other.size(); ++i)
                    other.data()[i] += static_cast<double>(step.data()[i]);
                QVERIFY(mapError(samples, fitted.projections.keys, other) > best);
            }
            // pooled values are one such F
            if (!subspace)
                QVERIFY(mapError(samples, fitted.projections.keys, linalg::toDouble(poolingMatrix(5, 24).view())) > best);
        }
    }
    /// The same by Householder's way: R F = Q^T P for all rows of the samples below each other.
    void valuesAreThoseOfQr()
    {
        const BlockSamples samples = heads(3, 24);
        const FittedProjections fitted = fitProjections(kShape, samples, {.rows = 5});
        Matrix<double> seen(72, 5), exact(72, 24);
        for (std::size_t s = 0; s < 3; ++s) {
            const auto& sample = samples.samples[s];
            const auto one = softmax(sample.q, linalg::product(linalg::toDouble(fitted.projections.keys.view()).view(), linalg::toDouble(sample.k.view()).view()));
            const auto whole = softmax(sample.q, linalg::toDouble(sample.k.view()));
            std::copy_n(one.data(), one.size(), seen.data() + s * one.size());
            std::copy_n(whole.data(), whole.size(), exact.data() + s * whole.size());
        }
        const linalg::ThinQr qr = linalg::thinQr(seen.view());
        Matrix<double> f = linalg::product(linalg::Op::Transpose, linalg::Op::None, qr.q.view(), exact.view());
        for (std::int64_t i = 4; i >= 0; --i)
            for (std::int64_t j = 0; j < 24; ++j) {
                for (std::int64_t l = i + 1; l < 5; ++l)
                    f(i, j) -= qr.r(i, l) * f(l, j);
                f(i, j) /= qr.r(i, i);
            }
        for (std::int64_t i = 0; i < 5; ++i)
            for (std::int64_t j = 0; j < 24; ++j) // maps in float, 1e-7, times the condition of their product, some 1e2
                QVERIFY(std::abs(f(i, j) - static_cast<double>(fitted.projections.values(i, j))) < 1e-4);
    }
    void aRidgeHoldsToSegmentMeans()
    {
        const BlockSamples samples = heads(3, 24);
        const Matrix<double> pooled = linalg::toDouble(poolingMatrix(5, 24).view());
        const auto off = [&](const Matrix<double>& f) {
            double sum = 0;
            for (std::size_t i = 0; i < f.size(); ++i)
                sum += (f.data()[i] - pooled.data()[i]) * (f.data()[i] - pooled.data()[i]);
            return sum;
        };
        double farther = 1e300;
        for (const double ridge : {0.0, 0.1, 1.0, 10.0, 1e6}) {
            const FittedProjections fitted = fitProjections(kShape, samples, {.rows = 5, .energy = 0, .ridge = ridge});
            const Matrix<double> f = linalg::toDouble(fitted.projections.values.view());
            QVERIFY(off(f) < farther);
            farther = off(f);
            if (ridge != 1.0)
                continue;
            // its own objective is least there: both parts are quadratic, the weight is that of the mean diagonal
            double diagonal = 0, all = 0;
            for (const auto& sample : samples.samples) {
                const auto seen = softmax(sample.q, linalg::product(linalg::toDouble(fitted.projections.keys.view()).view(), linalg::toDouble(sample.k.view()).view()));
                diagonal += linalg::squaredNorm(seen.view()) / 5;
                all += linalg::squaredNorm(softmax(sample.q, linalg::toDouble(sample.k.view())).view());
            }
            const auto objective = [&](const Matrix<double>& at) { return all * mapError(samples, fitted.projections.keys, at) + diagonal * off(at); };
            for (unsigned seed = 0; seed < 20; ++seed) {
                Matrix<double> other = f;
                const auto step = test::normalRows(5, 24, 1e-2, seed);
                for (std::size_t i = 0; i < other.size(); ++i)
                    other.data()[i] += static_cast<double>(step.data()[i]);
                QVERIFY(objective(other) > objective(f));
            }
        }
        QVERIFY(farther < 1e-9);
    }
    void keysAreTheBestSubspace()
    {
        const BlockSamples samples = heads(3, 24);
        const Matrix<float> e = fitProjections(kShape, samples, {.rows = 5, .energy = 0, .ridge = 0, .subspace = true}).projections.keys;
        Matrix<double> gram(24, 24);
        for (const auto& sample : samples.samples) {
            const auto k = linalg::toDouble(sample.k.view());
            linalg::gemm(linalg::Op::None, linalg::Op::Transpose, 1, k.view(), k.view(), 1, gram.view());
        }
        // sum |K - E^T E K|^2 = tr G - tr E G E^T for orthonormal rows
        const auto left = [&](const Matrix<double>& rows) {
            const Matrix<double> within = linalg::product(linalg::Op::None, linalg::Op::Transpose, linalg::product(rows.view(), gram.view()).view(), rows.view());
            double rest = 0;
            for (std::int64_t i = 0; i < 24; ++i)
                rest += gram(i, i) - (i < within.rows() ? within(i, i) : 0);
            return rest;
        };
        const auto values = linalg::symmetricEigenvalues(gram);
        const double best = left(linalg::toDouble(e.view())), behind = std::accumulate(values.begin() + 5, values.end(), 0.0);
        QVERIFY(std::abs(best - behind) < 1e-5 * values.front());
        for (unsigned seed = 0; seed < 100; ++seed) {
            const auto drawn = linalg::thinQr(linalg::toDouble(test::normalRows(24, 5, 1, seed).view()).view()).q;
            Matrix<double> rows(5, 24);
            for (std::int64_t i = 0; i < 5; ++i)
                for (std::int64_t j = 0; j < 24; ++j)
                    rows(i, j) = drawn(j, i);
            QVERIFY(left(rows) > best);
        }
    }
    void asManyRowsAsHoldTheShare()
    {
        const BlockSamples samples = heads(3, 24);
        Matrix<double> gram(24, 24);
        for (const auto& sample : samples.samples) {
            const auto p = softmax(sample.q, linalg::toDouble(sample.k.view()));
            linalg::gemm(linalg::Op::Transpose, linalg::Op::None, 1, p.view(), p.view(), 1, gram.view());
        }
        const auto values = linalg::symmetricEigenvalues(gram);
        const double all = std::accumulate(values.begin(), values.end(), 0.0);
        for (const double share : {0.3, 0.8, 0.95, 1.0}) {
            const FittedProjections fitted = fitProjections(kShape, samples, {.rows = 1, .energy = share});
            const auto rows = fitted.projections.keys.rows();
            const double held = std::accumulate(values.begin(), values.begin() + rows, 0.0), less = std::accumulate(values.begin(), values.begin() + rows - 1, 0.0);
            QVERIFY(held >= (share - 1e-6) * all && less < (share + 1e-6) * all);
            QCOMPARE(fitted.mapEnergy.size(), std::size_t{24});
        }
    }
    void allRowsAreExact()
    {
        // pooled to as many rows as tokens, E is the identity, P' = P, and F the least-norm solution of P F = P: P F v = P v
        BlockSamples samples = heads(1, 12);
        const auto fitted = fitProjections(kShape, samples, {.rows = 100});
        QCOMPARE(fitted.projections.keys.rows(), std::int64_t{12});
        QVERIFY(fitted.mapError < 1e-9);
    }
    void headsOfABlockAreFittedEach()
    {
        Inputs inputs;
        inputs.spec = {.heads = 4, .keyValueHeads = 2, .headDim = 8, .scale = 0.4F};
        inputs.gridHeight = inputs.gridWidth = 5;
        auto samples = std::make_shared<BlockSamples>();
        for (std::uint64_t s = 0; s < 2; ++s)
            samples->samples.push_back({{}, test::normalRows(25, 32, 1, 3 * s), test::normalRows(25, 16, 1, 3 * s + 1), test::normalRows(25, 16, 1, 3 * s + 2)});
        inputs.samples = samples;
        Parameters parameters;
        parameters.set("rows", std::int64_t{7});
        const Method method = fittedLinformerMethod();
        const auto input = samples->samples[0].view();
        const auto op = method.op(inputs, parameters);
        tensor::Matrix<float> all(25, 32), one(25, 8);
        nn::Scratch scratch(false);
        op->apply(input, all.view(), scratch);
        for (std::int64_t head = 0; head < 4; ++head) {
            const BlockSamples own = samples->ofHead(inputs.spec, head);
            const auto rule = projectedRule(std::make_shared<TokenProjections>(fitProjections(kShape, own, {.rows = 7}).projections));
            one = test::mixed(*rule, kShape, own.samples[0].q, own.samples[0].k, own.samples[0].v);
            for (std::int64_t i = 0; i < 25; ++i)
                for (std::int64_t d = 0; d < 8; ++d)
                    QVERIFY(std::abs(all(i, head * 8 + d) - one(i, d)) < 1e-6F);
        }
        // on the tape each key head starts from its first query head's fit
        tensor::Matrix<float> start(25, 32);
        method.onTape(inputs, parameters)->op()->apply(input, start.view(), scratch);
        for (const std::int64_t head : {0, 2})
            for (std::int64_t d = 0; d < 8; ++d)
                QVERIFY(std::abs(all(3, head * 8 + d) - start(3, head * 8 + d)) < 1e-6F);
    }
    void whatCannotBeFittedIsRefused()
    {
        Inputs inputs;
        inputs.spec = {.heads = 1, .keyValueHeads = 1, .headDim = 8, .scale = 0.4F};
        const Method method = fittedLinformerMethod();
        QVERIFY(method.fits);
        QVERIFY_EXCEPTION_THROWN(method.op(inputs, {}), Error);
        inputs.samples = std::make_shared<BlockSamples>();
        QVERIFY_EXCEPTION_THROWN(method.op(inputs, {}), Error);
        auto unlike = std::make_shared<BlockSamples>(heads(1, 24));
        unlike->samples.push_back(heads(1, 23).samples[0]);
        inputs.samples = unlike;
        QVERIFY_EXCEPTION_THROWN(method.op(inputs, {}), Error);
        inputs.samples = std::make_shared<BlockSamples>(heads(2, 24));
        inputs.spec.causal = true;
        QVERIFY_EXCEPTION_THROWN(method.op(inputs, {}), Error);
    }
};

QTEST_APPLESS_MAIN(TstFittedLinformer)
#include "tst_fitted_linformer.moc"
