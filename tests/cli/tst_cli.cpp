// SPDX-License-Identifier: GPL-3.0-or-later
// The contract of tamis-cli with scripts: exit status, one line of error, keys of the JSON, options and their page.
#include "tests/cli/cli_process.h"
#include "tests/core/base/stop_clock.h"

#include <QFile>
#include <QFileInfo>
#include <QJsonArray>
#include <QJsonDocument>
#include <QProcess>
#include <QRegularExpression>
#include <QSet>
#include <QTemporaryDir>
#include <QTest>

#include <cmath>
#include <csignal>
#include <limits>

using namespace tamis::tests;

namespace {
const QStringList kVerbs{"inspect", "methods", "capture", "run", "compare", "evaluate", "plan", "export", "bench", "demo"};

QSet<QString> optionsIn(const QString& text)
{
    QSet<QString> found;
    static const QRegularExpression option("(?<![\\w-])--[a-z][a-z-]*");
    for (auto match = option.globalMatch(text); match.hasNext();)
        found.insert(match.next().captured());
    return found;
}

void writeFile(const QString& path, const QByteArray& bytes)
{
    QFile file(path);
    QVERIFY(file.open(QIODevice::WriteOnly));
    QCOMPARE(file.write(bytes), bytes.size());
}

/// A safetensors file of one 4 x 4 F32 matrix "broken.weight" holding one NaN and two infinities, and one sound one.
QByteArray modelWithNonFinite()
{
    QByteArray header = R"({"broken.weight":{"dtype":"F32","shape":[4,4],"data_offsets":[0,64]},)"
                        R"("sound.weight":{"dtype":"F32","shape":[4,4],"data_offsets":[64,128]}})";
    while (header.size() % 8)
        header += ' ';
    QByteArray bytes;
    const auto length = static_cast<quint64>(header.size());
    bytes.append(reinterpret_cast<const char*>(&length), 8);
    bytes += header;
    float values[32] = {};
    for (int i = 0; i < 32; ++i)
        values[i] = static_cast<float>(i % 5) + (i % 16 % 5 == 0 ? 3.0F : 0.0F);
    values[3] = std::numeric_limits<float>::quiet_NaN();
    values[7] = std::numeric_limits<float>::infinity();
    values[9] = -std::numeric_limits<float>::infinity();
    bytes.append(reinterpret_cast<const char*>(values), sizeof values);
    return bytes;
}
} // namespace

class TestCli : public QObject
{
    Q_OBJECT
private slots:
    void usageErrorsExitTwo_data();
    void usageErrorsExitTwo();
    void failuresExitOne_data();
    void failuresExitOne();
    void failedWriteExitsOne();
    void helpNamesWhatThePageNames();
    void inspectKeys();
    void inspectCost();
    void inspectCalibration();
    void inspectAutoencoder();
    void methodsKeys();
    void runKeys();
    void jsonAloneOnStandardOutput();
    void jsonFileAndQuiet();
    void nonFiniteWeightsBecomeNull();
    void numbersDoNotFollowTheLocale();
    void interruptedRunExits130_data();
    void interruptedRunExits130();
};

