// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/encoder/encoder_quality.h"
#include "core/encoder/method.h"
#include "core/io/npz.h"
#include "tests/core/base/failure.h"
#include "tests/core/encoder/bundled.h"
#include "tests/core/encoder/dictionaries.h"
#include "tests/core/linalg/blas_main.h"

#include <map>

using namespace tamis;
using tamis::test::failure;
using namespace tamis::encoder;
using tensor::Matrix;

namespace {
/// Says what it is told to say.
class Scripted final : public TopKEncoder {
public:
    Scripted(const Dictionary& dictionary, SparseCodes codes) : m_dictionary(dictionary), m_codes(std::move(codes)) {}
    std::int64_t width() const noexcept override { return m_dictionary.width(); }
    std::int64_t latents() const noexcept override { return m_dictionary.latents(); }
    std::int64_t k() const noexcept override { return m_dictionary.k(); }
    EncoderCost cost() const noexcept override { return {7, 28, 5.0, 28.0}; }
    SparseCodes encode(tensor::MatrixView<const float>, const RunContext&, EncodeTrace*) const override { return m_codes; }

private:
    const Dictionary& m_dictionary;
    SparseCodes m_codes;
};

report::EncoderReport measured(const ExactTokens& exact, const SparseCodes& codes)
{
    return measureEncoder(exact, Scripted(*exact.dictionary, codes), "encoder.scripted", {}, {});
}

/// The codes without the entry `drop` of each token that has one.
SparseCodes without(const SparseCodes& codes, std::size_t drop)
{
    SparseCodes less;
    for (std::int64_t t = 0; t < codes.tokens(); ++t) {
        for (std::size_t i = 0; i < codes.latentsOf(t).size(); ++i)
            if (i != drop) {
                less.latents.push_back(codes.latentsOf(t)[i]);
                less.values.push_back(codes.valuesOf(t)[i]);
            }
        less.first.push_back(less.latents.size());
    }
    return less;
}

std::vector<double> golden(const std::string& name)
{
    return io::NpzArchive::open(TAMIS_SOURCE_DIR "/tests/golden/encoder_golden.npz")->read(name).toDoubles();
}
} // namespace

