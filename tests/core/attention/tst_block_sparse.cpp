// SPDX-License-Identifier: GPL-3.0-or-later
// Patterns of blocks against exact attention with the mask that they stand for, in double.
#include "core/attention/block_sparse.h"
#include "core/base/error.h"
#include "tests/core/attention/masked_reference.h"
#include "tests/core/attention/one_head.h"

#include <QTest>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <set>

using namespace tamis;
using namespace tamis::attention;

namespace {
constexpr double kTolerance = 5e-6; // as in tst_attention_rules
constexpr float kScale = 0.25F;

double errorOf(const HeadRule& rule, std::int64_t tokens, bool causal, const test::SeenKeys& seen)
{
    const auto q = test::normalRows(tokens, 16, 1, 1), k = test::normalRows(tokens, 16, 1, 2), v = test::normalRows(tokens, 12, 1, 3);
    return test::relativeError(test::mixed(rule, {16, kScale, causal, 0}, q, k, v), test::maskedAttention(q, k, v, static_cast<double>(kScale), seen));
}

HeadRulePtr ruleOf(const char* pattern, std::int64_t block, const TokenGrid& grid, bool causal, std::uint64_t seed = 0)
{
    return groupedRule("block-sparse", blockSparseGroups(grid, block, blockPattern(pattern), causal, seed), grid.tokens(), causal);
}
} // namespace

class TstBlockSparse : public QObject {
    Q_OBJECT
private slots:
    void patternsAreTheirMasks_data()
    {
        QTest::addColumn<QString>("pattern");
        QTest::addColumn<int>("local");
        QTest::addColumn<int>("global");
        QTest::addColumn<int>("strided");
        QTest::newRow("itself") << "local:0" << 0 << 0 << 0;
        QTest::newRow("neighbours") << "local:2" << 2 << 0 << 0;
        QTest::newRow("neighbours and first") << "local:1,global:2" << 1 << 2 << 0;
        QTest::newRow("strided") << "strided:3,local:1" << 1 << 0 << 3;
        QTest::newRow("all three") << "global:1,strided:4,local:1" << 1 << 1 << 4;
    }
    void patternsAreTheirMasks()
    {
        QFETCH(QString, pattern);
        QFETCH(int, local);
        QFETCH(int, global);
        QFETCH(int, strided);
        for (const bool causal : {false, true})
            for (const std::int64_t prefix : {0, 2}) {
                if (causal && prefix > 0)
                    continue;
                // 12 blocks of 8 tokens and one of 4
                const TokenGrid grid = prefix > 0 ? TokenGrid{prefix, 10, 10} : TokenGrid{};
                const auto seen = [=](std::int64_t i, std::int64_t j) {
                    if (causal && j > i)
                        return false;
                    if (i < prefix || j < prefix)
                        return true;
                    const std::int64_t a = (i - prefix) / 8, b = (j - prefix) / 8;
                    return a < global || b < global || std::abs(a - b) <= local || (strided > 0 && std::abs(a - b) % strided == 0);
                };
                const auto rule = ruleOf(pattern.toUtf8().constData(), 8, grid, causal);
                QVERIFY(errorOf(*rule, 100 + prefix, causal, seen) < kTolerance);
                if (!causal)
                    QCOMPARE(rule->macs(100 + prefix, 16), 2 * 16 * test::pairs(100 + prefix, seen));
            }
    }
    void allBlocksAreExact()
    {
        QVERIFY(errorOf(*ruleOf("all", 8, {}, false), 100, false, [](std::int64_t, std::int64_t) { return true; }) < kTolerance);
        QVERIFY(errorOf(*ruleOf("all", 8, {}, true), 100, true, [](std::int64_t i, std::int64_t j) { return j <= i; }) < kTolerance);
        QVERIFY(errorOf(*ruleOf("random:100", 8, {}, false), 100, false, [](std::int64_t, std::int64_t) { return true; }) < kTolerance);
        // fewer tokens than a block: one block
        QVERIFY(errorOf(*ruleOf("local:0", 64, {}, false), 5, false, [](std::int64_t, std::int64_t) { return true; }) < kTolerance);
    }
    void randomBlocksAreMore()
    {
        std::set<std::vector<std::int32_t>> drawn;
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            const auto groups = blockSparseGroups({}, 8, blockPattern("local:1,random:2"), false, seed)(160);
            QCOMPARE(groups.size(), std::size_t{20});
            for (std::size_t i = 0; i < groups.size(); ++i) {
                std::set<std::int32_t> blocks;
                for (const std::int32_t key : groups[i].keys)
                    blocks.insert(key / 8);
                const bool edge = i == 0 || i == 19;
                QCOMPARE(blocks.size(), std::size_t{edge ? 4U : 5U});
                QCOMPARE(groups[i].keys.size(), 8 * blocks.size());
                QVERIFY(blocks.contains(static_cast<std::int32_t>(i)) && std::ranges::is_sorted(groups[i].keys));
            }
            drawn.insert(groups[7].keys);
            QVERIFY(groups[7].keys == blockSparseGroups({}, 8, blockPattern("local:1,random:2"), false, seed)(160)[7].keys);
        }
        QVERIFY(drawn.size() > 10); // of 136 pairs
        for (const TokenGroup& group : blockSparseGroups({}, 8, blockPattern("random:3"), true, 1)(160))
            QVERIFY(group.keys.back() == group.queries.back()); // none later
    }
    void headsDrawTheirOwn()
    {
        Inputs inputs;
        inputs.spec = {.heads = 1, .keyValueHeads = 1, .headDim = 16, .scale = kScale};
        Parameters parameters;
        parameters.set("block", std::int64_t{8});
        const auto q = test::normalRows(160, 16, 1, 1);
        std::set<std::vector<float>> maps;
        for (const auto& [block, head] : {std::pair{0, 0}, {0, 1}, {1, 0}, {1, 1}}) {
            inputs.block = block;
            inputs.head = head;
            const auto map = findMethod("attention.block-sparse")->op(inputs, parameters)->map({q.view(), q.view(), q.view()}, 0, 0);
            maps.insert({map.values().begin(), map.values().end()});
        }
        QCOMPARE(maps.size(), std::size_t{4});
    }
    void badPatternsAreRefused()
    {
        for (const char* bad : {"", "local", "local:", "local:1,local:2", "near:1", "local:-1", "strided:0", "local:1,", "local:1 global:1", "all,local:1", "random:1.5"})
            QVERIFY_EXCEPTION_THROWN(blockPattern(bad), Error);
        QVERIFY_EXCEPTION_THROWN(ruleOf("local:1", 8, {1, 4, 4}, false)->mix({16, kScale, false, 0}, test::normalRows(9, 16, 1, 1).view(), test::normalRows(9, 16, 1, 1).view(),
                                                                             test::normalRows(9, 16, 1, 1).view(), tensor::Matrix<float>(9, 16).view(), *std::make_unique<nn::Scratch>(false)), Error);
    }
};

QTEST_APPLESS_MAIN(TstBlockSparse)
#include "tst_block_sparse.moc"
