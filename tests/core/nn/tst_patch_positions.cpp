// SPDX-License-Identifier: GPL-3.0-or-later
// Tokens that stand for others keep their place: rotary and relative positions of models whose tokens are changed while they run.
#include "core/base/error.h"
#include "core/nn/patch_rotary.h"
#include "core/nn/relative_attention.h"
#include "core/nn/token_hook.h"
#include "tests/core/nn/golden_model.h"

#include <QTest>

#include <cmath>
#include <functional>
#include <numeric>
#include <random>

using namespace tamis;
using namespace tamis::nn;

namespace {
constexpr float kRounding = 1e-5f; // some tens of float operations on numbers of order 1 to 10

struct Placed final : TokenHook {
    explicit Placed(std::vector<std::int32_t> tokens = {}, std::vector<float> keys = {}) : held(std::move(tokens)), bias(std::move(keys)) {}
    std::vector<std::int32_t> held;
    std::vector<float> bias;
    std::span<const std::int32_t> heldBy(int, std::int64_t) override { return held; }
    const float* keyBias(int, std::int64_t) override { return bias.empty() ? nullptr : bias.data(); }
};

std::shared_ptr<const Model> modelNamed(const char* variant) { return Model::load(*io::Checkpoint::open(golden::folder(variant))); }

tensor::Matrix<float> randomRows(std::int64_t rows, std::int64_t cols, unsigned seed)
{
    std::mt19937 engine(seed);
    std::normal_distribution<float> normal;
    tensor::Matrix<float> x(rows, cols);
    for (float& value : x.values())
        value = normal(engine);
    return x;
}

tensor::Matrix<float> through(const Model& model, tensor::Matrix<float> x, Placed hook)
{
    Scratch scratch;
    for (int block = 0; block < static_cast<int>(model.blocks().size()); ++block)
        if (model.runBlock(block, x.view(), scratch, hook) != x.rows())
            qFatal("tokens were lost");
    return x;
}

float largestDifference(std::span<const float> a, std::span<const float> b)
{
    float worst = 0;
    for (std::size_t i = 0; i < a.size(); ++i)
        worst = std::max(worst, std::abs(a[i] - b[i]));
    return worst;
}

QString refusal(const std::function<void()>& call)
{
    try {
        call();
    } catch (const Error& error) {
        return QString::fromUtf8(error.what());
    }
    return {};
}

std::vector<std::int32_t> counting(std::int64_t count)
{
    std::vector<std::int32_t> held(static_cast<std::size_t>(count));
    std::iota(held.begin(), held.end(), 0);
    return held;
}

/// A table [(2 rows - 1)(2 columns - 1) + 3, heads] of random numbers, and the operator over it.
struct Relative {
    AttentionSpec spec;
    tensor::Matrix<float> table;
    AttentionPtr op;
    Relative(std::int64_t rows, std::int64_t columns, std::int64_t heads)
    {
        spec.heads = spec.keyValueHeads = heads;
        spec.headDim = 4;
        spec.scale = 0.5f;
        spec.window = rows;
        spec.windowAcross = columns;
        table = randomRows((2 * rows - 1) * (2 * columns - 1) + 3, heads, 5);
        op = relativeAttention(spec, table.view(), 0);
    }
    /// From the definition, pair by pair.
    double bias(std::int64_t head, std::int64_t query, std::int64_t key) const
    {
        const std::int64_t rows = spec.window, columns = spec.windowAcross, last = table.rows() - 1;
        if (query == 0 || key == 0)
            return static_cast<double>(table(query == key ? last : query == 0 ? last - 2 : last - 1, head));
        const std::int64_t down = (query - 1) / columns - (key - 1) / columns, across = (query - 1) % columns - (key - 1) % columns;
        return static_cast<double>(table((down + rows - 1) * (2 * columns - 1) + across + columns - 1, head));
    }
};
} // namespace