class TestEncoderQuality : public QObject {
    Q_OBJECT
    std::shared_ptr<const ExactTokens> m_whole;

private slots:
    void initTestCase()
    {
        auto dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(300, 40, 12)));
        m_whole = exactTokens(dictionary, test::wholeTokens(140, 40));
    }
    void exactSetsAreThoseOfTheDefinition()
    {
        const auto expected = test::bruteCodes(*m_whole->dictionary, m_whole->prepared.view());
        QVERIFY(m_whole->codes.first == expected.first && m_whole->codes.latents == expected.latents && m_whole->codes.values == expected.values);
    }
    void exactCodesLoseNothing()
    {
        const auto report = measured(*m_whole, m_whole->codes);
        const auto& q = report.quality;
        QVERIFY(q.recallMean == 1 && q.recallP5 == 1 && q.recallP1 == 1 && q.recallMin == 1 && q.valueError == 0);
        QVERIFY(q.fvu == q.fvuExact && q.meanActive == q.meanActiveExact && q.meanActive == 12);
        QVERIFY(report.missed.empty() && report.tokens == 140 && report.outcomes.size() == 140);
        QVERIFY(report.cost.macs == 5 && report.cost.bytes == 28 && report.exactCost.macs >= 300 * 40);
        QVERIFY(report.latency.empty() && !report.certified && report.coarseRanks.empty());
    }
    /// One of twelve missed everywhere, each counted for its latent; the reconstruction misses it, too.
    void whatIsMissedIsCounted()
    {
        const auto report = measured(*m_whole, without(m_whole->codes, 0));
        QVERIFY(std::abs(report.quality.recallMean - 11.0 / 12) < 1e-12);
        QVERIFY(report.quality.recallMin == 11.0 / 12 && report.quality.meanActive == 11);
        std::map<std::int32_t, std::int64_t> expected, active;
        for (std::int64_t t = 0; t < 140; ++t) {
            ++expected[m_whole->codes.latentsOf(t)[0]];
            for (const auto latent : m_whole->codes.latentsOf(t))
                ++active[latent];
        }
        std::int64_t total = 0, last = 1000;
        for (const auto& missed : report.missed) {
            QCOMPARE(missed.count, expected[missed.latent]);
            QCOMPARE(missed.active, active[missed.latent]);
            QVERIFY(missed.count <= last);
            last = missed.count;
            total += missed.count;
        }
        QCOMPARE(total, std::int64_t{140});
        const auto decoded = m_whole->dictionary->decoded(without(m_whole->codes, 0), m_whole->inputs.view());
        QCOMPARE(report.quality.fvu, 1 - explainedVariance(m_whole->inputs.view(), decoded.view()));
    }
    void valueErrorsAreOfWhatWasFound()
    {
        SparseCodes codes = without(m_whole->codes, 3);
        for (float& value : codes.values)
            value *= 1.25F; // whole numbers: exact
        QVERIFY(std::abs(measured(*m_whole, codes).quality.valueError - 0.25) < 1e-12);
    }
    /// 140 tokens of which the first n miss one latent: the lower percentiles see them as soon as they are enough.
    void percentilesAreByNearestRank()
    {
        const SparseCodes less = without(m_whole->codes, 0);
        for (const auto& [count, p1, p5] : {std::tuple{1, true, true}, {2, false, true}, {6, false, true}, {7, false, false}}) {
            SparseCodes codes;
            for (std::int64_t t = 0; t < 140; ++t) {
                const SparseCodes& from = t < count ? less : m_whole->codes;
                codes.latents.insert(codes.latents.end(), from.latentsOf(t).begin(), from.latentsOf(t).end());
                codes.values.insert(codes.values.end(), from.valuesOf(t).begin(), from.valuesOf(t).end());
                codes.first.push_back(codes.latents.size());
            }
            const auto& quality = measured(*m_whole, codes).quality;
            QCOMPARE(quality.recallMin, 11.0 / 12);
            QCOMPARE(quality.recallP1, p1 ? 1.0 : 11.0 / 12); // the ceil(1.4) = 2nd of 140
            QCOMPARE(quality.recallP5, p5 ? 1.0 : 11.0 / 12); // the 7th
        }
        QCOMPARE(nearestRank({3, 1, 2}, 0), 1.0);
        QCOMPARE(nearestRank({3, 1, 2}, 34), 2.0);
        QCOMPARE(nearestRank({3, 1, 2}, 100), 3.0);
    }
    void tokensWithoutPositiveLatentsDoNotCount()
    {
        auto autoencoder = test::wholeAutoencoder(30, 8, 3);
        std::ranges::fill(autoencoder.encoderBias, -1000.0F); // nothing fires but for large inputs
        Matrix<float> x = test::wholeTokens(4, 8);
        for (float& value : x.view().row(2))
            value *= 1000;
        const auto exact = exactTokens(Dictionary::of(std::make_shared<const io::SparseAutoencoder>(autoencoder)), std::move(x));
        QVERIFY(exact->codes.latentsOf(0).empty() && !exact->codes.latentsOf(2).empty());
        SparseCodes none;
        none.first.assign(5, 0);
        const auto report = measured(*exact, none);
        QVERIFY(report.quality.recallMean == 0 && report.outcomes[0].recall == 1 && report.outcomes[2].recall == 0);
        std::ranges::fill(autoencoder.encoderBias, -1e9F);
        const auto dead = exactTokens(Dictionary::of(std::make_shared<const io::SparseAutoencoder>(autoencoder)), test::wholeTokens(4, 8));
        const auto empty = measured(*dead, none);
        QVERIFY(std::isnan(empty.quality.recallMean) && std::isnan(empty.quality.valueError) && empty.quality.fvu == empty.quality.fvuExact);
    }
    /// The low-rank encoder on real activations against NumPy. Float scores are off by some 1e-6 of their size: of 6144 latents a handful
    /// could change places with the next one, so means may differ by 2 of them; percentiles are steps of 1/16 and may move by one.
    void agreesWithNumPy_data()
    {
        QTest::addColumn<bool>("centre");
        QTest::addColumn<QString>("weighting");
        QTest::newRow("weighted") << false << "activations";
        QTest::newRow("centred") << true << "activations";
        QTest::newRow("plain") << true << "none";
    }
    void agreesWithNumPy()
    {
        QFETCH(bool, centre);
        QFETCH(QString, weighting);
        const std::string name = QTest::currentDataTag();
        Inputs inputs;
        inputs.dictionary = test::bundledDictionary("vit20.block3.k16/sparsify");
        inputs.calibration = inputs.dictionary->prepared(test::bundledRows("vit20", 0, 384).view());
        const Method& method = *findMethod("encoder.low-rank");
        Parameters parameters;
        parameters.set("rank", std::int64_t{32});
        parameters.set("centre", centre);
        parameters.set("weighting", weighting.toStdString());
        parameters = method.declaration.schema.complete(parameters);
        const auto exact = exactTokens(inputs.dictionary, test::bundledRows("vit20", 384, 384));
        const Built built = method.build(inputs, parameters, {});
        const auto report = measureEncoder(*exact, *built.encoder, method.declaration.id, parameters, {});
        const auto expected = golden(name + ".summary"), recalls = golden(name + ".recalls");
        const auto& q = report.quality;
        QVERIFY(std::abs(q.recallMean - expected[0]) <= 2.0 / 6144 + 1e-12);
        QVERIFY(std::abs(q.recallP5 - expected[1]) <= 1.0 / 16 && std::abs(q.recallP1 - expected[2]) <= 1.0 / 16 && std::abs(q.recallMin - expected[3]) <= 1.0 / 16);
        QVERIFY(std::abs(q.valueError - expected[4]) < 1e-4 * expected[4]);
        QVERIFY(std::abs(q.fvu - expected[5]) < 1e-4 * expected[5] && std::abs(q.fvuExact - expected[6]) < 1e-5 * expected[6]);
        QVERIFY(q.meanActive == expected[7] && q.meanActiveExact == expected[8]);
        int different = 0;
        for (std::size_t t = 0; t < recalls.size(); ++t)
            different += std::abs(recalls[t] - report.outcomes[t].recall) > 1e-9;
        QVERIFY(different <= 2);
        const auto missed = golden(name + ".missed"); // latents, then how often
        QVERIFY(std::abs(static_cast<double>(report.missed.front().count) - missed[10]) <= 1);
        // ranks: what is found is within the first k of the coarse order, what is missed is not
        QCOMPARE(report.coarseRanks.size(), std::size_t{384 * 16});
        const auto within = static_cast<double>(std::ranges::count_if(report.coarseRanks, [](double rank) { return rank < 16; }));
        QVERIFY(std::abs(within / (384 * 16) - q.recallMean) < 1e-12);
    }
    void latencyIsMeasuredBesideTheExactEncoder()
    {
        MeasureOptions options;
        options.latencyBatches = {1, 8};
        options.latencySeconds = 0.01;
        const auto report = measureEncoder(*m_whole, Scripted(*m_whole->dictionary, m_whole->codes), "encoder.scripted", {}, options);
        QCOMPARE(report.latency.size(), std::size_t{2});
        for (const auto& latency : report.latency)
            QVERIFY(latency.p50 > 0 && latency.p99 >= latency.p50 && latency.exactP50 > 0);
        QVERIFY(report.latency[1].batch == 8);
    }
    void badRequestsAreRefused()
    {
        auto other = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(301, 40, 12)));
        QVERIFY(failure([&] { measureEncoder(*m_whole, Scripted(*other, m_whole->codes), "x", {}, {}); }, ErrorCode::InvalidParameter).contains("301 latents on 40 features with k = 12"));
        QVERIFY(failure([&] { exactTokens(other, Matrix<float>(0, 40)); }, ErrorCode::InvalidParameter).contains("no token"));
        QVERIFY(failure([&] { exactTokens(other, test::wholeTokens(3, 41)); }, ErrorCode::InvalidParameter).contains("40 features"));
    }
};

TAMIS_BLAS_TEST_MAIN(TestEncoderQuality)
#include "tst_encoder_quality.moc"
