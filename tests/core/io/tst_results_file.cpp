// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/base/error.h"
#include "core/io/calibration.h"
#include "core/io/results_file.h"
#include "tests/core/io/corpus.h"

#include <QDir>
#include <QTemporaryDir>

#include <csignal>
#include <limits>

#include <sys/wait.h>
#include <unistd.h>

using namespace tamis;
using namespace tamis::io;

namespace {

StoredRun run(int number)
{
    StoredRun result{.method = "spectrum.whitened", .parametersJson = "{\"ridge\":0.01}", .seconds = 0.5 + number, .reportJson = "{\"n\":" + std::to_string(number) + "}"};
    result.arrays["loss"] = std::vector<double>(static_cast<std::size_t>(number * 3), 1.0 / (number + 1));
    result.arrays["blocks.0.attn.qkv"] = {1, std::numeric_limits<double>::infinity(), -0.0};
    return result;
}

QString refusal(const std::function<void()>& action, ErrorCode code)
{
    try {
        action();
    } catch (const Error& error) {
        return error.code() == code ? QString(error.what()) : QString("other code: ") + error.what();
    }
    return "accepted";
}

} // namespace

class TstResultsFile : public QObject
{
    Q_OBJECT
    QTemporaryDir m_dir;
    std::filesystem::path path(const char* name) const { return m_dir.filePath(name).toStdString(); }

private slots:
    void runsComeBackAsTheyWent()
    {
        {
            const auto file = ResultsFile::create(path("runs.h5"));
            QCOMPARE(file->runs(), std::size_t{0});
            for (int i = 0; i < 12; ++i) // past 9: numbers, not names, order the runs
                QCOMPARE(file->append(run(i)), static_cast<std::size_t>(i));
            QVERIFY(file->read(3) == run(3)); // while it is open for writing
        }
        const auto file = ResultsFile::open(path("runs.h5"));
        QCOMPARE(file->runs(), std::size_t{12});
        for (int i = 0; i < 12; ++i)
            QVERIFY(file->read(static_cast<std::size_t>(i)) == run(i));
    }
    void aSweepIsResumed()
    {
        const auto file = ResultsFile::open(path("runs.h5"), ResultsFile::Access::Append);
        QCOMPARE(file->append(run(12)), std::size_t{12});
        QVERIFY(file->read(12) == run(12));
        QVERIFY(file->read(0) == run(0));
    }
    void aLargeReportIsStored()
    {
        StoredRun large = run(1);
        large.reportJson = "{\"text\":\"" + std::string(3'000'000, 'x') + "\"}";
        const auto file = ResultsFile::create(path("large.h5"));
        file->append(large);
        QVERIFY(file->read(0) == large);
    }
    void refusesWhatItCouldNotReadBack()
    {
        const auto file = ResultsFile::create(path("strict.h5"));
        const auto refused = [&](const std::function<void(StoredRun&)>& spoil) {
            StoredRun bad = run(1);
            spoil(bad);
            return refusal([&] { file->append(bad); }, ErrorCode::InvalidParameter);
        };
        QVERIFY(refused([](StoredRun& r) { r.method.clear(); }).contains("needs the id of its method"));
        QVERIFY(refused([](StoredRun& r) { r.seconds = -1; }).contains("needs its seconds"));
        QVERIFY(refused([](StoredRun& r) { r.arrays["a/b"] = {1}; }).contains("without '/'"));
        QVERIFY(refused([](StoredRun& r) { r.reportJson = "[1]"; }).contains("needs JSON objects"));
        QVERIFY(refused([](StoredRun& r) { r.parametersJson = "{\"a\":1"; }).contains("needs JSON objects"));
        QVERIFY(refused([](StoredRun& r) { r.parametersJson = "{\"a\":\"" + std::string(70000, 'x') + "\"}"; }).contains("is too long"));
        QCOMPARE(file->runs(), std::size_t{0});
        QCOMPARE(file->append(run(2)), std::size_t{0}); // a refused run leaves no trace
        QVERIFY(file->read(0) == run(2));
    }
    void aReaderDoesNotWriteAndNumbersAreChecked()
    {
        const auto file = ResultsFile::open(path("runs.h5"));
        QVERIFY(refusal([&] { file->append(run(0)); }, ErrorCode::InvalidParameter).contains("opened for reading"));
        QVERIFY(refusal([&] { file->read(13); }, ErrorCode::InvalidParameter).endsWith("has no run 13, it has 13"));
    }
    /// A program that dies without closing the file, between two appends, loses nothing.
    void aKilledProgramLosesNothing()
    {
        const std::filesystem::path file = path("killed.h5");
        const pid_t child = fork();
        if (child == 0) {
            const auto store = ResultsFile::create(file);
            store->append(run(0));
            store->append(run(1));
            kill(getpid(), SIGKILL);
        }
        int status = 0;
        QCOMPARE(waitpid(child, &status, 0), child);
        QVERIFY(WIFSIGNALED(status));
        const auto store = ResultsFile::open(file, ResultsFile::Access::Append);
        QCOMPARE(store->runs(), std::size_t{2});
        QVERIFY(store->read(1) == run(1));
        QCOMPARE(store->append(run(2)), std::size_t{2});
    }
    void otherFilesAreRefused()
    {
        writeCalibration(path("calibration.h5"), "", "", 0, {});
        QVERIFY(refusal([&] { ResultsFile::open(path("calibration.h5")); }, ErrorCode::MalformedFile)
                    .endsWith("found the schema 'tamis.calibration/1', expected 'tamis.results/1'"));
        QVERIFY(refusal([&] { CalibrationSet::open(path("runs.h5")); }, ErrorCode::MalformedFile).contains("expected 'tamis.calibration/1'"));
        QVERIFY(refusal([&] { ResultsFile::open(path("missing.h5")); }, ErrorCode::IoFailure).contains("No such file"));
        QVERIFY(refusal([&] { ResultsFile::create(path("no/such/folder.h5")); }, ErrorCode::IoFailure).contains("cannot be created"));
    }
    void aFailedCreateLeavesTheOldFile()
    {
        const auto before = ResultsFile::open(path("runs.h5"))->runs();
        QVERIFY(refusal([&] { ResultsFile::create(m_dir.path().toStdString()); }, ErrorCode::IoFailure).contains("cannot be replaced"));
        QCOMPARE(ResultsFile::open(path("runs.h5"))->runs(), before);
        QVERIFY(QDir(m_dir.path() + "/..").entryList({QDir(m_dir.path()).dirName() + ".*"}, QDir::Files).isEmpty());
    }
    void everyPrefixOfAStoreIsRefused()
    {
        ResultsFile::create(path("short.h5"))->append(run(1));
        const auto size = std::filesystem::file_size(path("short.h5"));
        for (std::uintmax_t length = 0; length < size; length += 64) {
            std::filesystem::copy_file(path("short.h5"), path("prefix.h5"), std::filesystem::copy_options::overwrite_existing);
            std::filesystem::resize_file(path("prefix.h5"), length);
            QVERIFY_EXCEPTION_THROWN(ResultsFile::open(path("prefix.h5")), Error);
        }
    }
    void malformedStoresAreRefused_data() { test::corpusTable("results"); }
    void malformedStoresAreRefused()
    {
        test::expectRefusal([](const std::filesystem::path& file) {
            const auto store = ResultsFile::open(file);
            for (std::size_t i = 0; i < store->runs(); ++i)
                store->read(i);
        });
    }
};

QTEST_GUILESS_MAIN(TstResultsFile)
#include "tst_results_file.moc"
