// SPDX-License-Identifier: GPL-3.0-or-later
// Selectors of blocks: against NumPy (tests/golden/make_sparse_attention_golden.py), exact where all is selected, and what their scores promise.
#include "core/attention/indexer.h"
#include "core/attention/moba.h"
#include "core/attention/quest.h"
#include "core/base/error.h"
#include "core/io/npz.h"
#include "tests/core/attention/one_head.h"

#include <QTest>

#include <algorithm>
#include <cmath>
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

nn::AttentionSpec spec(bool causal) { return {.heads = 4, .keyValueHeads = 2, .headDim = 16, .scale = 0.25F, .causal = causal}; }

tensor::Matrix<float> applied(const nn::AttentionOp& op, const nn::AttentionInput& input, bool parallel = false)
{
    tensor::Matrix<float> out(input.q.rows, input.q.cols);
    nn::Scratch scratch(parallel);
    op.apply(input, out.view(), scratch);
    return out;
}

double dot(const float* a, const float* b, std::int64_t count)
{
    double sum = 0;
    for (std::int64_t i = 0; i < count; ++i)
        sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
    return sum;
}

/// Sums of up to 150 products of numbers around 1 in float against double.
constexpr double kTolerance = 5e-6;
} // namespace

class TstBlockSelectors : public QObject {
    Q_OBJECT
    const tensor::Matrix<float> m_q = golden("q"), m_k = golden("k"), m_v = golden("v");
    nn::AttentionInput input() const { return {.q = m_q.view(), .k = m_k.view(), .v = m_v.view()}; }
    std::shared_ptr<BlockSamples> samples() const
    {
        auto one = std::make_shared<BlockSamples>();
        one->samples.push_back({{}, m_q, m_k, m_v});
        return one;
    }
    nn::AttentionPtr made(const char* id, bool causal, const Parameters& parameters) const
    {
        Inputs inputs{.spec = spec(causal)};
        inputs.samples = samples();
        return findMethod(id)->op(inputs, parameters);
    }
    static Parameters everything()
    {
        Parameters all;
        all.set("selected", std::int64_t{1000});
        return all;
    }

private slots:
    void areTheirFormulas()
    {
        for (const bool causal : {true, false}) {
            const std::string kind = causal ? ".causal" : ".all";
            QVERIFY(test::relativeError(applied(*selectedAttention(spec(causal), mobaSelector(spec(causal), 16, 3)), input()), golden("moba" + kind)) < kTolerance);
            QVERIFY(test::relativeError(applied(*selectedAttention(spec(causal), questSelector(spec(causal), 8, 5)), input()), golden("quest" + kind)) < kTolerance);
        }
        const IndexProjection projection{golden("index.query"), golden("index.key")};
        QVERIFY(test::relativeError(applied(*selectedAttention(spec(true), indexSelector(spec(true), projection, 20)), input()), golden("indexer")) < kTolerance);
    }
    void allSelectedIsExact()
    {
        Parameters tokens;
        tokens.set("tokens", std::int64_t{1000});
        for (const bool causal : {true, false}) {
            const auto exact = nn::exactAttention(spec(causal));
            for (const char* id : {"attention.moba", "attention.quest", "attention.indexer"}) {
                const auto op = made(id, causal, id == std::string("attention.indexer") ? tokens : everything());
                QVERIFY(test::relativeError(applied(*op, input()), applied(*exact, input())) < kTolerance);
                for (const std::int64_t head : {0, 3})
                    QVERIFY(test::relativeError(op->map(input(), head, 0), exact->map(input(), head, 0)) < kTolerance);
            }
        }
    }
    /// Of so few tokens that they do not fill a block or a page, and of one block more than that: one block is read, or both; exact.
    void fewerTokensThanABlockAreExact()
    {
        const auto firstRows = [](const tensor::Matrix<float>& x, std::int64_t rows) { return kernels::ConstRows{x.data(), rows, x.cols(), x.cols()}; };
        for (const bool causal : {true, false})
            for (const std::int64_t tokens : {1, 2, 7, 15, 16, 17}) {
                const nn::AttentionInput few{.q = firstRows(m_q, tokens), .k = firstRows(m_k, tokens), .v = firstRows(m_v, tokens)};
                const auto exact = nn::exactAttention(spec(causal));
                // one block is the query's own, of 17 tokens two
                const std::int64_t blocks = tokens > 16 ? 2 : 1;
                for (const auto& op : {selectedAttention(spec(causal), mobaSelector(spec(causal), 16, blocks)), selectedAttention(spec(causal), questSelector(spec(causal), 16, blocks)),
                                       findMethod("attention.moba")->op({spec(causal)}, {}), findMethod("attention.quest")->op({spec(causal)}, {})}) {
                    const auto name = qPrintable(QString("%1, %2 tokens").arg(QString::fromStdString(std::string(op->kind()))).arg(tokens));
                    QVERIFY2(test::relativeError(applied(*op, few), applied(*exact, few)) < kTolerance, name);
                    QVERIFY2(applied(*op, few, true) == applied(*op, few), name);
                    for (const std::int64_t head : {0, 3}) {
                        QVERIFY2(test::relativeError(op->map(few, head, 0), exact->map(few, head, 0)) < kTolerance, name);
                        const report::BlockMap map = blockMap(*op, few, head);
                        QCOMPARE(map.queries, tokens);
                        for (std::int64_t t = 0; t < tokens; ++t) // all blocks that there are
                            for (std::int64_t b = 0; b < map.blocks; ++b)
                                QCOMPARE(map.selected[static_cast<std::size_t>(t * map.blocks + b)] != 0, !causal || b <= t / map.blockTokens);
                    }
                }
            }
    }
    void noKeyOfAPageIsAboveItsBound()
    {
        const auto scorer = questSelector(spec(true), 8, 1)->prepare(input());
        std::int64_t tight = 0;
        for (std::int64_t query = 0; query < 150; ++query)
            for (std::int64_t head = 0; head < 4; ++head) {
                std::vector<float> bounds(static_cast<std::size_t>(query / 8 + 1));
                scorer->score(query, head, bounds);
                for (std::int64_t token = 0; token <= query; ++token) {
                    const double score = dot(m_q.data() + query * 64 + head * 16, m_k.data() + token * 32 + head / 2 * 16, 16);
                    const double bound = static_cast<double>(bounds[static_cast<std::size_t>(token / 8)]);
                    QVERIFY(bound >= score - 1e-5); // the rounding of 16 products of numbers up to 10
                    tight += std::abs(bound - score) < 1e-4 ? 1 : 0;
                }
            }
        QVERIFY(tight >= 4 * 19); // pages of which one key is seen
    }
    void aWideIndexHasTheScoresThemselves()
    {
        // as many directions as keys have features: q' . k' = q . k, whatever the samples
        const IndexProjection index = fitIndex(spec(true), *samples(), 32);
        const auto scorer = indexSelector(spec(true), index, 8)->prepare(input());
        std::vector<float> scores(150);
        scorer->score(149, 0, scores);
        for (std::int64_t token = 0; token < 150; ++token) {
            double expected = 0;
            for (std::int64_t head = 0; head < 4; ++head)
                expected += std::max(0.0, dot(m_q.data() + 149 * 64 + head * 16, m_k.data() + token * 32 + head / 2 * 16, 16));
            QVERIFY(std::abs(static_cast<double>(scores[static_cast<std::size_t>(token)]) - expected) < 1e-3 * (1 + expected)); // a ridge of 1e-6
        }
    }
    /// The least squares error over independent pairs is tr(A D C D^T) with D = 1 - Q^T K; Eckart and Young: what the left-out eigenvalues sum to.
    /// No other projection of as many directions is better.
    void theFittedIndexIsTheBest()
    {
        const auto error = [&](const IndexProjection& index) {
            const std::int64_t r = index.dim();
            double sum = 0;
            for (std::int64_t query = 0; query < 150; ++query)
                for (std::int64_t head = 0; head < 4; ++head)
                    for (std::int64_t token = 0; token < 150; ++token) {
                        double near = 0;
                        for (std::int64_t i = 0; i < r; ++i)
                            near += dot(index.query.data() + (head / 2 * r + i) * 16, m_q.data() + query * 64 + head * 16, 16) * dot(index.key.data() + i * 32, m_k.data() + token * 32, 32);
                        const double off = dot(m_q.data() + query * 64 + head * 16, m_k.data() + token * 32 + head / 2 * 16, 16) - near;
                        sum += off * off;
                    }
            return sum;
        };
        const IndexProjection index = fitIndex(spec(true), *samples(), 6);
        const double least = error(index);
        for (std::uint64_t seed = 0; seed < 3; ++seed) {
            IndexProjection other = index;
            const auto noise = test::normalRows(12, 16, 0.02, seed);
            for (std::size_t i = 0; i < noise.size(); ++i)
                other.query.data()[i] += noise.data()[i];
            QVERIFY(error(other) > least);
        }
        QVERIFY(error(fitIndex(spec(true), *samples(), 7)) < least);
        QVERIFY(error(fitIndex(spec(true), *samples(), 32)) < 1e-6 * least);
    }
    void blocksAreShownAsTheyAreRead()
    {
        const auto op = selectedAttention(spec(true), mobaSelector(spec(true), 16, 3));
        for (std::int64_t head = 0; head < 4; ++head) {
            const report::BlockMap map = blockMap(*op, input(), head);
            const auto weights = op->map(input(), head, 0);
            QCOMPARE(map.blocks, std::int64_t{10});
            QVERIFY(map.gates.empty());
            for (std::int64_t t = 0; t < 150; ++t) {
                std::int64_t read = 0, blocks = 0;
                for (std::int64_t j = 0; j < 150; ++j) {
                    const bool chosen = map.selected[static_cast<std::size_t>(t * 10 + j / 16)] != 0;
                    QCOMPARE(weights(t, j) > 0, chosen && j <= t);
                    read += chosen && j <= t ? 1 : 0;
                    blocks += chosen && j % 16 == 0 ? 1 : 0;
                }
                QVERIFY(map.selected[static_cast<std::size_t>(t * 10 + t / 16)] != 0);
                QCOMPARE(blocks, std::min<std::int64_t>(3, t / 16 + 1));
                QCOMPARE(map.tokensRead[static_cast<std::size_t>(t)], read + (t / 16 + 2) / 2); // means: keys without values
            }
        }
        // the index is read by all heads alike
        const auto index = made("attention.indexer", true, {});
        QCOMPARE(blockMap(*index, input(), 0).selected, blockMap(*index, input(), 3).selected);
    }
    void countsOfMultiplyAdds()
    {
        const auto op = selectedAttention(spec(true), questSelector(spec(true), 8, 5));
        std::uint64_t macs = 0;
        for (const std::int64_t read : blockMap(*op, input(), 0).tokensRead)
            macs += static_cast<std::uint64_t>(2 * 16 * 4 * read); // a bound costs what a key and a value do
        QCOMPARE(op->cost(150).macs, macs);
    }
    void threadsDoNotMatter()
    {
        for (const char* id : {"attention.moba", "attention.quest", "attention.indexer"}) {
            const auto op = made(id, true, {});
            QVERIFY(applied(*op, input(), true) == applied(*op, input(), false));
        }
    }
    void whatIsNoNumberStaysInItsRows()
    {
        tensor::Matrix<float> q = m_q, k = m_k;
        q(70, 0) = std::numeric_limits<float>::quiet_NaN();
        k(100, 0) = std::numeric_limits<float>::quiet_NaN();
        nn::AttentionInput bad = input();
        bad.q = q.view();
        bad.k = k.view();
        for (const char* id : {"attention.moba", "attention.quest"}) {
            const auto op = made(id, true, everything());
            const auto out = applied(*op, bad), clean = applied(*op, input());
            for (std::int64_t t = 0; t < 100; ++t)
                QCOMPARE(std::isnan(out(t, 0)), t == 70);
            QVERIFY(std::isnan(out(120, 0)));
            QVERIFY(std::ranges::equal(out.view().row(99), clean.view().row(99)));
        }
    }
    void badQuestionsAreRefused()
    {
        QVERIFY_EXCEPTION_THROWN(findMethod("attention.indexer")->op({spec(true)}, {}), Error);
        QVERIFY_EXCEPTION_THROWN(fitIndex(spec(true), *samples(), 33), Error);
        QVERIFY_EXCEPTION_THROWN(fitIndex(spec(true), BlockSamples{}, 3), Error);
        nn::AttentionSpec sliding = spec(true);
        sliding.slidingWindow = 9;
        QVERIFY_EXCEPTION_THROWN(findMethod("attention.quest")->op({sliding}, {}), Error);
        Parameters none;
        none.set("selected", std::int64_t{0});
        QVERIFY_EXCEPTION_THROWN(findMethod("attention.moba")->op({spec(true)}, none), Error);
        nn::AttentionInput merged = input();
        merged.keyBias = m_q.data();
        QVERIFY_EXCEPTION_THROWN(applied(*made("attention.moba", true, {}), merged), Error);
    }
};

QTEST_APPLESS_MAIN(TstBlockSelectors)
#include "tst_block_selectors.moc"
