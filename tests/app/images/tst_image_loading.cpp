// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/images/image_loading.h"
#include "core/base/error.h"
#include "core/inputs/image_preprocess.h"
#include "core/inputs/image_preprocess_config.h"
#include "tests/core/inputs/image_golden.h"

#include <QBuffer>
#include <QDir>
#include <QImage>
#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>

using namespace tamis;
using app::listImages;
using app::loadImage;

namespace {
const QString kPhotos = QStringLiteral(TAMIS_SOURCE_DIR "/datasets/photos/");

QString refusal(auto&& call)
{
    try {
        call();
    } catch (const Error& error) {
        return QString::fromUtf8(errorCodeName(error.code()).data()) + ": " + error.what();
    }
    return "accepted";
}

/// The orientation tag as a camera writes it: an EXIF segment after the start of the JPEG.
QByteArray withOrientation(const QByteArray& jpeg, char orientation)
{
    QByteArray exif("Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0", 24);
    exif += QByteArray{1, orientation} + QByteArray(3, '\0') + QByteArray(4, '\0');
    const int length = static_cast<int>(exif.size()) + 2;
    return jpeg.left(2) + "\xFF\xE1" + QByteArray{1, static_cast<char>(length >> 8)} + QByteArray{1, static_cast<char>(length & 0xff)} + exif + jpeg.mid(2);
}
} // namespace

class TstImageLoading : public QObject
{
    Q_OBJECT
    QTemporaryDir m_directory;

    std::filesystem::path file(const QString& name) const { return m_directory.filePath(name).toStdString(); }
    std::filesystem::path saved(const QString& name, const QImage& image) const
    {
        if (!image.save(m_directory.filePath(name)))
            qFatal("cannot write %s", qPrintable(name));
        return file(name);
    }
    std::filesystem::path written(const QString& name, const QByteArray& bytes) const
    {
        QFile opened(m_directory.filePath(name));
        if (!opened.open(QIODevice::WriteOnly) || opened.write(bytes) != bytes.size())
            qFatal("cannot write %s", qPrintable(name));
        return file(name);
    }

private slots:
    void decodesAsPil_data()
    {
        QTest::addColumn<QString>("photo");
        for (const QString& name : QDir(kPhotos).entryList({"*.jpg"}))
            QTest::newRow(qPrintable(name)) << name;
    }
    // Every 23rd pixel of every 19th row. Decoders of JPEG may differ: the standard lets an inverse cosine transform be off by
    // one unit, and upsampling and colour conversion by one more each. With the same libjpeg-turbo the difference is 0.
    void decodesAsPil()
    {
        QFETCH(QString, photo);
        const auto archive = io::NpzArchive::open(TAMIS_SOURCE_DIR "/tests/golden/decoded.npz");
        const inputs::Image expected = test::goldenImage(*archive, photo.toStdString());
        const inputs::Image image = loadImage((kPhotos + photo).toStdString());
        QCOMPARE((image.width + 22) / 23, expected.width);
        QCOMPARE((image.height + 18) / 19, expected.height);
        int worst = 0;
        double sum = 0;
        for (std::int64_t y = 0; y < expected.height; ++y)
            for (std::int64_t x = 0; x < expected.width; ++x)
                for (int c = 0; c < 3; ++c) {
                    const int difference = std::abs(expected.row(y)[x * 3 + c] - image.row(y * 19)[x * 23 * 3 + c]);
                    worst = std::max(worst, difference);
                    sum += difference;
                }
        const double mean = sum / static_cast<double>(expected.rgb.size());
        QVERIFY2(worst <= 3 && mean <= 0.5, qPrintable(QStringLiteral("worst %1, mean %2").arg(worst).arg(mean)));
    }

