// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/inputs/tokenizer.h"
#include "core/inputs/utf8.h"
#include "tests/core/io/corpus_case.h"

#include <QTemporaryDir>
#include <QTest>

#include <random>

using namespace tamis;
using namespace tamis::inputs;

namespace {
using Ids = std::vector<std::int32_t>;
const QString kGoldens = QStringLiteral(TAMIS_SOURCE_DIR "/tests/golden/tokenizers/");

std::shared_ptr<const Tokenizer> golden(const char* name) { return Tokenizer::read((kGoldens + name + ".json").toStdString()); }

QString shown(const Ids& ids)
{
    QStringList words;
    for (const std::int32_t id : ids)
        words.append(QString::number(id));
    return words.join(' ');
}

/// A tokenizer.json around the BPE vocabulary a b c ab bc abc with the merges of `merges`, and further keys.
std::string smallBpe(const std::string& merges, const std::string& model = "", const std::string& document = "")
{
    return R"({"model":{"type":"BPE","vocab":{"a":0,"b":1,"c":2,"ab":3,"bc":4,"abc":5,"?":6},"merges":)" + merges + model + "}" + document + "}";
}
Ids encoded(const std::string& json, std::string_view text, bool special = false) { return Tokenizer::parse(json, "small.json")->encode(text, special); }
} // namespace

class TstTokenizer : public QObject
{
    Q_OBJECT
private slots:
    void asTheReference_data()
    {
        QTest::addColumn<QString>("name");
        for (const char* name : {"gpt2", "gpt2_prefix", "llama3", "qwen2", "llama2", "mistral", "bert", "bert_cased"})
            QTest::newRow(name) << QString(name);
    }
    void asTheReference()
    {
        QFETCH(QString, name);
        const auto tokenizer = golden(qPrintable(name));
        QFile table(kGoldens + name + ".tsv");
        QVERIFY(table.open(QIODevice::ReadOnly));
        int lines = 0;
        for (const QByteArray& line : table.readAll().split('\n')) {
            if (line.isEmpty())
                continue;
            const auto fields = line.split('\t');
            QCOMPARE(fields.size(), 3);
            const std::string text = QByteArray::fromHex(fields[0]).toStdString();
            const Ids ids = tokenizer->encode(text, false);
            QVERIFY2(shown(ids) == QString(fields[1]), qPrintable(QString("%1\n  found    %2\n  expected %3").arg(fields[0], shown(ids), fields[1])));
            QCOMPARE(QByteArray::fromStdString(tokenizer->decode(ids)).toHex(), fields[2]);
            ++lines;
        }
        QVERIFY(lines > 140);
    }

    void frames()
    {
        const auto llama3 = golden("llama3");
        const std::int32_t end = llama3->tokenId("<|endoftext|>").value();
        QCOMPARE(llama3->leadingIds(), Ids{end});
        QVERIFY(llama3->trailingIds().empty() && llama3->isSpecial(end) && !llama3->isSpecial(0));
        Ids framed = llama3->encode("Call me", true);
        QCOMPARE(framed.front(), end);
        framed.erase(framed.begin());
        QCOMPARE(framed, llama3->encode("Call me", false));
        const auto bert = golden("bert"), cased = golden("bert_cased");
        QCOMPARE(bert->encode("", true), (Ids{2, 3})); // [CLS] [SEP]
        QCOMPARE(cased->encode("", true), (Ids{2, 3}));
        QCOMPARE(bert->decode(Ids{2, 3}, true), std::string("[CLS] [SEP]"));
        QCOMPARE(bert->decode(Ids{2, 3}), std::string());
        QCOMPARE(golden("mistral")->encode("", true), Ids{1});
        QVERIFY(golden("gpt2")->encode("", true).empty());
    }
    void kindsAndTexts()
    {
        QCOMPARE(golden("gpt2")->kind(), std::string("byte-level BPE"));
        QCOMPARE(golden("llama2")->kind(), std::string("character BPE"));
        QCOMPARE(golden("bert")->kind(), std::string("WordPiece"));
        const auto gpt2 = golden("gpt2");
        QCOMPARE(gpt2->vocabularySize(), 497); // 256 bytes, 240 merges, one added
        QCOMPARE(gpt2->tokenText(496), std::string("<|endoftext|>"));
        QCOMPARE(gpt2->tokenText(-1) + gpt2->tokenText(497), std::string());
        QVERIFY(!gpt2->tokenId("no such token"));
        QCOMPARE(gpt2->decode(Ids{-1, 1000, 2147483647}), std::string());
    }

