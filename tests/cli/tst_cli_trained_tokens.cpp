// SPDX-License-Identifier: GPL-3.0-or-later
// Token methods that train, from the command line: what is written is what is restored, and what does not fit is refused before minutes of work.
#include "tests/cli/cli_process.h"

#include <QFile>
#include <QJsonArray>
#include <QSet>
#include <QTemporaryDir>
#include <QTest>

#include <csignal>

using namespace tamis::tests;

namespace {
QString photos() { return sourcePath("datasets/photos"); }
QStringList run(const QString& method, const QStringList& more)
{
    return QStringList{"run", method, "--model", sourcePath("datasets/vit20"), "--images", photos(), "--samples", "4", "--no-latency", "--json", "-"} + more;
}
QStringList training(const QStringList& more)
{
    return run("tokens.learned", QStringList{"--train-images", photos(), "--set", "batch=2", "--set", "check-every=2"} + more);
}
} // namespace

class TestCliTrainedTokens : public QObject {
    Q_OBJECT
    QTemporaryDir m_directory;
    QString path(const char* name) const { return m_directory.filePath(QLatin1String(name)); }
    QJsonObject m_trained;

private slots:
    void initTestCase()
    {
        const auto result = runCli(training({"--set", "steps=4", "--save-trained", path("saved.safetensors")}));
        QVERIFY2(result.status == 0, result.errors);
        m_trained = result.json();
        QCOMPARE(m_trained["stored"].toObject()["trained"].toString(), path("saved.safetensors"));
        const auto series = m_trained["training"].toArray();
        QCOMPARE(series.size(), 2);
        QCOMPARE(series[0].toObject()["name"].toString(), "training");
        QCOMPARE(series[0].toObject()["x"].toArray().size(), 4);
        QCOMPARE(series[1].toObject()["name"].toString(), "held out");
        QCOMPARE(series[1].toObject()["x"].toArray(), (QJsonArray{0, 2, 4}));
        QVERIFY(m_trained["trainSeconds"].toDouble() > 0);
        QCOMPARE(m_trained["inputs"].toObject()["trainImages"].toObject()["path"].toString(), photos());
        QCOMPARE(m_trained["tokensPerLayer"].toArray(), (QJsonArray{257, 180, 180, 126, 88, 88}));
    }
    /// Restored it does to the last digit what it did when it was trained; what is used after training may be set anew.
    void restoredItIsTheSame()
    {
        const auto result = runCli(run("tokens.learned", {"--trained", path("saved.safetensors")}));
        QVERIFY2(result.status == 0, result.errors);
        const auto restored = result.json();
        for (const char* key : {"quality", "parameters", "images", "cost"})
            QCOMPARE(restored[QLatin1String(key)], m_trained[QLatin1String(key)]);
        QCOMPARE(restored["inputs"].toObject()["trained"].toString(), path("saved.safetensors"));
        QVERIFY(!restored.contains("training") && !restored.contains("stored"));
        const auto fewer = runCli(run("tokens.learned", {"--trained", path("saved.safetensors"), "--set", "keep=0.5"}));
        QVERIFY2(fewer.status == 0, fewer.errors);
        QCOMPARE(fewer.json()["tokensPerLayer"].toArray(), (QJsonArray{257, 129, 129, 65, 33, 33}));
        QCOMPARE(fewer.json()["parameters"].toObject()["steps"].toInt(), 4);
    }
    /// Beside the others: with its own settings, and with others of what is used after training; each is what run --trained measures.
    void comparedWithOthers()
    {
        const auto result = runCli({"compare", sourcePath("datasets/vit20"), "--images", photos(), "--samples", "4", "--no-latency", "--json", "-", "--method", "tokens.random:keep=0.5", "--trained-file", path("saved.safetensors")});
        QVERIFY2(result.status == 0, result.errors);
        QCOMPARE(result.json()["inputs"].toObject()["trained"].toArray(), (QJsonArray{path("saved.safetensors")}));
        const auto rows = result.json()["rows"].toArray();
        QVERIFY(rows.size() > 4);
        const auto own = rows[2].toObject();
        QCOMPARE(own["method"].toString(), "tokens.learned");
        QCOMPARE(own["parameters"], m_trained["parameters"]);
        QCOMPARE(own["quality"].toObject()["agreement"], m_trained["quality"].toObject()["agreement"]);
        QCOMPARE(own["tokensPerLayer"], m_trained["tokensPerLayer"]);
        QSet<double> keeps;
        for (int i = 2; i < rows.size(); ++i) {
            QCOMPARE(rows[i].toObject()["failure"].toString(), QString());
            QCOMPARE(rows[i].toObject()["parameters"].toObject()["steps"].toInt(), 4);
            keeps.insert(rows[i].toObject()["parameters"].toObject()["keep"].toDouble());
        }
        QCOMPARE(keeps.size(), rows.size() - 2); // each once
        const auto other = runCli({"compare", sourcePath("tests/golden/models/timm_vit"), "--images", photos(), "--trained-file", path("saved.safetensors")});
        QCOMPARE(other.status, 1);
        QVERIFY2(other.hasOneErrorLine() && other.errors.contains("trained for the model with SHA-256"), other.errors);
        const auto untrained = runCli({"compare", sourcePath("datasets/vit20"), "--images", photos(), "--method", "tokens.learned"});
        QCOMPARE(untrained.status, 2);
        QVERIFY2(untrained.errors.contains("--trained-file"), untrained.errors);
    }
    void wrongUseIsRefused_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<int>("status");
        QTest::addColumn<QString>("says");
        const QString saved = path("saved.safetensors");
        const QStringList endless{"--set", "steps=1000000", "--set", "patience=0"}; // trained for hours, if it were
        QTest::newRow("nothing to train on") << run("tokens.learned", {}) << 2 << "--train-images is required";
        QTest::newRow("another model") << QStringList{"run", "tokens.learned", "--model", sourcePath("tests/golden/models/timm_vit"), "--images", photos(), "--trained", saved} << 1 << "trained for the model with SHA-256";
        QTest::newRow("no such file") << run("tokens.learned", {"--trained", path("none.safetensors")}) << 1 << "none.safetensors";
        QTest::newRow("not trained parts") << run("tokens.learned", {"--trained", sourcePath("datasets/vit20/model.safetensors")}) << 1 << "its metadata says format";
        QTest::newRow("a method that trains nothing") << run("tokens.evit", {"--trained", saved}) << 2 << "--trained: tokens.evit trains nothing";
        QTest::newRow("saving what is not trained") << run("tokens.tome", {"--save-trained", path("x.safetensors")}) << 2 << "--save-trained: tokens.tome trains nothing";
        QTest::newRow("photos for nothing") << run("tokens.tome", {"--train-images", photos()}) << 2 << "--train-images: tokens.tome trains nothing";
        QTest::newRow("both") << run("tokens.learned", {"--trained", saved, "--save-trained", path("x.safetensors")}) << 2 << "expected one of them";
        QTest::newRow("trained twice") << training({"--trained", saved}) << 2 << "is trained already";
        QTest::newRow("how it was trained") << run("tokens.learned", {"--trained", saved, "--set", "steps=3"}) << 2 << "expected only what is used after training: keep";
        QTest::newRow("labels without photos") << run("tokens.learned", {"--trained", saved, "--train-labels", path("labels.tsv")}) << 2 << "--train-labels are of --train-images";
        QTest::newRow("no folder to write to") << training(endless + QStringList{"--save-trained", path("nowhere/x.safetensors")}) << 1 << "nowhere: is no directory";
        QTest::newRow("a folder to write to") << training(endless + QStringList{"--save-trained", m_directory.path()}) << 1 << "is a directory";
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
    /// Thresholds that are taken from photos: of other photos, or of those that are measured on, and then it says so.
    void thresholdsComeFromPhotos_data()
    {
        QTest::addColumn<QString>("method");
        QTest::addColumn<QString>("setting");
        QTest::newRow("routing") << "tokens.resolution-routing" << "quantiles=0.5";
        QTest::newRow("adaptive") << "tokens.adaptive" << "thresholds=auto";
        QTest::newRow("in a chain") << "tokens.chain" << "steps=adaptive thresholds=auto + tome r=4 @rest";
        QTest::newRow("in a cascade") << "tokens.cascade" << "stage=adaptive thresholds=auto";
    }
    void thresholdsComeFromPhotos()
    {
        QFETCH(QString, method);
        QFETCH(QString, setting);
        QStringList settings{"--set", setting};
        if (method == "tokens.resolution-routing")
            settings += {"--set", "by=entropy"};
        const auto own = runCli(run(method, settings)), other = runCli(run(method, settings + QStringList{"--train-images", photos()}));
        QVERIFY2(own.status == 0 && other.status == 0, own.errors + other.errors);
        const auto warns = [](const QJsonObject& json) {
            for (const auto& warning : json["warnings"].toArray())
                if (warning.toString().contains("which it is measured on"))
                    return true;
            return false;
        };
        QVERIFY(warns(own.json()) && !warns(other.json()));
        QVERIFY(!own.json()["inputs"].toObject().contains("trainImages"));
        QCOMPARE(other.json()["inputs"].toObject()["trainImages"].toObject()["path"].toString(), photos());
        const auto unused = runCli(run(method, {"--train-images", photos()})); // as the method is by itself
        QVERIFY2(unused.errors.contains("takes nothing from photos"), unused.errors);
        QCOMPARE(unused.status, 2);
    }
    /// The line on a training is of the photos kept apart, whichever of its series tells of them.
    void whatIsSaidOfATraining_data()
    {
        QTest::addColumn<QString>("method");
        QTest::newRow("predictors") << "tokens.learned";
        QTest::newRow("gates") << "tokens.gated";
    }
    void whatIsSaidOfATraining()
    {
        QFETCH(QString, method);
        const auto result = runCli({"run", method, "--model", sourcePath("datasets/vit20"), "--images", photos(), "--samples", "2", "--no-latency", "--train-images", photos(), "--set", "steps=3", "--set", "batch=2"});
        QVERIFY2(result.output.contains("trained for 3 steps: loss on the photos kept apart "), result.output + result.errors);
    }
    /// The parameters that are recorded repeat a training, whichever way the seed was said.
    void oneSeed_data()
    {
        QTest::addColumn<QString>("method");
        QTest::newRow("predictors") << "tokens.learned";
        QTest::newRow("gates") << "tokens.gated";
    }
    void oneSeed()
    {
        QFETCH(QString, method);
        const auto trained = [&](const QStringList& more) { return runCli(run(method, QStringList{"--train-images", photos(), "--set", "steps=2", "--set", "batch=2"} + more)).json(); };
        const auto option = trained({"--seed", "7"}), setting = trained({"--set", "seed=7"}), other = trained({"--seed", "8"});
        QCOMPARE(option["parameters"].toObject()["seed"].toInt(), 7);
        QCOMPARE(option["parameters"], setting["parameters"]);
        QCOMPARE(option["training"], setting["training"]);
        QVERIFY(option["training"] != other["training"]);
    }
    /// Ctrl-C while it trains: status 130, no file, and soon.
    void interrupted()
    {
        const auto run = interruptCli(training({"--set", "steps=1000000", "--set", "patience=0", "--save-trained", path("x.safetensors")}), SIGINT, 4000);
        QVERIFY(run.reached);
        QCOMPARE(run.result.status, 130);
        QVERIFY2(run.seconds < 1, std::to_string(run.seconds).c_str());
        QVERIFY(!QFile::exists(path("x.safetensors")));
    }
};

QTEST_GUILESS_MAIN(TestCliTrainedTokens)
#include "tst_cli_trained_tokens.moc"
