// SPDX-License-Identifier: GPL-3.0-or-later
// Sparse addressing from the command line, as scripts run it.
#include "tests/cli/cli_process.h"

#include <QDir>
#include <QFile>
#include <QJsonArray>
#include <QJsonObject>
#include <QTemporaryDir>
#include <QTest>

using namespace tamis::tests;

class TstCliAddressing : public QObject {
    Q_OBJECT
    QTemporaryDir m_directory;

    static QString file(const char* name) { return QStringLiteral(TAMIS_SOURCE_DIR "/datasets/tinylm/%1").arg(QLatin1String(name)); }
    static QStringList run(const char* method, const QStringList& more)
    {
        return QStringList{"run", method, "--model", QStringLiteral(TAMIS_SOURCE_DIR "/datasets/tinylm"), "--tokens", file("heldout.npy"), "--samples", "4", "--context", "128", "--json", "-"} + more;
    }
    QStringList fitted() const { return {"--calibration-tokens", m_directory.filePath("few.txt")}; }

private slots:
    void initTestCase()
    {
        // 6,000 of the calibration tokens as a text: a whole fit takes longer than what is looked at here.
        QFile whole(file("calibration.npy")), few(m_directory.filePath("few.txt"));
        QVERIFY(whole.open(QIODevice::ReadOnly) && few.open(QIODevice::WriteOnly));
        const QByteArray bytes = whole.readAll();
        const int header = 10 + static_cast<quint8>(bytes[8]) + 256 * static_cast<quint8>(bytes[9]); // NumPy's format 1.0, two bytes a token
        for (int i = 0; i < 6000; ++i)
            few.write(QByteArray::number(static_cast<quint8>(bytes[header + 2 * i]) + 256 * static_cast<quint8>(bytes[header + 2 * i + 1])) + ' ');
    }
    void deepEmbedSaysWhatItReads()
    {
        const auto result = runCli(run("addressing.deep-embed", fitted() + QStringList{"--set", "reads=10", "--save-table", m_directory.filePath("table.safetensors")}));
        QVERIFY2(result.status == 0, result.errors.constData());
        const auto json = result.json();
        QCOMPARE(json["schema"].toString(), QStringLiteral("tamis.run/1"));
        for (const char* key : {"method", "parameters", "inputs", "cost", "quality", "baseline", "warnings", "seconds", "bytesPerToken", "pagesPerToken", "amplification", "uniqueRows", "latencies", "tables", "caches"})
            QVERIFY2(json.contains(QLatin1String(key)), key);
        QCOMPARE(json["bytesPerToken"].toDouble(), 1536.0);
        QCOMPARE(json["tables"].toArray().size(), 2);
        QVERIFY(json["latencies"].toObject()["token-major"].toObject()["mmap"].toObject()["memory"].toObject()["p50"].toDouble() > 0);
        QVERIFY(json["latencies"].toObject()["layer-major"].toObject()["pread"].toObject()["disk"].toObject()["p99"].toDouble() > 0);
        const double repaired = json["quality"].toObject()["perplexity"].toDouble();
        QVERIFY(repaired < json["quality"].toObject()["cheaperPerplexity"].toDouble());
        const auto again = runCli(run("addressing.deep-embed", {"--table", m_directory.filePath("table.safetensors"), "--calibration-tokens", m_directory.filePath("few.txt"), "--no-latency"}));
        QVERIFY2(again.status == 0, again.errors.constData());
        QCOMPARE(again.json()["quality"].toObject()["perplexity"].toDouble(), repaired);
        QVERIFY(again.json()["latencies"].toObject().isEmpty());
    }
    void memoriesSayHowTheyRoute()
    {
        const auto result = runCli(run("addressing.mixture", fitted() + QStringList{"--set", "rows=2000", "--set", "experts=8", "--set", "active=2", "--no-latency"}));
        QVERIFY2(result.status == 0, result.errors.constData());
        const auto json = result.json();
        QCOMPARE(json["routers"].toArray().size(), 3);
        QCOMPARE(json["routers"].toArray()[0].toObject()["load"].toArray().size(), 8);
        QVERIFY(json["quality"].toObject()["fvu"].toDouble() < json["baseline"].toObject()["quality"].toObject()["fvu"].toDouble());
    }
    void wrongUsageIsSaid_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QByteArray>("said");
        QTest::newRow("nothing to fit to") << run("addressing.deep-embed", {}) << QByteArray("--calibration-tokens");
        QTest::newRow("a table for a memory") << run("addressing.mixture", fitted() + QStringList{"--table", "x"}) << QByteArray("--table");
        QTest::newRow("a table twice") << run("addressing.deep-embed", {"--table", "x", "--save-table", "y"}) << QByteArray("--save-table");
        QTest::newRow("results file") << run("addressing.deep-embed", fitted() + QStringList{"--out", "x"}) << QByteArray("--out");
        QTest::newRow("unknown") << run("addressing.none", fitted()) << QByteArray("addressing.product-key");
    }
    void wrongUsageIsSaid()
    {
        QFETCH(QStringList, arguments);
        QFETCH(QByteArray, said);
        const auto result = runCli(arguments);
        QCOMPARE(result.status, 2);
        QVERIFY2(result.errors.contains(said), result.errors.constData());
    }
    void aMissingTableIsOneLine()
    {
        const auto result = runCli(run("addressing.deep-embed", {"--table", m_directory.filePath("none.safetensors"), "--set", "compression=none"}));
        QCOMPARE(result.status, 1);
        QVERIFY(result.hasOneErrorLine());
        QVERIFY(result.errors.contains("none.safetensors"));
    }
    void methodsListsThem()
    {
        const auto methods = runCli({"methods", "--json", "-"}).json()["methods"].toArray();
        int found = 0;
        for (const auto& method : methods)
            found += method.toObject()["lab"].toString() == QLatin1String("addressing");
        QCOMPARE(found, 3);
    }
};

QTEST_APPLESS_MAIN(TstCliAddressing)
#include "tst_cli_addressing.moc"
