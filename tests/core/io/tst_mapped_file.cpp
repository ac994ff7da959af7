// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/io/mapped_file.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include <atomic>
#include <csignal>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>
#include <vector>

using namespace tamis;
using namespace tamis::io;

namespace {
// In a child process: runs `body` and gives its exit status, or 128 + signal.
template <class Body> int inChild(Body body)
{
    const pid_t child = fork();
    if (child == 0)
        _exit(body());
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
} // namespace

class TstMappedFile : public QObject
{
    Q_OBJECT
    QTemporaryDir m_dir;
    std::filesystem::path make(const char* name, std::size_t size) const
    {
        QByteArray content(static_cast<qsizetype>(size), '\0');
        for (qsizetype i = 0; i < content.size(); ++i)
            content[i] = static_cast<char>(i * 7);
        QFile file(m_dir.filePath(name));
        [&] { QVERIFY(file.open(QIODevice::WriteOnly) && file.write(content) == content.size()); }();
        return m_dir.filePath(name).toStdString();
    }
    static void fails(const std::filesystem::path& path, const char* part)
    {
        try {
            MappedFile::open(path);
            QFAIL("opened");
        } catch (const Error& error) {
            QVERIFY2(error.code() == ErrorCode::IoFailure, error.what());
            QCOMPARE(error.subject(), path.string());
            QVERIFY2(error.message().find(part) != std::string::npos, error.what());
        }
    }

private slots:
    void givesTheBytesOfTheFile()
    {
        const auto file = MappedFile::open(make("plain", 10'000));
        QCOMPARE(file->size(), 10'000u);
        std::vector<std::byte> bytes(500);
        file->copy(4321, bytes, "x");
        for (std::size_t i = 0; i < bytes.size(); ++i)
            QCOMPARE(static_cast<char>(bytes[i]), static_cast<char>((4321 + i) * 7));
        file->copy(10'000, {}, "x"); // nothing, at the very end
        QVERIFY_EXCEPTION_THROWN(file->copy(9'501, bytes, "x"), Error);
        QVERIFY_EXCEPTION_THROWN(file->copy(~std::uint64_t{0}, bytes, "x"), Error); // offset + size overflows
    }
    void anEmptyFileHasNoBytes()
    {
        const auto file = MappedFile::open(make("empty", 0));
        QCOMPARE(file->size(), 0u);
        file->copy(0, {}, "x");
    }
    void whatIsNoFileIsSaidToBeNone()
    {
        fails(m_dir.path().toStdString(), "is a directory, expected a file");
        fails("/dev/null", "is not a regular file");
        fails(m_dir.filePath("missing").toStdString(), "cannot be opened: No such file or directory");
        const std::filesystem::path fifo = m_dir.filePath("fifo").toStdString();
        QCOMPARE(mkfifo(fifo.c_str(), 0600), 0);
        fails(fifo, "is not a regular file"); // and does not wait for a writer
    }
    void aFileWithoutPermissionIsRefused()
    {
        const std::filesystem::path path = make("secret", 100);
        QCOMPARE(chmod(path.c_str(), 0), 0);
        QCOMPARE(chmod(m_dir.path().toStdString().c_str(), 0755), 0); // only the file itself is out of reach
        if (geteuid() != 0) {
            fails(path, "cannot be opened: Permission denied");
            return;
        }
        // The superuser may read everything: ask as nobody.
        const int status = inChild([&] {
            if (setgid(65534) != 0 || setuid(65534) != 0)
                return 77;
            try {
                MappedFile::open(path);
            } catch (const Error& error) {
                return error.code() == ErrorCode::IoFailure && error.message() == "cannot be opened: Permission denied" ? 0 : 2;
            }
            return 1;
        });
        if (status == 77)
            QSKIP("running as the superuser, who may read everything, and cannot become another user");
        QCOMPARE(status, 0);
    }
    void aShrunkFileIsNoticedBeforeReading()
    {
        const std::filesystem::path path = make("shrinking", 100'000);
        const auto file = MappedFile::open(path);
        QCOMPARE(truncate(path.c_str(), 50'000), 0);
        std::vector<std::byte> bytes(1000);
        file->copy(49'000, bytes, "x"); // still there
        try {
            file->copy(49'001, bytes, "shrinking: tensor \"t\"");
            QFAIL("read what is gone");
        } catch (const Error& error) {
            QVERIFY(error.code() == ErrorCode::IoFailure);
            QCOMPARE(error.subject(), std::string("shrinking: tensor \"t\""));
            QCOMPARE(error.message(), std::string("the file shrank after it was opened: found 50000 bytes, expected at least 50001"));
            QCOMPARE(error.offset(), std::optional<std::uint64_t>(49'001));
        }
    }
    void aFileThatShrinksWhileItIsReadIsAnErrorToo()
    {
        // Truncated from inside the visit, after the check of the size: the next page raises SIGBUS.
        const std::filesystem::path path = make("racing", 1'000'000);
        const auto file = MappedFile::open(path);
        for (int round = 0; round < 3; ++round) { // the handler stays armed
            QCOMPARE(truncate(path.c_str(), 1'000'000), 0);
            unsigned sum = 0;
            bool reachedTheEnd = false;
            try {
                file->visit(0, 1'000'000, "racing", [&](std::span<const std::byte> bytes) {
                    if (truncate(path.c_str(), 100) != 0)
                        return;
                    for (const std::byte b : bytes)
                        sum += static_cast<unsigned>(b);
                    reachedTheEnd = true;
                });
                QFAIL("read what is gone");
            } catch (const Error& error) {
                QVERIFY(error.code() == ErrorCode::IoFailure);
                QVERIFY2(error.message().find("shrank after it was opened: found 100 bytes") != std::string::npos, error.what());
            }
            QVERIFY(!reachedTheEnd);
        }
    }
    void manyThreadsMayRaceWithATruncation()
    {
        const std::filesystem::path path = make("threads", 4'000'000);
        const auto file = MappedFile::open(path);
        std::atomic<int> errors = 0, strangers = 0;
        std::atomic<bool> stop = false;
        std::vector<std::thread> readers;
        for (int i = 0; i < 4; ++i)
            readers.emplace_back([&] {
                std::vector<std::byte> bytes(4'000'000);
                while (!stop) {
                    try {
                        file->copy(0, bytes, "threads");
                    } catch (const Error& error) {
                        (error.code() == ErrorCode::IoFailure ? errors : strangers)++;
                    }
                }
            });
        for (int i = 0; i < 200 || (errors == 0 && i < 20'000); ++i) {
            const bool done = truncate(path.c_str(), i % 2 ? 4'000'000 : 5'000) == 0;
            QVERIFY(done);
        }
        stop = true;
        for (std::thread& reader : readers)
            reader.join();
        QVERIFY(errors > 0);
        QCOMPARE(strangers.load(), 0);
    }
    void otherBusErrorsGoToWhoeverHadThem()
    {
        // Our handler is installed once, over one that the child brings along before.
        const std::filesystem::path path = make("chained", 8192);
        const auto elsewhere = [&] { // a bus error outside any visit
            const int descriptor = ::open(path.c_str(), O_RDWR);
            volatile char* bytes = static_cast<volatile char*>(mmap(nullptr, 8192, PROT_READ, MAP_SHARED, descriptor, 0));
            if (ftruncate(descriptor, 0) != 0)
                return 3;
            return static_cast<int>(bytes[5000]);
        };
        // A fresh process image: the guard of this one is installed already.
        const QByteArray role = qgetenv("TAMIS_TEST_BUS_ERROR");
        if (role.isEmpty()) {
            for (const char* kind : {"default", "handler"}) {
                const int status = inChild([&] {
                    setenv("TAMIS_TEST_BUS_ERROR", kind, 1);
                    const std::string self = QCoreApplication::applicationFilePath().toStdString();
                    freopen("/dev/null", "w", stdout);
                    freopen("/dev/null", "w", stderr);
                    execl(self.c_str(), self.c_str(), "otherBusErrorsGoToWhoeverHadThem", nullptr);
                    return 99;
                });
                QCOMPARE(status, QByteArray(kind) == "handler" ? 42 : 128 + SIGBUS);
            }
            return;
        }
        std::signal(SIGBUS, role == "handler" ? [](int) { _exit(42); } : SIG_DFL);
        const auto file = MappedFile::open(make("guard", 100));
        _exit(elsewhere());
    }
};

QTEST_GUILESS_MAIN(TstMappedFile)
#include "tst_mapped_file.moc"
