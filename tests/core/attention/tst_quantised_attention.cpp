// SPDX-License-Identifier: GPL-3.0-or-later
// Quantised attention against NumPy (tests/golden/make_quantised_attention_golden.py), against the errors that are known of it, and against itself on
// other instruction sets and threads.
#include "core/attention/quantised.h"

#include "core/attention/tiled.h"
#include "core/base/error.h"
#include "core/io/npz.h"
#include "tests/core/attention/one_head.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

using namespace tamis;
using namespace tamis::attention;
using kernels::QuantisedScheme;
using kernels::ScaleOf;

namespace {
constexpr float kNoNumber = std::numeric_limits<float>::quiet_NaN(), kMinusInfinity = -std::numeric_limits<float>::infinity();
constexpr const char* kGolden = TAMIS_SOURCE_DIR "/tests/golden/quantised_attention_golden.npz";

tensor::Matrix<float> golden(const std::string& name)
{
    static const auto archive = io::NpzArchive::open(kGolden);
    const io::NpyArray array = archive->read(name);
    const std::vector<float> values = array.toFloats();
    tensor::Matrix<float> result(array.shape[0], array.shape[1]);
    std::ranges::copy(values, result.data());
    return result;
}

ScaleOf scaleOf(const QString& name) { return name == "tensor" ? ScaleOf::Tensor : name == "token" ? ScaleOf::Token : ScaleOf::Block; }

nn::AttentionSpec oneHead(std::int64_t dim, float scale, bool causal = false, std::int64_t sliding = 0)
{
    return {.heads = 1, .keyValueHeads = 1, .headDim = dim, .scale = scale, .causal = causal, .slidingWindow = sliding};
}

tensor::Matrix<float> applied(const nn::AttentionOp& op, const tensor::Matrix<float>& q, const tensor::Matrix<float>& k, const tensor::Matrix<float>& v, bool parallel = false, const float* bias = nullptr)
{
    tensor::Matrix<float> out(q.rows(), q.cols());
    nn::Scratch scratch(parallel);
    op.apply({.q = q.view(), .k = k.view(), .v = v.view(), .keyBias = bias}, out.view(), scratch);
    return out;
}

struct Spread {
    double mean = 0, ofMean = 0; ///< and the standard error of the mean
};

/// Relative error against exact attention over 10 draws of 197 tokens of 64 features, as the known errors are measured.
Spread errorOver(const QuantisedScheme& scheme, double deviation, bool offset)
{
    std::vector<double> errors;
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
        const tensor::Matrix<float> q = test::normalRows(197, 64, deviation, 10 * seed + 1), v = test::normalRows(197, 64, 1, 10 * seed + 3), offsets = test::normalRows(1, 64, 8, 10 * seed + 4);
        tensor::Matrix<float> k = test::normalRows(197, 64, deviation, 10 * seed + 2);
        for (std::int64_t j = 0; offset && j < 197; ++j)
            for (std::int64_t c = 0; c < 64; ++c)
                k(j, c) += offsets(0, c);
        const nn::AttentionSpec spec = oneHead(64, 0.125F);
        errors.push_back(test::relativeError(applied(*quantisedAttention(spec, scheme), q, k, v), applied(*nn::exactAttention(spec), q, k, v)));
    }
    Spread spread;
    for (const double error : errors)
        spread.mean += error / 10;
    for (const double error : errors)
        spread.ofMean += (error - spread.mean) * (error - spread.mean) / 90;
    spread.ofMean = std::sqrt(spread.ofMean);
    return spread;
}
} // namespace

