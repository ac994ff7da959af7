// SPDX-License-Identifier: GPL-3.0-or-later
// What the readers of the formats say of themselves: which format it was, what was assumed, what a switch changes. The
// numbers are held against NumPy in tst_topk_autoencoder.
#include "core/base/error.h"
#include "core/io/sae_checkpoint.h"
#include "core/io/sae_fold.h"

#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <cmath>
#include <fstream>

using namespace tamis;
using namespace tamis::io;

namespace
{
const std::filesystem::path kGolden = TAMIS_SOURCE_DIR "/tests/golden/sae";

SparseAutoencoder read(const std::string& name, const std::string& assignment = {})
{
    SaeReadOptions options;
    if (!assignment.empty())
        setSaeReadOption(options, assignment);
    return readSparseAutoencoder(kGolden / name, options);
}

bool notes(const SparseAutoencoder& autoencoder, const std::string& part)
{
    return std::ranges::any_of(autoencoder.notes,
                               [&](const std::string& note) { return note.find(part) != std::string::npos; });
}

std::string errorOf(const std::string& name, const std::string& assignment = {})
{
    try {
        read(name, assignment);
    } catch (const Error& error) {
        return error.what();
    }
    return {};
}

double length(std::span<const float> row)
{
    double squares = 0;
    for (const float value : row)
        squares += static_cast<double>(value) * value;
    return std::sqrt(squares);
}
} // namespace

