// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/unmerge.h"

#include "tests/core/tokens/bundled_model.h"
#include "tests/core/tokens/probe.h"

#include <cmath>
#include <numeric>

using namespace tamis;

static tensor::Matrix<float> wavyRows(std::int64_t rows, std::int64_t cols)
{
    tensor::Matrix<float> result(rows, cols);
    for (std::size_t i = 0; i < result.size(); ++i)
        result.values()[i] = static_cast<float>(std::sin(0.7 * static_cast<double>(i) + 0.1));
    return result;
}

class TestUnmerge : public QObject {
    Q_OBJECT
private slots:
    void ofOneAssignment()
    {
        const tokens::Assignment a{.to = {0, 1, 2, 1, 2, -1}, .count = 3};
        tensor::Matrix<float> merged(3, 2);
        std::iota(merged.values().begin(), merged.values().end(), 1.0f);
        const tensor::Matrix<float> rows = tokens::unmerge(a, merged.view());
        QCOMPARE(std::vector<float>(rows.values().begin(), rows.values().end()), (std::vector<float>{1, 2, 3, 4, 5, 6, 3, 4, 5, 6, 0, 0}));
        QVERIFY_EXCEPTION_THROWN(tokens::unmerge(a, rows.view()), Error);
    }
    void nothingMergedIsTheIdentity()
    {
        const tokens::TokenSet set = tokens::wholeSet(1, 3, 4);
        const auto rows = wavyRows(13, 5);
        QCOMPARE(tokens::unmerge(set, rows.view()), rows);
        QCOMPARE(tokens::sourceMeans(set, rows.view()), rows);
    }
    void everySourceHasItsGroupsRow()
    {
        tokens::TokenSet set = tokens::wholeSet(1, 2, 3);
        set.apply({.to = {0, 1, 2, 1, -1, 2, 3}, .count = 4});
        set.apply({.to = {0, 2, 1, 1}, .count = 3});
        tensor::Matrix<float> rows(3, 1);
        std::iota(rows.values().begin(), rows.values().end(), 10.0f);
        const auto spread = tokens::unmerge(set, rows.view(), -1);
        QCOMPARE(std::vector<float>(spread.values().begin(), spread.values().end()), (std::vector<float>{10, 12, 11, 12, -1, 11, 11}));
        QVERIFY_EXCEPTION_THROWN(tokens::unmerge(set, spread.view()), Error);
        QVERIFY_EXCEPTION_THROWN(tokens::sourceMeans(set, rows.view()), Error);
    }
    /// Sums of equal floats in double are exact below 2^29 of them, and so is their mean.
    void meansUndoIt()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        tokens::Trace trace;
        test::runOne(*model, test::chainOf("tokens.merge", model, {{"r", "30"}, {"matching", "greedy"}}), images.samples[0], &trace);
        for (const auto& layer : trace.layers) {
            const auto rows = wavyRows(layer.set.tokens(), 7);
            QCOMPARE(tokens::sourceMeans(layer.set, tokens::unmerge(layer.set, rows.view()).view()), rows);
        }
    }
    /// The mean by size that merging makes is the mean over the sources of what they were: the account and the rows say the same. All steps stand
    /// in one block, so that nothing else happens to the rows in between; 257 values of some 3 in float, added in another order: 1e-5.
    void mergedRowsAreMeansOfTheirSources()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        tensor::Matrix<float> before;
        double worst = -1;
        tokens::Chain chain = test::chainOf("tokens.merge", model, {{"schedule", "0,0,100"}});
        chain.steps.insert(chain.steps.begin(), {2, tokens::Place::BetweenBranches, std::make_shared<test::Probe>([&](const tokens::Look& look) {
                                                     before = tensor::Matrix<float>(look.x.rows, look.x.cols);
                                                     for (std::int64_t i = 0; i < look.x.rows; ++i)
                                                         std::ranges::copy(look.x.row(i), before.view().row(i).begin());
                                                 })});
        chain.steps.push_back({2, tokens::Place::BetweenBranches, std::make_shared<test::Probe>([&](const tokens::Look& look) {
                                   const auto means = tokens::sourceMeans(look.set, before.view());
                                   for (std::int64_t i = 0; i < look.x.rows; ++i)
                                       for (std::int64_t j = 0; j < look.x.cols; ++j)
                                           worst = std::max(worst, static_cast<double>(std::abs(means(i, j) - look.x(i, j))) / std::max(1.0, static_cast<double>(std::abs(means(i, j)))));
                               })});
        tokens::Trace trace;
        test::runOne(*model, chain, images.samples[0], &trace);
        QCOMPARE(trace.layers[2].tokens.mlp, 157);
        QVERIFY2(worst >= 0 && worst < 1e-5, qPrintable(QString::number(worst)));
    }
};

QTEST_GUILESS_MAIN(TestUnmerge)
#include "tst_unmerge.moc"