    // The bundled goldens: the photos resized straight to 64 x 64 and normalised. A difference of one unit of the decoder or of
    // the resize is 1 / 255 / 0.224 after normalising.
    void vit20Goldens()
    {
        const auto archive = io::NpzArchive::open(TAMIS_SOURCE_DIR "/datasets/vit20/golden.npz");
        const io::NpyArray golden = archive->read("input");
        const std::vector<float> expected = golden.toFloats();
        const auto settings = inputs::squashed(inputs::readImagePreprocess(TAMIS_SOURCE_DIR "/datasets/vit20"));
        std::vector<float> values(settings.values());
        QCOMPARE(expected.size(), 2 * values.size());
        std::size_t at = 0;
        for (const char* photo : {"chelsea_cat.jpg", "coffee.jpg"}) {
            inputs::preprocess(loadImage((kPhotos + photo).toStdString()), settings, values);
            double worst = 0;
            for (const float value : values)
                worst = std::max(worst, std::abs(static_cast<double>(value) - static_cast<double>(expected[at++])));
            QVERIFY2(worst <= 1.0 / 255 / 0.224 + 1e-6, qPrintable(QString::number(worst)));
        }
    }

    void alphaIsDroppedNotBlended()
    {
        QImage picture(2, 1, QImage::Format_ARGB32);
        picture.setPixel(0, 0, qRgba(10, 20, 30, 0));
        picture.setPixel(1, 0, qRgba(200, 100, 50, 128));
        const inputs::Image image = loadImage(saved("alpha.png", picture));
        QCOMPARE(image.rgb, (std::vector<std::uint8_t>{10, 20, 30, 200, 100, 50}));
    }
    void palettes()
    {
        QImage picture(3, 1, QImage::Format_Indexed8);
        picture.setColorTable({qRgb(1, 2, 3), qRgba(250, 0, 9, 255), qRgba(7, 8, 9, 0)});
        for (int x = 0; x < 3; ++x)
            picture.setPixel(x, 0, static_cast<uint>(x));
        const inputs::Image image = loadImage(saved("palette.png", picture));
        QCOMPARE(image.rgb, (std::vector<std::uint8_t>{1, 2, 3, 250, 0, 9, 7, 8, 9}));
    }
    void grey()
    {
        QImage picture(2, 1, QImage::Format_Grayscale8);
        picture.bits()[0] = 5;
        picture.bits()[1] = 250;
        QCOMPARE(loadImage(saved("grey.png", picture)).rgb, (std::vector<std::uint8_t>{5, 5, 5, 250, 250, 250}));
        QImage bits(2, 1, QImage::Format_Mono);
        bits.setColorTable({qRgb(0, 0, 0), qRgb(255, 255, 255)});
        bits.setPixel(0, 0, 1);
        bits.setPixel(1, 0, 0);
        QCOMPARE(loadImage(saved("bits.png", bits)).rgb, (std::vector<std::uint8_t>{255, 255, 255, 0, 0, 0}));
    }
    // 16 x 8 pixels of C, M, Y, K = 200, 0, 0, 50 on the left and 0, 30, 220, 10 on the right, as print shops send them (Adobe's marker, inverted
    // inks). PIL 9.4 reads 44, 205, 205 and 245, 216, 34; decoders may be off by a unit in each ink, which is one unit here.
    void printersInksBecomeColours()
    {
        const QByteArray jpeg = QByteArray::fromBase64("/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwACAQEBAQECAQEBAgICAgIEAwICAgIFBAQDBAYFBgYGBQYGBgcJCAYHCQcGBggLCAkKCgoKCgYICwwLCgwJCgoK/8AAFAgACAAQBEMRAE0RAFkR"
                                                       "AEsRAP/EABcAAQEBAQAAAAAAAAAAAAAAAAkKBwj/xAAUEAEAAAAAAAAAAAAAAAAAAAAA/9oADgRDAE0AWQBLAAA/ADbP4fwmiyBg6I91A//Z");
        const inputs::Image image = loadImage(written("inks.jpg", jpeg));
        QVERIFY(image.width == 16 && image.height == 8);
        const auto far = [&](int x, std::array<int, 3> expected) {
            int most = 0;
            for (int channel = 0; channel < 3; ++channel)
                most = std::max(most, std::abs(image.row(4)[3 * x + channel] - expected[static_cast<std::size_t>(channel)]));
            return most;
        };
        QVERIFY2(far(2, {44, 205, 205}) <= 3, qPrintable(QString::number(far(2, {44, 205, 205}))));
        QVERIFY2(far(13, {245, 216, 34}) <= 3, qPrintable(QString::number(far(13, {245, 216, 34}))));
    }
    // The largest that is read, and one row more. One bit a pixel in the file; 300 MB as it is handed on.
    void aHundredMegapixels()
    {
        for (const int height : {12'500, 12'501}) {
            QImage large(8000, height, QImage::Format_Mono);
            large.setColorTable({qRgb(0, 0, 0), qRgb(255, 255, 255)});
            large.fill(0u);
            large.setPixel(7999, height - 1, 1);
            const auto path = saved("large.png", large);
            large = {};
            if (height > 12'500) {
                const QString sentence = refusal([&] { loadImage(path); });
                QVERIFY2(sentence.startsWith("limit exceeded") && sentence.contains("8000 x 12501 pixels, at most 100000000"), qPrintable(sentence));
                continue;
            }
            const inputs::Image image = loadImage(path);
            QVERIFY(image.width == 8000 && image.height == 12'500);
            QCOMPARE(image.rgb.back(), std::uint8_t(255));
            QCOMPARE(image.rgb.front(), std::uint8_t(0));
            const auto settings = inputs::readImagePreprocess(TAMIS_SOURCE_DIR "/datasets/vit20");
            std::vector<float> values(settings.values());
            inputs::preprocess(image, settings, values);
            QVERIFY(std::isfinite(values.back()));
        }
    }
    void onePixelIsAPhoto()
    {
        QImage one(1, 1, QImage::Format_RGB32);
        one.fill(QColor(250, 40, 3));
        const inputs::Image image = loadImage(saved("one.png", one));
        QCOMPARE(image.rgb, (std::vector<std::uint8_t>{250, 40, 3}));
        const auto settings = inputs::readImagePreprocess(TAMIS_SOURCE_DIR "/datasets/vit20");
        const inputs::Image seen = inputs::croppedForModel(image, settings);
        QVERIFY(seen.width == settings.width && seen.height == settings.height);
        for (std::size_t i = 0; i < seen.rgb.size(); i += 3)
            QVERIFY(seen.rgb[i] == 250 && seen.rgb[i + 1] == 40 && seen.rgb[i + 2] == 3); // one colour everywhere
    }
    void sixteenBitsKeepTheHighByte()
    {
        QImage grey(2, 1, QImage::Format_Grayscale16);
        reinterpret_cast<quint16*>(grey.bits())[0] = 0x12FF;
        reinterpret_cast<quint16*>(grey.bits())[1] = 0xFE80;
        QCOMPARE(loadImage(saved("grey16.png", grey)).rgb, (std::vector<std::uint8_t>{0x12, 0x12, 0x12, 0xFE, 0xFE, 0xFE}));
        QImage colour(1, 1, QImage::Format_RGBA64);
        colour.setPixelColor(0, 0, QColor::fromRgba64(0x01FF, 0x80FF, 0xFEFF, 0x8000));
        QCOMPARE(loadImage(saved("colour16.png", colour)).rgb, (std::vector<std::uint8_t>{0x01, 0x80, 0xFE}));
    }
    void orientationIsApplied()
    {
        QImage picture(32, 16, QImage::Format_RGB32); // left half dark
        for (int y = 0; y < 16; ++y)
            for (int x = 0; x < 32; ++x)
                picture.setPixel(x, y, x < 16 ? qRgb(20, 20, 20) : qRgb(230, 230, 230));
        QByteArray jpeg;
        QBuffer buffer(&jpeg);
        buffer.open(QIODevice::WriteOnly);
        QVERIFY(picture.save(&buffer, "JPG", 95));
        const inputs::Image plain = loadImage(written("plain.jpg", jpeg));
        QVERIFY(plain.width == 32 && plain.rgb.front() < 60);
        const inputs::Image halfTurn = loadImage(written("turned.jpg", withOrientation(jpeg, 3)));
        QVERIFY(halfTurn.width == 32 && halfTurn.rgb.front() > 200);
        const inputs::Image quarter = loadImage(written("quarter.jpg", withOrientation(jpeg, 6))); // 6: turn clockwise, left becomes top
        QVERIFY(quarter.width == 16 && quarter.height == 32 && quarter.rgb.front() < 60 && quarter.rgb.back() > 200);
    }

    void refusals()
    {
        const auto said = [](const std::filesystem::path& path, const app::ImageLimits& limits = {}) { return refusal([&] { loadImage(path, limits); }); };
        const auto isSaid = [](const QString& sentence, const char* code, const char* part) {
            return sentence.startsWith(code) && sentence.contains(part) ? QString() : sentence;
        };
        QCOMPARE(isSaid(said(file("none.jpg")), "i/o failure", "does not exist"), QString());
        QCOMPARE(isSaid(said(m_directory.path().toStdString()), "i/o failure", "not a regular file"), QString());
        QCOMPARE(isSaid(said(written("empty.jpg", "")), "malformed file", "is empty"), QString());
        QCOMPARE(isSaid(said(written("text.jpg", "no picture at all")), "unsupported feature", "not a picture of a known format"), QString());
        QCOMPARE(isSaid(said(written("drawn.png", "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>")), "unsupported feature", ""), QString());
        QFile photo(kPhotos + "coffee.jpg");
        QVERIFY(photo.open(QIODevice::ReadOnly));
        const QByteArray bytes = photo.readAll();
        QCOMPARE(isSaid(said(written("head.jpg", bytes.left(100))), "malformed file", "cannot be decoded as jpeg"), QString());
        QCOMPARE(isSaid(said(written("cut.jpg", bytes.left(bytes.size() / 2))), "malformed file", "is cut off"), QString());
        QCOMPARE(loadImage(written("tail.jpg", bytes + "more")).width, 600);
        QCOMPARE(isSaid(said(written("small.jpg", bytes), {.pixels = 239'999}), "limit exceeded", "600 x 400 pixels, at most 239999"), QString());
        QCOMPARE(isSaid(said(written("large.jpg", bytes), {.fileBytes = 1000}), "limit exceeded", "at most 1000"), QString());
        // A picture of one pixel whose header claims 16,000 x 16,000.
        QFile bitmap(QString::fromStdString(saved("one.bmp", QImage(1, 1, QImage::Format_RGB32)).string()));
        QVERIFY(bitmap.open(QIODevice::ReadOnly));
        QByteArray lying = bitmap.readAll();
        for (const int offset : {18, 22}) // width, height
            lying.replace(offset, 4, QByteArray("\x80\x3E\0\0", 4));
        QCOMPARE(isSaid(said(written("huge.bmp", lying)), "limit exceeded", "16000 x 16000 pixels"), QString());
    }

    void listing()
    {
        const QDir root(m_directory.filePath("list"));
        for (const char* folder : {"list/a", "list/.hidden", "list/a10"})
            QVERIFY(QDir().mkpath(m_directory.filePath(folder)));
        for (const char* name : {"list/p10.jpg", "list/p2.JPG", "list/notes.txt", "list/.x.png", "list/a/q1.png", "list/.hidden/z.png", "list/a10/b.jpeg", "list/noending"})
            written(name, "x");
        const auto names = [&](bool recursive) {
            QStringList result;
            for (const auto& path : listImages(root.path().toStdString(), recursive))
                result.append(root.relativeFilePath(QString::fromStdString(path.string())));
            return result;
        };
        QCOMPARE(names(false), QStringList({"p2.JPG", "p10.jpg"}));
        QCOMPARE(names(true), QStringList({"a/q1.png", "a10/b.jpeg", "p2.JPG", "p10.jpg"}));
        QCOMPARE(listImages(file("list/p10.jpg")).size(), std::size_t{1});
        QVERIFY(refusal([&] { listImages(file("nowhere")); }).startsWith("i/o failure"));
        QVERIFY(refusal([&] { listImages(file("list"), true, 3); }).contains("more than 3 pictures"));
        QCOMPARE(listImages(kPhotos.toStdString()).size(), std::size_t{20});
    }
};

QTEST_GUILESS_MAIN(TstImageLoading)
#include "tst_image_loading.moc"
