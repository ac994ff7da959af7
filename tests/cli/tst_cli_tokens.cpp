// SPDX-License-Identifier: GPL-3.0-or-later
// The token lab from the command line: keys that scripts depend on, bad input.
#include "tests/cli/cli_process.h"

#include <QDateTime>
#include <QDir>
#include <QFile>
#include <QImage>
#include <QJsonArray>
#include <QSet>
#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <tuple>

using namespace tamis::tests;

namespace {
QStringList run(const QString& method, const QStringList& more = {})
{
    return QStringList{"run", method, "--model", sourcePath("datasets/vit20"), "--images", sourcePath("datasets/photos"), "--json", "-"} + more;
}
} // namespace

class TestCliTokens : public QObject {
    Q_OBJECT
private slots:
    void runKeys()
    {
        const auto result = runCli(run("tokens.tome", {"--set", "r=20", "--batch", "2"}));
        QVERIFY2(result.status == 0, result.errors);
        const auto json = result.json();
        QCOMPARE(json["schema"].toString(), "tamis.run/1");
        QCOMPARE(json["method"].toString(), "tokens.tome");
        QCOMPARE(json["parameters"].toObject()["r"].toInt(), 20);
        const auto layers = json["tokensPerLayer"].toArray();
        QCOMPARE(layers.size(), 6);
        for (int block = 0; block < 6; ++block)
            QCOMPARE(layers[block].toDouble(), 257.0 - 20 * (block + 1));
        const auto cost = json["cost"].toObject(), baseline = json["baseline"].toObject()["cost"].toObject();
        QVERIFY(cost["macs"].toDouble() < baseline["macs"].toDouble() && cost["latencyMs"].toDouble() > 0 && baseline["latencyMs"].toDouble() > 0);
        QVERIFY(json["latency"].toObject()["speedUpOfMacs"].toDouble() > 1);
        const auto quality = json["quality"].toObject();
        QVERIFY(quality["top1"].isNull() && quality["agreement"].isDouble() && quality["kl"].isDouble());
        const auto images = json["images"].toArray();
        QCOMPARE(images.size(), 20);
        for (const auto& value : images) {
            const auto image = value.toObject();
            QCOMPARE(image["kept"].toArray().size(), 256); // merging prunes nothing
            int merged = 0;
            QSet<int> seen;
            for (const auto& group : image["groups"].toArray()) {
                QVERIFY(group.toArray().size() > 1);
                merged += static_cast<int>(group.toArray().size()) - 1;
                for (const auto& patch : group.toArray())
                    seen.insert(patch.toInt());
            }
            QCOMPARE(merged, 120);
            QVERIFY(seen.size() > 120);
            for (const char* key : {"topBefore", "topAfter"}) {
                const auto best = image[QLatin1String(key)].toObject();
                QVERIFY(!best["label"].toString().isEmpty() && best["p"].toDouble() > 0 && best["p"].toDouble() <= 1);
            }
            QVERIFY(image["macs"].toDouble() == cost["macs"].toDouble()); // the same counts in every photo
        }
    }
    /// Beside a score it is said why a row sum is none: 257 roundings of 6e-8 at most, and columns of a mean of 1/257.
    void scoresComeWithTheSumsOfRowsAndColumns()
    {
        const auto result = runCli(run("tokens.top-rho", {"--samples", "2", "--no-latency"}));
        QVERIFY2(result.status == 0, result.errors);
        const auto json = result.json(), sums = json["attentionRowSums"].toObject();
        QCOMPARE(sums["file"].toString(), json["images"].toArray()[0].toObject()["file"].toString());
        const auto blocks = sums["blocks"].toArray();
        QCOMPARE(blocks.size(), 6);
        for (int i = 0; i < 6; ++i) {
            const auto block = blocks[i].toObject();
            QCOMPARE(block["block"].toInt(-1), i);
            const double furthest = block["furthestFromOne"].toDouble(-1), least = block["leastReceived"].toDouble(-1), most = block["mostReceived"].toDouble(-1);
            QVERIFY(furthest > 0 && furthest < 258 * 6e-8);
            QVERIFY(least > 0 && least < 1.0 / 257 && most > 1.0 / 257 && most > 2 * least && most < 1);
        }
        QVERIFY(!runCli(run("tokens.evit", {"--samples", "1", "--no-latency"})).json().contains("attentionRowSums")); // no choice of a score
        QStringList words = run("tokens.top-rho", {"--samples", "1", "--no-latency"});
        words.removeAll("--json");
        words.removeAll("-");
        const auto text = runCli(words);
        QVERIFY2(text.status == 0, text.errors);
        QVERIFY(text.output.contains("furthest row sum from 1") && text.output.contains("block 5"));
    }
    void labelsGiveAccuracy()
    {
        const QTemporaryDir folder;
        QFile labels(folder.filePath("labels.tsv"));
        QVERIFY(labels.open(QIODevice::WriteOnly));
        labels.write("chelsea_cat.jpg\t5\nrocket.jpg\t0\n");
        labels.close();
        const auto result = runCli(run("tokens.evit", {"--labels", labels.fileName(), "--no-latency"}));
        QVERIFY2(result.status == 0, result.errors);
        const auto json = result.json();
        QCOMPARE(json["images"].toArray().size(), 2);
        const double top1 = json["quality"].toObject()["top1"].toDouble(-1);
        QVERIFY(top1 == 0 || top1 == 0.5 || top1 == 1);
        QVERIFY(json["cost"].toObject()["latencyMs"].isNull());
        QCOMPARE(json["images"].toArray()[0].toObject()["label"].toInt(), 5);
    }
    void theSameForAnyNumberOfThreadsAndOtherForAnotherSeed()
    {
        const auto images = [](const QStringList& more) {
            return runCli(run("tokens.random", QStringList{"--no-latency", "--samples", "3"} + more)).json()["images"].toArray();
        };
        const auto one = images({"--threads", "1"});
        QCOMPARE(one.size(), 3);
        QCOMPARE(images({"--threads", "3"}), one);
        const auto seven = images({"--seed", "7"});
        QVERIFY(seven != one);
        QCOMPARE(images({"--set", "seed=7"}), seven); // one seed, and it is among the parameters
        QCOMPARE(images({"--seed", "3", "--set", "seed=7"}), seven);
        const auto compared = [](const QStringList& more) {
            return runCli(QStringList{"compare", sourcePath("datasets/vit20"), "--images", sourcePath("datasets/photos"), "--samples", "1", "--no-latency", "--json", "-"} + more).json()["rows"].toArray()[1].toObject();
        };
        const auto bySeed = compared({"--seed", "7", "--method", "tokens.random:keep=0.5"});
        QCOMPARE(bySeed["parameters"].toObject()["seed"].toInt(), 7);
        QCOMPARE(bySeed["quality"], compared({"--method", "tokens.random:keep=0.5:seed=7"})["quality"]);
        QVERIFY(bySeed["quality"] != compared({"--method", "tokens.random:keep=0.5"})["quality"]);
    }
    /// A cascade that always asks the whole model costs the cheap stage on top, and the warning says how much.
    void moreThanTheWholeModelIsSaid()
    {
        const auto json = runCli(run("tokens.cascade", {"--set", "threshold=1", "--set", "stage=truncated blocks=3", "--no-latency", "--samples", "2"})).json();
        const double factor = json["cost"].toObject()["macs"].toDouble() / json["baseline"].toObject()["cost"].toObject()["macs"].toDouble();
        QVERIFY(factor > 1.4 && factor < 1.6); // half of the blocks more
        QCOMPARE(json["warnings"].toArray(), (QJsonArray{"It costs more than the whole model: " + QString::number(factor, 'f', 3) + " times its multiply-adds."}));
        const auto same = runCli(run("tokens.tome", {"--set", "r=0", "--no-latency", "--samples", "1"})).json();
        QCOMPARE(same["warnings"].toArray(), (QJsonArray{"It does as many multiply-adds as the whole model: nothing is saved."}));
    }
    void compareKeys()
    {
        const QStringList compare{"compare", sourcePath("datasets/vit20"), "--images", sourcePath("datasets/photos"), "--samples", "3", "--no-latency", "--json", "-", "--method", "tokens.tome:r=20", "--method",
                                  "tokens.random:keep=0.5:blocks=1,3", "--method", "tokens.downsample:keep=0.4"};
        const auto result = runCli(compare);
        QVERIFY2(result.status == 0, result.errors);
        const auto json = result.json();
        QCOMPARE(json["schema"].toString(), "tamis.compare/1");
        QCOMPARE(json["photos"].toInt(), 3);
        QCOMPARE(json["planned"].toInt(), 4);
        QCOMPARE(json["qualityName"].toString(), "agreement");
        const auto rows = json["rows"].toArray();
        QCOMPARE(rows.size(), 4);
        QVERIFY(rows[0].toObject()["whole"].toBool() && !rows[1].toObject()["whole"].toBool());
        QCOMPARE(rows[2].toObject()["settings"].toString(), "keep 0.5, blocks 1,3");
        QVERIFY(!rows[1].toObject()["baseline"].toBool() && rows[2].toObject()["baseline"].toBool() && rows[3].toObject()["baseline"].toBool());
        // One method alone says the same of the same photos.
        const auto alone = runCli(run("tokens.tome", {"--set", "r=20", "--samples", "3", "--no-latency"})).json();
        const auto quality = rows[1].toObject()["quality"].toObject(), its = alone["quality"].toObject();
        for (const char* key : {"agreement", "kl", "embeddingShift", "tokensKept"})
            QCOMPARE(quality[QLatin1String(key)].toDouble(-1), its[QLatin1String(key)].toDouble(-2));
        QCOMPARE(rows[1].toObject()["cost"].toObject()["macs"], alone["cost"].toObject()["macs"]);
        QCOMPARE(rows[1].toObject()["tokensPerLayer"], alone["tokensPerLayer"]);
        QVERIFY(rows[1].toObject()["cost"].toObject()["latencyMs"].isNull());
        const auto single = runCli(compare + QStringList{"--threads", "1"}).json();
        QCOMPARE(single["rows"].toArray(), rows);
    }
    /// Models whose attention knows where patches are: tokens, classes and overlays as of any other.
    void modelsWithRotaryAndRelativePositions_data()
    {
        QTest::addColumn<QString>("model");
        QTest::addColumn<int>("prefix");
        QTest::newRow("rotary, registers") << "hf_dinov3" << 3;
        QTest::newRow("rotary, classes") << "hf_dinov3_gated" << 1;
        QTest::newRow("relative") << "hf_beit" << 1;
    }
    void modelsWithRotaryAndRelativePositions()
    {
        QFETCH(QString, model);
        QFETCH(int, prefix);
        const QTemporaryDir folder;
        const auto result = runCli({"run", "tokens.tome", "--model", sourcePath(qPrintable("tests/golden/models/" + model)), "--images", sourcePath("datasets/photos"), "--samples", "3", "--set", "r=4",
                                    "--no-latency", "--out", folder.filePath("overlays"), "--json", "-"});
        QVERIFY2(result.status == 0, result.errors);
        const auto json = result.json();
        const auto layers = json["tokensPerLayer"].toArray();
        for (int block = 0; block < layers.size(); ++block)
            QCOMPARE(layers[block].toInt(), prefix + 16 - 4 * (block + 1));
        QCOMPARE(json["images"].toArray().size(), 3);
        QCOMPARE(QDir(folder.filePath("overlays")).entryList(QDir::Files).size(), 9);
        const bool classes = model != "hf_dinov3";
        QCOMPARE(json["quality"].toObject()["agreement"].isDouble(), classes);
        const auto best = json["images"].toArray()[0].toObject()["topAfter"].toObject();
        QCOMPARE(best["p"].toDouble() > 0 && best["p"].toDouble() <= 1, classes);
    }
    void overlaysOfAFolder()
    {
        const QTemporaryDir folder;
        const QString out = folder.filePath("deep/overlays");
        const QStringList arguments = run("tokens.evit", {"--set", "keep=0.5", "--samples", "3", "--no-latency", "--out", out});
        const auto result = runCli(arguments, {"QT_QPA_PLATFORM=", "DISPLAY="});
        QVERIFY2(result.status == 0, result.errors);
        const auto json = result.json();
        QCOMPARE(json["written"].toArray().size(), 9);
        const QDir directory(out);
        QCOMPARE(directory.entryList(QDir::Files).size(), 9);
        for (const auto& value : json["images"].toArray()) {
            const auto image = value.toObject();
            const QString stem = QFileInfo(image["file"].toString()).completeBaseName();
            const QImage picture(directory.filePath(stem + ".png"));
            QVERIFY(picture.width() >= 800 && picture.height() >= 800);
            const QString description = picture.text("Description");
            QVERIFY2(description.contains("tokens.evit") && description.contains("keep 0.5") && description.contains(image["file"].toString()), qPrintable(description));
            const auto kept = readJsonFile(directory.filePath(stem + ".json"));
            QCOMPARE(kept["method"].toString(), "tokens.evit");
            const auto last = kept["layers"].toArray().last().toObject();
            QCOMPARE(last["tokens_after"].toInt(), image["tokensPerLayer"].toArray().last().toInt());
            QFile table(directory.filePath(stem + ".csv"));
            QVERIFY(table.open(QIODevice::ReadOnly));
            const auto lines = QString::fromUtf8(table.readAll()).split('\n', Qt::SkipEmptyParts);
            int rows = 0, keptRows = 0;
            for (const QString& line : lines)
                if (!line.startsWith('#') && !line.startsWith("token")) {
                    ++rows;
                    keptRows += line.split(',').size() == 9 && !line.endsWith(",-1") && !line.split(',')[1].isEmpty();
                }
            QCOMPARE(rows, 257);
            QCOMPARE(keptRows, image["kept"].toArray().size());
        }
        // What the tokens hold at the end, back on the grid: zeros where they were pruned, and the figure is that of the pictures' tables.
        const auto features = runCli(run("tokens.top-rho", {"--set", "keep=0.5", "--samples", "2", "--no-latency", "--features", "--shade", "unmerged", "--out", folder.filePath("features")}));
        QVERIFY2(features.status == 0, features.errors);
        QCOMPARE(features.json()["written"].toArray().size(), 8);
        double mean = 0;
        for (const auto& value : features.json()["images"].toArray()) {
            const auto image = value.toObject();
            const QString stem = folder.filePath("features/" + QFileInfo(image["file"].toString()).completeBaseName());
            QFile rows(stem + ".features.npy");
            QVERIFY(rows.open(QIODevice::ReadOnly));
            const QByteArray bytes = rows.readAll();
            QVERIFY(bytes.startsWith("\x93NUMPY") && bytes.left(128).contains("(257, 128)") && bytes.left(128).contains("<f4"));
            const auto* numbers = reinterpret_cast<const float*>(bytes.constData() + bytes.size() - 257 * 128 * 4);
            QSet<int> kept;
            for (const auto& patch : image["kept"].toArray())
                kept.insert(patch.toInt());
            for (int patch = 0; patch < 256; ++patch)
                QCOMPARE(std::any_of(numbers + (patch + 1) * 128, numbers + (patch + 2) * 128, [](float number) { return number != 0; }), kept.contains(patch));
            const auto shifts = readJsonFile(stem + ".json")["unmerged_shift"].toArray();
            QCOMPARE(shifts.size(), 256);
            double sum = 0;
            for (const auto& shift : shifts)
                sum += shift.toDouble();
            QVERIFY(std::abs(sum / 256 - image["unmergedShift"].toDouble()) < 1e-6); // floats written with all their digits
            mean += image["unmergedShift"].toDouble() / 2;
        }
        QVERIFY(std::abs(features.json()["quality"].toObject()["unmergedShift"].toDouble() - mean) < 1e-12);
        const auto again = runCli(arguments);
        QCOMPARE(again.status, 2);
        QVERIFY(again.errors.contains("--overwrite"));
        const auto before = QFileInfo(directory.filePath(directory.entryList({"*.png"}).first())).lastModified();
        const auto over = runCli(arguments + QStringList{"--overwrite", "--shade", "scores", "--depth", "3"});
        QVERIFY2(over.status == 0, over.errors);
        QVERIFY(QFileInfo(directory.filePath(directory.entryList({"*.png"}).first())).lastModified() >= before);
        QCOMPARE(directory.entryList(QDir::Files).size(), 9);
        const auto vectors = runCli(run("tokens.evit", {"--samples", "1", "--no-latency", "--format", "svg", "--out", folder.filePath("vectors")}));
        QVERIFY2(vectors.status == 0, vectors.errors);
        QFile svg(folder.filePath("vectors/" + QDir(folder.filePath("vectors")).entryList({"*.svg"}).value(0)));
        QVERIFY(svg.open(QIODevice::ReadOnly));
        QVERIFY(svg.readAll().contains("tokens.evit"));
    }
    void overlaysStopSoonAndLeaveNothingHalfWritten()
    {
        const QTemporaryDir folder;
        const QString out = folder.filePath("overlays");
        const auto interrupted = interruptCli(run("tokens.tome", {"--no-latency", "--out", out}), SIGINT, 900);
        if (!interrupted.reached)
            QSKIP("the run was over before the signal");
        QCOMPARE(interrupted.result.status, 130);
        QVERIFY2(interrupted.seconds < 0.5, qPrintable(QString::number(interrupted.seconds)));
        for (const QString& name : QDir(out).entryList(QDir::Files | QDir::Hidden)) {
            QVERIFY2(name.endsWith(".png") || name.endsWith(".csv") || name.endsWith(".json"), qPrintable(name));
            if (name.endsWith(".png"))
                QVERIFY(!QImage(QDir(out).filePath(name)).isNull());
        }
    }
    void aPlanHoldsTheTokens()
    {
        const QTemporaryDir folder;
        const QString file = folder.filePath("tokens.json"), both = folder.filePath("both.json");
        const QStringList few{"--samples", "3", "--no-latency"};
        const auto saved = runCli(run("tokens.evit", few + QStringList{"--set", "keep=0.5", "--save-plan", file}));
        QVERIFY2(saved.status == 0, saved.errors);
        const auto plan = readJsonFile(file);
        QCOMPARE(plan["schema"].toString(), "tamis.plan/1");
        const auto tokens = plan["tokens"].toObject();
        QCOMPARE(tokens["method"].toString(), "tokens.evit");
        QCOMPARE(tokens["parameters"].toObject()["keep"].toDouble(), 0.5);
        QCOMPARE(tokens["schedule"].toArray(), saved.json()["tokensPerLayer"].toArray());
        const auto again = runCli(run("tokens.evit", few + QStringList{"--plan", file}));
        QVERIFY2(again.status == 0, again.errors);
        QCOMPARE(again.json()["images"], saved.json()["images"]);
        const auto other = runCli(run("tokens.evit", few + QStringList{"--plan", file, "--set", "keep=0.9"}));
        QCOMPARE(other.json()["parameters"].toObject()["keep"].toDouble(), 0.9);
        // On top of replaced operators.
        const auto made = runCli({"plan", vit20(), "--keep", "0.5", "--out", both});
        QVERIFY2(made.status == 0, made.errors);
        const auto joined = runCli(run("tokens.evit", few + QStringList{"--plan", both, "--set", "keep=0.5", "--save-plan", both}));
        QVERIFY2(joined.status == 0, joined.errors);
        QVERIFY(readJsonFile(both)["operators"].toArray().size() > 10 && readJsonFile(both).contains("tokens"));
        QVERIFY(joined.json()["cost"].toObject()["parameters"].toDouble() < joined.json()["baseline"].toObject()["cost"].toObject()["parameters"].toDouble());
        QVERIFY(joined.json()["quality"].toObject()["kl"].toDouble() > saved.json()["quality"].toObject()["kl"].toDouble());
        const auto sum = runCli(run("tokens.evit", few + QStringList{"--plan", both}));
        QCOMPARE(sum.json()["images"], joined.json()["images"]);
        // What will not do, in one sentence.
        const auto wrong = runCli(run("tokens.tome", few + QStringList{"--plan", file}));
        QCOMPARE(wrong.status, 2);
        QVERIFY2(wrong.errors.contains("tokens.evit"), wrong.errors);
        const auto broken = [&](const char* from, const char* to) {
            QFile source(file), target(folder.filePath("broken.json"));
            if (!source.open(QIODevice::ReadOnly) || !target.open(QIODevice::WriteOnly))
                return CliResult();
            target.write(source.readAll().replace(from, to));
            target.close();
            return runCli(run("tokens.evit", few + QStringList{"--plan", target.fileName()}));
        };
        for (const auto& [from, to, says] : {std::tuple("\"keep\": 0.5", "\"keep\": 7.5", "keep"), std::tuple("\"keep\": 0.5", "\"kep\": 0.5", "kep"),
                                             std::tuple("tokens.evit", "tokens.rows", "tokens.rows"), std::tuple("\"hash\": \"", "\"hash\": \"0", "SHA-256")}) {
            const auto result = broken(from, to);
            QCOMPARE(result.status, 1);
            QVERIFY2(result.hasOneErrorLine() && result.errors.contains(says), result.errors);
        }
    }
    void methodsListThem()
    {
        const auto json = runCli({"methods", "--json", "-"}).json();
        QSet<QString> found;
        for (const auto& value : json["methods"].toArray())
            if (const auto method = value.toObject(); method["lab"].toString() == "tokens") {
                found.insert(method["id"].toString());
                QVERIFY(!method["parameters"].toArray().isEmpty() && method["needsSamples"].toBool());
            }
        for (const char* id : {"tokens.tome", "tokens.evit", "tokens.top-rho", "tokens.dynamicvit", "tokens.ats", "tokens.diffrate", "tokens.random", "tokens.downsample"})
            QVERIFY2(found.contains(QLatin1String(id)), id);
    }
    void badInputIsRefusedWithASentence_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<int>("status");
        QTest::addColumn<QString>("says");
        QTest::newRow("method") << run("tokens.rows") << 2 << "tokens.tome";
        QTest::newRow("no photos") << QStringList{"run", "tokens.tome", "--model", sourcePath("datasets/vit20")} << 2 << "--images";
        QTest::newRow("no model") << QStringList{"run", "tokens.tome", "--images", sourcePath("datasets/photos")} << 2 << "--model";
        QTest::newRow("setting") << run("tokens.evit", {"--set", "keep=2"}) << 2 << "keep";
        QTest::newRow("name") << run("tokens.evit", {"--set", "kep=0.5"}) << 2 << "kep";
        QTest::newRow("list") << run("tokens.evit", {"--set", "blocks=1,9"}) << 1 << "blocks";
        QTest::newRow("language model") << QStringList{"run", "tokens.tome", "--model", sourcePath("datasets/tinylm"), "--images", sourcePath("datasets/photos")} << 1 << "vision transformer";
        QTest::newRow("tokens") << run("tokens.tome", {"--tokens", "a.npy"}) << 2 << "--tokens";
        QTest::newRow("counts") << run("tokens.diffrate", {"--set", "file=/nowhere.json"}) << 1 << "/nowhere.json";
        const QStringList compare{"compare", sourcePath("datasets/vit20"), "--lab", "tokens"};
        QTest::newRow("compare without photos") << compare << 2 << "--images";
        QTest::newRow("compare with held out") << compare + QStringList{"--images", sourcePath("datasets/photos"), "--held-out", "x"} << 2 << "--held-out";
        QTest::newRow("compare unknown") << compare + QStringList{"--images", sourcePath("datasets/photos"), "--method", "tokens.rows"} << 2 << "tokens.tome";
        QTest::newRow("compare setting") << compare + QStringList{"--images", sourcePath("datasets/photos"), "--method", "tokens.evit:keep=3"} << 2 << "keep";
        QTest::newRow("compare name") << compare + QStringList{"--images", sourcePath("datasets/photos"), "--method", "tokens.evit:kep=1"} << 2 << "kep";
        QTest::newRow("depth") << run("tokens.tome", {"--out", "/tmp/nowhere", "--depth", "7"}) << 2 << "--depth";
        QTest::newRow("features without a directory") << run("tokens.tome", {"--features"}) << 2 << "--features";
        QTest::newRow("features of patches of its own") << run("tokens.mixed-patches", {"--samples", "1", "--no-latency", "--features", "--out", QDir::tempPath() + "/tamis-no-features", "--overwrite"}) << 1 << "tokens of its own";
        QTest::newRow("compare not trained parts") << compare + QStringList{"--images", sourcePath("datasets/photos"), "--trained-file", sourcePath("datasets/vit20/model.safetensors")} << 1 << "format";
        QTest::newRow("not a directory") << run("tokens.tome", {"--samples", "1", "--no-latency", "--out", "/dev/null"}) << 1 << "/dev/null";
        QTest::newRow("store") << run("tokens.tome", {"--store", "x"}) << 2 << "--store";
    }
    void badInputIsRefusedWithASentence()
    {
        QFETCH(QStringList, arguments);
        QFETCH(int, status);
        QFETCH(QString, says);
        const auto result = runCli(arguments);
        QCOMPARE(result.status, status);
        QVERIFY2(QString::fromUtf8(result.errors).contains(says), result.errors);
        QCOMPARE(result.errors.count('\n'), 1);
    }
};

QTEST_GUILESS_MAIN(TestCliTokens)
#include "tst_cli_tokens.moc"
