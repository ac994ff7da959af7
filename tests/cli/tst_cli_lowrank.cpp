// SPDX-License-Identifier: GPL-3.0-or-later
// The low-rank lab from the command line: run, store, evaluate and export what was stored, compare, bad input.
#include "tests/cli/cli_process.h"

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QTemporaryDir>
#include <QTest>

#include <cmath>
#include <csignal>

using namespace tamis::tests;

namespace {
QString photos() { return sourcePath("datasets/photos"); }
QString tinylm() { return sourcePath("datasets/tinylm"); }

QStringList local(const QString& keep) { return {"run", "lowrank.local", "--model", vit20(), "--calibration", vit20Calibration(), "--keep", keep, "--json", "-"}; }
} // namespace

class TestCliLowRank : public QObject {
    Q_OBJECT
    QTemporaryDir m_directory;

private slots:
    /// The lab's whitened SVD and spectrum.whitened solve one problem: the same loss of every matrix at the same rank. The
    /// tolerance is the ridge's and the eigen-solvers' (two forms of one optimum, in double).
    void agreesWithTheSpectrumLab()
    {
        const auto lab = runCli(local("0.6"));
        QCOMPARE(lab.status, 0);
        const auto spectrum = runCli({"run", "spectrum.whitened", "--model", vit20(), "--calibration", vit20Calibration(), "--keep", "0.6", "--no-baseline", "--latency-tokens", "0",
                                      "--json", "-"});
        QCOMPARE(spectrum.status, 0);
        const auto curves = byName(spectrum.json()["matrices"].toArray());
        const auto matrices = lab.json()["matrices"].toArray();
        QCOMPARE(matrices.size(), 24);
        for (const auto& value : matrices) {
            const auto matrix = value.toObject();
            const int rank = matrix["rank"].toInt();
            const double expected = curves[matrix["name"].toString()].toObject()["loss"].toArray()[rank].toDouble();
            // The operator is measured as it runs, with factors in float32: 2^-24 of the energy each.
            QVERIFY2(std::abs(matrix["loss"].toDouble() - expected) < 1e-4 * expected, qPrintable(matrix["name"].toString()));
            QVERIFY(matrix["loss"].toDouble() >= matrix["minimumLoss"].toDouble() * (1 - 1e-6));
        }
        QVERIFY(lab.json()["achievedKeep"].toDouble() <= 0.6);
    }

    /// What --store writes evaluates and exports; the export's factors evaluate to the same quality.
    void storedPlansRunAndExport()
    {
        const QString kept = m_directory.filePath("kept"), out = m_directory.filePath("out");
        auto arguments = local("0.5");
        arguments << "--store" << kept << "--held-out" << photos() << "--resize" << "squash" << "--accounting" << "block-identity";
        const auto run = runCli(arguments);
        QCOMPARE(run.status, 0);
        const auto evaluated = runCli({"evaluate", vit20(), "--plan", kept + "/plan.json", "--images", photos(), "--resize", "squash", "--json", "-"});
        QCOMPARE(evaluated.status, 0);
        const double kl = run.json()["quality"].toObject()["kl"].toDouble();
        QVERIFY(kl > 0);
        QCOMPARE(evaluated.json()["quality"].toObject()["kl"].toDouble(), kl);
        const auto exported = runCli({"export", vit20(), "--plan", kept + "/plan.json", "--out", out, "--json", "-"});
        QCOMPARE(exported.status, 0);
        QCOMPARE(exported.json()["verified"].toArray().size(), 24);
        QVERIFY(QFile::exists(out + "/tamis_model.py") && QFile::exists(out + "/factors.safetensors"));
        // The export is a model of its own: it has the parameters that the run announced.
        const auto inspected = runCli({"inspect", out + "/factors.safetensors", "--json", "-"});
        QCOMPARE(inspected.status, 0);
        QCOMPARE(exported.json()["cost"].toObject()["parameters"].toDouble(), run.json()["cost"].toObject()["parameters"].toDouble());
    }

    /// Perplexity is that of evaluate; rounding to 8 bits loses less than to 4; the dense row is first.
    void comparesOnOneProtocol()
    {
        const QString calibration = m_directory.filePath("tinylm.h5");
        QCOMPARE(runCli({"capture", tinylm(), "--tokens", tinylm() + "/calibration.npy", "--context", "256", "--samples", "64", "--out", calibration}).status, 0);
        const QString heldOut = m_directory.filePath("heldout.npy");
        QVERIFY(QFile::copy(tinylm() + "/heldout.npy", heldOut));
        const auto compared = runCli({"compare", tinylm(), "--calibration", calibration, "--held-out", heldOut, "--keep", "0.8", "--method", "lowrank.local", "--method",
                                      "lowrank.local:preconditioner=identity", "--method", "lowrank.local:allocate=greedy", "--held-out-limit", "40", "--no-latency", "--json", "-"});
        QCOMPARE(compared.status, 0);
        const auto rows = compared.json()["rows"].toArray();
        QCOMPARE(rows.size(), 6);
        const auto perplexity = [&](int row) { return rows[row].toObject()["quality"].toObject()["perplexity"].toObject()["mean"].toDouble(); };
        const auto dense = runCli({"evaluate", tinylm(), "--tokens", heldOut, "--limit", "40", "--json", "-"});
        QCOMPARE(perplexity(0), dense.json()["quality"].toObject()["perplexity"].toDouble());
        QVERIFY(perplexity(0) < perplexity(1) && perplexity(1) < perplexity(2)); // dense, 8 bit, 4 bit
        QVERIFY(perplexity(3) < perplexity(4)); // whitened before plain
        QCOMPARE(rows[5].toObject()["label"].toString().contains("greedy"), true);
        for (int row = 3; row < 6; ++row)
            QVERIFY(rows[row].toObject()["cost"].toObject()["parameters"].toDouble() < rows[0].toObject()["cost"].toObject()["parameters"].toDouble());
    }

