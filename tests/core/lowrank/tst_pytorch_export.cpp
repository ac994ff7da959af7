// SPDX-License-Identifier: GPL-3.0-or-later
// Exports run in PyTorch by the module that they carry: logits against Tamis's own, for every architecture that the module runs.
#include "core/base/error.h"
#include "core/lowrank/operator_loss.h"
#include "core/lowrank/stored_compression.h"
#include "core/lowrank/targets.h"
#include "core/plan/export.h"
#include "core/spectrum/method.h"

#include <QFile>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <array>
#include <cmath>

using namespace tamis;

namespace {
const std::filesystem::path kSource = TAMIS_SOURCE_DIR;

lowrank::Inputs open(const std::filesystem::path& directory)
{
    lowrank::Inputs inputs;
    inputs.checkpoint = io::Checkpoint::open(directory);
    inputs.model = nn::Model::load(*inputs.checkpoint);
    return inputs;
}

/// Half the rank everywhere by plain SVD: block identities, factors and remapped ones in turn, and fused projections stacked of three parts: a
/// dense one, factors and a block identity.
lowrank::Compression halved(const lowrank::Inputs& inputs)
{
    lowrank::Compression compression;
    compression.report.method = "lowrank.test";
    std::vector<std::string> warnings;
    const auto& plain = *spectrum::findMethod("spectrum.plain");
    const spectrum::Inputs of{inputs.checkpoint, nullptr, {}};
    int turn = 0;
    for (const io::MatrixRef* matrix : lowrank::targets(inputs, warnings)) {
        const nn::LinearOp& dense = *inputs.model->find(matrix->name)->op;
        const auto factors = plain.factors(of, matrix->name, std::min(matrix->rows, matrix->cols) / 2, plain.declaration.schema.defaults(), {});
        const auto accounting = std::array{plan::Accounting::BlockIdentity, plan::Accounting::Factors, plan::Accounting::Remapped}[std::size_t(turn++ % 3)];
        nn::LinearPtr op;
        if (matrix->role == io::Role::QueryKeyValue) {
            std::vector<nn::LinearPtr> parts;
            const std::int64_t each = matrix->rows / 3;
            const auto w = dense.dense();
            for (std::int64_t p = 0; p < 3; ++p) {
                std::vector<float> bias;
                if (!dense.bias().empty())
                    bias.assign(dense.bias().begin() + p * each, dense.bias().begin() + (p + 1) * each);
                tensor::Matrix<double> b(each, factors.b.cols());
                std::copy_n(&factors.b(p * each, 0), b.size(), b.data());
                parts.push_back(p == 0 ? nn::denseOp({&w(0, 0), each, w.cols(), w.cols()}, bias)
                                       : lowrank::makeOperator(b, factors.a, bias, p == 1 ? plan::Accounting::Factors : plan::Accounting::BlockIdentity, nullptr, {}));
            }
            op = nn::stackedOp(parts);
        } else {
            op = lowrank::makeOperator(factors.b, factors.a, dense.bias(), accounting, nullptr, {});
        }
        compression.operators.push_back({matrix->name, op, lowrank::measureOperator(*inputs.checkpoint, *matrix, op.get(), nullptr)});
    }
    return compression;
}

void write(const QString& path, const void* bytes, std::size_t count)
{
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly) && file.write(static_cast<const char*>(bytes), qint64(count)) == qint64(count));
}

/// Of a method with its defaults, at keep 0.6 under the model's own calibration set.
lowrank::Compression compressedBy(const char* method, lowrank::Inputs& inputs, const std::filesystem::path& model)
{
    inputs.calibration = io::CalibrationSet::open(model / "calibration.h5");
    const auto& by = *lowrank::findMethod(method);
    plan::BudgetRequest budget;
    budget.keep = 0.6;
    budget.allocation = plan::Allocation::Uniform;
    return by.compress(inputs, budget, by.declaration.schema.defaults(), {}, {});
}

