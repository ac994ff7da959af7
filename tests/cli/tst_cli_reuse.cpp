// SPDX-License-Identifier: GPL-3.0-or-later
// Frames from the command line, as scripts run them.
#include "tests/cli/cli_process.h"

#include <QFile>
#include <QJsonArray>
#include <QJsonObject>
#include <QTemporaryDir>
#include <QTest>

using namespace tamis::tests;

class TstCliReuse : public QObject {
    Q_OBJECT

    static QStringList run(const char* method, const QStringList& more, const QString& images = sourcePath("datasets/motion"))
    {
        return QStringList{"run", method, "--model", vit20(), "--images", images, "--samples", "8", "--rounds", "1", "--json", "-"} + more;
    }

private slots:
    void runsStandBesideBaselines()
    {
        const auto result = runCli(run("reuse.gate", {"--set", "policy=fraction", "--set", "fraction=0.25", "--set", "whole-above=1", "--also", "reuse.eventful,policy=top-r,r=64", "--also", "reuse.block-match"}));
        QVERIFY2(result.status == 0, result.errors.constData());
        const auto json = result.json();
        QCOMPARE(json["schema"].toString(), QStringLiteral("tamis.run/1"));
        for (const char* key : {"method", "parameters", "inputs", "cost", "quality", "baseline", "warnings", "seconds", "runs", "frames"})
            QVERIFY2(json.contains(QLatin1String(key)), key);
        const auto runs = json["runs"].toArray();
        QCOMPARE(runs.size(), 5);
        QCOMPARE(runs[1].toObject()["parameters"].toObject()["r"].toInt(), 64);
        QCOMPARE(runs[3].toObject()["method"].toString(), QStringLiteral("whole"));
        QCOMPARE(runs[4].toObject()["method"].toString(), QStringLiteral("drop"));
        QCOMPARE(runs[3].toObject()["meanError"].toDouble(), 0.0);
        const auto frames = json["frames"].toArray();
        QCOMPARE(frames.size(), 8);
        QCOMPARE(frames[0].toObject()["file"].toString(), QStringLiteral("frame00.jpg"));
        QCOMPARE(frames[3].toObject()["patches"].toObject()["computed"].toInt(), 64);
        QCOMPARE(frames[3].toObject()["patches"].toObject()["reused"].toInt(), 192);
        QVERIFY(frames[3].toObject()["macs"].toDouble() < 0.5 * frames[3].toObject()["wholeMacs"].toDouble());
        QVERIFY(json["quality"].toObject()["error"].toDouble() < 1);
    }
    void windowsAreCutFromThePicture()
    {
        const auto result = runCli(run("reuse.crops", {"--set", "scale=1.5", "--no-baseline"}));
        QVERIFY2(result.status == 0, result.errors.constData());
        const auto json = result.json();
        QCOMPARE(json["runs"].toArray().size(), 1);
        QVERIFY(json["frames"].toArray()[1].toObject()["patches"].toObject()["warped"].toInt() > 100);
    }
    void aSweepTradesMissesForFalseHits()
    {
        const auto result = runCli(run("reuse.content-key", {"--sweep", "radius=0,4,24", "--no-baseline"}));
        QVERIFY2(result.status == 0, result.errors.constData());
        const auto sweep = result.json()["sweep"].toObject();
        QCOMPARE(sweep["parameter"].toString(), QStringLiteral("radius"));
        const auto points = sweep["points"].toArray();
        QCOMPARE(points.size(), 3);
        int misses = -1, value = -1;
        for (const auto& each : points) {
            const auto point = each.toObject();
            QVERIFY(point["value"].toInt() > value);
            value = point["value"].toInt();
            QCOMPARE(point["hits"].toInt() + point["misses"].toInt(), points[0].toObject()["hits"].toInt() + points[0].toObject()["misses"].toInt()); // every frame is looked up once
            QVERIFY(point["falseHits"].toInt() <= point["hits"].toInt());
            QVERIFY(misses < 0 || point["misses"].toInt() <= misses); // a wider radius finds what a narrower one does
            misses = point["misses"].toInt();
        }
        QCOMPARE(value, 24);
        QVERIFY(points[2].toObject()["hits"].toInt() > points[0].toObject()["hits"].toInt());
        // A single run at the same value says the same.
        const auto single = runCli(run("reuse.content-key", {"--set", "radius=24", "--no-baseline"}));
        QCOMPARE(single.json()["runs"].toArray()[0].toObject()["misses"].toInt(), misses);
    }
    void settingsGoThroughAPlan()
    {
        QTemporaryDir folder;
        const QString first = folder.filePath("first.json"), second = folder.filePath("second.json");
        const auto saved = runCli(run("reuse.gate", {"--set", "threshold=0.35", "--save-plan", first, "--no-baseline"}));
        QVERIFY2(saved.status == 0, saved.errors.constData());
        const auto planned = runCli(run("reuse.gate", {"--plan", first, "--set", "whole-above=1", "--save-plan", second, "--no-baseline"}));
        QVERIFY2(planned.status == 0, planned.errors.constData());
        const auto parameters = planned.json()["parameters"].toObject();
        QCOMPARE(parameters["threshold"].toDouble(), 0.35);
        QCOMPARE(parameters["whole-above"].toDouble(), 1.0);
        const auto again = runCli(run("reuse.gate", {"--plan", second, "--no-baseline"}));
        QCOMPARE(again.json()["parameters"].toObject(), parameters);
        const auto other = runCli(run("reuse.eventful", {"--plan", first}));
        QCOMPARE(other.status, 2);
        QVERIFY2(other.errors.contains("run reuse.gate"), other.errors.constData());
    }
    void wrongUsageIsSaid_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QByteArray>("said");
        QTest::newRow("no model") << QStringList{"run", "reuse.gate", "--images", "x"} << QByteArray("--model");
        QTest::newRow("no frames") << QStringList{"run", "reuse.gate", "--model", vit20()} << QByteArray("--images");
        QTest::newRow("labels") << run("reuse.gate", {"--labels", "x"}) << QByteArray("--labels");
        QTest::newRow("unknown") << run("reuse.none", {}) << QByteArray("reuse.block-match");
        QTest::newRow("unknown beside") << run("reuse.gate", {"--also", "reuse.none"}) << QByteArray("or all");
        QTest::newRow("sweep of nothing") << run("reuse.gate", {"--sweep", "radius=1"}) << QByteArray("radius");
        QTest::newRow("sweep of no number") << run("reuse.gate", {"--sweep", "threshold=0.1,,0.2"}) << QByteArray("threshold");
        QTest::newRow("sweep beside others") << run("reuse.gate", {"--sweep", "threshold=0.1", "--also", "all"}) << QByteArray("--also");
        QTest::newRow("setting beside") << run("reuse.gate", {"--also", "reuse.gate,r=-1"}) << QByteArray("r");
    }
    void wrongUsageIsSaid()
    {
        QFETCH(QStringList, arguments);
        QFETCH(QByteArray, said);
        const auto result = runCli(arguments);
        QCOMPARE(result.status, 2);
        QVERIFY2(result.errors.contains(said), result.errors.constData());
    }
    void unusableFramesAreOneLine()
    {
        QTemporaryDir folder;
        QVERIFY(QFile::copy(sourcePath("datasets/motion/frame00.jpg"), folder.filePath("a.jpg")));
        const auto one = runCli(run("reuse.gate", {}, folder.path()));
        QCOMPARE(one.status, 1);
        QVERIFY(one.hasOneErrorLine() && one.errors.contains("expected two"));
        QVERIFY(QFile::copy(sourcePath("datasets/photos/coffee.jpg"), folder.filePath("b.jpg")));
        const auto mixed = runCli(run("reuse.gate", {}, folder.path()));
        QCOMPARE(mixed.status, 1);
        QVERIFY(mixed.hasOneErrorLine() && mixed.errors.contains("b.jpg") && mixed.errors.contains("256 x 192"));
    }
};

QTEST_GUILESS_MAIN(TstCliReuse)
#include "tst_cli_reuse.moc"
