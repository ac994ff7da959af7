// SPDX-License-Identifier: GPL-3.0-or-later
// What one verb writes, the next one reads: plan, export, inspect; and the demonstration as a whole.
#include "tests/cli/cli_process.h"

#include <QDir>
#include <QFileInfo>
#include <QImage>
#include <QJsonArray>
#include <QTemporaryDir>
#include <QTest>

#include <cmath>

using namespace tamis::tests;

namespace {
/// Parameters of an operator: counted here from its rank, independently of the program.
qint64 parametersOf(const QJsonObject& op)
{
    const auto m = op["rows"].toInteger(), n = op["cols"].toInteger(), r = op["rank"].toInteger();
    const auto layout = op["layout"].toString();
    return layout == "dense" ? m * n : layout == "factors" ? r * (m + n) : r * (m + n) - r * r;
}
} // namespace

class TestCliChain : public QObject
{
    Q_OBJECT
private slots:
    void planExportInspect_data();
    void planExportInspect();
    void overridesReachThePlan();
    void exportRefusesAFullDirectory();
    void exportRefusesAnotherModel();
    void plainPlanOfPlainArrays();
    void demonstration();
};

void TestCliChain::planExportInspect_data()
{
    QTest::addColumn<QStringList>("planOptions");
    QTest::addColumn<QStringList>("exportOptions");
    QTest::newRow("greedy") << QStringList{} << QStringList{};
    QTest::newRow("uniform, block identity, factors only")
        << QStringList{"--allocate", "uniform", "--accounting", "block-identity"} << QStringList{"--no-dense"};
    QTest::newRow("energy, aligned, dense only") << QStringList{"--allocate", "energy", "--align", "8"} << QStringList{"--no-factors"};
}

void TestCliChain::planExportInspect()
{
    QFETCH(QStringList, planOptions);
    QFETCH(QStringList, exportOptions);
    QTemporaryDir directory;
    const auto planFile = directory.filePath("plan.json"), exported = directory.filePath("export");
    const auto planned = runCli(QStringList{"plan", vit20(), "--calibration", vit20Calibration(), "--keep", "0.5", "--latency-tokens",
                                            "0", "--out", planFile, "--json", "-"} + planOptions);
    QVERIFY2(planned.status == 0, planned.errors);
    const auto plan = planned.json();
    QCOMPARE(plan["schema"].toString(), "tamis.plan/1");
    for (const char* key : {"model", "keep", "accounting", "operators", "cost", "baseline", "predictedLoss"})
        QVERIFY2(plan.contains(QLatin1String(key)), key);
    QCOMPARE(readJsonFile(planFile)["operators"], plan["operators"]);

    qint64 saved = 0;
    double loss = 0;
    int replaced = 0;
    for (const auto& value : plan["operators"].toArray()) {
        const auto op = value.toObject();
        const auto dense = op["rows"].toInteger() * op["cols"].toInteger();
        if (op["layout"].toString() == "dense")
            continue;
        ++replaced;
        saved += dense - parametersOf(op);
        loss += op["predictedLoss"].toDouble();
    }
    QVERIFY(replaced > 5 && saved > 0);
    QVERIFY(std::abs(loss - plan["predictedLoss"].toDouble()) <= 1e-9 * loss);
    QCOMPARE(plan["cost"].toObject()["parameters"].toInteger(), 1'231'764 - saved);

    const auto written = runCli(QStringList{"export", vit20(), "--plan", planFile, "--out", exported, "--json", "-"} + exportOptions);
    QVERIFY2(written.status == 0, written.errors);
    const auto report = written.json();
    QCOMPARE(report["schema"].toString(), "tamis.export/1");
    for (const auto& file : report["files"].toArray())
        QVERIFY2(QFileInfo::exists(file.toString()), qPrintable(file.toString()));
    QCOMPARE(report["verified"].toArray().size(), replaced);
    for (const auto& value : report["verified"].toArray()) {
        const auto matrix = value.toObject();
        // Stored in F32: each entry of the pair is rounded by 2^-24, far below one part in a thousand of these losses.
        const double predicted = matrix["predictedLoss"].toDouble(), measured = matrix["measuredLoss"].toDouble();
        QVERIFY2(std::abs(predicted - measured) <= 1e-3 * predicted, qPrintable(matrix["tensor"].toString()));
    }

    const auto inspected = runCli({"inspect", exported, "--json", "-"});
    QVERIFY2(inspected.status == 0, inspected.errors);
    const auto seen = inspected.json();
    const bool factors = !exportOptions.contains("--no-factors");
    QCOMPARE(seen["original"].toObject()["parameters"].toInteger(), 1'231'764);
    QCOMPARE(seen["saved"].toObject()["parameters"].toInteger(), factors ? saved : 0);
    QVERIFY(seen["saved"].toObject().contains("bytes"));
    QCOMPARE(seen["export"].toObject()["replaced"].toInt(), replaced);
    if (factors)
        QVERIFY2(runCli({"inspect", exported}).output.contains("saved "), "the table says what was saved");
}