void TestCli::usageErrorsExitTwo_data()
{
    QTest::addColumn<QStringList>("arguments");
    QTest::addColumn<QString>("says");
    const auto row = [](const char* name, const QStringList& arguments, const char* says) {
        QTest::newRow(name) << arguments << QString::fromLatin1(says);
    };
    const QString c = vit20Calibration();
    row("no verb", {}, "found no verb");
    row("unknown verb", {"frobnicate"}, "frobnicate");
    row("later verb", {"sweep"}, "sweep");
    row("no argument", {"inspect"}, "PATH");
    row("unknown option", {"methods", "--frob"}, "--frob");
    row("unknown method", {"run", "spectrum.nope", "--model", vit20()}, "found 'spectrum.nope', expected one of");
    row("no model", {"run", "spectrum.plain"}, "--model");
    row("no calibration", {"run", "spectrum.whitened", "--model", vit20()}, "--calibration");
    row("unknown parameter", {"run", "spectrum.whitened", "--model", vit20(), "--calibration", c, "--set", "frob=1"}, "frob");
    row("bad value", {"run", "spectrum.whitened", "--model", vit20(), "--calibration", c, "--set", "ridge=much"}, "ridge");
    row("value out of range", {"run", "spectrum.whitened", "--model", vit20(), "--calibration", c, "--set", "ridge=-1"}, "ridge");
    row("no value", {"run", "spectrum.plain", "--model", vit20(), "--set", "ridge"}, "expected name=value");
    row("pattern without match", {"run", "spectrum.plain", "--model", vit20(), "--layer", "nothing*"}, "'nothing*'");
    row("keep zero", {"plan", vit20(), "--keep", "0", "--out", "never.json"}, "--keep: found '0'");
    row("keep with comma", {"plan", vit20(), "--keep", "0,6", "--out", "never.json"}, "--keep: found '0,6'");
    row("keep not a number", {"plan", vit20(), "--keep", "nan", "--out", "never.json"}, "--keep: found 'nan'");
    row("no keep", {"plan", vit20(), "--out", "never.json"}, "--keep");
    row("allocation", {"plan", vit20(), "--keep", "0.5", "--allocate", "magic", "--out", "never.json"}, "magic");
    row("rank of nothing", {"plan", vit20(), "--keep", "0.5", "--rank", "nope=3", "--out", "never.json"}, "'nope'");
    row("rank too large", {"plan", vit20(), "--keep", "0.5", "--rank", "head=21", "--out", "never.json"}, "from 1 to 20");
    row("threads", {"methods", "--threads", "-2"}, "--threads");
    row("bench of nothing", {"bench", "nothing"}, "expected spectrum");
    row("nothing to export", {"export", vit20(), "--plan", "p", "--out", "x", "--no-factors", "--no-dense"}, "nothing to write");
}

void TestCli::usageErrorsExitTwo()
{
    QFETCH(QStringList, arguments);
    QFETCH(QString, says);
    const auto result = runCli(arguments);
    QCOMPARE(result.status, 2);
    QVERIFY2(result.hasOneErrorLine(), result.errors);
    QVERIFY2(QString::fromUtf8(result.errors).contains(says), result.errors);
    QVERIFY(result.output.isEmpty());
}

void TestCli::failuresExitOne_data()
{
    QTest::addColumn<QStringList>("arguments");
    QTest::newRow("no such file") << QStringList{"inspect", "/nonexistent/model.safetensors"};
    QTest::newRow("not a checkpoint") << QStringList{"inspect", sourcePath("LICENSE")};
    QTest::newRow("empty directory") << QStringList{"inspect", sourcePath("tests/golden")};
    for (const char* file : {"truncated.h5", "not_hdf5.h5", "chunk_bomb.h5", "gram_nan.h5", "link_cycle.h5"})
        QTest::newRow(file) << QStringList{"inspect", sourcePath("tests/corpus/hdf5/") + file};
    for (const char* file : {"not_json.json", "deep.json", "key_twice.json", "newer.json", "operator_rank_beyond.json"})
        QTest::newRow(file) << QStringList{"inspect", sourcePath("tests/corpus/plan/") + file};
    QTest::newRow("model that is a calibration set") << QStringList{"run", "spectrum.plain", "--model", vit20Calibration()};
    QTest::newRow("broken calibration") << QStringList{"run", "spectrum.whitened", "--model", vit20(), "--calibration",
                                                       sourcePath("tests/corpus/hdf5/truncated.h5")};
    QTest::newRow("broken plan") << QStringList{"export", vit20(), "--plan", sourcePath("tests/corpus/plan/not_json.json"), "--out",
                                                "/nonexistent/out"};
}

void TestCli::failuresExitOne()
{
    QFETCH(QStringList, arguments);
    const auto result = runCli(arguments + QStringList{"--json", "-"});
    QCOMPARE(result.status, 1);
    QVERIFY2(result.hasOneErrorLine(), result.errors);
    QVERIFY2(result.output.isEmpty(), "a failed run must not print half a document");
}

void TestCli::failedWriteExitsOne()
{
    const auto noDirectory = runCli({"methods", "--json", "/nonexistent/directory/x.json"});
    QCOMPARE(noDirectory.status, 1);
    QVERIFY2(noDirectory.errors.contains("/nonexistent/directory/x.json"), noDirectory.errors);
    QProcess full;
    full.setStandardOutputFile("/dev/full");
    full.start(program(), {"methods"});
    QVERIFY(full.waitForFinished());
    QCOMPARE(full.exitCode(), 1);
}

