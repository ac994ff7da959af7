// SPDX-License-Identifier: GPL-3.0-or-later
// Traces: values of every format, whatever the size of the reads; malformed ones refused with a sentence.
#include "core/io/trace_reader.h"
#include "tests/corpus/expectations.h"

#include <QTemporaryDir>

#include <lzma.h>
#include <zlib.h>
#include <zstd.h>

#include <cstring>
#include <fstream>

using namespace tamis;
using namespace tamis::io;

namespace {
std::vector<TraceEntry> all(const std::filesystem::path& path, const TraceOptions& options = {}, std::size_t atOnce = 64)
{
    const auto reader = TraceReader::open(path, options);
    std::vector<TraceEntry> entries, part(atOnce);
    for (std::size_t got = atOnce; got == atOnce;) {
        got = reader->read(part);
        entries.insert(entries.end(), part.begin(), part.begin() + static_cast<std::ptrdiff_t>(got));
    }
    if (reader->progress() != 1)
        throw std::logic_error("all was read, but progress is not 1");
    return entries;
}

std::filesystem::path corpus(const char* name) { return std::filesystem::path(TAMIS_SOURCE_DIR "/tests/corpus/trace") / name; }

std::vector<std::uint64_t> idsOf(const std::vector<TraceEntry>& entries)
{
    std::vector<std::uint64_t> ids;
    for (const TraceEntry& entry : entries)
        ids.push_back(entry.id);
    return ids;
}

/// Ids a line that no compression makes small: 2 MB, eight buffers of the reader.
QByteArray manyIds()
{
    QByteArray text;
    std::uint64_t state = 1;
    for (int i = 0; i < 100'000; ++i)
        text += QByteArray::number(static_cast<qulonglong>(state = state * 6364136223846793005ULL + 1442695040888963407ULL)) + '\n';
    return text;
}

QByteArray gzipped(const QByteArray& text)
{
    z_stream zlib{};
    deflateInit2(&zlib, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
    QByteArray packed(static_cast<qsizetype>(deflateBound(&zlib, static_cast<uLong>(text.size()))), 0);
    zlib.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    zlib.avail_in = static_cast<uInt>(text.size());
    zlib.next_out = reinterpret_cast<Bytef*>(packed.data());
    zlib.avail_out = static_cast<uInt>(packed.size());
    const bool whole = deflate(&zlib, Z_FINISH) == Z_STREAM_END;
    packed.resize(whole ? static_cast<qsizetype>(zlib.total_out) : 0);
    deflateEnd(&zlib);
    return packed;
}

QByteArray xzPacked(const QByteArray& text)
{
    QByteArray packed(static_cast<qsizetype>(lzma_stream_buffer_bound(static_cast<std::size_t>(text.size()))), 0);
    std::size_t bytes = 0;
    const lzma_ret result = lzma_easy_buffer_encode(1, LZMA_CHECK_CRC32, nullptr, reinterpret_cast<const std::uint8_t*>(text.data()), static_cast<std::size_t>(text.size()),
                                                    reinterpret_cast<std::uint8_t*>(packed.data()), &bytes, static_cast<std::size_t>(packed.size()));
    packed.resize(result == LZMA_OK ? static_cast<qsizetype>(bytes) : 0);
    return packed;
}

QByteArray zstdPacked(const QByteArray& text)
{
    QByteArray packed(static_cast<qsizetype>(ZSTD_compressBound(static_cast<std::size_t>(text.size()))), 0);
    const std::size_t bytes = ZSTD_compress(packed.data(), static_cast<std::size_t>(packed.size()), text.data(), static_cast<std::size_t>(text.size()), 1);
    packed.resize(ZSTD_isError(bytes) == 0 ? static_cast<qsizetype>(bytes) : 0);
    return packed;
}

/// "5\n6\n" as `xz --check=crc32 --lzma2=dict=512MiB` writes it: byte 16 is the size of the dictionary, the four from 20 on the CRC of that header.
constexpr std::array<unsigned char, 56> kWideXz{
    0xFD, 0x37, 0x7A, 0x58, 0x5A, 0x00, 0x00, 0x01, 0x69, 0x22, 0xDE, 0x36, 0x02, 0x00, 0x21, 0x01, 0x22, 0x00, 0x00, 0x00, 0x82, 0x40, 0xAC, 0xDC, 0x01, 0x00, 0x03, 0x35,
    0x0A, 0x36, 0x0A, 0x00, 0x32, 0x2A, 0xEF, 0x82, 0x00, 0x01, 0x18, 0x04, 0x6B, 0xE9, 0xF0, 0xA5, 0x90, 0x42, 0x99, 0x0D, 0x01, 0x00, 0x00, 0x00, 0x00, 0x01, 0x59, 0x5A};
/// The same as `zstd --ultra --long=29` writes it from a pipe, without the checksum: the byte behind the flags is (29 - 10) << 3, the window's logarithm.
constexpr std::array<unsigned char, 13> kWideZstd{0x28, 0xB5, 0x2F, 0xFD, 0x00, 0x98, 0x21, 0x00, 0x00, 0x35, 0x0A, 0x36, 0x0A};

template <std::size_t N> QByteArray bytesOf(const std::array<unsigned char, N>& bytes) { return {reinterpret_cast<const char*>(bytes.data()), static_cast<qsizetype>(N)}; }
} // namespace

class TstTraceReader : public QObject {
    Q_OBJECT
private slots:
    void corpus_data() { test::addExpectations("trace"); }
    void corpus()
    {
        test::verifyExpectation("trace", [](const std::filesystem::path& path) { return all(path).size(); });
    }
    void readsOfAnySize()
    {
        for (const char* name : {"ids.txt", "ids.gz", "ids.xz", "ids.zst", "ids_frames.zst", "ids_fill_the_buffer.zst", "two.oracleGeneral", "blocks.lis", "named.csv"})
            for (const std::size_t atOnce : {1U, 2U, 3U, 1000U})
                QVERIFY2(idsOf(all(::corpus(name), {}, atOnce)) == idsOf(all(::corpus(name))), name);
    }
    void progressGrowsToOne_data()
    {
        QTest::addColumn<QByteArray>("bytes");
        const QByteArray text = manyIds();
        QTest::newRow("plain") << text;
        QTest::newRow("gzip") << gzipped(text);
        QTest::newRow("xz") << xzPacked(text);
        QTest::newRow("zstd") << zstdPacked(text);
    }
    /// Never falls, grows as the file is read, is 1 at its end and not before most of it was read.
    void progressGrowsToOne()
    {
        QFETCH(QByteArray, bytes);
        QVERIFY(bytes.size() > 1 << 19); // more than the buffers of all that reads ahead
        const QTemporaryDir folder;
        const std::filesystem::path file = folder.filePath("ids").toStdString();
        std::ofstream(file, std::ios::binary).write(bytes.data(), bytes.size());
        const auto reader = TraceReader::open(file, {.format = TraceFormat::Ids, .columns = {}});
        std::vector<TraceEntry> part(1000);
        double before = reader->progress();
        QVERIFY(before >= 0 && before < 0.2);
        std::size_t read = 0, grew = 0;
        for (std::size_t got = part.size(); got == part.size();) {
            got = reader->read(part);
            read += got;
            const double now = reader->progress(), passed = static_cast<double>(read) / 100'000;
            QVERIFY2(now >= before && now <= 1, qPrintable(QString("%1 behind %2").arg(now).arg(before)));
            QVERIFY2(now >= passed - 0.01 && now <= passed + 0.25, qPrintable(QString("%1 after %2 of the ids").arg(now).arg(passed))); // what was read ahead is on top
            grew += now > before ? 1U : 0U;
            before = now;
        }
        QCOMPARE(read, std::size_t{100'000});
        QVERIFY2(grew >= 5, qPrintable(QString::number(grew)));
        QCOMPARE(before, 1.0);
    }
    void binaryProgressGrowsToOne()
    {
        const QTemporaryDir folder;
        const std::filesystem::path file = folder.filePath("ids.le32").toStdString();
        std::ofstream(file, std::ios::binary) << std::string(400'000, 'x');
        const auto reader = TraceReader::open(file);
        std::vector<TraceEntry> part(25'000);
        for (int quarter = 1; quarter <= 4; ++quarter) {
            QCOMPARE(reader->read(part), std::size_t{25'000});
            QCOMPARE(reader->progress(), 0.25 * quarter);
        }
    }
    void windowsBeyondTheLimit_data()
    {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QString>("code");
        QTest::addColumn<QString>("contains");
        const QByteArray xz = bytesOf(kWideXz), zstd = bytesOf(kWideZstd);
        const auto with = [](QByteArray bytes, qsizetype at, const QByteArray& other) { return bytes.replace(at, other.size(), other); };
        const auto xzHeader = [&](char dictionary) { // of 12 bytes, the CRC behind its first 8
            QByteArray changed = with(xz, 16, QByteArray(1, dictionary));
            const std::uint32_t crc = lzma_crc32(reinterpret_cast<const std::uint8_t*>(changed.data()) + 12, 8, 0);
            std::memcpy(changed.data() + 20, &crc, sizeof crc);
            return changed;
        };
        QTest::newRow("xz, 512 MiB") << xz << "limit exceeded" << "found a stream of xz that needs more than 256 MiB";
        QTest::newRow("xz, 256 MiB and the decoder") << xzHeader(0x20) << "limit exceeded" << "found a stream of xz that needs more than 256 MiB";
        QTest::newRow("xz, 192 MiB") << xzHeader(0x1F) << "ok" << "";
        QTest::newRow("zstd, 512 MiB") << zstd << "limit exceeded" << "found a stream of zstd that needs more than 256 MiB";
        QTest::newRow("zstd, 288 MiB") << with(zstd, 5, QByteArray(1, static_cast<char>((28 - 10) << 3 | 1))) << "limit exceeded" << "found a stream of zstd that needs more than 256 MiB";
        QTest::newRow("zstd, 256 MiB") << with(zstd, 5, QByteArray(1, static_cast<char>((28 - 10) << 3))) << "ok" << "";
    }
    /// A few bytes that ask for a window of more than 256 MiB are refused before it is taken; the largest that is allowed is read.
    void windowsBeyondTheLimit()
    {
        QFETCH(QByteArray, bytes);
        QFETCH(QString, code);
        QFETCH(QString, contains);
        const QTemporaryDir folder;
        const std::filesystem::path file = folder.filePath("ids").toStdString();
        std::ofstream(file, std::ios::binary).write(bytes.data(), bytes.size());
        try {
            const std::vector<TraceEntry> entries = all(file, {.format = TraceFormat::Ids, .columns = {}});
            QCOMPARE(QString("ok"), code);
            QVERIFY((idsOf(entries) == std::vector<std::uint64_t>{5, 6}));
        } catch (const Error& error) {
            QCOMPARE(QString::fromUtf8(errorCodeName(error.code()).data()), code);
            QVERIFY2(QString(error.what()).contains(contains), error.what());
        }
    }
    void values()
    {
        QVERIFY((idsOf(all(::corpus("ids.txt"))) == std::vector<std::uint64_t>{5, 6, 5, 7}));
        QVERIFY((idsOf(all(::corpus("blocks.lis"))) == std::vector<std::uint64_t>{10, 11, 12, 11, 12}));
        QVERIFY((idsOf(all(::corpus("lirs.trace"))) == std::vector<std::uint64_t>{5, 6, 7}));
        const auto keys = idsOf(all(::corpus("keys.txt")));
        QVERIFY(keys[0] == keys[2] && keys[0] != keys[1]);
        const auto csv = all(::corpus("named.csv"));
        QCOMPARE(csv[1].id, std::uint64_t{43});
        QCOMPARE(csv[1].size, std::uint32_t{4096});
        QCOMPARE(csv[1].time, std::int64_t{1});
        const auto oracle = all(::corpus("two.oracleGeneral"));
        QCOMPARE(oracle[1].id, std::uint64_t{6});
        QCOMPARE(oracle[1].size, std::uint32_t{50});
        QCOMPARE(oracle[1].time, std::int64_t{2});
        for (const char* name : {"one.vscsi", "two.vscsi"}) {
            const auto vscsi = all(::corpus(name));
            QCOMPARE(vscsi[1].id, std::uint64_t{10});
            QCOMPARE(vscsi[1].size, std::uint32_t{512});
            QCOMPARE(vscsi[1].time, std::int64_t{6});
        }
    }
    void columnsByNameAndNumber()
    {
        TraceOptions options;
        options.columns.id = "size";
        QVERIFY((idsOf(all(::corpus("named.csv"), options)) == std::vector<std::uint64_t>{512, 4096}));
        options.columns.id = "4";
        QVERIFY((idsOf(all(::corpus("named.csv"), options)) == std::vector<std::uint64_t>{42, 43}));
        options.columns.id = "none";
        QVERIFY_EXCEPTION_THROWN(TraceReader::open(::corpus("named.csv"), options), Error);
    }
    void operations()
    {
        QTemporaryDir directory;
        const std::filesystem::path file = directory.filePath("ops.csv").toStdString();
        const auto write = [&](const char* text) { std::ofstream(file) << text; };
        write("id,op\n7,GET\n8,w\n9,put\n10,0\n11,1\n12,Read\n");
        TraceOptions options;
        QVERIFY(!TraceReader::open(file, options)->marksWrites()); // only where it is asked for
        options.columns.operation = "op";
        QVERIFY(TraceReader::open(file, options)->marksWrites());
        std::vector<bool> writes;
        for (const TraceEntry& entry : all(file, options))
            writes.push_back(entry.write);
        QVERIFY((writes == std::vector<bool>{false, true, true, false, true, false}));
        write("id,op\n7,get\n8,delete\n");
        try {
            all(file, options);
            QFAIL("an operation that is neither was read");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::MalformedFile);
            QVERIFY(QByteArray(error.what()).contains("line 3: found 'delete', expected r,"));
        }
    }
    void costs()
    {
        QTemporaryDir directory;
        const std::filesystem::path file = directory.filePath("costs.csv").toStdString();
        const auto write = [&](const char* text) { std::ofstream(file) << text; };
        write("id,cost\n7,2.5\n8,0\n");
        QVERIFY(TraceReader::open(file)->costed());
        const std::vector<TraceEntry> entries = all(file);
        QCOMPARE(entries.size(), std::size_t{2});
        QCOMPARE(entries[0].cost, 2.5F);
        QCOMPARE(entries[1].cost, 0.0F);
        write("id,size,milliseconds\n7,10,3\n");
        QVERIFY(!TraceReader::open(file)->costed());
        QCOMPARE(all(file)[0].cost, 1.0F);
        TraceOptions options;
        options.columns.cost = "milliseconds";
        QCOMPARE(all(file, options)[0].cost, 3.0F);
        for (const char* name : {"cost", "uniqueness"})
            for (const char* wrong : {"-1", "nan", "much", "1e31"}) {
                std::ofstream(file) << "id," << name << "\n7,1\n8," << wrong << "\n";
                try {
                    all(file);
                    QFAIL("a weight that is none was read");
                } catch (const Error& error) {
                    QCOMPARE(error.code(), ErrorCode::MalformedFile);
                    QVERIFY(QByteArray(error.what()).contains("line 3"));
                }
            }
        write("similar,id,uniqueness\n4,7,0.25\n1,8,1\n");
        QVERIFY(TraceReader::open(file)->tellsUniqueness() && !TraceReader::open(file)->costed());
        QCOMPARE(all(file)[0].uniqueness, 0.25F);
        options.columns = {};
        options.columns.uniqueness = "1";
        QCOMPARE(all(file, options)[0].uniqueness, 4.0F);
        write("10,7,0.25\n11,8,1\n"); // no header: the third column would be the size
        options.columns.uniqueness = "3";
        const std::vector<TraceEntry> bare = all(file, options);
        QVERIFY(bare[0].time == 10 && bare[0].id == 7 && bare[0].size == 1 && bare[0].uniqueness == 0.25F);
        write("id,cost\n7,3\n");
        QVERIFY(!TraceReader::open(file)->tellsUniqueness());
        QCOMPARE(all(file)[0].uniqueness, 1.0F);
        QCOMPARE(*traceIds("12").number, std::uint64_t{12});
        QVERIFY(!traceIds("a12").number && traceIds("a12").key != traceIds("a13").key);
    }
    void orders()
    {
        const QTemporaryDir folder;
        const std::filesystem::path path = folder.filePath("ids").toStdString();
        const std::array<unsigned char, 8> bytes{1, 2, 3, 4, 5, 6, 7, 8};
        std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), 8);
        const auto ids = [&](TraceFormat format) { return idsOf(all(path, {.format = format, .columns = {}})); };
        QVERIFY((ids(TraceFormat::Be64) == std::vector<std::uint64_t>{0x0102030405060708}));
        QVERIFY((ids(TraceFormat::Le64) == std::vector<std::uint64_t>{0x0807060504030201}));
        QVERIFY((ids(TraceFormat::Be32) == std::vector<std::uint64_t>{0x01020304, 0x05060708}));
        QVERIFY((ids(TraceFormat::Le32) == std::vector<std::uint64_t>{0x04030201, 0x08070605}));
        for (const TraceFormat format : {TraceFormat::Be64, TraceFormat::Le64, TraceFormat::Be32, TraceFormat::Le32}) { // a name says it
            const std::filesystem::path named = path.string() + "." + std::string(traceFormatName(format));
            std::filesystem::copy_file(path, named);
            QCOMPARE(TraceReader::open(named)->format(), format);
            QVERIFY(idsOf(all(named)) == ids(format));
        }
    }
    void missingFile() { QVERIFY_EXCEPTION_THROWN(TraceReader::open("/nowhere/trace.txt"), Error); }
    void namesGoBothWays()
    {
        for (const char* name : {"automatic", "ids", "csv", "lirs", "arc", "oracle-general", "vscsi", "be64", "be32", "le64", "le32"})
            QCOMPARE(traceFormatName(*traceFormatNamed(name)), std::string_view(name));
        QVERIFY(!traceFormatNamed("other"));
    }
};

QTEST_GUILESS_MAIN(TstTraceReader)
#include "tst_trace_reader.moc"
