// SPDX-License-Identifier: GPL-3.0-or-later
// Three ways to the same bytes: every range, batch and direct setting against the bytes that were written; what the system refuses is skipped with its reason.
#include "core/addressing/io_ring.h"
#include "core/addressing/row_reader.h"
#include "core/base/error.h"

#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <random>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>

using namespace tamis;
using namespace tamis::addressing;

namespace {
constexpr std::size_t kFileBytes = 5 * 4096 + 1234; // its last page is not whole

struct Way {
    const char* name;
    ReaderKind kind;
    ReaderSettings settings;
};
const std::vector<Way> kWays{{"mmap", ReaderKind::Mapped, {}},
                             {"pread", ReaderKind::Pread, {}},
                             {"pread direct", ReaderKind::Pread, {.direct = true}},
                             {"io_uring", ReaderKind::Ring, {.depth = 64}},
                             {"io_uring depth 1", ReaderKind::Ring, {.depth = 1}},
                             {"io_uring depth 3", ReaderKind::Ring, {.depth = 3}},
                             {"io_uring direct", ReaderKind::Ring, {.direct = true, .depth = 8}}};
/// How many more calls succeed before one fails; below 0: all do.
int callsUntilFailure = -1;

long failingEnter(int descriptor, unsigned submit, unsigned atLeast, unsigned flags)
{
    if (callsUntilFailure == 0) {
        callsUntilFailure = -1;
        errno = ENOMEM;
        return -1;
    }
    if (callsUntilFailure > 0)
        --callsUntilFailure;
    return ::syscall(__NR_io_uring_enter, descriptor, submit, atLeast, flags, nullptr, 0);
}
} // namespace

class TstRowReader : public QObject {
    Q_OBJECT
    QTemporaryDir m_directory{QStringLiteral(TAMIS_SOURCE_DIR "/tests/row-reader-XXXXXX")}; // beside the sources: /tmp may be memory, which has no direct reads
    std::filesystem::path m_file;
    std::vector<std::byte> m_bytes;

