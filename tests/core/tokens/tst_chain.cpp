// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/chain.h"

#include "core/tokens/evit.h"
#include "core/tokens/merge.h"
#include "tests/core/tokens/golden_chain.h"

#include <random>

using namespace tamis;
using tokens::Link, tokens::Where;

static tokens::Chain chained(const std::string& steps, const std::shared_ptr<const nn::Model>& model, std::uint64_t seed = 0, std::shared_ptr<const io::Checkpoint> checkpoint = nullptr)
{
    return test::chainOf("tokens.chain", model, {{"steps", steps}}, seed, std::move(checkpoint));
}

/// What is said of a text that is refused, and at which byte.
struct Refusal {
    std::string what;
    std::uint64_t at = 0;
};
template <class Action> static Refusal refusal(Action action)
{
    try {
        action();
    } catch (const Error& error) {
        return {error.what(), error.offset().value_or(9999)};
    }
    return {"nothing", 9999};
}

static void verifySame(const nn::Model& model, const tokens::Chain& one, const tokens::Chain& other)
{
    const test::TokenImages images("vit20");
    tokens::Trace first, second;
    QCOMPARE(test::runOne(model, one, images.samples[0], &first), test::runOne(model, other, images.samples[0], &second));
    for (std::size_t block = 0; block < first.layers.size(); ++block)
        QCOMPARE(first.layers[block].set.row, second.layers[block].set.row);
    QCOMPARE(one.proportionalAttention, other.proportionalAttention);
    QCOMPARE(one.weightedPool, other.weightedPool);
    QCOMPARE(one.rollout, other.rollout);
    QCOMPARE(one.scoreTitle, other.scoreTitle);
}

