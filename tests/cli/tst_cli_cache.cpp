// SPDX-License-Identifier: GPL-3.0-or-later
// The cache lab from the command line: keys that scripts depend on, bad input.
#include "tests/cli/cli_process.h"

#include <QFile>
#include <QJsonArray>
#include <QTemporaryDir>
#include <QTest>

#include <cmath>

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
    /// The same policy at two settings: both curves, told apart; one at the same settings is not run twice.
    void onePolicyAtTwoSettings()
    {
        const QStringList words{"run", "cache.lru-k", "--trace", sourcePath("datasets/traces/sotu-words.txt.gz"), "--no-baseline", "--also", "cache.lru-k,k=3", "--also", "cache.lru-k,k=2", "--set", "sizes=200"};
        const auto text = runCli(words);
        QVERIFY2(text.status == 0, text.errors);
        QVERIFY2(text.output.contains("lru-k, k 3"), text.output);
        const auto curves = runCli(words + QStringList{"--json", "-"}).json()["curves"].toArray();
        QCOMPARE(curves.size(), 2);
        QCOMPARE(curves[1].toObject()["parameters"].toObject()["k"].toInt(), 3);
        QVERIFY(curves[0].toObject()["hits"].toArray() != curves[1].toObject()["hits"].toArray());
        const auto refused = runCli({"run", "cache.lru", "--trace", m_trace, "--also", "cache.lru-k,k=none"});
        QCOMPARE(refused.status, 2);
        QVERIFY2(refused.errors.contains("k"), refused.errors);
    }
    /// The same table from a trace that is not held, without what looks ahead.
    void streamed()
    {
        const QStringList words{"run", "cache.lru", "--trace", sourcePath("datasets/traces/sotu-words.txt.gz"), "--also", "cache.arc", "--warm-up", "1000", "--set", "sizes=50,500"};
        const auto held = runCli(words + QStringList{"--json", "-"}).json();
        const auto result = runCli(words + QStringList{"--streamed", "--json", "-"});
        QVERIFY2(result.status == 0, result.errors);
        QCOMPARE(result.json()["curves"].toArray().size(), 3); // and random
        const auto a = byName(held["curves"].toArray(), "policy"), b = byName(result.json()["curves"].toArray(), "policy");
        for (const char* policy : {"cache.lru", "cache.arc", "cache.random"})
            QCOMPARE(b[policy].toObject()["hits"].toArray(), a[policy].toObject()["hits"].toArray());
        QCOMPARE(result.json()["compulsory"].toDouble(), held["compulsory"].toDouble());
        const auto ahead = runCli({"run", "cache.belady", "--trace", m_trace, "--streamed"});
        QVERIFY2(ahead.status != 0 && ahead.errors.contains("looks ahead") && ahead.errors.count('\n') == 1, ahead.errors);
        QCOMPARE(runCli({"run", "cache.lru", "--trace", m_trace, "--streamed", "--at", "5"}).status, 2);
        QCOMPARE(runCli({"run", "cache.lru", "--trace", m_trace, "--streamed", "--hard", "0.5"}).status, 2);
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
    /// Ten objects in a loop through a cache of four: every request evicts what comes again seven requests later.
    void oneSizeStepsAndShape()
    {
        const auto result = runCli({"run", "cache.lru", "--trace", m_trace, "--no-baseline", "--set", "sizes=4", "--at", "4", "--steps", "6", "--first", "2", "--shape", "--json", "-"});
        QVERIFY2(result.status == 0, result.errors);
        const auto json = result.json();
        const auto size = json["size"].toObject(), evictions = size["evictions"].toObject();
        QCOMPARE(size["hits"].toInt(), json["curves"].toArray()[0].toObject()["hits"].toArray()[0].toInt());
        QCOMPARE(evictions["count"].toInt(), 996);
        QCOMPARE(evictions["neverUsed"].toInt(), 996);
        QCOMPARE(evictions["neverWanted"].toInt(), 6); // the ten last of them less the four that are held
        QCOMPARE(evictions["wantedAfter"].toArray()[2].toInt(), 990); // 4 - 7
        QCOMPARE(size["windows"].toObject()["hits"].toArray().size(), 200);
        const auto steps = json["steps"].toObject()["steps"].toArray();
        QCOMPARE(steps.size(), 6);
        QCOMPARE(json["steps"].toObject()["cells"].toInt(), 4);
        QCOMPARE(steps[0].toObject()["request"].toInt(), 2);
        const auto evicted = steps[2].toObject()["evicted"].toArray()[0].toObject();
        QCOMPARE(evicted["id"].toString(), "0");
        QCOMPARE(evicted["wantedIn"].toInt(), 6);
        QVERIFY(evicted["why"].toString().startsWith("least recently requested of the 4 held, 4 requests ago"));
        QCOMPARE(steps[2].toObject()["cell"], evicted["cell"]);
        const auto shape = json["shape"].toObject();
        QCOMPARE(shape["first"].toArray()[0].toInt(), 10);
        QCOMPARE(shape["counts"].toArray()[50].toArray()[3].toInt(), 10); // distance 10
        QVERIFY(std::abs(shape["zipfExponent"].toDouble()) < 1e-6);
        const auto text = runCli({"run", "cache.lru", "--trace", m_trace, "--no-baseline", "--set", "sizes=4", "--at", "4", "--steps", "6", "--shape"});
        QVERIFY(text.output.contains("lru at 4 objects: hit ratio 0.00 %") && text.output.contains("4 cells") && text.output.contains("Zipf exponent"));
    }
    void aPlanIsWrittenAndRun()
    {
        const QString plan = m_folder.filePath("plan.json");
        const auto written = runCli({"run", "cache.lru-k", "--trace", m_trace, "--no-baseline", "--set", "k=3", "--set", "sizes=7", "--warm-up", "100", "--save-plan", plan, "--json", "-"});
        QVERIFY2(written.status == 0, written.errors);
        const auto run = runCli({"run", "cache.lru-k", "--trace", m_trace, "--no-baseline", "--plan", plan, "--json", "-"});
        QVERIFY2(run.status == 0, run.errors);
        QCOMPARE(run.json()["parameters"], written.json()["parameters"]);
        QCOMPARE(run.json()["parameters"].toObject()["k"].toInt(), 3);
        QCOMPARE(run.json()["inputs"].toObject()["warmUp"].toInt(), 100);
        const auto curve = run.json()["curves"].toArray()[0].toObject();
        QCOMPARE(curve["sizes"].toArray().size(), 1);
        QCOMPARE(curve["sizes"].toArray()[0].toInt(), 7);
        QCOMPARE(curve["hits"], written.json()["curves"].toArray()[0].toObject()["hits"]);
        const auto typed = runCli({"run", "cache.lru-k", "--trace", m_trace, "--no-baseline", "--plan", plan, "--set", "k=2", "--set", "sizes=5,6", "--json", "-"});
        QCOMPARE(typed.json()["parameters"].toObject()["k"].toInt(), 2); // what is typed goes before it
        QCOMPARE(typed.json()["curves"].toArray()[0].toObject()["sizes"].toArray().size(), 2);
        const auto other = runCli({"run", "cache.lru", "--trace", m_trace, "--plan", plan});
        QCOMPARE(other.status, 2);
        QVERIFY2(other.hasOneErrorLine() && other.errors.contains("plans cache.lru-k, expected cache.lru"), other.errors);
        const auto many = runCli({"run", "cache.lru", "--trace", m_trace, "--save-plan", plan, "--set", "sizes=5,6"});
        QCOMPARE(many.status, 2);
        QVERIFY2(many.hasOneErrorLine() && many.errors.contains("--save-plan: found 2 sizes, expected one"), many.errors);
        const auto nothing = runCli({"export", "--plan", plan, "--out", m_folder.filePath("out")});
        QVERIFY2(nothing.status != 0 && nothing.hasOneErrorLine(), nothing.errors);
    }
    /// What the window puts into a plan, too: settings of rules by their names.
    void rulesOfAPlan()
    {
        const QString plan = m_folder.filePath("ruled.json");
        const QStringList common{"--trace", m_trace, "--no-baseline", "--json", "-"};
        const auto curveOf = [](const CliResult& result) { return result.json()["curves"].toArray()[0].toObject(); };
        const auto free = runCli(QStringList{"run", "cache.lru", "--set", "sizes=10"} + common);
        const auto written = runCli(QStringList{"run", "cache.lru", "--set", "sizes=10", "--hard", "0.9", "--soft", "0.6", "--protect", "3", "--protect", "4", "--save-plan", plan} + common);
        QVERIFY2(written.status == 0, written.errors);
        QVERIFY(curveOf(written)["hits"] != curveOf(free)["hits"]);
        QCOMPARE(curveOf(written)["rules"].toString(), QString("hard 0.9, soft 0.6, 2 protected"));
        const auto run = runCli(QStringList{"run", "cache.lru", "--plan", plan} + common);
        QVERIFY2(run.status == 0, run.errors);
        QCOMPARE(curveOf(run)["rules"], curveOf(written)["rules"]);
        QCOMPARE(curveOf(run)["hits"], curveOf(written)["hits"]);
        const auto typed = runCli(QStringList{"run", "cache.lru", "--plan", plan, "--hard", "1", "--soft", "1"} + common); // goes before it
        QCOMPARE(curveOf(typed)["rules"].toString(), QString("2 protected"));
        const QString most = m_folder.filePath("most.json");
        const auto protects = runCli(QStringList{"run", "cache.lru", "--set", "sizes=10", "--protect-most", "0.4", "--save-plan", most} + common);
        QVERIFY2(protects.status == 0, protects.errors);
        QVERIFY(curveOf(protects)["rules"].toString().contains("protected"));
        const auto none = runCli(QStringList{"run", "cache.lru", "--plan", most, "--protect-most", "0"} + common); // as any other rule
        QVERIFY2(none.status == 0, none.errors);
        QVERIFY2(curveOf(none)["rules"].toString().isEmpty(), qPrintable(curveOf(none)["rules"].toString()));
        QCOMPARE(curveOf(none)["hits"], curveOf(free)["hits"]);
        QFile file(plan);
        QVERIFY(file.open(QIODevice::ReadWrite));
        QByteArray text = file.readAll();
        text.replace("\"hard\": 0.9", "\"hard\": 9.5");
        QVERIFY(file.resize(0) && file.seek(0) && file.write(text) == text.size());
        file.close();
        const auto wrong = runCli({"run", "cache.lru", "--trace", m_trace, "--plan", plan});
        QCOMPARE(wrong.status, 1);
        QVERIFY2(wrong.hasOneErrorLine() && wrong.errors.contains("cache.rules: hard: found 9.5, expected 0.001 to 1"), wrong.errors);
    }
    /// A loop of ten, then another: the cache is cleared, and told to have been.
    void scenesAtOneSize()
    {
        const QString trace = m_folder.filePath("scenes.txt");
        QFile file(trace);
        QVERIFY(file.open(QIODevice::WriteOnly));
        for (int i = 0; i < 4000; ++i)
            file.write(QByteArray::number((i < 2000 ? 0 : 100) + i % 10) + '\n');
        file.close();
        const auto size = runCli({"run", "cache.lfu", "--trace", trace, "--no-baseline", "--set", "sizes=10", "--at", "10", "--scene-change", "new-objects", "--scene-window", "100", "--json", "-"}).json()["size"].toObject();
        const auto without = runCli({"run", "cache.lfu", "--trace", trace, "--no-baseline", "--set", "sizes=10", "--at", "10", "--json", "-"}).json()["size"].toObject();
        QCOMPARE(size["withoutScene"].toObject()["hits"], without["hits"]);
        QCOMPARE(size["withoutScene"].toObject()["windowHits"], without["windows"].toObject()["hits"]);
        double changes = 0;
        for (const auto& each : size["windows"].toObject()["sceneChanges"].toArray())
            changes += each.toDouble();
        QCOMPARE(changes, 1.0);
        QVERIFY(!without.contains("withoutScene"));
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
        QTest::newRow("at") << QStringList{"run", "cache.lru", "--trace", "TRACE", "--at", "0"} << 2 << "--at: found '0'";
        QTest::newRow("soft") << QStringList{"run", "cache.lru", "--trace", "TRACE", "--hard", "0.5", "--soft", "0.6"} << 2 << "--soft: found 0.6";
        QTest::newRow("signal") << QStringList{"run", "cache.lru", "--trace", "TRACE", "--scene-change", "loud"} << 2 << "scene-change: found 'loud'";
        QTest::newRow("protect more than all") << QStringList{"run", "cache.lru", "--trace", "TRACE", "--protect-most", "2"} << 2 << "--protect-most: found '2', expected a number from 0 to 0.99";
        QTest::newRow("protected") << QStringList{"run", "cache.lru", "--trace", "TRACE", "--protect", "77"} << 2 << "--protect: found '77'";
        QTest::newRow("steps") << QStringList{"run", "cache.lru", "--trace", "TRACE", "--steps", "5"} << 2 << "--steps needs --at";
        QTest::newRow("first") << QStringList{"run", "cache.lru", "--trace", "TRACE", "--at", "5", "--first", "5"} << 2 << "--first needs --steps";
        QTest::newRow("behind") << QStringList{"run", "cache.lru", "--trace", "TRACE", "--at", "5", "--steps", "5", "--first", "1000"} << 1 << "found 1000";
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
