// SPDX-License-Identifier: GPL-3.0-or-later
// Runs over sequences: baselines, sums, drift, what the callback is told, refusals, stops.
#include "core/reuse/run_totals.h"
#include "tests/core/base/stop_clock.h"
#include "tests/core/reuse/frames.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <thread>

using namespace tamis;
using namespace tamis::reuse;
using report::FrameResult;

namespace {
FrameResult withError(double error, bool key = false)
{
    FrameResult result;
    result.featureError = error;
    result.keyFrame = key;
    return result;
}

template <class Function> QString refusal(Function&& function, ErrorCode code)
{
    try {
        function();
    } catch (const Error& error) {
        return error.code() == code ? QString::fromStdString(error.what()) : QStringLiteral("another code: ") + error.what();
    }
    return QStringLiteral("nothing");
}

FrameSequence open(const QString& folder) { return app::openFrames({folder.toStdString(), 0, false}, TAMIS_SOURCE_DIR "/datasets/vit20", *test::vit20(), {}); }
} // namespace

class TstRunReuse : public QObject {
    Q_OBJECT

private slots:
    void baselinesAreWhatTheySay()
    {
        const auto sequence = test::motionPart(25, 34);
        const Configuration all[] = {test::configured("reuse.gate", {{"policy", "fraction"}, {"fraction", "0.2"}, {"whole-above", "1"}})};
        const auto report = runReuse(test::vit20(), sequence, all, {.seed = 0, .baselines = true, .rounds = 2}, {});
        QCOMPARE(report.runs.size(), std::size_t{3});
        QCOMPARE(report.gridRows * report.gridColumns, 256);
        QCOMPARE(report.frameCount, 10);
        const auto &gate = report.runs[0], &whole = report.runs[1], &drop = report.runs[2];
        QVERIFY(whole.trivial && drop.trivial && !gate.trivial);
        QCOMPARE(whole.macsShare, 1.0);
        QCOMPARE(whole.timeShare, 1.0);
        QCOMPARE(whole.worstError, 0.0);
        QCOMPARE(whole.agreement, 1.0);
        const int every = static_cast<int>(std::lround(1 / gate.macsShare));
        QVERIFY(every > 1);
        QCOMPARE(drop.settings, "every=" + std::to_string(every));
        for (int i = 0; i < 10; ++i) { // the answer is that of the last computed frame
            const FrameResult &frame = drop.frames[static_cast<std::size_t>(i)], &from = whole.frames[static_cast<std::size_t>(i - i % every)];
            QCOMPARE(frame.label, from.wholeLabel);
            QCOMPARE(frame.macs, i % every == 0 ? frame.wholeMacs : 0);
            QVERIFY((frame.featureError == 0) == (i % every == 0));
        }
        double macs = 0, wholeMacs = 0;
        for (const FrameResult& frame : gate.frames) {
            macs += frame.macs;
            wholeMacs += frame.wholeMacs;
            QVERIFY(frame.milliseconds > 0 && frame.wholeMilliseconds > 0 && frame.overheadMacs < frame.macs && frame.kl >= 0);
        }
        QCOMPARE(gate.macsShare, macs / wholeMacs);
    }

    void driftComparesQuarters()
    {
        std::vector<FrameResult> frames{withError(0, true)};
        for (int i = 1; i <= 8; ++i)
            frames.push_back(withError(i)); // 1 + 2 against 7 + 8
        QCOMPARE(driftOf(frames), 5.0);
        frames.push_back(withError(0, true));
        for (const double error : {3.0, 9.0, 9.0, 9.0})
            frames.push_back(withError(error)); // 3 against 9
        QCOMPARE(driftOf(frames), 24.0 / 6.0);
        QVERIFY(std::isnan(driftOf({withError(0, true), withError(1), withError(2)}))); // no stretch
        QCOMPARE(driftOf(std::vector<FrameResult>(6, withError(0))), 1.0);
    }

    void framesAreToldAsTheyAreDone()
    {
        const auto sequence = test::motionPart(0, 4);
        const Configuration all[] = {test::configured("reuse.gate", {}), test::configured("reuse.eventful", {})};
        std::vector<std::pair<std::size_t, std::size_t>> told;
        const auto report = runReuse(test::vit20(), sequence, all, {.seed = 0, .baselines = false, .rounds = 2}, {}, [&](std::size_t run, std::size_t frame, const FrameResult& result) {
            QCOMPARE(QString::fromStdString(result.file), QString::fromStdString(sequence.frames[frame].file));
            told.emplace_back(run, frame);
        });
        QCOMPARE(report.runs.size(), std::size_t{2});
        std::vector<std::pair<std::size_t, std::size_t>> expected;
        for (std::size_t run = 0; run < 2; ++run)
            for (std::size_t frame = 0; frame < 5; ++frame)
                expected.emplace_back(run, frame);
        QVERIFY(told == expected);
    }

