// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/inputs/label_file.h"

#include <QTest>

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
} // namespace

class TstLabelFile : public QObject
{
    Q_OBJECT
private slots:
    void labels()
    {
        const ImageLabels labels = parseImageLabels("file\tclass\r\na.jpg\t3\r\nsub/b c.png\t0\tremark\n\na.jpg\t3\n\xC3\xA9.jpg\t 19 ", 20, "x");
        QCOMPARE(labels.entries.size(), std::size_t{3});
        QCOMPARE(labels.entries[1].file, std::string("sub/b c.png"));
        QVERIFY(labels.find("a.jpg") == 3 && labels.find("sub/b c.png") == 0 && labels.find("\xC3\xA9.jpg") == 19);
        QVERIFY(labels.find("elsewhere/a.jpg") == 3); // by its bare name
        QVERIFY(!labels.find("b c.png") && !labels.find("none.jpg"));
    }
    void labelRefusals_data()
    {
        QTest::addColumn<QByteArray>("text");
        QTest::addColumn<QString>("part");
        const auto row = [](const char* name, const QByteArray& text, const char* part) { QTest::newRow(name) << text << QString(part); };
        row("empty", "", "holds no labels");
        row("heading alone", "file\tclass\n", "holds no labels");
        row("no tab", "a.jpg 3\n", "line 1: found \"a.jpg 3\", expected file<TAB>class index");
        row("no file", "a\t1\n\t3\n", "line 2: found");
        row("word", "a\t1\nb\tcat\n", "line 2: the class index is \"cat\", expected a whole number");
        row("nothing", "a\t1\nb\t\n", "line 2: the class index is \"\"");
        row("negative", "a\t1\nb\t-1\n", "line 2: the class index is \"-1\"");
        row("fraction", "a\t1\nb\t1.0\n", "line 2: the class index is \"1.0\"");
        row("beyond", "a\t20\n", "line 1: the class index 20 is beyond the 20 classes");
        row("overflow", "a\t1\nb\t99999999999999999999\n", "line 2: the class index is");
        row("two classes", "a\t1\nb\t1\na\t2\n", "line 3: \"a\" has the class index 2, an earlier line says 1");
        row("not utf-8", "a\t1\n\xFF\t2\n", "line 2: is not a text in UTF-8");
        row("nul", QByteArray("a\t1\nb\0\t2\n", 9), "line 2: is not a text in UTF-8");
    }
    void labelRefusals()
    {
        QFETCH(QByteArray, text);
        QFETCH(QString, part);
        const QString said = refusal([&] { parseImageLabels({text.data(), static_cast<std::size_t>(text.size())}, 20, "labels.tsv"); });
        QVERIFY2(said.startsWith("malformed file: labels.tsv: ") && said.contains(part), qPrintable(said));
    }
    void classNames()
    {
        const std::vector<std::string> names = readClassNames(TAMIS_SOURCE_DIR "/datasets/vit20/labels.txt");
        QCOMPARE(names.size(), std::size_t{20});
        QCOMPARE(names[1], std::string("fire salamander"));
        QCOMPARE(parseClassNames("\xEF\xBB\xBF" "a\r\n b \r\n\r\n", "x"), (std::vector<std::string>{"a", "b"}));
    }
    void classNameRefusals()
    {
        const auto said = [](std::string_view text) { return refusal([&] { parseClassNames(text, "labels.txt"); }); };
        QVERIFY(said("").contains("holds no names"));
        QVERIFY(said("a\n\nb\n").contains("line 2: is empty"));
        QVERIFY(said("a\n\x01\n").contains("line 2: holds a control character"));
        QVERIFY(said("a\n\xC3\n").contains("line 2: is not a text in UTF-8"));
        QVERIFY(said(std::string(5000, 'x')).contains("limit exceeded"));
    }
    void missingFile() { QVERIFY(refusal([] { readImageLabels("/nowhere/labels.tsv", 2); }).startsWith("i/o failure")); }
};

QTEST_GUILESS_MAIN(TstLabelFile)
#include "tst_label_file.moc"
