// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/low_rank.h"
#include "tests/core/base/failure.h"
#include "tests/core/encoder/bundled.h"
#include "tests/core/encoder/dictionaries.h"
#include "tests/core/linalg/blas_main.h"

using namespace tamis;
using tamis::test::failure;
using namespace tamis::encoder;
using tensor::Matrix;

namespace {
/// E |(W - B A)(x - mean)|^2 over the rows, in double and one number after the other.
double errorOver(const Matrix<float>& rows, tensor::MatrixView<const float> w, const WeightedFactors& factors, const std::vector<double>& mean)
{
    double sum = 0;
    for (std::int64_t t = 0; t < rows.rows(); ++t) {
        std::vector<double> x(mean.size()), inner(static_cast<std::size_t>(factors.a.rows()));
        for (std::size_t j = 0; j < x.size(); ++j)
            x[j] = static_cast<double>(rows(t, static_cast<std::int64_t>(j))) - mean[j];
        for (std::size_t r = 0; r < inner.size(); ++r)
            for (std::size_t j = 0; j < x.size(); ++j)
                inner[r] += factors.a(static_cast<std::int64_t>(r), static_cast<std::int64_t>(j)) * x[j];
        for (std::int64_t i = 0; i < w.rows; ++i) {
            double difference = 0;
            for (std::size_t j = 0; j < x.size(); ++j)
                difference += static_cast<double>(w(i, static_cast<std::int64_t>(j))) * x[j];
            for (std::size_t r = 0; r < inner.size(); ++r)
                difference -= factors.b(i, static_cast<std::int64_t>(r)) * inner[r];
            sum += difference * difference;
        }
    }
    return sum / static_cast<double>(rows.rows());
}

double tail(const std::vector<double>& squares, std::int64_t rank)
{
    double sum = 0;
    for (std::size_t i = squares.size(); i-- > static_cast<std::size_t>(rank);)
        sum += squares[i];
    return sum;
}

/// Rows that use some directions a hundred times as much as others, about a mean that is not 0.
Matrix<float> unevenRows(std::int64_t tokens, std::int64_t width)
{
    Matrix<float> rows = test::wholeTokens(tokens, width);
    for (std::int64_t t = 0; t < tokens; ++t)
        for (std::int64_t j = 0; j < width; ++j)
            rows(t, j) = 3 + rows(t, j) * std::pow(100.0F, -static_cast<float>(j) / static_cast<float>(width));
    return rows;
}

Inputs inputsOf(std::shared_ptr<const Dictionary> dictionary, Matrix<float> calibration)
{
    Inputs inputs;
    inputs.dictionary = std::move(dictionary);
    inputs.calibration = std::move(calibration);
    return inputs;
}

Parameters with(std::int64_t rank, const std::string& weighting = "activations")
{
    Parameters parameters;
    parameters.set("rank", rank);
    parameters.set("weighting", weighting);
    return lowRankMethod().declaration.schema.complete(parameters);
}
} // namespace

