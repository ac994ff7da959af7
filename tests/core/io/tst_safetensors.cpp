// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/io/checkpoint.h"
#include "core/io/safetensors.h"
#include "tests/core/io/corpus_case.h"

#include <QDir>
#include <QProcess>
#include <QTemporaryDir>
#include <QTest>

#include <cstring>
#include <fcntl.h>
#include <limits>
#include <random>
#include <unistd.h>

using namespace tamis;
using namespace tamis::io;
using tensor::DType;

namespace {
std::vector<std::byte> contentOf(const QString& path)
{
    QFile file(path);
    if (!file.open(QIODevice::ReadOnly))
        return {};
    const QByteArray bytes = file.readAll();
    const auto* begin = reinterpret_cast<const std::byte*>(bytes.constData());
    return {begin, begin + bytes.size()};
}
} // namespace

class TstSafetensors : public QObject
{
    Q_OBJECT
    QTemporaryDir m_dir;
    std::filesystem::path path(const char* name) const { return m_dir.filePath(name).toStdString(); }
    template <class Use> static void refuses(Use use, const char* part, ErrorCode code = ErrorCode::InvalidParameter)
    {
        try {
            use();
            QFAIL(qPrintable(QString("accepted, expected ") + part));
        } catch (const Error& error) {
            QVERIFY2(error.code() == code, error.what());
            QVERIFY2(std::string_view(error.what()).find(part) != std::string_view::npos, error.what());
        }
    }

private slots:
    void corpus_data()
    {
        QTest::addColumn<int>("number");
        const auto cases = test::readCorpus("safetensors");
        for (int i = 0; i < cases.size(); ++i)
            QTest::newRow(qPrintable(cases[i].path.section('/', -1))) << i;
    }
    void corpus()
    {
        QFETCH(int, number);
        const test::CorpusCase each = test::readCorpus("safetensors")[number];
        const QString verdict = test::corpusVerdict(each, [&] {
            const auto checkpoint = Checkpoint::open(each.path.toStdString());
            for (const TensorEntry& entry : checkpoint->tensors()) {
                const auto values = checkpoint->readFloats(entry);
                if (values.size() != entry.elements())
                    throw std::runtime_error("wrong number of values");
            }
            for (const MatrixRef& matrix : checkpoint->layout().matrices)
                checkpoint->readMatrixDouble(matrix);
        });
        QVERIFY2(verdict.isEmpty(), qPrintable(verdict));
    }
    void corpusIsListed() { QVERIFY(test::corpusIsComplete("safetensors")); }

    void everyTruncationIsRefused()
    {
        const auto bytes = contentOf(TAMIS_SOURCE_DIR "/tests/corpus/safetensors/good_every_dtype.safetensors");
        QVERIFY(bytes.size() > 100);
        QCOMPARE(parseSafetensorsHeader(bytes, bytes.size(), "whole").tensors.size(), 10u);
        for (std::size_t size = 0; size < bytes.size(); ++size)
            QVERIFY_EXCEPTION_THROWN(parseSafetensorsHeader(std::span(bytes).first(size), size, "cut"), Error);
    }
    void anyChangedByteIsReadOrRefused()
    {
        const auto good = contentOf(TAMIS_SOURCE_DIR "/tests/corpus/safetensors/good.safetensors");
        std::size_t accepted = 0, refused = 0;
        for (std::size_t at = 0; at < good.size(); ++at)
            for (int change = 1; change < 256; ++change) {
                auto bytes = good;
                bytes[at] ^= static_cast<std::byte>(change);
                try {
                    const auto header = parseSafetensorsHeader(bytes, bytes.size(), "changed");
                    ++accepted;
                    std::uint64_t end = 8;
                    for (const TensorEntry& entry : header.tensors) // whatever was accepted keeps the contract
                        end = std::max(end, entry.offset + entry.bytes);
                    QVERIFY(end <= bytes.size());
                } catch (const Error&) {
                    ++refused;
                }
            }
        QVERIFY(accepted > 36 * 255 / 2 && refused > 1000); // data bytes may be anything, the header may not
    }
    void aHeaderOverTheLimitIsNotRead()
    {
        // 8 bytes and a hole: the length is believed against the file's size, but not against the limit.
        const std::filesystem::path file = path("huge.safetensors");
        const int descriptor = ::open(file.c_str(), O_WRONLY | O_CREAT, 0600);
        const std::uint64_t length = kMaximumSafetensorsHeader + 1;
        QVERIFY(write(descriptor, &length, 8) == 8 && write(descriptor, "{", 1) == 1 && ftruncate(descriptor, 200'000'000) == 0);
        ::close(descriptor);
        refuses([&] { Checkpoint::open(file); }, "the header has 100000001 bytes, at most 100000000 are read", ErrorCode::LimitExceeded);
    }