class TestChain : public QObject {
    Q_OBJECT
private slots:
    void linksAsTyped()
    {
        const auto links = tokens::parseLinks(" evit keep=0.5 fuse=false @3,6 + tome r=4 schedule=\"1, 2\" @ 2-5,7 +random@rest+\n ats @all + pitome");
        QCOMPARE(links.size(), 5u);
        QCOMPARE(links[0].method, std::string("evit"));
        QCOMPARE(links[0].settings.real("keep"), 0.5);
        QCOMPARE(links[0].settings.boolean("fuse"), false);
        QCOMPARE(links[0].settings.all().size(), 2u); // those given
        QVERIFY(links[0].where == Where::Listed);
        QVERIFY((links[0].blocks == std::vector<tokens::BlockRange>{{3, 3}, {6, 6}}));
        QCOMPARE(links[0].position, 1u);
        QCOMPARE(links[0].wherePosition, 27u);
        QCOMPARE(links[1].settings.text("schedule"), std::string("1, 2"));
        QVERIFY((links[1].blocks == std::vector<tokens::BlockRange>{{2, 5}, {7, 7}}));
        QVERIFY(links[2].where == Where::Rest && links[3].where == Where::All && links[4].where == Where::Own);
        QCOMPARE(tokens::printLinks(links), std::string("evit fuse=false keep=0.5 @3,6 + tome r=4 schedule=\"1, 2\" @2-5,7 + random @rest + ats @all + pitome"));
        QVERIFY(tokens::parseLinks(tokens::printLinks(links)) == links);
    }
    void refusedWithTheByte_data()
    {
        QTest::addColumn<QString>("text");
        QTest::addColumn<int>("at");
        QTest::addColumn<QString>("says");
        const auto row = [](const char* text, int at, const char* says) { QTest::newRow(text) << text << at << says; };
        row("", 0, "the end");
        row("   ", 3, "the end");
        row("evti @3", 0, "no method");
        row("evit + ", 7, "the name of a method");
        row("evit ++ tome", 6, "the name of a method");
        row("+ evit", 0, "the name of a method");
        row("evit keep", 9, "expected '='");
        row("evit keep =0.5", 9, "expected '='");
        row("evit keep= 0.5", 10, "expected a value");
        row("evit keep=", 10, "the end");
        row("evit keep=0.5 keep=0.6", 14, "twice");
        row("evit keep=half", 10, "evit: keep: found 'half', expected a number");
        row("evit keep=2", 10, "0.05 to 1");
        row("evit keeps=0.5", 5, "is not a parameter of this method");
        row("tome r=1.5", 7, "a whole number");
        row("evit fuse=yes", 10, "true or false");
        row("top-rho score=best", 14, "score");
        row("evit @", 6, "the number of a block");
        row("evit @3,", 8, "the number of a block");
        row("evit @3, 6", 8, "the number of a block");
        row("evit @-3", 6, "the number of a block");
        row("evit @3-", 8, "the number of a block");
        row("evit @6,3", 8, "ascending");
        row("evit @3,3", 8, "ascending");
        row("evit @2-5,5", 10, "ascending");
        row("evit @5-2", 6, "the smaller one first");
        row("evit @10000", 6, "beyond 9999");
        row("evit @99999999999999999999", 6, "beyond 9999");
        row("evit @some", 6, "all, or rest");
        row("evit @3 keep=0.5", 8, "'+' with another method");
        row("evit @3 @6", 8, "'+' with another method");
        row("evit @3x", 7, "'+' with another method");
        row("tome schedule=\"1,2", 14, "does not end");
        row("tome schedule=\"1\\n\"", 17, "backslash");
        row("tome schedule=\"", 14, "does not end");
        row("tome schedule=\"\\", 16, "backslash");
        row("evit ?", 5, "a setting");
        row("Evit", 0, "the name of a method");
        row("evit keep=\xff", 10, "expected a number");
        row("\xc3\xa9vit", 0, "the name of a method");
    }
    void refusedWithTheByte()
    {
        QFETCH(QString, text);
        QFETCH(int, at);
        QFETCH(QString, says);
        const std::string typed = std::string(text == QString::fromUtf8("evit keep=\xff") ? "evit keep=\xff" : text.toStdString());
        const Refusal found = refusal([&] { tokens::parseLinks(typed); });
        QCOMPARE(found.at, static_cast<std::uint64_t>(at));
        QVERIFY2(found.what.find(says.toStdString()) != std::string::npos, found.what.c_str());
        QVERIFY2(found.what.rfind("steps: ", 0) == 0, found.what.c_str());
    }
    void longTextsAreRefused()
    {
        std::string many = "tome";
        for (std::size_t i = 1; i < tokens::kMostLinks; ++i)
            many += "+tome";
        QCOMPARE(tokens::parseLinks(many).size(), tokens::kMostLinks);
        QVERIFY_EXCEPTION_THROWN(tokens::parseLinks(many + "+tome"), Error);
        QVERIFY_EXCEPTION_THROWN(tokens::parseLinks("tome" + std::string(tokens::kLongestChainText, ' ')), Error);
        QVERIFY_EXCEPTION_THROWN(tokens::parseLinks(std::string("tome\0", 5)), Error);
    }
    /// Valid texts with bytes changed, removed, doubled: an Error or links that survive being printed, never anything else.
    void anyTextIsRefusedOrRead()
    {
        std::mt19937_64 random(9);
        const std::vector<std::string> seeds{"evit keep=0.7 @3,6 + tome r=4 @rest", "merge matching=greedy radius=2.5 schedule=\"4, 4\" @0-3 + top-rho score=entropy @all", "diffrate file=\"a \\\"b\\\\c\" entry=x"};
        const std::string alphabet = "+@=,-\"\\ \t.0139aeprst\xff";
        int read = 0, refused = 0;
        for (int trial = 0; trial < 20'000; ++trial) {
            std::string text = seeds[random() % seeds.size()];
            for (auto changes = random() % 4; changes > 0 && !text.empty(); --changes) {
                const std::size_t at = random() % text.size();
                switch (random() % 4) {
                case 0: text[at] = alphabet[random() % alphabet.size()]; break;
                case 1: text.erase(at, 1 + random() % 3); break;
                case 2: text.insert(at, 1, alphabet[random() % alphabet.size()]); break;
                default: text += text.substr(at); break;
                }
            }
            try {
                const auto links = tokens::parseLinks(text);
                const std::string printed = tokens::printLinks(links);
                QVERIFY2(tokens::parseLinks(printed) == links, text.c_str());
                QCOMPARE(tokens::printLinks(tokens::parseLinks(printed)), printed);
                ++read;
            } catch (const Error& error) {
                QVERIFY(error.offset().value_or(0) <= text.size());
                ++refused;
            }
        }
        QVERIFY(read > 4000 && refused > 4000);
    }
    void oneLinkIsTheMethod()
    {
        const auto model = test::tokenModel("vit20");
        const auto checkpoint = test::tokenCheckpoint("vit20");
        verifySame(*model, chained("tome r=17", model), test::chainOf("tokens.tome", model, {{"r", "17"}}));
        verifySame(*model, chained("tome r=17 @all", model), test::chainOf("tokens.tome", model, {{"r", "17"}}));
        verifySame(*model, chained("tome r=17 @rest", model), test::chainOf("tokens.tome", model, {{"r", "17"}}));
        verifySame(*model, chained("evit keep=0.6", model), test::chainOf("tokens.evit", model, {{"keep", "0.6"}}));
        verifySame(*model, chained("evit keep=0.6 blocks=2,4", model), test::chainOf("tokens.evit", model, {{"keep", "0.6"}, {"blocks", "2,4"}}));
        verifySame(*model, chained("evit keep=0.6 @2,4", model), test::chainOf("tokens.evit", model, {{"keep", "0.6"}, {"blocks", "2,4"}}));
        verifySame(*model, chained("dynamicvit @2-4", model), test::chainOf("tokens.dynamicvit", model, {{"blocks", "2,3,4"}}));
        verifySame(*model, chained("downsample keep=0.3 cell=middle @2", model), test::chainOf("tokens.downsample", model, {{"keep", "0.3"}, {"cell", "middle"}, {"block", "2"}}));
        verifySame(*model, chained("merge matching=random r=20", model, 5), test::chainOf("tokens.merge", model, {{"matching", "random"}, {"r", "20"}}, 5));
        verifySame(*model, chained("top-rho score=rollout @1,3", model), test::chainOf("tokens.top-rho", model, {{"score", "rollout"}, {"blocks", "1,3"}}));
        verifySame(*model, chained("top-rho score=gradient @1", model, 0, checkpoint), test::chainOf("tokens.top-rho", model, {{"score", "gradient"}, {"blocks", "1"}}, 0, checkpoint));
        QVERIFY(chained("tome r=0", model).steps.empty());
    }
    void aCombinationIsTheStepsByHand()
    {
        const auto model = test::tokenModel("vit20");
        tokens::Chain byHand;
        for (int block = 0; block < 6; ++block)
            byHand.steps.push_back({block, tokens::Place::BetweenBranches, block == 1 || block == 3 ? tokens::oneKeyEach(tokens::evitStep(0.7, true)) : tokens::mergeStep(7)});
        byHand.proportionalAttention = true;
        byHand.scoreTitle = "Score of each block's own method";
        const auto chain = chained("evit keep=0.7 @1,3 + tome r=7 @rest", model);
        verifySame(*model, chain, byHand);
        test::verifyGolden(test::mergingGolden, "vit20", "chain", *model, chain);
    }
    /// Beside ToMe's keys, which count as many times as their patches, EViT's fused token stays one key, and so does what ToMe merges without
    /// proportional attention. 1 / w times w rounds twice, once up at most: 1 within 1e-7.
    void whatALinkWithoutProportionalAttentionFusesIsOneKey()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        tokens::Trace trace;
        test::runOne(*model, chained("tome r=40 @0 + evit keep=0.5 @1 + merge r=3 matching=greedy @2", model), images.samples[0], &trace);
        const tokens::TokenSet &merged = trace.layers[0].set, &fused = trace.layers[1].set;
        QVERIFY(std::ranges::any_of(merged.sizes, [](float size) { return size > 1; }));
        QCOMPARE(merged.keyWeights, merged.sizes);
        QVERIFY(fused.sizes.back() > 50);
        QVERIFY2(std::abs(fused.keyWeights.back() - 1) < 1e-7f, qPrintable(QString::number(static_cast<double>(fused.keyWeights.back()))));
        for (std::size_t i = 0; i + 1 < fused.sizes.size(); ++i)
            QCOMPARE(fused.keyWeights[i], fused.sizes[i]);
        test::runOne(*model, chained("tome r=40 proportional-attention=false @0 + tome r=10 @1", model), images.samples[0], &trace);
        QVERIFY(std::ranges::all_of(trace.layers[0].set.keyWeights, [](float weight) { return weight == 1.0f; }));
        QVERIFY(std::ranges::any_of(trace.layers[1].set.keyWeights, [](float weight) { return weight > 1.0f; }));
    }
    /// EViT fuses into one key: with the logs of all weights 0, proportional attention is none. Bit for bit.
    void evitBesideProportionalAttentionIsEvit()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        tokens::Chain plain, wrapped;
        for (const int block : {1, 3, 4}) {
            plain.steps.push_back({block, tokens::Place::BetweenBranches, tokens::evitStep(0.6, true)});
            wrapped.steps.push_back({block, tokens::Place::BetweenBranches, tokens::oneKeyEach(tokens::evitStep(0.6, true))});
        }
        const auto expected = test::runOne(*model, plain, images.samples[0]);
        QCOMPARE(expected, test::runOne(*model, test::chainOf("tokens.evit", model, {{"keep", "0.6"}}), images.samples[0]));
        plain.proportionalAttention = wrapped.proportionalAttention = true;
        QCOMPARE(test::runOne(*model, wrapped, images.samples[0]), expected);
        QVERIFY(test::runOne(*model, plain, images.samples[0]) != expected);
    }
    void ordersOfLinksDoNotMatter()
    {
        const auto model = test::tokenModel("vit20");
        const auto one = chained("evit keep=0.8 @1 + tome r=9 @rest + downsample keep=0.5 @3 + top-rho score=rollout keep=0.6 @4", model);
        QVERIFY(one.rollout && one.proportionalAttention && one.weightedPool);
        verifySame(*model, one, chained("top-rho score=rollout keep=0.6 @4 + downsample keep=0.5 @3 + tome r=9 @rest + evit keep=0.8 @1", model));
        verifySame(*model, chained("evit + tome r=9 weighted-pool=false @rest", model), chained("tome r=9 weighted-pool=false @0,2,5+evit", model)); // evit stands in 1, 3 and 4 of 6
    }
    void restIsWhatIsLeft()
    {
        const auto model = test::tokenModel("vit20");
        const auto blocksOf = [&](const char* steps) {
            std::vector<int> blocks;
            for (const auto& step : chained(steps, model).steps)
                blocks.push_back(step.block);
            return blocks;
        };
        QCOMPARE(blocksOf("tome @rest + evit @0,5"), (std::vector<int>{0, 1, 2, 3, 4, 5}));
        QCOMPARE(blocksOf("tome @2-3 + pitome @rest"), (std::vector<int>{0, 1, 2, 3, 4, 5}));
        // DynamicViT looks behind the attention of the block before and prunes before the block: neither is left
        QCOMPARE(blocksOf("dynamicvit @3 + tome @rest"), (std::vector<int>{0, 1, 2, 3, 4, 5}));
        const auto chain = chained("dynamicvit @3 + tome @rest", model);
        QVERIFY(chain.steps[3].block == 3 && chain.steps[3].place == tokens::Place::BeforeBlock);
        QCOMPARE(blocksOf("tome @1"), (std::vector<int>{1}));
    }
    void whatDoesNotGoTogetherIsRefused_data()
    {
        QTest::addColumn<QString>("text");
        QTest::addColumn<int>("at");
        QTest::addColumn<QString>("says");
        const auto row = [](const char* text, int at, const char* says) { QTest::newRow(text) << text << at << says; };
        row("evit @3 + tome @3", 10, "stands already (behind the attention of block 3)");
        row("tome + evit @3", 7, "tome stands already");
        row("downsample @2 + random @2 + downsample @2", 28, "before block 2");
        row("dynamicvit @3 + tome @2", 16, "dynamicvit stands already (behind the attention of block 2)");
        row("evit @6", 6, "0 to 5");
        row("evit @2-9999", 6, "0 to 5");
        row("tome @all + evit @rest", 18, "no block left");
        row("tome schedule=4,4 @3", 19, "no reduction of tome in block 3");
        row("evit blocks=1 @2", 15, "blocks= beside '@'");
        row("chain steps=tome", 0, "a chain in a chain");
        row("top-rho score=gradient @1 + top-rho score=gradient @2", 28, "one such method");
        row("tome schedule=1,2,3,4,5,6,7", 0, "tome: schedule: found a list for 7 blocks");
        row("tome @1 + diffrate", 10, "diffrate: file: found no file");
    }
    void whatDoesNotGoTogetherIsRefused()
    {
        QFETCH(QString, text);
        QFETCH(int, at);
        QFETCH(QString, says);
        const auto model = test::tokenModel("vit20");
        const auto checkpoint = test::tokenCheckpoint("vit20");
        const Refusal found = refusal([&] { chained(text.toStdString(), model, 0, checkpoint); });
        QVERIFY2(found.what.find(says.toStdString()) != std::string::npos, found.what.c_str());
        QCOMPARE(found.at, static_cast<std::uint64_t>(at));
    }
    void otherModelsAreRefusedAsByTheMethods()
    {
        QVERIFY_EXCEPTION_THROWN(chained("tome", test::tokenModel("timm_swin_oblong")), Error);
        const auto average = test::tokenModel("timm_vit_avg_prenorm");
        QVERIFY(refusal([&] { chained("tome @0 + evit @1", average); }).what.find("evit: ") != std::string::npos); // no class token
        QCOMPARE(chained("tome r=2 @0 + merge r=2 matching=greedy @1", average).steps.size(), 2u);
    }
    void routesAndTrainedMethodsAreRefused()
    {
        const auto model = test::tokenModel("vit20");
        int trained = 0, routes = 0;
        for (const auto& method : tokens::methods()) {
            const std::string name = method.declaration.id.substr(7);
            if (method.trains()) {
                ++trained;
                QVERIFY(refusal([&] { chained(name, model); }).what.find("whose parts are trained") != std::string::npos);
            } else if (name == "multi-scale") {
                ++routes;
                QVERIFY(refusal([&] { chained(name, model); }).what.find("takes its own way") != std::string::npos);
            }
        }
        QVERIFY(trained > 0 && routes == 1);
    }
};

QTEST_GUILESS_MAIN(TestChain)
#include "tst_chain.moc"