class TestQuantisedAttention : public QObject {
    Q_OBJECT
private slots:
    void cleanup() { kernels::forcePortableKernels(false); }
    void agreesWithNumPy_data()
    {
        QTest::addColumn<QString>("name");
        const auto archive = io::NpzArchive::open(kGolden);
        for (const io::NpzMember& member : archive->members())
            if (member.name.size() > 1) // not q, k, v
                QTest::newRow(member.name.c_str()) << QString::fromStdString(member.name);
    }
    void agreesWithNumPy()
    {
        QFETCH(QString, name);
        const QStringList part = name.split('.'); // score bits, value bits, scales, blocks, smooth, causal, sliding
        const QuantisedScheme scheme{part[0].toInt(), part[1].toInt(), scaleOf(part[2]), part[3].toInt(), part[4].toInt(), part[5] == "smooth"};
        const auto op = quantisedAttention(oneHead(10, 0.25F, part[6] == "causal", part[7].toInt()), scheme);
        const auto out = applied(*op, golden("q"), golden("k"), golden("v"));
        // Codes are the same. Scores reach 30: 1e-6 of each in float. Weights in codes of 1/255 may fall to the other side of a half: a few of 90000,
        // each of 1/255 of a row's sum, some 1e-4 of the whole.
        const double tolerance = scheme.valueBits == 32 ? 1e-5 : 3e-4;
        const double error = test::relativeError(out, golden(name.toStdString()));
        QVERIFY2(error < tolerance, qPrintable(QString::number(error)));
        kernels::forcePortableKernels(true);
        QVERIFY(test::relativeError(applied(*op, golden("q"), golden("k"), golden("v")), golden(name.toStdString())) < tolerance);
    }
    void scoresHaveTheSameBitsEverywhere()
    {
        const kernels::AttentionShape shape{2, 1, 24, 0.2F};
        const auto q = test::normalRows(150, 48, 1, 1), k = test::normalRows(211, 24, 1, 2);
        for (const int bits : {8, 4})
            for (const ScaleOf scales : {ScaleOf::Tensor, ScaleOf::Token, ScaleOf::Block}) {
                const QuantisedScheme scheme{bits, 32, scales};
                tensor::Matrix<float> best(150, 211), portable(150, 211);
                kernels::quantisedScores(shape, scheme, q.view(), k.view(), 1, best.view());
                kernels::forcePortableKernels(true);
                kernels::quantisedScores(shape, scheme, q.view(), k.view(), 1, portable.view());
                kernels::forcePortableKernels(false);
                QVERIFY(best == portable);
            }
    }
    void errorsAreThoseThatAreKnown_data()
    {
        QTest::addColumn<QuantisedScheme>("scheme");
        QTest::addColumn<double>("deviation");
        QTest::addColumn<bool>("offset");
        QTest::addColumn<double>("known");
        QTest::addColumn<double>("digit"); // of its last place
        const QuantisedScheme token{8, 32, ScaleOf::Token, 128, 64, false}, tensor{8, 32, ScaleOf::Tensor, 128, 64, false}, four{4, 32, ScaleOf::Token, 128, 64, false};
        const QuantisedScheme smooth{8, 32, ScaleOf::Token, 128, 64, true};
        struct Row {
            const char* name;
            QuantisedScheme scheme;
            bool offset;
            double known[3], digit[3];
        };
        for (const Row& row : {Row{"8 bits, token", token, false, {.0021, .0084, .017}, {1e-4, 1e-4, 1e-3}}, Row{"8 bits, tensor", tensor, false, {.0033, .0127, .027}, {1e-4, 1e-4, 1e-3}},
                               Row{"4 bits, token", four, false, {.039, .154, .306}, {1e-3, 1e-3, 1e-3}}, Row{"offset, plain", token, true, {.024, .043, .052}, {1e-3, 1e-3, 1e-3}},
                               Row{"offset, smooth", smooth, true, {.0021, .0084, .017}, {1e-4, 1e-4, 1e-3}}})
            for (std::size_t i = 0; i < 3; ++i)
                QTest::addRow("%s, deviation %g", row.name, 0.5 * (1 << i)) << row.scheme << 0.5 * (1 << i) << row.offset << row.known[i] << row.digit[i];
    }
    void errorsAreThoseThatAreKnown()
    {
        QFETCH(QuantisedScheme, scheme);
        QFETCH(double, deviation);
        QFETCH(bool, offset);
        QFETCH(double, known);
        QFETCH(double, digit);
        // Both are means of 10 draws: 4 standard errors of their difference, and half a unit of the last digit that is known.
        const Spread found = errorOver(scheme, deviation, offset);
        QVERIFY2(std::abs(found.mean - known) < 0.5 * digit + 4 * std::sqrt(2.0) * found.ofMean, qPrintable(QString("%1 +- %2, known %3").arg(found.mean).arg(found.ofMean).arg(known)));
        QVERIFY(found.ofMean < 0.15 * found.mean); // or the comparison would hold whatever is found
    }
    void smoothingBringsBackTheErrorWithoutOffsets()
    {
        const QuantisedScheme smooth{8, 32, ScaleOf::Token, 128, 64, true};
        // the very rows: the mean takes the offsets away up to the rounding of k
        QVERIFY(std::abs(errorOver(smooth, 1, true).mean / errorOver(smooth, 1, false).mean - 1) < 0.02);
    }
    /// Scores of a query change by one number alone: softmax(s q (k - c)^T) = softmax(s q k^T) for whatever row c.
    void theMeanOfTheKeysIsOfNoConsequence()
    {
        const tensor::Matrix<float> q = test::normalRows(197, 64, 1, 1), v = test::normalRows(197, 64, 1, 3), offsets = test::normalRows(1, 64, 8, 4);
        tensor::Matrix<float> k = test::normalRows(197, 64, 1, 2), less(197, 64);
        for (std::int64_t c = 0; c < 64; ++c) {
            double mean = 0;
            for (std::int64_t j = 0; j < 197; ++j)
                mean += static_cast<double>(k(j, c) += offsets(0, c)) / 197;
            for (std::int64_t j = 0; j < 197; ++j)
                less(j, c) = static_cast<float>(static_cast<double>(k(j, c)) - mean);
        }
        for (const bool causal : {false, true}) {
            const nn::AttentionSpec spec = oneHead(64, 0.125F, causal);
            const QuantisedScheme smooth{32, 32, ScaleOf::Token, 128, 64, true}, plain{32, 32, ScaleOf::Token, 128, 64, false};
            // Scores of size 8 from products of size 64: some 1e-6 of each in float, and as much of a weight; without offsets a tenth of it.
            for (const nn::AttentionPtr& op : {nn::exactAttention(spec), tiledAttention(spec, {64, 64}), quantisedAttention(spec, plain), quantisedAttention(spec, smooth)}) {
                const double apart = test::relativeError(applied(*op, q, k, v), applied(*op, q, less, v));
                QVERIFY2(apart < 1e-5, qPrintable(QString::number(apart)));
            }
            // 32 bits take it off, too: what is left is the rounding of keys without offsets
            const auto truth = applied(*tiledAttention(spec), q, less, v);
            const double with = test::relativeError(applied(*quantisedAttention(spec, smooth), q, k, v), truth), without = test::relativeError(applied(*quantisedAttention(spec, plain), q, k, v), truth);
            QVERIFY2(with < 0.5 * without, qPrintable(QString("%1, %2").arg(with).arg(without)));
        }
    }
    void smallerBlocksAreNoWorse()
    {
        const double tensor = errorOver({8, 32, ScaleOf::Tensor}, 1, false).mean, block = errorOver({8, 32, ScaleOf::Block}, 1, false).mean, token = errorOver({8, 32, ScaleOf::Token}, 1, false).mean;
        QVERIFY(token < block && block < tensor);
        // weights and values of 8 bits: 1 / 255 of the greatest weight, 1 / 254 of the greatest value, uniformly; under 2 % of these outputs
        const double mixed = errorOver({32, 8, ScaleOf::Block}, 1, false).mean;
        QVERIFY(mixed > 1e-3 && mixed < 0.02);
    }
    void groupsMasksWeightsAndThreads()
    {
        const std::int64_t tokens = 303;
        std::vector<float> bias;
        for (std::int64_t j = 0; j < tokens; ++j)
            bias.push_back(std::log(1.0F + static_cast<float>(j % 4)));
        for (const int valueBits : {32, 8})
            for (const std::int64_t sliding : {0, 40})
                for (const std::int64_t dim : {5, 32}) {
                    const nn::AttentionSpec spec{.heads = 4, .keyValueHeads = 2, .headDim = dim, .scale = 0.2F, .causal = true, .slidingWindow = sliding};
                    const auto q = test::normalRows(tokens, 4 * dim, 1, 1), k = test::normalRows(tokens, 2 * dim, 1, 2), v = test::normalRows(tokens, 2 * dim, 1, 3);
                    const auto op = quantisedAttention(spec, {8, valueBits});
                    const auto out = applied(*op, q, k, v, false, bias.data());
                    QVERIFY(out == applied(*op, q, k, v, true, bias.data()));
                    const auto exact = applied(*tiledAttention(spec), q, k, v, false, bias.data());
                    // scores of deviation 1: the known 0.0084 to 0.0127 by scores, 0.02 at most by weights and values; a wrong mask or head would be of size 1
                    const double error = test::relativeError(out, exact);
                    QVERIFY2(error < (valueBits == 32 ? 0.0127 : 0.0327), qPrintable(QString("%1, values of %2 bits, sliding %3, d %4").arg(error).arg(valueBits).arg(sliding).arg(dim)));
                    // out = map v, where values keep their floats
                    const nn::AttentionInput input{.q = q.view(), .k = k.view(), .v = v.view(), .keyBias = bias.data()};
                    tensor::Matrix<float> mixed(tokens, 4 * dim);
                    for (std::int64_t head = 0; head < 4; ++head) {
                        const auto map = op->map(input, head, 0);
                        for (std::int64_t i = 0; i < tokens; ++i) {
                            double sum = 0;
                            for (std::int64_t j = 0; j < tokens; ++j) {
                                sum += static_cast<double>(map(i, j));
                                for (std::int64_t c = 0; c < dim; ++c)
                                    mixed(i, head * dim + c) += map(i, j) * v(j, head / 2 * dim + c);
                            }
                            QVERIFY(std::abs(sum - 1) < 1e-5);
                        }
                    }
                    QVERIFY(test::relativeError(out, mixed) < (valueBits == 32 ? 1e-5 : 0.01));
                }
    }
    void memoryIsWhatIsSaid()
    {
        for (const QuantisedScheme& scheme : {QuantisedScheme{8, 32}, QuantisedScheme{8, 8}, QuantisedScheme{32, 8}}) {
            const auto op = quantisedAttention(oneHead(24, 0.2F), scheme);
            const auto rows = test::normalRows(333, 24, 1, 1);
            tensor::Matrix<float> out(333, 24);
            nn::Scratch scratch(false);
            op->apply({.q = rows.view(), .k = rows.view(), .v = rows.view()}, out.view(), scratch);
            QCOMPARE(static_cast<std::uint64_t>(scratch.peakFloats()), op->cost(333).liveFloats);
            QVERIFY(op->cost(8192).liveFloats < 2 * op->cost(4096).liveFloats + 1000); // linear
        }
    }
    void numbersThatAreNoneStayInTheirRows()
    {
        for (const QuantisedScheme& scheme : {QuantisedScheme{8, 32, ScaleOf::Tensor}, QuantisedScheme{8, 8}, QuantisedScheme{4, 8, ScaleOf::Token}}) {
            const auto op = quantisedAttention(oneHead(12, 0.3F, true), scheme);
            auto q = test::normalRows(300, 12, 1, 1), k = test::normalRows(300, 12, 1, 2), v = test::normalRows(300, 12, 1, 3);
            const auto check = [&](float& place, float with, std::int64_t first, std::int64_t end) {
                const float before = std::exchange(place, with);
                const auto out = applied(*op, q, k, v);
                place = before;
                for (std::int64_t i = 0; i < 300; ++i)
                    for (const float x : out.view().row(i))
                        if (std::isnan(x) != (i >= first && i < end))
                            return false;
                return true;
            };
            for (const float odd : {kNoNumber, -kMinusInfinity}) {
                QVERIFY(check(q(33, 5), odd, 33, 34));
                QVERIFY(check(k(280, 0), odd, 280, 300));
                QVERIFY(check(v(20, 3), odd, 20, 300));
            }
            std::vector<float> bias(300, 0.0F);
            std::fill_n(bias.begin(), 290, kMinusInfinity);
            const auto out = applied(*op, q, k, v, false, bias.data());
            for (std::int64_t i = 0; i < 300; ++i)
                QCOMPARE(std::ranges::all_of(out.view().row(i), [](float x) { return x == 0; }), i < 290);
            std::ranges::fill(q.values(), 0.0F); // nothing to scale by: all scores are 0
            const auto flat = applied(*op, q, k, v);
            QVERIFY(std::abs(flat(1, 0) - 0.5F * (v(0, 0) + v(1, 0))) < 0.02F);
        }
    }
    void oneTokenIsItsValue()
    {
        const auto q = test::normalRows(1, 12, 1, 1), v = test::normalRows(1, 12, 1, 3);
        QVERIFY(test::relativeError(applied(*quantisedAttention(oneHead(12, 1), {8, 32, ScaleOf::Block, 1000, 1000}), q, q, v), v) < 1e-6);
    }
    void whatIsNotForItIsRefused()
    {
        const auto rows = test::normalRows(20, 8, 1, 1);
        for (const QuantisedScheme& scheme : {QuantisedScheme{16, 32}, QuantisedScheme{8, 4}, QuantisedScheme{8, 32, ScaleOf::Block, 0, 64}, QuantisedScheme{8, 32, ScaleOf::Block, 128, -1}})
            QVERIFY_EXCEPTION_THROWN(applied(*quantisedAttention(oneHead(8, 1), scheme), rows, rows, rows), Error);
        nn::AttentionSpec windows = oneHead(8, 1);
        windows.window = 7;
        QVERIFY_EXCEPTION_THROWN(findMethod("attention.quantised")->op({windows}, {}), Error);
        Parameters parameters;
        parameters.set("score-bits", std::string("5"));
        QVERIFY_EXCEPTION_THROWN(findMethod("attention.quantised")->op({oneHead(8, 1)}, parameters), Error);
    }
};

QTEST_APPLESS_MAIN(TestQuantisedAttention)
#include "tst_quantised_attention.moc"
