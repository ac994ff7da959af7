// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/io/sae_checkpoint.h"
#include "tests/core/io/corpus_case.h"

#include <QTemporaryDir>
#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::io;
using tensor::DType;

namespace
{
const std::filesystem::path kGolden = TAMIS_SOURCE_DIR "/tests/golden/sae";

// Values that float16 and bfloat16 hold exactly, all different enough to show a transposition.
SparseAutoencoder sample(std::int64_t latents, std::int64_t width)
{
    SparseAutoencoder a;
    a.config.k = 2;
    a.config.width = width;
    a.config.latents = latents;
    a.encoder = tensor::Matrix<float>(latents, width);
    a.decoder = tensor::Matrix<float>(latents, width);
    a.encoderBias.resize(static_cast<std::size_t>(latents));
    a.decoderBias.resize(static_cast<std::size_t>(width));
    float next = -60;
    const auto fill = [&](std::span<float> values) {
        for (float& value : values)
            value = next = next >= 60 ? -60 : next + 0.5F;
    };
    fill(a.encoder.values());
    fill(a.encoderBias);
    fill(a.decoder.values());
    fill(a.decoderBias);
    return a;
}

bool sameNumbers(const SparseAutoencoder& a, const SparseAutoencoder& b)
{
    return a.encoder == b.encoder && a.encoderBias == b.encoderBias && a.decoder == b.decoder &&
           a.decoderBias == b.decoderBias && a.threshold == b.threshold && a.skip == b.skip;
}
} // namespace

class TstSaeCheckpoint : public QObject
{
    Q_OBJECT
private slots:
    void corpus_data()
    {
        QTest::addColumn<int>("number");
        const auto cases = test::readCorpus("sae");
        for (int i = 0; i < cases.size(); ++i)
            QTest::newRow(qPrintable(cases[i].path.section('/', -1))) << i;
    }
    void corpus()
    {
        QFETCH(int, number);
        const test::CorpusCase each = test::readCorpus("sae")[number];
        const QString verdict = test::corpusVerdict(each, [&] { readSparseAutoencoder(each.path.toStdString()); });
        QVERIFY2(verdict.isEmpty(), qPrintable(verdict));
    }
    void corpusIsListed() { QVERIFY(test::corpusIsComplete("sae")); }

    void bothLayoutsReadBackEqual()
    {
        const QTemporaryDir directory;
        const std::filesystem::path root = directory.path().toStdString();
        const SparseAutoencoder a = sample(70, 65); // over one tile of the transposition each way
        for (const DType dtype : {DType::F32, DType::F16, DType::BF16}) {
            const std::filesystem::path folder = root / std::string(tensor::dtypeName(dtype));
            writeSparseAutoencoder(folder / "a" / "b", a, SaeLayout::Sparsify, dtype);
            writeSparseAutoencoder(folder / "c", a, SaeLayout::SaeLens, dtype);
            const SparseAutoencoder first = readSparseAutoencoder(folder / "a" / "b");
            const SparseAutoencoder second = readSparseAutoencoder(folder / "c" / "sae_weights.safetensors");
            QVERIFY(first.config.layout == SaeLayout::Sparsify && second.config.layout == SaeLayout::SaeLens);
            QVERIFY(sameNumbers(first, a));
            QVERIFY(sameNumbers(second, a));
            QVERIFY(second.config.k == 2 && second.config.activation == SaeActivation::TopK &&
                    second.config.subtractDecoderBias);
            QCOMPARE(first.parameters(), std::uint64_t{2 * 70 * 65 + 70 + 65});
        }
    }
    void everythingThatSaeLensSaysComesBack()
    {
        const QTemporaryDir directory;
        SparseAutoencoder a = sample(9, 4);
        a.config.activation = SaeActivation::JumpRelu;
        a.config.k = 0;
        a.config.normalisation = SaeNormalisation::LayerNorm;
        a.config.subtractDecoderBias = false;
        a.config.model = "model";
        a.config.site = "site";
        a.threshold.assign(9, 0.5F);
        writeSparseAutoencoder(directory.path().toStdString(), a, SaeLayout::SaeLens);
        const SparseAutoencoder read = readSparseAutoencoder(directory.path().toStdString());
        QVERIFY(sameNumbers(read, a));
        QVERIFY(read.config.activation == SaeActivation::JumpRelu &&
                read.config.normalisation == SaeNormalisation::LayerNorm && !read.config.subtractDecoderBias &&
                read.config.model == "model" && read.config.site == "site");
    }
    void aRefusedWriteLeavesNothing()
    {
        const QTemporaryDir directory;
        const std::filesystem::path target = std::filesystem::path(directory.path().toStdString()) / "new";
        SparseAutoencoder a = sample(9, 4);
        a.config.normalisation = SaeNormalisation::LayerNorm;
        QVERIFY_EXCEPTION_THROWN(writeSparseAutoencoder(target, a, SaeLayout::Sparsify), Error);
        a.config.normalisation = SaeNormalisation::None;
        QVERIFY_EXCEPTION_THROWN(writeSparseAutoencoder(target, a, SaeLayout::Sparsify, DType::I8), Error);
        a.encoderBias.pop_back();
        QVERIFY_EXCEPTION_THROWN(writeSparseAutoencoder(target, a, SaeLayout::Sparsify), Error);
        QVERIFY(!std::filesystem::exists(target));
    }
    // Rows and scale of the fold: encoder rows and bias carry the decoder row's length, decoder rows have length 1.
    void decoderLengthsAreFoldedIn()
    {
        const SparseAutoencoder folded = readSparseAutoencoder(kGolden / "saelens_rescaled");
        QVERIFY(!folded.config.rescaleByDecoderNorm);
        for (std::int64_t i = 0; i < folded.latents(); ++i) {
            double squares = 0;
            for (const float value : folded.decoder.view().row(i))
                squares += static_cast<double>(value) * value;
            QVERIFY(std::abs(squares - 1) < 1e-5); // 12 float roundings of 6e-8 each, twice
        }
    }
    void aProbeThrowsNothing()
    {
        QVERIFY(looksLikeSparseAutoencoder(kGolden / "sparsify_topk"));
        QVERIFY(looksLikeSparseAutoencoder(kGolden / "saelens_topk" / "sae_weights.safetensors"));
        QVERIFY(!looksLikeSparseAutoencoder(kGolden / "saelens_topk" / "cfg.json"));
        QVERIFY(!looksLikeSparseAutoencoder(TAMIS_SOURCE_DIR "/tests/corpus/sae/no_config"));
        QVERIFY(!looksLikeSparseAutoencoder(TAMIS_SOURCE_DIR "/datasets/vit20"));
        QVERIFY(!looksLikeSparseAutoencoder("/nowhere"));
    }
    void aStopIsSeen()
    {
        std::stop_source stop;
        stop.request_stop();
        try {
            readSparseAutoencoder(kGolden / "sparsify_topk", RunContext(stop.get_token()));
            QFAIL("was read");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
        }
    }
};

QTEST_GUILESS_MAIN(TstSaeCheckpoint)
#include "tst_sae_checkpoint.moc"
