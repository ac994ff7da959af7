// SPDX-License-Identifier: GPL-3.0-or-later
// Routers whose weights are given, against their definitions in double; what is scored behind them, against the exact encoder.
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/exact.h"
#include "core/encoder/hierarchical.h"
#include "core/encoder/mixture.h"
#include "tests/core/encoder/bundled.h"
#include "tests/core/encoder/dictionaries.h"

#include <QTest>

#include <cmath>
#include <map>
#include <numeric>
#include <set>

using namespace tamis;
using namespace tamis::encoder;
using tensor::Matrix;
using tensor::MatrixView;

namespace {
/// Latent i in group i % groups: equal scores lie in several groups.
LatentGroups dealt(std::int64_t latents, std::int64_t groups)
{
    LatentGroups result(static_cast<std::size_t>(groups));
    for (std::int64_t i = 0; i < latents; ++i)
        result[static_cast<std::size_t>(i % groups)].push_back(static_cast<std::int32_t>(i));
    return result;
}

/// Whole numbers: float logits are exact, and some are equal.
LinearMap wholeMap(std::int64_t outputs, std::int64_t width, int most = 2)
{
    LinearMap map{Matrix<float>(outputs, width), std::vector<float>(static_cast<std::size_t>(outputs))};
    test::fillWhole(map.weight.values(), most, 21);
    test::fillWhole(map.bias, most, 22);
    return map;
}

double logit(const LinearMap& map, std::int64_t output, std::span<const float> x)
{
    double z = static_cast<double>(map.bias[static_cast<std::size_t>(output)]);
    for (std::size_t j = 0; j < x.size(); ++j)
        z += static_cast<double>(map.weight(output, static_cast<std::int64_t>(j))) * static_cast<double>(x[j]);
    return z;
}

std::vector<std::int32_t> sorted(std::int64_t count, const std::function<double(std::int64_t)>& score)
{
    std::vector<std::pair<double, std::int32_t>> all;
    for (std::int64_t i = 0; i < count; ++i)
        all.emplace_back(-score(i), static_cast<std::int32_t>(i));
    std::ranges::sort(all);
    std::vector<std::int32_t> order;
    for (const auto& each : all)
        order.push_back(each.second);
    return order;
}

std::vector<float> noLoad(std::int64_t experts) { return std::vector<float>(static_cast<std::size_t>(experts)); }

/// The exact codes of one token with the latents of the `chosen` groups alone: scored in double, sorted whole.
SparseCodes bruteRouted(const Dictionary& dictionary, MatrixView<const float> one, const LatentGroups& groups, const std::vector<std::int32_t>& chosen)
{
    std::set<std::int32_t> allowed;
    for (const std::int32_t group : chosen)
        allowed.insert(groups[static_cast<std::size_t>(group)].begin(), groups[static_cast<std::size_t>(group)].end());
    std::vector<std::pair<double, std::int32_t>> scored;
    for (const std::int32_t i : allowed) {
        double z = static_cast<double>(dictionary.bias()[static_cast<std::size_t>(i)]);
        for (std::int64_t j = 0; j < one.cols; ++j)
            z += static_cast<double>(dictionary.rows()(i, j)) * static_cast<double>(one(0, j));
        if (z > 0)
            scored.emplace_back(-z, i);
    }
    std::ranges::sort(scored);
    scored.resize(std::min(scored.size(), static_cast<std::size_t>(dictionary.k())));
    SparseCodes codes;
    for (const auto& [minus, latent] : scored) {
        codes.latents.push_back(latent);
        codes.values.push_back(static_cast<float>(-minus));
    }
    codes.first.push_back(codes.latents.size());
    return codes;
}

std::int64_t found(const SparseCodes& exact, const SparseCodes& codes)
{
    std::int64_t count = 0;
    for (std::int64_t t = 0; t < exact.tokens(); ++t)
        for (const std::int32_t latent : exact.latentsOf(t))
            count += std::ranges::count(codes.latentsOf(t), latent);
    return count;
}
} // namespace

