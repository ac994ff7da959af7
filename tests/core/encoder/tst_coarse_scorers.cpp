// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/encoder/product_quantiser.h"
#include "core/encoder/quantised_scorer.h"
#include "tests/core/encoder/bundled.h"
#include "tests/core/encoder/dictionaries.h"
#include "tests/core/linalg/blas_main.h"

#include <random>

using namespace tamis;
using namespace tamis::encoder;
using tensor::Matrix;

namespace {
Matrix<float> normalRows(std::int64_t count, std::int64_t width, std::uint32_t seed)
{
    std::mt19937 random(seed);
    std::normal_distribution<float> draw;
    Matrix<float> rows(count, width);
    for (float& value : rows.values())
        value = draw(random);
    return rows;
}

/// E (z' - z)^2 over tokens and latents, z by the definition in double.
double scoreError(const Dictionary& dictionary, const CoarseScorer& scorer, const Matrix<float>& x)
{
    const Matrix<float> scores = allScores(scorer, x.view());
    double squares = 0;
    for (std::int64_t t = 0; t < x.rows(); ++t)
        for (std::int64_t i = 0; i < dictionary.latents(); ++i) {
            double z = static_cast<double>(dictionary.bias()[static_cast<std::size_t>(i)]);
            for (std::int64_t j = 0; j < x.cols(); ++j)
                z += static_cast<double>(dictionary.rows()(i, j)) * static_cast<double>(x(t, j));
            squares += (static_cast<double>(scores(t, i)) - z) * (static_cast<double>(scores(t, i)) - z);
        }
    return squares / static_cast<double>(x.rows() * dictionary.latents());
}

double distance(std::span<const float> a, std::span<const float> b)
{
    double sum = 0;
    for (std::size_t j = 0; j < a.size(); ++j)
        sum += (static_cast<double>(a[j]) - static_cast<double>(b[j])) * (static_cast<double>(a[j]) - static_cast<double>(b[j]));
    return sum;
}
} // namespace