/// Every option of every verb stands on the page and in the manual, and neither names one that is not there.
void TestCli::helpNamesWhatThePageNames()
{
    QSet<QString> known = optionsIn(QString::fromUtf8(runCli({"--help"}).output));
    for (const auto& verb : kVerbs) {
        const auto help = runCli({verb, "--help"});
        QCOMPARE(help.status, 0);
        QVERIFY2(help.output.contains("Examples:\n  tamis-cli " + verb.toUtf8()), help.output);
        const auto options = optionsIn(QString::fromUtf8(help.output));
        for (const char* common : {"--json", "--threads", "--seed", "--quiet", "--help", "--version"})
            QVERIFY2(options.contains(common), qPrintable(verb + " lacks " + common));
        known += options;
        const auto version = runCli({verb, "--version"});
        QCOMPARE(version.status, 0);
        QVERIFY2(version.output.startsWith("tamis-cli "), version.output);
    }
    for (const char* page : {"docs/command-line.md", "resources/man/tamis-cli.1"}) {
        QFile file(sourcePath(page));
        QVERIFY2(file.open(QIODevice::ReadOnly), page);
        const auto text = QString::fromUtf8(file.readAll()).replace("\\-", "-");
        const auto named = optionsIn(text);
        QVERIFY2(known - named == QSet<QString>(), qPrintable(QString(page) + " lacks " + QStringList((known - named).values()).join(' ')));
        QVERIFY2(named - known == QSet<QString>(), qPrintable(QString(page) + " invents " + QStringList((named - known).values()).join(' ')));
    }
}

void TestCli::inspectKeys()
{
    const auto result = runCli({"inspect", vit20(), "--check", "--json", "-"});
    QCOMPARE(result.status, 0);
    const auto json = result.json();
    QCOMPARE(json["schema"].toString(), "tamis.inspect/1");
    QCOMPARE(json["format"].toString(), "safetensors");
    QCOMPARE(json["family"].toString(), "timm-vit");
    QCOMPARE(json["parameters"].toInteger(), 1'231'764); // counted with NumPy from the header
    QCOMPARE(json["bytes"].toInteger(), 4 * 1'231'764);
    QCOMPARE(json["layers"].toInt(), 6);
    QVERIFY(json["config"].toObject().contains("architecture") || !json["config"].toObject().isEmpty());
    QVERIFY(json["nonFinite"].isArray());
    QVERIFY(json["nonFinite"].toArray().isEmpty());
    const auto tensors = byName(json["tensors"].toArray());
    const auto qkv = tensors["blocks.3.attn.qkv.weight"].toObject();
    QCOMPARE(qkv["dtype"].toString(), "F32");
    QCOMPARE(qkv["shape"].toArray(), QJsonArray({384, 128}));
    QCOMPARE(qkv["bytes"].toInteger(), 4 * 384 * 128);
    QCOMPARE(qkv["layer"].toInt(-1), 3);
    QCOMPARE(qkv["role"].toString(), "qkv");
    QVERIFY(tensors["norm.bias"].toObject()["role"].isNull());
}

