// SPDX-License-Identifier: GPL-3.0-or-later
// The hierarchy lab from the command line: keys that scripts depend on, traces with writes, real frames, bad input.
#include "tests/cli/cli_process.h"

#include <QFile>
#include <QJsonArray>
#include <QTemporaryDir>
#include <QTest>

#include <cmath>

using namespace tamis::tests;

class TestCliHierarchy : public QObject {
    Q_OBJECT
    QTemporaryDir m_folder;
    QString m_trace, m_frames;

private slots:
    void initTestCase()
    {
        m_trace = m_folder.filePath("loop.csv");
        QFile file(m_trace);
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write("id,op\n");
        for (int i = 0; i < 1000; ++i) // ten objects in a loop; every fourth request writes
            file.write(QByteArray::number(i % 10) + (i % 4 == 3 ? ",w\n" : ",r\n"));
        m_frames = m_folder.filePath("frames");
        QDir().mkpath(m_frames);
        for (int i = 0; i < 6; ++i)
            QVERIFY(QFile::copy(QStringLiteral(TAMIS_SOURCE_DIR "/datasets/motion/frame%1.jpg").arg(i + 12, 2, 10, QLatin1Char('0')), QStringLiteral("%1/f%2.jpg").arg(m_frames).arg(i)));
    }
    void traceKeys()
    {
        const auto result = runCli({"run", "hierarchy.levels", "--trace", m_trace, "--set", "l1=20000B", "--json", "-"});
        QCOMPARE(result.status, 2); // a unit that there is not
        const auto reads = runCli({"run", "hierarchy.levels", "--trace", m_trace, "--set", "l1=15360,cache.fifo", "--set", "l2=1MiB", "--set", "l3=0", "--json", "-"});
        QVERIFY2(reads.status == 0, reads.errors);
        const auto json = reads.json();
        QCOMPARE(json["schema"].toString(), "tamis.run/1");
        QCOMPARE(json["reads"].toInt(), 1000);
        QCOMPARE(json["workingSet"].toInt(), 10 * 3072);
        QCOMPARE(json["misses"].toInt(), 10);
        const QJsonArray levels = json["levels"].toArray();
        QCOMPARE(levels.size(), 2);
        QCOMPARE(levels[0]["policy"].toString(), "cache.fifo");
        QCOMPARE(levels[0]["hits"].toInt(), 0); // a loop longer than the cache
        QCOMPARE(levels[1]["hits"].toInt(), 990);
        QVERIFY(std::abs(json["amat"].toDouble() - json["amatClosed"].toDouble()) < 1e-6 && json["speedUp"].toDouble() > 10);
        QCOMPARE(json["prefetch"]["kind"].toString(), "none");
        const auto writes = runCli({"run", "hierarchy.levels", "--trace", m_trace, "--column", "operation=op", "--set", "features=256", "--set", "type=f16", "--json", "-"}).json();
        QCOMPARE(writes["writeRequests"].toInt(), 250);
        QCOMPARE(writes["writes"]["writtenBytes"].toInt(), 250 * 512);
        QCOMPARE(writes["writes"]["writtenBytes"].toInt(), writes["writes"]["coalescedBytes"].toInt() + writes["writes"]["backingBytes"].toInt());
    }
    void framesKeys()
    {
        const auto result = runCli({"run", "hierarchy.levels", "--images", m_frames, "--model", TAMIS_SOURCE_DIR "/datasets/vit20", "--set", "prefetch=layer", "--set", "type=int8", "--json", "-"});
        QVERIFY2(result.status == 0, result.errors);
        const auto json = result.json();
        QCOMPARE(json["reads"].toInt(), 6 * 6 * 256);
        QVERIFY(json["hitRatio"].toDouble() > 0.3); // several of these frames stand still
        QVERIFY(json["encodeMeasured"].toBool() && json["encodeNs"].toDouble() > 0);
        const auto types = byName(json["types"].toArray(), "type");
        QCOMPARE(types["int8"].toObject()["bytes"].toInt(), 132);
        QVERIFY(types["int8"].toObject()["relativeError"].toDouble() > types["f16"].toObject()["relativeError"].toDouble());
        const auto p = json["prefetch"].toObject();
        QCOMPARE(p["asked"].toInt(), p["redundant"].toInt() + p["absent"].toInt() + p["refused"].toInt() + p["issued"].toInt());
    }
    void badInput_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("sentence");
        QTest::newRow("no input") << QStringList{} << "expected exactly one of --trace";
        QTest::newRow("both") << QStringList{"--trace", "TRACE", "--images", "x", "--model", "y"} << "expected exactly one of --trace";
        QTest::newRow("no model") << QStringList{"--images", "x"} << "--images and --model belong together";
        QTest::newRow("size") << QStringList{"--trace", "TRACE", "--set", "l2=big"} << "--set l2: found 'big'";
        QTest::newRow("column") << QStringList{"--trace", "TRACE", "--column", "cost=1"} << "size= or operation=";
        QTest::newRow("policy") << QStringList{"--trace", "TRACE", "--set", "l1=1k,cache.belady"} << "l1-policy";
        QTest::newRow("limit") << QStringList{"--trace", "TRACE", "--samples", "3"} << "--samples and --resize belong to --images";
        // Every option of `run` that says nothing here, with a value that its own lab takes.
        for (const auto& [flag, value] : std::initializer_list<std::pair<const char*, const char*>>{
                 {"--calibration", "x"}, {"--layer", "x"}, {"--keep", "0.5"}, {"--no-baseline", ""}, {"--latency-tokens", "3"}, {"--out", "x"}, {"--format", "svg"}, {"--shade", "scores"}, {"--depth", "1"},
                 {"--plan", "x"}, {"--save-plan", "x"}, {"--features", ""}, {"--overwrite", ""}, {"--store", "x"}, {"--allocation-set", "x=1"}, {"--unit", "bytes"}, {"--accounting", "remapped"}, {"--align", "8"},
                 {"--held-out", "x"}, {"--held-out-limit", "3"}, {"--held-out-labels", "x"}, {"--encoder", "x"}, {"--assume", "x=1"}, {"--activations", "x"}, {"--activations-site", "x"},
                 {"--calibration-activations", "x"}, {"--block", "2"}, {"--k", "4"}, {"--codes", "x"}, {"--save-encoder", "x"}, {"--trained", "x"}, {"--train-images", "x"}, {"--train-labels", "x"},
                 {"--save-trained", "x"}, {"--no-latency", ""}, {"--batch", "4"}, {"--rounds", "5"}, {"--labels", "x"}, {"--tokens", "x"}, {"--text", "x"}, {"--context", "64"}, {"--stride", "8"},
                 {"--blocks", "0"}, {"--choose", "0=exact"}, {"--fit-images", "x"}, {"--fit-tokens", "x"}, {"--effects", ""}, {"--suit", "0.5"}, {"--suited-plan", "x"}, {"--view", "0:1"}, {"--scaling", "64"},
                 {"--view-sample", "1"}, {"--tune", "5"}, {"--tune-set", "x=1"}, {"--tune-exact", ""}, {"--train-tokens", "x"}, {"--save-tuned", "x"}, {"--tuned", "x"}, {"--also", "cache.lru"}, {"--warm-up", "3"},
                 {"--at", "64"}, {"--steps", "3"}, {"--first", "3"}, {"--shape", ""}, {"--rate", "0.5"}, {"--hard", "0.5"}, {"--soft", "0.5"}, {"--evict-batch", "3"}, {"--protect", "3"}, {"--protect-most", "0.5"},
                 {"--scene-change", "hit-ratio"}, {"--scene-action", "halve"}, {"--scene-window", "50"}, {"--scene-threshold", "3"}, {"--server", "127.0.0.1:1"}, {"--password-file", "x"},
                 {"--calibration-tokens", "x"}, {"--table", "x"}, {"--save-table", "x"}}) {
            QStringList arguments{"--trace", "TRACE", flag};
            if (*value)
                arguments << value;
            QTest::newRow(flag) << arguments << QString(QLatin1String(flag) + " does not belong to hierarchy.*");
        }
    }
    void badInput()
    {
        QFETCH(QStringList, arguments);
        QFETCH(QString, sentence);
        const auto result = runCli(QStringList{"run", "hierarchy.levels"} + arguments.replaceInStrings("TRACE", m_trace));
        QCOMPARE(result.status, 2);
        QVERIFY2(result.errors.contains(sentence.toUtf8()), result.errors);
    }
    void failures()
    {
        const auto motion = runCli({"run", "hierarchy.levels", "--trace", m_trace, "--set", "prefetch=motion"});
        QCOMPARE(motion.status, 1);
        QVERIFY2(motion.errors.contains("expected frames and a model"), motion.errors);
        const auto arc = runCli({"run", "hierarchy.levels", "--trace", m_trace, "--set", "l1=1MiB,cache.lirs"});
        QCOMPARE(arc.status, 1);
        QVERIFY2(arc.errors.contains("cannot give up an object"), arc.errors);
    }
};

QTEST_GUILESS_MAIN(TestCliHierarchy)
#include "tst_cli_hierarchy.moc"
