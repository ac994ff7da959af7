// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/inputs/token_file.h"
#include "core/io/npy.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include <limits>

using namespace tamis;
using namespace tamis::inputs;

namespace {
QString refusal(auto&& call)
{
    try {
        call();
    } catch (const Error& error) {
        return QString::fromUtf8(errorCodeName(error.code()).data()) + ": " + error.what();
    }
    return "accepted";
}

TokenSequences array(const std::string& npy, std::int64_t vocabulary)
{
    return parseTokenArray(std::as_bytes(std::span(npy.data(), npy.size())), vocabulary, "ids.npy");
}
} // namespace

class TstTokenFile : public QObject
{
    Q_OBJECT
private slots:
    void everyIntegerType_data()
    {
        QTest::addColumn<QString>("name");
        QTest::addColumn<qint64>("last");
        for (const char* name : {"i1", "i2", "i4_big", "i8"})
            QTest::newRow(name) << QString(name) << qint64{42};
        QTest::newRow("u1") << "u1" << qint64{255};
        for (const char* name : {"u2", "u2_big", "fortran"})
            QTest::newRow(name) << QString(name) << qint64{65535};
        for (const char* name : {"u4", "u8", "u8_big"})
            QTest::newRow(name) << QString(name) << qint64{2147483647};
    }
    void everyIntegerType()
    {
        QFETCH(QString, name);
        QFETCH(qint64, last);
        const std::string file = TAMIS_SOURCE_DIR "/tests/golden/tokens_" + name.toStdString() + ".npy";
        const TokenSequences read = readTokenFile(file, 0);
        QCOMPARE(read, (TokenSequences{{1, 12, 0}, {5, 10, static_cast<std::int32_t>(last)}}));
        const QString said = refusal([&] { readTokenFile(file, last); });
        QVERIFY2(said.contains(QStringLiteral("token id %1 at position 2 of sequence 1 is beyond the vocabulary of %1").arg(last)), qPrintable(said));
        if (last < 2147483647)
            QCOMPARE(readTokenFile(file, last + 1), read);
    }
    void aVectorIsOneSequence()
    {
        QCOMPARE(readTokenFile(TAMIS_SOURCE_DIR "/tests/golden/tokens_vector.npy", 19), (TokenSequences{{0, 3, 6, 9, 12, 15, 18}}));
    }
    void unsignedIdsBeyondTheSignedRange()
    {
        const std::vector<std::int64_t> ids{1, -1};
        std::string npy = io::formatNpy(std::span<const std::int64_t>(ids), {2});
        QVERIFY(refusal([&] { array(npy, 100); }).contains("token id -1 at position 1 is negative"));
        npy.replace(npy.find("<i8"), 3, "<u8"); // 2^64 - 1
        QVERIFY(refusal([&] { array(npy, 0); }).contains("token id 9223372036854775807 at position 1 is beyond the vocabulary of 2147483648"));
    }
    void otherArraysAreRefused()
    {
        const std::vector<float> values{1, 2};
        QVERIFY(refusal([&] { array(io::formatNpy(std::span<const float>(values), {2}), 9); }).contains("holds F32 elements"));
        const std::vector<std::int64_t> one{1};
        QVERIFY(refusal([&] { array(io::formatNpy(std::span<const std::int64_t>(one), {1, 1, 1}), 9); }).contains("has 3 dimensions"));
        QVERIFY(refusal([&] { array(io::formatNpy(std::span<const std::int64_t>(one), {}), 9); }).contains("has 0 dimensions"));
        QVERIFY(refusal([&] { array(io::formatNpy(std::span<const std::int64_t>(), {0, 5}), 9); }).contains("holds no tokens"));
        QVERIFY(refusal([&] { array("\x93NUMPY\x01", 9); }).contains("malformed file"));
        std::string cut = io::formatNpy(std::span<const std::int64_t>(one), {1});
        cut.pop_back();
        QVERIFY(refusal([&] { array(cut, 9); }).contains("found 7 bytes of data"));
    }
    void text()
    {
        QCOMPARE(parseTokenText("1 2\t3,4\r\n\n# a remark\n5\n", 6, "x"), (TokenSequences{{1, 2, 3, 4}, {5}}));
        QCOMPARE(parseTokenText("\xEF\xBB\xBF""7", 8, "x"), (TokenSequences{{7}}));
        QCOMPARE(parseTokenText("2147483647", 0, "x"), (TokenSequences{{2147483647}}));
    }
    void textRefusals_data()
    {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QString>("part");
        const auto row = [](const char* name, const QByteArray& text, const char* part) { QTest::newRow(name) << text << QString(part); };
        row("empty", "", "malformed file: x: holds no tokens");
        row("blank", " \n\n", "holds no tokens");
        row("word", "1 2\n3 four\n", "line 2: found \"four\", expected token ids");
        row("fraction", "1.5", "line 1: found \"1.5\"");
        row("overflow", "99999999999999999999", "line 1: found");
        row("control", QByteArray("1\0002", 3), "line 1: found");
        row("beyond", "1 2 5000", "token id 5000 at position 2 is beyond the vocabulary of 1024");
        row("beyond later", "1\n2 1024", "token id 1024 at position 1 of sequence 1 is beyond the vocabulary of 1024");
        row("negative", "-4", "token id -4 at position 0 is negative");
    }
    void textRefusals()
    {
        QFETCH(QByteArray, text);
        QFETCH(QString, part);
        const QString said = refusal([&] { parseTokenText({text.data(), static_cast<std::size_t>(text.size())}, 1024, "x"); });
        QVERIFY2(said.contains(part), qPrintable(said));
    }
    void missingFile()
    {
        QTemporaryDir directory;
        QVERIFY(refusal([&] { readTokenFile(directory.filePath("none.npy").toStdString(), 1); }).startsWith("i/o failure"));
    }
};

QTEST_GUILESS_MAIN(TstTokenFile)
#include "tst_token_file.moc"
