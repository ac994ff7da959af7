// SPDX-License-Identifier: GPL-3.0-or-later
// Where tokens stand, and one latent over a sample.
#include "core/report/encoder_tokens.h"

#include <QTest>

using namespace tamis::report;

namespace {
/// Two photos of a class token and 2 x 3 patches.
TokenPlaces photos()
{
    TokenPlaces places;
    places.prefix = {"class token"};
    places.gridHeight = 2;
    places.gridWidth = 3;
    places.samples = {{"a.jpg", 0, 7, {}}, {"b.jpg", 7, 7, {}}};
    return places;
}
} // namespace

class TestEncoderTokens : public QObject {
    Q_OBJECT
private slots:
    void patchesAreCountedRowByRowBehindTheClassToken()
    {
        const auto places = photos();
        QCOMPARE(places.patchToken(0, 0, 0), std::int64_t(1));
        QCOMPARE(places.patchToken(1, 1, 2), std::int64_t(7 + 1 + 3 + 2));
        QCOMPARE(QString::fromStdString(placeName(places, 0)), QStringLiteral("class token"));
        QCOMPARE(QString::fromStdString(placeName(places, 7)), QStringLiteral("class token"));
        for (std::size_t p = 0; p < 2; ++p)
            for (std::int64_t r = 0; r < 2; ++r)
                for (std::int64_t c = 0; c < 3; ++c) {
                    QCOMPARE(placeName(places, places.patchToken(p, r, c)), "row " + std::to_string(r) + ", column " + std::to_string(c));
                    QCOMPARE(sampleOf(places, places.patchToken(p, r, c)), std::optional<std::size_t>(p));
                }
    }
    void tokensOutsideAreInNoSample()
    {
        const auto places = photos();
        QVERIFY(!sampleOf(places, -1));
        QCOMPARE(sampleOf(places, 13), std::optional<std::size_t>(1));
        QVERIFY(!sampleOf(places, 14));
        QVERIFY(placeName(places, 14).empty());
        QVERIFY(!sampleOf(TokenPlaces(), 0));
        TokenPlaces text;
        text.samples = {{"tokens 0 to 3", 0, 4, {"a", "b", "c", "d"}}};
        QCOMPARE(QString::fromStdString(placeName(text, 2)), QStringLiteral("position 2 of 4"));
    }
    void aLatentIsFollowedOverTheTokens()
    {
        SampleLatents sample;
        sample.coarse = true;
        const float none = std::numeric_limits<float>::quiet_NaN();
        sample.exact = {{{5, 3.0F, 0, 2.5F}, {6, 1.0F, 40, none}}, {{6, 2.0F, 1, 2.0F}}, {}, {{5, 4.0F, 9, none}}};
        sample.others = {{}, {{5, 0.5F}}, {{9, 7.0F}}, {}};
        const auto five = latentMap(sample, 5, 4);
        QCOMPARE(five.exact, (std::vector<float>{3, 0, 0, 4}));
        QCOMPARE(five.returned, (std::vector<float>{2.5F, 0.5F, 0, 0}));
        QCOMPARE(five.missed, (std::vector<char>{0, 0, 0, 1}));
        QCOMPARE(five.most, 4.0F);
        QCOMPARE(five.fires, std::int64_t(2));
        QCOMPARE(five.missing, std::int64_t(1));
        QCOMPARE(five.alone, std::int64_t(1));
        QCOMPARE(latentMap(sample, 5, 10).missing, std::int64_t(0)); // a wider cut has the place 9
        QCOMPARE(latentMap(sample, 6, 4).missing, std::int64_t(1));
        QCOMPARE(latentMap(sample, 9, 4).most, 7.0F); // fires nowhere: the colours are of what is returned
        QCOMPARE(latentMap(sample, 1, 4).most, 0.0F);
    }
    void withoutACoarseOrderNoCutCounts()
    {
        SampleLatents sample;
        sample.exact = {{{5, 3.0F, 11, 3.0F}, {6, 1.0F, -1}}};
        sample.others = {{}};
        QCOMPARE(latentMap(sample, 5, 1).missing, std::int64_t(0));
        QCOMPARE(latentMap(sample, 6, 1000).missing, std::int64_t(1));
    }
};

QTEST_GUILESS_MAIN(TestEncoderTokens)
#include "tst_encoder_tokens.moc"
