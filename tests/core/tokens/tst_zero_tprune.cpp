// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/zero_tprune.h"

#include "core/tokens/selection.h"
#include "tests/core/tokens/pruning_golden.h"
#include "tests/core/tokens/random_vit.h"

#include <QTest>

#include <numeric>

using namespace tamis;

class TestZeroTprune : public QObject {
    Q_OBJECT
    using Signal = std::vector<double>;
    /// Rows that sum to 1, all above 0.
    static tensor::Matrix<double> graph(std::int64_t n, double phase = 0)
    {
        tensor::Matrix<double> a(n, n);
        for (std::int64_t i = 0; i < n; ++i) {
            double sum = 0;
            for (std::int64_t j = 0; j < n; ++j)
                sum += a(i, j) = std::exp(2 * std::sin(phase + 1.3 * static_cast<double>(i) + 2.1 * static_cast<double>(j * j)));
            for (std::int64_t j = 0; j < n; ++j)
                a(i, j) /= sum;
        }
        return a;
    }

private slots:
    /// By definition, entry by entry: s_j = sum_i A_ij s_i, over and over. Same products, other order of sums: 40 roundings of 2e-16.
    void votesAreThoseOfTheDefinition()
    {
        const tensor::Matrix<double> a = graph(40);
        Signal twin(40, 1.0 / 40);
        twin[0] = 0.5;
        const Signal start = twin;
        for (int vote = 0; vote < 7; ++vote) {
            const Signal before = twin;
            for (std::size_t j = 40; j-- > 0;) {
                twin[j] = 0;
                for (std::size_t i = 40; i-- > 0;)
                    twin[j] += a(static_cast<std::int64_t>(i), static_cast<std::int64_t>(j)) * before[i];
            }
        }
        const Signal found = tokens::weightedPageRank(a.view(), start, 7, {});
        for (std::size_t i = 0; i < 40; ++i)
            QVERIFY(std::abs(found[i] - twin[i]) < 1e-14 * twin[i]);
        QCOMPARE(tokens::weightedPageRank(a.view(), start, 0, {}), start);
    }
    /// A^T keeps the sum. Where all weights are above 0 it pulls together what differs: the residual |A^T s - s| in the 1-norm never grows, and
    /// vanishes at the fixed point, whatever the start.
    void votesEndAtTheFixedPointOfTheGraph()
    {
        const tensor::Matrix<double> a = graph(60, 0.4);
        Signal s(60, 1.0 / 60), other(60);
        other[17] = 1;
        double residual = 2;
        for (int vote = 0; vote < 100; ++vote) {
            const Signal next = tokens::weightedPageRank(a.view(), s, 1, {});
            double distance = 0;
            for (std::size_t i = 0; i < 60; ++i)
                distance += std::abs(next[i] - s[i]);
            QVERIFY(distance <= residual + 1e-15);
            residual = distance;
            s = next;
            QVERIFY(std::abs(std::accumulate(s.begin(), s.end(), 0.0) - 1) < 1e-13);
        }
        QVERIFY(residual < 1e-14);
        other = tokens::weightedPageRank(a.view(), other, 100, {});
        for (std::size_t i = 0; i < 60; ++i)
            QVERIFY(std::abs(other[i] - s[i]) < 1e-13 && s[i] > 0);
    }
    /// A doubly stochastic graph gives every token the same rank; a star gives it to its centre.
    void knownGraphsHaveKnownRanks()
    {
        tensor::Matrix<double> ring(5, 5), star(5, 5);
        for (std::int64_t i = 0; i < 5; ++i) {
            ring(i, (i + 1) % 5) = 0.75;
            ring(i, (i + 4) % 5) = 0.25;
            star(i, 2) = 1;
        }
        const Signal even = tokens::weightedPageRank(ring.view(), Signal(5, 0.2), 9, {});
        for (const double value : even)
            QVERIFY(std::abs(value - 0.2) < 1e-15);
        QCOMPARE(tokens::weightedPageRank(star.view(), Signal(5, 0.2), 1, {}), (Signal{0, 0, 1, 0, 0}));
    }
    /// Over the tokens from 1 on, scaled to a mean of 1: {1, 1} has the variance 0, {0.5, 1.5} a quarter, {0, 2} one.
    void headsOutsideTheRangeAreNotHeard()
    {
        const std::vector<Signal> heads{{9, 3, 3}, {9, 1, 3}, {9, 0, 4}};
        QCOMPARE(tokens::emphasisedImportance(heads, 1, 0.01, 0.7), (Signal{9, 1, 3}));
        QCOMPARE(tokens::emphasisedImportance(heads, 1, 0.01, 1), (Signal{9, std::sqrt(0.5), std::sqrt(12.5)}));
        QCOMPARE(tokens::emphasisedImportance(heads, 1, 2, 3), (Signal{9, std::sqrt(10.0 / 3), std::sqrt(34.0 / 3)})); // none left: all
        QCOMPARE(tokens::emphasisedImportance({{0, 0, 0}}, 1, 0.01, 0.7), (Signal{0, 0, 0}));
    }
    void votesByDepth()
    {
        std::vector<int> votes;
        for (int block = 0; block < 12; ++block)
            votes.push_back(tokens::votesOf(block, 12));
        QCOMPARE(votes, (std::vector<int>{50, 50, 50, 10, 10, 10, 10, 10, 10, 1, 1, 1}));
        QCOMPARE(tokens::votesOf(0, 1), 10);
    }
    /// The published budget is that of the counts: the same as top rho's.
    void countsAreTheSchedules()
    {
        const auto model = test::narrowVit(12);
        const std::vector<float> image = test::wavyImage(*model);
        for (const char* similar : {"0", "0.3", "1"}) {
            tokens::Trace trace;
            test::runOne(*model, test::chainOf("tokens.zero-tprune", model, {{"keep", "0.7"}, {"similar", similar}}), {image, {}, {}}, &trace);
            QCOMPARE(test::tokensAfter(trace), (std::vector<std::int64_t>{197, 197, 197, 139, 139, 139, 98, 98, 98, 69, 69, 69}));
        }
        tokens::Trace listed;
        test::runOne(*model, test::chainOf("tokens.zero-tprune", model, {{"blocks", "1,5"}, {"schedule", "100,0.5"}, {"start", "class"}}), {image, {}, {}}, &listed);
        QCOMPARE(test::tokensAfter(listed), (std::vector<std::int64_t>{197, 101, 101, 101, 101, 51, 51, 51, 51, 51, 51, 51}));
    }
    /// Patches that the user keeps never go, for whatever reason; the picture has no score for those that went as alike.
    void keptByHandStays()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        for (const char* partition : {"lower-half", "alternate"}) {
            std::vector<tokens::Wish> wishes(257, tokens::Wish::None);
            for (std::size_t i = 1; i < 257; i += 5)
                wishes[i] = tokens::Wish::Keep;
            tokens::Trace trace;
            test::runOne(*model, test::chainOf("tokens.zero-tprune", model, {{"keep", "0.3"}, {"similar", "1"}, {"partition", partition}, {"blocks", "2"}}), images.samples[1], &trace, wishes);
            for (std::size_t i = 1; i < 257; i += 5)
                QVERIFY(trace.layers.back().set.row[i] >= 0);
            const auto unscored = std::ranges::count_if(trace.layers[2].scores, [](float score) { return std::isnan(score); });
            QVERIFY(unscored > 60 && unscored <= 179); // 179 go; fewer as alike, for there are only so many candidates
            for (std::size_t i = 0; i < 257; ++i)
                QVERIFY(!std::isnan(trace.layers[2].scores[i]) || trace.layers[2].set.row[i] < 0);
        }
    }
    void keepingAllIsTheWholeModel()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        QCOMPARE(test::runOne(*model, test::chainOf("tokens.zero-tprune", model, {{"keep", "1"}}), images.samples[0]), test::runOne(*model, {}, images.samples[0]));
    }
    void asPyTorch_data()
    {
        QTest::addColumn<int>("index");
        for (int i = 0; i < 4; ++i)
            QTest::addRow("%d", i) << i;
    }
    void asPyTorch()
    {
        QFETCH(int, index);
        if (index == 0)
            test::verifyPruning("zero_default", "tokens.zero-tprune", {});
        else if (index == 1)
            test::verifyPruning("zero_class_alternate", "tokens.zero-tprune",
                                {{"blocks", "1,3"}, {"schedule", "0.8,0.6"}, {"similar", "0.5"}, {"votes", "20"}, {"start", "class"}, {"partition", "alternate"}});
        else if (index == 2)
            test::verifyPruning("zero_features", "tokens.zero-tprune", {{"keep", "0.5"}, {"similar", "1"}, {"votes", "3"}, {"likeness", "features"}});
        else
            test::verifyPruning("zero_importance", "tokens.zero-tprune", {{"keep", "0.6"}, {"similar", "0"}, {"votes", "30"}});
    }
    void badSettingsAreRefused()
    {
        const auto average = test::tokenModel("timm_vit_avg_prenorm"), vit = test::tokenModel("vit20");
        test::chainOf("tokens.zero-tprune", average, {{"blocks", "1"}}); // no class token needed
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.zero-tprune", average, {{"blocks", "1"}, {"start", "class"}}), Error);
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.zero-tprune", vit, {{"least-variance", "0.8"}}), Error);
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.zero-tprune", vit, {{"schedule", "0.5"}}), Error);
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.zero-tprune", vit, {{"similar", "1.1"}}), Error);
    }
};

QTEST_GUILESS_MAIN(TestZeroTprune)
#include "tst_zero_tprune.moc"
