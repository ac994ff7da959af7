// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/encoder/dictionary.h"
#include "tests/core/base/failure.h"
#include "tests/core/encoder/dictionaries.h"

#include <QTest>

#include <limits>

using namespace tamis;
using tamis::test::failure;
using namespace tamis::encoder;
using io::SaeActivation;

namespace {
std::shared_ptr<const Dictionary> dictionaryOf(io::SparseAutoencoder autoencoder, std::int64_t k = 0)
{
    return Dictionary::of(std::make_shared<const io::SparseAutoencoder>(std::move(autoencoder)), k);
}
} // namespace

class TestDictionary : public QObject {
    Q_OBJECT
private slots:
    /// Whole numbers: the folded biases give the reference's codes to the bit, with the decoder's bias subtracted and without.
    void codesAreTheAutoencoders_data()
    {
        QTest::addColumn<bool>("subtract");
        QTest::newRow("bias subtracted") << true;
        QTest::newRow("not subtracted") << false;
    }
    void codesAreTheAutoencoders()
    {
        QFETCH(bool, subtract);
        auto autoencoder = test::wholeAutoencoder(300, 40, 12);
        autoencoder.config.subtractDecoderBias = subtract;
        const auto dictionary = dictionaryOf(autoencoder);
        const auto x = test::wholeTokens(25, 40);
        const SparseCodes expected = encode(autoencoder, x.view()), found = test::bruteCodes(*dictionary, dictionary->prepared(x.view()).view());
        QVERIFY(found.first == expected.first && found.latents == expected.latents && found.values == expected.values);
    }
    /// With k no smaller than what fires, the positive scores are the latents that JumpReLU lets through; decoding raises them again.
    void thresholdsAreFolded()
    {
        auto autoencoder = test::wholeAutoencoder(60, 20, 0, SaeActivation::JumpRelu);
        const auto dictionary = dictionaryOf(autoencoder, 60);
        const auto x = test::wholeTokens(15, 20);
        const SparseCodes expected = encode(autoencoder, x.view()), found = test::bruteCodes(*dictionary, dictionary->prepared(x.view()).view());
        QVERIFY(!expected.latents.empty());
        for (std::int64_t t = 0; t < 15; ++t) {
            std::vector<std::int32_t> a(expected.latentsOf(t).begin(), expected.latentsOf(t).end()), b(found.latentsOf(t).begin(), found.latentsOf(t).end());
            std::ranges::sort(a);
            std::ranges::sort(b);
            QVERIFY(a == b);
        }
        // whole numbers again: sums in another order are the same
        QVERIFY(dictionary->decoded(found, x.view()) == decode(autoencoder, expected, x.view()));
    }
    void normalisationIsKept()
    {
        auto autoencoder = test::wholeAutoencoder(8, 16, 4);
        autoencoder.config.normalisation = io::SaeNormalisation::ConstantNorm;
        const auto prepared = dictionaryOf(autoencoder)->prepared(test::wholeTokens(3, 16).view());
        for (std::int64_t t = 0; t < 3; ++t) {
            double squares = 0;
            for (const float value : prepared.view().row(t))
                squares += double(value) * double(value);
            QVERIFY(std::abs(squares - 16) < 1e-5); // |x|^2 = D, 16 roundings of 2^-24
        }
    }
    void badRequestsAreRefused()
    {
        QVERIFY(failure([] { dictionaryOf(test::wholeAutoencoder(8, 4, 2), 9); }, ErrorCode::InvalidParameter).contains("k = 9, expected 1 to the 8"));
        QVERIFY(failure([] { dictionaryOf(test::wholeAutoencoder(8, 4, 2), -1); }, ErrorCode::InvalidParameter).contains("k = -1"));
        QVERIFY(failure([] { dictionaryOf(test::wholeAutoencoder(8, 4, 0, SaeActivation::Relu)); }, ErrorCode::InvalidParameter).contains("states none"));
        QVERIFY(failure([] { dictionaryOf(test::wholeAutoencoder(8, 4, 2, SaeActivation::GroupMax)); }, ErrorCode::UnsupportedFeature).contains("groupmax"));
        const auto dictionary = dictionaryOf(test::wholeAutoencoder(8, 4, 2));
        auto x = test::wholeTokens(3, 4);
        x(1, 2) = std::numeric_limits<float>::quiet_NaN();
        QVERIFY(failure([&] { dictionary->prepared(x.view()); }, ErrorCode::NonFinite).contains("token 1"));
        QVERIFY(failure([&] { dictionary->prepared(test::wholeTokens(3, 5).view()); }, ErrorCode::InvalidParameter).contains("4 features"));
    }
};

QTEST_GUILESS_MAIN(TestDictionary)
#include "tst_dictionary.moc"
