// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/merge.h"

#include "core/tokens/matching.h"
#include "tests/core/tokens/golden_chain.h"
#include "tests/core/tokens/probe.h"

#include <limits>
#include <map>
#include <random>
#include <set>

using namespace tamis;
using Settings = std::vector<std::pair<std::string, std::string>>;
constexpr float kMinusInfinity = -std::numeric_limits<float>::infinity();

static const std::vector<std::string> kAllMatchings{"alternate", "random", "greedy", "hungarian", "lsh", "nearest"};

struct GoldenCase {
    const char *model, *name;
    Settings settings;
};

static const std::vector<GoldenCase>& goldenCases()
{
    static const std::vector<GoldenCase> cases{
        {"vit20", "plain", {{"r", "24"}, {"weights", "plain"}}},
        {"vit20", "class_attention", {{"r", "24"}, {"weights", "class-attention"}}},
        {"vit20", "attention_received", {{"r", "24"}, {"weights", "attention-received"}, {"proportional-attention", "false"}}},
        {"vit20", "radius", {{"r", "24"}, {"radius", "2.3"}}},
        {"vit20", "greedy", {{"r", "20"}, {"matching", "greedy"}}},
        {"vit20", "greedy_radius", {{"r", "20"}, {"matching", "greedy"}, {"radius", "1.73"}, {"weights", "plain"}}},
        {"vit20", "hungarian", {{"schedule", "17,0,30,20,0,9"}, {"matching", "hungarian"}}},
        {"vit20", "hungarian_radius", {{"schedule", "20,10,10"}, {"matching", "hungarian"}, {"radius", "3.31"}}},
        {"vit20", "nearest", {{"r", "24"}, {"matching", "nearest"}, {"neighbours", "6"}}},
        {"vit20", "nearest_mutual", {{"schedule", "24,24,24"}, {"matching", "nearest"}, {"neighbours", "9"}, {"mutual", "true"}}},
        {"deit", "greedy", {{"r", "4"}, {"matching", "greedy"}}},
        {"deit", "hungarian", {{"r", "5"}, {"matching", "hungarian"}}},
        {"timm_vit_avg_prenorm", "greedy", {{"r", "2"}, {"matching", "greedy"}}},
        {"timm_vit_avg_prenorm", "hungarian", {{"r", "3"}, {"matching", "hungarian"}}},
        {"timm_vit_avg_prenorm", "plain", {{"r", "3"}, {"weights", "plain"}}},
    };
    return cases;
}

static tensor::Matrix<float> randomSimilarity(std::mt19937_64& random, std::int64_t rows, std::int64_t cols, int levels)
{
    tensor::Matrix<float> similarity(rows, cols);
    for (float& value : similarity.values())
        value = random() % 8 == 0 ? kMinusInfinity : static_cast<float>(static_cast<int>(random() % static_cast<unsigned>(levels)) - levels / 4) / static_cast<float>(levels);
    return similarity;
}

/// Every pair sorted, then taken while both are free.
static std::vector<std::pair<int, int>> greedyTwin(const tensor::Matrix<float>& similarity, std::size_t pairs)
{
    std::vector<std::pair<int, int>> all, found;
    for (int i = 0; i < similarity.rows(); ++i)
        for (int j = i + 1; j < similarity.cols(); ++j)
            if (similarity(i, j) > kMinusInfinity)
                all.emplace_back(i, j);
    std::ranges::stable_sort(all, [&](const auto& one, const auto& other) { return similarity(one.first, one.second) > similarity(other.first, other.second); });
    std::set<int> taken;
    for (const auto& [i, j] : all)
        if (found.size() < pairs && !taken.contains(i) && !taken.contains(j)) {
            found.emplace_back(i, j);
            taken.insert({i, j});
        }
    return found;
}

