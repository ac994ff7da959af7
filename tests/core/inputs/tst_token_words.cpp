// SPDX-License-Identifier: GPL-3.0-or-later
// Tokens one by one: what can be seen is the text itself, what cannot is spelled out.
#include "core/inputs/token_words.h"

#include <QTest>

using namespace tamis::inputs;

namespace {
QString shown(std::string_view bytes) { return QString::fromStdString(visibleText(bytes)); }
std::shared_ptr<const Tokenizer> golden(const char* name) { return Tokenizer::read(std::string(TAMIS_SOURCE_DIR "/tests/golden/tokenizers/") + name + ".json"); }
} // namespace

class TestTokenWords : public QObject {
    Q_OBJECT
private slots:
    void whatCannotBeSeenIsSpelledOut()
    {
        QCOMPARE(shown("plain text, "), QStringLiteral("plain text, "));
        QCOMPARE(shown("a\nb\tc\rd"), QStringLiteral("a↵b⇥c␍d"));
        QCOMPARE(shown(std::string_view("\0\x1b\x7f", 3)), QStringLiteral("␀␛␡"));
        QCOMPARE(shown("caf\xc3\xa9 \xe2\x80\x94 \xf0\x9f\x98\x80"), QString::fromUtf8("café — 😀"));
        QCOMPARE(shown("\xe2\x80"), QStringLiteral("<E2><80>")); // the beginning of a character
        QCOMPARE(shown("\xff!"), QStringLiteral("<FF>!"));
        QCOMPARE(shown("\xe2\x80\x8b"), QStringLiteral("<U+200B>"));
        QCOMPARE(shown("\xc2\xa0"), QStringLiteral("<U+00A0>"));
        QVERIFY(shown("").isEmpty());
    }
    /// Tokens put side by side are the text, for every kind of tokenizer that loses nothing.
    void tokensTogetherAreTheText_data()
    {
        QTest::addColumn<QString>("name");
        for (const char* name : {"gpt2", "llama3", "qwen2"})
            QTest::newRow(name) << QString(name);
    }
    void tokensTogetherAreTheText()
    {
        QFETCH(QString, name);
        const auto tokenizer = golden(qPrintable(name));
        const std::string text = "The sea,  the sea!\nIt's 1851.";
        std::string together;
        for (const std::int32_t id : tokenizer->encode(text, false))
            together += visibleToken(*tokenizer, id);
        QCOMPARE(QString::fromStdString(together), shown(text));
    }
    void piecesOfSentencesBeginWithASpace()
    {
        for (const char* name : {"llama2", "mistral", "bert"}) {
            const auto tokenizer = golden(name);
            std::string together;
            for (const std::int32_t id : tokenizer->encode("the sea", false))
                together += visibleToken(*tokenizer, id);
            QCOMPARE(QString::fromStdString(together), QStringLiteral(" the sea"));
        }
    }
    void bytesOfACharacterAreSeenOneByOne()
    {
        const auto tokenizer = Tokenizer::parse(R"({"model":{"type":"BPE","vocab":{"<unk>":0,"<0x0A>":1,"<0xE2>":2,"▁a":3},"merges":[],"byte_fallback":true,"unk_token":"<unk>"},
            "decoder":{"type":"ByteFallback"}})", "small.json");
        QCOMPARE(QString::fromStdString(visibleToken(*tokenizer, 1)), QStringLiteral("↵"));
        QCOMPARE(QString::fromStdString(visibleToken(*tokenizer, 2)), QStringLiteral("<E2>"));
        QCOMPARE(QString::fromStdString(visibleToken(*tokenizer, 3)), QStringLiteral(" a"));
        QVERIFY(visibleToken(*tokenizer, 99).empty());
    }
};

QTEST_GUILESS_MAIN(TestTokenWords)
#include "tst_token_words.moc"
