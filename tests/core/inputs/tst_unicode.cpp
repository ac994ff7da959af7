// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/sha256.h"
#include "core/inputs/unicode.h"
#include "core/inputs/utf8.h"

#include <QFile>
#include <QMap>
#include <QTest>

#include <functional>
#include <string>
#include <vector>

using namespace tamis;
using namespace tamis::inputs;

namespace {
/// SHA-256 of the lines, joined by "\n".
QString digest(const std::vector<std::string>& lines)
{
    std::string text;
    for (std::size_t i = 0; i < lines.size(); ++i)
        text.append(i > 0 ? "\n" : "").append(lines[i]);
    return QString::fromStdString(sha256(std::as_bytes(std::span(text.data(), text.size()))));
}

std::vector<std::string> ofEveryCharacter(const std::function<std::string(char32_t)>& map)
{
    std::vector<std::string> lines;
    for (char32_t c = 0; c < 0x110000; ++c)
        if (c < 0xD800 || c >= 0xE000)
            lines.push_back(map(c));
    return lines;
}

/// The sequences of make_tokenizer_goldens.py.
std::vector<std::u32string> sequences()
{
    const std::u32string marks = U"aeos\u0323\u0307\u0301\u0308\u0315\u1100\u1161\u11a8\uac00\u1e9b\u0344\u0958\u212b\u00df\u0f71\u0f72\u0fb2\u093c\u0928";
    std::vector<std::u32string> result(20000);
    std::uint64_t state = 1;
    for (std::u32string& sequence : result)
        for (int i = 0; i < 6; ++i) {
            state = (state * 1103515245 + 12345) % (std::uint64_t{1} << 31);
            sequence.push_back(marks[state / 65536 % marks.size()]);
        }
    return result;
}
} // namespace

class TstUnicode : public QObject
{
    Q_OBJECT
    QMap<QString, QString> m_expected;

private slots:
    void initTestCase()
    {
        QFile file(QStringLiteral(TAMIS_SOURCE_DIR "/tests/golden/tokenizers/unicode.tsv"));
        QVERIFY(file.open(QIODevice::ReadOnly));
        for (const QByteArray& line : file.readAll().split('\n'))
            if (const auto fields = line.split('\t'); fields.size() == 2)
                m_expected[fields[0]] = fields[1];
        QCOMPARE(m_expected.size(), 7);
    }
    // Against Python's unicodedata, every character.
    void normalisationForms()
    {
        const auto changed = [](auto change) {
            return digest(ofEveryCharacter([&](char32_t c) { return toUtf8(change(std::u32string(1, c))); }));
        };
        QCOMPARE(changed(composed), m_expected["nfc"]);
        QCOMPARE(changed(decomposed), m_expected["nfd"]);
        QCOMPARE(changed(lowercased), m_expected["lower"]);
    }
    void normalisationOfSequences()
    {
        std::vector<std::string> c, d;
        for (const std::u32string& sequence : sequences()) {
            c.push_back(toUtf8(composed(sequence)));
            const std::u32string inside = U"a\u00e9" + sequence + U"z" + sequence;
            QCOMPARE(composedUtf8(toUtf8(inside)), toUtf8(composed(inside)));
            d.push_back(toUtf8(decomposed(sequence)));
            QVERIFY(composed(decomposed(sequence)) == composed(sequence));
        }
        QCOMPARE(digest(c), m_expected["nfc sequences"]);
        QCOMPARE(digest(d), m_expected["nfd sequences"]);
    }
    void classes()
    {
        const Characters characters;
        QCOMPARE(digest(ofEveryCharacter([&](char32_t c) { return std::to_string(static_cast<int>(characters.classOf(c))); })), m_expected["classes"]);
        QStringList spaces;
        for (char32_t c = 0; c < 0x110000; ++c)
            if (characters.isSpace(c))
                spaces.append(QString::number(c, 16));
        QCOMPARE(spaces.join(' '), m_expected["spaces"]);
        QVERIFY(characters.classOf(0x110000) == CharacterClass::Unassigned && !characters.isSpace(0xFFFFFFFF));
        for (const char32_t c : U"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
            QVERIFY(c == 0 || characters.isPunctuation(c));
        QVERIFY(!characters.isPunctuation(' ') && !characters.isPunctuation('a') && !characters.isPunctuation('0') && !characters.isPunctuation(0x7F));
    }
};

QTEST_GUILESS_MAIN(TstUnicode)
#include "tst_unicode.moc"
