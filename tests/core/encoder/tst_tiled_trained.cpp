// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/encoder/score_training.h"
#include "core/encoder/tiled.h"
#include "core/encoder/tiled_trained.h"
#include "core/encoder/tiles_on_tape.h"
#include "core/train/pointwise_ops.h"
#include "tests/core/encoder/dictionaries.h"
#include "tests/core/encoder/trained_cases.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/train/gradient_check.h"

#include <map>
#include <random>

using namespace tamis;
using namespace tamis::encoder;
using tensor::Matrix;

namespace {
using test::text;

Parameters settings(const test::Settings& more) { return test::briefTraining(tiledTrainedMethod(), {{"tiles", std::int64_t{4}}, {"assignment-steps", std::int64_t{20}}}, more); }

/// Rows that read the inputs of their own third alone, in an order that `none` does not know and whose energies give nothing away: the tile of
/// latent i is i mod 3, that of input j is 2 j mod 3.
Inputs hiddenBlocks()
{
    std::mt19937 random(7);
    std::normal_distribution<float> normal;
    auto a = test::wholeAutoencoder(120, 24, 5);
    for (std::int64_t i = 0; i < 120; ++i) {
        a.encoderBias[static_cast<std::size_t>(i)] = 0;
        for (std::int64_t j = 0; j < 24; ++j)
            a.encoder(i, j) = i % 3 == 2 * j % 3 ? normal(random) : 0.0F;
    }
    std::ranges::fill(a.decoderBias, 0.0F);
    Inputs inputs;
    inputs.dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(std::move(a)));
    inputs.calibration = Matrix<float>(800, 24);
    for (float& value : inputs.calibration.values())
        value = normal(random);
    return inputs;
}
} // namespace

