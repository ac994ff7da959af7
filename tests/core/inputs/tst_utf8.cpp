// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/inputs/text_lines.h"
#include "core/inputs/utf8.h"

#include <QTest>

#include <vector>

using namespace tamis::inputs;

class TstUtf8 : public QObject
{
    Q_OBJECT
private slots:
    void everyScalarValueComesBack()
    {
        for (char32_t value = 0; value < 0x110000; ++value) {
            if (value >= 0xD800 && value < 0xE000)
                continue;
            std::string text;
            appendUtf8(text, value);
            const CodePoint point = codePointAt(text, 0);
            if (!point.valid || point.value != value || point.bytes != text.size())
                QFAIL(qPrintable(QString::number(value, 16)));
        }
    }
    // What Python 3 says to bytes.decode("utf-8", "replace"), '?' for U+FFFD.
    void asPythonReplaces_data()
    {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QByteArray>("expected");
        const auto row = [](const char* name, const QByteArray& bytes, const QByteArray& expected) { QTest::newRow(name) << bytes << expected; };
        row("valid", "a\xC3\xA9\xF0\x9F\x98\x80", "a\xC3\xA9\xF0\x9F\x98\x80");
        row("lone continuation", "\x80\xBF", "??");
        row("overlong", "\xC0\xAF\xE0\x80\xAF", "?????");
        row("surrogate", "\xED\xA0\x80", "???");
        row("cut in two", "\xE2\x82", "?");
        row("cut in four", "x\xF0\x9F\x98y", "x?y");
        row("restart", "\xF0\x9F\xC3\xA9", "?\xC3\xA9");
        row("beyond", "\xF4\x90\x80\x80\xF5\xFF", "??????");
        row("unicode example", "\x61\xF1\x80\x80\xE1\x80\xC2\x62\x80\x63\x80\xBF\x64", "a???b?c??d");
    }
    void asPythonReplaces()
    {
        QFETCH(QByteArray, bytes);
        QFETCH(QByteArray, expected);
        QByteArray shown = expected;
        shown.replace("?", "\xEF\xBF\xBD");
        QCOMPARE(QByteArray::fromStdString(withReplacements(bytes.toStdString())), shown);
        QCOMPARE(isValidUtf8(bytes.toStdString()), bytes == expected);
        QCOMPARE(QByteArray::fromStdString(toUtf8(codePoints(bytes.toStdString()))), shown);
    }
    void lines()
    {
        const auto all = [](std::string_view text) {
            std::vector<std::string> result;
            TextLines lines(text);
            for (std::string_view line; lines.next(line);)
                result.emplace_back(line);
            return result;
        };
        using Lines = std::vector<std::string>;
        QCOMPARE(all(""), Lines());
        QCOMPARE(all("a\n"), Lines{"a"});
        QCOMPARE(all("\xEF\xBB\xBF" "a\r\n\nb"), (Lines{"a", "", "b"}));
        QCOMPARE(all("\n\n"), (Lines{"", ""}));
    }
};

QTEST_GUILESS_MAIN(TstUtf8)
#include "tst_utf8.moc"