void TestCliChain::overridesReachThePlan()
{
    QTemporaryDir directory;
    const auto result = runCli({"plan", vit20(), "--calibration", vit20Calibration(), "--keep", "0.5", "--rank", "blocks.1.attn.qkv=7",
                                "--lock", "blocks.0.*", "--lock", "head", "--latency-tokens", "0", "--out",
                                directory.filePath("plan.json"), "--json", "-"});
    QVERIFY2(result.status == 0, result.errors);
    const auto operators = byName(result.json()["operators"].toArray());
    QCOMPARE(operators["blocks.1.attn.qkv"].toObject()["rank"].toInt(), 7);
    for (const char* name : {"blocks.0.attn.qkv", "blocks.0.mlp.fc2", "head"}) {
        QCOMPARE(operators[QLatin1String(name)].toObject()["layout"].toString(), "dense");
        QCOMPARE(operators[QLatin1String(name)].toObject()["locked"].toBool(), true);
    }
}

void TestCliChain::exportRefusesAFullDirectory()
{
    QTemporaryDir directory;
    const auto planFile = directory.filePath("plan.json");
    QCOMPARE(runCli({"plan", vit20(), "--keep", "0.5", "--latency-tokens", "0", "--out", planFile}).status, 0);
    const auto before = QDir(directory.path()).entryList(QDir::AllEntries | QDir::Hidden | QDir::NoDotAndDotDot);
    const auto result = runCli({"export", vit20(), "--plan", planFile, "--out", directory.path()}); // holds plan.json
    QCOMPARE(result.status, 1);
    QVERIFY2(result.hasOneErrorLine(), result.errors);
    QCOMPARE(QDir(directory.path()).entryList(QDir::AllEntries | QDir::Hidden | QDir::NoDotAndDotDot), before);
}

void TestCliChain::exportRefusesAnotherModel()
{
    QTemporaryDir directory;
    const auto planFile = directory.filePath("plan.json");
    QCOMPARE(runCli({"plan", vit20(), "--keep", "0.5", "--latency-tokens", "0", "--out", planFile}).status, 0);
    const auto other = directory.filePath("other.safetensors");
    QVERIFY(QFile::copy(sourcePath("datasets/vit20/model.safetensors"), other));
    QFile file(other);
    QVERIFY(file.setPermissions(QFile::ReadOwner | QFile::WriteOwner) && file.open(QIODevice::ReadWrite));
    QVERIFY(file.seek(file.size() - 1)); // one byte of the last weight
    const auto last = file.read(1);
    QVERIFY(file.seek(file.size() - 1));
    QCOMPARE(file.write(QByteArray(1, static_cast<char>(last[0] ^ 1))), 1);
    file.close();
    const auto result = runCli({"export", other, "--plan", planFile, "--out", directory.filePath("export")});
    QCOMPARE(result.status, 1);
    QVERIFY2(result.hasOneErrorLine(), result.errors);
    QVERIFY(!QFileInfo::exists(directory.filePath("export")));
}

void TestCliChain::plainPlanOfPlainArrays()
{
    // golden.npz holds arrays of no known model: they open as plain matrices
    const auto result = runCli({"run", "spectrum.plain", "--model", sourcePath("datasets/vit20/golden.npz"), "--latency-tokens", "0",
                                "--json", "-"});
    QVERIFY2(result.status == 0, result.errors);
    QVERIFY(!result.json()["matrices"].toArray().isEmpty());
}

void TestCliChain::demonstration()
{
    QTemporaryDir directory;
    const auto out = directory.filePath("demo");
    for (int repetition = 0; repetition < 2; ++repetition) { // the second replaces the first
        const auto result = runCli({"demo", "--out", out, "--json", "-"});
        QVERIFY2(result.status == 0, result.errors);
        QVERIFY2(result.errors.contains(out.toUtf8() + "/"), "says where the pictures are");
        const auto json = result.json();
        QVERIFY(!json["files"].toArray().isEmpty());
        for (const auto& file : json["files"].toArray()) {
            QVERIFY2(QFileInfo(file.toString()).size() > 0, qPrintable(file.toString()));
            if (file.toString().endsWith(".png"))
                QVERIFY2(QImage(file.toString()).width() >= 800, qPrintable(file.toString()));
        }
        // The whitened pair is the best of its rank under the calibration: the plain SVD cannot lose less.
        for (const auto& value : json["sweep"].toArray()) {
            const auto point = value.toObject();
            const auto loss = [&](const char* key) { return point[QLatin1String(key)].toObject()["relativeLoss"].toDouble(-1); };
            QVERIFY(loss("uniform") >= 0 && loss("uniform") <= loss("plainUniform"));
            const auto total = [&](const char* key) { return point[QLatin1String(key)].toObject()["totalLoss"].toDouble(-1); };
            QVERIFY(total("greedy") >= 0 && total("greedy") <= total("uniform") && total("greedy") <= total("energy"));
        }
        // Keep 0.6 loses little on the photos; tinylm's report says 16.0 on the whole of the held-out text.
        const auto models = json["models"].toObject();
        QVERIFY(models["photos"].toObject()["agreement"].toDouble() >= 0.9);
        QVERIFY(models["photos"].toObject()["logitCosine"].toDouble() > 0.99);
        QVERIFY(std::abs(models["text"].toObject()["perplexity"].toDouble() - 16) < 3);
    }
    QCOMPARE(readJsonFile(out + "/report.json")["schema"].toString(), "tamis.demo/1");
    QVERIFY(QFileInfo(out + "/report.md").size() > 2000);
    QCOMPARE(runCli({"inspect", out + "/export"}).status, 0);
}

QTEST_GUILESS_MAIN(TestCliChain)
#include "tst_cli_chain.moc"
