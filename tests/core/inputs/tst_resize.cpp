// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/inputs/resize.h"
#include "tests/core/inputs/image_golden.h"

#include <QTest>

#include <random>

using namespace tamis;
using namespace tamis::inputs;

namespace {
Image noise(std::int64_t width, std::int64_t height, unsigned seed)
{
    std::mt19937 random(seed);
    Image image = blankImage(width, height);
    for (std::uint8_t& byte : image.rgb)
        byte = static_cast<std::uint8_t>(random());
    return image;
}

ErrorCode codeOf(auto&& call)
{
    try {
        call();
    } catch (const Error& error) {
        return error.code();
    }
    return ErrorCode::Cancelled; // nothing here throws it
}
} // namespace

class TstResize : public QObject
{
    Q_OBJECT
private slots:
    void asPillow_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("photo");
        QTest::addColumn<QString>("detail");
        const auto goldens = test::imageGoldens("resize");
        QVERIFY(goldens.size() > 20);
        for (const auto& each : goldens)
            QTest::newRow(qPrintable(each.name)) << each.name << each.photo << each.detail;
    }
    // Bit for bit: the arithmetic is the reference's, in whole numbers.
    void asPillow()
    {
        QFETCH(QString, name);
        QFETCH(QString, photo);
        QFETCH(QString, detail);
        const QStringList words = detail.split(' ');
        const auto interpolation = parseInterpolation(words[2].toStdString());
        QVERIFY(interpolation);
        const Image expected = test::goldenImage(test::imageArchive(), name.toStdString());
        const Image source = test::goldenImage(test::imageArchive(), photo.toStdString());
        const Image result = resized(source, words[0].toInt(), words[1].toInt(), *interpolation);
        QCOMPARE(result.width, expected.width);
        QCOMPARE(result.height, expected.height);
        QVERIFY(result.rgb == expected.rgb);
        QVERIFY(source.rgb != expected.rgb);
    }

    void sameSizeIsTheSamePicture()
    {
        const Image image = noise(31, 17, 1);
        for (const Interpolation each : {Interpolation::Nearest, Interpolation::Bicubic, Interpolation::Lanczos})
            QVERIFY(resized(image, 31, 17, each) == image);
    }
    // The weights of every window sum to one up to their rounding, so one colour stays that colour.
    void oneColourStays()
    {
        Image image = blankImage(37, 53);
        for (std::size_t i = 0; i < image.rgb.size(); ++i)
            image.rgb[i] = std::array<std::uint8_t, 3>{0, 131, 255}[i % 3];
        for (const Interpolation each : {Interpolation::Nearest, Interpolation::Box, Interpolation::Bilinear, Interpolation::Hamming, Interpolation::Bicubic,
                                         Interpolation::Lanczos})
            for (const auto& [width, height] : {std::pair{5, 90}, std::pair{64, 64}, std::pair{1, 1}, std::pair{36, 53}}) {
                const Image result = resized(image, width, height, each);
                for (std::size_t i = 0; i < result.rgb.size(); ++i)
                    QCOMPARE(result.rgb[i], image.rgb[i % 3]);
            }
    }
    // The box filter at a whole reduction is the mean of the block; the two roundings (a row's mean, then the column's) are
    // each within a half.
    void boxIsTheMeanOfBlocks()
    {
        const Image image = noise(24, 12, 2);
        const Image result = resized(image, 6, 3, Interpolation::Box);
        for (std::int64_t y = 0; y < 3; ++y)
            for (std::int64_t x = 0; x < 18; ++x) {
                double sum = 0;
                for (std::int64_t i = 0; i < 16; ++i)
                    sum += image.row(y * 4 + i / 4)[(x / 3 * 4 + i % 4) * 3 + x % 3];
                QVERIFY(std::abs(sum / 16 - result.row(y)[x]) <= 1.0);
            }
    }
    // Rows and columns are treated alike up to the order of the two roundings: turning the picture turns the result.
    void turningThePictureTurnsTheResult()
    {
        const Image image = noise(40, 23, 3);
        Image turned = blankImage(23, 40);
        for (std::int64_t y = 0; y < 40; ++y)
            for (std::int64_t x = 0; x < 23; ++x)
                std::copy_n(image.row(x) + y * 3, 3, turned.row(y) + x * 3);
        const Image a = resized(image, 17, 31, Interpolation::Bicubic), b = resized(turned, 31, 17, Interpolation::Bicubic);
        int worst = 0;
        for (std::int64_t y = 0; y < a.height; ++y)
            for (std::int64_t x = 0; x < a.width; ++x)
                for (int c = 0; c < 3; ++c)
                    worst = std::max(worst, std::abs(a.row(y)[x * 3 + c] - b.row(x)[y * 3 + c]));
        // Half a unit of the picture between the passes, times the sum of |weights| (at most 1.25 for bicubic), and clipping of
        // that picture, which noise reaches: a wrong window would differ by dozens.
        QVERIFY2(worst <= 16, qPrintable(QString::number(worst)));
    }
    void impossibleSizesAreRefused()
    {
        const Image image = noise(4, 4, 4);
        QCOMPARE(codeOf([&] { resized(image, 0, 4, Interpolation::Box); }), ErrorCode::InvalidParameter);
        QCOMPARE(codeOf([&] { resized(image, 4, -1, Interpolation::Box); }), ErrorCode::InvalidParameter);
        QCOMPARE(codeOf([&] { resized(image, 70'000, 4, Interpolation::Box); }), ErrorCode::LimitExceeded);
        QCOMPARE(codeOf([&] { resized(image, 65'535, 65'535, Interpolation::Nearest); }), ErrorCode::LimitExceeded);
        QCOMPARE(codeOf([&] { resized(Image{3, 3, {1, 2, 3}}, 4, 4, Interpolation::Box); }), ErrorCode::InvalidParameter);
        QCOMPARE(codeOf([&] { resized(Image{}, 4, 4, Interpolation::Box); }), ErrorCode::InvalidParameter);
    }
    void namesGoBothWays()
    {
        for (const char* name : {"nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"})
            QCOMPARE(interpolationName(parseInterpolation(name).value()), std::string_view(name));
        QVERIFY(!parseInterpolation("cubic"));
    }
};

QTEST_GUILESS_MAIN(TstResize)
#include "tst_resize.moc"
