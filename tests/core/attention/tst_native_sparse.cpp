// SPDX-License-Identifier: GPL-3.0-or-later
// Native sparse attention: against NumPy (tests/golden/make_sparse_attention_golden.py), against exact attention where it must be exact, token by
// token against all at once, what it reads against the formula, and what it makes of bad input.
#include "core/attention/block_map.h"
#include "core/attention/native_sparse.h"
#include "core/attention/native_sparse_decoder.h"
#include "core/base/error.h"
#include "core/io/npz.h"
#include "tests/core/attention/one_head.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <string>

using namespace tamis;
using namespace tamis::attention;

namespace {
tensor::Matrix<float> golden(const std::string& name)
{
    static const auto archive = io::NpzArchive::open(TAMIS_SOURCE_DIR "/tests/golden/sparse_attention_golden.npz");
    const io::NpyArray array = archive->read(name);
    const std::vector<float> values = array.toFloats();
    tensor::Matrix<float> result(array.shape[0], array.shape[1]);
    std::ranges::copy(values, result.data());
    return result;
}

constexpr nn::AttentionSpec kSpec{.heads = 4, .keyValueHeads = 2, .headDim = 16, .scale = 0.25F, .causal = true};
const NativeSparseSettings kSettings{.sizes = {8, 4, 16}, .selected = 5, .forced = {1, 2}, .window = 20, .gates = {0.2, 0.5, 0.3}};

nn::AttentionSpec allTokens()
{
    nn::AttentionSpec spec = kSpec;
    spec.causal = false;
    return spec;
}

BlockEncoder encoder(const std::string& side) { return {golden(side + ".positions"), golden(side + ".w1"), golden(side + ".b1"), golden(side + ".w2"), golden(side + ".b2")}; }
NativeSparseWeights learned() { return {encoder("key"), encoder("value"), golden("gate"), golden("gate.bias")}; }

tensor::Matrix<float> applied(const nn::AttentionOp& op, const nn::AttentionInput& input, bool parallel = false)
{
    tensor::Matrix<float> out(input.q.rows, input.q.cols);
    nn::Scratch scratch(parallel);
    op.apply(input, out.view(), scratch);
    return out;
}

/// Sums of up to 150 products of numbers around 1 in float against double: some 1e-7 times the root of their number.
constexpr double kTolerance = 5e-6;
} // namespace

