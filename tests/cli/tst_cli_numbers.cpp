// SPDX-License-Identifier: GPL-3.0-or-later
// Losses that tamis-cli prints against losses computed directly with NumPy (tests/golden/make_cli_goldens.py), and
// independence of the number of threads.
#include "tests/cli/cli_process.h"

#include <QJsonArray>
#include <QJsonDocument>
#include <QTest>

#include <cmath>

using namespace tamis::tests;

class TestCliNumbers : public QObject
{
    Q_OBJECT
private slots:
    void initTestCase();
    void lossesMatchTheReference_data();
    void lossesMatchTheReference();
    void qualityAndBaselineMatchTheReference();
    void threadsDoNotChangeNumbers();

private:
    QJsonObject m_golden;
};

void TestCliNumbers::initTestCase()
{
    m_golden = readJsonFile(sourcePath("tests/golden/cli_losses.json"));
    QCOMPARE(m_golden["ranks"].toObject().size(), 25);
}

void TestCliNumbers::lossesMatchTheReference_data()
{
    QTest::addColumn<QString>("reference");
    QTest::addColumn<QStringList>("arguments");
    const QStringList calibrated{"--calibration", vit20Calibration()};
    QTest::newRow("plain") << "plain" << QStringList{"run", "spectrum.plain"};
    QTest::newRow("whitened, samples") << "samples" << QStringList{"run", "spectrum.whitened", "--set", "statistics=samples"} + calibrated;
    QTest::newRow("whitened, gram") << "gram" << QStringList{"run", "spectrum.whitened"} + calibrated;
    for (const char* form : {"output", "cholesky", "eigen"})
        QTest::newRow(form) << "gram" << QStringList{"run", "spectrum.whitened", "--set", QString("form=") + form} + calibrated;
}

/// Both sides work in double on F32 weights. A loss is a difference of sums of squares as large as loss[0], with at most
/// 512 terms each: 512 * 2^-53 < 1e-13 of loss[0], and two more decimal places for the eigen-solver's own error. The
/// held-out loss also feels how far the two sides' singular vectors differ, which grows with the inverse of the gap
/// between neighbouring squared singular values (relative gaps down to 1e-5 here): 1e-7.
void TestCliNumbers::lossesMatchTheReference()
{
    QFETCH(QString, reference);
    QFETCH(QStringList, arguments);
    const auto result = runCli(arguments + QStringList{"--model", vit20(), "--no-baseline", "--latency-tokens", "0", "--json", "-"});
    QVERIFY2(result.status == 0, result.errors);
    const auto matrices = byName(result.json()["matrices"].toArray());
    const auto golden = m_golden[reference].toObject();
    int compared = 0;
    for (const auto& name : golden.keys()) {
        const auto matrix = matrices[name].toObject();
        const auto ranks = m_golden["ranks"].toObject()[name].toArray();
        for (const auto& [key, tolerance] : {std::pair("loss", 1e-11), std::pair("heldOutLoss", 1e-7)}) {
            const auto expected = golden[name].toObject()[QLatin1String(key)].toArray();
            const auto found = matrix[QLatin1String(key)].toArray();
            for (qsizetype i = 0; i < expected.size(); ++i) {
                const auto rank = ranks[i].toInt();
                QVERIFY2(rank < found.size(), qPrintable(name + " " + key));
                const double difference = std::abs(found[rank].toDouble() - expected[i].toDouble());
                QVERIFY2(difference <= tolerance * expected[0].toDouble(),
                         qPrintable(QString("%1 %2[%3]: found %4, expected %5").arg(name, key).arg(rank)
                                        .arg(found[rank].toDouble(), 0, 'g', 17).arg(expected[i].toDouble(), 0, 'g', 17)));
                ++compared;
            }
        }
    }
    QVERIFY(compared >= 25 * 5);
}

/// Means over the 25 calibrated matrices of relative losses at rank floor(0.6 m n / (m + n)).
void TestCliNumbers::qualityAndBaselineMatchTheReference()
{
    const auto result = runCli({"run", "spectrum.whitened", "--model", vit20(), "--calibration", vit20Calibration(), "--keep", "0.6",
                                "--latency-tokens", "0", "--json", "-"});
    QVERIFY2(result.status == 0, result.errors);
    const auto expected = m_golden["uniformAtKeep0.6"].toObject();
    const auto close = [&](const QJsonObject& quality, const char* key, const char* golden) {
        const double found = quality[QLatin1String(key)].toDouble(-1), wanted = expected[QLatin1String(golden)].toDouble();
        QVERIFY2(std::abs(found - wanted) <= 1e-8 * wanted, qPrintable(QString("%1: %2, expected %3").arg(golden).arg(found).arg(wanted)));
    };
    const auto json = result.json();
    const auto quality = json["quality"].toObject(), baseline = json["baseline"].toObject()["quality"].toObject();
    close(quality, "relativeLoss", "relativeLoss");
    close(quality, "heldOutRelativeLoss", "heldOutRelativeLoss");
    close(baseline, "relativeLoss", "baselineRelativeLoss");
    close(baseline, "heldOutRelativeLoss", "baselineHeldOutRelativeLoss");
}

void TestCliNumbers::threadsDoNotChangeNumbers()
{
    QJsonObject documents[2];
    for (const int threads : {1, 2}) {
        const auto result = runCli({"run", "spectrum.whitened", "--model", vit20(), "--calibration", vit20Calibration(), "--threads",
                                    QString::number(threads), "--latency-tokens", "0", "--json", "-"});
        QVERIFY2(result.status == 0, result.errors);
        documents[threads - 1] = result.json();
        QVERIFY(documents[threads - 1].contains("seconds"));
        documents[threads - 1].remove("seconds");
    }
    QVERIFY(QJsonDocument(documents[0]).toJson() == QJsonDocument(documents[1]).toJson()); // to the last bit
}

QTEST_GUILESS_MAIN(TestCliNumbers)
#include "tst_cli_numbers.moc"
