// SPDX-License-Identifier: GPL-3.0-or-later
// The fleet lab from the command line: keys that scripts depend on, a real server and one that is not there, bad input.
#include "tests/cli/cli_process.h"
#include "tests/core/remote/redis_process.h"

#include <QFile>
#include <QJsonArray>
#include <QTemporaryDir>
#include <QTest>

using namespace tamis::tests;
using tamis::test::RedisProcess;

class TestCliFleet : public QObject {
    Q_OBJECT
    QTemporaryDir m_folder;
    QString m_trace, m_photos;

    static QJsonObject object(const QJsonArray& array, int index) { return array[index].toObject(); }
    QStringList remote(const QString& server) const { return {"run", "fleet.remote", "--model", vit20(), "--images", m_photos, "--resize", "squash", "--server", server, "--set", "rounds=5", "--set", "flush=0", "--json", "-"}; }

private slots:
    void initTestCase()
    {
        m_trace = m_folder.filePath("loop.txt");
        m_photos = sourcePath("datasets/photos");
        QFile file(m_trace);
        QVERIFY(file.open(QIODevice::WriteOnly));
        for (int i = 0; i < 2000; ++i)
            file.write(QByteArray::number(i * i % 211) + '\n');
    }
    void ring()
    {
        const auto result = runCli({"run", "fleet.ring", "--trace", m_trace, "--set", "devices=5", "--set", "leaving=2", "--json", "-"});
        QVERIFY2(result.status == 0, result.errors);
        const auto json = result.json(), ring = json["ring"].toObject();
        QCOMPARE(json["schema"].toString(), "tamis.run/1");
        QCOMPARE(json["parameters"].toObject()["devices"].toInt(), 5);
        QCOMPARE(ring["idealLeave"].toDouble(), 0.2);
        const auto placements = byName(ring["placements"].toArray(), "rule");
        QCOMPARE(placements.size(), 3);
        const auto keys = placements["ring"].toObject()["keys"].toArray();
        QCOMPARE(keys.size(), 5);
        QCOMPARE(placements["ring"].toObject()["movedOnLeave"].toDouble(), keys[2].toDouble() / json["objects"].toDouble());
        QVERIFY(json["warnings"].toArray()[0].toString().contains("model for planning"));
    }
    void gossip()
    {
        const QStringList arguments{"run", "fleet.gossip", "--set", "devices=16", "--set", "mode=push", "--seed", "5", "--json", "-"};
        const auto result = runCli(arguments);
        QVERIFY2(result.status == 0, result.errors);
        const auto gossip = result.json()["gossip"].toObject();
        QVERIFY(qAbs(gossip["meanRounds"].toDouble() - gossip["exactRounds"].toDouble()) < 0.5);
        QCOMPARE(gossip["log2"].toDouble(), 4.0);
        QCOMPARE(runCli(arguments).json()["gossip"], QJsonValue(gossip)); // the same seed
    }
    void edgeCloud()
    {
        const auto result = runCli({"run", "fleet.edge-cloud", "--trace", m_trace, "--set", "encode=3", "--json", "-"});
        QVERIFY2(result.status == 0, result.errors);
        const auto edge = result.json()["edgeCloud"].toObject();
        QCOMPARE(edge["encodeSeconds"].toDouble(), 0.003);
        QVERIFY(!edge["encodeMeasured"].toBool());
        for (const auto& fetch : edge["fetches"].toArray())
            QCOMPARE(fetch.toObject()["worthwhile"].toBool(), fetch.toObject()["seconds"].toDouble() < 0.003);
    }
    void measuredOnFrames()
    {
        const auto result = runCli({"run", "fleet.edge-cloud", "--trace", m_trace, "--model", vit20(), "--images", m_photos, "--resize", "squash", "--json", "-"});
        QVERIFY2(result.status == 0, result.errors);
        const auto edge = result.json()["edgeCloud"].toObject();
        QVERIFY(edge["encodeMeasured"].toBool());
        const auto transfers = byName(edge["transfers"].toArray());
        QVERIFY(transfers["delta"].toObject()["error"].toDouble() > 0 && transfers["int8"].toObject()["bytes"].toDouble() < transfers["f16"].toObject()["bytes"].toDouble());
    }
    void aServer()
    {
        if (!RedisProcess::available())
            QSKIP("redis-server is not installed: scripts/packages.sh test installs it");
        RedisProcess redis(RedisProcess::Kind::Port, {"--requirepass", "open sesame"});
        QVERIFY(redis.start());
        const auto refused = runCli(remote(redis.text()));
        QCOMPARE(refused.status, 1);
        QVERIFY2(refused.hasOneErrorLine() && refused.errors.contains("NOAUTH"), refused.errors);
        const auto result = runCli(remote(redis.text()), {"TAMIS_REDIS_PASSWORD=open sesame"});
        QVERIFY2(result.status == 0, result.errors);
        const auto json = result.json()["remote"].toObject();
        const auto passes = json["passes"].toArray();
        QCOMPARE(object(passes, 1)["computed"].toInt(), 20);
        QCOMPARE(object(passes, 2)["fetched"].toInt(), 20);
        QVERIFY(object(passes, 2)["sameAnswers"].toBool() && json["reached"].toBool() && !json["degraded"].toBool());
        QVERIFY(json["get"].toObject()["seconds"].toDouble() > 0);
        const QString file = m_folder.filePath("password");
        QFile password(file);
        QVERIFY(password.open(QIODevice::WriteOnly));
        password.write("open sesame\n");
        password.close();
        const auto again = runCli(remote(redis.text()) + QStringList{"--password-file", file}).json()["remote"].toObject();
        QCOMPARE(object(again["passes"].toArray(), 1)["fetched"].toInt(), 20); // of the run before
    }
    void noServer()
    {
        const auto result = runCli(remote("unix:" + m_folder.filePath("nobody.sock")));
        QVERIFY2(result.status == 0, result.errors);
        const auto json = result.json()["remote"].toObject();
        QVERIFY(json["degraded"].toBool() && !json["reached"].toBool());
        QCOMPARE(json["notices"].toArray().size(), 1);
        QVERIFY(object(json["passes"].toArray(), 2)["sameAnswers"].toBool());
        QCOMPARE(json["counters"].toObject()["waiting"].toInt(), 20);
    }
    void badInput_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("contains");
        QTest::newRow("method") << QStringList{"run", "fleet.none"} << "expected one of fleet.ring";
        QTest::newRow("no trace") << QStringList{"run", "fleet.ring"} << "--trace is required";
        QTest::newRow("trace") << QStringList{"run", "fleet.gossip", "--trace", "TRACE"} << "--trace does not belong to fleet.gossip";
        QTest::newRow("no server") << QStringList{"run", "fleet.remote", "--model", "M", "--images", "I"} << "--server is required";
        QTest::newRow("server") << QStringList{"run", "fleet.remote", "--model", "M", "--images", "I", "--server", "a:b"} << "found 'a:b', expected HOST:PORT";
        QTest::newRow("images") << QStringList{"run", "fleet.edge-cloud", "--trace", "TRACE", "--model", "M"} << "--model and --images belong together";
        QTest::newRow("password") << QStringList{"run", "fleet.gossip", "--password-file", "F"} << "--password-file belongs to --server";
        QTest::newRow("password file") << QStringList{"run", "fleet.edge-cloud", "--trace", "TRACE", "--server", "localhost", "--password-file", "/nowhere"} << "--password-file: found no line";
        QTest::newRow("setting") << QStringList{"run", "fleet.ring", "--trace", "TRACE", "--set", "devices=1"} << "devices";
        QTest::newRow("format") << QStringList{"run", "fleet.ring", "--trace", "TRACE", "--trace-format", "xml"} << "--trace-format: found 'xml'";
        for (const QStringList& other : {QStringList{"--warm-up", "5"}, {"--rate", "0.5"}, {"--steps", "9"}, {"--also", "fleet.gossip"}, {"--shape"}, {"--at", "5"}, {"--soft", "0.5"}, {"--protect", "1"}, {"--plan", "P"}, {"--tune", "3"}, {"--rounds", "9"}})
            QTest::newRow(qPrintable(other[0])) << QStringList{"run", "fleet.ring", "--trace", "TRACE"} + other << "not belong to fleet.*";
        QTest::newRow("format of no trace") << QStringList{"run", "fleet.gossip", "--trace-format", "ids"} << "belong to --trace";
        QTest::newRow("column of no trace") << QStringList{"run", "fleet.gossip", "--column", "id=1"} << "belong to --trace";
        QTest::newRow("layer") << QStringList{"run", "fleet.gossip", "--layer", "x"} << "do not belong to fleet.*";
    }
    void badInput()
    {
        QFETCH(QStringList, arguments);
        QFETCH(QString, contains);
        arguments.replaceInStrings("TRACE", m_trace);
        const auto result = runCli(arguments);
        QCOMPARE(result.status, 2);
        QVERIFY2(result.hasOneErrorLine() && result.errors.contains(contains.toUtf8()), result.errors);
    }
};

QTEST_GUILESS_MAIN(TestCliFleet)
#include "tst_cli_fleet.moc"
