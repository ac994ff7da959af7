// SPDX-License-Identifier: GPL-3.0-or-later
// Many rows through an encoder from the command line: codes on disk, what a stop leaves, other sources of rows.
#include "tests/cli/cli_process.h"
#include "tests/core/base/stop_clock.h"

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

#include <csignal>

using namespace tamis::tests;

namespace {
QString autoencoder() { return sourcePath("datasets/sae/vit20.block3.k16/sparsify"); }
QString heldOut() { return sourcePath("datasets/sae/vit20.block3.heldout.npy"); }
QStringList exact(const QString& rows) { return {"run", "encoder.exact", "--encoder", autoencoder(), "--activations", rows}; }
} // namespace

class TestCliStream : public QObject {
    Q_OBJECT
    QTemporaryDir m_directory;

    /// float32 [rows, 128] of zeros, which take no room on the disk.
    QString zeros(const QString& name, qint64 rows)
    {
        QByteArray header = QString("{'descr': '<f4', 'fortran_order': False, 'shape': (%1, 128), }").arg(rows).toLatin1().leftJustified(117, ' ') + '\n';
        QFile file(m_directory.filePath(name));
        const QByteArray start = QByteArray("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' + header;
        return file.open(QIODevice::WriteOnly) && file.write(start) == start.size() && file.resize(start.size() + rows * 128 * 4) ? file.fileName() : QString();
    }

private slots:
    /// NumPy reads what was written and computes the same from rows and weights.
    void codesAreThoseOfNumPy()
    {
        const QString file = m_directory.filePath("codes.safetensors");
        const auto result = runCli(exact(heldOut()) + QStringList{"--no-latency", "--codes", file, "--json", "-"});
        QVERIFY2(result.status == 0, result.errors);
        const auto json = result.json();
        QCOMPARE(json["codes"].toObject()["path"].toString(), file);
        QCOMPARE(json["codes"].toObject()["bytes"].toInteger(), QFile(file).size());
        QVERIFY(json["rowsPerSecond"].toDouble() > 0 && json["quality"].toObject()["recallMin"].toDouble() == 1);
        QProcess python;
        python.start("/usr/bin/python3", {sourcePath("tests/golden/check_codes.py"), file, autoencoder(), heldOut()});
        if (!python.waitForStarted() || !python.waitForFinished(120'000) || python.exitCode() == 77)
            QSKIP("no Python with NumPy");
        QVERIFY2(python.exitCode() == 0, python.readAllStandardError());
        QCOMPARE(python.readAllStandardOutput(), QByteArray("768 12288 latents\n"));
    }
    /// Figures of the rows that were done, and no half a file.
    void aStopKeepsTheFiguresOfTheRowsDone()
    {
        const QString rows = zeros("many.npy", 8'000'000), file = m_directory.filePath("stopped.json");
        QVERIFY(!rows.isEmpty());
        QByteArray said;
        for (int after = 800; !QFile::exists(file) && after <= 16'000; after *= 2) {
            const auto run = interruptCli(exact(rows) + QStringList{"--codes", m_directory.filePath("stopped.safetensors"), "--json", file}, SIGINT, after);
            QVERIFY2(run.reached, run.result.errors);
            QCOMPARE(run.result.status, 130);
            QCOMPARE(run.result.errors, QByteArray("tamis-cli: cancelled\n"));
            QVERIFY2(run.seconds < tamis::test::kSoonSeconds, qPrintable(QString::number(run.seconds)));
            QCOMPARE(QDir(m_directory.path()).entryList({"stopped.safetensors*"}), QStringList());
            said = run.result.output;
        }
        const auto document = readJsonFile(file);
        QVERIFY(document["cancelled"].toBool() && document["planned"].toInteger() == 8'000'000);
        const qint64 done = document["tokens"].toInteger();
        QVERIFY(done > 0 && done < 8'000'000 && document["quality"].toObject()["recallMean"].toDouble() == 1);
        QVERIFY2(said.contains("stopped after ") && said.endsWith("of 8 000 000 rows; no codes were written\n"), said);
    }
    void sitesOfACalibrationSetAreMeasured()
    {
        const auto result = runCli(exact(vit20Calibration()) + QStringList{"--activations-site", "blocks.4.mlp.fc1", "--no-latency", "--json", "-"});
        QVERIFY2(result.status == 0, result.errors);
        QVERIFY(result.json()["tokens"].toInt() > 0 && result.json()["inputs"].toObject()["activations"].toObject()["tokens"] == result.json()["tokens"]);
        const auto none = runCli(exact(vit20Calibration()) + QStringList{"--activations-site", "nothing"});
        QVERIFY2(none.status == 1 && none.hasOneErrorLine() && none.errors.contains("has no site 'nothing'"), none.errors);
        const auto wide = runCli(exact(vit20Calibration()) + QStringList{"--activations-site", "blocks.4.mlp.fc2"});
        QVERIFY2(wide.status == 1 && wide.hasOneErrorLine() && wide.errors.contains("expected [rows, 128]"), wide.errors);
    }
    void codesThatCannotBeWrittenAreRefused()
    {
        const auto result = runCli(exact(heldOut()) + QStringList{"--codes", m_directory.filePath("nowhere/codes.safetensors")});
        QVERIFY2(result.status == 1 && result.hasOneErrorLine() && result.errors.contains("nowhere: is no directory"), result.errors);
    }
};

QTEST_GUILESS_MAIN(TestCliStream)
#include "tst_cli_stream.moc"