    /// More than a minute of work each. The stop comes a second after the program listens, then after two, four, ... until something
    /// was finished before it: how fast the machine is decides nothing.
    void aStopKeepsWhatIsFinished_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("kept"); ///< array of the document
        QTest::addColumn<QByteArray>("words");
        QStringList keeps;
        for (int i = 100; i < 900; ++i)
            keeps << QString::number(i / 1000.0);
        const QStringList inputs{"--calibration", vit20Calibration(), "--resize", "squash"};
        QTest::newRow("compare") << QStringList({"compare", vit20(), "--held-out", photos(), "--method", "lowrank.local", "--keep", keeps.join(',')}) + inputs << "rows"
                                 << QByteArray(" of 803 rows\n");
        const QString many = m_directory.filePath("many");
        QVERIFY(QDir().mkpath(many));
        for (int i = 0; i < 250; ++i)
            for (const QString& name : QDir(photos()).entryList({"*.jpg"}, QDir::Files, QDir::Name))
                QVERIFY(QFile::link(photos() + '/' + name, QString("%1/%2-%3").arg(many).arg(i).arg(name)));
        QTest::newRow("run") << QStringList({"run", "lowrank.local", "--model", vit20(), "--held-out", many}) + inputs << "matrices" << QByteArray("nothing was stored\n");
    }
    void aStopKeepsWhatIsFinished()
    {
        QFETCH(QStringList, arguments);
        QFETCH(QString, kept);
        QFETCH(QByteArray, words);
        const QString file = m_directory.filePath(kept + ".json");
        QByteArray said;
        for (int after = 1000; !QFile::exists(file) && after <= 32'000; after *= 2) {
            const auto run = interruptCli(arguments + QStringList{"--json", file}, SIGINT, after);
            QVERIFY2(run.reached, run.result.errors);
            QCOMPARE(run.result.status, 130);
            QCOMPARE(run.result.errors, QByteArray("tamis-cli: cancelled\n")); // the table went to standard output
            said = run.result.output;
            QCOMPARE(said.isEmpty(), !QFile::exists(file));
        }
        const auto document = readJsonFile(file);
        QCOMPARE(document["cancelled"].toBool(), true);
        const auto finished = document[kept].toArray();
        QVERIFY(!finished.isEmpty());
        QVERIFY2(said.contains("stopped ") && said.endsWith(words), said);
        const QByteArray name = finished.last().toObject()[kept == "rows" ? "label" : "name"].toString().toUtf8();
        QVERIFY2(said.contains(name), name);
        if (kept != "rows")
            return;
        QCOMPARE(document["planned"].toInt(), 803);
        QVERIFY(finished.size() < 803);
        QVERIFY(said.contains("stopped after " + QByteArray::number(finished.size()) + words));
        QCOMPARE(finished[0].toObject()["label"].toString(), QStringLiteral("dense"));
        QVERIFY(finished.last().toObject()["cost"].toObject()["parameters"].toDouble() > 0);
    }

    void badInputIsOneSentence_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<int>("status");
        QTest::addColumn<QString>("words");
        const QStringList model{"--model", vit20()};
        QTest::newRow("no such method") << QStringList({"run", "lowrank.unknown"}) + model << 2 << "lowrank.local";
        QTest::newRow("no calibration") << QStringList({"run", "lowrank.local"}) + model << 2 << "--calibration";
        QTest::newRow("no samples") << QStringList({"run", "lowrank.saes", "--calibration", vit20Calibration()}) + model << 2 << "--images";
        QTest::newRow("calibration of another model")
            << QStringList({"run", "lowrank.local", "--model", tinylm(), "--calibration", vit20Calibration()}) << 1 << "another model";
        QTest::newRow("keep out of range") << QStringList({"run", "lowrank.local", "--keep", "1.5", "--calibration", vit20Calibration()}) + model << 2 << "keep";
        QTest::newRow("unknown parameter") << QStringList({"run", "lowrank.local", "--set", "wrong=1", "--calibration", vit20Calibration()}) + model << 2 << "wrong";
        QTest::newRow("compare without held-out") << QStringList({"compare", vit20(), "--calibration", vit20Calibration()}) << 2 << "--held-out";
        QTest::newRow("keeps that are none") << QStringList({"compare", vit20(), "--held-out", photos(), "--keep", "0.5,two"}) << 2 << "two";
        QTest::newRow("no such layer") << QStringList({"run", "lowrank.local", "--layer", "nothing*", "--calibration", vit20Calibration()}) + model << 2 << "nothing*";
    }
    void badInputIsOneSentence()
    {
        QFETCH(QStringList, arguments);
        QFETCH(int, status);
        QFETCH(QString, words);
        const auto result = runCli(arguments);
        QCOMPARE(result.status, status);
        QVERIFY2(result.hasOneErrorLine(), result.errors);
        QVERIFY2(QString::fromUtf8(result.errors).contains(words), result.errors);
        QVERIFY(result.output.isEmpty());
    }
};

QTEST_GUILESS_MAIN(TestCliLowRank)
#include "tst_cli_lowrank.moc"
