// SPDX-License-Identifier: GPL-3.0-or-later
// Rules against their quadratic forms in NumPy (tests/golden/make_attention_golden.py), and what becomes of rows that see nothing.
#include "core/attention/band.h"
#include "core/attention/linear.h"
#include "core/attention/linformer.h"
#include "core/attention/mean_value.h"
#include "core/attention/nystrom.h"
#include "core/attention/performer.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/io/npz.h"
#include "tests/core/attention/one_head.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

using namespace tamis;
using namespace tamis::attention;

namespace {
constexpr float kScale = 0.25F;

tensor::Matrix<float> golden(const std::string& name)
{
    static const auto archive = io::NpzArchive::open(TAMIS_SOURCE_DIR "/tests/golden/attention_golden.npz");
    const io::NpyArray array = archive->read(name);
    const std::vector<float> values = array.toFloats();
    tensor::Matrix<float> result(array.shape[0], array.shape[1]);
    std::ranges::copy(values, result.data());
    return result;
}

HeadShape shape(bool causal, std::int64_t sliding = 0) { return {16, kScale, causal, sliding}; }

/// Sums of some 150 products of numbers around 1 in float against double: a few units of 1e-7 times the root of their number.
constexpr double kTolerance = 5e-6;
} // namespace

class TstAttentionRules : public QObject {
    Q_OBJECT
    const tensor::Matrix<float> m_q = golden("q"), m_k = golden("k"), m_v = golden("v");

