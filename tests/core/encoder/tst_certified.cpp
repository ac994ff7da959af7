// SPDX-License-Identifier: GPL-3.0-or-later
// Sets and values are the exact encoder's, to the bit, whatever the dictionary; certificates say why.
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/certified.h"
#include "core/encoder/exact.h"
#include "core/io/npz.h"
#include "core/kernels/packed_matrix.h"
#include "tests/core/base/stop_clock.h"
#include "tests/core/encoder/certified_dictionaries.h"
#include "tests/core/encoder/dictionaries.h"

#include <QTest>

#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

using namespace tamis;
using namespace tamis::encoder;

namespace {
CertifiedSettings settingsOf(int bits, bool rotated, double cap = 1, double delta = 1e-6)
{
    return {.quantisation = {.bits = bits, .rotated = rotated, .delta = delta, .seed = 3}, .cap = cap};
}

struct Portable {
    explicit Portable(bool portable) { kernels::forcePortableKernels(portable); }
    ~Portable() { kernels::forcePortableKernels(false); }
};

/// What a certificate says follows from the codes and all scores.
QString contradiction(const Dictionary& dictionary, tensor::MatrixView<const float> x, const SparseCodes& codes, const EncodeTrace& trace)
{
    for (std::int64_t t = 0; t < x.rows; ++t) {
        const TokenCertificate& certificate = trace.certificates[static_cast<std::size_t>(t)];
        const auto found = codes.latentsOf(t);
        if (!(certificate.margin >= 0))
            return QString("token %1 has the margin %2").arg(t).arg(static_cast<double>(certificate.margin));
        if (certificate.candidates < static_cast<std::int32_t>(found.size()) || certificate.candidates > dictionary.latents())
            return QString("token %1 has %2 candidates").arg(t).arg(certificate.candidates);
        if (!certificate.dense && trace.ranking[static_cast<std::size_t>(t)].size() != static_cast<std::size_t>(certificate.candidates))
            return QString("token %1 lists other candidates than it counts").arg(t);
        // no score outside of the result is above the k-th value less the margin
        const double least = found.size() == static_cast<std::size_t>(dictionary.k()) ? static_cast<double>(codes.valuesOf(t).back()) : 0.0;
        for (std::int64_t i = 0; i < dictionary.latents(); ++i) {
            double z = static_cast<double>(dictionary.bias()[static_cast<std::size_t>(i)]);
            for (std::int64_t j = 0; j < x.cols; ++j)
                z += static_cast<double>(dictionary.rows()(i, j)) * static_cast<double>(x(t, j));
            const bool inside = std::ranges::find(found, static_cast<std::int32_t>(i)) != found.end();
            if (!inside && z > least - static_cast<double>(certificate.margin) + 1e-5 * (1 + std::abs(z)))
                return QString("token %1, latent %2: %3 lies above %4 - %5").arg(t).arg(i).arg(z).arg(least).arg(static_cast<double>(certificate.margin));
        }
    }
    return {};
}
} // namespace

