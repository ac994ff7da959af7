// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/inputs/image_preprocess.h"
#include "core/inputs/image_preprocess_config.h"
#include "tests/core/inputs/image_golden.h"

#include <QTemporaryDir>
#include <QTest>

#include <cmath>
#include <limits>

using namespace tamis;
using namespace tamis::inputs;

namespace {
/// The largest difference from the golden, or infinity for another shape.
double worstDifference(const io::NpyArray& golden, const ImagePreprocess& settings, const std::vector<float>& values)
{
    if (golden.shape != std::vector<std::int64_t>{3, settings.height, settings.width})
        return std::numeric_limits<double>::infinity();
    const std::vector<float> expected = golden.toFloats();
    double worst = 0;
    for (std::size_t i = 0; i < expected.size(); ++i)
        worst = std::max(worst, std::abs(static_cast<double>(expected[i]) - static_cast<double>(values[i])));
    return worst;
}

QString refusal(auto&& call)
{
    try {
        call();
    } catch (const Error& error) {
        return QString::fromUtf8(errorCodeName(error.code()).data()) + ": " + error.what();
    }
    return "accepted";
}
} // namespace

class TstImagePreprocess : public QObject
{
    Q_OBJECT
    static void rows(const QString& kind)
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("photo");
        QTest::addColumn<QString>("detail");
        const auto goldens = test::imageGoldens(kind);
        QVERIFY(goldens.size() >= 7);
        for (const auto& each : goldens)
            QTest::newRow(qPrintable(each.name)) << each.name << each.photo << each.detail;
    }
    // The pictures are equal bit for bit; what remains is the rounding of (byte / 255 - mean) / std in float: byte / 255 may
    // round differently from byte * (1 / 255), 6e-8, divided by a deviation of at least 0.22.
    static void compare(const ImagePreprocess& settings)
    {
        QFETCH(QString, name);
        QFETCH(QString, photo);
        std::vector<float> values(settings.values());
        preprocess(test::goldenImage(test::imageArchive(), photo.toStdString()), settings, values);
        const double worst = worstDifference(test::imageArchive().read(name.toStdString()), settings, values);
        QVERIFY2(worst <= 5e-7, qPrintable(QString::number(worst)));
    }

