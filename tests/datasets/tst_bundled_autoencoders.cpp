// SPDX-License-Identifier: GPL-3.0-or-later
// datasets/sae: read by both readers, and as good as they must be on the activations that are bundled with them.
#include "core/encoder/topk_autoencoder.h"
#include "core/io/npy.h"
#include "core/io/npz.h"

#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;
using io::SaeLayout;
using io::SparseAutoencoder;
using tensor::Matrix;

namespace
{
const std::filesystem::path kFolder = TAMIS_SOURCE_DIR "/datasets/sae";

bool sameNumbers(const SparseAutoencoder& a, const SparseAutoencoder& b)
{
    return a.encoder == b.encoder && a.encoderBias == b.encoderBias && a.decoder == b.decoder &&
           a.decoderBias == b.decoderBias;
}

std::vector<SparseAutoencoder> layoutsOf(const std::filesystem::path& folder)
{
    std::vector<SparseAutoencoder> read;
    for (const char* layout : {"sparsify", "saelens"})
        if (std::filesystem::exists(folder / layout))
            read.push_back(io::readSparseAutoencoder(folder / layout));
    return read;
}
} // namespace

class TstBundledAutoencoders : public QObject
{
    Q_OBJECT
private slots:
    void eachOne_data()
    {
        QTest::addColumn<QString>("model");
        QTest::addColumn<int>("k");
        for (const char* model : {"vit20", "tinylm"})
            for (const int k : {16, 32})
                QTest::newRow(qPrintable(QStringLiteral("%1 k=%2").arg(model).arg(k))) << QString(model) << k;
    }
    void eachOne()
    {
        QFETCH(QString, model);
        QFETCH(int, k);
        const std::filesystem::path folder = kFolder / QStringLiteral("%1.block3.k%2").arg(model).arg(k).toStdString();
        const std::vector<SparseAutoencoder> layouts = layoutsOf(folder);
        QVERIFY(!layouts.empty());
        QCOMPARE(layouts.size(), model == "vit20" && k == 32 ? std::size_t{2} : std::size_t{1}); // there is room for one pair
        for (const SparseAutoencoder& each : layouts) {
            QVERIFY(sameNumbers(each, layouts.front()));
            QCOMPARE(each.latents(), std::int64_t{2048});
            QCOMPARE(each.width(), std::int64_t{128});
            QCOMPARE(each.config.k, std::int64_t{k});
            QVERIFY(each.config.activation == io::SaeActivation::TopK && each.config.subtractDecoderBias);
        }
        const SparseAutoencoder& autoencoder = layouts.front();
        for (std::int64_t i = 0; i < autoencoder.latents(); ++i) {
            double squares = 0;
            for (const float value : autoencoder.decoder.view().row(i))
                squares += static_cast<double>(value) * value;
            QVERIFY(std::abs(squares - 1) < 2e-3); // unit rows, each value rounded to float16: 2 * 2^-11
        }
        const Matrix<float> x = io::readNpy(kFolder / (model + ".block3.heldout.npy").toStdString()).toFloatMatrix();
        QVERIFY(x.rows() >= 512);
        const encoder::SparseCodes codes = encoder::encode(autoencoder, x.view());
        const Matrix<float> y = encoder::decode(autoencoder, codes, x.view());
        const encoder::AutoencoderQuality quality =
            encoder::measureAutoencoder(autoencoder.latents(), codes, x.view(), y.view());
        qInfo("%s k=%d: explained variance %.4f, L0 %.2f", qPrintable(model), k, quality.explainedVariance,
              quality.meanActive);
        QVERIFY(quality.explainedVariance >= 0.8);
        QVERIFY(quality.meanActive > 0.9 * k && quality.meanActive <= k);
        agreesWithPyTorch(folder, autoencoder, codes, y);
    }

    void eitherLayoutCanBeWrittenAsTheOther()
    {
        const QTemporaryDir directory;
        const std::filesystem::path target = directory.path().toStdString();
        const SparseAutoencoder read = io::readSparseAutoencoder(kFolder / "vit20.block3.k16" / "sparsify");
        io::writeSparseAutoencoder(target, read, SaeLayout::SaeLens, tensor::DType::F16);
        const SparseAutoencoder again = io::readSparseAutoencoder(target);
        QVERIFY(again.config.layout == SaeLayout::SaeLens &&
                sameNumbers(read, again)); // float16 both times: nothing is rounded
    }

private:
    // golden.npz: the first 64 of the held-out rows by PyTorch in double. A float sum of 128 products is wrong by at
    // most 128 * 2^-24 = 8e-6 of the sum of their sizes, which is of the order of the largest value. Where two values
    // are that close either latent may come first, or be the one left out at the k-th place: latents are compared where
    // the value stands alone.
    static void agreesWithPyTorch(const std::filesystem::path& folder, const SparseAutoencoder& autoencoder,
                                  const encoder::SparseCodes& codes, const Matrix<float>& y)
    {
        const auto archive = io::NpzArchive::open(folder / "golden.npz");
        const Matrix<float> values = archive->read("values").toFloatMatrix(),
                            expected = archive->read("reconstruction").toFloatMatrix();
        const std::vector<double> latents = archive->read("indices").toDoubles();
        QCOMPARE(values.cols(), autoencoder.config.k);
        float largest = 0;
        for (const float value : values.values())
            largest = std::max(largest, value);
        const float close = 1e-5F * largest;
        int different = 0;
        for (std::int64_t t = 0; t < values.rows(); ++t) {
            const std::int64_t active = static_cast<std::int64_t>(codes.valuesOf(t).size());
            const int before = different;
            for (std::int64_t i = 0; i < active; ++i) {
                QVERIFY(std::abs(codes.valuesOf(t)[static_cast<std::size_t>(i)] - values(t, i)) < close);
                const auto near = [&](std::int64_t j) {
                    return j >= 0 && j < active && std::abs(values(t, i) - values(t, j)) < close;
                };
                const bool ambiguous = near(i - 1) || near(i + 1) || i + 1 == active;
                const bool same = codes.latentsOf(t)[static_cast<std::size_t>(i)] ==
                                  static_cast<std::int32_t>(latents[static_cast<std::size_t>(t * values.cols() + i)]);
                QVERIFY(same || ambiguous);
                different += !same;
            }
            for (std::int64_t i = active; i < values.cols(); ++i)
                QVERIFY(values(t, i) < close);
            for (std::int64_t j = 0; different == before && j < expected.cols(); ++j)
                QVERIFY(std::abs(y(t, j) - expected(t, j)) <
                        close * static_cast<float>(values.cols())); // k values on rows of length 1
        }
        QVERIFY(different <= 4); // of 1,024 or 2,048: such pairs are rare
    }
};

QTEST_GUILESS_MAIN(TstBundledAutoencoders)
#include "tst_bundled_autoencoders.moc"