void TestCli::inspectCost()
{
    const auto result = runCli({"inspect", vit20(), "--cost", "--batch", "2", "--ceilings", "raspberry-pi-5", "--json", "-"});
    QCOMPARE(result.status, 0);
    const auto document = result.json();
    const auto cost = document["cost"].toObject();
    for (const char* key : {"architecture", "task", "tokens", "batch", "parameters", "weightBytes", "macs", "linearMacs", "attentionMacs",
                            "peakActivationBytes", "peakAt", "keyValueCacheBytes", "ceilings", "predictedMs", "measuredMs", "layers"})
        QVERIFY2(cost.contains(key), key);
    QCOMPARE(cost["tokens"].toInt(), 257);
    QCOMPARE(cost["batch"].toInt(), 2);
    QCOMPARE(cost["parameters"].toInt(), document["parameters"].toInt());
    QCOMPARE(cost["macs"].toInteger(), qint64{256 * 48 * 128} + qint64{6} * (12 * 257 * 128 * 128 + 2 * 257 * 257 * 128) + 128 * 20);
    QCOMPARE(cost["ceilings"]["gflops"].toDouble(), 153.6);
    QVERIFY(cost["measuredMs"].isNull() && document["warnings"].toArray().isEmpty());
    const auto layers = byName(cost["layers"].toArray());
    const auto qkv = layers["blocks.0.attn.qkv"].toObject();
    for (const char* key : {"name", "kind", "form", "role", "block", "inputShape", "outputShape", "parameters", "weightBytes", "weightReadBytes",
                            "activationBytes", "macs", "intensity", "liveBytes", "predictedMs", "measuredMs"})
        QVERIFY2(qkv.contains(key), key);
    QCOMPARE(qkv["outputShape"].toArray(), (QJsonArray{257, 384}));
    // 2 samples on 153.6 GFLOP/s: compute takes longer than 17.1 GB/s take for the bytes
    const double flops = 2.0 * 2 * 257 * 128 * 384, bytes = 4.0 * (128 * 384 + 384 + 2 * 257 * (128 + 384));
    const double expected = std::max(flops / 153.6e9, bytes / 17.1e9) * 1e3;
    QVERIFY(std::abs(qkv["predictedMs"].toDouble() - expected) < 1e-9 * expected);

    const auto table = runCli({"inspect", vit20(), "--cost", "--ceilings", "h100", "--measure"});
    QCOMPARE(table.status, 0);
    QVERIFY2(table.output.contains("measured ms") && table.output.contains("blocks.5.mlp.fc2"), table.output);
    QCOMPARE(runCli({"inspect", vit20(), "--cost", "--ceilings", "no-such-machine"}).status, 1);
    for (const QStringList& wrong : {QStringList{"--measure"}, {"--tokens", "5"}, {"--batch", "2"}, {"--ceilings", "h100"}})
        QCOMPARE(runCli(QStringList{"inspect", vit20()} + wrong).status, 2);
    QCOMPARE(runCli({"inspect", vit20Calibration(), "--cost"}).status, 2);
}

void TestCli::inspectAutoencoder()
{
    const QString golden = sourcePath("tests/golden/sae/");
    const auto json = runCli({"inspect", golden + "dictionary_batchtopk", "--json", "-"}).json();
    QCOMPARE(json["format"].toString(), "sparse autoencoder");
    QCOMPARE(json["parameters"].toInteger(), qint64{2 * 40 * 12 + 2 * 40 + 12}); // a threshold a latent
    QCOMPARE(json["bytes"].toInteger(), QFileInfo(golden + "dictionary_batchtopk/ae.pt").size());
    const auto plain = json["autoencoder"].toObject();
    QCOMPARE(plain["format"].toString(), "dictionary-learning");
    QCOMPARE(plain["activation"].toString(), "jumprelu");
    QVERIFY(plain["k"].isNull());
    QCOMPARE(plain["width"].toInt(), 12);
    QCOMPARE(plain["latents"].toInt(), 40);
    QVERIFY(plain["notes"].toArray().first().toString().contains("per-token-topk"));
    const auto assumed = runCli({"inspect", golden + "dictionary_batchtopk", "--assume", "per-token-topk=yes", "--json", "-"}).json();
    QCOMPARE(assumed["autoencoder"].toObject()["activation"].toString(), "topk");
    QCOMPARE(assumed["autoencoder"].toObject()["k"].toInt(), 5);
    QVERIFY(runCli({"inspect", golden + "openai_topk/autoencoder.pt"}).output.contains("normalisation  layer norm"));
    QCOMPARE(runCli({"inspect", golden + "gemma_scope", "--assume", "colour=red"}).status, 2);
    QCOMPARE(runCli({"inspect", golden + "gemma_scope", "--cost"}).status, 2);
    QCOMPARE(runCli({"inspect", vit20(), "--assume", "embedding=yes"}).status, 2);
    const auto refused = runCli({"inspect", sourcePath("tests/corpus/torch/global_system.pt")});
    QCOMPARE(refused.status, 1);
    QVERIFY(refused.errors.contains("holds the pickle global \"os.system\", expected tensors only (at byte 2)"));
}

