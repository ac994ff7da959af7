// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/tokens/image_scaling.h"

#include "core/inputs/resize.h"
#include "tests/core/tokens/resolution_golden.h"

#include <algorithm>
#include <cmath>

using namespace tamis;
using tokens::PixelSize, tokens::Resampling;

class TestImageScaling : public QObject {
    Q_OBJECT
private slots:
    void asPyTorchInDouble_data()
    {
        QTest::addColumn<int>("resampling");
        for (const auto& [name, resampling] : {std::pair("bicubic_down", Resampling::Bicubic), std::pair("bicubic_up", Resampling::Bicubic), std::pair("bilinear_down", Resampling::Bilinear),
                                               std::pair("bilinear_up", Resampling::Bilinear), std::pair("area", Resampling::Area)})
            QTest::newRow(name) << static_cast<int>(resampling);
    }
    void asPyTorchInDouble()
    {
        QFETCH(int, resampling);
        const auto golden = test::resolutionGolden("vit20.resized." + std::string(QTest::currentDataTag()));
        const test::TokenImages images("vit20");
        const auto found = tokens::resampled(images.samples[0].image, 3, {64, 64}, {golden.shape[1], golden.shape[2]}, static_cast<Resampling>(resampling));
        QCOMPARE(found.size(), golden.values.size());
        // two passes of 16 products at most of values below 3: some 30 roundings of 2e-7 at worst
        for (std::size_t i = 0; i < found.size(); ++i)
            QVERIFY2(std::abs(found[i] - golden.values[i]) < 5e-6f, qPrintable(QString::number(i)));
    }
    /// Bytes, resized as Pillow does and rounded, are within a level of the same in floats (each of its two passes rounds to a level).
    void asPicturesAreResized()
    {
        inputs::Image picture{50, 40, {}};
        for (int i = 0; i < 50 * 40 * 3; ++i)
            picture.rgb.push_back(static_cast<std::uint8_t>(127.5 + 100 * std::sin(0.05 * i + 0.0003 * i * (i % 17))));
        std::vector<float> planes(picture.rgb.size());
        for (std::size_t i = 0; i < picture.rgb.size(); ++i)
            planes[i % 3 * 2000 + i / 3] = static_cast<float>(picture.rgb[i]);
        for (const auto& [name, mine] : {std::pair(inputs::Interpolation::Bicubic, Resampling::Bicubic), std::pair(inputs::Interpolation::Bilinear, Resampling::Bilinear), std::pair(inputs::Interpolation::Box, Resampling::Area)}) {
            const auto bytes = inputs::resized(picture, 20, 16, name);
            const auto floats = tokens::resampled(planes, 3, {40, 50}, {16, 20}, mine);
            for (std::size_t i = 0; i < bytes.rgb.size(); ++i)
                QVERIFY(std::abs(std::clamp(floats[i % 3 * 320 + i / 3], 0.0f, 255.0f) - static_cast<float>(bytes.rgb[i])) <= 1.2f);
        }
    }
    void itselfAtItsSizeAndConstantsEverywhere()
    {
        const test::TokenImages images("vit20");
        const auto& image = images.samples[1].image;
        for (const auto resampling : {Resampling::Area, Resampling::Bilinear, Resampling::Bicubic}) {
            QVERIFY(std::ranges::equal(tokens::resampled(image, 3, {64, 64}, {64, 64}, resampling), image));
            const std::vector<float> flat(2 * 9 * 7, 1.25f);
            for (const PixelSize to : {PixelSize{4, 3}, PixelSize{18, 20}, PixelSize{1, 1}})
                for (const float value : tokens::resampled(flat, 2, {9, 7}, to, resampling))
                    QVERIFY(std::abs(value - 1.25f) < 1e-6f); // weights sum to 1 within some roundings
        }
    }
    void wholePatchesAndNoOthers()
    {
        nn::PatchSpec patch;
        patch.patchHeight = patch.patchWidth = 16;
        patch.gridHeight = patch.gridWidth = 14;
        QCOMPARE(tokens::wholePatches(patch, 0.5), (PixelSize{112, 112}));
        QCOMPARE(tokens::wholePatches(patch, 0.25), (PixelSize{64, 64})); // 56 pixels are 3.5 patches: 4
        QCOMPARE(tokens::wholePatches(patch, 2), (PixelSize{448, 448}));
        QCOMPARE(tokens::wholePatches(patch, 0.01), (PixelSize{16, 16}));
    }
    void badSizesAreRefused()
    {
        const std::vector<float> image(12);
        QVERIFY_EXCEPTION_THROWN(tokens::resampled(image, 3, {2, 2}, {0, 2}, Resampling::Area), Error);
        std::stop_source stop;
        stop.request_stop();
        for (const tokens::PixelSize to : {tokens::PixelSize{4, 2}, tokens::PixelSize{2, 4}}) // either side looks
            QVERIFY_EXCEPTION_THROWN(tokens::resampled(image, 3, {2, 2}, to, Resampling::Bicubic, RunContext(stop.get_token())), Error);
        QVERIFY_EXCEPTION_THROWN(tokens::resampled(image, 3, {2, 3}, {2, 2}, Resampling::Area), Error);
    }
};

QTEST_GUILESS_MAIN(TestImageScaling)
#include "tst_image_scaling.moc"
