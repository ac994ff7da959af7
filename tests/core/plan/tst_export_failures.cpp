// SPDX-License-Identifier: GPL-3.0-or-later
// Whatever stops an export, nothing of it is left.
#include "export_fixture.h"

#include <QTest>

#include <csignal>
#include <sys/resource.h>
#include <thread>

using namespace tamis;
using namespace tamis::plan;
using namespace tamis::plan::fixture;

class TstExportFailures : public QObject
{
    Q_OBJECT
    QTemporaryDir m_dir;
    Prepared m_prepared;
    std::filesystem::path target() const { return m_dir.filePath("out").toStdString(); }
    QStringList left() const { return entriesOf(m_dir.path()); }

private slots:
    void initTestCase() { m_prepared = fixture::vit20("spectrum.whitened", 0.5, Accounting::Factors); }
    void cleanup()
    {
        std::error_code ignored;
        std::filesystem::remove_all(target(), ignored);
    }

    void refusals_data()
    {
        QTest::addColumn<QString>("what");
        QTest::addColumn<QString>("code");
        QTest::addColumn<QString>("contains");
        const auto row = [](const char* what, const char* code, const char* contains) { QTest::newRow(what) << what << code << contains; };
        row("nothing asked", "invalid parameter", "export: nothing was asked for");
        row("integer factors", "invalid parameter", "factorDType: found I8, expected F32, F16 or BF16");
        row("other model", "invalid parameter", "found a model with SHA-256");
        row("no model hash", "invalid parameter", "expected the plan to name one");
        row("other calibration", "invalid parameter", "found a calibration set with SHA-256");
        row("no calibration", "invalid parameter", "needs the calibration set");
        row("unknown method", "unsupported feature", "found the method 'spectrum.none'");
        row("remapped", "unsupported feature", "which is an accounting of 8-bit storage");
        row("unknown matrix", "invalid parameter", "nowhere: is in the plan, but the checkpoint has no matrix of that name");
        row("other shape", "invalid parameter", "expected the plan's 7 x 7");
        row("no adapter", "invalid parameter", "there is no adapter to write");
        row("wrong loss", "i/o failure", "lose");
        row("no parent", "i/o failure", "cannot be created: No such file or directory");
        row("read-only place", "i/o failure", "/proc/tamis-export: cannot be created: ");
    }
    void refusals()
    {
        QFETCH(QString, what);
        QFETCH(QString, code);
        QFETCH(QString, contains);
        auto prepared = m_prepared;
        ExportOptions options;
        auto directory = target();
        auto& plan = prepared.plan;
        const auto low = std::ranges::find_if(plan.operators, [](const auto& op) { return op.layout != "dense"; });
        QVERIFY(low != plan.operators.end());
        if (what == "nothing asked")
            options = {.factors = false, .dense = false};
        else if (what == "integer factors")
            options.factorDType = tensor::DType::I8;
        else if (what == "other model")
            plan.modelSha256[0] = plan.modelSha256[0] == '0' ? '1' : '0';
        else if (what == "no model hash")
            plan.modelSha256.clear();
        else if (what == "other calibration")
            plan.calibrationSha256[0] = plan.calibrationSha256[0] == '0' ? '1' : '0';
        else if (what == "no calibration")
            prepared.inputs.calibration = nullptr;
        else if (what == "unknown method")
            plan.method = "spectrum.none";
        else if (what == "remapped")
            low->layout = "remapped";
        else if (what == "unknown matrix")
            low->name = "nowhere";
        else if (what == "other shape")
            low->rows = low->cols = 7;
        else if (what == "no adapter") {
            plan.operators.clear();
            options.lora = true;
        } else if (what == "wrong loss")
            low->predictedLoss *= 1.001; // ten times the tolerance for F32
        else if (what == "no parent")
            directory = target() / "deep" / "out";
        else
            directory = "/proc/tamis-export";
        const auto error = errorOf([&] { exported(prepared, directory, options); });
        QVERIFY2(error, "exported");
        QCOMPARE(QString::fromUtf8(errorCodeName(error->code()).data()), code);
        QVERIFY2(QString(error->what()).contains(contains), error->what());
        QCOMPARE(left(), QStringList());
    }

    void onlyANewOrEmptyDirectory()
    {
        std::filesystem::create_directory(target());
        exported(m_prepared, target(), {.dense = false}); // empty: welcome
        const auto files = filesBelow(m_dir.path());
        QVERIFY(files.contains("out/factors.safetensors"));
        auto error = errorOf([&] { exported(m_prepared, target(), {}); });
        QVERIFY(error && error->code() == ErrorCode::InvalidParameter);
        QVERIFY2(QString(error->what()).contains("not empty"), error->what());
        QCOMPARE(filesBelow(m_dir.path()), files);
        error = errorOf([&] { exported(m_prepared, target() / "factors.safetensors", {}); });
        QVERIFY(error && QString(error->what()).contains("is not a directory"));
        QCOMPARE(filesBelow(m_dir.path()), files);
    }

    // RLIMIT_FSIZE stands for a full disk: write() fails half-way through a file, with EFBIG instead of ENOSPC.
    void aFullDiskLeavesNothing()
    {
        struct sigaction ignore{}, before{};
        ignore.sa_handler = SIG_IGN;
        sigaction(SIGXFSZ, &ignore, &before);
        rlimit unlimited{};
        getrlimit(RLIMIT_FSIZE, &unlimited);
        for (const rlim_t bytes : {rlim_t(0), rlim_t(50'000), rlim_t(3'000'000)}) {
            const rlimit limited{bytes, unlimited.rlim_max};
            setrlimit(RLIMIT_FSIZE, &limited);
            const auto error = errorOf([&] { exported(m_prepared, target(), {}); });
            setrlimit(RLIMIT_FSIZE, &unlimited);
            QVERIFY2(error, "exported");
            QVERIFY2(error->code() == ErrorCode::IoFailure, error->what());
            QVERIFY2(QString(error->what()).contains("writing failed: File too large"), error->what());
            QVERIFY2(QString::fromStdString(error->subject()).startsWith(QString::fromStdString(target().string())), error->what());
            QCOMPARE(left(), QStringList());
        }
        sigaction(SIGXFSZ, &before, nullptr);
    }

    // Stopped at ever later fractions of the work: either nothing or everything is there.
    void aCancelLeavesNothing()
    {
        int cancelled = 0; // on a busy machine the watcher may come too late: another round then
        for (int tenth = 0; tenth < 50 && (tenth < 10 || cancelled < 3); ++tenth) {
            std::stop_source source;
            const RunContext context(source.get_token());
            const std::jthread watcher([&](std::stop_token done) {
                while (!done.stop_requested() && context.fraction() * 10 < tenth % 10)
                    std::this_thread::sleep_for(std::chrono::microseconds(200));
                source.request_stop();
            });
            const auto error = errorOf([&] { exported(m_prepared, target(), {.lora = true}, context); });
            if (error) {
                QVERIFY2(error->code() == ErrorCode::Cancelled, error->what());
                QCOMPARE(left(), QStringList());
                ++cancelled;
            } else {
                QVERIFY(std::filesystem::exists(target() / "recipe.json"));
                cleanup();
            }
        }
        QVERIFY2(cancelled >= 3, "the stop came too late to test anything");
    }
};

QTEST_GUILESS_MAIN(TstExportFailures)
#include "tst_export_failures.moc"