void TestCli::inspectCalibration()
{
    const auto json = runCli({"inspect", vit20Calibration(), "--json", "-"}).json();
    QCOMPARE(json["schema"].toString(), "tamis.inspect/1");
    QCOMPARE(json["format"].toString(), "calibration");
    const auto sites = byName(json["sites"].toArray());
    QCOMPARE(sites.size(), 25);
    const auto site = sites["blocks.0.mlp.fc2"].toObject(); // figures read with h5py
    QCOMPARE(site["features"].toInt(), 512);
    QCOMPARE(site["count"].toInteger(), 41'120);
    QVERIFY(site["samples"].toInt() > 0 && site["heldOut"].toInt() > 0);
    const auto npz = runCli({"inspect", sourcePath("datasets/vit20/golden.npz"), "--json", "-"}).json();
    QCOMPARE(npz["format"].toString(), "npz");
    QVERIFY(!npz["tensors"].toArray().isEmpty());
    const auto plan = runCli({"inspect", sourcePath("tests/corpus/plan/valid.json"), "--json", "-"}).json();
    QCOMPARE(plan["format"].toString(), "plan");
    QVERIFY(plan["plan"].toObject().contains("operators"));
}

void TestCli::methodsKeys()
{
    const auto json = runCli({"methods", "--json", "-"}).json();
    QCOMPARE(json["schema"].toString(), "tamis.methods/1");
    const auto methods = byName(json["methods"].toArray(), "id");
    for (const char* id : {"spectrum.plain", "spectrum.whitened"}) {
        const auto method = methods[QLatin1String(id)].toObject();
        QCOMPARE(method["lab"].toString(), "spectrum");
        for (const char* key : {"title", "reference", "parameters"})
            QVERIFY2(method.contains(QLatin1String(key)), key);
    }
    const auto parameters = byName(methods["spectrum.whitened"].toObject()["parameters"].toArray());
    const auto ridge = parameters["ridge"].toObject();
    for (const char* key : {"name", "type", "default", "min", "max", "step", "unit", "help"})
        QVERIFY2(ridge.contains(QLatin1String(key)), key);
    QCOMPARE(ridge["type"].toString(), "real");
}

void TestCli::runKeys()
{
    QTemporaryDir directory;
    const auto store = directory.filePath("runs.h5");
    const QStringList arguments{"run", "spectrum.whitened", "--model", vit20(), "--calibration", vit20Calibration(), "--layer",
                                "blocks.2.*", "--set", "ridge=0.001", "--out", store, "--json", "-"};
    const auto result = runCli(arguments);
    QVERIFY2(result.status == 0, result.errors);
    const auto json = result.json();
    QCOMPARE(json["schema"].toString(), "tamis.run/1");
    QCOMPARE(json["method"].toString(), "spectrum.whitened");
    QCOMPARE(json["parameters"].toObject()["ridge"].toDouble(), 0.001);
    QCOMPARE(json["inputs"].toObject()["model"].toObject()["sha256"].toString().size(), 64);
    QCOMPARE(json["inputs"].toObject()["calibration"].toObject()["tokens"].toInteger(), 41'120);
    for (const char* key : {"parameters", "bytes", "macs", "latencyMs"}) {
        QVERIFY2(json["cost"].toObject()[QLatin1String(key)].toDouble() > 0, key);
        QVERIFY2(json["baseline"].toObject()["cost"].toObject()[QLatin1String(key)].toDouble() > 0, key);
    }
    const auto loss = json["quality"].toObject()["relativeLoss"].toDouble(-1);
    const auto plain = json["baseline"].toObject()["quality"].toObject()["relativeLoss"].toDouble(-1);
    QVERIFY(loss > 0 && loss < plain); // the whitened pair is optimal under the calibration, the plain one is not
    QVERIFY(json["warnings"].isArray() && json["seconds"].toDouble() > 0);
    const auto matrices = json["matrices"].toArray();
    QCOMPARE(matrices.size(), 4);
    const auto matrix = matrices[0].toObject();
    for (const char* key : {"name", "layer", "role", "shape", "singularValues", "loss", "sampleLoss", "heldOutLoss", "stableRank",
                            "effectiveRank", "condition", "nuclearNorm", "tailExponent", "calibrationCondition", "calibrationRank",
                            "tokens"})
        QVERIFY2(matrix.contains(QLatin1String(key)), key);
    QCOMPARE(matrix["singularValues"].toArray().size(), 128);
    QCOMPARE(matrix["loss"].toArray().size(), 129);
    QVERIFY(QFileInfo(store).size() > 0);
    const auto again = runCli(arguments); // appends
    QVERIFY2(again.status == 0, again.errors);
}

void TestCli::jsonAloneOnStandardOutput()
{
    const auto result = runCli({"inspect", vit20(), "--json", "-"});
    QJsonParseError error;
    QJsonDocument::fromJson(result.output, &error);
    QVERIFY2(error.error == QJsonParseError::NoError, qPrintable(error.errorString()));
    QVERIFY2(result.errors.contains("1 231 764 parameters"), "the table goes to standard error then");
    QVERIFY2(!result.errors.contains('\r'), "no progress where standard error is not a terminal");
    QVERIFY(runCli({"inspect", vit20()}).output.contains("1 231 764 parameters"));
}

void TestCli::jsonFileAndQuiet()
{
    QTemporaryDir directory;
    const auto file = directory.filePath("out.json");
    const auto result = runCli({"methods", "--quiet", "--json", file});
    QCOMPARE(result.status, 0);
    QVERIFY(result.output.isEmpty() && result.errors.isEmpty());
    QCOMPARE(readJsonFile(file)["schema"].toString(), "tamis.methods/1");
    QCOMPARE(QDir(directory.path()).entryList(QDir::Files | QDir::Hidden).size(), 1); // no temporary file is left
}

void TestCli::nonFiniteWeightsBecomeNull()
{
    QTemporaryDir directory;
    const auto model = directory.filePath("model.safetensors");
    writeFile(model, modelWithNonFinite());
    const auto inspected = runCli({"inspect", model, "--check", "--json", "-"}).json();
    const auto counts = inspected["nonFinite"].toArray();
    QCOMPARE(counts.size(), 1);
    QCOMPARE(counts[0].toObject()["name"].toString(), "broken.weight");
    QCOMPARE(counts[0].toObject()["nan"].toInt(), 1);
    QCOMPARE(counts[0].toObject()["infinite"].toInt(), 2);

    const auto result = runCli({"run", "spectrum.plain", "--model", model, "--json", "-"});
    QVERIFY2(result.status == 0, result.errors);
    for (const char* word : {": nan", ": NaN", ": inf", ": Infinity"})
        QVERIFY2(!result.output.contains(word), word);
    const auto json = result.json();
    const auto matrices = byName(json["matrices"].toArray());
    const auto broken = matrices["broken"].toObject(), sound = matrices["sound"].toObject();
    QVERIFY(broken.contains("stableRank") && broken["stableRank"].isNull());
    QCOMPARE(broken["nonFinite"].toObject()["infinite"].toInt(), 2);
    QVERIFY(sound["stableRank"].toDouble() >= 1);
    QStringList warnings;
    for (const auto& warning : json["warnings"].toArray())
        warnings << warning.toString();
    QVERIFY2(!warnings.filter(QRegularExpression("^matrices\\[\\d+\\]\\.stableRank: not a number")).isEmpty(),
             qPrintable(warnings.join('\n')));
    QVERIFY(!warnings.filter("broken").isEmpty());
}

void TestCli::numbersDoNotFollowTheLocale()
{
    const QStringList arguments{"run", "spectrum.plain", "--model", vit20(), "--layer", "head", "--latency-tokens", "0",
                                "--keep", "0.5", "--json", "-"};
    auto plain = runCli(arguments).json();
    for (const char* locale : {"de_DE.UTF-8", "C.UTF-8"}) { // where the German locale is not installed, C stands in for it
        auto other = runCli(arguments, {QString("LC_ALL=") + locale, QString("LANG=") + locale}).json();
        QVERIFY(!other.isEmpty());
        plain.remove("seconds");
        other.remove("seconds");
        QCOMPARE(other, plain);
    }
}

void TestCli::interruptedRunExits130_data()
{
    QTest::addColumn<int>("signal");
    QTest::addColumn<int>("after");
    QTest::newRow("SIGINT early") << SIGINT << 20;
    QTest::newRow("SIGINT later") << SIGINT << 900;
    QTest::newRow("SIGTERM") << SIGTERM << 500;
}

void TestCli::interruptedRunExits130()
{
    QFETCH(int, signal);
    QFETCH(int, after);
    const auto run = interruptCli({"bench", "spectrum"}, signal, after);
    QVERIFY2(run.reached, run.result.errors);
    qInfo("left after %.3f s", run.seconds);
    QCOMPARE(run.result.status, 130);
    QCOMPARE(run.result.errors, QByteArray("tamis-cli: cancelled\n"));
    QVERIFY(run.result.output.isEmpty());
    QVERIFY2(run.seconds < tamis::test::kSoonSeconds, qPrintable(QString::number(run.seconds)));
}

QTEST_GUILESS_MAIN(TestCli)
#include "tst_cli.moc"
