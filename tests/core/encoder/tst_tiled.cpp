// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/exact.h"
#include "core/encoder/low_rank.h"
#include "core/encoder/tiled.h"
#include "tests/core/encoder/bundled.h"
#include "tests/core/encoder/dictionaries.h"
#include "tests/core/linalg/blas_main.h"

using namespace tamis;
using namespace tamis::encoder;
using tensor::Matrix;

namespace {
/// Rows that are block-diagonal in a hidden order of inputs and latents.
std::shared_ptr<const Dictionary> hiddenBlocks(std::int64_t latents, std::int64_t width, std::int64_t tiles)
{
    auto a = test::wholeAutoencoder(latents, width, 5);
    for (std::int64_t i = 0; i < latents; ++i)
        for (std::int64_t j = 0; j < width; ++j)
            if (i * 7 % tiles != j * 5 % tiles)
                a.encoder(i, j) = 0;
    return Dictionary::of(std::make_shared<const io::SparseAutoencoder>(std::move(a)));
}

Inputs inputsOf(std::shared_ptr<const Dictionary> dictionary, Matrix<float> calibration)
{
    Inputs inputs;
    inputs.dictionary = std::move(dictionary);
    inputs.calibration = std::move(calibration);
    return inputs;
}

Parameters settings(std::int64_t tiles, const std::string& permutation, std::int64_t rank, const std::string& weighting = "activations")
{
    Parameters parameters;
    parameters.set("tiles", tiles);
    parameters.set("permutation", permutation);
    parameters.set("rank", rank);
    parameters.set("weighting", weighting);
    return tiledMethod().declaration.schema.complete(parameters);
}

/// Mean over the rows of the squared error of one tile's scores, means taken off.
double tileError(const Matrix<float>& x, tensor::MatrixView<const float> w, const Moments& moments, const TileRows& tile, const Matrix<double>& rows)
{
    double sum = 0;
    for (std::int64_t t = 0; t < x.rows(); ++t)
        for (std::size_t i = 0; i < tile.latents.size(); ++i) {
            double difference = 0;
            for (std::int64_t j = 0; j < w.cols; ++j)
                difference += static_cast<double>(w(tile.latents[i], j)) * (static_cast<double>(x(t, j)) - moments.mean[static_cast<std::size_t>(j)]);
            for (std::size_t j = 0; j < tile.inputs.size(); ++j)
                difference -= rows(static_cast<std::int64_t>(i), static_cast<std::int64_t>(j)) *
                              (static_cast<double>(x(t, tile.inputs[j])) - moments.mean[static_cast<std::size_t>(tile.inputs[j])]);
            sum += difference * difference;
        }
    return sum / static_cast<double>(x.rows());
}
} // namespace

