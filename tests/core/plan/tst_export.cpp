// SPDX-License-Identifier: GPL-3.0-or-later
// What an export writes, looked at with the documented formulas and plain loops.
#include "export_fixture.h"

#include "core/io/safetensors.h"

#include <QJsonArray>
#include <QProcess>
#include <QRegularExpression>
#include <QTest>

#include <algorithm>
#include <cmath>
#include <random>

using namespace tamis;
using namespace tamis::plan;
using namespace tamis::plan::fixture;

class TstExport : public QObject
{
    Q_OBJECT
    QTemporaryDir m_dir;
    QString path(const QString& name) const { return m_dir.filePath(name); }

    // Everything that was not replaced is there, byte for byte.
    void othersAreUnchanged(const io::Checkpoint& original, const io::Checkpoint& written, const Plan& plan)
    {
        std::size_t compared = 0;
        for (const auto& entry : original.tensors()) {
            const bool replaced = std::ranges::any_of(
                plan.operators, [&](const auto& op) { return op.tensor == entry.name && op.layout != "dense"; });
            if (replaced)
                continue;
            const auto* copy = written.find(entry.name);
            QVERIFY2(copy, entry.name.c_str());
            QVERIFY(copy->dtype == entry.dtype && copy->shape == entry.shape);
            QVERIFY(original.readBytes(entry) == written.readBytes(*copy));
            ++compared;
        }
        QVERIFY(compared > 0);
    }

