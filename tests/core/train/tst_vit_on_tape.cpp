// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/io/npz.h"
#include "core/train/loss_ops.h"
#include "core/train/output_gradients.h"
#include "core/train/trainer.h"
#include "tests/core/base/stop_clock.h"
#include "tests/core/linalg/blas_main.h"
#include "tests/core/train/gradient_check.h"

#include <QtTest>

#include <array>
#include <chrono>
#include <cmath>
#include <thread>

using namespace tamis;
using namespace tamis::train;

/// The bundled vision transformer on the tape, against the outputs that PyTorch gave for two photos.
class TstVitOnTape : public QObject {
    Q_OBJECT

    const std::filesystem::path m_folder = std::filesystem::path(TAMIS_SOURCE_DIR) / "datasets" / "vit20";
    std::shared_ptr<const io::Checkpoint> m_checkpoint;
    std::vector<float> m_images, m_expected;

    template <class T> std::vector<T> patchRows(const VitOnTape<T>& model) const
    {
        const auto values = static_cast<std::size_t>(model.shape().imageValues());
        std::vector<T> rows(2 * values);
        for (std::size_t i = 0; i < 2; ++i)
            model.cutPatches(std::span(m_images).subspan(i * values, values), rows.data() + i * values);
        return rows;
    }

    template <class T> std::vector<T> gradients(VitOnTape<T>& model, std::vector<T>* logits = nullptr) const
    {
        const std::vector<T> rows = patchRows(model);
        Tape<T> tape;
        const auto y = model.logits(tape, tape.constant({rows.data(), 512, 48, 48}), 2);
        const std::array<std::int32_t, 2> labels{3, 11};
        model.parameters().zeroGradients();
        tape.backward(crossEntropy<T>(y, labels, 0.1));
        if (logits)
            logits->assign(y.value().data, y.value().data + 40);
        std::vector<T> all;
        for (const auto& parameter : model.parameters().all())
            all.insert(all.end(), parameter.gradient.values().begin(), parameter.gradient.values().end());
        return all;
    }

private slots:
    void initTestCase()
    {
        m_checkpoint = io::Checkpoint::open(m_folder);
        const auto archive = io::NpzArchive::open(m_folder / "golden.npz");
        m_images = archive->read("input").toFloats();
        m_expected = archive->read("logits").toFloats();
    }

    void logitsAreThoseOfPyTorch()
    {
        auto model = VitOnTape<float>::load(*m_checkpoint);
        QCOMPARE(model.shape().depth, std::int64_t{6});
        QCOMPARE(model.shape().heads, std::int64_t{4});
        QCOMPARE(model.parameters().count(), m_checkpoint->parameters());
        std::vector<float> logits;
        (void)gradients(model, &logits);
        QCOMPARE(logits.size(), m_expected.size());
        for (std::size_t i = 0; i < logits.size(); ++i)
            QVERIFY2(std::abs(logits[i] - m_expected[i]) < 1e-4 * std::max(1.0F, std::abs(m_expected[i])),
                     qPrintable(QString("logit %1: %2, expected %3").arg(i).arg(logits[i]).arg(m_expected[i])));
    }

    /// The same graph in double, whose operations are checked by difference quotients one by one.
    void gradientsOfFloatsAreThoseOfDoubles()
    {
        auto model = VitOnTape<float>::load(*m_checkpoint);
        auto exact = VitOnTape<double>::load(*m_checkpoint);
        const auto found = gradients(model);
        const auto expected = gradients(exact);
        QCOMPARE(found.size(), expected.size());
        double difference = 0, size = 0;
        for (std::size_t i = 0; i < found.size(); ++i) {
            difference += (found[i] - expected[i]) * (found[i] - expected[i]);
            size += expected[i] * expected[i];
        }
        QVERIFY(size > 0);
        // some 30 float operations one after another, each a few 6e-8: 1e-5 leaves a factor of some three
        QVERIFY2(std::sqrt(difference / size) < 1e-5, qPrintable(QString::number(std::sqrt(difference / size))));
    }

    void gradientsDoNotDependOnTheNumberOfThreads()
    {
        auto model = VitOnTape<float>::load(*m_checkpoint);
        const auto two = gradients(model);
        const ThreadLimit one(1);
        QVERIFY(gradients(model) == two);
    }

