// SPDX-License-Identifier: GPL-3.0-or-later
// Tiled attention against its definition in double and against exact attention, its memory, its traffic, and what becomes of scores that are no numbers.
#include "core/attention/tiled.h"

#include "core/attention/visible_pairs.h"
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "tests/core/attention/one_head.h"
#include "tests/core/kernels/reference.h"

#include <QTest>

#include <algorithm>
#include <limits>
#include <utility>

using namespace tamis;
using namespace tamis::attention;

namespace {
constexpr float kNoNumber = std::numeric_limits<float>::quiet_NaN(), kMinusInfinity = -std::numeric_limits<float>::infinity();

/// Sums of up to 600 products around 1 and weights that sum to 1: 1e-5 is what the lab promises, a few 1e-7 what is found.
constexpr double kTolerance = 1e-5;

struct Rows {
    tensor::Matrix<float> q, k, v;
    Rows(const nn::AttentionSpec& spec, std::int64_t tokens, std::uint64_t seed = 1)
        : q(test::normalRows(tokens, spec.heads * spec.headDim, 1, seed)), k(test::normalRows(tokens, spec.keyValueHeads * spec.headDim, 1, seed + 1)),
          v(test::normalRows(tokens, spec.keyValueHeads * spec.headDim, 1, seed + 2))
    {
    }
    nn::AttentionInput input(const float* bias = nullptr) const { return {.q = q.view(), .k = k.view(), .v = v.view(), .keyBias = bias}; }
};

tensor::Matrix<float> applied(const nn::AttentionOp& op, const nn::AttentionInput& input, bool parallel = false)
{
    tensor::Matrix<float> out(input.q.rows, input.q.cols);
    nn::Scratch scratch(parallel);
    op.apply(input, out.view(), scratch);
    return out;
}

/// By the definition, in double.
tensor::Matrix<float> definition(const nn::AttentionSpec& spec, const Rows& rows, const float* bias)
{
    const std::int64_t tokens = rows.q.rows(), d = spec.headDim;
    tensor::Matrix<float> out(tokens, rows.q.cols());
    kernels::AttentionShape shape{spec.heads, spec.keyValueHeads, d, spec.scale, spec.causal, spec.slidingWindow};
    shape.bias = bias;
    for (std::int64_t head = 0; head < spec.heads; ++head) {
        const auto p = kernels::reference::probabilities(shape, rows.q.view(), rows.k.view(), head);
        for (std::int64_t i = 0; i < tokens; ++i)
            for (std::int64_t c = 0; c < d; ++c) {
                double sum = 0;
                for (std::int64_t j = 0; j < tokens; ++j)
                    sum += p[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)] * static_cast<double>(rows.v(j, head / (spec.heads / spec.keyValueHeads) * d + c));
                out(i, head * d + c) = static_cast<float>(sum);
            }
    }
    return out;
}

const std::vector<kernels::AttentionTiles> kTiles{{0, 0}, {1, 1}, {5, 7}, {14, 32}, {64, 300}, {100, 33}, {4096, 4096}};
} // namespace