/// Writes the export, an input and Tamis's logits for it; returns the checking script's arguments.
QStringList exported(const lowrank::Inputs& inputs, const lowrank::Compression& compression, const QString& name, const QString& directory, tensor::DType dtype)
{
    const QString base = directory + "/" + name;
    const auto plan = lowrank::storeCompression(inputs, {}, compression, (base + ".kept").toStdString());
    plan::exportPlan(plan, inputs.checkpoint, nullptr, base.toStdString(), {true, false, false, dtype}, {});
    const auto run = nn::Model::load(*io::Checkpoint::open((base + "/factors.safetensors").toStdString()));
    const auto& spec = run->spec();
    nn::Sample sample;
    std::vector<float> image;
    std::vector<std::int32_t> tokens;
    QString shape;
    if (spec.vision()) {
        image.resize(static_cast<std::size_t>(spec.patch.channels * spec.patch.imageHeight * spec.patch.imageWidth));
        for (std::size_t i = 0; i < image.size(); ++i)
            image[i] = static_cast<float>(std::sin(0.13 * double(i)) + std::cos(0.011 * double(i)));
        sample.image = image;
        shape = QString("1,%1,%2,%3").arg(spec.patch.channels).arg(spec.patch.imageHeight).arg(spec.patch.imageWidth);
        write(base + ".input", image.data(), image.size() * 4);
    } else {
        for (std::int32_t i = 0; i < 12; ++i)
            tokens.push_back((i * i * 7 + 3) % std::int32_t(spec.text.vocabulary));
        sample.tokens = tokens;
        shape = QString("1,%1").arg(tokens.size());
        write(base + ".input", tokens.data(), tokens.size() * 4);
    }
    const auto logits = nn::runBatch(*run, {&sample, 1});
    const auto before = nn::runBatch(*lowrank::compressed(*inputs.model, compression), {&sample, 1});
    for (std::size_t i = 0; i < logits[0].size(); ++i) // float16 factors are off by 2^-11 each
        if (std::abs(before[0].values()[i] - logits[0].values()[i]) > (dtype == tensor::DType::F32 ? 1e-6f : 0.3f))
            qFatal("%s: the export runs as another model than what was exported", qPrintable(name));
    write(base + ".logits", logits[0].data(), logits[0].size() * 4);
    return {base, base + ".input", base + ".logits", shape};
}

QStringList prepared(const std::filesystem::path& model, const QString& directory, tensor::DType dtype)
{
    const auto inputs = open(model);
    return exported(inputs, halved(inputs), QString::fromStdString(model.filename().string()), directory, dtype);
}

/// Only a module that is not there at all counts: an installation that is broken, or hangs, is a failure. Null: it can be imported.
const char* missingPyTorch()
{
    if (!QFile::exists("/usr/bin/python3"))
        return "/usr/bin/python3 is not installed";
    QProcess python;
    python.start("/usr/bin/python3", {"-c", "import sys, importlib.util as u; sys.exit(77 if u.find_spec('torch') is None or u.find_spec('numpy') is None else 0)"});
    if (!python.waitForFinished(60'000))
        qFatal("python3 did not answer within a minute");
    return python.exitStatus() == QProcess::NormalExit && python.exitCode() == 77 ? "PyTorch is not installed (apt-get install python3-torch python3-numpy)" : nullptr;
}
} // namespace

class TestPyTorchExport : public QObject {
    Q_OBJECT
private slots:
    void logitsAgree()
    {
        if (const char* missing = missingPyTorch())
            QSKIP(missing);
        QTemporaryDir directory;
        QStringList arguments{TAMIS_SOURCE_DIR "/tests/golden/check_pytorch_export.py"};
        for (const char* model : {"datasets/vit20", "datasets/tinylm"})
            arguments += prepared(kSource / model, directory.path(), tensor::DType::F16);
        for (const char* model : {"timm_vit", "timm_vit_avg_prenorm", "timm_vit_gelu_tanh", "timm_deit_distilled", "timm_vit_qk_norm", "llama_llama3_rope", "llama_linear_rope_tied",
                                  "llama_rope_parameters", "mistral_sliding_window", "qwen2_sliding_window", "qwen3", "gpt2", "gpt2_no_prefix", "gpt2_scaled_by_layer"})
            arguments += prepared(kSource / "tests/golden/models" / model, directory.path(), tensor::DType::F32);
        // Head by head, as the method does it unless told otherwise: dense blocks between features that are zero.
        auto inputs = open(kSource / "datasets/vit20");
        const auto split = compressedBy("lowrank.joint-vo", inputs, kSource / "datasets/vit20");
        const auto selected = std::ranges::count_if(split.operators, [](const auto& each) { return each.name.ends_with("attn.proj") && each.op->kind() == "selected"; });
        QCOMPARE(selected, 6);
        arguments += exported(inputs, split, "vit20-joint-vo", directory.path(), tensor::DType::F32);
        QProcess python;
        python.start("/usr/bin/python3", arguments);
        const bool ended = python.waitForStarted() && python.waitForFinished(240'000);
        const QByteArray said = python.readAllStandardOutput();
        qInfo("%s", said.constData());
        QVERIFY2(ended, "the script did not end within four minutes");
        QVERIFY2(python.exitStatus() == QProcess::NormalExit && python.exitCode() == 0, said + python.readAllStandardError());
        QCOMPARE(said.count('\n'), 17);
        QVERIFY(said.contains("vit20-joint-vo: largest difference"));
    }
};

QTEST_GUILESS_MAIN(TestPyTorchExport)
#include "tst_pytorch_export.moc"