class TstSaeFormats : public QObject
{
    Q_OBJECT
private slots:
    void eachSaysWhatItIs_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("format");
        QTest::addColumn<QString>("activation");
        QTest::addColumn<qint64>("k");
        QTest::newRow("1") << "sparsify_topk"
                           << "sparsify"
                           << "topk" << qint64{5};
        QTest::newRow("2") << "saelens_gated"
                           << "saelens"
                           << "gated" << qint64{0};
        QTest::newRow("3") << "saelens_average"
                           << "saelens"
                           << "topk" << qint64{5};
        QTest::newRow("4") << "openai_topk/autoencoder.pt"
                           << "openai"
                           << "topk" << qint64{5};
        QTest::newRow("5") << "openai_relu/autoencoder.pt"
                           << "openai"
                           << "relu" << qint64{0};
        QTest::newRow("6") << "dictionary_topk"
                           << "dictionary-learning"
                           << "topk" << qint64{5};
        QTest::newRow("7") << "dictionary_topk/ae.pt"
                           << "dictionary-learning"
                           << "topk" << qint64{5};
        QTest::newRow("8") << "dictionary_batchtopk"
                           << "dictionary-learning"
                           << "jumprelu" << qint64{0};
        QTest::newRow("9") << "dictionary_gated"
                           << "dictionary-learning"
                           << "gated" << qint64{0};
        QTest::newRow("10") << "gemma_scope/params.npz"
                            << "gemma-scope"
                            << "jumprelu" << qint64{0};
        QTest::newRow("11") << "llama_scope_old"
                            << "llama-scope"
                            << "jumprelu" << qint64{0};
        QTest::newRow("12") << "llama_scope_old/checkpoints/final.safetensors"
                            << "llama-scope"
                            << "jumprelu" << qint64{0};
        QTest::newRow("13") << "llama_scope_distill"
                            << "llama-scope"
                            << "jumprelu" << qint64{0};
        QTest::newRow("14") << "llama_scope_new_topk"
                            << "llama-scope"
                            << "topk" << qint64{5};
    }
    void eachSaysWhatItIs()
    {
        QFETCH(QString, name);
        QFETCH(QString, format);
        QFETCH(QString, activation);
        QFETCH(qint64, k);
        const std::filesystem::path path = kGolden / name.toStdString();
        QVERIFY(looksLikeSparseAutoencoder(path));
        const SparseAutoencoder a = readSparseAutoencoder(path);
        QCOMPARE(QString::fromUtf8(saeFormatName(a.format).data()), format);
        QCOMPARE(QString::fromUtf8(saeActivationName(a.config.activation).data()), activation);
        QCOMPARE(a.config.k, std::int64_t{k});
        QVERIFY(a.width() == 12 && a.latents() == 40 && a.config.width == 12 && a.config.latents == 40);
    }

    void assumptionsAreNoted_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<QString>("assignment");
        QTest::addColumn<QString>("part");
        QTest::addColumn<bool>("stillThere"); // with the switch set
        const auto row = [](const char* name, const char* assignment, const char* part, bool stays) {
            QTest::newRow(qPrintable(QStringLiteral("%1 %2").arg(name, assignment)))
                << name << assignment << part << stays;
        };
        row("openai_topk/autoencoder.pt", "layer-norm=yes", "does not say whether inputs pass a layer norm", false);
        row("openai_relu/autoencoder.pt", "layer-norm=no", "does not say whether inputs pass a layer norm", false);
        row("gemma_scope", "embedding=no", "does not say whether embeddings are read", false);
        row("gemma_scope_embedding", "embedding=no", "The directory's name says that embeddings are read", false);
        row("dictionary_autoencoder", "decoder-norms=no", "Values are multiplied by the lengths", false);
        row("dictionary_gated", "decoder-norms=no", "Values are not multiplied by the lengths", false);
        row("dictionary_batchtopk", "per-token-topk=yes", "above its threshold 1.5", false);
        row("dictionary_batchtopk_unset", "per-token-topk=yes", "was never set", false);
        row("dictionary_batchtopk_unset", "per-token-topk=no", "config.json states k = 10, the weights have k = 5",
            true);
        row("llama_scope_old", "input-scaling=no", "inputs are multiplied by 0.532939", false);
        row("llama_scope_old", "input-scale=1", "inputs are multiplied by 0.532939", false);
        row("llama_scope_old", "decoder-norms=no", "times the length of their decoder row", false);
        row("llama_scope_old", "raw-threshold=yes", "in the units of the scaled inputs", false);
        row("llama_scope_new_token_wise", "decoder-norms=yes", "sparsity_include_decoder_norm is not stated", false);
        row("saelens_average", "input-scale=2", "multiplied by 0.400000, as activation_scaler.json has it", false);
        row("saelens_average_in_weights", "input-scale=2", "as the tensor scaling_factor has it", false);
        row("saelens_old_finetuned", "input-scale=2", "scaling_factor multiplies the decoder's rows", true);
        row("sparsify_f16", "input-scale=2", "The key \"something_new\" of cfg.json has no known meaning", true);
    }
    void assumptionsAreNoted()
    {
        QFETCH(QString, name);
        QFETCH(QString, assignment);
        QFETCH(QString, part);
        QFETCH(bool, stillThere);
        const SparseAutoencoder plain = read(name.toStdString());
        QVERIFY2(notes(plain, part.toStdString()), plain.notes.empty() ? "no notes" : plain.notes.front().c_str());
        QCOMPARE(notes(read(name.toStdString(), assignment.toStdString()), part.toStdString()), stillThere);
    }
    void whatIsClearNeedsNoNote()
    {
        for (const char* name :
             {"sparsify_topk", "saelens_topk", "saelens_rescaled", "saelens_gated", "dictionary_topk"})
            QVERIFY2(read(name).notes.empty(), name);
    }

    // A scale that no file states is asked for, not guessed.
    void aScaleThatIsNotStatedIsAskedFor()
    {
        const std::string message = errorOf("saelens_old_average_by_hand");
        QVERIFY2(message.find("the scale is not stated") != std::string::npos, message.c_str());
        QVERIFY(errorOf("saelens_old_average_by_hand", "input-scale=1").empty());
    }
    // With the scale s: rows times s, decoder and its bias over s (what folding does by definition).
    void scalesAreFolded()
    {
        const SparseAutoencoder one = read("saelens_average", "input-scale=1"),
                                four = read("saelens_average", "input-scale=4");
        for (std::size_t i = 0; i < one.encoder.size(); ++i) {
            QCOMPARE(four.encoder.values()[i], 4 * one.encoder.values()[i]); // a power of two: exact
            QCOMPARE(four.decoder.values()[i], one.decoder.values()[i] / 4);
        }
        QCOMPARE(four.encoderBias, one.encoderBias);
        for (std::size_t j = 0; j < one.decoderBias.size(); ++j)
            QCOMPARE(four.decoderBias[j], one.decoderBias[j] / 4);
        QVERIFY(!four.config.scalesInput);
    }
    // Selection by |d| z, value z: rows carry the length, valueScale takes it back, decoder rows stay.
    void selectionIsApartFromValues()
    {
        const SparseAutoencoder with = read("llama_scope_new_topk"),
                                without = read("llama_scope_new_topk", "decoder-norms=no");
        QVERIFY(without.valueScale.empty());
        QVERIFY(with.decoder == without.decoder);
        for (std::int64_t i = 0; i < with.latents(); ++i) {
            const double norm = length(with.decoder.view().row(i));
            QVERIFY(std::abs(with.valueScale[static_cast<std::size_t>(i)] * norm - 1) < 1e-6);
            QVERIFY(std::abs(length(with.encoder.view().row(i)) / length(without.encoder.view().row(i)) / norm - 1) <
                    1e-5);
        }
    }
    void normalisedDecodersHaveRowsOfLengthOne()
    {
        for (const char* name :
             {"dictionary_autoencoder", "dictionary_gated_normalised", "dictionary_jumprelu_normalised"}) {
            const SparseAutoencoder a = read(name, "decoder-norms=yes");
            for (std::int64_t i = 0; i < a.latents(); ++i)
                QVERIFY2(std::abs(length(a.decoder.view().row(i)) - 1) < 1e-5, name);
        }
    }
    void aDecoderRowOfZerosDividesNothing()
    {
        SparseAutoencoder a = read("llama_scope_new_relu");
        std::ranges::fill(a.decoder.view().row(3), 0.0F);
        for (auto* fold : {&foldDecoderNorms, &selectByDecoderNorms, &countByDecoderNorms}) {
            SparseAutoencoder folded = a;
            (*fold)(folded, {});
            for (const std::span<const float> values :
                 {std::span<const float>(folded.encoder.values()), std::span<const float>(folded.decoder.values()),
                  std::span<const float>(folded.valueScale)})
                QVERIFY(std::ranges::all_of(values, [](float value) { return std::isfinite(value); }));
        }
    }
    // What SAELens can say of another format is written and read back with the same numbers.
    void otherFormatsCanBeExported()
    {
        const QTemporaryDir directory;
        const std::filesystem::path root = directory.path().toStdString();
        for (const char* name :
             {"openai_topk/autoencoder.pt", "gemma_scope", "dictionary_batchtopk", "dictionary_autoencoder"}) {
            const SparseAutoencoder a = read(name);
            writeSparseAutoencoder(root / "out", a, SaeLayout::SaeLens);
            const SparseAutoencoder again = readSparseAutoencoder(root / "out");
            QVERIFY2(again.encoder == a.encoder && again.decoder == a.decoder && again.encoderBias == a.encoderBias &&
                         again.decoderBias == a.decoderBias && again.threshold == a.threshold,
                     name);
            QVERIFY(again.config.activation == a.config.activation && again.config.k == a.config.k &&
                    again.config.normalisation == a.config.normalisation &&
                    again.config.subtractDecoderBias == a.config.subtractDecoderBias);
        }
        for (const char* name : {"saelens_gated", "llama_scope_new_topk"})
            QVERIFY_EXCEPTION_THROWN(writeSparseAutoencoder(root / "gated", read(name), SaeLayout::SaeLens), Error);
        QVERIFY(!std::filesystem::exists(root / "gated"));
    }
    void unknownTensorsAreNamed()
    {
        const QTemporaryDir directory;
        const std::filesystem::path root = directory.path().toStdString();
        SparseAutoencoder a = read("sparsify_topk");
        a.config.skips = true;
        a.skip = tensor::Matrix<float>(12, 12);
        writeSparseAutoencoder(root, a, SaeLayout::Sparsify);
        std::filesystem::rename(root / "sae.safetensors", root / "kept");
        a.config.skips = false;
        a.skip = {};
        writeSparseAutoencoder(root, a, SaeLayout::Sparsify); // a configuration without the skip
        std::filesystem::rename(root / "kept", root / "sae.safetensors");
        const SparseAutoencoder read = readSparseAutoencoder(root);
        QVERIFY(notes(read, "The tensor \"W_skip\" of sae.safetensors is not used"));
    }

    void switchesAreChecked()
    {
        SaeReadOptions options;
        for (const char* good : {"layer-norm=yes", "embedding=no", "input-scaling=stated", "decoder-norms=yes",
                                 "raw-threshold=yes", "per-token-topk=yes", "input-scale=0.25"})
            setSaeReadOption(options, good);
        QVERIFY(options.layerNorm == SaeChoice::Yes && options.embedding == SaeChoice::No &&
                options.inputScaling == SaeChoice::AsStated && options.decoderNorms == SaeChoice::Yes &&
                options.thresholdOfRawInputs && options.perTokenTopK && options.inputScale == 0.25);
        for (const char* bad :
             {"", "layer-norm", "layer-norm=", "layer-norm=maybe", "raw-threshold=stated", "input-scale=0",
              "input-scale=-1", "input-scale=nan", "input-scale=inf", "input-scale=1x", "scale=1"})
            QVERIFY_EXCEPTION_THROWN(setSaeReadOption(options, bad), Error);
    }
};

QTEST_GUILESS_MAIN(TstSaeFormats)
#include "tst_sae_formats.moc"