/// The largest sum of exactly `pairs` pairs, by trying all.
static double optimumByTrying(const tensor::Matrix<float>& similarity, std::int64_t pairs, std::int64_t row = 0, unsigned taken = 0)
{
    if (pairs == 0)
        return 0;
    if (row == similarity.rows())
        return -std::numeric_limits<double>::infinity();
    double best = optimumByTrying(similarity, pairs, row + 1, taken);
    for (std::int64_t j = 0; j < similarity.cols(); ++j)
        if (!(taken >> j & 1U))
            best = std::max(best, static_cast<double>(similarity(row, j)) + optimumByTrying(similarity, pairs - 1, row + 1, taken | 1U << j));
    return best;
}

static double sumOf(const std::vector<tokens::Edge>& edges, std::int64_t& pairs)
{
    double sum = 0;
    pairs = 0;
    for (const auto& edge : edges)
        if (edge.similarity > kMinusInfinity) {
            sum += static_cast<double>(edge.similarity);
            ++pairs;
        }
    return sum;
}

/// A similarity of two halves as the corner of one of all tokens: what greedyPairs reads.
static tensor::Matrix<float> asAllPairs(const tensor::Matrix<float>& halves)
{
    const std::int64_t count = halves.rows() + halves.cols();
    tensor::Matrix<float> all(count, count);
    std::ranges::fill(all.values(), kMinusInfinity);
    for (std::int64_t i = 0; i < halves.rows(); ++i)
        for (std::int64_t j = 0; j < halves.cols(); ++j)
            all(i, halves.rows() + j) = halves(i, j);
    return all;
}

static double distance(std::int64_t one, std::int64_t other, std::int64_t columns)
{
    return std::hypot(static_cast<double>(one / columns - other / columns), static_cast<double>(one % columns - other % columns));
}

