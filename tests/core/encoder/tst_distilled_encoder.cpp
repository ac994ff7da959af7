// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/distilled.h"
#include "core/encoder/low_rank.h"
#include "tests/core/encoder/trained_cases.h"
#include "tests/core/linalg/blas_main.h"

using namespace tamis;
using namespace tamis::encoder;
using tensor::Matrix;

namespace {
using test::text;

Parameters settings(const test::Settings& more) { return test::briefTraining(distilledMethod(), {{"hidden", std::int64_t{32}}}, more); }
} // namespace

class TestDistilledEncoder : public QObject {
    Q_OBJECT
    Inputs m_inputs = test::bundledInputs("vit20.block3.k16/sparsify", 512);

private slots:
    /// w2 gelu(w1 x + b1) + b2 by the definition in double; slabs of 2048 and 2 latents.
    void scoresAreTheFormula()
    {
        const Matrix<float> w1 = test::bundledRows("vit20", 0, 7), x = test::bundledRows("vit20", 300, 20);
        Matrix<float> w2(2050, 7);
        std::vector<float> b1(7), b2(2050);
        for (std::size_t i = 0; i < w2.size(); ++i)
            w2.values()[i] = std::sin(static_cast<float>(i));
        for (std::size_t i = 0; i < 7; ++i)
            b1[i] = 0.3F * static_cast<float>(i) - 1;
        for (std::size_t i = 0; i < 2050; ++i)
            b2[i] = std::cos(static_cast<float>(i));
        const auto scorer = distilledScorer(w1.view(), b1, w2.view(), b2);
        const Matrix<float> scores = allScores(*scorer, x.view());
        for (std::int64_t t = 0; t < 20; ++t) {
            std::vector<double> hidden(7);
            double size = 0;
            for (std::int64_t u = 0; u < 7; ++u) {
                double z = static_cast<double>(b1[static_cast<std::size_t>(u)]);
                for (std::int64_t j = 0; j < 128; ++j)
                    z += static_cast<double>(w1(u, j)) * static_cast<double>(x(t, j));
                hidden[static_cast<std::size_t>(u)] = 0.5 * z * (1 + std::erf(z / std::sqrt(2.0)));
                size = std::max(size, std::abs(z));
            }
            for (std::int64_t i = 0; i < 2050; ++i) {
                double s = static_cast<double>(b2[static_cast<std::size_t>(i)]);
                for (std::int64_t u = 0; u < 7; ++u)
                    s += static_cast<double>(w2(i, u)) * hidden[static_cast<std::size_t>(u)];
                QVERIFY(std::abs(static_cast<double>(scores(t, i)) - s) < 1e-5 * (1 + size)); // float sums of 128 and 7 terms
            }
        }
        QCOMPARE(scorer->cost().macs, 7.0 * (128 + 2050));
        QVERIFY_THROWS_EXCEPTION(Error, distilledScorer(w1.view(), b2, w2.view(), b2));
        QVERIFY_THROWS_EXCEPTION(Error, distilledScorer(x.view(), b1, w2.view(), b2));
    }
    /// gelu(c + u) = c + u but for tails: the start scores as the low-rank encoder of the same rank does, to a hundredth of the scores' variance
    /// (0.003 for Gaussian u and c = 3). Units beyond the width add nothing.
    void startsFromTheWeightedFactors()
    {
        for (const std::int64_t hidden : {32, 140}) {
            const auto built = distilledMethod().build(m_inputs, settings({{"hidden", hidden}, {"learning-rate", 0.0}, {"steps", std::int64_t{1}}}), {});
            const auto start = lowRankMethod().build(m_inputs, test::settingsOf(lowRankMethod(), {{"rank", std::min<std::int64_t>(hidden, 128)}}), {});
            const auto scores = [&](const Built& each) { return allScores(*dynamic_cast<const CoarseEncoder&>(*each.encoder).scorer(), m_inputs.calibration.view()); };
            const Matrix<float> a = scores(built), b = scores(start);
            double off = 0, variance = 0, mean = 0;
            for (const float value : b.values())
                mean += static_cast<double>(value) / static_cast<double>(b.size());
            for (std::size_t i = 0; i < a.size(); ++i) {
                off += std::pow(static_cast<double>(a.values()[i] - b.values()[i]), 2);
                variance += std::pow(static_cast<double>(b.values()[i]) - mean, 2);
            }
            QVERIFY2(off < 0.01 * variance, qPrintable(QString::number(off / variance)));
        }
    }
    /// The loss on the rows kept apart falls from either start; from the random one the sets of rows that it has not seen become better, too.
    void learns_data()
    {
        QTest::addColumn<QString>("start");
        QTest::addColumn<QString>("objective");
        for (const char* start : {"weighted", "random"})
            for (const char* objective : {"ranking", "exact-codes"})
                QTest::addRow("%s %s", start, objective) << start << objective;
    }
    void learns()
    {
        QFETCH(QString, start);
        QFETCH(QString, objective);
        const Inputs inputs = test::bundledInputs("tinylm.block3.k32/sparsify", 512);
        const auto given = settings({{"steps", std::int64_t{150}}, {"start", start.toStdString()}, {"objective", objective.toStdString()}, {"value-weight", 0.0}});
        Parameters still = given;
        still.set("learning-rate", 0.0);
        still.set("steps", std::int64_t{1});
        const auto built = distilledMethod().build(inputs, given, {}), before = distilledMethod().build(inputs, still, {});
        const auto& checks = built.training[1].points;
        QVERIFY(std::ranges::min(checks, {}, &report::Point::y).y < checks.front().y);
        if (start != "random")
            return;
        const auto exact = exactTokens(inputs.dictionary, test::bundledRows("tinylm", 512, 256));
        const auto recall = [&](const Built& each) { return measureEncoder(*exact, *each.encoder, "encoder.distilled", {}, {}).quality.recallMean; };
        QVERIFY2(recall(built) > recall(before), qPrintable(QString("%1 %2").arg(recall(built)).arg(recall(before))));
    }
    void roundTrip() { test::verifyRoundTrip(distilledMethod(), m_inputs, distilledMethod().build(m_inputs, settings({}), {})); }
    void numPyAgrees() { test::verifyNumPyAgrees(distilledMethod().build(m_inputs, settings({{"objective", text("exact-codes")}}), {}), "vit20", 200); }
    void reproducible() { test::verifyReproducible(distilledMethod(), m_inputs, settings({{"start", text("random")}})); }
    void ends() { test::verifyEnds(distilledMethod(), m_inputs, settings({})); }
    void reranks() { test::verifyReranks(distilledMethod(), m_inputs, settings({})); }
    void needsRows()
    {
        Inputs none;
        none.dictionary = m_inputs.dictionary;
        for (const char* start : {"weighted", "random"})
            QVERIFY_THROWS_EXCEPTION(Error, distilledMethod().build(none, settings({{"start", text(start)}}), {}));
    }
};

TAMIS_BLAS_TEST_MAIN(TestDistilledEncoder)
#include "tst_distilled_encoder.moc"
