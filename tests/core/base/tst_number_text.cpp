// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/number_text.h"

#include <QTest>

#include <clocale>
#include <cstdio>
#include <limits>
#include <string>

using tamis::fixedText;

class TestNumberText : public QObject {
    Q_OBJECT
private slots:
    void roundsToTheNearest()
    {
        QCOMPARE(fixedText(0.834, 2), std::string("0.83"));
        QCOMPARE(fixedText(0.836, 2), std::string("0.84"));
        QCOMPARE(fixedText(-1.5, 2), std::string("-1.50"));
        QCOMPARE(fixedText(2.5, 0), std::string("2")); // half to even
        QCOMPARE(fixedText(3.5, 0), std::string("4"));
        QCOMPARE(fixedText(1234567.0, 1), std::string("1234567.0"));
    }
    void extremesFit()
    {
        const std::string largest = fixedText(-std::numeric_limits<double>::max(), 17);
        QCOMPARE(largest.size(), std::size_t(1 + 309 + 1 + 17));
        QCOMPARE(std::stod(largest), -std::numeric_limits<double>::max());
        QCOMPARE(fixedText(std::numeric_limits<double>::denorm_min(), 2), std::string("0.00"));
        QCOMPARE(fixedText(std::numeric_limits<double>::quiet_NaN(), 2), std::string("nan"));
        QCOMPARE(fixedText(-std::numeric_limits<double>::infinity(), 2), std::string("-inf"));
    }
    /// Where the system has a locale that writes a comma; elsewhere there is nothing to tell the two apart.
    void commasOfTheLocaleAreNotWritten()
    {
        const char* chosen = nullptr;
        for (const char* name : {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8", "de_DE", "nl_NL.utf8", "es_ES.utf8", "it_IT.utf8", "pl_PL.utf8", "ru_RU.utf8"})
            if (!chosen)
                chosen = std::setlocale(LC_NUMERIC, name);
        if (!chosen)
            QSKIP("no locale with a decimal comma is installed");
        char printed[16];
        std::snprintf(printed, sizeof printed, "%.2f", 0.834);
        const std::string own = fixedText(0.834, 2);
        std::setlocale(LC_NUMERIC, "C");
        QCOMPARE(std::string(printed), std::string("0,83"));
        QCOMPARE(own, std::string("0.83"));
    }
};

QTEST_GUILESS_MAIN(TestNumberText)
#include "tst_number_text.moc"
