// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/exact.h"
#include "core/encoder/low_rank.h"
#include "core/encoder/quantised_scorer.h"
#include "core/encoder/random_projection.h"
#include "core/encoder/recall_surface.h"
#include "core/encoder/two_stage.h"
#include "tests/core/base/failure.h"
#include "tests/core/encoder/bundled.h"
#include "tests/core/encoder/dictionaries.h"
#include "tests/core/linalg/blas_main.h"

using namespace tamis;
using tamis::test::failure;
using namespace tamis::encoder;
using tensor::Matrix;

namespace {
Inputs inputsOf(std::shared_ptr<const Dictionary> dictionary, Matrix<float> calibration)
{
    Inputs inputs;
    inputs.dictionary = std::move(dictionary);
    inputs.calibration = std::move(calibration);
    return inputs;
}

Parameters settings(const std::string& coarse, std::int64_t candidates, std::int64_t rank = 8)
{
    Parameters parameters;
    parameters.set("coarse", coarse);
    parameters.set("candidates", candidates);
    parameters.set("rank", rank);
    return twoStageMethod().declaration.schema.complete(parameters);
}

/// A number whose products are counted.
struct Counted {
    double value = 0;
    static inline std::int64_t products = 0;
    Counted operator*(Counted other) const
    {
        ++products;
        return {value * other.value};
    }
};

void addCoarseRows()
{
    QTest::addColumn<QString>("coarse");
    for (const char* coarse : {"low-rank", "int8", "int4", "product", "random"})
        QTest::newRow(coarse) << coarse;
}
} // namespace