    void outputGradientsAreThoseOfEachImage()
    {
        auto model = VitOnTape<float>::load(*m_checkpoint);
        const auto values = static_cast<std::size_t>(model.shape().imageValues());
        const std::array<std::span<const float>, 2> images{std::span(m_images).first(values), std::span(m_images).subspan(values)};
        const std::array<std::int32_t, 2> labels{3, 11};
        const auto together = outputGradients(model, {images, labels}, {}, 2);
        const auto apart = outputGradients(model, {images, labels}, {}, 1);
        QCOMPARE(together.size(), std::size_t{1 + 6 * 4 + 1});
        QCOMPARE(together.size(), apart.size());
        for (std::size_t k = 0; k < together.size(); ++k) {
            QCOMPARE(together[k].name, apart[k].name);
            for (std::size_t j = 0; j < together[k].squares.size(); ++j) // other tiles, other roundings
                QVERIFY(std::abs(together[k].squares[j] - apart[k].squares[j]) <= 1e-4 * together[k].squares[j] + 1e-20);
        }
        // the head: d loss / d logit = p - 1[label], from the expected logits
        const auto& head = together.back();
        QCOMPARE(head.name, std::string("head"));
        for (std::size_t c = 0; c < 20; ++c) {
            double mean = 0;
            for (std::size_t i = 0; i < 2; ++i) {
                double total = 0;
                for (std::size_t j = 0; j < 20; ++j)
                    total += std::exp(static_cast<double>(m_expected[i * 20 + j]));
                const double slope = std::exp(static_cast<double>(m_expected[i * 20 + c])) / total - (static_cast<std::int32_t>(c) == labels[i] ? 1 : 0);
                mean += slope * slope / 2;
            }
            QVERIFY(std::abs(head.squares[c] - mean) < 1e-4 * mean + 1e-12);
        }
        const auto own = outputGradients(model, {images, {}}); // the model's own classes: smaller slopes at the head
        QVERIFY(own.back().squares.size() == 20);
    }

    void aStopIsSeenAtOnce()
    {
        auto model = VitOnTape<float>::initialised({.imageHeight = 64, .imageWidth = 64}, 1);
        const std::int64_t batch = 24;
        std::vector<float> rows(static_cast<std::size_t>(batch * model.shape().imageValues()), 0.5F);
        const std::vector<std::int32_t> labels(static_cast<std::size_t>(batch), 1);
        std::stop_source stop;
        test::StopClock clock;
        std::int64_t seen = -1;
        std::jthread stopper;
        try {
            (void)train::train<float>(
                model.parameters(), {.schedule = {.total = 100}},
                [&](Tape<float>& tape, std::int64_t step, std::int64_t) {
                    if (step == 1 && !stopper.joinable())
                        stopper = std::jthread([&] {
                            std::this_thread::sleep_for(std::chrono::milliseconds(30)); // somewhere within the step
                            clock.ask(stop);
                        });
                    seen = step;
                    return crossEntropy<float>(model.logits(tape, tape.constant({rows.data(), batch * 256, 48, 48}), batch), labels);
                },
                RunContext(stop.get_token()));
            QFAIL("the stop was not seen");
        } catch (const Error& error) {
            const double waited = clock.seconds();
            QCOMPARE(error.code(), ErrorCode::Cancelled);
            QVERIFY(seen >= 1 && seen < 100);
            QVERIFY2(waited < test::kSoonSeconds, qPrintable(QString::number(waited)));
        }
    }

