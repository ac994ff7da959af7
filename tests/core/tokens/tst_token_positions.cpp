// SPDX-License-Identifier: GPL-3.0-or-later
// Tokens are reduced inside models whose attention knows where patches are (DINOv3, BEiT): against PyTorch in double, and against what the model would say had
// the patches that were dropped never been there.
#include "core/base/parallel.h"
#include "core/tokens/image_scaling.h"
#include "core/tokens/scaled_model.h"
#include "tests/core/tokens/dense_twin.h"
#include "tests/core/tokens/golden_chain.h"

#include <functional>
#include <tuple>

using namespace tamis;
using tokens::Wish;
using Settings = std::vector<std::pair<std::string, std::string>>;

namespace {
test::GoldenArray positionGolden(const std::string& name)
{
    static const auto archive = io::NpzArchive::open(TAMIS_SOURCE_DIR "/tests/golden/token_positions/golden.npz");
    const io::NpyArray array = archive->read(name);
    return {array.shape, array.toFloats()};
}

/// `name` at the size of its golden images. hf_beit_resized is hf_beit's kind at another size than its table's.
std::shared_ptr<const nn::Model> placedModel(const std::string& name)
{
    const test::TokenImages images(name, positionGolden);
    return nn::Model::load(*test::tokenCheckpoint(name), {}, images.height(), images.width());
}

std::vector<float> whole(const nn::Model& model, const nn::Sample& sample)
{
    std::vector<float> output(static_cast<std::size_t>(model.outputWidth()));
    nn::Scratch scratch;
    model.run(sample, {output.data(), 1, model.outputWidth(), model.outputWidth()}, scratch);
    return output;
}

QString refusal(const std::function<void()>& call)
{
    try {
        call();
    } catch (const Error& error) {
        return error.code() == ErrorCode::UnsupportedFeature ? QString::fromUtf8(error.what()) : QString("another error: %1").arg(error.what());
    }
    return {};
}

const std::vector<std::pair<const char*, std::pair<const char*, Settings>>> kCases{
    {"tome4", {"tokens.tome", {{"r", "4"}}}},
    {"tome_plain", {"tokens.tome", {{"r", "5"}, {"proportional-attention", "false"}}}},
    {"evit_fused", {"tokens.evit", {{"keep", "0.6"}, {"blocks", "0"}}}},
    {"evit_pruned", {"tokens.evit", {{"keep", "0.5"}, {"blocks", "0"}, {"fuse", "false"}}}},
};
/// For models of two or three blocks and 16 patches.
Settings settingsOf(const QString& method)
{
    if (method == "tokens.tome" || method == "tokens.merge")
        return {{"r", "4"}};
    if (method == "tokens.visionzip")
        return {{"dominant", "5"}, {"contextual", "2"}};
    return method == "tokens.dynamicvit" ? Settings{{"blocks", "1"}} : Settings{};
}
} // namespace