class TestEncoderLowRank : public QObject {
    Q_OBJECT
private slots:
    /// The error that is measured on the calibration rows is the tail of the singular values, and no more than the plain SVD's; about
    /// the mean it is no more than without. Doubles throughout: 1e-9 of the whole leaves room for the eigen-solver's n eps.
    void errorsAreTheTailOfTheSingularValues()
    {
        const auto dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(90, 24, 5)));
        const Matrix<float> rows = unevenRows(200, 24);
        const auto w = dictionary->rows();
        const Moments centred = momentsOf(rows.view(), true), uncentred = momentsOf(rows.view(), false), white = whiteMoments(24);
        for (const std::int64_t rank : {1, 3, 10, 23, 24}) {
            const auto about = weightedFactors(w, centred, rank), raw = weightedFactors(w, uncentred, rank), plain = weightedFactors(w, white, rank);
            const double whole = tail(raw.squares, 0);
            const double errorRaw = errorOver(rows, w, raw, uncentred.mean), errorCentred = errorOver(rows, w, about, centred.mean);
            QVERIFY(std::abs(errorRaw - tail(raw.squares, rank)) < 1e-9 * whole);
            QVERIFY(std::abs(errorCentred - tail(about.squares, rank)) < 1e-9 * whole);
            QVERIFY(errorRaw <= errorOver(rows, w, plain, uncentred.mean) + 1e-9 * whole);
            QVERIFY(errorCentred <= errorRaw + 1e-9 * whole);
            if (rank == 10)
                QVERIFY(errorRaw < 0.5 * errorOver(rows, w, plain, uncentred.mean)); // these rows reward weighing
        }
    }
    void directionsThatNoRowShowsAreLeftOut()
    {
        const auto dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(50, 16, 5)));
        const Matrix<float> rows = test::wholeTokens(6, 16);
        const auto factors = weightedFactors(dictionary->rows(), momentsOf(rows.view(), false), 12);
        QCOMPARE(factors.b.cols(), std::int64_t{6});
        QVERIFY(errorOver(rows, dictionary->rows(), factors, std::vector<double>(16)) < 1e-9 * tail(factors.squares, 0));
        Parameters parameters = with(12);
        parameters.set("ridge", 0.0);
        parameters.set("centre", false);
        const Built built = lowRankMethod().build(inputsOf(dictionary, rows), parameters, {});
        QCOMPARE(built.warnings.size(), std::size_t{1});
        QVERIFY(QString::fromStdString(built.warnings.front()).contains("rank is 6, not 12"));
    }
    /// Codes against scores taken in double from the same factors, sorted whole. Where float arithmetic (24 x 2^-24 of |b| |a x| here)
    /// could swap two latents, values must agree instead of latents.
    void codesAreThoseOfTheFactors_data()
    {
        QTest::addColumn<int>("latents");
        QTest::addColumn<int>("tokens");
        QTest::newRow("one slab") << 300 << 20;
        QTest::newRow("several slabs and tiles") << 5000 << 300;
    }
    void codesAreThoseOfTheFactors()
    {
        QFETCH(int, latents);
        QFETCH(int, tokens);
        const auto dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(latents, 24, 9)));
        const Matrix<float> rows = unevenRows(tokens, 24);
        const Built built = lowRankMethod().build(inputsOf(dictionary, rows), with(7), {});
        const SparseCodes codes = built.encoder->encode(rows.view());
        Moments moments = momentsOf(rows.view(), true);
        addRidge(moments, 1e-4);
        const auto factors = weightedFactors(dictionary->rows(), moments, 7);
        const auto bias = foldedBias(dictionary->rows(), dictionary->bias(), factors, moments.mean);
        for (std::int64_t t = 0; t < tokens; t += 7) {
            std::vector<double> inner(7), scores, best;
            for (std::int64_t r = 0; r < 7; ++r)
                for (std::int64_t j = 0; j < 24; ++j)
                    inner[static_cast<std::size_t>(r)] += factors.a(r, j) * static_cast<double>(rows(t, j));
            for (std::int64_t i = 0; i < latents; ++i) {
                double score = static_cast<double>(bias[static_cast<std::size_t>(i)]);
                for (std::int64_t r = 0; r < 7; ++r)
                    score += factors.b(i, r) * inner[static_cast<std::size_t>(r)];
                scores.push_back(score);
            }
            best = scores;
            std::ranges::sort(best, std::greater<>());
            QCOMPARE(codes.latentsOf(t).size(), std::size_t{9});
            for (std::size_t i = 0; i < 9; ++i) {
                const double value = static_cast<double>(codes.valuesOf(t)[i]);
                QVERIFY(std::abs(value - scores[static_cast<std::size_t>(codes.latentsOf(t)[i])]) < 1e-4);
                QVERIFY(std::abs(value - best[i]) < 1e-4);
            }
        }
    }
    /// At full rank nothing is approximated: on the bundled autoencoder the codes are the exact ones.
    void fullRankIsExact()
    {
        const auto dictionary = test::bundledDictionary("vit20.block3.k16/sparsify");
        const Matrix<float> x = dictionary->prepared(test::bundledRows("vit20", 0, 100).view());
        const Built built = lowRankMethod().build(inputsOf(dictionary, x), with(128), {});
        QVERIFY(built.warnings.empty());
        const SparseCodes codes = built.encoder->encode(x.view()), expected = test::bruteCodes(*dictionary, x.view());
        QVERIFY(codes.first == expected.first);
        for (std::int64_t t = 0; t < 100; ++t) {
            std::vector<std::int32_t> a(codes.latentsOf(t).begin(), codes.latentsOf(t).end()), b(expected.latentsOf(t).begin(), expected.latentsOf(t).end());
            std::ranges::sort(a);
            std::ranges::sort(b);
            QVERIFY(a == b);
        }
    }
    void doesNotDependOnThreadsOrNeighbours()
    {
        const auto dictionary = test::bundledDictionary("vit20.block3.k32/sparsify");
        const Matrix<float> x = dictionary->prepared(test::bundledRows("vit20", 0, 400).view());
        const Built built = lowRankMethod().build(inputsOf(dictionary, x), with(20), {});
        const SparseCodes all = built.encoder->encode(x.view());
        {
            const ThreadLimit one(1);
            const SparseCodes again = built.encoder->encode(x.view());
            QVERIFY(again.latents == all.latents && again.values == all.values);
        }
        for (const std::int64_t t : {0, 63, 64, 399}) {
            const SparseCodes alone = built.encoder->encode({x.view().row(t).data(), 1, x.cols(), x.cols()});
            QVERIFY(std::ranges::equal(alone.latentsOf(0), all.latentsOf(t)) && std::ranges::equal(alone.valuesOf(0), all.valuesOf(t)));
        }
    }
    void costIsCountedFromTheShapes()
    {
        const auto dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(300, 40, 5)));
        const EncoderCost cost = lowRankMethod().build(inputsOf(dictionary, {}), with(6, "none"), {}).encoder->cost();
        QCOMPARE(cost.macs, 6.0 * (300 + 40));
        QCOMPARE(cost.parameters, std::uint64_t{6 * 340 + 300});
        QCOMPARE(cost.bytes, std::uint64_t{4 * (6 * 340 + 300)});
    }
    void badRequestsAreRefused()
    {
        const auto dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(300, 40, 5)));
        const Method method = lowRankMethod();
        QVERIFY(failure([&] { method.build(inputsOf(dictionary, {}), with(6), {}); }, ErrorCode::InvalidParameter).contains("no calibration activations"));
        QVERIFY(failure([&] { method.build(inputsOf(dictionary, test::wholeTokens(9, 41)), with(6), {}); }, ErrorCode::InvalidParameter).contains("41 features, expected the 40"));
        const Built built = method.build(inputsOf(dictionary, test::wholeTokens(90, 40)), with(6), {});
        QVERIFY(failure([&] { built.encoder->encode(test::wholeTokens(3, 39).view()); }, ErrorCode::InvalidParameter).contains("39 features, expected the 40"));
        std::stop_source stop;
        stop.request_stop();
        QVERIFY(failure([&] { built.encoder->encode(test::wholeTokens(3, 40).view(), RunContext(stop.get_token())); }, ErrorCode::Cancelled).contains("stopped on request"));
    }
};

TAMIS_BLAS_TEST_MAIN(TestEncoderLowRank)
#include "tst_encoder_low_rank.moc"