    double errorOf(const HeadRule& rule, const HeadShape& head, const std::string& name) const { return test::relativeError(test::mixed(rule, head, m_q, m_k, m_v), golden(name)); }

private slots:
    void linearIsItsQuadraticForm()
    {
        QVERIFY(errorOf(*linearRule(LinearMap::EluPlusOne), shape(false), "linear.elu+1.all") < kTolerance);
        QVERIFY(errorOf(*linearRule(LinearMap::EluPlusOne), shape(true), "linear.elu+1.causal") < kTolerance);
        const auto q = golden("q.blind"), k = golden("k.blind");
        for (const bool causal : {false, true})
            for (const LinearMap map : {LinearMap::Relu, LinearMap::SquaredRelu}) {
                const HeadRulePtr rule = linearRule(map);
                const std::string name = std::string(map == LinearMap::Relu ? "linear.relu." : "linear.squared-relu.") + (causal ? "causal" : "all");
                QVERIFY(errorOf(*rule, shape(causal), name) < kTolerance);
                // first rows, and some in the middle, that share no feature with any key
                const auto found = test::mixed(*rule, shape(causal), q, k, m_v), expected = golden(name + ".blind");
                for (std::int64_t i = 0; i < 150; ++i)
                    for (std::int64_t c = 0; c < 12; ++c) // row by row: one that is wrong would be little among 150
                        QVERIFY2(std::abs(found(i, c) - expected(i, c)) < 1e-5F, qPrintable(QString("%1, row %2: %3, expected %4").arg(QString::fromStdString(name)).arg(i).arg(found(i, c)).arg(expected(i, c))));
            }
    }
    void linformerPoolsNeighbours()
    {
        for (const int rows : {1, 8, 150})
            QVERIFY(errorOf(*linformerRule(TokenProjection::MeanPool, rows, 0), shape(false), "linformer." + std::to_string(rows)) < kTolerance);
        // beyond the tokens: exact
        QVERIFY(errorOf(*linformerRule(TokenProjection::MeanPool, 4000, 0), shape(false), "band.149.0.all.0") < kTolerance);
        // one pooled token is the mean of the values
        QVERIFY(test::relativeError(test::mixed(*linformerRule(TokenProjection::MeanPool, 1, 0), shape(false), m_q, m_k, m_v), test::mixed(*meanValueRule(), shape(false), m_q, m_k, m_v)) < kTolerance);
    }
    void aRandomProjectionIsAFunctionOfItsSeed()
    {
        // one draw is one function; another seed, another one
        const HeadRulePtr rule = linformerRule(TokenProjection::Random, 16, 7);
        const tensor::Matrix<float> first = test::mixed(*rule, shape(false), m_q, m_k, m_v), again = test::mixed(*rule, shape(false), m_q, m_k, m_v);
        QVERIFY(first == again);
        QVERIFY(first != test::mixed(*linformerRule(TokenProjection::Random, 16, 8), shape(false), m_q, m_k, m_v));
    }
    /// One rule serves many threads and lengths: what it keeps is what a rule that was just made draws, more lengths than are kept among them.
    void randomProjectionsAreKeptForEveryLength()
    {
        const HeadRulePtr kept = linformerRule(TokenProjection::Random, 16, 7);
        std::vector<std::int64_t> lengths;
        for (int i = 0; i < 64; ++i)
            lengths.push_back(20 + i * 37 % 7 * 5);
        std::vector<char> same(lengths.size());
        const auto first = [](const tensor::Matrix<float>& x, std::int64_t rows) { return kernels::ConstRows{x.data(), rows, x.cols(), x.cols()}; };
        const auto mixed = [&](const HeadRule& rule, std::int64_t rows) {
            tensor::Matrix<float> out(rows, m_v.cols());
            nn::Scratch scratch(false);
            rule.mix(shape(false), first(m_q, rows), first(m_k, rows), first(m_v, rows), out.view(), scratch);
            return out;
        };
        parallelFor(RunContext(), lengths.size(), [&](std::size_t i) { same[i] = mixed(*kept, lengths[i]) == mixed(*linformerRule(TokenProjection::Random, 16, 7), lengths[i]) ? 1 : 0; });
        QVERIFY(std::ranges::all_of(same, [](char one) { return one == 1; }));
        // keys and values of 16, 150 x 16 weights, and the two projections [150, 16] that stay
        QCOMPARE(kept->liveFloats({12, kScale, false, 0}, 150, 12), std::uint64_t{2 * 16 * 12 + 150 * 16 + 2 * 150 * 16});
    }
    void nystromIsItsFormula()
    {
        // The iteration multiplies rounding by the condition of the landmarks' map: some 1e3 here.
        QVERIFY(errorOf(*nystromRule(8, 6), shape(false), "nystrom.8.6") < 1e-4);
        QVERIFY(errorOf(*nystromRule(31, 6), shape(false), "nystrom.31.6") < 1e-3);
        QVERIFY(errorOf(*nystromRule(8, 30), shape(false), "nystrom.8.pinv") < 1e-3);
        QVERIFY(errorOf(*nystromRule(8, 6), shape(false), "nystrom.8.pinv") < errorOf(*nystromRule(8, 2), shape(false), "nystrom.8.pinv"));
        QVERIFY(errorOf(*nystromRule(150, 6), shape(false), "band.149.0.all.0") < kTolerance);
    }
    void bandIsMaskedExact()
    {
        QVERIFY(errorOf(*bandRule(5, 0), shape(false), "band.5.0.all.0") < kTolerance);
        QVERIFY(errorOf(*bandRule(5, 2), shape(false), "band.5.2.all.0") < kTolerance);
        QVERIFY(errorOf(*bandRule(40, 70), shape(false), "band.40.70.all.0") < kTolerance);
        QVERIFY(errorOf(*bandRule(5, 2), shape(true), "band.5.2.causal.0") < kTolerance);
        QVERIFY(errorOf(*bandRule(20, 2), shape(true, 9), "band.20.2.causal.9") < kTolerance);
        QVERIFY(errorOf(*bandRule(149, 0), shape(true), "band.149.0.causal.0") < kTolerance);
        QVERIFY(errorOf(*bandRule(1'000'000, 1'000'000), shape(false), "band.149.0.all.0") < kTolerance);
    }
    void countsOfTheBand()
    {
        QCOMPARE(bandRule(1'000'000, 0)->macs(shape(false), 150, 16), std::uint64_t{2 * 150 * 150 * 16});
        QCOMPARE(bandRule(0, 0)->macs(shape(false), 150, 16), std::uint64_t{2 * 150 * 16});
        QCOMPARE(bandRule(1, 0)->macs({1, kScale, false, 0}, 4, 1), std::uint64_t{2 * (2 + 3 + 3 + 2)});
        QCOMPARE(bandRule(1, 1)->macs({1, kScale, false, 0}, 4, 1), std::uint64_t{2 * (4 + 3 + 4 + 3)});
    }
    void rowsThatSeeNoFeatureAreTheMean()
    {
        tensor::Matrix<float> q(70, 16), k = m_k;
        k = tensor::Matrix<float>(70, 16);
        const tensor::Matrix<float> v = test::normalRows(70, 12, 1, 3);
        std::ranges::fill(q.values(), -1.0F); // relu leaves nothing
        std::ranges::fill(k.values(), 1.0F);
        for (const bool causal : {false, true})
            QVERIFY(test::relativeError(test::mixed(*linearRule(LinearMap::Relu), shape(causal), q, k, v), test::mixed(*meanValueRule(), shape(causal), q, k, v)) < kTolerance);
    }
    void mapsHaveRowsThatSumToOne()
    {
        tensor::Matrix<float> ones(150, 1);
        std::ranges::fill(ones.values(), 1.0F);
        for (const auto& rule : {linearRule(LinearMap::EluPlusOne), linformerRule(TokenProjection::MeanPool, 8, 0), bandRule(5, 1), meanValueRule()}) {
            const tensor::Matrix<float> sums = test::mixed(*rule, shape(false), m_q, m_k, ones);
            QVERIFY(std::ranges::all_of(sums.values(), [](float sum) { return std::abs(sum - 1) < 1e-5F; }));
        }
    }
    /// Row by row in double: nothing of a value that left the window stays, neither rounding (1e8 against 1) nor what is no number.
    void meansForgetWhatTheyNoLongerSee()
    {
        auto v = test::normalRows(60, 12, 1, 3);
        v(10, 0) = 1e8F;
        v(10, 1) = std::numeric_limits<float>::infinity();
        v(10, 2) = std::numeric_limits<float>::quiet_NaN();
        const auto out = test::mixed(*meanValueRule(), shape(true, 9), tensor::Matrix<float>(60, 16), tensor::Matrix<float>(60, 16), v);
        for (std::int64_t i = 0; i < 60; ++i)
            for (std::int64_t d = 0; d < 12; ++d) {
                double sum = 0;
                const std::int64_t first = std::max<std::int64_t>(0, i - 8);
                for (std::int64_t j = first; j <= i; ++j)
                    sum += static_cast<double>(v(j, d));
                const bool sees = i >= 10 && first <= 10;
                if (sees && d > 0 && d < 3)
                    QVERIFY(!std::isfinite(out(i, d)));
                else // nine additions in float
                    QVERIFY(std::abs(static_cast<double>(out(i, d)) - sum / static_cast<double>(i + 1 - first)) <= 1e-6 * (sees && d == 0 ? 1e8 : 4));
            }
    }
    /// A key that is no number is never left out in silence: whoever sees it has no number either; whoever does not see it keeps its own.
    void keysThatAreNoNumbersAreSeen()
    {
        constexpr std::int64_t kBad = 70;
        tensor::Matrix<float> k = m_k;
        for (std::int64_t d = 0; d < 16; ++d)
            k(kBad, d) = std::numeric_limits<float>::quiet_NaN();
        const auto check = [&](const HeadRulePtr& rule, bool causal, const std::function<bool(std::int64_t)>& sees) {
            const auto out = test::mixed(*rule, shape(causal), m_q, k, m_v);
            for (std::int64_t i = 0; i < 150; ++i)
                QVERIFY2(std::isnan(out(i, 0)) == sees(i), qPrintable(QString("%1, row %2").arg(QString::fromStdString(std::string(rule->kind()))).arg(i)));
        };
        const auto all = [](std::int64_t) { return true; };
        const auto later = [](std::int64_t i) { return i >= kBad; };
        check(bandRule(5, 0), false, [](std::int64_t i) { return std::abs(i - kBad) <= 5; });
        check(bandRule(5, 1), true, [](std::int64_t i) { return i >= kBad && i <= kBad + 5; });
        check(linformerRule(TokenProjection::MeanPool, 8, 0), false, all);
        check(linformerRule(TokenProjection::Random, 8, 0), false, all);
        check(nystromRule(8, 6), false, all);
        for (const LinearMap map : {LinearMap::EluPlusOne, LinearMap::Relu, LinearMap::SquaredRelu}) {
            check(linearRule(map), false, all);
            check(linearRule(map), true, later);
        }
        for (const bool positive : {true, false}) {
            const auto rule = performerRule({.features = 24, .directions = Directions::Orthogonal, .positive = positive, .epsilon = 1e-4F, .seed = 1}, 16);
            check(rule, false, all);
            check(rule, true, later);
        }
    }
    void aQueryThatIsNoNumberIsAloneWithIt()
    {
        tensor::Matrix<float> q = m_q;
        q(70, 3) = std::numeric_limits<float>::quiet_NaN();
        for (const HeadRulePtr& rule : {bandRule(5, 0), linformerRule(TokenProjection::MeanPool, 8, 0), linearRule(LinearMap::EluPlusOne), linearRule(LinearMap::SquaredRelu),
                                        performerRule({.features = 24, .directions = Directions::Orthogonal, .positive = true, .epsilon = 1e-4F, .seed = 1}, 16)}) {
            const auto out = test::mixed(*rule, shape(false), q, m_k, m_v);
            for (std::int64_t i = 0; i < 150; ++i)
                QCOMPARE(std::isnan(out(i, 0)), i == 70);
        }
    }
    void fewerTokensThanAnythingTakes()
    {
        const auto q = test::normalRows(3, 16, 1, 1), k = test::normalRows(3, 16, 1, 2), v = test::normalRows(3, 12, 1, 3);
        const auto exact = test::mixed(*bandRule(1000, 0), shape(false), q, k, v);
        for (const HeadRulePtr& rule : {bandRule(64, 8), linformerRule(TokenProjection::MeanPool, 64, 0), nystromRule(32, 6)})
            QVERIFY(test::relativeError(test::mixed(*rule, shape(false), q, k, v), exact) < kTolerance);
    }
    void whatIsNotForCausalAttentionIsRefused()
    {
        const nn::AttentionSpec spec{.heads = 2, .keyValueHeads = 1, .headDim = 8, .scale = 0.3F, .causal = true};
        for (const char* id : {"attention.linformer", "attention.nystrom"})
            QVERIFY_EXCEPTION_THROWN(findMethod(id)->op({spec}, {}), Error);
        nn::AttentionSpec sliding = spec;
        sliding.slidingWindow = 4;
        for (const char* id : {"attention.linear", "attention.performer"})
            QVERIFY_EXCEPTION_THROWN(findMethod(id)->op({sliding}, {}), Error);
        nn::AttentionSpec windows = spec;
        windows.window = 7;
        QVERIFY_EXCEPTION_THROWN(findMethod("attention.band")->op({windows}, {}), Error);
    }
    /// A row that is too narrow would be read beyond its end. In the words of attention by tiles.
    void rowsThatDoNotFitAreRefused()
    {
        const nn::AttentionSpec spec{.heads = 4, .keyValueHeads = 2, .headDim = 8, .scale = 0.3F};
        const auto saidBy = [](const auto& does) -> std::string {
            try {
                does();
            } catch (const Error& error) {
                return error.code() == ErrorCode::InvalidParameter ? error.message() : "another code";
            }
            return "";
        };
        const auto op = headwise(spec, bandRule(1000, 0)), tiled = nn::exactAttention(spec);
        const auto said = [&](const nn::AttentionOp& of, std::int64_t q, std::int64_t k, std::int64_t v, bool map) {
            const auto queries = test::normalRows(20, q, 1, 1), keys = test::normalRows(20, k, 1, 2), values = test::normalRows(20, v, 1, 3);
            const nn::AttentionInput input{queries.view(), keys.view(), values.view()};
            return saidBy([&] {
                if (map) {
                    of.map(input, 3, 0);
                    return;
                }
                tensor::Matrix<float> out(20, 32);
                nn::Scratch scratch(false);
                of.apply(input, out.view(), scratch);
            });
        };
        for (const bool map : {false, true}) {
            QCOMPARE(said(*op, 32, 16, 16, map), std::string());
            for (const auto& [q, k] : {std::pair{24, 16}, {40, 16}, {32, 8}, {32, 32}}) {
                QCOMPARE(said(*op, q, k, k, map), said(*tiled, q, k, k, map));
                QVERIFY(said(*op, q, k, k, map).starts_with("queries of width " + std::to_string(q) + " and keys of width " + std::to_string(k) + " do not fit 4 heads"));
            }
        }
        QVERIFY(!said(*op, 32, 16, 8, false).empty()); // values
    }
    void headsShareKeysInGroups()
    {
        const nn::AttentionSpec spec{.heads = 4, .keyValueHeads = 2, .headDim = 8, .scale = 0.3F};
        const auto op = headwise(spec, bandRule(1000, 0));
        const auto exact = nn::exactAttention(spec);
        const tensor::Matrix<float> q = test::normalRows(60, 32, 1, 1), k = test::normalRows(60, 16, 1, 2), v = test::normalRows(60, 16, 1, 3);
        const nn::AttentionInput input{q.view(), k.view(), v.view()};
        tensor::Matrix<float> one(60, 32), other(60, 32), serial(60, 32);
        nn::Scratch scratch(true), single(false);
        exact->apply(input, one.view(), scratch);
        op->apply(input, other.view(), scratch);
        op->apply(input, serial.view(), single);
        QVERIFY(test::relativeError(other, one) < kTolerance);
        QVERIFY(other == serial);
        for (std::int64_t head = 0; head < 4; ++head)
            QVERIFY(test::relativeError(op->map(input, head, 0), exact->map(input, head, 0)) < kTolerance);
    }
};

QTEST_APPLESS_MAIN(TstAttentionRules)
#include "tst_attention_rules.moc"