class TestTiledTrained : public QObject {
    Q_OBJECT
    Inputs m_inputs = test::bundledInputs("vit20.block3.k16/sparsify", 512);

private slots:
    void joinedTilesHaveGradients()
    {
        const Tiling tiling{3, {}, {2, 0, 0, 1, 2, 0, 1}};
        const auto build = [&](train::Tape<double>& tape, const std::vector<test::DoubleVariable>& x) { return joinedTiles(tape, x, tiling); };
        const std::string wrong = test::checkGradients({{5, 3}, {5, 2}, {5, 2}}, build);
        QVERIFY2(wrong.empty(), wrong.c_str());
        train::Tape<double> tape;
        const Matrix<double> a = test::gaussian(2, 3, 1), b = test::gaussian(2, 2, 2), c = test::gaussian(2, 2, 3);
        const auto y = joinedTiles(tape, {tape.constant(a.view()), tape.constant(b.view()), tape.constant(c.view())}, tiling);
        const std::vector<double> first{c(0, 0), a(0, 0), a(0, 1), b(0, 0), c(0, 1), a(0, 2), b(0, 1)};
        QVERIFY(std::ranges::equal(y.value().row(0), first));
        QVERIFY_THROWS_EXCEPTION(Error, joinedTiles(tape, {tape.constant(a.view()), tape.constant(b.view()), tape.constant(a.view())}, tiling));
    }
    /// On the tape and in the encoder they are the same scores: float sums over a tile in two orders, 1e-5 of the largest.
    void scoresOnTheTapeAreTheScorers()
    {
        const Moments moments = momentsOf(m_inputs.calibration.view(), true);
        const Tiling tiling = runsOf(128, 2048, 5); // tiles of 25 and 26 inputs
        for (const std::int64_t rank : {0, 7}) {
            const auto tiles = tileFactors(m_inputs.dictionary->rows(), moments, tiling, rank);
            const auto bias = tileBias(m_inputs.dictionary->rows(), m_inputs.dictionary->bias(), tiles, moments.mean);
            train::ParameterSet<float> set;
            addTiles(set, tiles, bias);
            train::Tape<float> tape;
            const auto scores = tileScores(tape, set, tiling, tape.constant(m_inputs.calibration.view()));
            const Matrix<float> expected = allScores(*tiledScorer(128, bias, tiles), m_inputs.calibration.view());
            const float largest = *std::ranges::max_element(expected.values());
            for (std::int64_t t = 0; t < expected.rows(); ++t)
                for (std::int64_t i = 0; i < expected.cols(); ++i)
                    QVERIFY(std::abs(scores.value()(t, i) - expected(t, i)) < 1e-5F * largest);
        }
    }
    /// One tile of whole rows is the exact encoder: no loss but rounding's.
    void oneTileIsExact()
    {
        const auto built = tiledTrainedMethod().build(m_inputs, settings({{"tiles", std::int64_t{1}}, {"weighting", text("none")}, {"steps", std::int64_t{5}}}), {});
        QVERIFY(built.training[1].points.front().y < 1e-9);
        const auto exact = exactTokens(m_inputs.dictionary, test::bundledRows("vit20", 512, 256));
        QVERIFY(measureEncoder(*exact, *built.encoder, "encoder.tiled-trained", {}, {}).quality.recallMean > 0.9995); // two scores equal to rounding may change places
    }
    /// Blocks that are there are found by descent, to the last latent and input but for the order of the tiles; then nothing is lost.
    void hiddenBlocksAreFound()
    {
        const Inputs inputs = hiddenBlocks();
        const SparseCodes codes = exactTokens(inputs.dictionary, inputs.calibration)->codes;
        const Tiling start = runsOf(24, 120, 3);
        EncoderTrainingSettings s;
        s.steps = 600;
        s.patience = 0;
        SoftTiling soft(inputs.dictionary->rows(), inputs.dictionary->bias(), start, s.steps);
        EncoderObjective objective = objectiveOf(ParameterSchema(objectiveParameters()).defaults(), inputs,
                                                 [&](train::Tape<float>& tape, train::Variable<float> x, std::int64_t step, bool checking) { return soft.scores(tape, x, step, checking); });
        const auto inner = objective.loss;
        objective.loss = [&](train::Tape<float>& tape, const TrainingRows& rows, std::int64_t step, bool checking) {
            return train::add(inner(tape, rows, step, checking), soft.crowding(tape, step, checking));
        };
        trainEncoder(soft.parameters(), inputs, s, objective, {});
        const Tiling found = soft.balanced();
        const std::vector<double> even(24, 1.0);
        double all = 0;
        for (std::int64_t i = 0; i < 120; ++i)
            for (std::int64_t j = 0; j < 24; ++j)
                all += std::pow(static_cast<double>(inputs.dictionary->rows()(i, j)), 2);
        const double kept = keptEnergy(inputs.dictionary->rows(), even, found) / all, before = keptEnergy(inputs.dictionary->rows(), even, start) / all;
        QVERIFY2(kept > 0.9 && before < 0.5, qPrintable(QString("%1 of %2").arg(kept).arg(before)));
    }
    void tilesAreBalanced()
    {
        const auto built = tiledTrainedMethod().build(m_inputs, settings({{"tiles", std::int64_t{5}}, {"permutation", text("learned")}, {"steps", std::int64_t{5}}}), {});
        std::map<std::int32_t, int> inputs, latents;
        for (const std::int32_t tile : built.trained->indices("inputs", {128}).integers)
            ++inputs[tile];
        for (const std::int32_t tile : built.trained->indices("latents", {2048}).integers)
            ++latents[tile];
        for (std::int32_t t = 0; t < 5; ++t)
            QVERIFY((inputs[t] == 25 || inputs[t] == 26) && (latents[t] == 409 || latents[t] == 410));
        test::verifyRoundTrip(tiledTrainedMethod(), m_inputs, built);
    }
    void isBetterThanItsStart()
    {
        const Inputs inputs = test::bundledInputs("tinylm.block3.k32/sparsify", 512);
        const auto exact = exactTokens(inputs.dictionary, test::bundledRows("tinylm", 512, 256));
        for (const std::int64_t rank : {0, 8}) {
            const auto built = tiledTrainedMethod().build(inputs, settings({{"steps", std::int64_t{120}}, {"rank", rank}}), {});
            const auto start = tiledMethod().build(inputs, test::settingsOf(tiledMethod(), {{"tiles", std::int64_t{4}}, {"rank", rank}}), {});
            const auto trained = measureEncoder(*exact, *built.encoder, "encoder.tiled-trained", {}, {}).quality, before = measureEncoder(*exact, *start.encoder, "encoder.tiled", {}, {}).quality;
            QVERIFY2(trained.fvu < before.fvu && trained.recallMean > before.recallMean,
                     qPrintable(QString("%1 %2, %3 %4").arg(trained.fvu).arg(before.fvu).arg(trained.recallMean).arg(before.recallMean)));
            QCOMPARE(built.encoder->cost().macs, start.encoder->cost().macs);
        }
    }
    /// At equal r a tile's factors are T times thinner and T times as many: r (D + M) whatever T, and T r directions in all.
    void tilingDoesNotCutTheCostAtEqualRank()
    {
        const auto macs = [&](std::int64_t tiles) {
            return tiledTrainedMethod().build(m_inputs, settings({{"tiles", tiles}, {"rank", std::int64_t{8}}, {"steps", std::int64_t{1}}}), {}).encoder->cost().macs;
        };
        for (const std::int64_t tiles : {1, 2, 4, 8})
            QCOMPARE(macs(tiles), 8.0 * (128 + 2048));
    }
    void ranksBeyondATileAreLowered()
    {
        const auto built = tiledTrainedMethod().build(m_inputs, settings({{"rank", std::int64_t{100}}, {"steps", std::int64_t{1}}}), {});
        QVERIFY(built.warnings.size() == 1 && built.warnings[0].starts_with("The rank of a tile is 32, not 100"));
        QVERIFY_THROWS_EXCEPTION(Error, tiledTrainedMethod().build(m_inputs, settings({{"tiles", std::int64_t{129}}}), {}));
    }
    void damagedTilingsAreRefused()
    {
        const auto built = tiledTrainedMethod().build(m_inputs, settings({{"rank", std::int64_t{4}}, {"steps", std::int64_t{1}}}), {});
        for (const std::int32_t tile : {-1, 4, 3}) { // 3: a latent more than its tile's rows
            TrainedEncoder damaged = *built.trained;
            const auto latents = std::ranges::find(damaged.tensors, "latents", &TrainedTensor::name);
            *std::ranges::find_if(latents->integers, [](std::int32_t each) { return each != 3; }) = tile;
            try {
                tiledTrainedMethod().restore(m_inputs, damaged, {});
                QFAIL("was restored");
            } catch (const Error& error) {
                QCOMPARE(error.code(), ErrorCode::MalformedFile);
            }
        }
    }
    void numPyAgrees()
    {
        test::verifyNumPyAgrees(tiledTrainedMethod().build(m_inputs, settings({{"rank", std::int64_t{6}}}), {}), "vit20", 200);
        test::verifyNumPyAgrees(tiledTrainedMethod().build(m_inputs, settings({{"permutation", text("none")}}), {}), "vit20", 50);
    }
    void roundTrip() { test::verifyRoundTrip(tiledTrainedMethod(), m_inputs, tiledTrainedMethod().build(m_inputs, settings({{"rank", std::int64_t{6}}}), {})); }
    void reproducible() { test::verifyReproducible(tiledTrainedMethod(), m_inputs, settings({{"permutation", text("learned")}})); }
    void ends() { test::verifyEnds(tiledTrainedMethod(), m_inputs, settings({})); }
    void reranks() { test::verifyReranks(tiledTrainedMethod(), m_inputs, settings({})); }
};

TAMIS_BLAS_TEST_MAIN(TestTiledTrained)
#include "tst_tiled_trained.moc"