class TestTiledAttention : public QObject {
    Q_OBJECT
private slots:
    void cleanup() { kernels::forcePortableKernels(false); }
    void agreesWithTheDefinition_data()
    {
        QTest::addColumn<int>("tokens");
        QTest::addColumn<int>("heads");
        QTest::addColumn<int>("shared");
        QTest::addColumn<int>("dim");
        QTest::addColumn<bool>("causal");
        QTest::addColumn<int>("sliding");
        QTest::addColumn<bool>("weighted");
        QTest::newRow("one token") << 1 << 2 << 1 << 8 << false << 0 << false;
        QTest::newRow("photo") << 197 << 2 << 2 << 64 << false << 0 << false;
        QTest::newRow("merged tokens") << 150 << 2 << 2 << 32 << false << 0 << true;
        QTest::newRow("causal, groups") << 301 << 4 << 2 << 24 << true << 0 << false;
        QTest::newRow("sliding") << 530 << 2 << 1 << 16 << true << 100 << false;
        QTest::newRow("sliding 1, odd size") << 61 << 3 << 1 << 5 << true << 1 << true;
        QTest::newRow("wide head") << 40 << 1 << 1 << 300 << false << 0 << false;
    }
    void agreesWithTheDefinition()
    {
        QFETCH(int, tokens);
        QFETCH(int, heads);
        QFETCH(int, shared);
        QFETCH(int, dim);
        QFETCH(bool, causal);
        QFETCH(int, sliding);
        QFETCH(bool, weighted);
        const nn::AttentionSpec spec{.heads = heads, .keyValueHeads = shared, .headDim = dim, .scale = 1.0F / std::sqrt(static_cast<float>(dim)), .causal = causal, .slidingWindow = sliding};
        const Rows rows(spec, tokens);
        std::vector<float> bias;
        for (int j = 0; j < tokens; ++j)
            bias.push_back(std::log(1.0F + static_cast<float>(j % 4)));
        const float* const weights = weighted ? bias.data() : nullptr;
        const tensor::Matrix<float> expected = definition(spec, rows, weights), exact = applied(*nn::exactAttention(spec), rows.input(weights));
        QVERIFY(test::relativeError(exact, expected) < kTolerance);
        for (const bool portable : {false, true})
            for (const kernels::AttentionTiles tiles : kTiles) {
                kernels::forcePortableKernels(portable);
                const auto op = tiledAttention(spec, tiles);
                const tensor::Matrix<float> alone = applied(*op, rows.input(weights));
                QVERIFY2(test::relativeError(alone, expected) < kTolerance, qPrintable(QString("%1 x %2").arg(tiles.queries).arg(tiles.keys)));
                QVERIFY(alone == applied(*op, rows.input(weights), true)); // whatever the number of threads
            }
    }
    void memoryIsOfTheTilesAlone()
    {
        for (const bool causal : {false, true})
            for (const kernels::AttentionTiles tiles : kTiles) {
                const nn::AttentionSpec spec{.heads = 4, .keyValueHeads = 2, .headDim = 20, .scale = 0.2F, .causal = causal};
                const auto op = tiledAttention(spec, tiles);
                const Rows rows(spec, 333);
                nn::Scratch scratch(false);
                tensor::Matrix<float> out(333, 80);
                op->apply(rows.input(), out.view(), scratch);
                QCOMPARE(static_cast<std::uint64_t>(scratch.peakFloats()), op->cost(333).liveFloats);
            }
        // beyond the tiles it does not grow with the tokens, and stays under the working set of the model with its Br x Bc scores
        const nn::AttentionSpec spec{.heads = 12, .keyValueHeads = 12, .headDim = 64, .scale = 0.125F};
        const auto op = tiledAttention(spec);
        QCOMPARE(op->cost(4096).liveFloats, op->cost(1 << 20).liveFloats);
        QVERIFY(4 * op->cost(4096).liveFloats < tiledTraffic(4096, 64, 0, 0).workingSetBytes);
    }
    void pairsAreCounted()
    {
        for (const std::int64_t tokens : {1, 2, 37})
            for (const std::int64_t sliding : {0, 1, 5, 37, 100}) {
                const kernels::AttentionShape shape{1, 1, 8, 1, true, sliding};
                std::uint64_t expected = 0;
                for (std::int64_t i = 0; i < tokens; ++i)
                    expected += static_cast<std::uint64_t>(sliding > 0 ? std::min(i + 1, sliding) : i + 1);
                QCOMPARE(visiblePairs(shape, tokens), expected);
            }
        const nn::AttentionSpec spec{.heads = 3, .keyValueHeads = 1, .headDim = 8, .scale = 1, .causal = true, .slidingWindow = 9};
        QCOMPARE(tiledAttention(spec)->cost(100).macs, nn::exactAttention(spec)->cost(100).macs);
    }
    void trafficIsThatOfTheLoops()
    {
        for (const std::int64_t tokens : {1, 64, 197, 1000})
            for (const kernels::AttentionTiles tiles : kTiles) {
                const kernels::AttentionTiles sides = kernels::chosenTiles(tiles, tokens, tokens);
                constexpr std::int64_t dim = 24;
                std::int64_t read = 0, written = 0, held = 0;
                for (std::int64_t i = 0; i < tokens; i += sides.queries) { // a cache that holds one tile of each
                    const std::int64_t rows = std::min(sides.queries, tokens - i);
                    read += rows * dim;
                    for (std::int64_t j = 0; j < tokens; j += sides.keys) {
                        const std::int64_t columns = std::min(sides.keys, tokens - j);
                        read += 2 * columns * dim;
                        held = std::max(held, rows * dim + 2 * columns * dim + rows * dim + rows * columns);
                    }
                    written += rows * dim;
                }
                const TileTraffic traffic = tiledTraffic(tokens, dim, tiles.queries, tiles.keys);
                QCOMPARE(traffic.readBytes, static_cast<std::uint64_t>(4 * read));
                QCOMPARE(traffic.writeBytes, static_cast<std::uint64_t>(4 * written));
                QCOMPARE(traffic.workingSetBytes, static_cast<std::uint64_t>(4 * held));
            }
        // four times the cache halves nothing but the trips of keys and values: Theta(N^2 d^2 / M)
        QCOMPARE(tiledTraffic(4096, 64, 64, 64).readBytes - 4 * 4096 * 64, 4 * (tiledTraffic(4096, 64, 256, 64).readBytes - 4 * 4096 * 64));
        QVERIFY_EXCEPTION_THROWN(tiledTraffic(0, 64, 1, 1), Error);
        QVERIFY_EXCEPTION_THROWN(tiledTraffic(64, 64, -1, 1), Error);
    }
    void aNumberThatIsNoneStaysInItsRow()
    {
        const nn::AttentionSpec spec{.heads = 1, .keyValueHeads = 1, .headDim = 24, .scale = 0.2F, .causal = true};
        Rows rows(spec, 90);
        for (const kernels::AttentionTiles tiles : kTiles)
            for (const bool portable : {false, true}) {
                kernels::forcePortableKernels(portable);
                const auto op = tiledAttention(spec, tiles);
                const tensor::Matrix<float> whole = applied(*op, rows.input());
                const auto check = [&](float& place, float with, auto touched) {
                    const float before = std::exchange(place, with);
                    const tensor::Matrix<float> out = applied(*op, rows.input());
                    place = before;
                    for (std::int64_t i = 0; i < 90; ++i)
                        for (std::int64_t c = 0; c < 24; ++c)
                            if (!(touched(i, c) ? std::isnan(out(i, c)) : out(i, c) == whole(i, c)))
                                return false;
                    return true;
                };
                QVERIFY(check(rows.q(33, 5), kNoNumber, [](std::int64_t i, std::int64_t) { return i == 33; }));
                QVERIFY(check(rows.k(70, 0), kNoNumber, [](std::int64_t i, std::int64_t) { return i >= 70; }));
                QVERIFY(check(rows.v(20, 3), kNoNumber, [](std::int64_t i, std::int64_t c) { return i >= 20 && c == 3; }));
            }
    }
    void rowsOfMinusInfinityAreZero()
    {
        const nn::AttentionSpec spec{.heads = 2, .keyValueHeads = 1, .headDim = 8, .scale = 0.3F, .causal = true};
        const Rows rows(spec, 50);
        std::vector<float> bias(50, 0.0F);
        std::fill_n(bias.begin(), 20, kMinusInfinity); // the first 20 queries see nothing
        for (const kernels::AttentionTiles tiles : kTiles) {
            const auto op = tiledAttention(spec, tiles);
            const tensor::Matrix<float> out = applied(*op, rows.input(bias.data())), map = op->map(rows.input(bias.data()), 1, 0);
            for (std::int64_t i = 0; i < 50; ++i) {
                double sum = 0;
                for (const float p : map.view().row(i))
                    sum += static_cast<double>(p);
                QVERIFY(std::abs(sum - (i < 20 ? 0 : 1)) < 1e-5);
                QCOMPARE(std::ranges::all_of(out.view().row(i), [](float x) { return x == 0; }), i < 20);
                QVERIFY(std::ranges::all_of(out.view().row(i), [](float x) { return std::isfinite(x); }));
            }
        }
        std::ranges::fill(bias, kNoNumber); // nothing but no numbers is not nothing
        QVERIFY(std::ranges::all_of(applied(*tiledAttention(spec), rows.input(bias.data())).values(), [](float x) { return std::isnan(x); }));
    }
    void aStopIsHeard()
    {
        const nn::AttentionSpec spec{.heads = 1, .keyValueHeads = 1, .headDim = 8, .scale = 1};
        const Rows rows(spec, 64);
        std::stop_source stop;
        stop.request_stop();
        tensor::Matrix<float> out(64, 8);
        nn::Scratch scratch(false, RunContext(stop.get_token()));
        QVERIFY_EXCEPTION_THROWN(tiledAttention(spec)->apply(rows.input(), out.view(), scratch), Error);
    }
    void whatIsNotForItIsRefused()
    {
        nn::AttentionSpec spec{.heads = 2, .keyValueHeads = 1, .headDim = 8, .scale = 0.3F};
        QVERIFY_EXCEPTION_THROWN(tiledAttention(spec, {-1, 0}), Error);
        const Rows rows(spec, 20);
        Rows narrow(nn::AttentionSpec{.heads = 2, .keyValueHeads = 1, .headDim = 7}, 20);
        QVERIFY_EXCEPTION_THROWN(applied(*tiledAttention(spec), narrow.input()), Error);
        Parameters parameters;
        parameters.set("query-tile", std::int64_t{70000});
        QVERIFY_EXCEPTION_THROWN(findMethod("attention.tiled")->op({spec}, parameters), Error);
        spec.window = 7;
        QVERIFY_EXCEPTION_THROWN(findMethod("attention.tiled")->op({spec}, {}), Error);
    }
};

QTEST_APPLESS_MAIN(TestTiledAttention)
#include "tst_tiled_attention.moc"
