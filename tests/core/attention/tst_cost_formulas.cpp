// SPDX-License-Identifier: GPL-3.0-or-later
// What rules say they cost against what they do: floats against the peak of the scratch that mix() took, multiply-adds against a count of the products one by one, from the
// definition of each method. Counted are products of rows (scores, mixing, projections, sums of features and denominators); not counted, by convention, is what goes element
// by element: softmax and other exponentials, squared norms, means, quotients, rescaling. Pairs of a query and a key count
//   - band, tiled, quantised: where the query sees the key, though their blocks multiply more and mask it;
//   - window, block-sparse, chosen-windows, joint-qk: where the query's tile of 64 queries of its group computes the key: all keys of the group up to the tile's last query;
//   - moba, quest, indexer: where the query reads the key. Choosing counts for every query, also where all blocks are read.
// Lists outside the scratch: the places (std::vector<int32>) of one group are counted as floats by rules of groups, and the projections that a random Linformer keeps; both
// are added here to what was measured. The list of all windows, of as many places as tokens, is counted by none. moba, quest and indexer take nothing of the scratch.
#include "core/attention/band.h"
#include "core/attention/block_sparse.h"
#include "core/attention/chosen_windows.h"
#include "core/attention/fitted_linformer.h"
#include "core/attention/indexer.h"
#include "core/attention/linear.h"
#include "core/attention/low_rank_scores.h"
#include "core/attention/mean_value.h"
#include "core/attention/moba.h"
#include "core/attention/nystrom.h"
#include "core/attention/performer.h"
#include "core/attention/quantised.h"
#include "core/attention/quest.h"
#include "core/attention/tiled.h"
#include "core/attention/window.h"
#include "tests/core/attention/masked_reference.h"
#include "tests/core/attention/one_head.h"

#include <QTest>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <memory>
#include <vector>

using namespace tamis;
using namespace tamis::attention;