class TestRoutedEncoder : public QObject {
    Q_OBJECT
private slots:
    /// Float32 logits of whole numbers are exact, so that the order must be that in double, equal ones by their place.
    void linearRoutersAreTheirDefinition()
    {
        constexpr std::int64_t kExperts = 20;
        const LinearMap map = wholeMap(kExperts, 9);
        const Matrix<float> x = test::wholeTokens(50, 9);
        const auto relu = linearRouter(map, Routing::Relu, 4, noLoad(kExperts));
        std::vector<std::int32_t> chosen{7};
        for (std::int64_t t = 0; t < x.rows(); ++t) {
            const auto row = x.view().row(t);
            auto order = sorted(kExperts, [&](std::int64_t e) { return logit(map, e, row); });
            relu->route(row, chosen);
            std::vector<std::int32_t> positive;
            std::ranges::copy_if(order, std::back_inserter(positive), [&](std::int32_t e) { return logit(map, e, row) > 0; });
            QVERIFY(chosen == positive);
            for (const std::int64_t e : {1, 5, 20}) {
                linearRouter(map, Routing::TopExperts, e, noLoad(kExperts))->route(row, chosen);
                QVERIFY(std::ranges::equal(chosen, std::span(order).first(static_cast<std::size_t>(e))));
            }
            std::vector<double> shares(kExperts);
            linearRouter(map, Routing::TopExperts, 1, noLoad(kExperts))->shares(row, shares);
            QVERIFY(std::abs(std::accumulate(shares.begin(), shares.end(), 0.0) - 1) < 1e-14);
            QVERIFY(std::abs(std::log(shares[0] / shares[1]) - (logit(map, 0, row) - logit(map, 1, row))) < 1e-12);
        }
    }
    /// A beam is what it is said to be, level by level; wide enough it is the order of all leaves by the product of probabilities. Scores of
    /// distinct paths are sums of logarithms: where the definition has two within 1e-9, either may be first.
    void beamsAreTheirDefinition_data()
    {
        QTest::addColumn<int>("levels");
        QTest::addColumn<int>("branching");
        QTest::addColumn<int>("beam");
        for (const int beam : {1, 2, 5, 9, 27})
            QTest::addRow("3 x 3, beam %d", beam) << 3 << 3 << beam;
        QTest::newRow("one level") << 1 << 30 << 7;
        QTest::newRow("two levels") << 2 << 8 << 16;
    }
    void beamsAreTheirDefinition()
    {
        QFETCH(int, levels);
        QFETCH(int, branching);
        QFETCH(int, beam);
        const TreeShape shape{levels, branching};
        LinearMap map = wholeMap(shape.nodes(), 9);
        for (std::size_t i = 0; i < map.bias.size(); ++i)
            map.bias[i] += static_cast<float>(i % 97) / 128; // no two paths alike, still exact
        const auto router = treeRouter(map, shape, beam);
        const Matrix<float> x = test::wholeTokens(40, 9);
        for (std::int64_t t = 0; t < x.rows(); ++t) {
            const auto row = x.view().row(t);
            std::map<std::int64_t, double> kept{{0, 0.0}};
            std::int64_t offset = 0, width = 1;
            for (int level = 0; level < levels; ++level) {
                std::map<std::int64_t, double> children;
                for (const auto& [parent, score] : kept) {
                    double sum = 0;
                    for (std::int64_t c = 0; c < branching; ++c)
                        sum += std::exp(logit(map, offset + parent * branching + c, row));
                    for (std::int64_t c = 0; c < branching; ++c)
                        children[parent * branching + c] = score + logit(map, offset + parent * branching + c, row) - std::log(sum);
                }
                width *= branching;
                offset += width;
                std::vector<std::pair<double, std::int64_t>> order;
                for (const auto& [node, score] : children)
                    order.emplace_back(-score, node);
                std::ranges::sort(order);
                order.resize(std::min(order.size(), static_cast<std::size_t>(beam)));
                kept.clear();
                for (const auto& [minus, node] : order)
                    kept[node] = -minus;
            }
            std::vector<std::int32_t> chosen;
            router->route(row, chosen);
            QCOMPARE(chosen.size(), kept.size());
            double last = 0;
            for (const std::int32_t leaf : chosen) {
                QVERIFY(kept.contains(leaf));
                QVERIFY(kept[leaf] <= last + 1e-9);
                last = kept[leaf];
            }
            std::vector<double> shares(static_cast<std::size_t>(shape.leaves()));
            router->shares(row, shares);
            QVERIFY(std::abs(std::accumulate(shares.begin(), shares.end(), 0.0) - 1) < 1e-12);
            for (const auto& [leaf, score] : kept)
                QVERIFY(std::abs(std::log(shares[static_cast<std::size_t>(leaf)]) - score) < 1e-9);
        }
    }
    /// Few tokens and small groups are scored token by token, many tokens of large groups by groups; either way the k best of the groups chosen, ties by the latent.
    void scoresWhatWasChosen_data()
    {
        QTest::addColumn<int>("tokens");
        QTest::addColumn<bool>("relu");
        QTest::addColumn<int>("width");
        QTest::addColumn<int>("latents");
        for (const bool relu : {false, true}) {
            for (const int tokens : {1, 3, 40, 400})
                QTest::addRow("%d, %s", tokens, relu ? "relu" : "top-e") << tokens << relu << 6 << 900;
            for (const int tokens : {5, 150})
                QTest::addRow("%d, %s, large groups", tokens, relu ? "relu" : "top-e") << tokens << relu << 64 << 14400;
        }
    }
    void scoresWhatWasChosen()
    {
        QFETCH(int, tokens);
        QFETCH(bool, relu);
        QFETCH(int, width);
        QFETCH(int, latents);
        constexpr std::int64_t kExperts = 7;
        const auto dictionary = test::wholeDictionary(latents, width, 12);
        LinearMap map = wholeMap(kExperts, width);
        for (float& bias : map.bias)
            bias -= 20; // some tokens have no expert
        const RoutedEncoder encoder(dictionary, linearRouter(map, relu ? Routing::Relu : Routing::TopExperts, 3, noLoad(kExperts)), dealt(latents, kExperts));
        const Matrix<float> x = test::wholeTokens(tokens, width);
        EncodeTrace trace;
        const SparseCodes codes = encoder.encode(x.view(), {}, &trace);
        const auto routes = encoder.routes(x.view());
        QCOMPARE(codes.tokens(), static_cast<std::int64_t>(tokens));
        double rows = 0;
        std::int64_t empty = 0;
        for (std::int64_t t = 0; t < tokens; ++t) {
            const auto& chosen = routes[static_cast<std::size_t>(t)];
            const SparseCodes expected = bruteRouted(*dictionary, {x.view().row(t).data(), 1, width, width}, encoder.groups(), chosen);
            QVERIFY(std::ranges::equal(codes.latentsOf(t), expected.latents) && std::ranges::equal(codes.valuesOf(t), expected.values));
            std::vector<std::int32_t> ranking; // best group first
            for (const std::int32_t group : chosen)
                ranking.insert(ranking.end(), encoder.groups()[static_cast<std::size_t>(group)].begin(), encoder.groups()[static_cast<std::size_t>(group)].end());
            QVERIFY(trace.ranking[static_cast<std::size_t>(t)] == ranking);
            rows += static_cast<double>(ranking.size());
            empty += chosen.empty() ? 1 : 0;
        }
        QCOMPARE(trace.rowsScored, rows / tokens);
        QVERIFY(relu ? tokens < 40 || width > 6 || empty > 0 : empty == 0);
        const ThreadLimit one(1);
        QVERIFY(test::sameCodes(encoder.encode(x.view()), codes));
        const std::int64_t last = tokens - 1;
        const SparseCodes alone = encoder.encode({x.view().row(last).data(), 1, width, width});
        QVERIFY(std::ranges::equal(alone.latentsOf(0), codes.latentsOf(last)) && std::ranges::equal(alone.valuesOf(0), codes.valuesOf(last)));
    }
    /// With every expert and with every leaf the codes are those of encoder.exact, bit for bit, on real rows at every batch size.
    void allGroupsAreExact()
    {
        const auto dictionary = test::bundledDictionary("tinylm.block3.k32/sparsify");
        const Matrix<float> x = dictionary->prepared(test::bundledRows("tinylm", 0, 300).view());
        const auto exact = exactEncoder(dictionary);
        const TreeShape shape{2, 6};
        const RoutedEncoder mixture(dictionary, linearRouter(wholeMap(24, 128), Routing::TopExperts, 24, noLoad(24)), dealt(2048, 24));
        const RoutedEncoder tree(dictionary, treeRouter(wholeMap(shape.nodes(), 128), shape, shape.leaves()), dealt(2048, shape.leaves()));
        for (const std::int64_t tokens : {1, 9, 300}) {
            const MatrixView<const float> some{x.data(), tokens, 128, 128};
            const SparseCodes expected = exact->encode(some);
            QVERIFY(test::sameCodes(mixture.encode(some), expected));
            QVERIFY(test::sameCodes(tree.encode(some), expected));
        }
    }
    /// The e experts are among the e + 1, and a latent of the exact set is found if and only if its expert is chosen: what is found grows, for
    /// every token. The count is that of the definition.
    void whatIsFoundGrowsWithTheExperts()
    {
        const auto dictionary = test::bundledDictionary("vit20.block3.k16/sparsify");
        const Matrix<float> x = dictionary->prepared(test::bundledRows("vit20", 0, 120).view());
        const SparseCodes exact = exactEncoder(dictionary)->encode(x.view());
        const LatentGroups groups = dealt(2048, 12);
        const auto groupOf = groupOfLatents(groups, 2048);
        const LinearMap map = wholeMap(12, 128);
        SparseCodes before;
        before.first.resize(121);
        for (std::int64_t e = 1; e <= 12; ++e) {
            const RoutedEncoder encoder(dictionary, linearRouter(map, Routing::TopExperts, e, noLoad(12)), groups);
            const SparseCodes codes = encoder.encode(x.view());
            const auto routes = encoder.routes(x.view());
            std::int64_t expected = 0;
            for (std::int64_t t = 0; t < 120; ++t) {
                for (const std::int32_t latent : exact.latentsOf(t)) {
                    const bool chosen = std::ranges::count(routes[static_cast<std::size_t>(t)], groupOf[static_cast<std::size_t>(latent)]) > 0;
                    expected += chosen ? 1 : 0;
                    QVERIFY(chosen || std::ranges::count(before.latentsOf(t), latent) == 0);
                }
            }
            QCOMPARE(found(exact, codes), expected);
            before = codes;
        }
        QVERIFY(test::sameCodes(before, exact));
    }
    void costsAreThoseOfTheShapes()
    {
        const auto dictionary = test::wholeDictionary(960, 16, 5);
        const RoutedEncoder mixture(dictionary, linearRouter(wholeMap(12, 16), Routing::TopExperts, 3, noLoad(12)), dealt(960, 12));
        QCOMPARE(mixture.cost().macs, 16.0 * 12 + 16.0 * 960 * 3 / 12);
        QCOMPARE(mixture.cost().parameters, std::uint64_t{960 * 17 + 12 * 17});
        std::vector<float> load(12, 0.25F);
        load[3] = 0.5F;
        QCOMPARE(RoutedEncoder(dictionary, linearRouter(wholeMap(12, 16), Routing::Relu, 1, load), dealt(960, 12)).cost().macs, 16.0 * 12 + 16.0 * 80 * 3.25);
        // levels of 4, 16 and 64 nodes: with a beam of 6 children of 1, 4 and 6 nodes are scored
        const TreeShape shape{3, 4};
        QCOMPARE(shape.leaves(), std::int64_t{64});
        QCOMPARE(shape.nodes(), std::int64_t{84});
        QCOMPARE(shape.scored(6), std::int64_t{4 + 16 + 24});
        QCOMPARE(shape.scored(64), shape.nodes());
        const RoutedEncoder tree(dictionary, treeRouter(wholeMap(84, 16), shape, 6), dealt(960, 64));
        QCOMPARE(tree.cost().macs, 16.0 * 44 + 16.0 * 6 * 960 / 64);
    }
    /// Loads add up to the mean, entropies lie between those of certainty and of ignorance.
    void statisticsAreThoseOfTheRoutes()
    {
        constexpr std::int64_t kExperts = 8;
        const Matrix<float> x = test::wholeTokens(100, 5);
        LinearMap map = wholeMap(kExperts, 5);
        for (float& bias : map.bias)
            bias -= 12;
        const auto relu = linearRouter(map, Routing::Relu, 2, noLoad(kExperts));
        const RoutingStatistics statistics = routingStatistics(*relu, x.view());
        double active = 0, busiest = 0;
        std::vector<double> counts(kExperts);
        std::int64_t none = 0;
        for (std::int64_t t = 0; t < 100; ++t) {
            double here = 0;
            for (std::int64_t e = 0; e < kExperts; ++e)
                if (logit(map, e, x.view().row(t)) > 0) {
                    counts[static_cast<std::size_t>(e)] += 1;
                    here += 1;
                }
            active += here;
            none += here == 0 ? 1 : 0;
        }
        busiest = *std::ranges::max_element(counts);
        QVERIFY(none > 0 && active > 0);
        QVERIFY(std::abs(statistics.meanGroups - active / 100) < 1e-12);
        QCOMPARE(statistics.none, none);
        QVERIFY(std::abs(statistics.balance - busiest / (active / kExperts)) < 1e-12);
        QVERIFY(statistics.entropy >= 0 && statistics.entropy <= std::log(static_cast<double>(kExperts)));
        LinearMap blind{Matrix<float>(kExperts, 5), noLoad(kExperts)};
        QVERIFY(std::abs(routingStatistics(*linearRouter(blind, Routing::TopExperts, 2, noLoad(kExperts)), x.view()).entropy - std::log(8.0)) < 1e-12);
        QVERIFY(sentenceOf(statistics, "experts").find("of 8 experts a token") != std::string::npos);
    }
    void badRequestsAreRefused()
    {
        const auto dictionary = test::wholeDictionary(30, 8, 3);
        QVERIFY_THROWS_EXCEPTION(Error, linearRouter(wholeMap(4, 8), Routing::TopExperts, 0, noLoad(4)));
        QVERIFY_THROWS_EXCEPTION(Error, linearRouter(wholeMap(4, 8), Routing::TopExperts, 5, noLoad(4)));
        QVERIFY_THROWS_EXCEPTION(Error, linearRouter(wholeMap(4, 8), Routing::Relu, 1, noLoad(3)));
        const auto router = linearRouter(wholeMap(4, 8), Routing::TopExperts, 2, noLoad(4));
        QVERIFY_THROWS_EXCEPTION(Error, RoutedEncoder(dictionary, router, dealt(30, 5)));
        QVERIFY_THROWS_EXCEPTION(Error, RoutedEncoder(dictionary, router, dealt(29, 4)));
        QVERIFY_THROWS_EXCEPTION(Error, RoutedEncoder(test::wholeDictionary(30, 9, 3), router, dealt(30, 4)));
        LatentGroups hollow = dealt(30, 3);
        hollow.emplace_back();
        QVERIFY_THROWS_EXCEPTION(Error, RoutedEncoder(dictionary, router, hollow));
        const RoutedEncoder encoder(dictionary, router, dealt(30, 4));
        QVERIFY_THROWS_EXCEPTION(Error, encoder.encode(test::wholeTokens(3, 7).view()));
        QVERIFY_THROWS_EXCEPTION(Error, treeRouter(wholeMap(11, 8), {2, 3}, 2));
        QVERIFY_THROWS_EXCEPTION(Error, treeRouter(wholeMap(12, 8), {2, 3}, 10));
        QVERIFY_THROWS_EXCEPTION(Error, routingStatistics(*router, test::wholeTokens(3, 7).view()));
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_THROWS_EXCEPTION(Error, encoder.encode(test::wholeTokens(3, 8).view(), RunContext(stop.get_token())));
    }
};

QTEST_GUILESS_MAIN(TestRoutedEncoder)
#include "tst_routed_encoder.moc"
