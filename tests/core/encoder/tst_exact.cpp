// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/encoder/exact.h"
#include "tests/core/encoder/dictionaries.h"

#include <QTest>

#include <cmath>
#include <limits>
#include <random>

using namespace tamis;
using namespace tamis::encoder;
using kernels::ScanPrecision;

namespace {
std::shared_ptr<const Dictionary> dictionaryOf(io::SparseAutoencoder autoencoder, std::int64_t k = 0)
{
    return Dictionary::of(std::make_shared<const io::SparseAutoencoder>(std::move(autoencoder)), k);
}
EncoderPtr build(const std::shared_ptr<const Dictionary>& dictionary, const std::string& precision)
{
    Parameters parameters;
    parameters.set("precision", precision);
    return findMethod("encoder.exact")->build({.dictionary = dictionary, .calibration = {}}, parameters, {}).encoder;
}
} // namespace

class TestExact : public QObject {
    Q_OBJECT
private slots:
    /// Whole numbers of at most 3: float32 and bfloat16 rows hold them exactly, so that codes are the definition's to the bit, ties
    /// included.
    void codesAreTheDefinitions_data()
    {
        QTest::addColumn<int>("latents");
        QTest::addColumn<int>("width");
        QTest::addColumn<int>("k");
        QTest::newRow("odd shape") << 301 << 37 << 12;
        QTest::newRow("many latents") << 5000 << 16 << 30;
        QTest::newRow("k = M") << 50 << 9 << 50;
        QTest::newRow("one latent, one feature") << 1 << 1 << 1;
        QTest::newRow("fewer positives than k") << 40 << 5 << 39;
    }
    void codesAreTheDefinitions()
    {
        QFETCH(int, latents);
        QFETCH(int, width);
        QFETCH(int, k);
        const auto dictionary = dictionaryOf(test::wholeAutoencoder(latents, width, k));
        const auto x = dictionary->prepared(test::wholeTokens(23, width).view());
        const SparseCodes expected = test::bruteCodes(*dictionary, x.view());
        for (const char* precision : {"f32", "bf16"}) {
            EncodeTrace trace;
            QVERIFY(test::sameCodes(build(dictionary, precision)->encode(x.view(), {}, &trace), expected));
            QCOMPARE(trace.rowsScored, static_cast<double>(latents));
            QVERIFY(trace.certificates.empty() && trace.ranking.empty());
        }
    }
    /// int8: a row keeps its direction to half a step, so that every value is within half a step times |x|_1 of the exact one, plus
    /// the roundings of D float products.
    void int8ValuesAreWithinHalfAStep()
    {
        const auto dictionary = dictionaryOf(test::wholeAutoencoder(300, 40, 300));
        const auto x = test::wholeTokens(8, 40);
        const SparseCodes exact = test::bruteCodes(*dictionary, x.view()), found = build(dictionary, "int8")->encode(x.view());
        for (std::int64_t t = 0; t < 8; ++t) {
            double size = 0;
            for (const float value : x.view().row(t))
                size += std::abs(static_cast<double>(value));
            std::vector<float> values(300, 0.0F);
            for (std::size_t i = 0; i < exact.latentsOf(t).size(); ++i)
                values[static_cast<std::size_t>(exact.latentsOf(t)[i])] = exact.valuesOf(t)[i];
            for (std::size_t i = 0; i < found.latentsOf(t).size(); ++i)
                QVERIFY(std::abs(found.valuesOf(t)[i] - values[static_cast<std::size_t>(found.latentsOf(t)[i])]) <= 0.5 * 3.0 / 127 * size + 1e-4);
        }
    }
    void costIsWhatIsRead()
    {
        const auto dictionary = dictionaryOf(test::wholeAutoencoder(320, 40, 5));
        const double rows[]{4, 2, 1};
        const char* names[]{"f32", "bf16", "int8"};
        for (int i = 0; i < 3; ++i) {
            const EncoderCost cost = build(dictionary, names[i])->cost();
            QCOMPARE(cost.macs, 320.0 * 40);
            QCOMPARE(cost.parameters, std::uint64_t{320 * 41});
            QCOMPARE(cost.bytesRead, 320.0 * 40 * rows[i] + 320 * 4 * (i == 2 ? 2 : 1)); // biases, and scales of int8
            QCOMPARE(static_cast<double>(cost.bytes), cost.bytesRead);
        }
    }
    void badRequestsAreRefused()
    {
        const auto refusal = [](const auto& run, ErrorCode code) {
            try {
                run();
            } catch (const Error& error) {
                return error.code() == code ? QString::fromUtf8(error.what()) : "another error: " + QString::fromUtf8(error.what());
            }
            return QString("no error");
        };
        const auto dictionary = dictionaryOf(test::wholeAutoencoder(30, 4, 5));
        QVERIFY(refusal([&] { build(dictionary, "f32")->encode(test::wholeTokens(2, 5).view()); }, ErrorCode::InvalidParameter).contains("reads 4 features a token, found 5"));
        QVERIFY(refusal([&] { build(dictionary, "f64"); }, ErrorCode::InvalidParameter).contains("f64"));
        auto broken = test::wholeAutoencoder(30, 4, 5);
        broken.encoder(7, 2) = std::numeric_limits<float>::quiet_NaN();
        QVERIFY(refusal([&] { build(dictionaryOf(broken), "f32"); }, ErrorCode::NonFinite).contains("latent 7"));
        std::stop_source stopped;
        stopped.request_stop();
        QVERIFY(refusal([&] { build(dictionary, "f32")->encode(test::wholeTokens(2, 4).view(), RunContext(stopped.get_token())); }, ErrorCode::Cancelled) != "no error");
    }
};

QTEST_GUILESS_MAIN(TestExact)
#include "tst_exact.moc"