    // The same from outside: NumPy (and h5py) where they are installed.
    void numPyAgrees(const QString& target, bool whitened, std::size_t matrices, std::uint64_t parameters)
    {
        const QString vit20 = TAMIS_SOURCE_DIR "/datasets/vit20/";
        QStringList arguments{TAMIS_SOURCE_DIR "/tests/golden/check_export.py", vit20 + "model.safetensors", target};
        if (whitened)
            arguments << vit20 + "calibration.h5";
        QProcess python;
        python.start("/usr/bin/python3", arguments);
        if (!python.waitForStarted() || !python.waitForFinished(120'000) || python.exitCode() == 77) {
            qInfo("not compared with NumPy: it is not installed");
            return;
        }
        QVERIFY2(python.exitCode() == 0, python.readAllStandardError());
        QCOMPARE(python.readAllStandardOutput(), QByteArray(QString("%1 %2\n").arg(matrices).arg(parameters).toLatin1()));
    }

private slots:
    void vit20_data()
    {
        QTest::addColumn<QString>("method");
        QTest::addColumn<QString>("accounting");
        for (const char* method : {"spectrum.plain", "spectrum.whitened"})
            for (const char* accounting : {"factors", "block-identity"})
                QTest::addRow("%s, %s", method, accounting) << method << accounting;
    }
    void vit20()
    {
        QFETCH(QString, method);
        QFETCH(QString, accounting);
        const auto prepared = fixture::vit20(qPrintable(method), 0.5, parseAccounting(accounting.toStdString()));
        const auto& original = *prepared.inputs.checkpoint;
        const QString target = path(method + accounting);
        const auto result = exported(prepared, target.toStdString(), {.lora = true});

        QStringList listed;
        for (const auto& file : result.files)
            listed << QDir(target).relativeFilePath(QString::fromStdString(file.string()));
        listed.sort();
        QCOMPARE(filesBelow(target), listed);
        QCOMPARE(entriesOf(path("")).filter(QRegularExpression("^\\.")), QStringList()); // no temporary directory

        const auto factors = io::Checkpoint::open((target + "/factors.safetensors").toStdString());
        const auto dense = io::Checkpoint::open((target + "/model.safetensors").toStdString());
        const auto base = io::Checkpoint::open((target + "/lora/base").toStdString());
        const auto adapter = io::Checkpoint::open((target + "/lora/adapter_model.safetensors").toStdString());
        for (const auto& file : {factors, dense, base})
            othersAreUnchanged(original, *file, prepared.plan);
        QCOMPARE(dense->parameters(), original.parameters());
        QCOMPARE(dense->bytes(), original.bytes());

        // The saving is real: what is in the file is what the plan said.
        std::uint64_t indices = 0, replaced = 0;
        std::mt19937 random(3);
        for (const auto& op : prepared.plan.operators) {
            if (op.layout == "dense") {
                QVERIFY(!factors->find(op.name + ".lowrank_a"));
                continue;
            }
            ++replaced;
            QVERIFY(!factors->find(op.tensor));
            QCOMPARE(factors->find(op.name + ".lowrank_b")->shape, (std::vector<std::int64_t>{op.rows, op.rank}));
            if (const auto* perm = factors->find(op.name + ".lowrank_perm")) {
                QVERIFY(perm->dtype == tensor::DType::I64);
                indices += perm->elements();
                QCOMPARE(factors->find(op.name + ".lowrank_a")->shape, (std::vector<std::int64_t>{op.rank, op.cols - op.rank}));
            }

            // W' x from the factors against W' x from the dense file. Both are roundings to F32 (2^-24) of one product; a
            // block's larger coefficients widen it, so 1e-5 of the norm.
            const auto w = dense->readMatrixDouble(matrix(*dense, op.name));
            const auto was = original.readMatrixDouble(matrix(original, op.name));
            std::vector<double> x(static_cast<std::size_t>(op.cols));
            std::ranges::generate(x, [&] { return std::normal_distribution<>()(random); });
            const auto y = applied(*factors, op.name, x);
            double difference = 0, norm = 0;
            for (std::int64_t i = 0; i < op.rows; ++i) {
                double sum = 0;
                for (std::int64_t j = 0; j < op.cols; ++j)
                    sum += w(i, j) * x[static_cast<std::size_t>(j)];
                difference += (sum - y[static_cast<std::size_t>(i)]) * (sum - y[static_cast<std::size_t>(i)]);
                norm += sum * sum;
            }
            QVERIFY2(std::sqrt(difference / norm) < 1e-5, op.name.c_str());

            // Base and adapter add up to W, within half a unit in the last place of the base.
            const auto rest = base->readMatrixDouble(matrix(*base, op.name));
            const auto a = stored(*adapter, "base_model.model." + op.name + ".lora_A.weight");
            const auto b = stored(*adapter, "base_model.model." + op.name + ".lora_B.weight");
            QCOMPARE(a.rows(), op.rank);
            QCOMPARE(a.cols(), op.cols);
            for (std::int64_t i = 0; i < op.rows; i += 7)
                for (std::int64_t j = 0; j < op.cols; ++j) {
                    double sum = rest(i, j), magnitude = std::abs(sum);
                    for (std::int64_t k = 0; k < op.rank; ++k) {
                        sum += b(i, k) * a(k, j);
                        magnitude += std::abs(b(i, k) * a(k, j));
                    }
                    QVERIFY(std::abs(sum - was(i, j)) <= 0x1p-24 * std::abs(rest(i, j)) * 1.0001 + 1e-14 * magnitude);
                }
            if (method == "spectrum.plain") { // |W - W'|_F^2 in plain loops
                double loss = 0;
                for (std::size_t i = 0; i < w.size(); ++i)
                    loss += (w.values()[i] - was.values()[i]) * (w.values()[i] - was.values()[i]);
                QVERIFY2(std::abs(loss - op.predictedLoss) <= 1e-5 * op.predictedLoss, op.name.c_str());
            }
        }
        QVERIFY(replaced > 10);
        QCOMPARE(accounting == "block-identity", indices > 0);
        QCOMPARE(factors->parameters() - indices, prepared.plan.cost.parameters);
        QCOMPARE(factors->bytes(), prepared.plan.cost.bytes);
        QVERIFY(factors->bytes() < original.bytes());
        QCOMPARE(result.cost.parameters, prepared.plan.cost.parameters);
        QCOMPARE(result.cost.bytes, prepared.plan.cost.bytes);
        QCOMPARE(result.cost.macs, prepared.plan.cost.macs);

        QCOMPARE(result.verified.size(), std::size_t(replaced));
        double worst = 0;
        for (const auto& verified : result.verified) {
            QVERIFY(verified.withinTolerance && verified.predictedLoss > 0);
            QVERIFY(std::isfinite(verified.denseLoss) && verified.loraDifference < 1e-7);
            worst = std::max(worst, verified.relativeDifference);
        }
        numPyAgrees(target, method == "spectrum.whitened", result.verified.size(), prepared.plan.cost.parameters);
        qInfo("%zu matrices, largest relative difference of loss %.2e", result.verified.size(), worst);
        QVERIFY(worst < 1e-4);
    }

    void smallJsonFiles()
    {
        const auto prepared = fixture::vit20("spectrum.plain", 0.4, Accounting::Factors);
        const QString target = path("json");
        const auto result = exported(prepared, target.toStdString(), {.lora = true});
        const auto recipe = json(target + "/recipe.json");
        QCOMPARE(recipe["schema"].toString(), QString("tamis.recipe/1"));
        QCOMPARE(recipe["model"].toObject()["hash"].toString().toStdString(), prepared.inputs.checkpoint->sha256());
        QVERIFY(recipe["calibration"].isNull());
        QCOMPARE(recipe["files"].toArray().size(), qsizetype(result.files.size()));
        const auto operators = recipe["operators"].toArray();
        QCOMPARE(operators.size(), qsizetype(prepared.plan.operators.size()));
        for (qsizetype i = 0; i < operators.size(); ++i) {
            const auto& op = prepared.plan.operators[std::size_t(i)];
            const auto entry = operators[i].toObject();
            QCOMPARE(entry["rank"].toInt(), int(op.rank));
            QCOMPARE(entry["predictedLoss"].toDouble(), op.predictedLoss);
            QCOMPARE(entry.contains("measuredLoss"), op.layout != "dense");
        }
        const auto adapter = json(target + "/lora/adapter_config.json");
        QCOMPARE(adapter["peft_type"].toString(), QString("LORA"));
        QCOMPARE(adapter["use_rslora"].toBool(true), false);
        QCOMPARE(adapter["r"].toInt(), adapter["lora_alpha"].toInt());
        QCOMPARE(adapter["rank_pattern"], adapter["alpha_pattern"]);
        QCOMPARE(adapter["target_modules"].toArray().size(), qsizetype(result.verified.size()));
        QCOMPARE(adapter["rank_pattern"].toObject().size(), qsizetype(result.verified.size()));
        QCOMPARE(json(target + "/config.json")["embed_dim"].toInt(), 128);
    }
    /// Attention has no weights: what stands where is in the plan that goes along, and only then is there one.
    void attentionGoesAlongInThePlan()
    {
        auto prepared = fixture::vit20("spectrum.plain", 0.4, Accounting::Factors);
        QTemporaryDir directory;
        const std::filesystem::path without = directory.filePath("without").toStdString(), with = directory.filePath("with").toStdString();
        exported(prepared, without, {.dense = false});
        QVERIFY(!std::filesystem::exists(without / "plan.json"));
        Parameters settings;
        settings.set("landmarks", std::int64_t{16});
        prepared.plan.attention = {{0, -1, "attention.nystrom", settings}, {3, 1, "", {}}};
        prepared.plan.attentionSeed = 7;
        const auto result = exported(prepared, with, {.dense = false});
        QVERIFY(std::ranges::find(result.files, with / "plan.json") != result.files.end());
        const Plan again = readPlan(with / "plan.json");
        QCOMPARE(again.attention.size(), std::size_t{2});
        QVERIFY(again.attention[0].method == "attention.nystrom" && again.attention[0].parameters == settings && again.attention[1].head == 1);
        QCOMPARE(again.attentionSeed, std::int64_t{7});
    }
    /// Nor have a cache and reuse between frames: each alone takes the plan along.
    void cacheAndReuseGoAlongInThePlan()
    {
        auto prepared = fixture::vit20("spectrum.plain", 0.4, Accounting::Factors);
        QTemporaryDir directory;
        const std::filesystem::path caches = directory.filePath("caches").toStdString(), frames = directory.filePath("frames").toStdString();
        prepared.plan.cache = PlannedCache{.policy = "cache.s3-fifo", .parameters = {}, .size = 1000, .bytes = true, .trace = "words"};
        exported(prepared, caches, {.dense = false});
        QVERIFY(readPlan(caches / "plan.json").cache == prepared.plan.cache);
        prepared.plan.cache.reset();
        prepared.plan.reuse = PlannedReuse{.method = "reuse.gate", .parameters = {}, .sequence = "motion", .macsShare = 0.5};
        exported(prepared, frames, {.dense = false});
        const Plan again = readPlan(frames / "plan.json");
        QVERIFY(again.reuse == prepared.plan.reuse && !again.cache);
    }
    void theSameInputsGiveTheSameBytes()
    {
        const auto prepared = fixture::vit20("spectrum.whitened", 0.5, Accounting::BlockIdentity, Allocation::Uniform);
        exported(prepared, path("first").toStdString(), {});
        exported(prepared, path("second").toStdString(), {});
        for (const QString& name : filesBelow(path("first"))) {
            QFile first(path("first/" + name)), second(path("second/" + name));
            QVERIFY(first.open(QIODevice::ReadOnly) && second.open(QIODevice::ReadOnly));
            QVERIFY2(first.readAll() == second.readAll(), qPrintable(name));
        }
    }
    void narrowFactors_data()
    {
        QTest::addColumn<int>("dtype");
        QTest::newRow("F16") << int(tensor::DType::F16);
        QTest::newRow("BF16") << int(tensor::DType::BF16);
    }
    void narrowFactors()
    {
        QFETCH(int, dtype);
        const auto type = tensor::DType(dtype);
        for (const auto accounting : {Accounting::Factors, Accounting::BlockIdentity}) {
            const auto prepared = fixture::vit20("spectrum.whitened", 0.5, accounting);
            const auto target = path(QString("narrow%1%2").arg(dtype).arg(int(accounting))).toStdString();
            const auto result = exported(prepared, target, {.dense = false, .lora = true, .factorDType = type});
            const auto factors = io::Checkpoint::open(target + "/factors.safetensors");
            const auto& first = result.verified.front();
            const std::string name = first.tensor.substr(0, first.tensor.rfind(".weight"));
            QVERIFY(factors->find(name + ".lowrank_a")->dtype == type);
            QVERIFY(result.cost.bytes < prepared.plan.cost.bytes); // the plan counts the checkpoint's F32
            QCOMPARE(result.cost.parameters, prepared.plan.cost.parameters);
            for (const auto& verified : result.verified)
                QVERIFY(verified.loraDifference < 1e-7); // the base makes up for the coarser adapter
        }
    }
    void shards()
    {
        const auto prepared = fixture::vit20("spectrum.plain", 0.5, Accounting::BlockIdentity);
        const QString target = path("shards");
        const auto result = exported(prepared, target.toStdString(), {.lora = true, .maxShardBytes = 300'000});
        QVERIFY(filesBelow(target).filter(QRegularExpression("^model-\\d{5}-of-\\d{5}\\.safetensors$")).size() > 5);
        for (const auto& file : result.files)
            if (const auto name = file.filename().string(); name.starts_with("model-") || name.starts_with("factors-"))
                QVERIFY(std::filesystem::file_size(file) < 300'000 + 20'000); // and a header
        const auto sharded = io::Checkpoint::open(target.toStdString());
        QCOMPARE(QString::fromStdString(sharded->format()), QString("safetensors-sharded"));
        othersAreUnchanged(*prepared.inputs.checkpoint, *sharded, prepared.plan);

        // A sharded checkpoint exports like any other: back into one file with the same content.
        auto again = prepare(target.toStdString(), "", "spectrum.plain", {1.0, Allocation::Greedy, Accounting::Factors, 1, {}});
        exported(again, path("whole").toStdString(), {.factors = false});
        const auto whole = io::Checkpoint::open(path("whole").toStdString());
        QCOMPARE(whole->files().size(), std::size_t(1));
        QCOMPARE(whole->tensors().size(), sharded->tensors().size());
        othersAreUnchanged(*sharded, *whole, again.plan);
    }

    // GPT-2 stores [in, out], here in BF16; the dense file must too.
    void transposedWeightsGoBackTransposed()
    {
        const std::int64_t in = 24, out = 72;
        std::mt19937 random(11);
        std::vector<float> w(static_cast<std::size_t>(in * out));
        for (auto& value : w) // BF16 numbers
            value = std::ldexp(float(int(random() % 255) - 127), -7);
        QVERIFY(QDir().mkpath(path("gpt2")));
        {
            io::SafetensorsWriter writer(path("gpt2/model.safetensors").toStdString(),
                                         {{"h.0.attn.c_attn.bias", tensor::DType::F32, {out}},
                                          {"h.0.attn.c_attn.weight", tensor::DType::BF16, {in, out}}});
            writer.appendValues("h.0.attn.c_attn.bias", std::vector<float>(out, 0.5f));
            writer.appendValues("h.0.attn.c_attn.weight", w);
            writer.commit();
        }
        QFile config(path("gpt2/config.json"));
        QVERIFY(config.open(QIODevice::WriteOnly));
        config.write(R"({"model_type": "gpt2"})");
        config.close();
        const auto prepared = prepare(path("gpt2").toStdString(), "", "spectrum.plain", {0.5, Allocation::Uniform, Accounting::Factors, 1, {}});
        const auto& op = prepared.plan.operators.at(0);
        QVERIFY(op.layout == "factors" && op.rows == out && op.cols == in);
        const auto result = exported(prepared, path("gpt2-out").toStdString(), {.lora = true});
        const auto dense = io::Checkpoint::open(path("gpt2-out").toStdString());
        const auto* entry = dense->find("h.0.attn.c_attn.weight");
        QVERIFY(entry->dtype == tensor::DType::BF16);
        QCOMPARE(entry->shape, (std::vector<std::int64_t>{in, out}));
        const auto values = dense->readFloats(*entry);
        const auto factors = io::Checkpoint::open(path("gpt2-out/factors.safetensors").toStdString());
        for (std::int64_t j = 0; j < in; ++j) { // column j of W' is row j as stored
            std::vector<double> unit(static_cast<std::size_t>(in));
            unit[static_cast<std::size_t>(j)] = 1;
            const auto column = applied(*factors, op.name, unit);
            for (std::int64_t i = 0; i < out; ++i) { // one rounding to BF16, and F32 factors
                const double expected = column[static_cast<std::size_t>(i)];
                QVERIFY(std::abs(values[static_cast<std::size_t>(j * out + i)] - expected) <= 0x1.01p-8 * std::abs(expected) + 1e-6);
            }
        }
        QCOMPARE(json(path("gpt2-out/lora/adapter_config.json"))["fan_in_fan_out"].toBool(), true);
        QVERIFY(result.verified.at(0).denseLoss != result.verified.at(0).measuredLoss); // BF16 against F32
    }
    // A patch embedding is a convolution: its tensors keep the kernel's shape.
    void convolutionsKeepTheirShape()
    {
        auto prepared = fixture::vit20("spectrum.plain", 0.3, Accounting::Factors, Allocation::Uniform);
        const auto& ref = matrix(*prepared.inputs.checkpoint, "patch_embed.proj");
        const auto shape = prepared.inputs.checkpoint->find(ref.tensor)->shape;
        QCOMPARE(shape.size(), std::size_t(4));
        exported(prepared, path("conv").toStdString(), {.lora = true});
        QCOMPARE(io::Checkpoint::open(path("conv").toStdString())->find(ref.tensor)->shape, shape);
        const auto adapter = io::Checkpoint::open(path("conv/lora/adapter_model.safetensors").toStdString());
        const auto* a = adapter->find("base_model.model.patch_embed.proj.lora_A.weight");
        const auto* b = adapter->find("base_model.model.patch_embed.proj.lora_B.weight");
        const std::int64_t r = a->shape[0];
        QCOMPARE(a->shape, (std::vector<std::int64_t>{r, shape[1], shape[2], shape[3]}));
        QCOMPARE(b->shape, (std::vector<std::int64_t>{shape[0], r, 1, 1}));
    }
};

QTEST_GUILESS_MAIN(TstExport)
#include "tst_export.moc"