class TestPatchPositions : public QObject {
    Q_OBJECT
private slots:
    void aTokenOfOnePatchHasItsNumbers()
    {
        const PatchRotary rotary({.enabled = true, .theta = 100, .dimensions = 8}, 2, 3, 4);
        QCOMPARE(rotary.own().tokens(), 14);
        QCOMPARE(rotary.own().pairs, 4);
        std::vector<std::int32_t> held(14, -1);
        held[0] = 0, held[1] = 1, held[2 + 7] = 2, held[2 + 3] = 3;
        const PatchTurns turns = rotary.of(held, 4);
        for (std::size_t i = 0; i < 4; ++i) {
            QCOMPARE(turns.cosine[i], rotary.own().cosine[7 * 4 + i]);
            QCOMPARE(turns.sine[4 + i], rotary.own().sine[3 * 4 + i]);
        }
    }
    /// Two patches beside a third, or four around it, lie where it does. The centres are exact in double: the same bits.
    void aTokenOfSeveralLiesAtTheirMean()
    {
        const PatchRotary rotary({.enabled = true, .theta = 100, .dimensions = 8}, 1, 5, 7);
        for (const std::vector<int>& around : {std::vector{16, 18}, {10, 24}, {10, 16, 18, 24}, {9, 11, 23, 25}}) { // of patch 17: row 2, column 3
            std::vector<std::int32_t> held(36, -1);
            held[0] = 0;
            for (const int patch : around)
                held[static_cast<std::size_t>(1 + patch)] = 1;
            const PatchTurns turns = rotary.of(held, 2);
            QVERIFY(std::equal(turns.cosine.begin(), turns.cosine.end(), rotary.own().cosine.begin() + 17 * 4));
            QVERIFY(std::equal(turns.sine.begin(), turns.sine.end(), rotary.own().sine.begin() + 17 * 4));
        }
        const PatchTurns corner = rotary.at(std::vector<double>{0, 0}); // y = x = -1: 2 pi and 2 pi / 100^(1/2)
        QVERIFY(std::abs(corner.cosine[0] - 1.0f) < 1e-6f && std::abs(corner.sine[2]) < 1e-6f);
        QVERIFY(std::abs(corner.cosine[1] - static_cast<float>(std::cos(2 * std::acos(-1.0) / 10))) < 1e-6f);
    }
    void permutedTokensGivePermutedOutputs_data() { models(); }
    void permutedTokensGivePermutedOutputs()
    {
        QFETCH(QString, variant);
        const auto model = modelNamed(qPrintable(variant));
        const std::int64_t tokens = model->spec().tokens(0), width = model->spec().width, prefix = model->spec().patch.prefixTokens;
        const tensor::Matrix<float> x = randomRows(tokens, width, 1);
        std::vector<std::int32_t> held = counting(tokens);
        std::shuffle(held.begin() + prefix, held.end(), std::mt19937(2));
        tensor::Matrix<float> permuted(tokens, width);
        for (std::int64_t i = 0; i < tokens; ++i)
            std::ranges::copy(x.view().row(i), permuted.view().row(held[static_cast<std::size_t>(i)]).begin());
        const tensor::Matrix<float> plain = through(*model, x, Placed()), moved = through(*model, permuted, Placed(held));
        for (std::int64_t i = 0; i < tokens; ++i)
            QVERIFY(largestDifference(plain.view().row(i), moved.view().row(held[static_cast<std::size_t>(i)])) < kRounding);
        QVERIFY(largestDifference(through(*model, permuted, Placed()).values(), moved.values()) > 1e-3f); // the places matter
    }
    /// Two tokens of the same features at one place are one of twice the weight: log 2 on its key.
    void twoAtOnePlaceAreOneOfTwiceTheWeight()
    {
        const auto model = modelNamed("hf_dinov3"); // 4 x 4 patches behind three tokens
        const std::int64_t width = model->spec().width;
        tensor::Matrix<float> two = randomRows(6, width, 3), one(5, width);
        std::copy_n(two.data() + 4 * width, width, two.data() + 5 * width);
        std::copy_n(two.data(), 5 * width, one.data());
        std::vector<std::int32_t> apart(19, -1), together;
        std::iota(apart.begin(), apart.begin() + 3, 0);
        apart[3 + 9] = 3;
        together = apart;
        apart[3 + 4] = apart[3 + 6] = 4; // beside patch 5 of row 1
        apart[3 + 5] = 5;
        together[3 + 4] = together[3 + 5] = together[3 + 6] = 4;
        const tensor::Matrix<float> both = through(*model, two, Placed(apart));
        const tensor::Matrix<float> merged = through(*model, one, Placed(together, {0, 0, 0, 0, std::log(2.0f)}));
        QVERIFY(largestDifference(both.values().first(static_cast<std::size_t>(5 * width)), merged.values()) < kRounding);
        QVERIFY(largestDifference(both.view().row(4), both.view().row(5)) < kRounding);
    }
    /// The mean over pairs of sources, against all of them one by one; with queries of zeros the probabilities are the softmax of the bias.
    void theBiasOfMergedTokensIsTheMeanOverPairs()
    {
        const Relative relative(3, 4, 2);
        const std::vector<std::int32_t> held{0, 2, 2, -1, 1, 3, 2, 4, -1, 3, 0, 5, 5};
        constexpr std::int64_t kTokens = 6;
        const AttentionPtr over = relativeOver(*relative.op, held, kTokens);
        const std::vector<float> keys{0.0f, 0.3f, -0.2f, 1.0f, 0.5f, -0.7f};
        const tensor::Matrix<float> nothing(kTokens, 8);
        for (std::int64_t head = 0; head < 2; ++head) {
            const tensor::Matrix<float> map = over->map({.q = nothing.view(), .k = nothing.view(), .v = nothing.view(), .keyBias = keys.data()}, head, 0);
            for (std::int64_t i = 0; i < kTokens; ++i) {
                std::vector<double> expected;
                double sum = 0;
                for (std::int64_t j = 0; j < kTokens; ++j) {
                    double mean = 0;
                    int pairs = 0;
                    for (std::size_t a = 0; a < held.size(); ++a)
                        for (std::size_t b = 0; b < held.size(); ++b)
                            if (held[a] == i && held[b] == j) {
                                mean += relative.bias(head, static_cast<std::int64_t>(a), static_cast<std::int64_t>(b));
                                ++pairs;
                            }
                    expected.push_back(std::exp(mean / pairs + static_cast<double>(keys[static_cast<std::size_t>(j)])));
                    sum += expected.back();
                }
                for (std::int64_t j = 0; j < kTokens; ++j)
                    QVERIFY(std::abs(static_cast<double>(map(i, j)) - expected[static_cast<std::size_t>(j)] / sum) < 1e-6);
            }
        }
    }
    /// Single sources take the sub-table: the operator over some patches is softmax(scale q k + bias) v from the definition, and apply agrees with map.
    void keptTokensTakeTheSubTable()
    {
        const Relative relative(2, 3, 2);
        const std::vector<std::int32_t> held{0, -1, 3, 1, -1, 2, -1};
        const std::vector<std::int64_t> sources{0, 3, 5, 2};
        const AttentionPtr over = relativeOver(*relative.op, held, 4);
        const tensor::Matrix<float> q = randomRows(4, 8, 7), k = randomRows(4, 8, 8), v = randomRows(4, 8, 9);
        const AttentionInput input{.q = q.view(), .k = k.view(), .v = v.view()};
        tensor::Matrix<float> out(4, 8);
        Scratch scratch;
        over->apply(input, out.view(), scratch);
        for (std::int64_t head = 0; head < 2; ++head) {
            const tensor::Matrix<float> map = over->map(input, head, 0);
            for (std::int64_t i = 0; i < 4; ++i) {
                std::vector<double> weights;
                double sum = 0;
                for (std::int64_t j = 0; j < 4; ++j) {
                    double score = relative.bias(head, sources[static_cast<std::size_t>(i)], sources[static_cast<std::size_t>(j)]);
                    for (std::int64_t d = 0; d < 4; ++d)
                        score += 0.5 * static_cast<double>(q(i, head * 4 + d)) * static_cast<double>(k(j, head * 4 + d));
                    weights.push_back(std::exp(score));
                    sum += weights.back();
                }
                for (std::int64_t d = 0; d < 4; ++d) {
                    double mixed = 0;
                    for (std::int64_t j = 0; j < 4; ++j)
                        mixed += weights[static_cast<std::size_t>(j)] / sum * static_cast<double>(v(j, head * 4 + d));
                    QVERIFY(std::abs(static_cast<double>(out(i, head * 4 + d)) - mixed) < 1e-5);
                }
                for (std::int64_t j = 0; j < 4; ++j)
                    QVERIFY(std::abs(static_cast<double>(map(i, j)) - weights[static_cast<std::size_t>(j)] / sum) < 1e-6);
            }
        }
    }
    /// 41 x 41 patches in 2 heads are more pairs than are kept: written out at every call, the same numbers as over all tokens moved by nothing.
    void manyPairsAreWrittenOutAtEveryCall()
    {
        const Relative relative(41, 41, 2);
        constexpr std::int64_t kTokens = 1 + 41 * 41;
        QCOMPARE(relative.op->cost(kTokens).liveFloats, std::uint64_t{2} * kTokens * kTokens);
        QCOMPARE(relativeCost(relative.spec, kTokens, 7).parameters, std::uint64_t{7});
        const tensor::Matrix<float> q = randomRows(kTokens, 8, 7), k = randomRows(kTokens, 8, 8), v = randomRows(kTokens, 8, 9);
        const AttentionInput input{.q = q.view(), .k = k.view(), .v = v.view()};
        tensor::Matrix<float> plain(kTokens, 8), moved(kTokens, 8);
        Scratch scratch;
        relative.op->apply(input, plain.view(), scratch);
        relativeOver(*relative.op, counting(kTokens), kTokens)->apply(input, moved.view(), scratch);
        QVERIFY(plain == moved);
    }
    void whatDoesNotFitIsRefused()
    {
        const PatchRotary rotary({.enabled = true, .theta = 100, .dimensions = 8}, 1, 2, 2);
        const Relative relative(2, 2, 1);
        const tensor::Matrix<float> three(3, 4);
        const auto both = [&](const std::vector<std::int32_t>& held, std::int64_t tokens, const char* rotarySays, const char* relativeSays) {
            return refusal([&] { (void)rotary.of(held, tokens); }).contains(rotarySays) && refusal([&] { (void)relativeOver(*relative.op, held, tokens); }).contains(relativeSays);
        };
        QVERIFY(both({0, 1, 2}, 3, "found 3 source tokens, expected 5", "found 3 source tokens, expected 5"));
        QVERIFY(both({0, 1, 1, 9, 2}, 3, "found token 9, expected -1 to 2", "found token 9, expected -1 to 2"));
        QVERIFY(both({0, 1, 1, 1, -1}, 3, "token 2 without a patch", "token 2 without a source"));
        QVERIFY(refusal([&] { (void)PatchRotary({.enabled = true, .theta = 100, .dimensions = 6}, 1, 2, 2); }).contains("a multiple of 4"));
        QVERIFY(refusal([&] { (void)relativeAttention(relative.spec, three.view(), 0); }).contains("expected [12, 1]"));
        QVERIFY(refusal([&] {
                    tensor::Matrix<float> out(3, 4);
                    Scratch scratch;
                    relative.op->apply({.q = three.view(), .k = three.view(), .v = three.view()}, out.view(), scratch);
                }).contains("found 3 queries and 3 keys, expected 5"));
        QVERIFY(!relativeOver(*exactAttention(relative.spec), counting(5), 5));
        const auto model = modelNamed("hf_dinov3");
        tensor::Matrix<float> few = randomRows(7, model->spec().width, 4);
        Scratch scratch;
        QVERIFY(refusal([&] { model->runBlock(0, few.view(), scratch); }).contains("found 7 tokens, expected 19: one for each position"));
    }

private:
    static void models()
    {
        QTest::addColumn<QString>("variant");
        for (const char* name : {"hf_dinov3", "hf_dinov3_gated", "hf_beit", "hf_beit_shared"})
            QTest::newRow(name) << QString(name);
    }
};

QTEST_APPLESS_MAIN(TestPatchPositions)
#include "tst_patch_positions.moc"
