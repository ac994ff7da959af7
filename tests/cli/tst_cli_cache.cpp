// SPDX-License-Identifier: GPL-3.0-or-later
// The cache lab from the command line: keys that scripts depend on, bad input.
#include "tests/cli/cli_process.h"

#include <QFile>
#include <QJsonArray>
#include <QTemporaryDir>
#include <QTest>

using namespace tamis::tests;

class TestCliCache : public QObject {
    Q_OBJECT
    QTemporaryDir m_folder;
    QString m_trace;

private slots:
    void initTestCase()
    {
        m_trace = m_folder.filePath("loop.txt");
        QFile file(m_trace);
        QVERIFY(file.open(QIODevice::WriteOnly));
        for (int i = 0; i < 1000; ++i) // ten objects in a loop
            file.write(QByteArray::number(i % 10) + '\n');
    }
    void runKeys()
    {
        const auto result = runCli({"run", "cache.lru", "--trace", m_trace, "--also", "cache.mru", "--set", "sizes=5,10", "--json", "-"});
        QVERIFY2(result.status == 0, result.errors);
        const auto json = result.json();
        QCOMPARE(json["schema"].toString(), "tamis.run/1");
        QCOMPARE(json["requests"].toInt(), 1000);
        QCOMPARE(json["objects"].toInt(), 10);
        QCOMPARE(json["compulsory"].toDouble(), 0.01);
        const auto curves = byName(json["curves"].toArray(), "policy");
        const auto hits = [&](const char* policy, int size) { return curves[policy].toObject()["hits"].toArray()[size].toInt(); };
        QCOMPARE(hits("cache.lru", 0), 0); // a loop longer than the cache
        QCOMPARE(hits("cache.lru", 1), 990);
        QVERIFY(hits("cache.mru", 0) > 300 && hits("cache.mru", 0) <= hits("cache.belady", 0));
        QVERIFY(hits("cache.random", 0) > 0);
        QVERIFY(curves["cache.belady"].toObject()["limit"].toBool() && !curves["cache.lru"].toObject()["limit"].toBool());
        QVERIFY(!curves["cache.lru"].toObject().contains("deviation"));
    }
    void sizesWarmUpAndSamples()
    {
        const auto warm = runCli({"run", "cache.fifo", "--trace", m_trace, "--no-baseline", "--warm-up", "10", "--set", "sizes=10", "--json", "-"}).json();
        QCOMPARE(warm["curves"].toArray()[0].toObject()["hitRatio"].toArray()[0].toDouble(), 1.0);
        const auto sampled = runCli({"run", "cache.fifo", "--trace", m_trace, "--no-baseline", "--rate", "0.5", "--seed", "3", "--json", "-"});
        QVERIFY2(sampled.status == 0, sampled.errors);
        QVERIFY(!sampled.json()["curves"].toArray()[0].toObject()["exact"].toBool());
        const auto units = runCli({"run", "cache.fifo", "--trace", m_trace, "--no-baseline", "--set", "sizes=1KiB,2kB,0.5k", "--json", "-"}).json();
        QCOMPARE(units["curves"].toArray()[0].toObject()["sizes"].toArray(), (QJsonArray{500, 1024, 2000}));
    }
    void badInput_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<int>("status");
        QTest::addColumn<QString>("contains");
        QTest::newRow("no trace") << QStringList{"run", "cache.lru"} << 2 << "--trace is required";
        QTest::newRow("policy") << QStringList{"run", "cache.none", "--trace", "TRACE"} << 2 << "expected one of cache.lru";
        QTest::newRow("another") << QStringList{"run", "cache.lru", "--trace", "TRACE", "--also", "cache.x"} << 2 << "found 'cache.x'";
        QTest::newRow("size") << QStringList{"run", "cache.lru", "--trace", "TRACE", "--set", "sizes=5,x"} << 2 << "--set sizes: found 'x'";
        QTest::newRow("size 0") << QStringList{"run", "cache.lru", "--trace", "TRACE", "--set", "sizes=0"} << 2 << "--set sizes: found '0'";
        QTest::newRow("setting") << QStringList{"run", "cache.lru-k", "--trace", "TRACE", "--set", "k=0"} << 2 << "k";
        QTest::newRow("format") << QStringList{"run", "cache.lru", "--trace", "TRACE", "--trace-format", "xml"} << 2 << "--trace-format: found 'xml'";
        QTest::newRow("column") << QStringList{"run", "cache.lru", "--trace", "TRACE", "--column", "id"} << 2 << "--column: found 'id'";
        QTest::newRow("warm-up") << QStringList{"run", "cache.lru", "--trace", "TRACE", "--warm-up", "1000"} << 2 << "--warm-up: found 1000";
        QTest::newRow("model") << QStringList{"run", "cache.lru", "--trace", "TRACE", "--model", "M"} << 2 << "do not belong to cache.*";
        QTest::newRow("file") << QStringList{"run", "cache.lru", "--trace", "/nowhere"} << 1 << "cannot be opened";
    }
    void badInput()
    {
        QFETCH(QStringList, arguments);
        QFETCH(int, status);
        QFETCH(QString, contains);
        arguments.replaceInStrings("TRACE", m_trace);
        const auto result = runCli(arguments);
        QCOMPARE(result.status, status);
        QVERIFY2(result.hasOneErrorLine() && result.errors.contains(contains.toUtf8()), result.errors);
    }
};

QTEST_GUILESS_MAIN(TestCliCache)
#include "tst_cli_cache.moc"