class TestCertified : public QObject {
    Q_OBJECT
private slots:
    /// Whole numbers: the definition's codes to the bit, with all their ties.
    void wholeNumbersGiveTheDefinitionsCodes_data()
    {
        QTest::addColumn<int>("latents");
        QTest::addColumn<int>("width");
        QTest::addColumn<int>("k");
        QTest::newRow("odd shape") << 301 << 37 << 12;
        QTest::newRow("several shards") << 4500 << 12 << 30;
        QTest::newRow("k = M") << 50 << 9 << 50;
        QTest::newRow("one of everything") << 1 << 1 << 1;
        QTest::newRow("fewer positives than k") << 40 << 5 << 39;
    }
    void wholeNumbersGiveTheDefinitionsCodes()
    {
        QFETCH(int, latents);
        QFETCH(int, width);
        QFETCH(int, k);
        const auto dictionary = Dictionary::of(std::make_shared<const io::SparseAutoencoder>(test::wholeAutoencoder(latents, width, k)));
        const auto x = dictionary->prepared(test::wholeTokens(20, width).view());
        const SparseCodes expected = test::bruteCodes(*dictionary, x.view());
        for (const int bits : {8, 4})
            for (const bool rotated : {false, true})
                for (const bool portable : {false, true}) {
                    const Portable own(portable);
                    EncodeTrace trace;
                    const SparseCodes found = certifiedEncoder(dictionary, settingsOf(bits, rotated))->encode(x.view(), {}, &trace);
                    QVERIFY(test::sameCodes(found, expected));
                    const QString fault = contradiction(*dictionary, x.view(), found, trace);
                    QVERIFY2(fault.isEmpty(), qPrintable(fault));
                }
    }
    void hardDictionariesGiveTheExactEncodersCodes_data()
    {
        QTest::addColumn<int>("latents");
        QTest::addColumn<int>("width");
        QTest::addColumn<int>("k");
        QTest::addColumn<float>("scale");
        QTest::addColumn<float>("outlier");
        QTest::newRow("plain") << 900 << 128 << 16 << 1.0F << 1.0F;
        QTest::newRow("outliers") << 900 << 192 << 16 << 1.0F << 30.0F;
        QTest::newRow("odd width") << 700 << 67 << 16 << 1.0F << 30.0F;
        QTest::newRow("small scale") << 500 << 64 << 8 << 1e-18F << 1.0F;
        QTest::newRow("smallest scale") << 500 << 64 << 8 << 1e-36F << 1.0F;
        QTest::newRow("large scale") << 500 << 64 << 8 << 1e18F << 1.0F;
        QTest::newRow("beyond what is bounded") << 300 << 64 << 8 << 2e36F << 1.0F;
        QTest::newRow("k = M") << 200 << 64 << 200 << 1.0F << 30.0F;
    }
    void hardDictionariesGiveTheExactEncodersCodes()
    {
        QFETCH(int, latents);
        QFETCH(int, width);
        QFETCH(int, k);
        QFETCH(float, scale);
        QFETCH(float, outlier);
        const test::HardCase c = test::hardCase({.latents = latents, .width = width, .k = k, .tokens = 70, .scale = scale, .outlier = outlier});
        const SparseCodes expected = exactEncoder(c.dictionary)->encode(c.tokens.view());
        QVERIFY(!expected.latents.empty());
        // a token of zeros has its positive biases for scores: a few
        QCOMPARE(expected.latentsOf(1).size(), std::min(static_cast<std::size_t>(k), static_cast<std::size_t>(std::ranges::count_if(c.dictionary->bias(), [](float b) { return b > 0; }))));
        for (const int bits : {8, 4})
            for (const bool rotated : {false, true}) {
                EncodeTrace trace;
                const SparseCodes found = certifiedEncoder(c.dictionary, settingsOf(bits, rotated))->encode(c.tokens.view(), {}, &trace);
                QVERIFY(test::sameCodes(found, expected));
                if (scale != 1.0F)
                    continue; // the check below is for scores of usual size
                const QString fault = contradiction(*c.dictionary, c.tokens.view(), found, trace);
                QVERIFY2(fault.isEmpty(), qPrintable(fault));
            }
    }
    /// The point of it: few latents are scored.
    void fewAreScored()
    {
        const test::HardCase c = test::hardCase({.latents = 4000, .width = 256, .k = 32, .tokens = 10, .outlier = 30});
        EncodeTrace trace;
        certifiedEncoder(c.dictionary, settingsOf(8, true))->encode(c.tokens.view(), {}, &trace);
        double mean = 0;
        for (const TokenCertificate& each : trace.certificates) {
            QVERIFY(!each.dense);
            mean += each.candidates / 10.0;
        }
        QVERIFY(mean < 100); // z_k less twice a bound of 0.12 deviations, where the density of scores is some 300 a deviation
        QCOMPARE(trace.rowsScored, mean);
    }
    void candidatesComeInCoarseOrder()
    {
        const test::HardCase c = test::hardCase({});
        const QuantisedRows rows(*c.dictionary, settingsOf(8, true).quantisation);
        EncodeTrace trace;
        const SparseCodes codes = certifiedEncoder(c.dictionary, settingsOf(8, true))->encode(c.tokens.view(), {}, &trace);
        for (std::int64_t t = 0; t < c.tokens.rows(); ++t) {
            const auto bounds = rows.bounds(c.tokens.view().row(t));
            const auto& ranking = trace.ranking[static_cast<std::size_t>(t)];
            QVERIFY(std::ranges::is_sorted(ranking, std::greater<>(), [&](std::int32_t i) { return bounds.upper[static_cast<std::size_t>(i)]; }));
            for (const std::int32_t latent : codes.latentsOf(t))
                QVERIFY(std::ranges::find(ranking, latent) != ranking.end());
        }
    }
    /// With a cap of 0 only k latents may be scored: every token with more falls back and says so; the codes stay.
    void cappedTokensAreScoredDensely()
    {
        const test::HardCase c = test::hardCase({});
        EncodeTrace free, capped;
        const SparseCodes expected = certifiedEncoder(c.dictionary, settingsOf(4, true))->encode(c.tokens.view(), {}, &free);
        const SparseCodes found = certifiedEncoder(c.dictionary, settingsOf(4, true, 0))->encode(c.tokens.view(), {}, &capped);
        QVERIFY(test::sameCodes(found, expected));
        int dense = 0;
        for (std::size_t t = 0; t < free.certificates.size(); ++t) {
            QCOMPARE(capped.certificates[t].dense, free.certificates[t].candidates > c.dictionary->k());
            QCOMPARE(capped.certificates[t].candidates, capped.certificates[t].dense ? 700 : free.certificates[t].candidates);
            QVERIFY(capped.ranking[t].empty() || !capped.certificates[t].dense);
            dense += capped.certificates[t].dense;
        }
        QVERIFY(dense > 0);
        const QString fault = contradiction(*c.dictionary, c.tokens.view(), found, capped);
        QVERIFY2(fault.isEmpty(), qPrintable(fault));
    }
    void neighboursAndThreadsChangeNothing()
    {
        const test::HardCase c = test::hardCase({.latents = 9000, .width = 40, .k = 25, .tokens = 75, .outlier = 10});
        for (const int bits : {8, 4}) {
            const EncoderPtr encoder = certifiedEncoder(c.dictionary, settingsOf(bits, true));
            EncodeTrace expected;
            const SparseCodes codes = encoder->encode(c.tokens.view(), {}, &expected);
            for (const int threads : {1, 2, 7}) {
                const ThreadLimit limit(threads);
                EncodeTrace trace;
                QVERIFY(test::sameCodes(encoder->encode(c.tokens.view(), {}, &trace), codes));
                for (std::size_t t = 0; t < 75; ++t) {
                    QCOMPARE(trace.certificates[t].candidates, expected.certificates[t].candidates);
                    QCOMPARE(trace.certificates[t].margin, expected.certificates[t].margin);
                    QVERIFY(trace.ranking[t] == expected.ranking[t]);
                }
            }
            for (const std::int64_t t : {0, 40, 74}) {
                EncodeTrace alone;
                const SparseCodes one = encoder->encode({c.tokens.view().row(t).data(), 1, 40, 40}, {}, &alone);
                QVERIFY(std::ranges::equal(one.latentsOf(0), codes.latentsOf(t)) && std::ranges::equal(one.valuesOf(0), codes.valuesOf(t)));
                QCOMPARE(alone.certificates[0].margin, expected.certificates[static_cast<std::size_t>(t)].margin);
                QCOMPARE(alone.certificates[0].candidates, expected.certificates[static_cast<std::size_t>(t)].candidates);
            }
        }
    }
    /// 4 bits with delta = 0.5 over 200 draws: the sets fail for fewer tokens than half; with a small delta for none.
    void fourBitSetsFailRarely()
    {
        const test::HardCase c = test::hardCase({.latents = 300, .width = 64, .k = 10, .tokens = 4});
        const SparseCodes expected = exactEncoder(c.dictionary)->encode(c.tokens.view());
        for (const double delta : {0.5, 1e-6}) {
            int failures = 0;
            for (std::uint64_t seed = 0; seed < 200; ++seed) {
                const auto encoder = certifiedEncoder(c.dictionary, {.quantisation = {.bits = 4, .delta = delta, .seed = seed}, .cap = 1});
                const SparseCodes found = encoder->encode(c.tokens.view());
                for (std::int64_t t = 0; t < 4; ++t)
                    failures += !std::ranges::equal(found.latentsOf(t), expected.latentsOf(t));
            }
            QVERIFY(delta > 0.1 ? failures <= 400 : failures == 0);
        }
    }
    /// Only bounds that hold with a probability leave a certificate that may fail; where every latent was scored there is no doubt.
    void certificatesSayHowSureTheyAre()
    {
        const test::HardCase c = test::hardCase({.latents = 300, .width = 64, .k = 10, .tokens = 4});
        const auto failures = [&](int bits, double cap) {
            EncodeTrace trace;
            (void)certifiedEncoder(c.dictionary, settingsOf(bits, true, cap, 0.25))->encode(c.tokens.view(), {}, &trace);
            std::vector<std::pair<bool, float>> each;
            for (const TokenCertificate& token : trace.certificates)
                each.emplace_back(token.candidates == 300, token.failure);
            return each;
        };
        for (const auto& [all, failure] : failures(8, 1))
            QCOMPARE(failure, 0.0F);
        int scoredWhole = 0, bounded = 0;
        for (const double cap : {0.0, 1.0}) // with more than k candidates a token falls back, or none does
            for (const auto& [all, failure] : failures(4, cap)) {
                QCOMPARE(failure, all ? 0.0F : 0.25F);
                (all ? scoredWhole : bounded) += 1;
            }
        QVERIFY(scoredWhole > 0 && bounded > 0);
    }
    /// NumPy's sets, and its values in double: 72 products in float differ by less than 74 * 2^-24 times |w| |x| (at most 60 here) + |b|.
    void agreesWithNumpy()
    {
        const auto archive = io::NpzArchive::open(std::filesystem::path(TAMIS_SOURCE_DIR) / "tests" / "golden" / "certified_golden.npz");
        auto a = std::make_shared<io::SparseAutoencoder>();
        a->encoder = archive->read("w").toFloatMatrix();
        a->encoderBias = archive->read("b").toFloats();
        a->decoderBias.resize(static_cast<std::size_t>(a->width()));
        a->config.subtractDecoderBias = false;
        const tensor::Matrix<float> x = archive->read("x").toFloatMatrix();
        const tensor::Matrix<double> latents = archive->read("latents").toDoubleMatrix(), values = archive->read("values").toDoubleMatrix();
        a->config.k = latents.cols();
        const auto dictionary = Dictionary::of(std::move(a));
        std::vector<EncoderPtr> encoders{exactEncoder(dictionary)};
        for (const int bits : {8, 4})
            encoders.push_back(certifiedEncoder(dictionary, settingsOf(bits, true)));
        for (const EncoderPtr& encoder : encoders) {
            const SparseCodes codes = encoder->encode(x.view());
            for (std::int64_t t = 0; t < x.rows(); ++t) {
                QCOMPARE(codes.latentsOf(t).size(), static_cast<std::size_t>(latents.cols()));
                for (std::int64_t j = 0; j < latents.cols(); ++j) {
                    QCOMPARE(static_cast<double>(codes.latentsOf(t)[static_cast<std::size_t>(j)]), latents(t, j));
                    QVERIFY(std::abs(static_cast<double>(codes.valuesOf(t)[static_cast<std::size_t>(j)]) - values(t, j)) < 74 * std::ldexp(1.0, -24) * 61);
                }
            }
        }
    }
    /// 100 ms are promised; ten times that on a busy machine.
    void stopsSoon()
    {
        const test::HardCase c = test::hardCase({.latents = 20000, .width = 256, .k = 32, .tokens = 64});
        tensor::Matrix<float> many(20000, 256);
        for (std::int64_t t = 0; t < many.rows(); ++t)
            std::ranges::copy(c.tokens.view().row(t % 64), many.view().row(t).begin());
        for (const double cap : {1.0, 0.0}) {
            const EncoderPtr encoder = certifiedEncoder(c.dictionary, settingsOf(8, true, cap));
            std::stop_source source;
            tamis::test::StopClock clock;
            std::jthread stopper([&] {
                std::this_thread::sleep_for(std::chrono::milliseconds(50));
                clock.ask(source);
            });
            try {
                encoder->encode(many.view(), RunContext(source.get_token()));
                QFAIL("was not stopped");
            } catch (const Error& error) {
                QVERIFY(error.code() == ErrorCode::Cancelled);
            }
            stopper.join();
            QVERIFY(clock.seconds() < tamis::test::kSoonSeconds);
        }
    }
    void theMethodTakesItsParameters()
    {
        const test::HardCase c = test::hardCase({});
        const SparseCodes expected = exactEncoder(c.dictionary)->encode(c.tokens.view());
        for (const char* bits : {"8", "4"}) {
            Parameters parameters;
            parameters.set("bits", std::string(bits));
            parameters.set("rotation", std::string("none"));
            parameters.set("cap", 0.7);
            const Built built = findMethod("encoder.certified")->build({.dictionary = c.dictionary, .calibration = {}, .seed = 5}, parameters, {});
            QVERIFY(test::sameCodes(built.encoder->encode(c.tokens.view()), expected));
            QCOMPARE(built.warnings.size(), std::size_t{*bits == '4' ? 1U : 0U});
            QVERIFY(*bits == '8' || QString::fromStdString(built.warnings.front()).contains("probability 1 - 0.001"));
            const EncoderCost cost = built.encoder->cost();
            QVERIFY(cost.bytesRead < 700 * 104 * 4 / (*bits == '8' ? 3.0 : 5.0) && cost.bytes > 700 * 100 * 4);
        }
    }
    void badRequestsAreRefused()
    {
        const test::HardCase c = test::hardCase({});
        const auto refusal = [](const auto& run) {
            try {
                run();
            } catch (const Error& error) {
                return QString::fromUtf8(error.what());
            }
            return QString();
        };
        QVERIFY(refusal([&] { certifiedEncoder(c.dictionary, {.cap = 1.5}); }).contains("found a cap of 1.5"));
        QVERIFY(refusal([&] { certifiedEncoder(c.dictionary)->encode(test::wholeTokens(1, 7).view()); }).contains("reads 100 features a token, found 7"));
        auto broken = test::wholeAutoencoder(30, 4, 5);
        broken.encoderBias[9] = std::numeric_limits<float>::infinity();
        QVERIFY(refusal([&] { certifiedEncoder(Dictionary::of(std::make_shared<const io::SparseAutoencoder>(broken))); }).contains("latent 9"));
    }
};

QTEST_GUILESS_MAIN(TestCertified)
#include "tst_certified.moc"
