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
#include <random>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

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
    return groupedRule("block-sparse", blockSparseGroups(grid, block, blockPattern(pattern), causal, seed), grid.tokens());
}
std::vector<TokenGroup> groupsOf(const char* pattern, std::int64_t block, bool causal, std::uint64_t seed, std::int64_t tokens)
{
    std::vector<TokenGroup> groups;
    blockSparseGroups({}, block, blockPattern(pattern), causal, seed)(tokens, [&](const TokenGroup& group) { groups.push_back(group); });
    return groups;
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
                    QCOMPARE(rule->macs({16, kScale, false, 0}, 100 + prefix, 16), 2 * 16 * test::pairs(100 + prefix, seen));
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
            const auto groups = groupsOf("local:1,random:2", 8, false, seed, 160);
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
            QVERIFY(groups[7].keys == groupsOf("local:1,random:2", 8, false, seed, 160)[7].keys);
        }
        QVERIFY(drawn.size() > 10); // of 136 pairs
        for (const TokenGroup& group : groupsOf("random:3", 8, true, 1, 160))
            QVERIFY(group.keys.back() == group.queries.back()); // none later
    }
    /// Blocks looked at one by one, and drawn from a list of those that are left: the same blocks, whatever is drawn, from none to more than there are.
    void drawsAreThoseFromAList()
    {
        constexpr std::int64_t kCount = 60;
        for (const bool causal : {false, true})
            for (const std::int64_t random : {0, 1, 5, 40, 57, 58, 1'000'000}) {
                const std::string pattern = "local:1,global:2,strided:7,random:" + std::to_string(random);
                const auto groups = groupsOf(pattern.c_str(), 1, causal, 3, kCount);
                QCOMPARE(groups.size(), std::size_t{kCount});
                for (std::int64_t i = 0; i < kCount; ++i) {
                    std::vector<std::int32_t> seen, rest;
                    for (std::int64_t j = 0; j < (causal ? i + 1 : kCount); ++j)
                        (i < 2 || j < 2 || std::abs(i - j) <= 1 || (i - j) % 7 == 0 ? seen : rest).push_back(static_cast<std::int32_t>(j));
                    std::mt19937_64 draws(3 + static_cast<std::uint64_t>(i) * 0x9E3779B97F4A7C15ULL);
                    for (std::int64_t r = 0; r < random && !rest.empty(); ++r) {
                        const auto at = rest.begin() + static_cast<std::ptrdiff_t>(draws() % rest.size());
                        seen.push_back(*at);
                        rest.erase(at);
                    }
                    std::ranges::sort(seen);
                    QVERIFY2(groups[static_cast<std::size_t>(i)].keys == seen, qPrintable(QString("random:%1, block %2").arg(random).arg(i)));
                }
            }
    }
    /// What a call holds beside its inputs, the places of one group among them, grows with the tokens, not with their square.
    void placesOfOneGroupAreHeldAtOnce()
    {
        const auto rule = ruleOf("all", 1, {}, false);
        // keys and values of all tokens, their places, one query, its place, its weights and what it mixes
        QCOMPARE(rule->liveFloats({16, kScale, false, 0}, 2048, 16), std::uint64_t{2048 * (16 + 16) + 2048 + 1 + (16 + 16 + 2048)});
        QCOMPARE(rule->macs({16, kScale, false, 0}, 2048, 16), std::uint64_t{2} * 16 * 2048 * 2048);
        nn::Scratch scratch(false);
        const auto x = test::normalRows(2048, 16, 1, 1);
        tensor::Matrix<float> out(2048, 16);
        rule->mix({16, kScale, false, 0}, x.view(), x.view(), x.view(), out.view(), scratch);
        QVERIFY(static_cast<std::uint64_t>(scratch.peakFloats()) <= rule->liveFloats({16, kScale, false, 0}, 2048, 16));
        // a stop reaches it between two groups
        std::stop_source stop;
        stop.request_stop();
        nn::Scratch stopped(false, RunContext(stop.get_token()));
        QVERIFY_EXCEPTION_THROWN(rule->mix({16, kScale, false, 0}, x.view(), x.view(), x.view(), out.view(), stopped), Error);
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
