// SPDX-License-Identifier: GPL-3.0-or-later
// What a compression stores is what a plan runs: logits of the plan's model against those of the compressed model.
#include "core/base/error.h"
#include "core/lowrank/operator_loss.h"
#include "core/lowrank/stored_compression.h"
#include "core/lowrank/targets.h"
#include "core/plan/apply_plan.h"
#include "core/plan/export.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;

namespace {
const std::filesystem::path kDatasets = TAMIS_SOURCE_DIR "/datasets";

lowrank::Inputs vit20()
{
    lowrank::Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(kDatasets / "vit20");
    inputs.model = nn::Model::load(*inputs.checkpoint);
    inputs.calibration = io::CalibrationSet::open(kDatasets / "vit20" / "calibration.h5");
    return inputs;
}

/// Row slices of a weight, and of its bias, as dense operators: exact, so that only storing can go wrong.
nn::LinearPtr sliced(const nn::LinearOp& op, std::int64_t begin, std::int64_t end)
{
    const auto w = op.dense();
    return nn::denseOp({&w(begin, 0), end - begin, w.cols(), w.cols()}, {op.bias().begin() + begin, op.bias().begin() + end});
}

/// A fused projection stacked of a dense part, factors and a block identity; an MLP as factors; a bias of its own.
lowrank::Compression mixed(const lowrank::Inputs& inputs)
{
    lowrank::Compression compression;
    compression.report.method = "lowrank.test";
    const auto add = [&](const std::string& name, nn::LinearPtr op) {
        const auto& matrices = inputs.checkpoint->layout().matrices;
        const auto matrix = std::ranges::find(matrices, name, &io::MatrixRef::name);
        const auto site = inputs.calibration->read(name);
        compression.operators.push_back({name, op, lowrank::measureOperator(*inputs.checkpoint, *matrix, op.get(), &site)});
        compression.report.matrices.push_back(compression.operators.back().matrix);
    };
    const nn::LinearOp& qkv = *inputs.model->find("blocks.1.attn.qkv")->op;
    tensor::Matrix<double> b(128, 7), a(7, 128);
    for (std::int64_t i = 0; i < 128; ++i)
        for (std::int64_t k = 0; k < 7; ++k) {
            b(i, k) = std::sin(double(i * 7 + k) * double(i + k));
            a(k, i) = std::cos(double(i * i + 31 * k * i + k)) / 50;
        }
    const std::vector<float> bias(qkv.bias().begin(), qkv.bias().begin() + 128);
    add("blocks.1.attn.qkv", nn::stackedOp({sliced(qkv, 0, 128), lowrank::makeOperator(b, a, bias, plan::Accounting::Factors, nullptr, {}),
                                            lowrank::makeOperator(b, a, bias, plan::Accounting::BlockIdentity, nullptr, {})}));
    add("blocks.2.attn.proj", lowrank::makeOperator(b, a, std::vector<float>(128, 0.25f), plan::Accounting::Factors, nullptr, {}));
    return compression;
}

std::vector<float> logits(const nn::Model& model)
{
    std::vector<float> image(3 * 64 * 64);
    for (std::size_t i = 0; i < image.size(); ++i)
        image[i] = static_cast<float>(std::sin(double(i) / 17));
    const nn::Sample sample{image, {}, {}};
    const auto output = nn::runBatch(model, {&sample, 1});
    return {output[0].values().begin(), output[0].values().end()};
}
} // namespace

class TestStoredCompression : public QObject {
    Q_OBJECT
private slots:
    /// The same operators in the same order of operations: equal to the last bit.
    void planRunsWhatWasStored()
    {
        const auto inputs = vit20();
        const auto compression = mixed(inputs);
        QTemporaryDir directory;
        const std::filesystem::path out = directory.filePath("kept").toStdString();
        lowrank::storeCompression(inputs, {}, compression, out);
        const auto plan = plan::readPlan(out / "plan.json");
        const auto model = plan::applyPlan(*inputs.model, inputs.checkpoint, nullptr, plan);
        QCOMPARE(logits(*model), logits(*lowrank::compressed(*inputs.model, compression)));
        QVERIFY(logits(*model) != logits(*inputs.model));
        QCOMPARE(plan.operators.size(), std::size_t(2));
        QCOMPARE(plan.operators[0].layout, std::string("stacked"));
    }

    /// The exported factors, read as a model of their own, run as the compressed model: to the last bit in float32. The adapter is
    /// verified by the export itself, which throws otherwise.
    void exportRunsAsTheCompressedModel()
    {
        const auto inputs = vit20();
        const auto compression = mixed(inputs);
        QTemporaryDir directory;
        const std::filesystem::path kept = directory.filePath("kept").toStdString(), out = directory.filePath("out").toStdString();
        const auto plan = lowrank::storeCompression(inputs, {}, compression, kept);
        const auto result = plan::exportPlan(plan, inputs.checkpoint, inputs.calibration, out, {true, true, true}, {});
        QCOMPARE(result.verified.size(), std::size_t(2));
        for (const auto& each : result.verified) // predicted from the operators, measured from the files
            QVERIFY(each.relativeDifference < 1e-9);
        const auto expected = logits(*lowrank::compressed(*inputs.model, compression));
        const auto factors = nn::Model::load(*io::Checkpoint::open(out / "factors.safetensors"));
        QCOMPARE(logits(*factors), expected);
        QCOMPARE(factors->find("blocks.1.attn.qkv")->op->kind(), std::string_view("stacked"));
        const auto dense = logits(*nn::Model::load(*io::Checkpoint::open(out / "model.safetensors")));
        for (std::size_t i = 0; i < expected.size(); ++i) // another order of float operations
            QVERIFY(std::abs(dense[i] - expected[i]) < 1e-4f * (1 + std::abs(expected[i])));
        plan::exportPlan(plan, inputs.checkpoint, nullptr, directory.filePath("half").toStdString(), {true, false, false, tensor::DType::F16}, {});
    }