private slots:
    void asTimm_data() { rows("timm"); }
    void asTimm()
    {
        QFETCH(QString, detail);
        compare(parseModelImageConfig(R"({"architecture":"vit","pretrained_cfg":)" + detail.toStdString() + "}", "config.json"));
        const ImagePreprocess top = parseModelImageConfig(detail.toStdString(), "config.json"); // the older layout
        compare(top);
    }
    void asTransformers_data() { rows("transformers"); }
    void asTransformers()
    {
        QFETCH(QString, detail);
        compare(parsePreprocessorConfig(detail.toStdString(), "preprocessor_config.json"));
    }

    // vit20's own rule is timm's (shortest side, crop); its goldens were made by the squash.
    void vit20()
    {
        const ImagePreprocess own = readImagePreprocess(TAMIS_SOURCE_DIR "/datasets/vit20");
        QVERIFY(own.rule == ResizeRule::ShortestSide && own.crop && own.interpolation == Interpolation::Bicubic);
        QVERIFY(own.height == 64 && own.width == 64 && own.resizeHeight == 64);
        QVERIFY(own.mean == (std::array<float, 3>{0.485F, 0.456F, 0.406F}) && own.std == (std::array<float, 3>{0.229F, 0.224F, 0.225F}));
        QCOMPARE(readImagePreprocess(TAMIS_SOURCE_DIR "/datasets/vit20/model.safetensors"), own);
        const ImagePreprocess straight = squashed(own);
        QVERIFY(straight.rule == ResizeRule::Squash && !straight.crop && straight.resizeHeight == 64 && straight.resizeWidth == 64);
        QVERIFY(straight.mean == own.mean && straight.height == own.height);
        const Image tall = test::goldenImage(test::imageArchive(), "brick.jpg");
        QCOMPARE(croppedForModel(tall, straight), resized(tall, 64, 64, Interpolation::Bicubic));
        QVERIFY(croppedForModel(tall, own) != croppedForModel(tall, straight));
    }

    void timmDefaults()
    {
        const ImagePreprocess settings = parseModelImageConfig(R"({"architecture":"vit","image_size":[96,160]})", "x");
        QVERIFY(settings.height == 96 && settings.width == 160 && settings.rule == ResizeRule::Cover);
        QCOMPARE(settings.resizeHeight, 109); // floor(96 / 0.875)
        QCOMPARE(settings.resizeWidth, 182);
        const ImagePreprocess empty = parseModelImageConfig(R"({"pretrained_cfg":{}})", "x");
        QVERIFY(empty.height == 224 && empty.resizeHeight == 256 && empty.rule == ResizeRule::ShortestSide);
    }
    void transformersDefaults()
    {
        const ImagePreprocess vit = parsePreprocessorConfig(R"({"image_processor_type":"ViTImageProcessorFast"})", "x");
        QVERIFY(vit.rule == ResizeRule::Squash && !vit.crop && vit.height == 224 && vit.interpolation == Interpolation::Bilinear);
        QVERIFY(vit.mean[0] == 0.5F && vit.std[2] == 0.5F && vit.rescaleFactor == 1.0 / 255.0);
        const ImagePreprocess clip = parsePreprocessorConfig(R"({"image_processor_type":"CLIPImageProcessor"})", "x");
        QVERIFY(clip.rule == ResizeRule::ShortestSide && clip.crop && clip.height == 224 && clip.interpolation == Interpolation::Bicubic);
        QCOMPARE(clip.mean[1], 0.4578275F);
        const ImagePreprocess small = parsePreprocessorConfig(R"({"image_processor_type":"ConvNextImageProcessor","size":{"shortest_edge":224}})", "x");
        QVERIFY(small.crop && small.rule == ResizeRule::ShortestSide && small.resizeHeight == 256 && small.height == 224);
        const ImagePreprocess large = parsePreprocessorConfig(R"({"image_processor_type":"ConvNextFeatureExtractor","size":384})", "x");
        QVERIFY(!large.crop && large.rule == ResizeRule::Squash && large.height == 384);
        const ImagePreprocess raw = parsePreprocessorConfig(R"({"do_rescale":false,"do_normalize":false,"size":8})", "x");
        QVERIFY(raw.rescaleFactor == 1.0 && raw.mean[0] == 0.0F && raw.std[0] == 1.0F);
        const ImagePreprocess plain = parseModelImageConfig(R"({"model_type":"clip","vision_config":{"image_size":336}})", "x");
        QVERIFY(plain.height == 336 && plain.resizeHeight == 336 && plain.crop && plain.rule == ResizeRule::ShortestSide && !plain.origin.empty());
    }
    void theProcessorFileGoesFirst()
    {
        QTemporaryDir directory;
        const auto write = [&](const char* name, const char* text) {
            QFile file(directory.filePath(name));
            QVERIFY(file.open(QIODevice::WriteOnly) && file.write(text) > 0);
        };
        const std::string path = directory.path().toStdString();
        QVERIFY(refusal([&] { readImagePreprocess(path); }).contains("i/o failure"));
        write("config.json", R"({"model_type":"vit","image_size":32})");
        QCOMPARE(readImagePreprocess(path).height, 32);
        write("preprocessor_config.json", R"({"size":48})");
        QCOMPARE(readImagePreprocess(path).height, 48);
    }

    void summaries()
    {
        ImagePreprocess settings = parseModelImageConfig(R"({"pretrained_cfg":{"input_size":[3,64,48],"crop_pct":0.875}})", "x");
        QCOMPARE(summaryOf(settings), std::string("as small as covers 54 x 73, bicubic, the centre 48 x 64, from config.json, pretrained_cfg"));
        QCOMPARE(summaryOf(squashed(settings)), std::string("straight to 48 x 64, bicubic, from config.json, pretrained_cfg"));
        settings = {.height = 8, .width = 8, .rule = ResizeRule::None};
        QCOMPARE(summaryOf(settings), std::string("not resized, the centre 8 x 8"));
    }

    void refusals_data()
    {
        QTest::addColumn<QString>("json");
        QTest::addColumn<QString>("part");
        const auto row = [](const char* name, const char* json, const char* part) { QTest::newRow(name) << QString(json) << QString(part); };
        row("not json", "{", "malformed file");
        row("array", "[]", "expected a JSON object");
        row("size zero", R"({"size":0})", "size is \"0\", expected a whole number of pixels from 1 to 65535");
        row("size huge", R"({"size":{"height":100000,"width":2}})", "size.height is");
        row("size negative", R"({"size":-3})", "size is");
        row("size word", R"({"size":"big"})", "size is");
        row("two edges", R"({"size":{"shortest_edge":3,"longest_edge":9}})", "unsupported feature");
        row("no crop", R"({"size":{"shortest_edge":3}})", "without a crop");
        row("crop list", R"({"size":8,"crop_size":[1,2,3]})", "crop_size is");
        row("resample", R"({"size":8,"resample":6})", "resample is");
        row("flag", R"({"size":8,"do_resize":1})", "do_resize is \"1\", expected true or false");
        row("mean short", R"({"size":8,"image_mean":[1,2]})", "image_mean is");
        row("std zero", R"({"size":8,"image_std":[1,0,1]})", "a deviation over 0");
        row("std overflow", R"({"size":8,"image_std":[1,1e300,1]})", "expected finite numbers");
        row("rescale zero", R"({"size":8,"rescale_factor":0})", "the rescale factor is 0.000000, expected a finite number over 0");
        row("rescale negative", R"({"size":8,"rescale_factor":-1})", "the rescale factor is -1.000000, expected a finite number over 0");
        row("rescale vanishing", R"({"size":8,"rescale_factor":1e-200})", "expected a finite number over 0");
        row("other processor", R"({"image_processor_type":"LevitImageProcessor"})", "unsupported feature");
        row("timm input", R"({"pretrained_cfg":{"input_size":[3,64]}})", "expected [3, height, width]");
        row("timm channels", R"({"pretrained_cfg":{"input_size":[1,64,64]}})", "only pictures of 3 channels");
        row("timm crop", R"({"pretrained_cfg":{"crop_pct":0}})", "crop_pct is");
        row("timm crop small", R"({"pretrained_cfg":{"input_size":[3,60000,60000],"crop_pct":0.1}})", "expected at most");
        row("timm mode", R"({"pretrained_cfg":{"crop_mode":"tiles"}})", "crop_mode is");
        row("timm filter", R"({"pretrained_cfg":{"interpolation":"cubic"}})", "interpolation is");
        row("timm list", R"({"pretrained_cfg":[1]})", "pretrained_cfg is");
        row("no size", R"({"pretrained_cfg":null,"model_type":"vit"})", "states no image size");
        row("text model", R"({"model_type":"llama","image_size":32})", "has no image settings");
    }
    void refusals()
    {
        QFETCH(QString, json);
        QFETCH(QString, part);
        const bool model = json.contains("pretrained_cfg") || json.contains("model_type");
        const QString said = refusal([&] {
            if (model)
                parseModelImageConfig(json.toStdString(), "some.json");
            else
                parsePreprocessorConfig(json.toStdString(), "some.json");
        });
        QVERIFY2(said.contains(part) && said.contains("some.json"), qPrintable(said));
    }
    void wrongSizesAreSaid()
    {
        ImagePreprocess settings;
        settings.rule = ResizeRule::None;
        settings.crop = false;
        settings.height = settings.width = 8;
        std::vector<float> room(settings.values());
        QVERIFY(refusal([&] { preprocess(blankImage(9, 8), settings, room); }).contains("has 9 x 8 pixels, expected 8 x 8"));
        QCOMPARE(refusal([&] { preprocess(blankImage(8, 8), settings, room); }), QString("accepted"));
        room.pop_back();
        QVERIFY(refusal([&] { preprocess(blankImage(8, 8), settings, room); }).contains("room for 191 values"));
        // A hair's breadth of a picture cannot be brought to a shortest side without exceeding the limits.
        ImagePreprocess shortest;
        QVERIFY(refusal([&] { croppedForModel(blankImage(60'000, 1), shortest); }).contains("limit exceeded"));
    }
};

QTEST_GUILESS_MAIN(TstImagePreprocess)
#include "tst_image_preprocess.moc"