namespace {
constexpr std::int64_t kDim = 16, kWidth = 12; // unlike, so that one in the other's place is seen
constexpr std::int64_t kTokens[] = {1, 63, 197, 256};
constexpr std::int64_t kTile = 64; // of groups and of sums of features

HeadShape shapeOf(bool causal, std::int64_t sliding = 0) { return {kDim, 0.25F, causal, sliding}; }

std::uint64_t peakOf(const HeadRule& rule, const HeadShape& shape, std::int64_t tokens)
{
    const auto q = test::normalRows(tokens, kDim, 1, 1), k = test::normalRows(tokens, kDim, 1, 2), v = test::normalRows(tokens, kWidth, 1, 3);
    tensor::Matrix<float> out(tokens, kWidth);
    nn::Scratch scratch(false);
    rule.mix(shape, q.view(), k.view(), v.view(), out.view(), scratch);
    return scratch.peakFloats();
}

/// Multiply-adds of products [rows, inner] [inner, columns].
struct Products {
    std::int64_t macs = 0;
    Products& add(std::int64_t rows, std::int64_t inner, std::int64_t columns)
    {
        for (std::int64_t i = 0; i < rows; ++i)
            macs += inner * columns;
        return *this;
    }
};

bool agrees(const char* what, const HeadRule& rule, const HeadShape& shape, std::int64_t tokens, std::int64_t macs, std::uint64_t listed = 0)
{
    const std::uint64_t counted = rule.macs(shape, tokens, kWidth), live = rule.liveFloats(shape, tokens, kWidth), peak = peakOf(rule, shape, tokens) + listed;
    if (counted == static_cast<std::uint64_t>(macs) && live == peak)
        return true;
    qWarning("%s, %s, causal %d, sliding %d, %d tokens: macs %llu, expected %lld; floats %llu, measured %llu", rule.kind().data(), what, shape.causal, static_cast<int>(shape.slidingWindow),
             static_cast<int>(tokens), static_cast<unsigned long long>(counted), static_cast<long long>(macs), static_cast<unsigned long long>(live), static_cast<unsigned long long>(peak));
    return false;
}

/// Of queries in groups (-1: those before the patches, which see all and are seen by all): pairs that tiles of 64 queries of a group compute.
template <class GroupAt, class Sees> std::int64_t tiledPairs(std::int64_t tokens, bool causal, const GroupAt& groupAt, const Sees& sees)
{
    std::int64_t pairs = 0;
    for (std::int64_t i = 0; i < tokens; ++i) {
        std::vector<std::int64_t> members;
        for (std::int64_t j = 0; j < tokens; ++j)
            if (groupAt(j) == groupAt(i))
                members.push_back(j);
        const std::int64_t rank = std::ranges::find(members, i) - members.begin(), count = static_cast<std::int64_t>(members.size());
        const std::int64_t last = members[static_cast<std::size_t>(std::min(count, (rank / kTile + 1) * kTile) - 1)];
        for (std::int64_t j = 0; j < tokens; ++j)
            pairs += (groupAt(i) < 0 || groupAt(j) < 0 || sees(groupAt(i), groupAt(j))) && (!causal || j <= last) ? 1 : 0;
    }
    return pairs;
}

struct Held {
    std::uint64_t scratch = 0, withPlaces = 0;
};

/// The most that mixing one group takes, group by group, without its places and with them.
Held heldByGroups(const GroupsOf& groups, const HeadShape& shape, std::int64_t tokens)
{
    const auto q = test::normalRows(tokens, kDim, 1, 1), v = test::normalRows(tokens, kWidth, 1, 3);
    tensor::Matrix<float> out(tokens, kWidth);
    Held held;
    groups(tokens, [&](const TokenGroup& group) {
        nn::Scratch scratch(false);
        mixByGroups(shape, {&group, 1}, q.view(), q.view(), v.view(), out.view(), scratch);
        held.scratch = std::max<std::uint64_t>(held.scratch, scratch.peakFloats());
        held.withPlaces = std::max<std::uint64_t>(held.withPlaces, scratch.peakFloats() + group.queries.size() + group.keys.size());
    });
    return held;
}

/// 197: a class token and 14 x 14 patches.
TokenGrid gridOf(std::int64_t tokens) { return tokens == 197 ? TokenGrid{1, 14, 14} : tokens == 256 ? TokenGrid{0, 16, 16} : tokens == 63 ? TokenGrid{0, 7, 9} : TokenGrid{0, 1, 1}; }

/// Sums of features: of each token its state and its features, of each query what it takes of them; causal: the squares of scores on the diagonal besides.
std::int64_t featureMacs(bool causal, bool floored, std::int64_t tokens, std::int64_t features)
{
    Products all;
    for (std::int64_t i = 0; i < tokens; ++i) {
        all.add(1, features, kWidth).add(1, features, 1); // into g' v and the sum of g
        all.add(1, features, kWidth).add(1, features, 1); // f of them, above and below the line
        const std::int64_t inBlock = std::min(tokens, (i / kTile + 1) * kTile) - i / kTile * kTile;
        if (causal)
            all.add(1, features, inBlock).add(1, inBlock, kWidth);
        if (floored)
            all.add(1, 1, kWidth + 1); // epsilon of all values before, above and below the line
    }
    return all.macs;
}

nn::AttentionSpec specOf(bool causal, std::int64_t sliding = 0) { return {.heads = 4, .keyValueHeads = 2, .headDim = kDim, .scale = 0.25F, .causal = causal, .slidingWindow = sliding}; }

struct Sample {
    tensor::Matrix<float> q, k, v;
    explicit Sample(std::int64_t tokens) : q(test::normalRows(tokens, 4 * kDim, 1, 1)), k(test::normalRows(tokens, 2 * kDim, 1, 2)), v(test::normalRows(tokens, 2 * kDim, 1, 3)) {}
    nn::AttentionInput input() const { return {.q = q.view(), .k = k.view(), .v = v.view()}; }
};

std::uint64_t peakOf(const nn::AttentionOp& op, std::int64_t tokens)
{
    const Sample sample(tokens);
    tensor::Matrix<float> out(tokens, 4 * kDim);
    nn::Scratch scratch(false);
    op.apply(sample.input(), out.view(), scratch);
    return scratch.peakFloats();
}

/// Windows of a text, `seen` of them by each, from the definition where the choice does not decide: the windows that are chosen have `side` tokens each, or are all.
struct ChosenCount {
    std::int64_t macs = 0;
    Held held;
    ChosenCount(const std::vector<std::int64_t>& sizes, std::int64_t prefix, std::int64_t seen, bool causal)
    {
        const auto windows = static_cast<std::int64_t>(sizes.size());
        std::int64_t all = prefix, pairs = 0;
        for (const std::int64_t size : sizes)
            all += size;
        const auto group = [&](std::int64_t queries, std::int64_t before, std::int64_t keys) {
            std::int64_t most = 0;
            for (std::int64_t i = 0; i < queries; ++i) {
                const std::int64_t first = i / kTile * kTile, end = std::min(queries, first + kTile), computed = causal ? before + end : keys;
                pairs += computed;
                most = std::max(most, (end - first) * (kDim + computed + kWidth));
            }
            const std::int64_t taken = keys * (kDim + kWidth) + most + 2 * windows * kDim + windows * windows;
            held.scratch = std::max(held.scratch, static_cast<std::uint64_t>(taken));
            held.withPlaces = std::max(held.withPlaces, static_cast<std::uint64_t>(taken + keys + queries));
        };
        for (std::int64_t i = 0; i < windows; ++i) {
            const std::int64_t own = sizes[static_cast<std::size_t>(i)], others = causal ? i : windows - 1;
            const std::int64_t before = seen > others && !causal ? all - own : prefix + std::min(seen - 1, others) * sizes.front(); // earlier ones are all whole
            group(own, before, before + own);
        }
        if (prefix > 0)
            group(prefix, 0, all);
        macs = windows * windows * kDim + pairs * (kDim + kWidth);
    }
};
} // namespace