    // Without special tokens nothing is lost: decode(encode(text)) is the text, whatever bytes it holds.
    void byteLevelIsLossless()
    {
        std::mt19937 random(5);
        const auto tokenizer = golden("llama3");
        for (int round = 0; round < 300; ++round) {
            std::string text(random() % 200, '\0');
            for (char& c : text)
                c = static_cast<char>(round % 2 == 0 ? random() % 128 : random());
            QCOMPARE(tokenizer->decode(tokenizer->encode(text, false)), withReplacements(text));
        }
    }
    // One long piece takes another path than short ones (a heap instead of a scan): both give what merging pair after pair over
    // the whole text gives.
    void longPiecesMergeAsShortOnes()
    {
        const std::vector<std::pair<std::string, std::string>> merges{{"a", "b"}, {"b", "c"}, {"ab", "c"}, {"a", "bc"}};
        const std::string json = smallBpe(R"(["a b","b c","ab c",["a","bc"]])");
        std::mt19937 random(7);
        for (const std::size_t length : {1, 2, 5, 47, 48, 49, 50, 300}) {
            std::string text;
            std::vector<std::string> symbols;
            for (std::size_t i = 0; i < length; ++i) {
                text.push_back("abc"[random() % 3]);
                symbols.emplace_back(1, text.back());
            }
            for (bool any = true; any;) {
                any = false;
                for (const auto& [left, right] : merges) { // the lowest rank, its leftmost pair, then from the start again
                    for (std::size_t i = 0; i + 1 < symbols.size() && !any; ++i)
                        if (symbols[i] == left && symbols[i + 1] == right) {
                            symbols[i] += symbols[i + 1];
                            symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(i) + 1);
                            any = true;
                        }
                    if (any)
                        break;
                }
            }
            const auto tokenizer = Tokenizer::parse(json, "small.json");
            Ids expected;
            for (const std::string& symbol : symbols)
                expected.push_back(tokenizer->tokenId(symbol).value());
            QCOMPARE(tokenizer->encode(text, false), expected);
        }
    }
    // Words are merged one by one only where no merge reaches over the start of the next.
    void mergesOverWordStarts()
    {
        const auto with = [](const char* merges) {
            return std::string(R"({"model":{"type":"BPE","vocab":{"a":0,"▁":1,"▁a":2,"a▁":3,"▁▁":4,"?":5},"unk_token":"?","fuse_unk":true,"merges":)") + merges + "}}";
        };
        QCOMPARE(encoded(with(R"(["▁ a","a ▁"])"), "a▁▁a▁"), (Ids{3, 2, 1}));
        QCOMPARE(encoded(with(R"(["a ▁","▁ a"])"), "a▁▁a▁"), (Ids{3, 1, 3}));
        QCOMPARE(encoded(with(R"(["▁ ▁","▁ a"])"), "a▁▁a▁a"), (Ids{0, 4, 0, 2}));
        QCOMPARE(encoded(with(R"(["▁ ▁","▁ a"])"), "xx▁xa"), (Ids{5, 1, 5, 0}));
    }
    void unknownCharacters()
    {
        QCOMPARE(encoded(smallBpe("[]"), "axxb"), (Ids{0, 1}));                                                      // dropped
        QCOMPARE(encoded(smallBpe("[]", R"(,"unk_token":"?")"), "axxb"), (Ids{0, 6, 6, 1}));
        QCOMPARE(encoded(smallBpe("[]", R"(,"unk_token":"?","fuse_unk":true)"), "axxbx"), (Ids{0, 6, 1, 6}));
    }
    void wordEndsAndInsides()
    {
        const std::string json = R"({"model":{"type":"BPE","end_of_word_suffix":"</w>","vocab":{"a":0,"b":1,"b</w>":2,"ab</w>":3,"a</w>":4},"merges":["a b</w>"]},
                                    "pre_tokenizer":{"type":"WhitespaceSplit"},"decoder":{"type":"BPEDecoder","suffix":"</w>"}})";
        QCOMPARE(encoded(json, "ab  a bb"), (Ids{3, 4, 1, 2}));
        QCOMPARE(Tokenizer::parse(json, "x")->decode(Ids{3, 4, 1, 2}), std::string("ab a bb"));
        const std::string inner = R"({"model":{"type":"BPE","continuing_subword_prefix":"##","vocab":{"a":0,"##b":1,"ab":2,"##c":3,"##bc":4,"b":5},"merges":["a ##b","##b ##c"]}})";
        QCOMPARE(encoded(inner, "abc"), (Ids{2, 3}));
        QCOMPARE(encoded(inner, "bbc"), (Ids{5, 4}));
    }
    void addedTokens()
    {
        const auto with = [](const char* tokens, const char* normaliser = "null") {
            return smallBpe("[]", "", std::string(R"(,"normalizer":)") + normaliser + R"(,"added_tokens":[)" + tokens + "]");
        };
        // The longest at the leftmost place; white space is taken along where the token says so.
        QCOMPARE(encoded(with(R"({"id":7,"content":"<x>"},{"id":8,"content":"<x><x>"})"), "a<x><x><x>b"), (Ids{0, 8, 7, 1}));
        QCOMPARE(encoded(with(R"({"id":7,"content":"<x>","lstrip":true,"rstrip":true,"normalized":false})"), "a \t<x> \xC2\xA0 b<x>"), (Ids{0, 7, 1, 7}));
        const char* lower = R"({"type":"Lowercase"})";
        QCOMPARE(encoded(with(R"({"id":7,"content":"AB","normalized":true})", lower), "cabAB"), (Ids{2, 7, 7}));
        QCOMPARE(encoded(with(R"({"id":7,"content":"AB","normalized":false})", lower), "cabAB"), (Ids{2, 0, 1, 7}));
        QCOMPARE(Tokenizer::parse(with(R"({"id":9,"content":"<x>","special":true})"), "x")->vocabularySize(), 10);
    }
    void splitStages()
    {
        const auto pieces = [](const std::string& stage, const char* text) {
            // Every piece but those of one known character is one unknown token.
            return encoded(R"({"model":{"type":"WordPiece","unk_token":"?","vocab":{"?":0,"-":1,"a":2,"a-":3,"-a":4,"--":5,"12":6,"1":7}},"pre_tokenizer":)" + stage + "}", text);
        };
        const auto split = [](const char* behaviour) { return std::string(R"({"type":"Split","pattern":{"String":"-"},"behavior":")") + behaviour + "\"}"; };
        QCOMPARE(pieces(split("Removed"), "a--a-"), (Ids{2, 2}));
        QCOMPARE(pieces(split("Isolated"), "a--a-"), (Ids{2, 1, 1, 2, 1}));
        QCOMPARE(pieces(split("MergedWithPrevious"), "a--a-"), (Ids{3, 1, 3}));
        QCOMPARE(pieces(split("MergedWithNext"), "a--a-"), (Ids{2, 1, 4, 1}));
        QCOMPARE(pieces(split("Contiguous"), "a--a-"), (Ids{2, 5, 2, 1}));
        QCOMPARE(pieces(R"({"type":"Digits","individual_digits":false})", "a12a"), (Ids{2, 6, 2}));
        QCOMPARE(pieces(R"({"type":"Digits","individual_digits":true})", "a11a"), (Ids{2, 7, 7, 2}));
        QCOMPARE(pieces(R"({"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"Punctuation"}]})", " a-a  --"), (Ids{2, 1, 2, 1, 1}));
    }
    void metaspace()
    {
        const auto with = [](const char* fields) {
            return std::string(R"({"model":{"type":"BPE","vocab":{"a":0,"▁":1,"▁a":2},"merges":["▁ a"]},"added_tokens":[{"id":3,"content":"|"}],
                                   "pre_tokenizer":{"type":"Metaspace","replacement":"▁")") + fields + R"(},"decoder":{"type":"Metaspace"}})";
        };
        QCOMPARE(encoded(with(R"(,"prepend_scheme":"always")"), "a a|a"), (Ids{2, 2, 3, 2}));
        QCOMPARE(encoded(with(R"(,"prepend_scheme":"first")"), "a a|a"), (Ids{2, 2, 3, 0}));
        QCOMPARE(encoded(with(R"(,"prepend_scheme":"never")"), "a a|a"), (Ids{0, 2, 3, 0}));
        QCOMPARE(encoded(with(R"(,"add_prefix_space":false)"), "a  a"), (Ids{0, 1, 2}));
        QCOMPARE(encoded(with(""), " a"), Ids{2}); // no second one
        QCOMPARE(Tokenizer::parse(with(""), "x")->decode(Ids{2, 2, 1, 0}), std::string("a a a"));
    }
    void wordsOverTheLimitAreUnknown()
    {
        const std::string json = R"({"model":{"type":"WordPiece","max_input_chars_per_word":3,"unk_token":"u","vocab":{"u":0,"é":1,"##é":2}}})";
        QCOMPARE(encoded(json, "\xC3\xA9\xC3\xA9\xC3\xA9"), (Ids{1, 2, 2})); // counted in characters
        QCOMPARE(encoded(json, "\xC3\xA9\xC3\xA9\xC3\xA9\xC3\xA9"), Ids{0});
        QCOMPARE(encoded(json, "\xC3\xA9x"), Ids{0});
        // A token that is added later is no part of a word.
        QCOMPARE(encoded(json.substr(0, json.size() - 1) + R"(,"added_tokens":[{"id":3,"content":"##x","normalized":false}]})", "\xC3\xA9x"), Ids{0});
    }

    void corpus_data()
    {
        QTest::addColumn<int>("number");
        const auto cases = test::readCorpus("tokenizer");
        for (int i = 0; i < cases.size(); ++i)
            QTest::newRow(qPrintable(cases[i].path.section('/', -1))) << i;
    }
    void corpus()
    {
        QFETCH(int, number);
        const test::CorpusCase each = test::readCorpus("tokenizer")[number];
        const QString verdict = test::corpusVerdict(each, [&] { Tokenizer::read(each.path.toStdString())->encode("some text", true); });
        QVERIFY2(verdict.isEmpty(), qPrintable(verdict));
    }
    void corpusIsListed() { QVERIFY(test::corpusIsComplete("tokenizer")); }

    void directoriesAndMissingFiles()
    {
        QTemporaryDir directory;
        QVERIFY(QFile::copy(kGoldens + "gpt2.json", directory.filePath("tokenizer.json")));
        QCOMPARE(Tokenizer::read(directory.path().toStdString())->vocabularySize(), 497);
        QVERIFY_EXCEPTION_THROWN(Tokenizer::read(directory.filePath("none.json").toStdString()), Error);
    }
    void stops()
    {
        std::stop_source source;
        source.request_stop();
        try {
            golden("llama2")->encode(std::string(100'000, 'a'), false, RunContext(source.get_token()));
            QFAIL("was not stopped");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::Cancelled);
        }
    }
};

QTEST_GUILESS_MAIN(TstTokenizer)
#include "tst_tokenizer.moc"
