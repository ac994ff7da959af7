// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/io/npz.h"
#include "core/train/decoder_on_tape.h"
#include "core/train/loss_ops.h"
#include "core/train/output_gradients.h"
#include "core/train/pointwise_ops.h"
#include "core/train/trainer.h"
#include "tests/core/train/gradient_check.h"

#include <QtTest>

#include <cmath>

using namespace tamis;
using namespace tamis::train;

/// The reference decoders of tests/golden/models: logits are PyTorch's, gradients agree with difference quotients.
class TstDecoderOnTape : public QObject {
    Q_OBJECT

    struct Reference {
        std::shared_ptr<const io::Checkpoint> checkpoint;
        std::vector<std::int32_t> ids;
        std::int64_t sequences = 0;
        std::vector<double> logits;
    };

    static Reference reference(const QString& variant)
    {
        const auto folder = std::filesystem::path(TAMIS_SOURCE_DIR) / "tests" / "golden" / "models" / variant.toStdString();
        const auto archive = io::NpzArchive::open(folder / "golden.npz");
        const auto ids = archive->read("input_ids");
        const auto values = ids.toDoubles();
        return {io::Checkpoint::open(folder), {values.begin(), values.end()}, ids.shape[0], archive->read("logits").toDoubles()};
    }

    static void variants()
    {
        QTest::addColumn<QString>("variant");
        for (const auto& entry : std::filesystem::directory_iterator(std::filesystem::path(TAMIS_SOURCE_DIR) / "tests" / "golden" / "models")) {
            const auto name = QString::fromStdString(entry.path().filename().string());
            if (name.startsWith("llama") || name.startsWith("mistral") || name.startsWith("qwen"))
                QTest::newRow(qPrintable(name)) << name;
        }
    }

private slots:
    void logitsAreThoseOfPyTorch_data() { variants(); }
    void logitsAreThoseOfPyTorch()
    {
        QFETCH(QString, variant);
        const Reference golden = reference(variant);
        auto model = DecoderOnTape<double>::load(*golden.checkpoint);
        Tape<double> tape;
        const auto y = model.logits(tape, golden.ids, golden.sequences).value();
        QCOMPARE(static_cast<std::size_t>(y.rows * y.cols), golden.logits.size());
        double worst = 0, size = 0;
        for (std::size_t i = 0; i < golden.logits.size(); ++i) {
            worst = std::max(worst, std::abs(y.data[i] - golden.logits[i]));
            size = std::max(size, std::abs(golden.logits[i]));
        }
        // the references were computed in double and stored as float: 6e-8
        QVERIFY2(worst < 1e-6 * size, qPrintable(QString("%1 of %2").arg(worst).arg(size)));
    }

    void gradientsAreDifferenceQuotients_data() { variants(); }
    void gradientsAreDifferenceQuotients()
    {
        QFETCH(QString, variant);
        const Reference golden = reference(variant);
        auto model = DecoderOnTape<double>::load(*golden.checkpoint);
        const auto labels = nextTokens(golden.ids, golden.sequences);
        Tape<double> tape;
        const auto loss = [&] {
            tape.reset();
            return crossEntropy<double>(model.logits(tape, golden.ids, golden.sequences), labels);
        };
        tape.backward(loss());
        const std::string complaint = test::checkDirection(model.parameters(), [&] { return tape.scalar(loss()); });
        QVERIFY2(complaint.empty(), complaint.c_str());
    }

    void aFewStepsLowerTheLoss()
    {
        const Reference golden = reference("qwen3");
        auto model = DecoderOnTape<float>::load(*golden.checkpoint);
        const auto labels = nextTokens(golden.ids, golden.sequences);
        const auto steps = train::train<float>(model.parameters(), {.schedule = {.kind = ScheduleKind::Constant, .peak = 0.01, .total = 40}, .clipNorm = 1.0},
                                               [&](Tape<float>& tape, std::int64_t, std::int64_t) {
                                                   return crossEntropy<float>(model.logits(tape, golden.ids, golden.sequences), labels);
                                               });
        QVERIFY2(steps.back().loss < 0.5 * steps.front().loss, qPrintable(QString("%1 -> %2").arg(steps.front().loss).arg(steps.back().loss)));
    }

    void outputGradientsDoNotDependOnTheBatch()
    {
        const Reference golden = reference("qwen2_sliding_window");
        auto model = DecoderOnTape<float>::load(*golden.checkpoint);
        const std::int64_t length = static_cast<std::int64_t>(golden.ids.size()) / golden.sequences;
        const auto together = outputGradients(model, golden.ids, length), apart = outputGradients(model, golden.ids, length, {}, 1);
        QCOMPARE(together.size(), apart.size());
        QVERIFY(together.size() >= 7 * model.spec().blocks.size());
        for (std::size_t k = 0; k < together.size(); ++k) {
            QCOMPARE(together[k].name, apart[k].name);
            double difference = 0, size = 0;
            for (std::size_t j = 0; j < together[k].squares.size(); ++j) {
                difference = std::max(difference, std::abs(together[k].squares[j] - apart[k].squares[j]));
                size = std::max(size, together[k].squares[j]);
            }
            QVERIFY2(size > 0 && difference < 1e-4 * size, together[k].name.c_str()); // roundings of float in another order
        }
    }

    void otherModelsAreRefused()
    {
        for (const char* variant : {"gpt2", "bert_masked", "hf_vit"}) {
            const auto folder = std::filesystem::path(TAMIS_SOURCE_DIR) / "tests" / "golden" / "models" / variant;
            try {
                (void)DecoderOnTape<float>::load(*io::Checkpoint::open(folder));
                QFAIL(variant);
            } catch (const Error& error) {
                QCOMPARE(error.code(), ErrorCode::UnsupportedFeature);
            }
        }
        const Reference golden = reference("qwen3");
        auto model = DecoderOnTape<float>::load(*golden.checkpoint);
        Tape<float> tape;
        const std::vector<std::int32_t> beyond{0, static_cast<std::int32_t>(model.spec().text.vocabulary)};
        QVERIFY_EXCEPTION_THROWN(model.logits(tape, beyond, 1), Error);
        QVERIFY_EXCEPTION_THROWN(model.logits(tape, std::vector<std::int32_t>{1, 2, 3}, 2), Error);
        QCOMPARE(nextTokens(std::vector<std::int32_t>{1, 2, 3, 4}, 2), (std::vector<std::int32_t>{2, -1, 4, -1}));
    }
};

QTEST_APPLESS_MAIN(TstDecoderOnTape)
#include "tst_decoder_on_tape.moc"