    void aHeaderOfManyTensorsStops()
    {
        std::string header = "{";
        for (int i = 0; i < 50'000; ++i)
            header += (i ? ",\"t" : "\"t") + std::to_string(i) + "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}";
        header += "}";
        const std::uint64_t length = header.size();
        std::vector<std::byte> bytes(8 + header.size());
        std::memcpy(bytes.data(), &length, 8);
        std::memcpy(bytes.data() + 8, header.data(), header.size());
        QCOMPARE(parseSafetensorsHeader(bytes, bytes.size(), "x").tensors.size(), 50'000u);
        std::stop_source stop;
        stop.request_stop();
        refuses([&] { parseSafetensorsHeader(bytes, bytes.size(), "x", RunContext(stop.get_token())); }, "", ErrorCode::Cancelled);
    }

    void writerRoundTrips()
    {
        std::mt19937 random(5);
        const std::vector<TensorDeclaration> declared{{"m.weight", DType::F64, {3, 5}}, {"quote\"d \u00e9", DType::F32, {}}, {"none", DType::F32, {0, 4}},
                                                      {"b", DType::BF16, {7}},          {"h", DType::F16, {2, 2, 2}},      {"i", DType::I8, {3}}};
        std::vector<double> m(15);
        for (double& value : m)
            value = std::normal_distribution<double>()(random);
        const std::vector<float> brain{1, 2, 3, -4, 0.5f, 1e30f, std::numeric_limits<float>::infinity()}, half{1, 2, 3, 4, 5, 6, 7, -8};
        const std::vector<std::byte> words{std::byte{1}, std::byte{255}, std::byte{3}};
        const float scalar = 2.5f;
        SafetensorsWriter writer(path("written.safetensors"), declared, {{"format", "pt"}, {"a\nb", "\u20ac"}});
        writer.appendValues("m.weight", std::span<const double>(m).first(4)); // in pieces
        writer.appendValues("m.weight", std::span<const double>(m).subspan(4));
        writer.append("quote\"d \u00e9", std::as_bytes(std::span(&scalar, 1)));
        writer.appendValues("b", std::span<const float>(brain));
        writer.appendValues("h", std::span<const float>(half));
        writer.append("i", std::span(words).first(1));
        writer.append("i", std::span(words).subspan(1));
        QVERIFY(!std::filesystem::exists(path("written.safetensors")));
        writer.commit();
        QCOMPARE(std::filesystem::file_size(path("written.safetensors")), writer.fileSize());

        const auto bytes = contentOf(m_dir.filePath("written.safetensors"));
        const auto header = parseSafetensorsHeader(bytes, bytes.size(), "x");
        QVERIFY((header.metadata == std::map<std::string, std::string>{{"format", "pt"}, {"a\nb", "\u20ac"}}));
        QCOMPARE(header.tensors.front().offset % 8, 0u);
        const auto checkpoint = Checkpoint::open(path("written.safetensors"));
        QCOMPARE(checkpoint->tensors().size(), declared.size());
        for (const TensorDeclaration& each : declared) {
            const TensorEntry* entry = checkpoint->find(each.name);
            QVERIFY(entry != nullptr && entry->dtype == each.dtype && entry->shape == each.shape);
        }
        const auto& matrices = checkpoint->layout().matrices;
        const auto matrix = std::ranges::find(matrices, "m.weight", &MatrixRef::tensor);
        QVERIFY(matrix != matrices.end());
        QVERIFY(std::ranges::equal(checkpoint->readMatrixDouble(*matrix).values(), m));
        QCOMPARE(checkpoint->readFloats(*checkpoint->find("h")), half);
        QVERIFY(checkpoint->readBytes(*checkpoint->find("i")) == words);
        QCOMPARE(checkpoint->readFloats(*checkpoint->find("b"))[6], std::numeric_limits<float>::infinity());
    }
    void theDataBeginAlignedWhateverTheHeader()
    {
        for (std::size_t length = 1; length <= 16; ++length) {
            SafetensorsWriter writer(path("aligned.safetensors"), {{std::string(length, 'n'), DType::F64, {1}}});
            const double value = 1;
            writer.appendValues(std::string(length, 'n'), std::span<const double>(&value, 1));
            writer.commit();
            QCOMPARE(Checkpoint::open(path("aligned.safetensors"))->tensors().front().offset % 8, 0u);
        }
    }
    void pythonReadsWhatIsWritten()
    {
        // The format's own rules in 20 lines of Python, and NumPy's idea of the values.
        SafetensorsWriter writer(path("python.safetensors"), {{"w", DType::F32, {2, 3}}, {"h", DType::F16, {5}}}, {{"format", "pt"}});
        const std::vector<float> w{1, 2, 3, 4, 5, 6.25f}, h{0.1f, 65504, -1e-7f, 1e6f, 3};
        writer.appendValues("w", std::span<const float>(w));
        writer.appendValues("h", std::span<const float>(h));
        writer.commit();
        if (!QFile::exists("/usr/bin/python3"))
            QSKIP("there is no /usr/bin/python3");
        QProcess python;
        python.start("/usr/bin/python3", {TAMIS_SOURCE_DIR "/tests/golden/read_safetensors.py", m_dir.filePath("python.safetensors")});
        QVERIFY(python.waitForFinished(60'000));
        if (python.exitCode() == 77)
            QSKIP("this Python has no NumPy");
        const QByteArray text = python.readAllStandardOutput();
        QCOMPARE(text, QByteArray("__metadata__ {'format': 'pt'}\n"
                                  "h F16 [5] [0.0999755859375, 65504.0, -1.1920928955078125e-07, inf, 3.0]\n"
                                  "w F32 [2, 3] [1.0, 2.0, 3.0, 4.0, 5.0, 6.25]\n"));
    }
    void writerRefusesWhatCannotBe()
    {
        const auto target = path("refused.safetensors");
        const float one = 1;
        const std::span<const float> value(&one, 1);
        const std::vector<TensorDeclaration> ab{{"a", DType::F32, {1}}, {"b", DType::I32, {1}}};
        refuses([&] { SafetensorsWriter(target, {{"a", DType::F32, {1}}, {"a", DType::F32, {1}}}); }, "the tensor \"a\" is declared twice");
        refuses([&] { SafetensorsWriter(target, {{"", DType::F32, {1}}}); }, "a tensor cannot be called \"\"");
        refuses([&] { SafetensorsWriter(target, {{"__metadata__", DType::F32, {1}}}); }, "cannot be called");
        refuses([&] { SafetensorsWriter(target, {{"a", DType::F32, {-1}}}); }, "the tensor \"a\" has a negative dimension: [-1]");
        refuses([&] { SafetensorsWriter(target, {{"a\xff", DType::F32, {1}}}); }, "is not valid UTF-8");
        refuses([&] { SafetensorsWriter(target, ab).appendValues("b", value); }, "found bytes for \"b\", expected \"a\" first");
        refuses([&] { SafetensorsWriter(target, ab).append("a", std::as_bytes(std::span("12345", 5))); }, "found 5 more bytes for \"a\", expected at most 4");
        refuses([&] { SafetensorsWriter(target, ab).commit(); }, "the tensor \"a\" lacks 4 of 4 bytes");
        refuses(
            [&] {
                SafetensorsWriter writer(target, ab);
                writer.appendValues("a", value);
                writer.appendValues("b", value); // no rounding into whole numbers
            },
            "not as I32", ErrorCode::UnsupportedFeature);
        refuses(
            [&] {
                SafetensorsWriter writer(target, {{"a", DType::F32, {1}}});
                writer.appendValues("a", value);
                writer.appendValues("a", value);
            },
            "all declared bytes are written");
        refuses([&] { SafetensorsWriter("/proc/nowhere/x.safetensors", ab); }, "/proc/nowhere/x.safetensors: cannot be created", ErrorCode::IoFailure);
        QCOMPARE(QDir(m_dir.path()).entryList({"refused*"}, QDir::Files), QStringList()); // nothing remains
    }
};

QTEST_GUILESS_MAIN(TstSafetensors)
#include "tst_safetensors.moc"
