// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/io/json_limits.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include <nlohmann/json.hpp>

using namespace tamis;
using namespace tamis::io;

class TstJsonLimits : public QObject
{
    Q_OBJECT
    static void refuses(const std::string& text, const JsonLimits& limits, ErrorCode code, const char* part)
    {
        try {
            parseJson(text, limits, "test.json");
            QFAIL(qPrintable(QString("accepted: expected ") + part));
        } catch (const Error& error) {
            QVERIFY2(error.code() == code, error.what());
            QVERIFY2(std::string_view(error.what()).find(part) != std::string_view::npos, error.what());
            QCOMPARE(error.subject(), std::string("test.json"));
        }
    }

private slots:
    void buildsWhatTheOrdinaryParserBuilds()
    {
        const std::string text = R"({"a":[1,-2,3.5,true,null,"\u00e9"],"b":{"c":{},"d":[]},"e":18446744073709551615,"":[[[]]]})";
        QVERIFY(parseJson(text, {}, "x") == nlohmann::json::parse(text));
        QVERIFY(parseJson(" 7 ", {}, "x") == nlohmann::json(7));
    }
    void aNulDoesNotHideWhatFollows()
    {
        refuses(std::string("{}\0junk", 7), {}, ErrorCode::MalformedFile, "found a NUL character");
        refuses(std::string("{}\0", 3), {}, ErrorCode::MalformedFile, "found a NUL character");
    }
    void depthIsExact()
    {
        const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
        parseJson(nested(64), {.depth = 64}, "x");
        refuses(nested(65), {.depth = 64}, ErrorCode::LimitExceeded, "nested deeper than 64 levels");
        refuses(std::string(1'000'000, '['), {.depth = 64}, ErrorCode::LimitExceeded, "nested deeper");
    }
    void sizeAndValuesAreExact()
    {
        parseJson("[1,2,3]", {.bytes = 7, .values = 4}, "x");
        refuses("[1,2,3]", {.bytes = 6}, ErrorCode::LimitExceeded, "holds 7 bytes of JSON, at most 6 are read");
        refuses("[1,2,3]", {.values = 3}, ErrorCode::LimitExceeded, "holds more than 3 JSON values");
    }
    void aKeyTwiceIsNoObject()
    {
        refuses(R"({"a":1,"b":{"k":1,"k":2}})", {}, ErrorCode::MalformedFile, "the key \"k\" occurs twice in one object");
        refuses(R"({"a":1,"\u0061":2})", {}, ErrorCode::MalformedFile, "the key \"a\" occurs twice");
        parseJson(R"([{"a":1},{"a":2}])", {}, "x"); // two objects
    }
    void syntaxErrorsSayWhere()
    {
        refuses("{\"a\":1,}", {}, ErrorCode::MalformedFile, "is not valid JSON: parse error at line 1, column 8");
        refuses("", {}, ErrorCode::MalformedFile, "is not valid JSON");
        refuses("[1] x", {}, ErrorCode::MalformedFile, "is not valid JSON");
        refuses("[\"\xff\"]", {}, ErrorCode::MalformedFile, "is not valid JSON");
        refuses("[1e999]", {}, ErrorCode::MalformedFile, "is not valid JSON");
        try {
            parseJson("[\"" + std::string(100'000, 'x') + "\xff", {}, "x");
            QFAIL("accepted");
        } catch (const Error& error) { // neither the whole text nor its invalid bytes
            QVERIFY(error.message().size() < 300);
            for (const char c : error.message())
                QVERIFY(c >= 0x20 && c < 0x7f);
        }
    }
    void namesAreFitForAMessage()
    {
        QCOMPARE(quotedName("a.b"), std::string("\"a.b\""));
        QCOMPARE(quotedName("a\nb\x7f"), std::string("\"a?b?\""));
        QCOMPARE(quotedName(std::string(200, 'x')), "\"" + std::string(120, 'x') + "...\"");
        QCOMPARE(quotedName(std::string(119, 'x') + "\u00e9y"), "\"" + std::string(119, 'x') + "...\""); // not half a letter
    }
    void filesAreCheckedBeforeTheyAreRead()
    {
        QTemporaryDir dir;
        QFile file(dir.filePath("a.json"));
        QVERIFY(file.open(QIODevice::WriteOnly) && file.write("[1,2]") == 5);
        file.close();
        const std::filesystem::path path = dir.filePath("a.json").toStdString();
        QVERIFY(readJson(path, {}) == nlohmann::json({1, 2}));
        QVERIFY_EXCEPTION_THROWN(readJson(path, {.bytes = 4}), Error);
        try {
            readSmallFile(dir.path().toStdString(), 100);
            QFAIL("a directory was read");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::IoFailure && error.message() == "is a directory, expected a file");
        }
        try {
            readSmallFile("/dev/zero", 100);
            QFAIL("a device was read");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::IoFailure && error.message() == "is not a regular file");
        }
        QVERIFY_EXCEPTION_THROWN(readSmallFile(dir.filePath("none").toStdString(), 100), Error);
    }
};

QTEST_GUILESS_MAIN(TstJsonLimits)
#include "tst_json_limits.moc"
