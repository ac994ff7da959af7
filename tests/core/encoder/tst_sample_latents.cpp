// SPDX-License-Identifier: GPL-3.0-or-later
// All tokens of a sample against the same tokens one by one.
#include "core/base/error.h"
#include "core/encoder/encoder_quality.h"
#include "core/encoder/exact.h"
#include "core/encoder/low_rank.h"
#include "core/encoder/method.h"
#include "core/encoder/sample_latents.h"
#include "core/encoder/token_ranking.h"
#include "tests/core/encoder/bundled.h"
#include "tests/core/linalg/blas_main.h"

#include <algorithm>

using namespace tamis;
using namespace tamis::encoder;

class TestSampleLatents : public QObject {
    Q_OBJECT
    std::shared_ptr<const ExactTokens> m_exact;

    EncoderPtr built(const char* method) const
    {
        const auto* known = findMethod(method);
        const Inputs inputs{m_exact->dictionary, m_exact->dictionary->prepared(test::bundledRows("vit20", 384, 300).view()), 0};
        return known->build(inputs, known->declaration.schema.defaults(), {}).encoder;
    }
    void compareWithRankings(const TopKEncoder& encoder)
    {
        const auto sample = sampleLatents(m_exact->codes, m_exact->prepared.view(), encoder, 100);
        QCOMPARE(sample.first, std::int64_t(100));
        QCOMPARE(static_cast<std::int64_t>(sample.exact.size()), m_exact->codes.tokens());
        const auto codes = encoder.encode(m_exact->prepared.view());
        for (std::int64_t t = 0; t < m_exact->codes.tokens(); ++t) {
            const tensor::MatrixView<const float> row{m_exact->prepared.data() + t * m_exact->prepared.cols(), 1, m_exact->prepared.cols(), m_exact->prepared.cols()};
            const auto ranking = tokenRanking(*m_exact->encoder, encoder, row, 16);
            const auto& exact = sample.exact[static_cast<std::size_t>(t)];
            const auto& others = sample.others[static_cast<std::size_t>(t)];
            QCOMPARE(sample.coarse, ranking.coarse);
            QCOMPARE(exact.size(), ranking.exact.size());
            std::size_t returned = 0;
            for (std::size_t i = 0; i < exact.size(); ++i) {
                QCOMPARE(exact[i].latent, ranking.exact[i].latent);
                QCOMPARE(static_cast<double>(exact[i].value), ranking.exact[i].value);
                QCOMPARE(exact[i].place, ranking.exact[i].place);
                returned += exact[i].returned == exact[i].returned;
            }
            QCOMPARE(returned + others.size(), codes.latentsOf(t).size()); // what is returned is in one of the two
            for (std::size_t i = 0; i < codes.latentsOf(t).size(); ++i) {
                const auto latent = codes.latentsOf(t)[i];
                const auto in = std::ranges::find(exact, latent, &report::SampleLatents::Wanted::latent);
                QCOMPARE(in != exact.end() ? in->returned : std::ranges::find(others, latent, &report::SampleLatents::Other::latent)->value, codes.valuesOf(t)[i]);
            }
        }
    }

private slots:
    void initTestCase() { m_exact = exactTokens(test::bundledDictionary("vit20.block3.k16/sparsify"), test::bundledRows("vit20", 0, 30)); }
    void aCoarseOrderHasThePlacesOfItsTokens() { compareWithRankings(*built("encoder.low-rank")); }
    void anEncoderWithoutOneHasWhatItReturns() { compareWithRankings(*built("encoder.certified")); }
    void theExactEncoderMissesNothing()
    {
        const auto sample = sampleLatents(m_exact->codes, m_exact->prepared.view(), *exactEncoder(m_exact->dictionary));
        for (const auto& others : sample.others)
            QVERIFY(others.empty());
        for (const auto& exact : sample.exact)
            for (const auto& wanted : exact) {
                QCOMPARE(wanted.returned, wanted.value);
                QVERIFY(report::isFound(wanted, sample.coarse, 16));
            }
    }
    void partsOfCodesAreTheSameTokens()
    {
        const auto part = codesOf(m_exact->codes, 7, 5);
        QCOMPARE(part.tokens(), std::int64_t(5));
        for (std::int64_t t = 0; t < 5; ++t) {
            QVERIFY(std::ranges::equal(part.latentsOf(t), m_exact->codes.latentsOf(7 + t)));
            QVERIFY(std::ranges::equal(part.valuesOf(t), m_exact->codes.valuesOf(7 + t)));
        }
        QVERIFY_EXCEPTION_THROWN(codesOf(m_exact->codes, 28, 3), Error);
        QVERIFY_EXCEPTION_THROWN(codesOf(m_exact->codes, -1, 3), Error);
        QVERIFY_EXCEPTION_THROWN(sampleLatents(part, m_exact->prepared.view(), *m_exact->encoder), Error);
    }
};

TAMIS_BLAS_TEST_MAIN(TestSampleLatents)
#include "tst_sample_latents.moc"