    void referenceModels_data()
    {
        QTest::addColumn<QString>("variant");
        for (const char* variant : {"timm_vit", "timm_vit_avg_prenorm", "timm_vit_gelu_tanh", "timm_vit_qk_norm", "timm_vit_registers", "timm_deit_distilled",
                                    "timm_vit_resized", "hf_vit", "hf_vit_resized", "hf_deit_distilled", "hf_dinov2", "hf_clip_vision"})
            QTest::newRow(variant) << QString(variant);
    }
    /// Small models with every option: outputs are PyTorch's (computed in double, stored as float), gradients agree with
    /// difference quotients.
    void referenceModels()
    {
        QFETCH(QString, variant);
        const auto folder = std::filesystem::path(TAMIS_SOURCE_DIR) / "tests" / "golden" / "models" / variant.toStdString();
        const auto archive = io::NpzArchive::open(folder / "golden.npz");
        const auto pixels = archive->read("pixel_values");
        const auto images = pixels.toFloats();
        auto model = VitOnTape<double>::load(*io::Checkpoint::open(folder), {}, pixels.shape[2], pixels.shape[3]);
        const auto expected = archive->read(archive->find("logits") ? "logits" : "output").toDoubles();
        const auto values = static_cast<std::size_t>(model.shape().imageValues());
        QCOMPARE(images.size(), 2 * values);
        std::vector<double> rows(2 * values);
        for (std::size_t i = 0; i < 2; ++i)
            model.cutPatches(std::span(images).subspan(i * values, values), rows.data() + i * values);
        Tape<double> tape;
        const auto outputs = [&] {
            tape.reset();
            const auto width = model.shape().patchValues();
            return model.logits(tape, tape.constant({rows.data(), 2 * model.shape().patches(), width, width}), 2);
        };
        const auto found = outputs().value();
        QCOMPARE(static_cast<std::size_t>(found.rows * found.cols), expected.size());
        double worst = 0, size = 0;
        for (std::size_t i = 0; i < expected.size(); ++i) {
            worst = std::max(worst, std::abs(found.data[i] - expected[i]));
            size = std::max(size, std::abs(expected[i]));
        }
        // matrices that resample positions come as float: 1e-6 then
        QVERIFY2(worst < (variant.contains("resized") || variant == "hf_dinov2" ? 3e-6 : 1e-6) * size, qPrintable(QString("%1 of %2").arg(worst).arg(size)));
        const std::array<std::int32_t, 2> labels{1, 3};
        const auto loss = [&] { return crossEntropy<double>(outputs(), labels); };
        tape.backward(loss());
        const std::string complaint = test::checkDirection(model.parameters(), [&] { return tape.scalar(loss()); });
        QVERIFY2(complaint.empty(), complaint.c_str());
    }

    void otherModelsAreRefusedInOneSentence()
    {
        QTemporaryDir folder;
        const std::filesystem::path place(folder.path().toStdString());
        std::filesystem::copy(m_folder / "model.safetensors", place / "model.safetensors");
        QFile original(QString::fromStdString((m_folder / "config.json").string()));
        QVERIFY(original.open(QIODevice::ReadOnly));
        const QByteArray config = original.readAll();
        const auto refuses = [&](const char* before, const char* after, const char* part) {
            QByteArray changed = config;
            changed.replace(before, after);
            QFile file(QString::fromStdString((place / "config.json").string()));
            if (changed == config || !file.open(QIODevice::WriteOnly))
                return false;
            file.write(changed);
            file.close();
            try {
                (void)VitOnTape<float>::load(*io::Checkpoint::open(place));
            } catch (const Error& error) {
                qInfo("%s", error.what());
                return std::string(error.what()).find(part) != std::string::npos;
            }
            return false;
        };
        QVERIFY(refuses("\"num_heads\": 4", "\"num_heads\": 7", "7 heads"));
        QVERIFY(refuses("\"gelu\"", "\"mish\"", "mish"));
        QVERIFY(refuses("\"depth\": 6", "\"depth\": 7", "blocks.6.norm1.weight: the tensor is missing, expected [128]"));
        QVERIFY(refuses("\"mlp_ratio\": 4", "\"mlp_ratio\": 2", "found shape [512, 128], expected [256, 128]"));
        const auto refusesModel = [](const char* variant) {
            try {
                (void)VitOnTape<float>::load(*io::Checkpoint::open(std::filesystem::path(TAMIS_SOURCE_DIR) / "tests" / "golden" / "models" / variant));
            } catch (const Error& error) {
                return error.code() == ErrorCode::UnsupportedFeature;
            }
            return false;
        };
        QVERIFY(refusesModel("hf_swin") && refusesModel("gpt2") && refusesModel("hf_dinov3") && refusesModel("hf_beit"));
        auto model = VitOnTape<float>::initialised({}, 1);
        std::vector<float> rows(48);
        QVERIFY_EXCEPTION_THROWN(model.cutPatches(std::span(m_images).first(100), rows.data()), Error);
        QVERIFY_EXCEPTION_THROWN(VitOnTape<float>::initialised({.patch = 5}, 1), Error);
    }
};

TAMIS_BLAS_TEST_MAIN(TstVitOnTape)
#include "tst_vit_on_tape.moc"
