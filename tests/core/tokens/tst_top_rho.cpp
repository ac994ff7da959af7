// SPDX-License-Identifier: GPL-3.0-or-later
// Schedules of tokens.top-rho, tokens.dynamicvit, tokens.ats and tokens.diffrate: counts, ends, refusals.
#include "core/tokens/top_rho.h"

#include "core/tokens/ats.h"
#include "core/tokens/diff_rate.h"
#include "tests/core/tokens/bundled_model.h"
#include "tests/core/tokens/random_vit.h"

#include <QTest>
#include <QTemporaryDir>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>

using namespace tamis;

class TestTopRho : public QObject {
    Q_OBJECT
    static std::vector<std::int64_t> counts(const char* method, const std::vector<std::pair<std::string, std::string>>& settings)
    {
        const auto model = test::narrowVit(12);
        const std::vector<float> image = test::wavyImage(*model);
        tokens::Trace trace;
        test::runOne(*model, test::chainOf(method, model, settings), {image, {}, {}}, &trace);
        return test::tokensAfter(trace);
    }

private slots:
    void topRhoKeepsAPartInEachBlock()
    {
        using Counts = std::vector<std::int64_t>;
        QCOMPARE(counts("tokens.top-rho", {{"keep", "0.7"}}), (Counts{197, 197, 197, 139, 139, 139, 98, 98, 98, 69, 69, 69}));
        QCOMPARE(counts("tokens.top-rho", {{"blocks", "0,2"}, {"schedule", "0.5,0.25"}, {"score", "entropy"}}), (Counts{99, 99, 26, 26, 26, 26, 26, 26, 26, 26, 26, 26}));
        QVERIFY_EXCEPTION_THROWN(counts("tokens.top-rho", {{"blocks", "0,2"}, {"schedule", "0.5"}}), Error);
        QVERIFY_EXCEPTION_THROWN(counts("tokens.top-rho", {{"score", "row-sum"}}), Error);
    }
    void dynamicVitCountsAsItsAuthors()
    {
        for (const char* score : {"class-attention", "feature-norm", "random"})
            QCOMPARE(counts("tokens.dynamicvit", {{"keep", "0.7"}, {"score", score}}), (std::vector<std::int64_t>{197, 197, 197, 138, 138, 138, 97, 97, 97, 68, 68, 68})); // 137, 96, 67
        QVERIFY_EXCEPTION_THROWN(counts("tokens.dynamicvit", {{"blocks", "0,3"}}), Error); // no attention before block 0
        QCOMPARE(counts("tokens.dynamicvit", {{"blocks", "0"}, {"score", "feature-norm"}, {"keep", "0.5"}}).front(), 99);
    }
    /// One token that holds all is sampled once; equal tokens are sampled each but the lowest, whose sum is 0 and no value lies there.
    void samplesFollowTheCumulativeShare()
    {
        const std::vector<float> equal(10, 0.1f);
        QCOMPARE(tokens::sampleByCumulativeShare(equal, 10), (std::vector<std::int32_t>{1, 2, 3, 4, 5, 6, 7, 8, 9}));
        QCOMPARE(tokens::sampleByCumulativeShare(equal, 1000), (std::vector<std::int32_t>{1, 2, 3, 4, 5, 6, 7, 8, 9}));
        QCOMPARE(tokens::sampleByCumulativeShare(equal, 2), (std::vector<std::int32_t>{1, 9}));
        std::vector<float> one(10, 0.001f);
        one[4] = 1;
        QCOMPARE(tokens::sampleByCumulativeShare(one, 5), (std::vector<std::int32_t>{1, 4, 9})); // the smallest sum above 0, the largest below, the one
        QCOMPARE(tokens::sampleByCumulativeShare(std::vector<float>(4, 0.0f), 2), std::vector<std::int32_t>{0});
        QCOMPARE(tokens::sampleByCumulativeShare(std::vector<float>{0, 0.5f, 0, 0, 0.5f}, 4), (std::vector<std::int32_t>{1, 4})); // sums 0, 0, 0, 0.5, 1
        QCOMPARE(tokens::sampleByCumulativeShare(std::vector<float>{0.3f}, 5), std::vector<std::int32_t>{0});
        QVERIFY(tokens::sampleByCumulativeShare({}, 5).empty());
        QCOMPARE(tokens::sampleByCumulativeShare(one, 1), std::vector<std::int32_t>{4});
        // brute force by the authors' steps: the sums between 0 and 1, the nearest to every y over all positions, more and fewer samples than positions
        std::vector<float> scores;
        for (int i = 0; i < 60; ++i)
            scores.push_back(static_cast<float>(1 + (i * 37) % 61) / 1000.0f);
        std::vector<float> sorted = scores;
        std::ranges::sort(sorted);
        double sum = 0, so = 0;
        for (const float score : sorted)
            sum += static_cast<double>(score);
        const auto least = static_cast<double>(sorted[0]);
        std::vector<double> shares;
        for (const float score : sorted)
            shares.push_back(((so += static_cast<double>(score)) - least) / (sum - least));
        for (const int samples : {7, 23, 61, 250}) {
            std::set<std::int32_t> expected;
            for (int i = 0; i < samples; ++i) {
                const double y = shares[1] + (1 - shares[1]) * i / (samples - 1);
                std::size_t nearest = 0;
                for (std::size_t j = 0; j < shares.size(); ++j)
                    if (std::abs(shares[j] - y) < std::abs(shares[nearest] - y))
                        nearest = j;
                expected.insert(static_cast<std::int32_t>(std::ranges::find(scores, sorted[nearest]) - scores.begin()));
            }
            QVERIFY(!expected.contains(static_cast<std::int32_t>(std::ranges::min_element(scores) - scores.begin())));
            QCOMPARE(tokens::sampleByCumulativeShare(scores, samples), std::vector<std::int32_t>(expected.begin(), expected.end()));
        }
    }
    void atsKeepsOtherCountsInOtherImages()
    {
        const auto model = test::tokenModel("vit20");
        const test::TokenImages images("vit20");
        std::vector<std::vector<std::int64_t>> found;
        for (const nn::Sample& sample : images.samples) {
            tokens::Trace trace;
            test::runOne(*model, test::chainOf("tokens.ats", model, {{"least", "30"}}), sample, &trace);
            found.push_back(test::tokensAfter(trace));
            QVERIFY(std::ranges::all_of(found.back(), [](std::int64_t count) { return count >= 31; }));
        }
        QVERIFY(found[0] != found[1]);
        tokens::Trace capped;
        test::runOne(*model, test::chainOf("tokens.ats", model, {{"most", "40"}, {"blocks", "0"}}), images.samples[0], &capped);
        QVERIFY(capped.layers[0].tokens.mlp <= 41);
    }
    void diffRateCountsComeFromTheFile()
    {
        const std::string file = TAMIS_SOURCE_DIR "/tests/golden/token_reduction/diffrate.json";
        const tokens::BlockCounts text = tokens::readBlockCounts(file, "vit20/text"), list = tokens::readBlockCounts(file, "vit20/list");
        QCOMPARE(text.pruned, list.pruned);
        QCOMPARE(text.merged, (std::vector<std::int64_t>{257, 222, 180, 150, 101, 41}));
        QCOMPARE(counts("tokens.diffrate", {{"file", file}, {"entry", "ViT-S-DeiT/2.9"}}), tokens::readBlockCounts(file, "ViT-S-DeiT/2.9").merged);
        const auto model = test::tokenModel("vit20");
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.diffrate", model, {}), Error);                                                    // no file
        QVERIFY_EXCEPTION_THROWN(test::chainOf("tokens.diffrate", model, {{"file", file}, {"entry", "ViT-S-DeiT/2.9"}}), Error);         // twelve blocks
        QVERIFY_EXCEPTION_THROWN(tokens::readBlockCounts(file, "vit20"), Error);                                                         // an entry of entries
        QVERIFY_EXCEPTION_THROWN(tokens::readBlockCounts(file, "vit20/none"), Error);
        QVERIFY_EXCEPTION_THROWN(tokens::readBlockCounts("/nowhere.json", ""), Error);
    }
    void malformedCountsAreRefused_data()
    {
        QTest::addColumn<QByteArray>("json");
        QTest::newRow("empty") << QByteArray("{}");
        QTest::newRow("array") << QByteArray("[]");
        QTest::newRow("number") << QByteArray("{'prune_kept_num': 3, 'merge_kept_num': [3]}");
        QTest::newRow("fraction") << QByteArray("{'prune_kept_num': [3.5], 'merge_kept_num': [3]}");
        QTest::newRow("zero") << QByteArray("{'prune_kept_num': [0], 'merge_kept_num': [3]}");
        QTest::newRow("negative") << QByteArray("{'prune_kept_num': [-4], 'merge_kept_num': [3]}");
        QTest::newRow("huge") << QByteArray("{'prune_kept_num': [18446744073709551615], 'merge_kept_num': [3]}");
        QTest::newRow("none") << QByteArray("{'prune_kept_num': 'None', 'merge_kept_num': '[3]'}");
        QTest::newRow("half a list") << QByteArray("{'prune_kept_num': '[3,', 'merge_kept_num': '[3]'}");
        QTest::newRow("other lengths") << QByteArray("{'prune_kept_num': [3, 3], 'merge_kept_num': [3]}");
        QTest::newRow("syntax") << QByteArray("{'prune_kept_num': [3");
    }
    void malformedCountsAreRefused()
    {
        QFETCH(QByteArray, json);
        const QTemporaryDir folder;
        const std::string file = folder.filePath("counts.json").toStdString();
        std::ofstream(file) << json.replace('\'', '"').toStdString();
        QVERIFY_EXCEPTION_THROWN(tokens::readBlockCounts(file, ""), Error);
    }
};

QTEST_GUILESS_MAIN(TestTopRho)
#include "tst_top_rho.moc"