class TestTwoStage : public QObject {
    Q_OBJECT
private slots:
    /// With every latent a candidate the codes are the exact encoder's to the bit, whatever the coarse scores: on real activations, too.
    void allCandidatesAreExact_data() { addCoarseRows(); }
    void allCandidatesAreExact()
    {
        QFETCH(QString, coarse);
        for (const char* name : {"vit20.block3.k32/saelens", "tinylm.block3.k16/saelens"}) {
            const auto dictionary = test::bundledDictionary(name);
            const Matrix<float> x = dictionary->prepared(test::bundledRows(std::string(name).substr(0, std::string(name).find('.')), 0, 70).view());
            const Built built = twoStageMethod().build(inputsOf(dictionary, x), settings(coarse.toStdString(), dictionary->latents()), {});
            const SparseCodes exact = exactEncoder(dictionary)->encode(x.view());
            EncodeTrace trace;
            QVERIFY(test::sameCodes(built.encoder->encode(x.view()), exact));
            QVERIFY(test::sameCodes(built.encoder->encode(x.view(), {}, &trace), exact));
            QCOMPARE(trace.rowsScored, 2048.0);
            std::vector<std::int32_t> order = trace.ranking.at(69);
            std::ranges::sort(order);
            for (std::int32_t i = 0; i < 2048; ++i)
                QCOMPARE(order[static_cast<std::size_t>(i)], i);
        }
    }
    /// What comes out is what the definition says: the candidates by the coarse scores sorted whole, the best of them by exact scores.
    void codesAreThoseOfTheDefinition_data() { addCoarseRows(); }
    void codesAreThoseOfTheDefinition()
    {
        QFETCH(QString, coarse);
        const auto dictionary = test::wholeDictionary(4500, 24, 9); // three slabs; whole numbers: exact scores are exact
        const Matrix<float> x = test::wholeTokens(150, 24);
        const Inputs inputs = inputsOf(dictionary, x);
        const Parameters parameters = settings(coarse.toStdString(), 60);
        std::vector<std::string> warnings;
        const ScorerPtr scorer = coarseScorer(inputs, parameters, warnings, {});
        const Matrix<float> scores = allScores(*scorer, x.view());
        EncodeTrace trace;
        const auto encoder = twoStageEncoder(dictionary, scorer, 60);
        const SparseCodes codes = encoder->encode(x.view(), {}, &trace);
        for (std::int64_t t = 0; t < 150; ++t) {
            std::vector<std::int32_t> order(4500);
            std::iota(order.begin(), order.end(), 0);
            std::ranges::stable_sort(order, [&](std::int32_t a, std::int32_t b) { return scores(t, a) > scores(t, b); });
            order.resize(60);
            QVERIFY(trace.ranking[static_cast<std::size_t>(t)] == order);
            std::vector<std::pair<double, std::int32_t>> best;
            for (const std::int32_t i : order) {
                double z = static_cast<double>(dictionary->bias()[static_cast<std::size_t>(i)]);
                for (std::int64_t j = 0; j < 24; ++j)
                    z += static_cast<double>(dictionary->rows()(i, j)) * static_cast<double>(x(t, j));
                if (z > 0)
                    best.emplace_back(-z, i);
            }
            std::ranges::sort(best);
            best.resize(std::min<std::size_t>(best.size(), 9));
            QCOMPARE(codes.latentsOf(t).size(), best.size());
            for (std::size_t i = 0; i < best.size(); ++i)
                QVERIFY(codes.latentsOf(t)[i] == best[i].second && static_cast<double>(codes.valuesOf(t)[i]) == -best[i].first);
        }
        QVERIFY(test::sameCodes(codes, twoStageMethod().build(inputs, parameters, {}).encoder->encode(x.view())));
    }
    /// More candidates never lose a latent, and the surface says what running the encoder would: to the last token.
    void recallRisesAndTheSurfaceForetellsIt_data() { addCoarseRows(); }
    void recallRisesAndTheSurfaceForetellsIt()
    {
        QFETCH(QString, coarse);
        const auto dictionary = test::bundledDictionary("vit20.block3.k16/sparsify");
        const auto exact = exactTokens(dictionary, test::bundledRows("vit20", 384, 200));
        const Inputs inputs = inputsOf(dictionary, dictionary->prepared(test::bundledRows("vit20", 0, 384).view()));
        std::vector<std::string> warnings;
        const ScorerPtr scorer = coarseScorer(inputs, settings(coarse.toStdString(), 16, 24), warnings, {});
        const std::vector<std::int64_t> candidates{1, 16, 20, 64, 300, 2048};
        const RankedScorer ranked{24, scorer};
        const auto surface = recallSurface(*exact, coarse.toStdString(), std::span(&ranked, 1), candidates);
        QCOMPARE(surface.points.size(), candidates.size());
        double last = 0, lastMacs = 0;
        for (std::size_t i = 0; i < candidates.size(); ++i) {
            const auto& point = surface.points[i];
            QVERIFY(point.recallMean >= last && point.macs > lastMacs && point.recallMin <= point.recallP1 && point.recallP1 <= point.recallP5);
            last = point.recallMean;
            lastMacs = point.macs;
            if (candidates[i] < 16)
                continue;
            const auto encoder = twoStageEncoder(dictionary, scorer, candidates[i]);
            const auto report = measureEncoder(*exact, *encoder, "encoder.two-stage", {}, {});
            QCOMPARE(report.quality.recallMean, point.recallMean);
            QCOMPARE(report.quality.recallP5, point.recallP5);
            QCOMPARE(report.quality.recallMin, point.recallMin);
            QCOMPARE(report.cost.macs, point.macs);
            QCOMPARE(report.cost.bytesRead, point.bytesRead);
            QCOMPARE(report.quality.valueError, 0.0); // values are exact
        }
        QCOMPARE(surface.points.back().recallMin, 1.0);
        QVERIFY(surface.points.front().recallMean <= 1.0 / 16);
    }
    void ranksOfOneDecompositionAreThoseOfMany()
    {
        const auto dictionary = test::bundledDictionary("vit20.block3.k16/sparsify");
        const auto exact = exactTokens(dictionary, test::bundledRows("vit20", 384, 100));
        const Inputs inputs = inputsOf(dictionary, dictionary->prepared(test::bundledRows("vit20", 0, 384).view()));
        const Moments moments = weightedMoments(inputs, {}, {});
        const auto scorers = lowRankScorers(*dictionary, moments, {8, 32, 128, 500});
        QCOMPARE(scorers.size(), std::size_t{3}); // there is no rank 500
        const auto surface = recallSurface(*exact, "low-rank", scorers, {64});
        std::vector<std::string> warnings;
        for (std::size_t i = 0; i < scorers.size(); ++i) {
            const RankedScorer alone{scorers[i].rank, weightedLowRankScorer(inputs, {}, scorers[i].rank, warnings, {})};
            // the same factors up to the rounding of products of other sizes: at most a latent of 1600 moves
            QVERIFY(std::abs(recallSurface(*exact, "low-rank", std::span(&alone, 1), {64}).points[0].recallMean - surface.points[i].recallMean) <= 1.0 / 1600 + 1e-12);
        }
        QVERIFY(surface.points[0].recallMean < surface.points[1].recallMean);
        QVERIFY(surface.points[2].recallMean == 1);
    }
    /// The formulas against twins that do the same arithmetic with numbers that count their products.
    void costsAreThoseOfACount()
    {
        const std::int64_t latents = 300, width = 40, candidates = 50, rank = 6;
        const auto dictionary = test::wholeDictionary(latents, width, 5);
        const Inputs inputs = inputsOf(dictionary, test::wholeTokens(90, 40));
        const Matrix<float> x = test::wholeTokens(1, width);
        std::vector<std::string> warnings;
        const auto twin = [&](const std::string& coarse, const std::function<Counted(std::int64_t)>& score) {
            Counted::products = 0;
            const Parameters parameters = settings(coarse, candidates, rank);
            const ScorerPtr scorer = coarseScorer(inputs, parameters, warnings, {});
            const Matrix<float> expected = allScores(*scorer, x.view());
            std::vector<std::pair<double, std::int64_t>> order;
            for (std::int64_t i = 0; i < latents; ++i) {
                order.emplace_back(-score(i).value, i);
                if (std::abs(-order.back().first - static_cast<double>(expected(0, i))) > 1e-3)
                    return -1.0; // the twin is none
            }
            std::ranges::sort(order);
            for (std::int64_t c = 0; c < candidates; ++c)
                for (std::int64_t j = 0; j < width; ++j)
                    Counted{static_cast<double>(dictionary->rows()(order[static_cast<std::size_t>(c)].second, j))} * Counted{static_cast<double>(x(0, j))};
            return static_cast<double>(Counted::products) - twoStageMethod().build(inputs, parameters, {}).encoder->cost().macs;
        };
        const Moments moments = weightedMoments(inputs, {}, {});
        const auto factors = weightedFactors(dictionary->rows(), moments, rank);
        const auto folded = foldedBias(dictionary->rows(), dictionary->bias(), factors, moments.mean);
        std::vector<Counted> inner;
        QCOMPARE(twin("low-rank",
                      [&](std::int64_t i) {
                          if (inner.empty())
                              for (std::int64_t r = 0; r < rank; ++r) {
                                  inner.emplace_back();
                                  for (std::int64_t j = 0; j < width; ++j)
                                      inner.back().value += (Counted{factors.a(r, j)} * Counted{static_cast<double>(x(0, j))}).value;
                              }
                          Counted sum{static_cast<double>(folded[static_cast<std::size_t>(i)])};
                          for (std::int64_t r = 0; r < rank; ++r)
                              sum.value += (Counted{factors.b(i, r)} * inner[static_cast<std::size_t>(r)]).value;
                          return sum;
                      }),
                 0.0);
        const auto mean = momentsOf(inputs.calibration.view(), true).mean;
        for (const int bits : {8, 4})
            QCOMPARE(twin(bits == 8 ? "int8" : "int4",
                          [&](std::int64_t i) {
                              const QuantisedRow row = quantisedRow(dictionary->rows().row(i), bits);
                              Counted sum{static_cast<double>(dictionary->bias()[static_cast<std::size_t>(i)])};
                              for (std::int64_t j = 0; j < width; ++j) {
                                  const double stored = static_cast<double>(row.scale) * row.values[static_cast<std::size_t>(j)];
                                  sum.value += (Counted{stored} * Counted{static_cast<double>(x(0, j))}).value + (static_cast<double>(dictionary->rows()(i, j)) - stored) * mean[static_cast<std::size_t>(j)];
                              }
                              return sum;
                          }),
                     0.0);
        // product quantisation: the turn into the axes, 8 tables of 16 products over 5 directions, a look-up a part
        Parameters product = settings("product", candidates);
        product.set("subvectors", std::int64_t{8});
        const auto macs = [&] { return twoStageMethod().build(inputs, product, {}).encoder->cost().macs; };
        QCOMPARE(macs(), static_cast<double>(width * width + 8 * 16 * 5 + latents * 8 + candidates * width));
        product.set("weighting", std::string("none"));
        QCOMPARE(macs(), static_cast<double>(8 * 16 * 5 + latents * 8 + candidates * width));
        // bytes: int4 keeps half a byte a weight, scale and bias; the rows that re-ranking reads stay in memory but few are read
        const EncoderCost four = twoStageMethod().build(inputs, settings("int4", candidates), {}).encoder->cost();
        QCOMPARE(four.bytesRead, static_cast<double>(latents * (width / 2 + 8) + candidates * 4 * (width + 1)));
        QCOMPARE(four.bytes, static_cast<std::uint64_t>(latents * (width / 2 + 8) + latents * 4 * (width + 1)));
    }
    void doesNotDependOnThreadsOrNeighbours_data() { addCoarseRows(); }
    void doesNotDependOnThreadsOrNeighbours()
    {
        QFETCH(QString, coarse);
        const auto dictionary = test::bundledDictionary("vit20.block3.k32/sparsify");
        const Matrix<float> x = dictionary->prepared(test::bundledRows("vit20", 0, 150).view());
        const Built built = twoStageMethod().build(inputsOf(dictionary, x), settings(coarse.toStdString(), 100), {});
        const SparseCodes all = built.encoder->encode(x.view());
        {
            const ThreadLimit one(1);
            QVERIFY(test::sameCodes(built.encoder->encode(x.view()), all));
            const Built again = twoStageMethod().build(inputsOf(dictionary, x), settings(coarse.toStdString(), 100), {});
            QVERIFY(test::sameCodes(again.encoder->encode(x.view()), all));
        }
        EncodeTrace together;
        built.encoder->encode(x.view(), {}, &together);
        for (const std::int64_t t : {0, 13, 63, 64, 149}) {
            EncodeTrace alone;
            const SparseCodes codes = built.encoder->encode({x.view().row(t).data(), 1, x.cols(), x.cols()}, {}, &alone);
            QVERIFY(std::ranges::equal(codes.latentsOf(0), all.latentsOf(t)) && std::ranges::equal(codes.valuesOf(0), all.valuesOf(t)));
            QVERIFY(alone.ranking[0] == together.ranking[static_cast<std::size_t>(t)]);
        }
    }
    /// An unbiased estimate: over many directions the mean error of the scores falls as the root of their number.
    void randomProjectionsEstimateTheScores()
    {
        const auto dictionary = test::wholeDictionary(200, 64, 5);
        const Matrix<float> x = test::wholeTokens(20, 64);
        const auto errorOf = [&](std::int64_t rank) {
            const ScorerPtr scorer = randomProjectionScorer(*dictionary, rank, 7, {});
            const Matrix<float> scores = allScores(*scorer, x.view());
            double squares = 0;
            for (std::int64_t t = 0; t < 20; ++t)
                for (std::int64_t i = 0; i < 200; ++i) {
                    double z = static_cast<double>(dictionary->bias()[static_cast<std::size_t>(i)]);
                    for (std::int64_t j = 0; j < 64; ++j)
                        z += static_cast<double>(dictionary->rows()(i, j)) * static_cast<double>(x(t, j));
                    squares += (static_cast<double>(scores(t, i)) - z) * (static_cast<double>(scores(t, i)) - z);
                }
            return std::sqrt(squares / 4000);
        };
        const double few = errorOf(64), many = errorOf(4096);
        QVERIFY(std::abs(few / many - 8) < 2); // the root of 64; one draw of 64 directions is some 1 / sqrt(64) off
    }
    void badRequestsAreRefused()
    {
        const auto dictionary = test::wholeDictionary(300, 40, 5);
        std::vector<std::string> warnings;
        const ScorerPtr scorer = coarseScorer(inputsOf(dictionary, {}), settings("int8", 10), warnings, {});
        QVERIFY(failure([&] { twoStageEncoder(dictionary, scorer, 301); }, ErrorCode::InvalidParameter).contains("301 candidates, expected from k = 5 to all 300"));
        QVERIFY(failure([&] { twoStageEncoder(dictionary, scorer, 4); }, ErrorCode::InvalidParameter).contains("4 candidates"));
        QVERIFY(failure([&] { twoStageEncoder(test::wholeDictionary(301, 40, 5), scorer, 10); }, ErrorCode::InvalidParameter).contains("300 latents on 40 features, expected 301 on 40"));
        QVERIFY(failure([&] { twoStageMethod().build(inputsOf(dictionary, {}), settings("low-rank", 10), {}); }, ErrorCode::InvalidParameter).contains("no calibration"));
        const Built clamped = twoStageMethod().build(inputsOf(dictionary, {}), settings("int8", 1000), {});
        QVERIFY(clamped.warnings.size() == 1 && QString::fromStdString(clamped.warnings[0]).contains("are 300, not 1000"));
        QVERIFY(failure([&] { clamped.encoder->encode(test::wholeTokens(2, 41).view()); }, ErrorCode::InvalidParameter).contains("reads 40 features a token, found 41"));
        std::stop_source stop;
        stop.request_stop();
        const auto encoder = twoStageEncoder(dictionary, scorer, 10);
        QVERIFY(failure([&] { encoder->encode(test::wholeTokens(3, 40).view(), RunContext(stop.get_token())); }, ErrorCode::Cancelled).contains("stopped on request"));
    }
};

TAMIS_BLAS_TEST_MAIN(TestTwoStage)
#include "tst_two_stage.moc"