class TstNativeSparse : public QObject {
    Q_OBJECT
    const tensor::Matrix<float> m_x = golden("x"), m_q = golden("q"), m_k = golden("k"), m_v = golden("v");
    nn::AttentionInput input() const { return {.q = m_q.view(), .k = m_k.view(), .v = m_v.view(), .x = m_x.view()}; }
    /// The first `tokens` rows.
    nn::AttentionInput input(std::int64_t tokens) const
    {
        nn::AttentionInput part = input();
        part.q.rows = part.k.rows = part.v.rows = part.x.rows = tokens;
        return part;
    }

private slots:
    void isItsFormula_data()
    {
        QTest::addColumn<QString>("name");
        for (const char* name : {"mean.geometric", "mean.minus", "mean.plus", "mlp", "all", "equal"})
            QTest::newRow(name) << QString(name);
    }
    void isItsFormula()
    {
        QFETCH(QString, name);
        NativeSparseSettings settings = kSettings;
        NativeSparseWeights weights;
        if (name.endsWith("minus"))
            settings.overlap = Overlap::Minus;
        if (name.endsWith("plus"))
            settings.overlap = Overlap::Plus;
        if (name == "equal")
            settings = {.sizes = {16, 16, 16}, .selected = 4, .forced = {0, 1}, .window = 7, .overlap = Overlap::Minus, .gates = {0.3, 0.4, 0.3}};
        if (name == "mlp")
            weights = learned();
        const auto op = nativeSparseAttention(nativeSparseRule(name == "all" ? allTokens() : kSpec, settings, weights));
        QVERIFY(test::relativeError(applied(*op, input()), golden(name.toStdString())) < kTolerance);
        // the selection of every query and both groups, made there by counting and sorting in double
        const auto chosen = golden(name.toStdString() + ".chosen");
        for (std::int64_t head = 0; head < kSpec.heads; ++head) {
            const report::BlockMap map = blockMap(*op, input(), head);
            QCOMPARE(map.queries, std::int64_t{150});
            QCOMPARE(2 * map.blocks, chosen.cols());
            for (std::int64_t t = 0; t < map.queries; ++t)
                for (std::int64_t j = 0; j < map.blocks; ++j)
                    QCOMPARE(map.selected[static_cast<std::size_t>(t * map.blocks + j)] != 0, chosen(t, head / 2 * map.blocks + j) != 0);
        }
    }
    void overlapsDiffer()
    {
        // the two printed indices choose otherwise than the tokens in common do: the switch is no ornament
        QVERIFY(golden("mean.geometric.chosen") != golden("mean.minus.chosen"));
        QVERIFY(golden("mean.geometric.chosen") != golden("mean.plus.chosen"));
    }
    void importanceOfAUnitProbability()
    {
        const BlockSizes sizes{32, 16, 64};
        std::vector<float> p(12, 0.0F), importance(3);
        p[3] = 1; // tokens 48 .. 79: half in block 0, half in block 1
        blockImportance(sizes, Overlap::Geometric, p, importance);
        QCOMPARE(importance, (std::vector<float>{1, 1, 0}));
        blockImportance(sizes, Overlap::Plus, p, importance);
        QCOMPARE(importance, (std::vector<float>{2, 0, 0}));
        blockImportance(sizes, Overlap::Minus, p, importance);
        QCOMPARE(importance, (std::vector<float>{0, 2, 0}));
        const BlockSizes equal{16, 16, 16};
        std::vector<float> same(12);
        for (const Overlap overlap : {Overlap::Geometric, Overlap::Minus, Overlap::Plus}) {
            blockImportance(equal, overlap, p, same);
            QCOMPARE(same, p);
        }
    }
    void allBlocksOrAWideWindowAreExact_data()
    {
        QTest::addColumn<bool>("causal");
        QTest::addColumn<bool>("selection");
        for (const bool causal : {true, false})
            for (const bool selection : {true, false})
                QTest::addRow("%s, %s", causal ? "causal" : "all", selection ? "selection" : "window") << causal << selection;
    }
    void allBlocksOrAWideWindowAreExact()
    {
        QFETCH(bool, causal);
        QFETCH(bool, selection);
        NativeSparseSettings settings = kSettings;
        settings.selected = 1000; // more than there are
        settings.window = 150;
        settings.gates = selection ? std::array{0.0, 1.0, 0.0} : std::array{0.0, 0.0, 1.0};
        const nn::AttentionSpec spec = causal ? kSpec : allTokens();
        const auto op = nativeSparseAttention(nativeSparseRule(spec, settings));
        const auto exact = nn::exactAttention(spec);
        QVERIFY(test::relativeError(applied(*op, input()), applied(*exact, input())) < kTolerance);
        for (std::int64_t head = 0; head < spec.heads; ++head)
            QVERIFY(test::relativeError(op->map(input(), head, 0), exact->map(input(), head, 0)) < kTolerance);
    }
    /// More heads than a register tile has rows, more features than it is deep, blocks of more tokens than are scored at a time.
    void largeShapesAreExactToo()
    {
        const auto error = [](const nn::AttentionSpec& shape, std::int64_t tokens, NativeSparseSettings settings) {
            const auto q = test::normalRows(tokens, shape.heads * shape.headDim, 1, 1), k = test::normalRows(tokens, shape.keyValueHeads * shape.headDim, 1, 2),
                       v = test::normalRows(tokens, shape.keyValueHeads * shape.headDim, 1, 3);
            const nn::AttentionInput rows{.q = q.view(), .k = k.view(), .v = v.view()};
            return test::relativeError(applied(*nativeSparseAttention(nativeSparseRule(shape, settings)), rows), applied(*nn::exactAttention(shape), rows));
        };
        NativeSparseSettings all{.sizes = {8, 4, 16}, .selected = 1000, .window = 1000, .gates = {0, 0.5, 0.5}};
        QVERIFY(error({.heads = 34, .keyValueHeads = 2, .headDim = 270, .scale = 0.06F, .causal = true}, 70, all) < kTolerance);
        all.sizes.selected = 520;
        QVERIFY(error({.heads = 2, .keyValueHeads = 1, .headDim = 16, .scale = 0.25F, .causal = true}, 700, all) < kTolerance);
    }
    void theMapMixesTheValues()
    {
        // with means as phi: out = M v
        const auto op = nativeSparseAttention(nativeSparseRule(kSpec, kSettings));
        const auto out = applied(*op, input());
        for (std::int64_t head = 0; head < kSpec.heads; ++head) {
            const auto map = op->map(input(), head, 0);
            tensor::Matrix<float> mixed(150, 16), expected(150, 16);
            for (std::int64_t t = 0; t < 150; ++t)
                for (std::int64_t j = 0; j < 16; ++j) {
                    double sum = 0;
                    for (std::int64_t s = 0; s < 150; ++s)
                        sum += static_cast<double>(map(t, s)) * static_cast<double>(m_v(s, head / 2 * 16 + j));
                    mixed(t, j) = static_cast<float>(sum);
                    expected(t, j) = out(t, head * 16 + j);
                }
            QVERIFY(test::relativeError(mixed, expected) < kTolerance);
        }
    }
    void aStepIsTheRowOfAllAtOnce()
    {
        for (const bool trained : {false, true}) {
            const auto rule = nativeSparseRule(kSpec, kSettings, trained ? learned() : NativeSparseWeights{});
            const auto rows = applied(*nativeSparseAttention(rule), input());
            NativeSparseDecoder decoder(rule);
            std::vector<float> out(64);
            for (std::int64_t t = 0; t < 150; ++t) {
                decoder.step({m_q.data() + t * 64, m_k.data() + t * 32, m_v.data() + t * 32, m_x.data() + t * 24}, out.data(), t % 2 == 0);
                QVERIFY(std::ranges::equal(out, rows.view().row(t))); // the same sums in the same order: bit for bit
                QCOMPARE(decoder.lastReads().total(), predictedReads(*rule, t, 150).total());
            }
        }
    }
    void anExactDecoderIsExact()
    {
        const auto rows = applied(*nn::exactAttention(kSpec), input());
        ExactDecoder decoder(kSpec, 48);
        tensor::Matrix<float> out(150, 64);
        for (std::int64_t t = 0; t < 150; ++t) {
            decoder.step({m_q.data() + t * 64, m_k.data() + t * 32, m_v.data() + t * 32, nullptr}, out.data() + t * 64, false);
            QCOMPARE(decoder.lastBytes(), static_cast<std::uint64_t>((t + 1) * 2 * 32 * 4));
        }
        QVERIFY(test::relativeError(out, rows) < kTolerance);
    }
    void readsArePredicted()
    {
        // of every query, from the blocks that it reads; and at 16,384 tokens the figure of the paper's settings
        const auto rule = nativeSparseRule(kSpec, kSettings);
        const auto op = nativeSparseAttention(rule);
        const report::BlockMap map = blockMap(*op, input(), 3);
        for (std::int64_t t = 0; t < 150; ++t) {
            std::int64_t selected = 0;
            for (std::int64_t j = 0; j < map.blocks; ++j)
                if (map.selected[static_cast<std::size_t>(t * map.blocks + j)] != 0)
                    selected += std::min<std::int64_t>(16, t + 1 - j * 16);
            const NativeSparseReads predicted = predictedReads(*rule, t, 150);
            QCOMPARE(predicted.selected, selected);
            QCOMPARE(map.tokensRead[static_cast<std::size_t>(t)], predicted.total());
        }
        const auto paper = nativeSparseRule(kSpec, NativeSparseSettings{});
        QCOMPARE(predictedReads(*paper, 16383, 16384).compressed, std::int64_t{16384 / 16 - 1}); // the last block of 32 begins 32 before the end
        QCOMPARE(predictedReads(*paper, 16383, 16384).selected, std::int64_t{16 * 64});
        QCOMPARE(predictedReads(*paper, 16383, 16384).window, std::int64_t{512});
        // a branch whose gate is shut is not read; compressed keys without their values are half a token each
        NativeSparseSettings shut;
        shut.gates = {0, 1, 0};
        QCOMPARE(predictedReads(*nativeSparseRule(kSpec, shut), 16383, 16384).total(), std::int64_t{512 + 1024});
        shut.gates = {0, 0, 1};
        QCOMPARE(predictedReads(*nativeSparseRule(kSpec, shut), 16383, 16384).total(), std::int64_t{512});
        NativeSparseSettings chosen = kSettings;
        chosen.gates = {0, 1, 0};
        const auto alone = nativeSparseRule(kSpec, chosen);
        const report::BlockMap selectionAlone = blockMap(*nativeSparseAttention(alone), input(), 3);
        for (std::int64_t t = 0; t < 150; ++t)
            QCOMPARE(selectionAlone.tokensRead[static_cast<std::size_t>(t)], predictedReads(*alone, t, 150).total());
        // multiply-adds: two products of headDim for each key read by each head
        std::uint64_t macs = 0;
        for (const std::int64_t tokens : map.tokensRead)
            macs += static_cast<std::uint64_t>(2 * 16 * 4 * tokens);
        QCOMPARE(op->cost(150).macs, macs);
    }
    void gatesAreSharedOutWhereNothingIsCompressed()
    {
        const report::BlockMap map = blockMap(*nativeSparseAttention(nativeSparseRule(kSpec, kSettings)), input(), 0);
        QCOMPARE(map.gates.size(), std::size_t{450});
        QCOMPARE(map.gates[0], 0.0F);
        QVERIFY(std::abs(map.gates[1] - 0.625F) < 1e-6F && std::abs(map.gates[2] - 0.375F) < 1e-6F);
        QVERIFY(std::abs(map.gates[3 * 149] - 0.2F) < 1e-6F); // of the last query
    }
    void oneTokenAndTooFewForABlock()
    {
        const auto op = nativeSparseAttention(nativeSparseRule(kSpec, kSettings));
        for (const std::int64_t tokens : {std::int64_t{1}, std::int64_t{5}, std::int64_t{8}}) {
            const auto out = applied(*op, input(tokens)), whole = applied(*op, input());
            for (std::int64_t t = 0; t < tokens; ++t)
                QVERIFY(std::ranges::equal(out.view().row(t), whole.view().row(t))); // causal: what follows does not matter
        }
        const auto both = nativeSparseAttention(nativeSparseRule(allTokens(), kSettings));
        // no compressed block, one selected, the window holds all: exact
        QVERIFY(test::relativeError(applied(*both, input(5)), applied(*nn::exactAttention(allTokens()), input(5))) < kTolerance);
    }
    void threadsDoNotMatter()
    {
        const auto op = nativeSparseAttention(nativeSparseRule(kSpec, kSettings, learned()));
        QVERIFY(applied(*op, input(), true) == applied(*op, input(), false));
    }
    void whatIsNoNumberStaysWhereItIsSeen()
    {
        const auto op = nativeSparseAttention(nativeSparseRule(kSpec, kSettings));
        const auto clean = applied(*op, input());
        tensor::Matrix<float> q = m_q, v = m_v;
        q(40, 3) = std::numeric_limits<float>::quiet_NaN(); // head 0: query 40
        nn::AttentionInput bad = input();
        bad.q = q.view();
        auto out = applied(*op, bad);
        for (std::int64_t t = 0; t < 150; ++t)
            for (std::int64_t j = 0; j < 64; ++j)
                if (t == 40 && j < 16)
                    QVERIFY(std::isnan(out(t, j)));
                else if (t != 40 || j >= 32) // its group chooses its blocks by both heads
                    QCOMPARE(out(t, j), clean(t, j));
        v(100, 0) = std::numeric_limits<float>::quiet_NaN(); // a value: rows before it never see it
        bad = input();
        bad.v = v.view();
        out = applied(*op, bad);
        for (std::int64_t t = 0; t < 100; ++t)
            QVERIFY(std::ranges::equal(out.view().row(t), clean.view().row(t)));
        QVERIFY(std::isnan(out(100, 0)));
        tensor::Matrix<float> k = m_k;
        k(0, 0) = std::numeric_limits<float>::infinity();
        bad = input();
        bad.k = k.view();
        out = applied(*op, bad);
        QVERIFY(std::ranges::none_of(out.values(), [](float value) { return std::isinf(value); }));
    }
    void badSettingsAreRefused()
    {
        const auto refused = [](const std::function<void(NativeSparseSettings&)>& change) {
            NativeSparseSettings settings = kSettings;
            change(settings);
            QVERIFY_EXCEPTION_THROWN(nativeSparseRule(kSpec, settings), Error);
        };
        refused([](auto& s) { s.sizes.selected = 18; });
        refused([](auto& s) { s.sizes.compressed = 6; });
        refused([](auto& s) { s.sizes.compressed = 32; });
        refused([](auto& s) { s.sizes.stride = 0; });
        refused([](auto& s) { s.selected = 2; });
        refused([](auto& s) { s.forced.local = 0; });
        refused([](auto& s) { s.window = 0; });
        nn::AttentionSpec sliding = kSpec, windows = allTokens();
        sliding.slidingWindow = 8;
        windows.window = 7;
        QVERIFY_EXCEPTION_THROWN(nativeSparseRule(sliding, kSettings), Error);
        QVERIFY_EXCEPTION_THROWN(nativeSparseRule(windows, kSettings), Error);
        QVERIFY_EXCEPTION_THROWN(NativeSparseDecoder(nativeSparseRule(allTokens(), kSettings)), Error);
        nn::AttentionInput without = input();
        without.x = {};
        QVERIFY_EXCEPTION_THROWN(applied(*nativeSparseAttention(nativeSparseRule(kSpec, kSettings, learned())), without), Error);
        without.keyBias = m_x.data();
        QVERIFY_EXCEPTION_THROWN(applied(*nativeSparseAttention(nativeSparseRule(kSpec, kSettings)), without), Error);
    }
    void theMethodHasTheDefaultsOfThePaper()
    {
        const Method* method = findMethod("attention.native-sparse");
        QVERIFY(method);
        const NativeSparseSettings settings = nativeSparseSettings(method->declaration.schema.defaults());
        QCOMPARE(settings.sizes.compressed, std::int64_t{32});
        QCOMPARE(settings.sizes.stride, std::int64_t{16});
        QCOMPARE(settings.sizes.selected, std::int64_t{64});
        QCOMPARE(settings.selected, std::int64_t{16});
        QCOMPARE(settings.window, std::int64_t{512});
        // fewer tokens than the window, fewer blocks than are selected: only the means of the compressed branch are not exact
        const auto op = method->op({kSpec}, {});
        QVERIFY(test::relativeError(applied(*op, input(20)), applied(*nn::exactAttention(kSpec), input(20))) < kTolerance);
    }
};

QTEST_APPLESS_MAIN(TstNativeSparse)
#include "tst_native_sparse.moc"
