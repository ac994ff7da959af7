// SPDX-License-Identifier: GPL-3.0-or-later
// One token's places against the same token in a whole measurement, and against sorting all scores.
#include "core/base/error.h"
#include "core/encoder/coarse_scorer.h"
#include "core/encoder/encoder_quality.h"
#include "core/encoder/exact.h"
#include "core/encoder/low_rank.h"
#include "core/encoder/token_ranking.h"
#include "tests/core/encoder/bundled.h"
#include "tests/core/linalg/blas_main.h"

#include <algorithm>

using namespace tamis;
using namespace tamis::encoder;

class TestTokenRanking : public QObject {
    Q_OBJECT
    std::shared_ptr<const ExactTokens> m_exact;
    EncoderPtr m_lowRank;

    static tensor::MatrixView<const float> row(const tensor::Matrix<float>& rows, std::int64_t at) { return {rows.data() + at * rows.cols(), 1, rows.cols(), rows.cols()}; }

private slots:
    void initTestCase()
    {
        const auto dictionary = test::bundledDictionary("vit20.block3.k16/sparsify");
        m_exact = exactTokens(dictionary, test::bundledRows("vit20", 0, 40));
        const Inputs inputs{dictionary, dictionary->prepared(test::bundledRows("vit20", 384, 300).view()), 0};
        const Method method = lowRankMethod();
        auto parameters = method.declaration.schema.defaults();
        parameters.set("rank", std::int64_t{24});
        m_lowRank = method.build(inputs, parameters, {}).encoder;
    }
    void placesAreThoseOfTheWholeMeasurement()
    {
        const auto report = measureEncoder(*m_exact, *m_lowRank, "encoder.low-rank", {}, {});
        QCOMPARE(report.exactLatents, m_exact->codes.latents);
        std::size_t at = 0;
        bool moved = false;
        for (std::int64_t t = 0; t < report.tokens; ++t) {
            const auto ranking = tokenRanking(*m_exact->encoder, *m_lowRank, row(m_exact->prepared, t), 64);
            QVERIFY(ranking.coarse);
            QCOMPARE(ranking.k, std::int64_t(16));
            QCOMPARE(static_cast<std::int64_t>(ranking.exact.size()), report.outcomes[static_cast<std::size_t>(t)].exact);
            for (const auto& wanted : ranking.exact) {
                QCOMPARE(wanted.latent, report.exactLatents[at]);
                QCOMPARE(static_cast<double>(wanted.place), report.coarseRanks[at]);
                moved = moved || wanted.place != static_cast<std::int64_t>(at);
                ++at;
            }
        }
        QVERIFY(moved);
    }
    void theFirstOfTheOrderAreTheLargestScores()
    {
        const auto* coarse = dynamic_cast<const CoarseEncoder*>(m_lowRank.get());
        QVERIFY(coarse);
        const auto scores = allScores(*coarse->scorer(), row(m_exact->prepared, 7));
        std::vector<std::int32_t> order(static_cast<std::size_t>(scores.cols()));
        for (std::size_t i = 0; i < order.size(); ++i)
            order[i] = static_cast<std::int32_t>(i);
        std::ranges::stable_sort(order, [&](std::int32_t a, std::int32_t b) { return scores(0, a) > scores(0, b); });
        const auto ranking = tokenRanking(*m_exact->encoder, *m_lowRank, row(m_exact->prepared, 7), 100);
        QCOMPARE(ranking.ranked.size(), std::size_t(100));
        for (std::size_t i = 0; i < ranking.ranked.size(); ++i) {
            QCOMPARE(ranking.ranked[i].latent, order[i]);
            QCOMPARE(ranking.ranked[i].score, static_cast<double>(scores(0, order[i])));
        }
        for (const auto& wanted : ranking.exact) // what stands among the first is marked, and nothing else is
            if (wanted.place < 100)
                QVERIFY(ranking.ranked[static_cast<std::size_t>(wanted.place)].wanted);
        QCOMPARE(std::ranges::count_if(ranking.ranked, [](const auto& each) { return each.wanted; }),
                 std::ranges::count_if(ranking.exact, [](const auto& each) { return each.place < 100; }));
    }
    void anEncoderWithoutACoarseStageIsAskedForItsCodes()
    {
        const auto ranking = tokenRanking(*m_exact->encoder, *m_exact->encoder, row(m_exact->prepared, 3), 4);
        QVERIFY(!ranking.coarse);
        QCOMPARE(ranking.ranked.size(), ranking.exact.size());
        for (std::size_t i = 0; i < ranking.exact.size(); ++i) {
            QCOMPARE(ranking.exact[i].place, static_cast<std::int64_t>(i));
            QVERIFY(ranking.ranked[i].wanted);
            QCOMPARE(ranking.ranked[i].score, ranking.exact[i].value);
        }
    }
    void otherShapesAreRefused()
    {
        QVERIFY_EXCEPTION_THROWN(tokenRanking(*m_exact->encoder, *m_lowRank, m_exact->prepared.view(), 8), Error);
        const auto other = exactEncoder(test::bundledDictionary("vit20.block3.k32/sparsify"));
        QVERIFY_EXCEPTION_THROWN(tokenRanking(*other, *m_lowRank, row(m_exact->prepared, 0), 8), Error);
    }
};

TAMIS_BLAS_TEST_MAIN(TestTokenRanking)
#include "tst_token_ranking.moc"