class TestTokenPositions : public QObject {
    Q_OBJECT
private slots:
    void whoHoldsWhomAndWhatTheModelSays_data()
    {
        QTest::addColumn<QString>("model");
        QTest::addColumn<int>("index");
        for (const char* model : {"hf_dinov3", "hf_dinov3_gated", "hf_beit", "hf_beit_resized"})
            for (std::size_t i = 0; i < kCases.size(); ++i)
                QTest::addRow("%s.%s", model, kCases[i].first) << QString(model) << static_cast<int>(i);
    }
    void whoHoldsWhomAndWhatTheModelSays()
    {
        QFETCH(QString, model);
        QFETCH(int, index);
        const auto& [name, made] = kCases[static_cast<std::size_t>(index)];
        const auto loaded = placedModel(model.toStdString());
        test::verifyGolden(positionGolden, model.toStdString(), name, *loaded, test::chainOf(made.first, loaded, made.second), positionGolden);
    }
    void withNothingReducedTheBitsOfTheModel_data() { models(); }
    void withNothingReducedTheBitsOfTheModel()
    {
        QFETCH(QString, name);
        const auto model = test::tokenModel(name.toStdString());
        const std::vector<float> image = imageOf(*model);
        const nn::Sample sample{image, {}, {}};
        const std::vector<float> expected = whole(*model, sample);
        QCOMPARE(test::runOne(*model, {}, sample), expected);
        QCOMPARE(test::runOne(*model, test::chainOf("tokens.evit", model, {{"keep", "1"}}), sample), expected);
        QCOMPARE(test::runOne(*model, test::chainOf("tokens.tome", model, {{"r", "0"}}), sample), expected);
        QCOMPARE(test::runOne(*model, test::chainOf("tokens.top-rho", model, {{"keep", "1"}}), sample), expected);
    }
    /// Dropped before the first block: the model run on the other patches alone, each at its own place. Float against double as in tst_models: 2e-5 of the largest.
    void droppedPatchesWereNeverThere_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("table");
        QTest::newRow("rotary") << "hf_dinov3" << "";
        QTest::newRow("relative") << "hf_beit_shared" << "beit.encoder.relative_position_bias.relative_position_bias_table";
    }
    void droppedPatchesWereNeverThere()
    {
        QFETCH(QString, name);
        QFETCH(QString, table);
        const auto model = test::tokenModel(name.toStdString());
        const std::vector<float> image = imageOf(*model);
        const nn::Sample sample{image, {}, {}};
        const std::int64_t prefix = model->spec().patch.prefixTokens, all = model->spec().tokens(0), width = model->spec().width;
        std::vector<Wish> wishes(static_cast<std::size_t>(all), Wish::None);
        tensor::Matrix<float> embedded(all, width);
        nn::Scratch scratch;
        model->embed(sample, embedded.view(), scratch);
        test::DenseTwin::Rows rows;
        std::vector<std::int64_t> patches;
        for (std::int64_t t = 0; t < all; ++t) {
            if (t >= prefix && (t * 7) % 5 < 2) {
                wishes[static_cast<std::size_t>(t)] = Wish::Drop;
                continue;
            }
            const auto row = embedded.view().row(t);
            rows.emplace_back(row.begin(), row.end());
            if (t >= prefix)
                patches.push_back(t - prefix);
        }
        QVERIFY(patches.size() > 3 && static_cast<std::int64_t>(patches.size()) < all - prefix);
        std::vector<tensor::Matrix<float>> tables;
        if (!table.isEmpty()) {
            const auto checkpoint = test::tokenCheckpoint(name.toStdString());
            const std::vector<float> values = checkpoint->readFloats(*checkpoint->find(table.toStdString()));
            tensor::Matrix<float> one(static_cast<std::int64_t>(values.size()) / model->blocks()[0].attention->heads(), model->blocks()[0].attention->heads());
            std::ranges::copy(values, one.data());
            tables.assign(model->blocks().size(), one);
        }
        const std::vector<double> expected = test::DenseTwin(*model, tables).run(rows, patches);
        tokens::Trace trace;
        (void)test::runOne(*model, {}, sample, &trace, wishes);
        QCOMPARE(trace.features.size(), expected.size());
        double largest = 0, worst = 0, moved = 0;
        std::vector<std::int64_t> shifted(patches.size());
        for (std::size_t i = 0; i < patches.size(); ++i)
            shifted[i] = static_cast<std::int64_t>(i);
        const std::vector<double> elsewhere = test::DenseTwin(*model, tables).run(rows, shifted);
        for (std::size_t i = 0; i < expected.size(); ++i) {
            largest = std::max(largest, std::abs(expected[i]));
            worst = std::max(worst, std::abs(expected[i] - static_cast<double>(trace.features[i])));
            moved = std::max(moved, std::abs(expected[i] - elsewhere[i]));
        }
        QVERIFY2(worst < 2e-5 * largest, qPrintable(QString::number(worst)));
        QVERIFY(moved > 1e-3 * largest); // closing the ranks instead would show
    }
    /// Turned patches run at any size: the same as the model loaded at that size, fed the image resized.
    void smallerImagesAreTheModelAtThatSize()
    {
        const auto checkpoint = test::tokenCheckpoint("hf_dinov3");
        const auto model = nn::Model::load(*checkpoint, {}, 24, 32), smaller = nn::Model::load(*checkpoint, {}, 12, 16);
        const std::vector<float> image = imageOf(*model);
        const std::vector<float> resized = tokens::resampled(image, 3, {24, 32}, {12, 16}, tokens::Resampling::Bicubic);
        const auto embedding = std::make_shared<const nn::PatchEmbedding>(model);
        for (const auto& [scale, with, seen] : {std::tuple{1.0, model, image}, {0.5, smaller, resized}}) {
            const tokens::ScaledModel scaled(embedding, scale);
            std::vector<float> output(static_cast<std::size_t>(model->outputWidth()));
            nn::Scratch scratch;
            (void)scaled.run(image, {output.data(), 1, model->outputWidth(), model->outputWidth()}, scratch, nullptr);
            QCOMPARE(output, whole(*with, {seen, {}, {}}));
        }
    }
    /// Patches twice as large everywhere lie where a grid of half the sides has its centres: again the model at half the size, if the image is flat within them.
    void mixedPatchesLieAtTheirCentres()
    {
        const auto checkpoint = test::tokenCheckpoint("hf_dinov3");
        const auto model = nn::Model::load(*checkpoint, {}, 16, 24), smaller = nn::Model::load(*checkpoint, {}, 8, 12);
        const std::vector<float> small = imageOf(*smaller);
        std::vector<float> image;
        for (std::size_t c = 0; c < 3; ++c)
            for (std::size_t y = 0; y < 16; ++y)
                for (std::size_t x = 0; x < 24; ++x)
                    image.push_back(small[(c * 8 + y / 2) * 12 + x / 2]);
        tokens::Trace trace;
        const tokens::Chain chain = test::chainOf("tokens.mixed-patches", model, {{"smallest", "8"}, {"largest", "8"}, {"proportional-attention", "false"}});
        const std::vector<float> output = test::runOne(*model, chain, {image, {}, {}}, &trace), expected = whole(*smaller, {small, {}, {}});
        QCOMPARE(trace.layers.back().tokens.mlp, 3 + 6);
        for (std::size_t i = 0; i < output.size(); ++i)
            QVERIFY(std::abs(output[i] - expected[i]) < 1e-5f); // averages of four equal numbers
    }
    /// Every method that needs nothing trained runs, the same bits for any number of threads, and leaves fewer tokens.
    void methodsRunInside_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("method");
        for (const char* name : {"hf_dinov3", "hf_beit"})
            for (const char* method : {"tokens.tome", "tokens.pitome", "tokens.evit", "tokens.ats", "tokens.top-rho", "tokens.random", "tokens.downsample", "tokens.zero-tprune",
                                       "tokens.merge", "tokens.dynamicvit", "tokens.visionzip"})
                QTest::addRow("%s %s", name, method) << QString(name) << QString(method);
    }
    void methodsRunInside()
    {
        QFETCH(QString, name);
        QFETCH(QString, method);
        const auto model = test::tokenModel(name.toStdString());
        const std::vector<float> image = imageOf(*model);
        const nn::Sample sample{image, {}, {}};
        const tokens::Chain chain = test::chainOf(method.toStdString(), model, settingsOf(method));
        tokens::Trace trace;
        const std::vector<float> output = test::runOne(*model, chain, sample, &trace);
        QVERIFY(trace.layers.back().tokens.mlp < model->spec().tokens(0));
        QVERIFY(std::ranges::all_of(output, [](float v) { return std::isfinite(v); }));
        const ThreadLimit one(1);
        QCOMPARE(test::runOne(*model, chain, sample), output);
    }
    void otherModelsAndMethodsAreRefused()
    {
        const auto refuses = [](const char* model) { return refusal([&] { tokens::requireReducible(*test::tokenModel(model), {}); }); };
        QVERIFY(refuses("hf_swin").contains("found attention within windows of a grid"));
        QVERIFY(refuses("llama_llama3_rope").contains("found a language model"));
        QVERIFY(refuses("hf_dinov3").isEmpty() && refuses("hf_beit").isEmpty() && refuses("hf_beit_shared").isEmpty());
        for (const char* method : {"tokens.smaller-image", "tokens.multi-scale", "tokens.resolution-routing", "tokens.mixed-patches"}) {
            const QString said = refusal([&] { (void)test::chainOf(method, test::tokenModel("hf_beit"), {}); });
            QVERIFY2(said.contains("found a relative position bias"), qPrintable(QString(method) + ": " + said));
        }
        QVERIFY(refusal([] { (void)test::chainOf("tokens.top-rho", test::tokenModel("hf_dinov3"), {{"score", "gradient"}}, 0, test::tokenCheckpoint("hf_dinov3")); }).contains("for training"));
    }

private:
    static void models()
    {
        QTest::addColumn<QString>("name");
        for (const char* name : {"hf_dinov3", "hf_dinov3_gated", "hf_beit", "hf_beit_shared"})
            QTest::newRow(name) << QString(name);
    }
    static std::vector<float> imageOf(const nn::Model& model)
    {
        const nn::PatchSpec& p = model.spec().patch;
        std::vector<float> image(static_cast<std::size_t>(p.channels * p.imageHeight * p.imageWidth));
        for (std::size_t i = 0; i < image.size(); ++i)
            image[i] = static_cast<float>(std::sin(0.37 * static_cast<double>(i) + 1e-3 * static_cast<double>(i) * static_cast<double>(i % 101)));
        return image;
    }
};

QTEST_GUILESS_MAIN(TestTokenPositions)
#include "tst_token_positions.moc"
