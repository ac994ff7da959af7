// SPDX-License-Identifier: GPL-3.0-or-later
// The attention lab from the command line: keys that scripts depend on, plans there and back, training, bad input.
#include "tests/cli/cli_process.h"

#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QTemporaryDir>
#include <QTest>

using namespace tamis::tests;

namespace {
QStringList photos(const QString& method, const QStringList& more = {})
{
    return QStringList{"run", method, "--model", sourcePath("datasets/vit20"), "--images", sourcePath("datasets/photos"), "--resize", "squash", "--samples", "2", "--no-latency", "--json", "-"} + more;
}
QJsonObject headOf(const QJsonObject& json, int layer, int head) { return json["heads"].toArray()[layer * 4 + head].toObject(); }
} // namespace

class TstCliAttention : public QObject {
    Q_OBJECT
private slots:
    void runKeys()
    {
        const auto result = runCli(photos("attention.band", {"--set", "reach=16", "--blocks", "1,2", "--effects", "--suit", "0.5"}));
        QVERIFY2(result.status == 0, result.errors);
        const auto json = result.json();
        QCOMPARE(json["schema"].toString(), "tamis.run/1");
        QCOMPARE(json["method"].toString(), "attention.band");
        QCOMPARE(json["parameters"].toObject()["reach"].toInt(), 16);
        const auto cost = json["cost"].toObject(), baseline = json["baseline"].toObject()["cost"].toObject();
        QVERIFY(cost["macs"].toDouble() < baseline["macs"].toDouble() && cost["attentionMacs"].toDouble() < baseline["attentionMacs"].toDouble() && cost["latencyMs"].isNull());
        QCOMPARE(json["heads"].toArray().size(), 24);
        QCOMPARE(headOf(json, 0, 0)["method"].toString(), "exact");
        QCOMPARE(headOf(json, 0, 0)["outputError"].toDouble(), 0.0);
        QVERIFY(headOf(json, 0, 0)["logits"].isNull()); // nothing stands there
        const auto replaced = headOf(json, 2, 3);
        QCOMPARE(replaced["method"].toString(), "attention.band");
        QVERIFY(replaced["mapError"].toDouble() > 0 && replaced["outputError"].toDouble() > 0 && replaced["cosine"].toDouble() < 1 && replaced["logits"].toDouble() > 0);
        for (const char* key : {"entropy", "evenness", "distance", "prefixMass", "effectiveRank"})
            QVERIFY2(replaced["traits"].toObject()[QLatin1String(key)].toDouble() > 0, key);
        QVERIFY(replaced["suited"].toObject()["method"].toString().startsWith("attention.") && replaced["suited"].toObject()["outputError"].toDouble() <= replaced["outputError"].toDouble());
        for (const char* key : {"zero", "meanV", "meanPool"})
            QVERIFY2(json["trivial"].toObject()[QLatin1String(key)].toObject()["outputError"].isDouble(), key);
        QVERIFY(!json["suited"].toObject()["choices"].toArray().isEmpty());
        QVERIFY(json["quality"].toObject()["agreement"].isDouble() && json["quality"].toObject()["top1"].isNull());
    }
    void choicesGoThroughPlans()
    {
        QTemporaryDir dir;
        const QString file = dir.filePath("plan.json");
        const auto saved = runCli(photos("attention.band", {"--blocks", "1", "--choose", "1:2=exact", "--choose", "4=attention.nystrom,landmarks=20", "--save-plan", file})).json();
        QCOMPARE(saved["choices"].toArray().size(), 3);
        QFile plan(file);
        QVERIFY(plan.open(QIODevice::ReadOnly));
        const auto section = QJsonDocument::fromJson(plan.readAll()).object()["attention"].toArray();
        QCOMPARE(section.size(), 3);
        QCOMPARE(section[1].toObject()["method"].toString(), "");
        QCOMPARE(section[2].toObject()["parameters"].toObject()["landmarks"].toInt(), 20);
        const auto again = runCli(photos("attention.band", {"--plan", file})).json();
        QCOMPARE(again["choices"], saved["choices"]);
        QCOMPARE(again["quality"].toObject()["kl"].toDouble(), saved["quality"].toObject()["kl"].toDouble());
        const auto evaluated = runCli({"evaluate", sourcePath("datasets/vit20"), "--plan", file, "--images", sourcePath("datasets/photos"), "--resize", "squash", "--limit", "2", "--json", "-"}).json();
        QCOMPARE(evaluated["quality"].toObject()["kl"].toDouble(), saved["quality"].toObject()["kl"].toDouble());
        const auto exported = runCli({"export", sourcePath("datasets/vit20"), "--plan", file, "--out", dir.filePath("out")});
        QCOMPARE(exported.status, 2);
        QVERIFY2(exported.errors.contains("attention alone"), exported.errors);
    }
    void whatIsFittedToIsNotScored()
    {
        const auto own = runCli(photos("attention.joint-qk", {"--blocks", "1"}));
        QVERIFY2(own.status == 0, own.errors);
        QVERIFY(own.json()["inputs"].toObject()["fitted"].toString().contains("the first 1 of 2"));
        QVERIFY(own.json()["inputs"].toObject()["samples"].toString().contains("the last 1 of 2"));
        QCOMPARE(own.json()["averagedSamples"].toInt(), 1);
        const auto same = runCli(photos("attention.joint-qk", {"--fit-images", sourcePath("datasets/photos")}));
        QCOMPARE(same.status, 2);
        QVERIFY2(same.errors.contains("--fit-images"), same.errors);
        const auto none = runCli(photos("attention.band"));
        QVERIFY(none.json()["inputs"].toObject()["fitted"].isNull());
    }
    void valuesMayHoldSeparators()
    {
        const auto chosen = runCli(photos("attention.band", {"--blocks", "none", "--choose", "1=attention.block-sparse,pattern=local:1,global:1,block=16"})).json();
        QCOMPARE(chosen["choices"].toArray()[0].toObject()["parameters"].toObject()["pattern"].toString(), "local:1,global:1");
        QCOMPARE(chosen["choices"].toArray()[0].toObject()["parameters"].toObject()["block"].toInt(), 16);
        const auto compared = runCli({"compare", sourcePath("datasets/vit20"), "--method", "attention.block-sparse:pattern=local:1,global:1:block=16", "--images", sourcePath("datasets/photos"), "--samples", "1",
                                      "--no-latency", "--json", "-"});
        QVERIFY2(compared.status == 0, compared.errors);
        const auto row = compared.json()["rows"].toArray().last().toObject();
        QCOMPARE(row["parameters"].toObject()["pattern"].toString(), "local:1,global:1");
        QVERIFY2(row["failure"].toString().isEmpty(), qPrintable(row["failure"].toString()));
    }
    void aHeadsMapsAreWritten()
    {
        QTemporaryDir dir;
        const auto result = runCli(photos("attention.band", {"--set", "reach=4", "--view", "3:1", "--view-sample", "1", "--out", dir.path()}));
        QVERIFY2(result.status == 0, result.errors);
        const auto view = result.json()["view"].toObject();
        QCOMPARE(view["tokens"].toInt(), 257);
        QCOMPARE(view["gridHeight"].toInt() * view["gridWidth"].toInt() + view["prefixTokens"].toInt(), 257);
        for (const char* name : {"layer3.head1.exact.npy", "layer3.head1.approximate.npy"})
            QVERIFY2(QFile(dir.filePath(name)).size() > 257 * 257 * 4, name);
        QVERIFY(QFile::exists(dir.filePath("layer3.head1.json")));
        QVERIFY(runCli(photos("attention.band", {"--view", "3:1", "--out", dir.path()})).errors.contains("exists already"));
    }
    void methodsSideBySide()
    {
        QTemporaryDir dir;
        const QString csv = dir.filePath("table.csv");
        const auto result = runCli({"compare", sourcePath("datasets/vit20"), "--method", "attention.band:reach=16", "--method", "attention.linear:map=relu", "--images", sourcePath("datasets/photos"), "--resize",
                                    "squash", "--samples", "2", "--no-latency", "--csv", csv, "--json", "-"});
        QVERIFY2(result.status == 0, result.errors);
        const auto rows = result.json()["rows"].toArray();
        QCOMPARE(rows.size(), 6);
        QCOMPARE(rows[0].toObject()["method"].toString(), "exact");
        QVERIFY(rows[1].toObject()["baseline"].toBool() && rows[3].toObject()["baseline"].toBool() && !rows[4].toObject()["baseline"].toBool());
        QCOMPARE(rows[4].toObject()["settings"].toString(), "reach 16");
        QVERIFY(rows[5].toObject()["quality"].toObject()["kl"].toDouble() > 0);
        QFile table(csv);
        QVERIFY(table.open(QIODevice::ReadOnly));
        QCOMPARE(table.readAll().count('\n'), 7);
    }
    void whatWasTrainedComesBack()
    {
        QTemporaryDir dir;
        const QString file = dir.filePath("tuned.safetensors");
        const auto trained = runCli(photos("attention.linear", {"--blocks", "1", "--tune", "3", "--tune-set", "batch=2", "--train-images", sourcePath("datasets/photos"), "--save-tuned", file}));
        QVERIFY2(trained.status == 0, trained.errors);
        const auto tuned = trained.json()["tuned"].toObject();
        QVERIFY(tuned["bestLoss"].toDouble() <= tuned["startLoss"].toDouble() && tuned["quality"].toObject()["kl"].isDouble());
        const auto restored = runCli(photos("attention.linear", {"--tuned", file}));
        QVERIFY2(restored.status == 0, restored.errors);
        QCOMPARE(restored.json()["tuned"].toObject()["quality"].toObject()["kl"].toDouble(), tuned["quality"].toObject()["kl"].toDouble());
    }
    void costAgainstTokens()
    {
        const auto result = runCli({"run", "attention.linear", "--model", sourcePath("datasets/tinylm"), "--set", "map=relu", "--scaling", "32,64", "--json", "-"});
        QVERIFY2(result.status == 0, result.errors);
        const auto curves = result.json()["scaling"].toArray();
        QCOMPARE(curves.size(), 2);
        QCOMPARE(curves[0].toObject()["method"].toString(), "exact");
        const auto rows = curves[1].toObject()["rows"].toArray();
        QCOMPARE(rows.size(), 2);
        QVERIFY(rows[1].toObject()["tokens"].toInt() == 64 && rows[1].toObject()["ms"].toDouble() > 0 && rows[1].toObject()["macs"].toDouble() > rows[0].toObject()["macs"].toDouble());
    }
    void badInput_data()
    {
        QTest::addColumn<QStringList>("more");
        QTest::addColumn<int>("status");
        QTest::addColumn<QString>("says");
        QTest::newRow("block") << QStringList{"--blocks", "a"} << 2 << "--blocks";
        QTest::newRow("block beyond") << QStringList{"--blocks", "6"} << 1 << "found block 6";
        QTest::newRow("choice without method") << QStringList{"--choose", "3"} << 2 << "--choose";
        QTest::newRow("choice of an unknown method") << QStringList{"--choose", "3=attention.none"} << 2 << "attention.none";
        QTest::newRow("choice with an unknown setting") << QStringList{"--choose", "3=attention.band,width=2"} << 2 << "width";
        QTest::newRow("setting of exact attention") << QStringList{"--choose", "3=exact,reach=2"} << 2 << "exact";
        QTest::newRow("head beyond") << QStringList{"--choose", "3:9=attention.zero"} << 1 << "found head 9";
        QTest::newRow("view without out") << QStringList{"--view", "0:0"} << 2 << "--out";
        QTest::newRow("suited plan alone") << QStringList{"--suited-plan", "p.json"} << 2 << "--suit";
        QTest::newRow("training on nothing") << QStringList{"--tune", "2"} << 2 << "--train-images";
        QTest::newRow("settings of no training") << QStringList{"--tune-set", "batch=2"} << 2 << "--tune";
        QTest::newRow("unknown setting of training") << QStringList{"--tune", "2", "--train-images", "x", "--tune-set", "speed=2"} << 2 << "speed";
        QTest::newRow("sizes that fall") << QStringList{"--scaling", "64,32"} << 2 << "ascending";
        QTest::newRow("scaling and more") << QStringList{"--scaling", "64", "--effects"} << 2 << "--scaling";
        QTest::newRow("no such file of weights") << QStringList{"--tuned", "none.safetensors"} << 1 << "none.safetensors";
    }
    void badInput()
    {
        QFETCH(QStringList, more);
        QFETCH(int, status);
        QFETCH(QString, says);
        const auto result = runCli(photos("attention.band", more));
        QCOMPARE(result.status, status);
        QVERIFY2(QString::fromUtf8(result.errors).contains(says), result.errors);
    }
};

QTEST_GUILESS_MAIN(TstCliAttention)
#include "tst_cli_attention.moc"