    /// 8-bit numbers and half floats are stored as such, alone and beside others in one operator, and run from the file as before.
    void remappedOperatorsAreStoredPacked()
    {
        const auto inputs = vit20();
        auto compression = mixed(inputs);
        const auto& old = compression.operators.back();
        tensor::Matrix<double> b(128, 40), a(40, 128);
        for (std::size_t i = 0; i < b.size(); ++i) {
            b.values()[i] = std::sin(double(i * i));
            a.values()[i] = std::cos(double(i) * double(i + 5)) / 50;
        }
        const auto op = lowrank::makeOperator(b, a, std::vector<float>(128, 0.25f), plan::Accounting::Remapped, nullptr, {});
        const auto matrix = std::ranges::find(inputs.checkpoint->layout().matrices, old.name, &io::MatrixRef::name);
        const auto site = inputs.calibration->read(old.name);
        compression.operators.back() = {old.name, op, lowrank::measureOperator(*inputs.checkpoint, *matrix, op.get(), &site)};
        QCOMPARE(compression.operators.back().matrix.keep, double(2 * 40 * 128 + 4 * 128 + 4 * 40) / double(2 * 128 * 128)); // of 16 bits, scales counted
        QTemporaryDir directory;
        const std::filesystem::path kept = directory.filePath("kept").toStdString(), out = directory.filePath("out").toStdString();
        const auto plan = lowrank::storeCompression(inputs, {}, compression, kept);
        const auto expected = logits(*lowrank::compressed(*inputs.model, compression));
        QCOMPARE(logits(*plan::applyPlan(*inputs.model, inputs.checkpoint, nullptr, plan)), expected);
        std::uint64_t packed = 0;
        const auto file = io::Checkpoint::open(kept / "factors.safetensors");
        for (const auto& entry : file->tensors())
            packed += entry.name.starts_with(old.name) ? entry.bytes : 0;
        QCOMPARE(packed, op->cost().bytes);
        plan::exportPlan(plan, inputs.checkpoint, nullptr, out, {true, true, false}, {});
        QCOMPARE(logits(*nn::Model::load(*io::Checkpoint::open(out / "factors.safetensors"))), expected);
    }

    /// A calibration set of another model is no way to measure what was lost.
    void exportRefusesAnotherModel()
    {
        const auto inputs = vit20();
        QTemporaryDir directory;
        const auto plan = lowrank::storeCompression(inputs, {}, mixed(inputs), directory.filePath("kept").toStdString());
        const auto other = io::Checkpoint::open(kDatasets / "tinylm");
        try {
            plan::exportPlan(plan, other, nullptr, directory.filePath("out").toStdString(), {}, {});
            QFAIL("a plan of another model was exported");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::InvalidParameter || error.code() == ErrorCode::UnsupportedFeature);
        }
        QVERIFY(!std::filesystem::exists(directory.filePath("out").toStdString()));
    }

    /// Plan and factors may be moved together; factors of another run are refused.
    void movesAsAWholeAndRefusesOtherFactors()
    {
        const auto inputs = vit20();
        auto compression = mixed(inputs);
        QTemporaryDir directory;
        const std::filesystem::path first = directory.filePath("first").toStdString(), moved = directory.filePath("moved").toStdString();
        lowrank::storeCompression(inputs, {}, compression, first);
        std::filesystem::rename(first, moved);
        const auto plan = plan::readPlan(moved / "plan.json");
        QCOMPARE(plan::readStoredOperators(plan).size(), std::size_t(2));
        compression.operators.pop_back();
        lowrank::storeCompression(inputs, {}, compression, first);
        std::filesystem::copy_file(first / "factors.safetensors", moved / "factors.safetensors", std::filesystem::copy_options::overwrite_existing);
        try {
            plan::readStoredOperators(plan);
            QFAIL("factors of another run were read");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::InvalidParameter);
        }
    }

    /// The measured loss is that of the definition, |(W - W') X|^2, here with X the held-out rows, summed by hand.
    void lossIsThatOfTheDefinition()
    {
        const auto inputs = vit20();
        const auto compression = mixed(inputs);
        const auto& each = compression.operators[1];
        const auto site = inputs.calibration->read(each.name);
        const auto w = inputs.model->find(each.name)->op->dense(), now = each.op->dense();
        double loss = 0;
        for (std::int64_t t = 0; t < site.heldOut.rows(); ++t)
            for (std::int64_t i = 0; i < w.rows(); ++i) {
                double y = 0;
                for (std::int64_t j = 0; j < w.cols(); ++j)
                    y += (double(w(i, j)) - now(i, j)) * site.heldOut(t, j);
                loss += y * y;
            }
        QVERIFY(std::abs(each.matrix.heldOutLoss - loss) < 1e-9 * loss); // double against double, sums of 1e6 terms
    }
};

QTEST_GUILESS_MAIN(TestStoredCompression)
#include "tst_stored_compression.moc"
