// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/io/json_limits.h"
#include "core/io/torch_zip.h"
#include "tests/core/io/corpus_case.h"

#include <QTest>

#include <numeric>

using namespace tamis;
using namespace tamis::io;

namespace
{
const std::string kCorpus = TAMIS_SOURCE_DIR "/tests/corpus/torch/";

Pickle pickleOf(const std::string& path)
{
    const std::string text = readSmallFile(path, 1u << 20);
    return parsePickle(std::as_bytes(std::span(text)), path);
}

Pickle parsed(const std::string& body)
{
    const std::string program = "\x80\x02" + body + ".";
    return parsePickle(std::as_bytes(std::span(program)), "program");
}

std::vector<float> elements(const TorchFile& file, const PickleTensor& tensor)
{
    std::vector<float> values(static_cast<std::size_t>(
        std::accumulate(tensor.shape.begin(), tensor.shape.end(), std::int64_t{1}, std::multiplies<>())));
    file.read(tensor, values, "tensor");
    return values;
}

std::vector<float> elementsOfA(const char* name)
{
    const auto file = TorchFile::open(kCorpus + name);
    const PickleValue* a = file->pickle().find(file->pickle().top(), "a");
    return a && a->kind == PickleKind::Tensor ? elements(*file, file->pickle().tensors[a->tensor])
                                              : std::vector<float>{-1};
}
} // namespace

class TstTorchZip : public QObject
{
    Q_OBJECT
private slots:
    void corpus_data()
    {
        QTest::addColumn<int>("number");
        const auto cases = test::readCorpus("torch");
        for (int i = 0; i < cases.size(); ++i)
            QTest::newRow(qPrintable(cases[i].path.section('/', -1))) << i;
    }
    void corpus()
    {
        QFETCH(int, number);
        const test::CorpusCase each = test::readCorpus("torch")[number];
        const std::string path = each.path.toStdString();
        const QString verdict = test::corpusVerdict(each, [&] {
            if (path.ends_with(".pkl")) {
                pickleOf(path);
                return;
            }
            const auto file = TorchFile::open(path);
            for (const PickleValue& value : file->pickle().values)
                if (value.kind == PickleKind::Tensor)
                    elements(*file, file->pickle().tensors[value.tensor]);
        });
        QVERIFY2(verdict.isEmpty(), qPrintable(verdict));
    }
    void corpusIsListed() { QVERIFY(test::corpusIsComplete("torch")); }

