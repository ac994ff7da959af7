// SPDX-License-Identifier: GPL-3.0-or-later
// Training encoders from the command line: what is written is what is restored, and what does not fit is refused before minutes of work.
#include "tests/cli/cli_process.h"

#include <QFile>
#include <QJsonArray>
#include <QTemporaryDir>
#include <QTest>

#include <csignal>

using namespace tamis::tests;

namespace {
QString autoencoder() { return sourcePath("datasets/sae/vit20.block3.k16/sparsify"); }
QString heldOut() { return sourcePath("datasets/sae/vit20.block3.heldout.npy"); }

QStringList run(const QString& method, const QStringList& more)
{
    return QStringList{"run", method, "--encoder", autoencoder(), "--activations", heldOut(), "--no-latency", "--json", "-"} + more;
}
QStringList training(const QString& method, const QStringList& more)
{
    return run(method, QStringList{"--calibration-activations", heldOut(), "--set", "steps=30", "--set", "batch=64", "--set", "check-every=10"} + more);
}
} // namespace

class TestCliTrainedEncoder : public QObject {
    Q_OBJECT
    QTemporaryDir m_directory;
    QString path(const char* name) const { return m_directory.filePath(QLatin1String(name)); }

private slots:
    void initTestCase()
    {
        const auto result = runCli(training("encoder.low-rank-trained", {"--set", "rank=16", "--save-encoder", path("saved.safetensors")}));
        QVERIFY2(result.status == 0, result.errors);
        const auto json = result.json();
        QCOMPARE(json["stored"].toObject()["encoder"].toString(), path("saved.safetensors"));
        const auto series = json["training"].toArray();
        QCOMPARE(series.size(), 2);
        QCOMPARE(series[0].toObject()["name"].toString(), "training");
        QCOMPARE(series[0].toObject()["x"].toArray().size(), 30);
        const auto checks = series[1].toObject()["y"].toArray();
        QCOMPARE(series[1].toObject()["x"].toArray(), (QJsonArray{0, 10, 20, 30}));
        QVERIFY(checks.size() == 4 && checks[0].toDouble() > 0);
        QVERIFY(json["inputs"].toObject()["trained"].isNull());
    }
    /// Restored it measures to the last digit as it did when it was trained, with the settings of then, and trains nothing.
    void restoredItIsTheSame()
    {
        const auto trained = runCli(training("encoder.low-rank-trained", {"--set", "rank=16"})).json(); // the same seed: the same encoder
        const auto result = runCli(run("encoder.low-rank-trained", {"--trained", path("saved.safetensors")}));
        QVERIFY2(result.status == 0, result.errors);
        const auto restored = result.json();
        QCOMPARE(restored["quality"], trained["quality"]);
        QCOMPARE(restored["parameters"], trained["parameters"]);
        QCOMPARE(restored["cost"], trained["cost"]);
        QCOMPARE(restored["inputs"].toObject()["trained"].toString(), path("saved.safetensors"));
        QVERIFY(!restored.contains("training") && !restored.contains("stored"));
    }
    void anExistingFileIsReplacedWhole()
    {
        QFile file(path("old.safetensors"));
        QVERIFY(file.open(QIODevice::WriteOnly) && file.write("something else") > 0);
        file.close();
        QCOMPARE(runCli(training("encoder.low-rank-trained", {"--set", "rank=4", "--save-encoder", path("old.safetensors")})).status, 0);
        QCOMPARE(runCli(run("encoder.low-rank-trained", {"--trained", path("old.safetensors")})).status, 0);
    }
    void wrongUseIsRefused_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<int>("status");
        QTest::addColumn<QString>("says");
        const QString saved = path("saved.safetensors");
        const auto endless = [](const char* flag, const QString& value) { // trained for hours, if it were
            return training("encoder.low-rank-trained", {"--set", "steps=1000000", "--set", "patience=0", QLatin1String(flag), value});
        };
        QTest::newRow("another autoencoder") << QStringList{"run", "encoder.low-rank-trained", "--encoder", sourcePath("datasets/sae/tinylm.block3.k32/sparsify"), "--k", "16", "--activations", heldOut(), "--trained", saved}
                                             << 1 << "trained on the autoencoder with fingerprint";
        QTest::newRow("another k") << run("encoder.low-rank-trained", {"--trained", saved, "--k", "5"}) << 1 << "k = 16, expected 2048 of width 128, k = 5";
        QTest::newRow("no such file") << run("encoder.low-rank-trained", {"--trained", path("none.safetensors")}) << 1 << "none.safetensors";
        QTest::newRow("not a trained encoder") << run("encoder.low-rank-trained", {"--trained", sourcePath("datasets/vit20/model.safetensors")}) << 1 << "its metadata says format";
        QTest::newRow("a method that trains nothing") << run("encoder.low-rank", {"--trained", saved}) << 2 << "--trained: encoder.low-rank trains nothing";
        QTest::newRow("saving what is not trained") << run("encoder.exact", {"--save-encoder", path("x.safetensors")}) << 2 << "--save-encoder: encoder.exact trains nothing";
        QTest::newRow("both") << run("encoder.low-rank-trained", {"--trained", saved, "--save-encoder", path("x.safetensors")}) << 2 << "expected one of them";
        QTest::newRow("settings beside") << run("encoder.low-rank-trained", {"--trained", saved, "--set", "rank=3"}) << 2 << "no --set beside it";
        QTest::newRow("rows beside") << run("encoder.low-rank-trained", {"--trained", saved, "--calibration-activations", heldOut()}) << 2 << "fits nothing";
        QTest::newRow("no folder to write to") << training("encoder.low-rank-trained", {"--save-encoder", path("nowhere/x.safetensors")}) << 1 << "nowhere: is no directory";
        QTest::newRow("no folder for codes") << endless("--codes", path("nowhere/codes.safetensors")) << 1 << "nowhere: is no directory";
        QTest::newRow("a folder for codes") << endless("--codes", m_directory.path()) << 1 << "is a directory";
        QTest::newRow("nothing held out") << endless("--held-out", path("nothing.txt")) + QStringList{"--model", sourcePath("datasets/vit20"), "--block", "3"} << 1 << "expected a model that reads text";
        QTest::newRow("a folder to write to") << training("encoder.low-rank-trained", {"--save-encoder", m_directory.path()}) << 1 << "is a directory";
    }
    void wrongUseIsRefused()
    {
        QFETCH(QStringList, arguments);
        QFETCH(int, status);
        QFETCH(QString, says);
        const auto result = runCli(arguments);
        QVERIFY2(result.errors.contains(says.toUtf8()), result.errors);
        QCOMPARE(result.status, status);
        QVERIFY(!QFile::exists(path("x.safetensors")));
    }
    /// Ctrl-C while it trains: gone within 100 ms, and what ending a process takes; status 130, no file.
    void interrupted()
    {
        const auto run = interruptCli(training("encoder.low-rank-trained", {"--set", "rank=64", "--set", "steps=1000000", "--set", "patience=0", "--save-encoder", path("x.safetensors")}), SIGINT, 2000);
        QVERIFY(run.reached);
        QCOMPARE(run.result.status, 130);
        QVERIFY2(run.seconds < 0.25, std::to_string(run.seconds).c_str());
        QVERIFY(!QFile::exists(path("x.safetensors")));
    }
};

QTEST_GUILESS_MAIN(TestCliTrainedEncoder)
#include "tst_cli_trained_encoder.moc"
