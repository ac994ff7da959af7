// SPDX-License-Identifier: GPL-3.0-or-later
// Tokens of the model's own patches have the bits of its own embedding; at other sizes those of the model loaded at that size.
#include "core/nn/patch_embedding.h"

#include "core/base/error.h"

#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;

class TestPatchEmbedding : public QObject {
    Q_OBJECT
    static std::shared_ptr<const io::Checkpoint> checkpoint(const std::string& name)
    {
        return io::Checkpoint::open(name == "vit20" ? std::string(TAMIS_SOURCE_DIR "/datasets/vit20") : TAMIS_SOURCE_DIR "/tests/golden/models/" + name);
    }
    static std::vector<float> waves(std::int64_t count)
    {
        std::vector<float> image(static_cast<std::size_t>(count));
        for (std::size_t i = 0; i < image.size(); ++i)
            image[i] = static_cast<float>(std::sin(0.37 * static_cast<double>(i) + 1e-5 * static_cast<double>(i) * static_cast<double>(i % 1009)));
        return image;
    }
    static void compare(const nn::Model& of, const nn::PatchEmbedding& embedding)
    {
        const nn::PatchSpec& p = of.spec().patch;
        const std::vector<float> image = waves(p.channels * p.imageHeight * p.imageWidth);
        const nn::Sample sample{image, {}, {}};
        tensor::Matrix<float> expected(of.embeddedTokens(sample), of.spec().width), found(expected.rows(), expected.cols());
        nn::Scratch scratch;
        of.embed(sample, expected.view(), scratch);
        tensor::Matrix<float> patches(p.gridHeight * p.gridWidth, embedding.values());
        nn::cutPatches(p, image, p.imageHeight, p.imageWidth, patches.view());
        const tensor::Matrix<float> positions = embedding.positionsAt(p.gridHeight, p.gridWidth);
        QCOMPARE(positions.empty(), !embedding.hasPositions());
        embedding.embed(patches.view(), positions.empty() ? kernels::ConstRows{} : positions.view(), found.view(), scratch);
        QVERIFY(std::ranges::equal(found.values(), expected.values())); // bits: the same operators on the same numbers
    }

private slots:
    void tokensAsTheModelMakesThem_data()
    {
        QTest::addColumn<QString>("model");
        for (const char* name : {"vit20", "timm_vit", "timm_vit_avg_prenorm", "timm_vit_registers", "timm_deit_distilled", "timm_vit_resized"})
            QTest::newRow(name) << name;
    }
    void tokensAsTheModelMakesThem()
    {
        QFETCH(QString, model);
        const auto loaded = nn::Model::load(*checkpoint(model.toStdString()));
        const nn::PatchEmbedding embedding(loaded);
        compare(*loaded, embedding);
        if (embedding.hasPositions())
            QCOMPARE(embedding.positions().rows, loaded->spec().patch.gridHeight * loaded->spec().patch.gridWidth);
        QCOMPARE(embedding.macsPerPatch(), static_cast<std::uint64_t>(embedding.values() * loaded->spec().width));
    }
    void otherSizesAsTheModelLoadedAtThem()
    {
        const auto file = checkpoint("vit20");
        const nn::PatchEmbedding embedding(nn::Model::load(*file));
        for (const auto& [height, width] : {std::pair(32, 32), std::pair(96, 64), std::pair(4, 20)})
            compare(*nn::Model::load(*file, {}, height, width), embedding);
    }
    void badShapesAreRefused()
    {
        const auto model = nn::Model::load(*checkpoint("timm_vit"));
        const nn::PatchEmbedding embedding(model);
        nn::Scratch scratch;
        tensor::Matrix<float> patches(3, embedding.values()), x(4, model->spec().width), narrow(3, embedding.values() - 1);
        embedding.embed(patches.view(), {}, x.view(), scratch);
        QVERIFY_EXCEPTION_THROWN(embedding.embed(narrow.view(), {}, x.view(), scratch), Error);
        QVERIFY_EXCEPTION_THROWN(embedding.embed(patches.view(), embedding.positions(), x.view(), scratch), Error); // another number of rows
        tensor::Matrix<float> few(3, model->spec().width);
        QVERIFY_EXCEPTION_THROWN(embedding.embed(patches.view(), {}, few.view(), scratch), Error);
        QVERIFY_EXCEPTION_THROWN(embedding.positionsAt(0, 4), Error);
        const std::vector<float> image(3 * 6 * 8);
        QVERIFY_EXCEPTION_THROWN(nn::cutPatches(model->spec().patch, image, 6, 8, patches.view()), Error); // 1.5 patches high
        QVERIFY_EXCEPTION_THROWN(nn::PatchEmbedding(nn::Model::load(*checkpoint("timm_swin_oblong"))), Error);
    }
};

QTEST_GUILESS_MAIN(TestPatchEmbedding)
#include "tst_patch_embedding.moc"