    /// Nothing and a skip where the system refuses.
    std::unique_ptr<RowReader> opened(const Way& way, std::string& why) const
    {
        try {
            return openReader(way.kind, m_file, way.settings);
        } catch (const Error& error) {
            if (error.code() != ErrorCode::UnsupportedFeature)
                throw;
            why = error.what();
            return nullptr;
        }
    }
    std::vector<std::byte> expected(const std::vector<ByteRange>& rows) const
    {
        std::vector<std::byte> all;
        for (const ByteRange& row : rows)
            all.insert(all.end(), m_bytes.begin() + static_cast<std::ptrdiff_t>(row.offset), m_bytes.begin() + static_cast<std::ptrdiff_t>(row.offset + row.bytes));
        return all;
    }
    static void addWays()
    {
        QTest::addColumn<int>("way");
        for (std::size_t i = 0; i < kWays.size(); ++i)
            QTest::newRow(kWays[i].name) << static_cast<int>(i);
    }

private slots:
    void initTestCase()
    {
        QVERIFY(m_directory.isValid());
        m_file = std::filesystem::path(m_directory.path().toStdString()) / "rows.bin";
        std::mt19937 random(1);
        m_bytes.resize(kFileBytes);
        for (std::byte& byte : m_bytes)
            byte = static_cast<std::byte>(random() & 0xFFU);
        std::ofstream(m_file, std::ios::binary).write(reinterpret_cast<const char*>(m_bytes.data()), static_cast<std::streamsize>(m_bytes.size()));
        ::sync();
        if (!IoRing::unavailable().empty())
            qInfo("%s", IoRing::unavailable().c_str());
    }
    void allWaysGiveTheSameBytes_data() { addWays(); }
    void allWaysGiveTheSameBytes()
    {
        QFETCH(int, way);
        std::string why;
        const auto reader = opened(kWays[static_cast<std::size_t>(way)], why);
        if (!reader)
            QSKIP(why.c_str());
        std::mt19937 random(2);
        for (int batch = 0; batch < 60; ++batch) {
            std::vector<ByteRange> rows;
            for (unsigned i = 0; i < random() % 40; ++i) {
                const std::uint64_t bytes = random() % 700, offset = random() % (kFileBytes - bytes + 1);
                rows.push_back({offset, bytes});
                if (random() % 4 == 0)
                    rows.push_back(rows[random() % rows.size()]);
            }
            if (batch % 3 == 0)
                reader->evict();
            const std::vector<std::byte> wanted = expected(rows);
            std::vector<std::byte> got(wanted.size());
            reader->read(rows, got);
            QVERIFY(got == wanted);
        }
    }
    void bordersAndEmptyRows_data() { addWays(); }
    void bordersAndEmptyRows()
    {
        QFETCH(int, way);
        std::string why;
        const auto reader = opened(kWays[static_cast<std::size_t>(way)], why);
        if (!reader)
            QSKIP(why.c_str());
        const std::vector<ByteRange> rows{{0, kFileBytes}, {kFileBytes - 1, 1}, {4095, 2}, {4096, 4096}, {kFileBytes, 0}, {0, 0}};
        const std::vector<std::byte> wanted = expected(rows);
        std::vector<std::byte> got(wanted.size());
        reader->read(rows, got);
        QVERIFY(got == wanted);
        reader->read({}, {});
        QVERIFY_THROWS_EXCEPTION(Error, reader->read(std::vector<ByteRange>{{kFileBytes, 1}}, std::span(got).first(1)));
        QVERIFY_THROWS_EXCEPTION(Error, reader->read(std::vector<ByteRange>{{~std::uint64_t{0}, 2}}, std::span(got).first(2)));
        QVERIFY_THROWS_EXCEPTION(Error, reader->read(std::vector<ByteRange>{{0, 3}}, std::span(got).first(2)));
    }
    void equalRowsAreReadOnce()
    {
        const std::vector<ByteRange> rows{{100, 50}, {9000, 50}, {100, 50}, {100, 60}, {9000, 50}};
        std::vector<std::byte> got(260);
        const auto plain = openReader(ReaderKind::Pread, m_file);
        plain->read(rows, got);
        QCOMPARE(plain->counts(), (ReadCounts{5, 3, 160})); // {100, 50}, {100, 60}, {9000, 50}
        std::string why;
        const auto direct = opened({"", ReaderKind::Pread, {.direct = true}}, why);
        if (!direct)
            QSKIP(why.c_str());
        direct->read(rows, got);
        QCOMPARE(direct->counts(), (ReadCounts{5, 2, 8192})); // two pages that do not touch
        direct->read(std::vector<ByteRange>{{4000, 200}, {8100, 10}}, std::span(got).first(210));
        QCOMPARE(direct->counts(), (ReadCounts{7, 3, 16384})); // pages 0 and 1, of which page 1 holds the second row
    }
    void aFileThatShrankIsSaid_data() { addWays(); }
    void aFileThatShrankIsSaid()
    {
        QFETCH(int, way);
        const auto file = m_file.parent_path() / "shrinks.bin";
        std::filesystem::copy_file(m_file, file, std::filesystem::copy_options::overwrite_existing);
        std::unique_ptr<RowReader> reader;
        try {
            reader = openReader(kWays[static_cast<std::size_t>(way)].kind, file, kWays[static_cast<std::size_t>(way)].settings);
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::UnsupportedFeature);
            QSKIP(error.what());
        }
        std::filesystem::resize_file(file, 5000);
        std::vector<std::byte> got(100);
        reader->read(std::vector<ByteRange>{{0, 100}}, got);
        try {
            reader->read(std::vector<ByteRange>{{10, 20}, {9000, 80}}, got);
            QFAIL("bytes beyond the end were delivered");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::IoFailure);
            QVERIFY(error.message().find("shrank") != std::string::npos);
        }
        reader->read(std::vector<ByteRange>{{0, 100}}, got); // still of use
        QVERIFY(std::ranges::equal(got, std::span(m_bytes).first(100)));
    }
    /// A read of a pipe ends when there is something in it: it is under way when the next call fails, and has ended when the failure is told.
    void nothingIsUnderWayBehindAFailedSubmit()
    {
        if (!IoRing::unavailable().empty())
            QSKIP(IoRing::unavailable().c_str());
        int pipe[2];
        QCOMPARE(::pipe(pipe), 0);
        IoRing ring(4, failingEnter);
        char first = 0, second = 0;
        callsUntilFailure = 1;
        QVERIFY(ring.push(pipe[0], 0, &first, 1, 1));
        ring.submit(0);
        IoRing::Completion completion;
        QVERIFY(!ring.pop(completion)); // the pipe is empty
        std::atomic<bool> written = false;
        std::thread writer([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
            written = ::write(pipe[1], "ab", 2) == 2;
        });
        QVERIFY(ring.push(pipe[0], 0, &second, 1, 2)); // never taken
        ErrorCode code = ErrorCode::Cancelled;
        char atTheThrow = 0;
        try {
            ring.submit(1);
        } catch (const Error& error) {
            code = error.code();
            atTheThrow = first;
        }
        QVERIFY(written);
        writer.join();
        QCOMPARE(code, ErrorCode::IoFailure);
        QCOMPARE(atTheThrow, 'a');
        QVERIFY(!ring.pop(completion)); // it is forgotten, and so is what was pushed
        QCOMPARE(second, char(0));
        QVERIFY(ring.push(pipe[0], 0, &second, 1, 3)); // of use again
        ring.submit(1);
        QVERIFY(ring.pop(completion));
        QCOMPARE(completion.tag, std::uint64_t{3});
        QCOMPARE(completion.result, 1);
        QCOMPARE(second, 'b');
        ::close(pipe[0]);
        ::close(pipe[1]);
    }
    void refusals()
    {
        QVERIFY_THROWS_EXCEPTION(Error, openReader(ReaderKind::Pread, m_file.parent_path() / "missing"));
        QVERIFY_THROWS_EXCEPTION(Error, openReader(ReaderKind::Pread, m_file.parent_path()));
        QVERIFY_THROWS_EXCEPTION(Error, openReader(ReaderKind::Mapped, m_file, {.direct = true}));
        if (IoRing::unavailable().empty()) {
            QVERIFY_THROWS_EXCEPTION(Error, openReader(ReaderKind::Ring, m_file, {.depth = 0}));
            QVERIFY_THROWS_EXCEPTION(Error, openReader(ReaderKind::Ring, m_file, {.depth = 5000}));
        }
        const auto reader = openReader(ReaderKind::Mapped, m_file);
        const std::vector<ByteRange> huge(kMaximumBatchBytes / kFileBytes + 1, {0, kFileBytes});
        std::vector<std::byte> small(1);
        try {
            reader->read(huge, small);
            QFAIL("a batch over the limit was taken");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::LimitExceeded);
        }
    }
};

QTEST_APPLESS_MAIN(TstRowReader)
#include "tst_row_reader.moc"