class TestCostFormulas : public QObject {
    Q_OBJECT
private slots:
    void band()
    {
        for (const std::int64_t tokens : kTokens)
            for (const std::int64_t reach : {0, 5, 64, 1000})
                for (const std::int64_t global : {0, 1, 40, 300})
                    for (const std::int64_t sliding : {-1, 0, 9, 100}) { // -1: not causal
                        const bool causal = sliding >= 0;
                        const auto seen = [&](std::int64_t i, std::int64_t j) {
                            if (causal && (j > i || (sliding > 0 && j <= i - sliding)))
                                return false;
                            return i < global || j < global || std::abs(i - j) <= reach;
                        };
                        const auto pairs = static_cast<std::int64_t>(test::pairs(tokens, seen));
                        const HeadShape shape = shapeOf(causal, std::max<std::int64_t>(0, sliding));
                        QVERIFY(agrees(qPrintable(QString("reach %1, global %2").arg(reach).arg(global)), *bandRule(reach, global), shape, tokens, pairs * (kDim + kWidth)));
                    }
        // tinylm, N = 256: what is seen of the 32,896 pairs of the causal mask
        QCOMPARE(bandRule(64, 0)->macs({1, 1, true, 0}, 256, 0), std::uint64_t{65 * 66 / 2 + 191 * 65});
    }
    void linear()
    {
        for (const std::int64_t tokens : kTokens)
            for (const bool causal : {false, true})
                for (const LinearMap map : {LinearMap::EluPlusOne, LinearMap::Relu, LinearMap::SquaredRelu})
                    QVERIFY(agrees("", *linearRule(map), shapeOf(causal), tokens, featureMacs(causal, false, tokens, kDim)));
        QCOMPARE(linearRule(LinearMap::Relu)->liveFloats({32, 1, true, 0}, 256, 32), std::uint64_t{23616}); // tinylm
    }
    void performer()
    {
        for (const std::int64_t tokens : kTokens)
            for (const bool causal : {false, true})
                for (const bool positive : {true, false})
                    for (const float epsilon : {1e-4F, 0.0F})
                        for (const std::int64_t features : {5, 64}) {
                            const auto rule = performerRule({.features = features, .positive = positive, .epsilon = epsilon, .seed = 1}, kDim);
                            const std::int64_t projecting = 2 * tokens * kDim * features, numbers = positive ? features : 2 * features;
                            const std::int64_t macs = projecting + featureMacs(causal, causal && positive && epsilon > 0, tokens, numbers);
                            QVERIFY(agrees(positive ? "positive" : "trigonometric", *rule, shapeOf(causal), tokens, macs));
                            const auto second = performerRule({.features = features, .positive = positive, .epsilon = epsilon, .seed = 2}, kDim);
                            QVERIFY(agrees("two draws", *averagedRule({rule, second}), shapeOf(causal), tokens, 2 * macs));
                        }
        QCOMPARE(performerRule({.features = 64}, 32)->liveFloats({32, 1, true, 0}, 256, 32), std::uint64_t{43360}); // tinylm
    }
    void linformer()
    {
        for (const std::int64_t tokens : kTokens)
            for (const std::int64_t rows : {1, 8, 64, 300}) {
                const std::int64_t pooled = std::min(rows, tokens);
                const auto mixing = [&](std::int64_t seen) { return Products().add(tokens, kDim, seen).add(tokens, seen, kWidth).macs; };
                const auto projecting = [&](std::int64_t seen) { return Products().add(seen, tokens, kDim).add(seen, tokens, kWidth).macs; };
                QVERIFY(agrees("means", *linformerRule(TokenProjection::MeanPool, rows, 1), shapeOf(false), tokens, mixing(pooled)));
                QVERIFY(agrees("random", *linformerRule(TokenProjection::Random, rows, 1), shapeOf(false), tokens, projecting(rows) + mixing(rows), static_cast<std::uint64_t>(2 * tokens * rows)));
                const auto given = std::make_shared<TokenProjections>(TokenProjections{test::normalRows(rows, tokens, 0.1, 4), test::normalRows(rows, tokens, 0.1, 5)});
                QVERIFY(agrees("given", *projectedRule(given), shapeOf(false), tokens, projecting(rows) + mixing(rows)));
                if (rows > 64)
                    continue;
                BlockSamples samples;
                samples.samples.push_back({{}, test::normalRows(tokens, kDim, 1, 1), test::normalRows(tokens, kDim, 1, 2), test::normalRows(tokens, kDim, 1, 3)});
                const auto fitted = std::make_shared<TokenProjections>(fitProjections(shapeOf(false), samples, {.rows = rows}).projections);
                QVERIFY(agrees("fitted", *projectedRule(fitted), shapeOf(false), tokens, projecting(pooled) + mixing(pooled)));
            }
    }
    void nystrom()
    {
        for (const std::int64_t tokens : kTokens)
            for (const std::int64_t m : {1, 16, 64, 300})
                for (const int iterations : {0, 6}) {
                    Products all;
                    if (m >= tokens) {
                        all.add(tokens, kDim, tokens).add(tokens, tokens, kWidth); // exact
                    } else {
                        all.add(tokens, kDim, m).add(m, kDim, m).add(m, kDim, tokens); // the three maps
                        for (int step = 0; step < iterations; ++step)
                            all.add(m, m, m).add(m, m, m).add(m, m, m).add(m, m, m);
                        all.add(m, tokens, kWidth).add(m, m, kWidth).add(tokens, m, kWidth);
                    }
                    QVERIFY(agrees(qPrintable(QString("%1 landmarks, %2 iterations").arg(m).arg(iterations)), *nystromRule(m, iterations), shapeOf(false), tokens, all.macs));
                }
    }
    void jointQk()
    {
        for (const std::int64_t tokens : kTokens)
            for (const bool causal : {false, true})
                for (const std::int64_t rank : {1, 5, 16}) {
                    const auto rule = lowRankScoresRule(std::make_shared<ScorePlane>(ScorePlane{test::normalRows(kDim, rank, 0.3, 4), test::normalRows(kDim, rank, 0.3, 5)}));
                    const std::int64_t pairs = tiledPairs(tokens, causal, [](std::int64_t) { return 0; }, [](int, int) { return true; });
                    QVERIFY(agrees("", *rule, shapeOf(causal), tokens, Products().add(2 * tokens, kDim, rank).macs + pairs * (rank + kWidth), static_cast<std::uint64_t>(2 * tokens)));
                }
    }
    void window()
    {
        for (const std::int64_t tokens : kTokens)
            for (const std::int64_t side : {1, 7, 16, 100, 1000})
                for (const bool causal : {false, true}) {
                    for (const std::int64_t shift : {std::int64_t{0}, side / 2}) { // texts
                        const std::int64_t by = side >= tokens ? 0 : shift;
                        const auto run = [=](std::int64_t i) { return by > 0 ? (i + side - by) / side : i / side; };
                        grouped(*windowRule({}, side, shift), windowGroups({}, side, shift), shapeOf(causal), tokens, tiledPairs(tokens, causal, run, std::equal_to<>{}));
                    }
                    const TokenGrid grid = gridOf(tokens);
                    const auto place = [=](std::int64_t i) { return i < grid.prefix ? -1 : (i - grid.prefix) / grid.width / side * 1000 + (i - grid.prefix) % grid.width / side; };
                    grouped(*windowRule(grid, side, 0), windowGroups(grid, side, 0), shapeOf(causal), tokens, tiledPairs(tokens, causal, place, std::equal_to<>{}));
                }
    }
    void blockSparse()
    {
        for (const std::int64_t tokens : kTokens)
            for (const std::int64_t block : {1, 16, 100})
                for (const bool causal : {false, true})
                    for (const TokenGrid& grid : {TokenGrid{}, gridOf(tokens)}) {
                        const auto at = [&](std::int64_t i) { return i < grid.prefix ? -1 : (i - grid.prefix) / block; };
                        const auto sees = [](std::int64_t a, std::int64_t b) { return a < 1 || b < 1 || std::abs(a - b) <= 1 || std::abs(a - b) % 3 == 0; };
                        const auto groups = blockSparseGroups(grid, block, blockPattern("local:1,global:1,strided:3"), causal, 0);
                        grouped(*groupedRule("block-sparse", groups, grid.tokens()), groups, shapeOf(causal), tokens, tiledPairs(tokens, causal, at, sees));
                        const auto all = blockSparseGroups(grid, block, blockPattern("all"), causal, 0);
                        grouped(*groupedRule("block-sparse", all, grid.tokens()), all, shapeOf(causal), tokens, tiledPairs(tokens, causal, at, [](std::int64_t, std::int64_t) { return true; }));
                    }
    }
    void chosenWindows()
    {
        for (const std::int64_t tokens : kTokens)
            for (const std::int64_t side : {1, 16, 64, 100, 1000})
                for (const std::int64_t seen : {1, 3, 1000})
                    for (const bool causal : {false, true}) {
                        std::vector<std::int64_t> sizes;
                        for (std::int64_t first = 0; first < tokens; first += side)
                            sizes.push_back(std::min(side, tokens - first));
                        const bool decided = causal || tokens % side == 0 || seen == 1 || seen >= static_cast<std::int64_t>(sizes.size());
                        chosen({}, tokens, side, seen, causal, sizes, decided);
                    }
        for (const std::int64_t seen : {1, 2, 3, 1000}) {
            chosen(gridOf(197), 197, 7, seen, false, std::vector<std::int64_t>(4, 49), true);
            chosen(gridOf(256), 256, 8, seen, false, std::vector<std::int64_t>(4, 64), true);
            chosen(gridOf(256), 256, 16, seen, false, {256}, true);
        }
        chosen(gridOf(63), 63, 4, 2, false, {16, 16, 4, 12, 12, 3}, false); // 4 + 3 by 4 + 4 + 1
        chosen(gridOf(63), 63, 4, 6, false, {16, 16, 4, 12, 12, 3}, true);
    }
    void trivialRules()
    {
        for (const std::int64_t tokens : kTokens)
            for (const bool causal : {false, true}) { // additions alone
                QVERIFY(agrees("", *meanValueRule(), shapeOf(causal), tokens, 0));
                QVERIFY(agrees("", *zeroRule(), shapeOf(causal), tokens, 0));
            }
    }
    void tiledAndQuantised()
    {
        for (const std::int64_t tokens : kTokens)
            for (const std::int64_t sliding : {-1, 0, 9}) { // -1: not causal
                const nn::AttentionSpec spec = specOf(sliding >= 0, std::max<std::int64_t>(0, sliding));
                const std::uint64_t pairs = test::pairs(tokens, [&](std::int64_t i, std::int64_t j) { return sliding < 0 || (j <= i && (sliding == 0 || j > i - sliding)); });
                for (const auto& op : {tiledAttention(spec), tiledAttention(spec, {32, 32}), quantisedAttention(spec, {8, 32}), quantisedAttention(spec, {4, 8})}) {
                    QCOMPARE(op->cost(tokens).macs, 4 * pairs * 2 * kDim);
                    QCOMPARE(op->cost(tokens).liveFloats, peakOf(*op, tokens));
                }
            }
    }
    /// Of the blocks that each query is seen to read. Not causal: at most, where the last block is shorter than the others and they are not all read.
    void selected()
    {
        for (const std::int64_t tokens : kTokens)
            for (const bool causal : {false, true})
                for (const std::int64_t most : {1, 3, 1000}) {
                    const nn::AttentionSpec spec = specOf(causal);
                    const auto index = [&] { return IndexProjection{test::normalRows(2 * 8, kDim, 0.3, 4), test::normalRows(8, 2 * kDim, 0.3, 5)}; };
                    const auto blocks = [](std::int64_t seen) { return (seen + 15) / 16; };
                    // of one query of all four heads: a mean a block, two bounds a block; four heads' 8 numbers a token, and the projections of one token
                    const auto means = [&](std::int64_t seen) { return 4 * blocks(seen) * kDim; };
                    const auto bounds = [&](std::int64_t seen) { return 2 * 4 * blocks(seen) * kDim; };
                    const auto indexed = [](std::int64_t seen) { return 4 * 8 * seen + 4 * kDim * 8 + 2 * kDim * 8; };
                    chosenKeys(*selectedAttention(spec, mobaSelector(spec, 16, most)), spec, tokens, most, means, blocks(tokens) * 2 * kDim);
                    chosenKeys(*selectedAttention(spec, questSelector(spec, 16, most)), spec, tokens, most, bounds, 2 * blocks(tokens) * 2 * kDim);
                    chosenKeys(*selectedAttention(spec, indexSelector(spec, index(), most)), spec, tokens, most, indexed, tokens * 8);
                }
    }
    void operatorsGiveTheirShape()
    {
        for (const bool causal : {false, true})
            for (const HeadRulePtr& rule : {bandRule(20, 1), linearRule(LinearMap::Relu), windowRule({}, 100, 0), chosenWindowsRule({}, 16, 2), performerRule({.features = 8}, kDim)}) {
                const nn::AttentionCost cost = headwise(specOf(causal), rule)->cost(197);
                QCOMPARE(cost.macs, 4 * rule->macs(shapeOf(causal), 197, kDim));
                QCOMPARE(cost.liveFloats, rule->liveFloats(shapeOf(causal), 197, kDim));
            }
        const nn::AttentionSpec sliding = specOf(true, 9);
        QCOMPARE(headwise(sliding, bandRule(1000, 0))->cost(197).macs, tiledAttention(sliding)->cost(197).macs);
    }

private:
    static void grouped(const HeadRule& rule, const GroupsOf& groups, const HeadShape& shape, std::int64_t tokens, std::int64_t pairs)
    {
        const Held held = heldByGroups(groups, shape, tokens);
        QCOMPARE(peakOf(rule, shape, tokens), held.scratch);
        QCOMPARE(rule.liveFloats(shape, tokens, kWidth), held.withPlaces);
        QCOMPARE(rule.macs(shape, tokens, kWidth), static_cast<std::uint64_t>(pairs * (kDim + kWidth)));
    }
    /// Held as equal where which windows are chosen decides nothing, else as a bound: not below what mix() takes, not above windows that are all as large as the largest.
    static void chosen(const TokenGrid& grid, std::int64_t tokens, std::int64_t side, std::int64_t seen, bool causal, std::vector<std::int64_t> sizes, bool decided)
    {
        const auto rule = chosenWindowsRule(grid, side, seen);
        const HeadShape shape = shapeOf(causal);
        const std::uint64_t macs = rule->macs(shape, tokens, kWidth), live = rule->liveFloats(shape, tokens, kWidth), peak = peakOf(*rule, shape, tokens);
        if (decided) {
            const ChosenCount count(sizes, grid.prefix, seen, causal);
            QCOMPARE(macs, static_cast<std::uint64_t>(count.macs));
            QCOMPARE(peak, count.held.scratch);
            QCOMPARE(live, count.held.withPlaces);
            return;
        }
        std::ranges::fill(sizes, std::ranges::max(sizes));
        const ChosenCount full(sizes, grid.prefix, seen, causal);
        QVERIFY(macs <= static_cast<std::uint64_t>(full.macs) && live <= full.held.withPlaces && live > peak);
        tensor::Matrix<float> identity(tokens, tokens), map(tokens, tokens); // the map's entries that are not 0 are the pairs: no score is small enough to vanish
        for (std::int64_t i = 0; i < tokens; ++i)
            identity(i, i) = 1;
        const auto q = test::normalRows(tokens, kDim, 1, 1), k = test::normalRows(tokens, kDim, 1, 2);
        map = test::mixed(*rule, shape, q, k, identity);
        const auto pairs = static_cast<std::uint64_t>(std::ranges::count_if(map.values(), [](float p) { return p != 0; }));
        QVERIFY(macs >= sizes.size() * sizes.size() * kDim + pairs * (kDim + kWidth));
    }
    template <class Score> static void chosenKeys(const nn::AttentionOp& op, const nn::AttentionSpec& spec, std::int64_t tokens, std::int64_t most, const Score& score, std::int64_t summaries)
    {
        const Sample sample(tokens);
        std::int64_t macs = 0;
        bool exactly = true;
        for (std::int64_t head = 0; head < spec.heads; ++head) {
            const report::BlockMap map = blockMap(op, sample.input(), head);
            exactly = spec.causal || tokens % map.blockTokens == 0 || most >= map.blocks;
            for (std::int64_t i = 0; i < tokens; ++i) {
                const std::int64_t seen = spec.causal ? i + 1 : tokens;
                macs += head == 0 ? score(seen) : 0;
                for (std::int64_t j = 0; j < seen; ++j)
                    macs += map.selected[static_cast<std::size_t>(i * map.blocks + j / map.blockTokens)] != 0 ? 2 * kDim : 0;
            }
        }
        const nn::AttentionCost cost = op.cost(tokens);
        QVERIFY(exactly ? cost.macs == static_cast<std::uint64_t>(macs) : cost.macs > static_cast<std::uint64_t>(macs));
        QCOMPARE(peakOf(op, tokens), std::uint64_t{0});
        // rows of keys and values that one query reads at most and its weights for a group's two heads; what is chosen by, rounded up to a token of 2 x 2 x 16 numbers
        const std::int64_t size = blockMap(op, sample.input(), 0).blockTokens, blocks = (tokens + size - 1) / size;
        const std::int64_t read = blocks <= most ? tokens : spec.causal ? most * size - (blocks * size - tokens) : most * size;
        QCOMPARE(cost.liveFloats, static_cast<std::uint64_t>(read * (2 * kDim + 2) + (summaries + 4 * kDim - 1) / (4 * kDim) * 4 * kDim));
    }
};

QTEST_APPLESS_MAIN(TestCostFormulas)
#include "tst_cost_formulas.moc"
