// SPDX-License-Identifier: GPL-3.0-or-later
// The encoder lab from the command line: keys that scripts depend on, bad input.
#include "tests/cli/cli_process.h"

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QTemporaryDir>
#include <QTest>

#include <cmath>
#include <cstring>
#include <limits>

using namespace tamis::tests;

namespace {
QString autoencoder() { return sourcePath("datasets/sae/vit20.block3.k16/sparsify"); }
QString heldOut() { return sourcePath("datasets/sae/vit20.block3.heldout.npy"); }

QStringList lowRank(const QStringList& more = {})
{
    return QStringList{"run", "encoder.low-rank", "--encoder", autoencoder(), "--activations", heldOut(), "--calibration-activations", heldOut(), "--json", "-"} + more;
}
} // namespace

class TestCliEncoder : public QObject {
    Q_OBJECT
    QTemporaryDir m_directory;

    /// float32 [rows, width] of zeros but for `value` in the middle of the last row.
    QString rowsFile(const QString& name, int rows, int width, float value)
    {
        QByteArray header = QString("{'descr': '<f4', 'fortran_order': False, 'shape': (%1, %2), }").arg(rows).arg(width).toLatin1();
        header = header.leftJustified(117, ' ') + '\n';
        QByteArray bytes = QByteArray("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header;
        QByteArray data(4 * rows * width, '\0');
        if (!data.isEmpty())
            std::memcpy(data.data() + 4 * ((rows - 1) * width + width / 2), &value, 4);
        QFile file(m_directory.filePath(name));
        if (!file.open(QIODevice::WriteOnly) || file.write(bytes + data) < 0)
            return {};
        return file.fileName();
    }

private slots:
    void theSeedOfTheRunIsTheParameter()
    {
        const auto quality = [](const QStringList& seed) {
            const auto result = runCli(QStringList{"run", "encoder.two-stage", "--encoder", autoencoder(), "--activations", heldOut(), "--no-latency",
                                                   "--set", "coarse=random", "--json", "-"} + seed);
            return std::pair(result.json()["parameters"].toObject()["seed"].toInt(), result.json()["quality"].toObject()["recallMean"].toDouble());
        };
        const auto run = quality({"--seed", "7"});
        QVERIFY(run.first == 7 && run.second > 0);
        QVERIFY(run == quality({"--set", "seed=7"})); // what is recorded gives the same once more
        QVERIFY(run.second != quality({"--set", "seed=14"}).second);
    }
    void runKeys()
    {
        const auto result = runCli(lowRank({"--set", "rank=64"}));
        QVERIFY2(result.status == 0, result.errors);
        const auto json = result.json();
        QCOMPARE(json["schema"].toString(), "tamis.run/1");
        QCOMPARE(json["method"].toString(), "encoder.low-rank");
        QCOMPARE(json["parameters"].toObject()["rank"].toInt(), 64);
        QCOMPARE(json["tokens"].toInt(), 768);
        const auto encoder = json["inputs"].toObject()["encoder"].toObject();
        QVERIFY(encoder["width"].toInt() == 128 && encoder["latents"].toInt() == 2048 && encoder["k"].toInt() == 16 && encoder["activation"].toString() == "topk");
        const auto quality = json["quality"].toObject();
        for (const char* key : {"recallMean", "recallP5", "recallP1", "recallMin", "valueError", "fvu", "fvuExact", "meanActive", "meanActiveExact"})
            QVERIFY2(quality[QLatin1String(key)].isDouble(), key);
        QVERIFY(quality["recallMean"].toDouble() > 0.9 && quality["recallMean"].toDouble() < 1);
        QVERIFY(quality["recallMin"].toDouble() <= quality["recallP1"].toDouble() && quality["recallP1"].toDouble() <= quality["recallP5"].toDouble());
        QVERIFY(quality["fvu"].toDouble() > quality["fvuExact"].toDouble());
        const auto cost = json["cost"].toObject(), exact = json["baseline"].toObject()["cost"].toObject();
        QCOMPARE(cost["macs"].toDouble(), 64.0 * (128 + 2048));
        QVERIFY(exact["macs"].toDouble() >= 128.0 * 2048);
        for (const char* key : {"parameters", "bytes", "bytesRead", "latencyMs"})
            QVERIFY2(cost[QLatin1String(key)].toDouble() > 0 && exact[QLatin1String(key)].toDouble() > 0, key);
        const auto latency = json["latency"].toArray();
        QCOMPARE(latency.size(), 3);
        QCOMPARE(latency[2].toObject()["batch"].toInt(), 64);
        const auto missed = json["missed"].toArray();
        QVERIFY(!missed.isEmpty() && missed[0].toObject()["count"].toInt() > 0 && missed[0].toObject()["active"].toInt() >= missed[0].toObject()["count"].toInt());
        QVERIFY(json["seconds"].toDouble() > 0 && json["warnings"].isArray());
    }
    void everyMethodIsListed()
    {
        const auto methods = byName(runCli({"methods", "--json", "-"}).json()["methods"].toArray(), "id");
        QCOMPARE(methods["encoder.low-rank"].toObject()["lab"].toString(), "encoder");
        QVERIFY(methods["encoder.low-rank"].toObject()["needsCalibration"].toBool());
    }
    /// The certified encoder misses nothing and says how it knows; its cost counts what it scored exactly.
    void certificates()
    {
        const auto json = runCli({"run", "encoder.certified", "--encoder", autoencoder(), "--activations", heldOut(), "--no-latency", "--json", "-"}).json();
        const auto certificate = json["certificate"].toObject();
        for (const char* key : {"candidatesMean", "candidatesMax", "fallbacks", "marginMin"})
            QVERIFY2(certificate[QLatin1String(key)].isDouble(), key);
        QVERIFY(certificate["candidatesMean"].toDouble() >= 16 && certificate["marginMin"].toDouble() >= 0);
        QVERIFY(certificate["candidatesMean"].toDouble() <= certificate["candidatesMax"].toDouble());
        QCOMPARE(json["quality"].toObject()["recallMin"].toDouble(), 1.0);
        QVERIFY(json["missed"].toArray().isEmpty());
        QVERIFY(json["cost"].toObject()["macs"].toDouble() >= 2 * 128.0 * 2048 + 128 * 16); // two planes of every row, and at least the k best
        QVERIFY(!runCli(lowRank({"--no-latency"})).json().contains("certificate"));
    }
    void fewerLatentsAndNoLatency()
    {
        const auto json = runCli(lowRank({"--k", "5", "--no-latency"})).json();
        QCOMPARE(json["inputs"].toObject()["encoder"].toObject()["k"].toInt(), 5);
        QCOMPARE(json["quality"].toObject()["meanActiveExact"].toDouble(), 5.0);
        QVERIFY(json["latency"].toArray().isEmpty() && json["cost"].toObject()["latencyMs"].isNull());
    }
    /// The rows of a comparison are the figures that each method alone gives; the exact encoder is among them.
    void compareKeys()
    {
        const QStringList inputs{"--encoder", autoencoder(), "--activations", heldOut(), "--calibration-activations", heldOut()};
        const auto json = runCli(QStringList{"compare"} + inputs + QStringList{"--method", "encoder.low-rank:rank=32", "--method", "encoder.two-stage:coarse=int8:candidates=64",
                                                                              "--method", "encoder.mips:index=flat", "--recall", "0.95", "--json", "-"}).json();
        QCOMPARE(json["schema"].toString(), "tamis.compare/1");
        const auto rows = json["rows"].toArray();
        QVERIFY(rows.size() == 4 && json["planned"].toInt() == 4 && json["tokens"].toInt() == 768);
        QVERIFY(rows[0].toObject()["exact"].toBool() && rows[0].toObject()["quality"].toObject()["recallMin"].toDouble() == 1);
        const auto alone = runCli(lowRank({"--set", "rank=32", "--no-latency"})).json()["quality"].toObject();
        const auto compared = rows[1].toObject()["quality"].toObject();
        for (const char* key : {"recallMean", "recallP5", "recallMin", "fvu", "valueError"})
            QCOMPARE(compared[QLatin1String(key)].toDouble(), alone[QLatin1String(key)].toDouble());
        QCOMPARE(rows[2].toObject()["settings"].toString(), "coarse int8, candidates 64");
        const auto fastest = json["fastest"].toArray();
        QCOMPARE(fastest.size(), 3); // batch 1, 8, 64; the exact encoder at least reaches any recall
        for (const auto& each : fastest) {
            const auto row = rows[each.toObject()["row"].toInt()].toObject();
            QVERIFY(row["quality"].toObject()["recallMean"].toDouble() >= 0.95 && each.toObject()["speedUp"].toDouble() > 0);
        }
    }
    void comparisonsSpreadSettings()
    {
        const auto json = runCli({"compare", "--encoder", autoencoder(), "--activations", heldOut(), "--calibration-activations", heldOut(), "--method", "encoder.low-rank", "--steps", "3",
                                  "--no-latency", "--json", "-"}).json();
        QStringList settings;
        for (const auto& row : json["rows"].toArray())
            settings << row.toObject()["settings"].toString();
        QCOMPARE(settings, (QStringList{"", "rank 8", "rank 32", "rank 128"}));
        QVERIFY(json["fastest"].toArray().isEmpty()); // nothing was timed
    }
    void switchesOfTheReader()
    {
        const auto stated = runCli(lowRank({"--no-latency"})), unknown = runCli(lowRank({"--no-latency", "--assume", "layer-norms=yes"}));
        QVERIFY(stated.status == 0);
        QVERIFY2(unknown.status == 2 && unknown.errors.contains("--assume"), unknown.errors);
        const auto compared = runCli({"compare", "--encoder", autoencoder(), "--activations", heldOut(), "--method", "encoder.low-rank"});
        QVERIFY2(compared.status == 2 && compared.errors.contains("needs rows to fit to"), compared.errors);
        QVERIFY(runCli({"compare", "--held-out", heldOut()}).errors.contains("MODEL is required, or --encoder"));
    }
    void badInputIsRefused_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<int>("status");
        QTest::addColumn<QString>("says");
        const auto run = [](const QString& encoder, const QString& activations) {
            return QStringList{"run", "encoder.low-rank", "--encoder", encoder, "--activations", activations, "--set", "weighting=none", "--no-latency"};
        };
        QTest::newRow("k beyond the latents") << lowRank({"--k", "2049"}) << 1 << "found k = 2049, expected 1 to the 2048 latents";
        QTest::newRow("NaN") << run(autoencoder(), rowsFile("nan.npy", 7, 128, std::numeric_limits<float>::quiet_NaN())) << 1 << "nan.npy: row 6 holds a value that is no finite number";
        QTest::newRow("infinity to fit to") << QStringList{"run", "encoder.low-rank", "--encoder", autoencoder(), "--activations", heldOut(), "--calibration-activations",
                                                             rowsFile("inf.npy", 3, 128, std::numeric_limits<float>::infinity())}
                                              << 1 << "inf.npy: row 2";
        QTest::newRow("wrong width") << run(autoencoder(), rowsFile("wide.npy", 7, 129, 1)) << 1 << "shape [7, 129], expected [rows, 128]";
        QTest::newRow("no rows") << run(autoencoder(), rowsFile("none.npy", 1, 0, 1)) << 1 << "none.npy";
        QTest::newRow("missing activations") << run(autoencoder(), "nowhere.npy") << 1 << "nowhere.npy";
        QTest::newRow("missing autoencoder") << run("nowhere", heldOut()) << 1 << "nowhere";
        QTest::newRow("nothing to fit to") << QStringList{"run", "encoder.low-rank", "--encoder", autoencoder(), "--activations", heldOut()} << 1 << "no calibration activations";
        QTest::newRow("no autoencoder") << QStringList{"run", "encoder.low-rank", "--activations", heldOut()} << 2 << "--encoder is required";
        QTest::newRow("no activations") << QStringList{"run", "encoder.low-rank", "--encoder", autoencoder()} << 2 << "--activations is required";
        QTest::newRow("unknown method") << QStringList{"run", "encoder.nope"} << 2 << "found 'encoder.nope', expected one of";
        QTest::newRow("k of nothing") << lowRank({"--k", "0"}) << 2 << "--k";
        QTest::newRow("two calibrations") << lowRank({"--calibration", vit20Calibration()}) << 2 << "found several rows to fit to";
    }
    void badInputIsRefused()
    {
        QFETCH(QStringList, arguments);
        QFETCH(int, status);
        QFETCH(QString, says);
        const auto result = runCli(arguments);
        QCOMPARE(result.status, status);
        QVERIFY2(result.hasOneErrorLine(), result.errors);
        QVERIFY2(QString::fromUtf8(result.errors).contains(says), result.errors);
        QVERIFY(result.output.isEmpty());
    }
    /// Rows to fit to come from the model that the autoencoder reads, and the loss with it in place is measured there.
    void modelInPlace()
    {
        const QStringList base{"run",     "encoder.two-stage",           "--encoder", sourcePath("datasets/sae/tinylm.block3.k16/saelens"), "--activations", sourcePath("datasets/sae/tinylm.block3.heldout.npy"),
                               "--model", sourcePath("datasets/tinylm"), "--tokens",  sourcePath("datasets/tinylm/calibration.npy"),       "--no-latency",  "--set",
                               "rank=64", "--json",                      "-"};
        const auto result = runCli(base + QStringList{"--layer", "model.layers.3", "--samples", "20", "--held-out", sourcePath("datasets/tinylm/heldout.npy"), "--held-out-limit", "3"});
        QVERIFY2(result.status == 0, result.errors);
        const auto quality = result.json()["quality"].toObject();
        const double dense = quality["lossDense"].toDouble(), exact = quality["lossExact"].toDouble(), loss = quality["loss"].toDouble();
        QVERIFY2(dense > 2 && exact > dense && loss >= exact - 0.02 && loss < exact + 0.1, qPrintable(QString("%1 %2 %3").arg(dense).arg(exact).arg(loss)));
        QVERIFY(quality["top1"].toDouble() > 0.2 && quality["valueError"].toDouble() == 0 && result.json()["predictions"].toInt() > 0);
        QCOMPARE(result.json()["inputs"].toObject()["model"].toObject()["block"].toInt(), 3);
        QCOMPARE(runCli(base + QStringList{"--layer", "norm"}).status, 2);
        const auto inside = runCli(base + QStringList{"--layer", "blocks.4.mlp.fc1"}); // not block 1
        QVERIFY2(inside.status == 2 && inside.hasOneErrorLine() && inside.errors.contains("found 'blocks.4.mlp.fc1'"), inside.errors);
        QCOMPARE(runCli(base + QStringList{"--layer", "blocks.3", "--block", "3"}).status, 2);
        QVERIFY(runCli(base).errors.contains("--block N"));
        const auto byNumber = runCli(base + QStringList{"--block", "6"}), byName = runCli(base + QStringList{"--layer", "6"});
        QVERIFY2(byNumber.status == 1 && byNumber.errors.contains("block 6, expected 0 to 5") && byName.errors == byNumber.errors, byNumber.errors);
        const auto nowhere = runCli(base + QStringList{"--block", "3", "--samples", "20", "--held-out", "nowhere.npy", "--codes", "nowhere/codes.safetensors"});
        QVERIFY2(nowhere.status == 1 && nowhere.errors.contains("nowhere: is no directory"), nowhere.errors);
        const auto beyond = runCli(base + QStringList{"--layer", "layers.6"});
        QVERIFY2(beyond.status == 1 && beyond.errors.contains("block 6, expected 0 to 5"), beyond.errors);
        QCOMPARE(runCli(lowRank({"--held-out", sourcePath("datasets/tinylm/heldout.npy")})).status, 2); // of which model?
    }
    /// Sites of a calibration set are found by name; one of this model is as wide as the autoencoder.
    void calibrationSites()
    {
        const QStringList base{"run", "encoder.low-rank", "--encoder", autoencoder(), "--activations", heldOut(), "--no-latency", "--calibration", vit20Calibration(), "--json", "-"};
        const auto fitted = runCli(base + QStringList{"--layer", "blocks.4.mlp.fc1"});
        QVERIFY2(fitted.status == 0, fitted.errors);
        QVERIFY(fitted.json()["inputs"].toObject()["calibration"].toObject()["tokens"].toInt() > 0);
        QCOMPARE(runCli(base).status, 2);
        QCOMPARE(runCli(base + QStringList{"--layer", "nothing"}).status, 2);
        const auto wide = runCli(base + QStringList{"--layer", "blocks.4.mlp.fc2"});
        QVERIFY2(wide.status == 1 && wide.errors.contains("512 features, expected the 128"), wide.errors);
        // a site to fit to says nothing of the block of a model
        const QStringList model{"--layer", "blocks.4.mlp.fc1", "--model", sourcePath("datasets/vit20")};
        const auto unsaid = runCli(base + model);
        QVERIFY2(unsaid.status == 2 && unsaid.hasOneErrorLine() && unsaid.errors.contains("--model beside --calibration needs --block N"), unsaid.errors);
        const auto said = runCli(base + model + QStringList{"--block", "3"});
        QVERIFY2(said.status == 0, said.errors);
        QCOMPARE(said.json()["inputs"].toObject()["model"].toObject()["block"].toInt(), 3);
        QCOMPARE(runCli(base + QStringList{"--layer", "blocks.4.mlp.fc1", "--block", "3"}).status, 2); // of which model?
    }
    /// Rows that were fitted to and measured on are told, in the text and in the document; a site's held-out rows are other rows.
    void figuresOnFittedRowsAreTold()
    {
        const QString says = "fitted to the very rows that are measured: the figures are not held out";
        const auto same = runCli(lowRank({"--no-latency"}));
        QVERIFY(same.json()["warnings"].toArray().contains(says) && same.errors.contains("warning: " + says.toUtf8()));
        const auto compared = runCli({"compare", "--encoder", autoencoder(), "--activations", heldOut(), "--calibration-activations", heldOut(), "--method", "encoder.low-rank:rank=8", "--no-latency", "--json", "-"});
        QVERIFY(compared.json()["warnings"].toArray().contains(says) && compared.errors.contains("warning: " + says.toUtf8()));
        const QString site = "blocks.4.mlp.fc1";
        const auto apart = runCli({"run", "encoder.low-rank", "--encoder", autoencoder(), "--activations", vit20Calibration(), "--activations-site", site, "--calibration", vit20Calibration(), "--layer", site,
                                   "--no-latency", "--json", "-"}).json();
        const auto activations = apart["inputs"].toObject()["activations"].toObject();
        QVERIFY(activations["heldOut"].toBool() && activations["site"].toString() == site);
        const auto sites = byName(runCli({"inspect", vit20Calibration(), "--json", "-"}).json()["sites"].toArray(), "name");
        QVERIFY(sites[site].toObject()["heldOut"].toInt() > 0 && sites[site].toObject()["heldOut"] != sites[site].toObject()["samples"]);
        QCOMPARE(activations["tokens"].toInt(), sites[site].toObject()["heldOut"].toInt());
        QVERIFY(!apart["warnings"].toArray().contains(says));
    }
    void comparisonsMeasureNoLoss()
    {
        const auto result = runCli({"compare", "--encoder", autoencoder(), "--activations", heldOut(), "--held-out", sourcePath("datasets/photos")});
        QVERIFY2(result.status == 2 && result.hasOneErrorLine() && result.errors.contains("run encoder.*"), result.errors);
    }
};

QTEST_GUILESS_MAIN(TestCliEncoder)
#include "tst_cli_encoder.moc"