class TestTiled : public QObject {
    Q_OBJECT
private slots:
    void groupsAreBalanced_data()
    {
        QTest::addColumn<int>("items");
        QTest::addColumn<int>("groups");
        for (const int items : {5, 12, 100, 101})
            for (const int groups : {1, 2, 3, 5})
                QTest::addRow("%d in %d", items, groups) << items << groups;
    }
    void groupsAreBalanced()
    {
        QFETCH(int, items);
        QFETCH(int, groups);
        Matrix<double> gains(items, groups);
        for (std::int64_t i = 0; i < items; ++i)
            gains(i, 0) = static_cast<double>(i); // all would be in the first
        const auto found = balancedGroups(gains);
        std::vector<int> sizes(static_cast<std::size_t>(groups));
        for (const auto group : found)
            ++sizes.at(static_cast<std::size_t>(group));
        QVERIFY(*std::ranges::max_element(sizes) - *std::ranges::min_element(sizes) <= 1);
        if (groups > 1) // those who gain most by it are
            for (int i = items - 1; i > items - items / groups; --i)
                QCOMPARE(found[static_cast<std::size_t>(i)], 0);
    }
    /// Where there are blocks, they are found: all of the energy is kept and the encoder is the exact one.
    void hiddenBlocksAreFound()
    {
        const auto dictionary = hiddenBlocks(240, 24, 3);
        const std::vector<double> variance(24, 1.0);
        const Tiling tiling = energyTiling(dictionary->rows(), variance, 3, 20);
        double all = 0;
        for (std::int64_t i = 0; i < 240; ++i)
            for (std::int64_t j = 0; j < 24; ++j)
                all += static_cast<double>(dictionary->rows()(i, j)) * static_cast<double>(dictionary->rows()(i, j));
        QCOMPARE(keptEnergy(dictionary->rows(), variance, tiling), all);
        const Matrix<float> x = test::wholeTokens(60, 24);
        const auto tiled = tiledMethod().build(inputsOf(dictionary, {}), settings(3, "covariance", 0, "none"), {}).encoder;
        const SparseCodes found = tiled->encode(x.view()), expected = exactEncoder(dictionary)->encode(x.view());
        QVERIFY(found.first == expected.first && found.latents == expected.latents); // whole numbers; values below but for the solves' rounding
        for (std::size_t i = 0; i < found.values.size(); ++i)
            QVERIFY(std::abs(found.values[i] - expected.values[i]) < 1e-4F);
    }
    void dealingOutNeverKeepsLess()
    {
        const auto dictionary = test::bundledDictionary("vit20.block3.k16/sparsify");
        const Moments moments = momentsOf(dictionary->prepared(test::bundledRows("vit20", 0, 384).view()).view(), true);
        std::vector<double> variance;
        for (std::int64_t j = 0; j < 128; ++j)
            variance.push_back(moments.c(j, j));
        for (const std::int64_t tiles : {2, 4, 5, 16}) {
            const Tiling tiling = energyTiling(dictionary->rows(), variance, tiles, 20);
            QVERIFY(keptEnergy(dictionary->rows(), variance, tiling) > keptEnergy(dictionary->rows(), variance, runsOf(128, 2048, tiles)));
            for (std::int64_t tile = 0; tile < tiles; ++tile) {
                QVERIFY(std::abs(static_cast<double>(tiling.inputsOf(tile).size()) - 128.0 / static_cast<double>(tiles)) < 1);
                QVERIFY(std::abs(static_cast<double>(tiling.latentsOf(tile).size()) - 2048.0 / static_cast<double>(tiles)) < 1);
            }
        }
    }
    /// The rows are a least-squares optimum: the error is orthogonal to the tile's inputs, so that any step from them makes it larger, and less
    /// than that of the blocks of W. Doubles throughout.
    void rowsAreTheLeastSquares()
    {
        const auto dictionary = test::bundledDictionary("vit20.block3.k16/sparsify");
        const Matrix<float> x = dictionary->prepared(test::bundledRows("vit20", 0, 300).view());
        const Moments moments = momentsOf(x.view(), true);
        const Tiling tiling = runsOf(128, 2048, 32);
        const TileRows tile = tileRows(dictionary->rows(), moments, tiling, 5);
        const double least = tileError(x, dictionary->rows(), moments, tile, tile.rows);
        Matrix<double> block = tile.rows;
        for (std::size_t i = 0; i < tile.latents.size(); ++i)
            for (std::size_t j = 0; j < tile.inputs.size(); ++j)
                block(static_cast<std::int64_t>(i), static_cast<std::int64_t>(j)) = static_cast<double>(dictionary->rows()(tile.latents[i], tile.inputs[j]));
        QVERIFY(least < tileError(x, dictionary->rows(), moments, tile, block));
        for (const double step : {1e-2, -1e-2}) {
            Matrix<double> moved = tile.rows;
            for (std::size_t i = 0; i < moved.size(); ++i)
                moved.data()[i] += step * (i % 3 == 0 ? 1 : -0.5);
            QVERIFY(tileError(x, dictionary->rows(), moments, tile, moved) > least);
        }
        const TileRows plain = tileRows(dictionary->rows(), whiteMoments(128), tiling, 5);
        for (std::size_t i = 0; i < block.size(); ++i)
            QVERIFY(std::abs(plain.rows.data()[i] - block.data()[i]) < 1e-12);
    }
    /// One tile is the whole: exact, and with a rank the low-rank encoder. Float sums of 128 terms in another order.
    void oneTileIsTheWhole()
    {
        const auto dictionary = test::bundledDictionary("vit20.block3.k16/sparsify");
        const Inputs inputs = inputsOf(dictionary, dictionary->prepared(test::bundledRows("vit20", 0, 384).view()));
        const Matrix<float> x = dictionary->prepared(test::bundledRows("vit20", 384, 100).view());
        const Moments moments = weightedMoments(inputs, {}, {});
        const ScorerPtr full = tiledScorer(dictionary->rows(), dictionary->bias(), moments, runsOf(128, 2048, 1), 0);
        const Matrix<float> scores = allScores(*full, x.view());
        const auto exact = test::bruteCodes(*dictionary, x.view());
        for (std::int64_t t = 0; t < 100; ++t)
            for (std::size_t i = 0; i < exact.latentsOf(t).size(); ++i)
                QVERIFY(std::abs(scores(t, exact.latentsOf(t)[i]) - exact.valuesOf(t)[i]) < 1e-3F);
        std::vector<std::string> warnings;
        const Matrix<float> low = allScores(*weightedLowRankScorer(inputs, {}, 20, warnings, {}), x.view());
        const Matrix<float> tiled = allScores(*tiledScorer(dictionary->rows(), dictionary->bias(), moments, runsOf(128, 2048, 1), 20), x.view());
        for (std::size_t i = 0; i < low.size(); ++i)
            QVERIFY(std::abs(low.data()[i] - tiled.data()[i]) < 1e-2F);
    }
    /// T r (D / T + M / T) = r (D + M): tiles of a rank cost what a low rank costs, whatever their number.
    void tilesOfARankCostWhatTheRankCosts()
    {
        const auto dictionary = test::wholeDictionary(320, 64, 5);
        const Inputs inputs = inputsOf(dictionary, test::wholeTokens(100, 64));
        const auto macs = [&](std::int64_t tiles, std::int64_t rank) { return tiledMethod().build(inputs, settings(tiles, "covariance", rank), {}).encoder->cost().macs; };
        for (const std::int64_t tiles : {1, 2, 4, 8}) {
            QCOMPARE(macs(tiles, 6), 6.0 * (64 + 320));
            QCOMPARE(macs(tiles, 0), 64.0 * 320 / static_cast<double>(tiles));
        }
    }
    void doesNotDependOnThreadsOrNeighbours()
    {
        const auto dictionary = test::wholeDictionary(5000, 40, 7);
        const Matrix<float> x = test::wholeTokens(150, 40);
        const auto encoder = tiledMethod().build(inputsOf(dictionary, x), settings(3, "covariance", 5), {}).encoder;
        const SparseCodes all = encoder->encode(x.view());
        const ThreadLimit one(1);
        const SparseCodes again = tiledMethod().build(inputsOf(dictionary, x), settings(3, "covariance", 5), {}).encoder->encode(x.view());
        QVERIFY(again.latents == all.latents && again.values == all.values);
        const SparseCodes alone = encoder->encode({x.view().row(77).data(), 1, 40, 40});
        QVERIFY(std::ranges::equal(alone.latentsOf(0), all.latentsOf(77)) && std::ranges::equal(alone.valuesOf(0), all.valuesOf(77)));
    }
    void badRequestsAreRefused()
    {
        const auto dictionary = test::wholeDictionary(30, 8, 3);
        QVERIFY_THROWS_EXCEPTION(Error, runsOf(8, 30, 9));
        QVERIFY_THROWS_EXCEPTION(Error, runsOf(8, 30, 0));
        QVERIFY_THROWS_EXCEPTION(Error, tiledMethod().build(inputsOf(dictionary, {}), settings(2, "none", 0), {}));
        const Built built = tiledMethod().build(inputsOf(dictionary, {}), settings(2, "none", 40, "none"), {});
        QVERIFY(built.warnings.size() == 1 && QString::fromStdString(built.warnings[0]).contains("is 4, not 40"));
        // activations that do not vary at all leave nothing to fit but the mean
        const Built constant = tiledMethod().build(inputsOf(dictionary, Matrix<float>(20, 8)), settings(2, "none", 0, "none"), {});
        QVERIFY(constant.encoder != nullptr);
        QVERIFY_THROWS_EXCEPTION(Error, tiledMethod().build(inputsOf(dictionary, Matrix<float>(20, 8)), settings(2, "none", 0), {}));
    }
};

TAMIS_BLAS_TEST_MAIN(TestTiled)
#include "tst_tiled.moc"