class TestMerge : public QObject {
    Q_OBJECT
private slots:
    void whoHoldsWhomAndWhatTheModelSays_data()
    {
        QTest::addColumn<int>("index");
        for (std::size_t i = 0; i < goldenCases().size(); ++i)
            QTest::addRow("%s.%s", goldenCases()[i].model, goldenCases()[i].name) << static_cast<int>(i);
    }
    void whoHoldsWhomAndWhatTheModelSays()
    {
        QFETCH(int, index);
        const GoldenCase& c = goldenCases()[static_cast<std::size_t>(index)];
        const auto model = test::tokenModel(c.model);
        test::verifyGolden(test::mergingGolden, c.model, c.name, *model, test::chainOf("tokens.merge", model, c.settings));
    }
    void withDefaultsItIsToMe()
    {
        for (const char* name : {"vit20", "deit", "timm_vit_avg_prenorm"}) {
            const auto model = test::tokenModel(name);
            const test::TokenImages images(name);
            for (const Settings& settings : {Settings{}, Settings{{"r", "3"}, {"inflection", "-1"}}, Settings{{"schedule", "5,0"}, {"proportional-attention", "false"}, {"weighted-pool", "false"}}}) {
                tokens::Trace one, other;
                QCOMPARE(test::runOne(*model, test::chainOf("tokens.merge", model, settings), images.samples[0], &one),
                         test::runOne(*model, test::chainOf("tokens.tome", model, settings), images.samples[0], &other));
                for (std::size_t block = 0; block < one.layers.size(); ++block)
                    QCOMPARE(one.layers[block].set.row, other.layers[block].set.row);
            }
        }
    }
    void greedyEqualsItsTwin()
    {
        std::mt19937_64 random(2);
        for (int trial = 0; trial < 300; ++trial) {
            const auto count = static_cast<std::int64_t>(random() % 24);
            const auto similarity = randomSimilarity(random, count, count, trial % 2 == 0 ? 9 : 100'000); // few levels: many ties
            const auto pairs = random() % 13;
            const auto twin = greedyTwin(similarity, pairs);
            const auto found = tokens::greedyPairs(similarity.view(), static_cast<std::int64_t>(pairs), {});
            QCOMPARE(found.size(), twin.size());
            for (std::size_t i = 0; i < found.size(); ++i) {
                QCOMPARE(std::pair(found[i].second, found[i].first), twin[i]);
                QCOMPARE(found[i].similarity, similarity(twin[i].first, twin[i].second));
            }
        }
    }
    /// Eight tokens in two halves. One best partner each (several tokens may share one) is worth no less than the best pairs, those no less than
    /// greedy ones. Sums of at most four floats in double: exact to 1e-12.
    void hungarianIsTheOptimumBetweenGreedyAndSharedPartners()
    {
        std::mt19937_64 random(7);
        const tokens::Halves halves = tokens::alternateHalves(8);
        int better = 0, shared = 0;
        for (int trial = 0; trial < 500; ++trial) {
            const auto similarity = randomSimilarity(random, 4, 4, trial % 2 == 0 ? 6 : 100'000);
            for (std::int64_t pairs = 0; pairs <= 4; ++pairs) {
                std::int64_t count = 0, greedyCount = 0;
                const auto edges = tokens::optimalPartners(halves, similarity.view(), pairs, {});
                const double sum = sumOf(edges, count);
                QVERIFY(count == pairs || (count < pairs && optimumByTrying(similarity, count + 1) == -std::numeric_limits<double>::infinity()));
                QVERIFY(std::abs(sum - optimumByTrying(similarity, count)) < 1e-12);
                std::set<std::int32_t> seconds;
                for (const auto& edge : edges)
                    if (edge.similarity > kMinusInfinity) {
                        QVERIFY(seconds.insert(edge.second).second);
                        QCOMPARE(edge.similarity, similarity(edge.first / 2, edge.second / 2));
                    }
                const double greedy = sumOf(tokens::greedyPairs(asAllPairs(similarity).view(), pairs, {}), greedyCount);
                QVERIFY(greedyCount <= count);
                if (greedyCount == count) {
                    QVERIFY(sum >= greedy - 1e-12);
                    better += sum > greedy + 1e-9;
                }
                auto best = tokens::bestPartners(halves, similarity.view());
                std::ranges::stable_sort(best, std::greater(), &tokens::Edge::similarity);
                best.resize(static_cast<std::size_t>(count));
                std::int64_t bestCount = 0;
                const double most = sumOf(best, bestCount);
                QCOMPARE(bestCount, count); // a row with a partner in the optimum has one here
                QVERIFY(most >= sum - 1e-12);
                shared += most > sum + 1e-9;
            }
        }
        QVERIFY(better > 20 && shared > 200); // the inequalities are no equalities
    }
    void whatLooksFartherFindsTheExactPartners()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        const auto exact = test::runOne(*model, test::chainOf("tokens.merge", model, {{"r", "26"}}), images.samples[0]);
        for (const Settings& settings : {Settings{{"matching", "lsh"}, {"hyperplanes", "0"}}, Settings{{"matching", "nearest"}, {"neighbours", "255"}},
                                         Settings{{"matching", "nearest"}, {"neighbours", "100000"}, {"mutual", "true"}}, Settings{{"radius", "22"}}}) { // the diagonal is 21.2
            Settings all = settings;
            all.emplace_back("r", "26");
            QCOMPARE(test::runOne(*model, test::chainOf("tokens.merge", model, all), images.samples[0]), exact);
        }
    }
    /// Of the even tokens of each block how many find their best odd one among the candidates; more candidates, no fewer.
    void recallOfPreselection()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        std::map<std::string, double> found;
        double all = 0;
        const auto see = [&](const tokens::Look& look) {
            const auto isProtected = look.set.protectedRows();
            const tokens::Halves halves = tokens::alternateHalves(look.x.rows);
            tensor::Matrix<float> exact(static_cast<std::int64_t>(halves.first.size()), static_cast<std::int64_t>(halves.second.size()));
            tokens::keyCosines(look, halves.first, halves.second, exact.view());
            tokens::forbidProtected(isProtected, halves.first, halves.second, exact.view());
            const auto best = tokens::bestPartners(halves, exact.view());
            const auto count = [&](const std::string& name, tensor::Matrix<float> among) {
                const auto some = tokens::bestPartners(halves, among.view());
                for (std::size_t i = 0; i < best.size(); ++i) {
                    QVERIFY(some[i].similarity <= best[i].similarity);
                    found[name] += best[i].similarity > kMinusInfinity && some[i].similarity == best[i].similarity;
                }
            };
            for (const auto& edge : best)
                all += edge.similarity > kMinusInfinity;
            for (const int tables : {1, 4, 16}) {
                auto among = exact;
                tokens::forbidOtherBuckets(look, 4, tables, 3, halves, among.view());
                count("lsh " + std::to_string(tables), std::move(among));
            }
            for (const int neighbours : {1, 4, 16})
                for (const bool mutual : {false, true}) {
                    auto among = exact;
                    tokens::forbidBeyondNeighbours(look, isProtected, neighbours, mutual, halves, among.view());
                    count((mutual ? "mutual " : "nearest ") + std::to_string(neighbours), std::move(among));
                }
        };
        test::runOne(*model, test::probeChain(6, see), images.samples[0]);
        QCOMPARE(all, 6 * 128.0); // 129 even tokens, one of them the class token
        for (auto& [name, share] : found) {
            share /= all;
            qInfo("%s: recall %.3f", name.c_str(), share);
        }
        QVERIFY(found["lsh 1"] < found["lsh 4"] && found["lsh 4"] < found["lsh 16"]);
        QVERIFY(found["nearest 1"] < found["nearest 4"] && found["nearest 4"] < found["nearest 16"]);
        QVERIFY(found["mutual 4"] < found["mutual 16"] && found["mutual 16"] <= found["nearest 16"]);
        QVERIFY(found["lsh 4"] > 0.5 && found["nearest 4"] > 0.8); // a hash that knew nothing would share a bucket of 4 x 16 in 23 % of pairs
    }
    void tokensTheUserKeepsStayAlone_data()
    {
        QTest::addColumn<QString>("matching");
        for (const auto& matching : kAllMatchings)
            QTest::newRow(matching.c_str()) << QString::fromStdString(matching);
    }
    void tokensTheUserKeepsStayAlone()
    {
        QFETCH(QString, matching);
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        std::vector<tokens::Wish> wishes(257, tokens::Wish::None);
        for (std::size_t source = 3; source < 257; source += 5)
            wishes[source] = tokens::Wish::Keep;
        wishes[100] = tokens::Wish::Drop;
        tokens::Trace trace;
        test::runOne(*model, test::chainOf("tokens.merge", model, {{"r", "40"}, {"matching", matching.toStdString()}}), images.samples[0], &trace, wishes);
        for (const auto& layer : trace.layers) {
            QCOMPARE(std::accumulate(layer.set.sizes.begin(), layer.set.sizes.end(), 0.0f), 256.0f);
            for (std::size_t source = 0; source < 257; ++source)
                if (wishes[source] == tokens::Wish::Keep || source == 0)
                    QCOMPARE(layer.set.sizes[static_cast<std::size_t>(layer.set.row[source])], 1.0f);
            QCOMPARE(layer.set.row[100], -1);
        }
        QVERIFY(trace.layers.back().tokens.mlp < 180);
    }
    /// Pairs of one block: halves that touch no token twice leave groups of two at most.
    void greedyAndHungarianMakePairs()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        for (const char* matching : {"greedy", "hungarian"}) {
            tokens::Trace trace;
            test::runOne(*model, test::chainOf("tokens.merge", model, {{"schedule", "1000"}, {"matching", matching}}), images.samples[0], &trace);
            QCOMPARE(trace.layers[0].tokens.mlp, 129); // all 256 patches in pairs
            QCOMPARE(std::ranges::count(trace.layers[0].set.sizes, 2.0f), 128);
        }
    }
    void aRadiusBoundsHowFarTokensMerge()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        const auto whole = test::runOne(*model, {}, images.samples[0]);
        for (const auto& matching : kAllMatchings) {
            tokens::Trace trace;
            QCOMPARE(test::runOne(*model, test::chainOf("tokens.merge", model, {{"r", "30"}, {"matching", matching}, {"radius", "0.9"}}), images.samples[0]), whole); // none so near
            if (matching == "random") // its target has no parity to be told by
                continue;
            test::runOne(*model, test::chainOf("tokens.merge", model, {{"schedule", "60"}, {"matching", matching}, {"radius", "1.5"}}), images.samples[0], &trace);
            const auto& set = trace.layers[0].set;
            QVERIFY(set.tokens() < 257);
            for (std::int64_t i = 1; i < 257; ++i)
                for (std::int64_t j = 1; j < 257; ++j)
                    if (i != j && set.row[static_cast<std::size_t>(i)] == set.row[static_cast<std::size_t>(j)] && (matching == "greedy" || j % 2 == 1)) // j: what was merged into
                        QVERIFY(distance(i - 1, j - 1, 16) <= 1.5);
        }
    }
    void randomHalvesFollowTheSeed()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        std::vector<std::vector<std::int32_t>> halves;
        for (const std::uint64_t seed : {1, 1, 2})
            test::runOne(*model, test::probeChain(2, [&](const tokens::Look& look) {
                             const auto drawn = tokens::randomHalves(look, seed);
                             QCOMPARE(drawn.first.size(), 129u);
                             QCOMPARE(drawn.second.size(), 128u);
                             QCOMPARE(drawn.first.front(), 0);
                             std::set<std::int32_t> both(drawn.first.begin(), drawn.first.end());
                             both.insert(drawn.second.begin(), drawn.second.end());
                             QCOMPARE(both.size(), 257u);
                             QVERIFY(std::ranges::is_sorted(drawn.first) && std::ranges::is_sorted(drawn.second));
                             halves.push_back(drawn.first);
                         }),
                         images.samples[0]);
        QCOMPARE(halves[0], halves[2]);
        QCOMPARE(halves[1], halves[3]);
        QVERIFY(halves[0] != halves[1] && halves[0] != halves[4]);
        const auto run = [&](std::uint64_t seed) { return test::runOne(*model, test::chainOf("tokens.merge", model, {{"r", "26"}, {"matching", "random"}}, seed), images.samples[0]); };
        QCOMPARE(run(4), run(4));
        QVERIFY(run(4) != run(5));
    }
    void weightsOfSingleTokensAreAlike()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        const auto run = [&](const char* weights, const char* schedule) { return test::runOne(*model, test::chainOf("tokens.merge", model, {{"schedule", schedule}, {"weights", weights}}), images.samples[0]); };
        QCOMPARE(run("plain", "60"), run("size", "60")); // in the first block every token stands for one
        QVERIFY(run("plain", "60,60") != run("size", "60,60"));
        QVERIFY(run("class-attention", "60") != run("size", "60"));
        QVERIFY(run("class-attention", "60") != run("attention-received", "60"));
    }
    void badSettingsAreRefused()
    {
        const auto model = test::tokenModel("vit20"), average = test::tokenModel("timm_vit_avg_prenorm");
        for (const Settings& bad : {Settings{{"matching", "best"}}, Settings{{"weights", "none"}}, Settings{{"radius", "-1"}}, Settings{{"neighbours", "0"}}, Settings{{"hyperplanes", "25"}},
                                    Settings{{"tables", "0"}}, Settings{{"schedule", "1,2,3,4,5,6,7"}}})
            QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.merge", model, bad), Error);
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.merge", average, {{"weights", "class-attention"}}), Error);
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.merge", test::tokenModel("timm_swin_oblong"), {}), Error);
    }
};

QTEST_GUILESS_MAIN(TestMerge)
#include "tst_merge.moc"