    void sweepsGiveOneRunAValue()
    {
        const auto sequence = test::motionPart(3, 8);
        const ParameterValue values[] = {std::int64_t{16}, std::int64_t{64}, std::int64_t{256}};
        const auto report = sweepReuse(test::vit20(), sequence, test::configured("reuse.gate", {{"policy", "top-r"}, {"whole-above", "1"}}), "r", values, {.seed = 0, .baselines = false, .rounds = 1}, {});
        QCOMPARE(report.runs.size(), std::size_t{3});
        QVERIFY(report.runs[0].macsShare < report.runs[1].macsShare && report.runs[1].macsShare < report.runs[2].macsShare);
        QVERIFY(report.runs[2].worstError < 1e-5 && report.runs[0].meanError > report.runs[2].meanError);
        const ParameterValue wrong[] = {std::int64_t{-1}};
        QVERIFY_THROWS_EXCEPTION(Error, sweepReuse(test::vit20(), sequence, test::configured("reuse.gate", {}), "r", wrong, {}, {}));
    }

    void refuses()
    {
        const Configuration gate[] = {test::configured("reuse.gate", {})};
        QVERIFY(refusal([&] { runReuse(test::vit20(), test::motionPart(0, 0), gate, {}, {}); }, ErrorCode::InvalidParameter).contains("1 frame, expected two"));
        QVERIFY(refusal([&] { runReuse(test::vit20(), test::motion(), {}, {}, {}); }, ErrorCode::InvalidParameter).contains("no method"));
        const Configuration unknown[] = {{"reuse.none", {}}};
        QVERIFY(refusal([&] { runReuse(test::vit20(), test::motion(), unknown, {}, {}); }, ErrorCode::InvalidParameter).contains("reuse.none"));
        auto broken = test::motionPart(0, 3);
        broken.frames[2].image.pop_back();
        QVERIFY(refusal([&] { runReuse(test::vit20(), broken, gate, {}, {}); }, ErrorCode::InvalidParameter).contains("frame02.jpg"));
        broken = test::motionPart(0, 3);
        broken.frames[1].image[7] = std::numeric_limits<float>::quiet_NaN();
        QVERIFY(refusal([&] { runReuse(test::vit20(), broken, gate, {}, {}); }, ErrorCode::NonFinite).contains("frame01.jpg"));
    }

    void foldersOfFramesAreChecked()
    {
        QTemporaryDir folder;
        QVERIFY(refusal([&] { open(folder.path()); }, ErrorCode::InvalidParameter).contains("no picture"));
        const QString source = QStringLiteral(TAMIS_SOURCE_DIR "/datasets/motion/frame0%1.jpg");
        QVERIFY(QFile::copy(source.arg(1), folder.filePath("a10.jpg")) && QFile::copy(source.arg(2), folder.filePath("a9.jpg")));
        const auto sequence = open(folder.path());
        QCOMPARE(sequence.frames.size(), std::size_t{2});
        QCOMPARE(sequence.frames[0].file, std::string("a9.jpg")); // natural order
        QCOMPARE(sequence.picture.width, std::int64_t{256});
        QVERIFY(QFile::copy(QStringLiteral(TAMIS_SOURCE_DIR "/datasets/photos/coffee.jpg"), folder.filePath("a11.jpg")));
        const QString sizes = refusal([&] { open(folder.path()); }, ErrorCode::InvalidParameter);
        QVERIFY2(sizes.contains("a11.jpg") && sizes.contains("256 x 192"), qPrintable(sizes));
        QVERIFY(QFile::remove(folder.filePath("a11.jpg")));
        std::ofstream(folder.filePath("a12.jpg").toStdString()) << "no picture";
        try {
            open(folder.path());
            QFAIL("a broken picture was read");
        } catch (const Error& error) {
            QVERIFY(QString::fromStdString(error.what()).contains("a12.jpg"));
        }
    }

    void stopsSoon_data()
    {
        QTest::addColumn<QString>("id");
        for (const Method& method : methods())
            QTest::newRow(method.declaration.id.c_str()) << QString::fromStdString(method.declaration.id);
    }
    void stopsSoon()
    {
        QFETCH(QString, id);
        std::stop_source source;
        test::StopClock clock;
        std::size_t frames = 0;
        const Configuration all[] = {{id.toStdString(), {}}};
        try {
            runReuse(test::vit20(), test::motionPart(0, 15), all, {.seed = 0, .baselines = true, .rounds = 1}, RunContext(source.get_token()), [&](std::size_t, std::size_t, const FrameResult&) {
                if (++frames == 3)
                    clock.ask(source);
            });
            QFAIL("went on to the end");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
            QVERIFY2(clock.seconds() < test::kSoonSeconds, qPrintable(QString::number(clock.seconds())));
        }
    }
};

QTEST_GUILESS_MAIN(TstRunReuse)
#include "tst_run_reuse.moc"