class TestCoarseScorers : public QObject {
    Q_OBJECT
private slots:
    void rowsAreRoundedToTheNearest()
    {
        const std::vector<float> row{1, -1, 0.5F, 0.25F, 0, 1e-3F};
        const QuantisedRow eight = quantisedRow(row, 8);
        QCOMPARE(eight.scale, 1.0F / 127);
        for (std::size_t j = 0; j < row.size(); ++j)
            QVERIFY(std::abs(eight.scale * eight.values[j] - row[j]) <= eight.scale / 2 * 1.0001F); // float's rounding of the quotient
        QCOMPARE(quantisedRow(std::vector<float>(5, 0.0F), 4).scale, 0.0F);
        // of 4 bits the best scale of those that are stated; a row without outliers gains from clipping
        const Matrix<float> rows = normalRows(20, 200, 3);
        for (std::int64_t i = 0; i < 20; ++i) {
            const auto each = rows.view().row(i);
            const QuantisedRow four = quantisedRow(each, 4);
            double found = 0, largest = 0;
            for (std::size_t j = 0; j < each.size(); ++j) {
                const double difference = static_cast<double>(each[j]) - static_cast<double>(four.scale * four.values[j]);
                found += difference * difference;
                largest = std::max(largest, std::abs(static_cast<double>(each[j])));
                QVERIFY(std::abs(four.values[j]) <= 7);
            }
            double least = 1e300, unclipped = 0;
            for (int step = 0; step <= 12; ++step) {
                const double scale = largest / 7 * (1 - 0.05 * step);
                double error = 0;
                for (const float w : each) {
                    const double q = std::clamp(std::nearbyint(static_cast<double>(w) / scale), -7.0, 7.0);
                    error += (static_cast<double>(w) - q * scale) * (static_cast<double>(w) - q * scale);
                }
                least = std::min(least, error);
                unclipped = step == 0 ? error : unclipped;
            }
            QVERIFY(std::abs(found - least) < 1e-5 * least); // a float scale can put a weight at the edge of two values to either side
            QVERIFY(found < unclipped);
        }
    }
    /// Scores are those of the rounded rows, for few tokens and for many, at widths that fill no block. Float sums over 70 inputs.
    void scoresAreThoseOfTheRoundedRows_data()
    {
        QTest::addColumn<int>("bits");
        QTest::addColumn<int>("width");
        QTest::addColumn<int>("tokens");
        for (const int bits : {8, 4})
            for (const int width : {1, 37, 200})
                for (const int tokens : {1, 3, 70})
                    QTest::addRow("%d bits, width %d, %d tokens", bits, width, tokens) << bits << width << tokens;
    }
    void scoresAreThoseOfTheRoundedRows()
    {
        QFETCH(int, bits);
        QFETCH(int, width);
        QFETCH(int, tokens);
        const auto dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(2100, width, 3)));
        const Matrix<float> x = normalRows(tokens, width, 5);
        std::vector<double> mean(static_cast<std::size_t>(width), 0.75);
        const ScorerPtr plain = quantisedScorer(*dictionary, bits, {}), centred = quantisedScorer(*dictionary, bits, mean);
        const Matrix<float> scores = allScores(*plain, x.view()), about = allScores(*centred, x.view());
        for (std::int64_t t = 0; t < tokens; t += 23)
            for (std::int64_t i = 0; i < 2100; i += 11) {
                const QuantisedRow row = quantisedRow(dictionary->rows().row(i), bits);
                const double bias = static_cast<double>(dictionary->bias()[static_cast<std::size_t>(i)]);
                double z = bias, shift = 0;
                for (std::int64_t j = 0; j < width; ++j) {
                    const double stored = static_cast<double>(row.scale) * row.values[static_cast<std::size_t>(j)];
                    z += stored * static_cast<double>(x(t, j));
                    shift += (static_cast<double>(dictionary->rows()(i, j)) - stored) * 0.75;
                }
                QVERIFY(std::abs(static_cast<double>(scores(t, i)) - z) < 2e-4);
                QVERIFY(std::abs(static_cast<double>(about(t, i)) - z - shift) < 2e-4);
            }
    }
    void centringHelpsWhereTheMeanIsLarge()
    {
        const auto dictionary = test::bundledDictionary("vit20.block3.k16/sparsify");
        const Matrix<float> x = dictionary->prepared(test::bundledRows("vit20", 0, 100).view());
        const Moments moments = momentsOf(x.view(), true);
        QVERIFY(scoreError(*dictionary, *quantisedScorer(*dictionary, 4, moments.mean), x) <= scoreError(*dictionary, *quantisedScorer(*dictionary, 4, {}), x));
    }
    void kMeansErrorNeverRises()
    {
        const Matrix<float> rows = normalRows(700, 5, 9);
        const KMeans means = kMeans(rows.view(), 16, 20, 3);
        for (std::size_t i = 1; i < means.errors.size(); ++i)
            QVERIFY(means.errors[i] <= means.errors[i - 1] * (1 + 1e-6)); // centroids are rounded to float
        QVERIFY(means.errors.back() < 0.8 * means.errors.front());
        const auto codes = nearestCentroids(rows.view(), means.centroids.view());
        for (std::int64_t i = 0; i < 700; ++i)
            for (std::int64_t c = 0; c < 16; ++c) // |x|^2 does not enter float's comparison: 1e-5 of distances of some 10
                QVERIFY(distance(rows.view().row(i), means.centroids.view().row(codes[static_cast<std::size_t>(i)])) <= distance(rows.view().row(i), means.centroids.view().row(c)) + 1e-4);
    }
    void kMeansFindsClustersThatLieApart()
    {
        Matrix<float> rows(300, 2);
        const Matrix<float> noise = normalRows(300, 2, 1);
        for (std::int64_t i = 0; i < 300; ++i)
            for (std::int64_t j = 0; j < 2; ++j)
                rows(i, j) = static_cast<float>(j == 0 ? i % 3 * 100 : i % 3 * -40) + 0.1F * noise(i, j);
        const KMeans means = kMeans(rows.view(), 3, 20, 0);
        const auto codes = nearestCentroids(rows.view(), means.centroids.view());
        for (std::int64_t i = 3; i < 300; ++i)
            QCOMPARE(codes[static_cast<std::size_t>(i)], codes[static_cast<std::size_t>(i % 3)]);
        QVERIFY(codes[0] != codes[1] && codes[1] != codes[2] && codes[0] != codes[2]);
    }
    /// With a centroid for every row nothing is lost: 256 centroids give the scores up to float sums. 16 centroids for 16 rows lose the
    /// rounding of the tables alone: half a step for each of the parts.
    void enoughCentroidsLoseNothing()
    {
        const auto dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(200, 30, 3)));
        const Matrix<float> x = test::wholeTokens(9, 30);
        const Moments moments = momentsOf(test::wholeTokens(200, 30).view(), true);
        for (const Moments* weighting : {static_cast<const Moments*>(nullptr), &moments})
            for (const std::int64_t parts : {1, 4, 7, 30}) {
                const ScorerPtr scorer = productScorer(*dictionary, {.parts = parts, .centroids = 256, .iterations = 30}, weighting);
                QVERIFY2(scoreError(*dictionary, *scorer, x) < 1e-6, qPrintable(QString::number(parts)));
            }
        const auto few = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(16, 30, 3)));
        const ScorerPtr scorer = productScorer(*few, {.parts = 5, .centroids = 16, .iterations = 30}, nullptr);
        QVERIFY(scoreError(*few, *scorer, x) < 1); // scores reach 300; a part's table spans some 150, 1/255 of it is a step
    }
    /// Codes of the parts by the definition: each part of a row is next to its own centroid, tables are products with them.
    void weighingLessensTheErrorOfTheScores()
    {
        const auto dictionary = test::bundledDictionary("vit20.block3.k16/sparsify");
        const Matrix<float> calibration = dictionary->prepared(test::bundledRows("vit20", 0, 384).view()), x = dictionary->prepared(test::bundledRows("vit20", 384, 60).view());
        Moments moments = momentsOf(calibration.view(), true);
        addRidge(moments, 1e-4);
        double last = 1e30;
        for (const std::int64_t parts : {16, 32, 64}) {
            const ProductSettings settings{.parts = parts, .centroids = 16};
            const double weighted = scoreError(*dictionary, *productScorer(*dictionary, settings, &moments), x);
            const double plain = scoreError(*dictionary, *productScorer(*dictionary, settings, nullptr), x);
            QVERIFY2(weighted < plain, qPrintable(QString("%1 %2 %3").arg(parts).arg(weighted).arg(plain)));
            QVERIFY(weighted < last);
            last = weighted;
        }
    }
    void badSettingsAreRefused()
    {
        const auto dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(40, 10, 3)));
        QVERIFY_THROWS_EXCEPTION(Error, productScorer(*dictionary, {.parts = 11}, nullptr));
        QVERIFY_THROWS_EXCEPTION(Error, productScorer(*dictionary, {.parts = 0}, nullptr));
        QVERIFY_THROWS_EXCEPTION(Error, productScorer(*dictionary, {.parts = 2, .centroids = 17}, nullptr));
        QVERIFY_THROWS_EXCEPTION(Error, quantisedScorer(*dictionary, 5, {}));
        QVERIFY_THROWS_EXCEPTION(Error, kMeans(Matrix<float>(0, 3).view(), 16, 3, 0));
    }
};

TAMIS_BLAS_TEST_MAIN(TestCoarseScorers)
#include "tst_coarse_scorers.moc"
