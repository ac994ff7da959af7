// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/measure/logit_metrics.h"

#include "core/base/error.h"
#include "core/measure/spread.h"
#include "tests/core/linalg/matrices.h"

#include <QTest>

#include <cmath>
#include <functional>
#include <limits>

using namespace tamis;
using namespace tamis::measure;

namespace {
ErrorCode codeOf(const std::function<void()>& call)
{
    try {
        call();
    } catch (const Error& error) {
        return error.code();
    }
    return ErrorCode::LimitExceeded; // never thrown here
}

/// softmax in long double, no shift: for logits of moderate size.
std::vector<long double> softmax(std::span<const float> logits)
{
    long double sum = 0;
    std::vector<long double> p;
    for (const float value : logits)
        sum += std::exp(static_cast<long double>(value));
    for (const float value : logits)
        p.push_back(std::exp(static_cast<long double>(value)) / sum);
    return p;
}
} // namespace

class TstLogitMetrics : public QObject
{
    Q_OBJECT
private slots:
    void bestClassesAreSortedAndStable()
    {
        const std::vector<float> logits{1, 3, 3, -2, 5, 0};
        QCOMPARE(bestClasses(logits, 5), (std::vector<int>{4, 1, 2, 0, 5}));
        QCOMPARE(bestClasses(logits, 99).size(), 6u);
        QCOMPARE(bestClasses(logits, 1), std::vector<int>{4});
    }

    void labelScoresAgreeWithTheOrder()
    {
        const auto rows = test::gaussianFloat(50, 12, 3);
        for (std::int64_t i = 0; i < rows.rows(); ++i) {
            const auto logits = rows.view().row(i);
            const auto order = bestClasses(logits, 12);
            const auto p = softmax(logits);
            for (std::size_t place = 0; place < order.size(); ++place) {
                const auto score = scoreLabel(logits, order[place]);
                QCOMPARE(score.top1, place == 0);
                QCOMPARE(score.top5, place < 5);
                const auto expected = -std::log(p[static_cast<std::size_t>(order[place])]);
                QVERIFY(std::abs(score.negativeLogLikelihood - static_cast<double>(expected)) < 1e-13);
            }
            const auto shown = probabilities(logits, order);
            for (std::size_t place = 0; place < order.size(); ++place) // rounded to float once
                QVERIFY(std::abs(static_cast<double>(shown[place]) - static_cast<double>(p[static_cast<std::size_t>(order[place])])) < 1e-7);
        }
    }

    void tiesGoToTheLowerClass()
    {
        const std::vector<float> logits{2, 2, 2};
        QVERIFY(scoreLabel(logits, 0).top1);
        QVERIFY(!scoreLabel(logits, 1).top1);
        QVERIFY(scoreLabel(logits, 2).top5);
    }

    void comparisonAgreesWithTheDefinition()
    {
        const auto rows = test::gaussianFloat(60, 9, 5);
        for (std::int64_t i = 0; i + 1 < rows.rows(); ++i) {
            const auto a = rows.view().row(i), b = rows.view().row(i + 1);
            const auto p = softmax(a), q = softmax(b);
            long double kl = 0, dot = 0, aa = 0, bb = 0;
            for (std::size_t c = 0; c < p.size(); ++c) {
                kl += p[c] * std::log(p[c] / q[c]);
                dot += static_cast<long double>(a[c]) * static_cast<long double>(b[c]);
                aa += static_cast<long double>(a[c]) * static_cast<long double>(a[c]);
                bb += static_cast<long double>(b[c]) * static_cast<long double>(b[c]);
            }
            const auto found = compareLogits(a, b);
            QVERIFY(std::abs(found.kl - static_cast<double>(kl)) < 1e-13);
            QVERIFY(std::abs(found.cosine - static_cast<double>(dot / std::sqrt(aa * bb))) < 1e-13);
            QCOMPARE(found.agree, bestClasses(a, 1) == bestClasses(b, 1));
            QVERIFY(found.kl >= 0 && std::abs(found.cosine) <= 1 + 1e-12);
        }
    }

    void identities()
    {
        const auto rows = test::gaussianFloat(1, 30, 8);
        const auto a = rows.view().row(0);
        const auto same = compareLogits(a, a);
        QVERIFY(same.agree && same.kl == 0 && std::abs(same.cosine - 1) < 1e-15);
        std::vector<float> shifted(a.begin(), a.end());
        for (float& value : shifted) // softmax does not see a constant; exact in float by the choice of eighths
            value = std::round(value * 8) / 8;
        auto moved = shifted;
        for (float& value : moved)
            value += 4;
        QVERIFY(compareLogits(shifted, moved).kl < 1e-15);
        const std::vector<float> huge{1e30f, -1e30f, 3e37f}; // no overflow
        const auto score = scoreLabel(huge, 2);
        QVERIFY(score.top1 && score.negativeLogLikelihood == 0);
        QVERIFY(std::isfinite(compareLogits(huge, std::vector<float>{0, 1, 2}).kl));
        const std::vector<float> zero{0, 0};
        QCOMPARE(compareLogits(zero, zero).cosine, 1.0);
        QCOMPARE(compareLogits(zero, std::vector<float>{1, 0}).cosine, 0.0);
    }

    void refusals()
    {
        const std::vector<float> two{0, 1}, three{0, 1, 2}, nan{0, std::numeric_limits<float>::quiet_NaN()},
            infinite{-std::numeric_limits<float>::infinity(), 0}, none;
        QCOMPARE(codeOf([&] { compareLogits(two, three); }), ErrorCode::InvalidParameter);
        QCOMPARE(codeOf([&] { compareLogits(two, nan); }), ErrorCode::NonFinite);
        QCOMPARE(codeOf([&] { compareLogits(infinite, two); }), ErrorCode::NonFinite);
        QCOMPARE(codeOf([&] { bestClasses(none, 1); }), ErrorCode::InvalidParameter);
        QCOMPARE(codeOf([&] { scoreLabel(two, 2); }), ErrorCode::InvalidParameter);
        QCOMPARE(codeOf([&] { scoreLabel(two, -1); }), ErrorCode::InvalidParameter);
    }

    void spreadOverBatches()
    {
        BatchSpread spread;
        QVERIFY(!spread.measured().present());
        spread.add(4, 4); // mean 1
        QVERIFY(std::isnan(spread.measured().deviation));
        spread.add(0, 0); // nothing in it
        spread.add(6, 2); // mean 3
        spread.add(0, 1); // mean 0
        const auto measured = spread.measured();
        QCOMPARE(measured.mean, 10.0 / 7);
        const double centre = 4.0 / 3;
        const auto square = [](double x) { return x * x; };
        QVERIFY(std::abs(measured.deviation - std::sqrt((square(1 - centre) + square(3 - centre) + square(0 - centre)) / 2)) < 1e-15);
        const auto perplexity = spread.exponential();
        QCOMPARE(perplexity.mean, std::exp(10.0 / 7));
        const double e1 = std::exp(1.0), e3 = std::exp(3.0), e0 = 1, mid = (e1 + e3 + e0) / 3;
        QVERIFY(std::abs(perplexity.deviation - std::sqrt((square(e1 - mid) + square(e3 - mid) + square(e0 - mid)) / 2)) < 1e-13);
    }
};

QTEST_APPLESS_MAIN(TstLogitMetrics)
#include "tst_logit_metrics.moc"