    void stridesAreFollowed()
    {
        const std::vector<float> rows = {0, 1, 2, 3, 4, 5};
        QCOMPARE(elementsOfA("good.pt"), rows);
        QCOMPARE(elementsOfA("good_prefix.pt"), rows);
        QCOMPARE(elementsOfA("good_transposed.pt"), (std::vector<float>{0, 3, 1, 4, 2, 5}));
        QCOMPARE(elementsOfA("good_part.pt"), (std::vector<float>{1, 2, 4, 5}));
        QCOMPARE(elementsOfA("good_scalar.pt"), std::vector<float>{5});
        QVERIFY(elementsOfA("good_empty.pt").empty());
        const std::vector<float> expanded = elementsOfA("good_expanded.pt");
        QCOMPARE(expanded.size(), std::size_t{600});
        QVERIFY(std::equal(rows.begin(), rows.end(), expanded.end() - 6));
    }
    void valuesAreWhatWasWritten()
    {
        const Pickle pickle = pickleOf(kCorpus + "good.pkl");
        const auto at = [&](const char* key) -> const PickleValue& { return *pickle.find(pickle.top(), key); };
        QVERIFY(at("k").kind == PickleKind::Whole && at("k").whole == 5);
        QVERIFY(at("f").kind == PickleKind::Real && at("f").real == 1.5);
        QVERIFY(at("n").kind == PickleKind::None);
        QVERIFY(at("t").kind == PickleKind::Truth && at("t").whole == 1);
        QVERIFY(at("b").kind == PickleKind::Bytes && at("b").text == "\xe9");
        QVERIFY(at("l").kind == PickleKind::Sequence && at("l").items.size() == 2 &&
                pickle.values[at("l").items[1]].whole == 2);
        const PickleTensor& tensor = pickle.tensors[at("a").tensor];
        QVERIFY(tensor.storage == "0" && tensor.dtype == tensor::DType::F32 && tensor.storageElements == 6);
        QCOMPARE(tensor.shape, (std::vector<std::int64_t>{2, 3}));
        QCOMPARE(tensor.strides, (std::vector<std::int64_t>{3, 1}));
        QVERIFY(!pickle.find(pickle.top(), "absent") && !pickle.find(at("k"), "k"));
    }
    // Two's complement, least significant byte first, of any length up to 8.
    void wholeNumbersKeepTheirSign()
    {
        QCOMPARE(parsed(std::string("\x8a\x00", 2)).top().whole, std::int64_t{0});
        QCOMPARE(parsed("\x8a\x01\xff").top().whole, std::int64_t{-1});
        QCOMPARE(parsed(std::string("\x8a\x02\xff\x00", 4)).top().whole, std::int64_t{255});
        QCOMPARE(parsed("\x8a\x02\x01\x80").top().whole, std::int64_t{-32767});
        QCOMPARE(parsed(std::string("\x8a\x08\0\0\0\0\0\0\0\x80", 10)).top().whole,
                 std::numeric_limits<std::int64_t>::min());
        QCOMPARE(parsed("J\xfe\xff\xff\xff").top().whole, std::int64_t{-2});
        QCOMPARE(parsed("K\xff").top().whole, std::int64_t{255});
        QCOMPARE(parsed("M\xff\xff").top().whole, std::int64_t{65535});
    }
    void limitsHold()
    {
        const auto codeOf = [](const std::string& program, PickleLimits limits) {
            try {
                parsePickle(std::as_bytes(std::span(program)), "program", limits);
            } catch (const Error& error) {
                return error.code();
            }
            return ErrorCode::IoFailure; // none
        };
        const std::string three = "\x80\x02(NNNt.";
        QCOMPARE(codeOf(three, {.values = 4}), ErrorCode::IoFailure);
        QCOMPARE(codeOf(three, {.values = 3}), ErrorCode::LimitExceeded);
        QCOMPARE(codeOf(three, {.bytes = three.size()}), ErrorCode::IoFailure);
        QCOMPARE(codeOf(three, {.bytes = three.size() - 1}), ErrorCode::LimitExceeded);
        QCOMPARE(codeOf(three, {.depth = 1}), ErrorCode::IoFailure);
        QCOMPARE(codeOf(three, {.depth = 0}), ErrorCode::LimitExceeded);
        const std::string recalls = std::string("\x80\x02Nq\0", 5) + std::string("h\0h\0\x87", 5) + ".";
        QCOMPARE(codeOf(recalls, {.values = 2}), ErrorCode::IoFailure);
        QCOMPARE(codeOf(recalls, {.values = 1}), ErrorCode::LimitExceeded);
    }
    void aWrongSizeIsRefused()
    {
        const auto file = TorchFile::open(kCorpus + "good.pt");
        std::vector<float> five(5);
        const PickleTensor& tensor = file->pickle().tensors.back();
        try {
            file->read(tensor, five, "tensor");
            QFAIL("was read");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::InvalidParameter);
        }
        std::vector<float> six(6);
        std::stop_source stop;
        stop.request_stop();
        try {
            file->read(tensor, six, "tensor", RunContext(stop.get_token()));
            QFAIL("was read");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
        }
    }
    void aProbeThrowsNothing()
    {
        QVERIFY(looksLikeTorchZip(kCorpus + "good.pt"));
        QVERIFY(!looksLikeTorchZip(kCorpus + "legacy.pt"));
        QVERIFY(!looksLikeTorchZip(kCorpus + "empty.pt"));
        QVERIFY(!looksLikeTorchZip(kCorpus));
        QVERIFY(!looksLikeTorchZip("/nowhere"));
    }
};

QTEST_GUILESS_MAIN(TstTorchZip)
#include "tst_torch_zip.moc"
