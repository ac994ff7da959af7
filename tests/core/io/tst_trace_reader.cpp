// SPDX-License-Identifier: GPL-3.0-or-later
// Traces: values of every format, whatever the size of the reads; malformed ones refused with a sentence.
#include "core/io/trace_reader.h"
#include "tests/corpus/expectations.h"

#include <QTemporaryDir>

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
    if (reader->progress() < 0 || reader->progress() > 1)
        throw std::logic_error("progress out of range");
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
