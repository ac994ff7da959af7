// SPDX-License-Identifier: GPL-3.0-or-later
#include "views/common/number_format.h"

#include "views/common/nice_step.h"

#include <QLocale>
#include <QTest>

#include <cmath>

using namespace tamis::views;

class TstNumberFormat : public QObject {
    Q_OBJECT
    /// With narrow no-break spaces as plain ones.
    static QString plain(QString text) { return text.replace(QChar(0x202f), QLatin1Char(' ')); }

private slots:
    void initTestCase() { QLocale::setDefault(QLocale(QLocale::German, QLocale::Germany)); } // must make no difference

    void numbers()
    {
        QCOMPARE(plain(formatCount(0)), QStringLiteral("0"));
        QCOMPARE(plain(formatCount(999)), QStringLiteral("999"));
        QCOMPARE(plain(formatCount(1234)), QStringLiteral("1.23 k"));
        QCOMPARE(plain(formatCount(999999)), QStringLiteral("1.00 M"));
        QCOMPARE(plain(formatCount(21666088)), QStringLiteral("21.7 M"));
        QCOMPARE(plain(formatBytes(512)), QStringLiteral("512 B"));
        QCOMPARE(plain(formatBytes(4.7 * 1048576)), QStringLiteral("4.70 MiB"));
        QCOMPARE(plain(formatBytes(20.0 * 1073741824)), QStringLiteral("20.0 GiB"));
        QCOMPARE(plain(formatPercent(0.256)), QStringLiteral("25.6 %"));
        QCOMPARE(plain(formatPercent(1, 0)), QStringLiteral("100 %"));
        QCOMPARE(plain(formatMilliseconds(0.821)), QStringLiteral("0.82 ms"));
        QCOMPARE(plain(formatMilliseconds(1240)), QStringLiteral("1.24 s"));
        QCOMPARE(plain(formatChange(100, 61.8)), QStringLiteral("−38.2 %"));
        QCOMPARE(plain(formatChange(100, 100)), QStringLiteral("±0 %"));
        QCOMPARE(formatNumber(0.5), QStringLiteral("0.5"));
        QCOMPARE(formatNumber(0), QStringLiteral("0"));
        QVERIFY(formatNumber(1.234e-5).startsWith(QStringLiteral("1.23e")));
    }
    void whatIsNoNumber()
    {
        const QString dash = QStringLiteral("–");
        for (const QString& text : {formatCount(NAN), formatBytes(NAN), formatPercent(NAN), formatNumber(NAN), formatMilliseconds(NAN),
                                    formatChange(0, 1), formatDuration(INFINITY)})
            QCOMPARE(text, dash);
        QCOMPARE(formatNumber(-INFINITY), QStringLiteral("−∞"));
    }
    void niceSteps()
    {
        for (double range = 1e-12; range < 1e12; range *= 1.37)
            for (int parts = 1; parts <= 8; ++parts) {
                const double step = niceStep(range, parts);
                QVERIFY(range / step <= parts + 1e-6);     // no more parts than asked for
                QVERIFY(range / step > parts / 2.5 - 1e-6); // and the step is the least of 1, 2, 2.5, 5, 10: ratios <= 2.5 apart, at least 2/5 used
                const double mantissa = step / std::pow(10, std::floor(std::log10(step) + 1e-9));
                QVERIFY(std::abs(mantissa - 1) < 1e-9 || std::abs(mantissa - 2) < 1e-9 || std::abs(mantissa - 2.5) < 1e-9 ||
                        std::abs(mantissa - 5) < 1e-9);
            }
        QCOMPARE(niceStep(100, 5), 20.0);
        QCOMPARE(niceStep(0, 5), 1.0);
        QCOMPARE(niceStep(NAN, 5), 1.0);
    }
};

QTEST_MAIN(TstNumberFormat)
#include "tst_number_format.moc"
