// SPDX-License-Identifier: GPL-3.0-or-later
// Runs over sequences: baselines, sums, drift, what the callback is told, refusals, stops.
#include "core/reuse/key_frames.h"
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
        const auto report = runReuse(test::vit20(), sequence, all, {.baselines = true, .rounds = 2}, {});
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
        const auto report = runReuse(test::vit20(), sequence, all, {.baselines = false, .rounds = 2}, {}, [&](std::size_t run, std::size_t frame, const FrameResult& result) {
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
        const auto report = sweepReuse(test::vit20(), sequence, test::configured("reuse.gate", {{"policy", "top-r"}, {"whole-above", "1"}}), "r", values, {.baselines = false, .rounds = 1}, {});
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

    /// Finite pixels that overflow on the way: no features to compare, whatever the model is for. The frame is named; a run that only later meets it fails as a whole.
    void outputsThatAreNoNumbersAreRefused_data()
    {
        QTest::addColumn<QString>("name");
        for (const char* name : {"timm_vit", "hf_dinov2", "hf_clip_vision"})
            QTest::newRow(name) << name;
    }
    void outputsThatAreNoNumbersAreRefused()
    {
        QFETCH(QString, name);
        const auto model = nn::Model::load(*io::Checkpoint::open((QStringLiteral(TAMIS_SOURCE_DIR "/tests/golden/models/") + name).toStdString()));
        FrameSequence sequence;
        sequence.preprocess.height = model->spec().patch.imageHeight;
        sequence.preprocess.width = model->spec().patch.imageWidth;
        for (const float level : {0.1f, 0.5f, 3e38f})
            sequence.frames.push_back({"level" + std::to_string(sequence.frames.size()), std::vector<float>(sequence.preprocess.values(), level), {}});
        const Configuration gate[] = {test::configured("reuse.gate", {})};
        const QString said = refusal([&] { runReuse(model, sequence, gate, {}, {}); }, ErrorCode::NonFinite);
        QVERIFY2(said.contains("level2"), qPrintable(said));
        sequence.frames.pop_back();
        QCOMPARE(refusal([&] { runReuse(model, sequence, gate, {}, {}); }, ErrorCode::NonFinite), QStringLiteral("nothing"));
    }

    /// A scale of bytes that nothing divides by gives no grey levels: still no level outside a histogram.
    void levelsAreNumbers()
    {
        FrameSequence sequence = test::motionPart(0, 1);
        sequence.preprocess.rescaleFactor = 0;
        const auto grey = greyOf(sequence.frames[0].image, sequence.preprocess);
        QVERIFY(std::ranges::all_of(grey.values(), [](float level) { return std::isfinite(level); }));
        auto broken = grey;
        broken(0, 0) = std::numeric_limits<float>::quiet_NaN();
        broken(0, 1) = std::numeric_limits<float>::infinity();
        broken(0, 2) = -std::numeric_limits<float>::infinity();
        const double change = histogramChange(broken, grey);
        QVERIFY(change >= 0 && change <= 1);
    }

    /// What the whole model says is taken from the caller where it is of these frames, and found again where it is not.
    void wholeAnswersAreUsedAgain()
    {
        const auto sequence = test::motionPart(25, 32);
        const auto whole = runWhole(test::vit20(), sequence, 1, {});
        auto marked = std::make_shared<WholeAnswers>(*whole);
        marked->milliseconds[2] = 123456;
        const Configuration gate[] = {test::configured("reuse.gate", {})};
        ReuseSettings settings;
        const auto plain = runReuse(test::vit20(), sequence, gate, settings, {});
        settings.whole = marked;
        const auto again = runReuse(test::vit20(), sequence, gate, settings, {});
        QCOMPARE(again.runs[0].frames[2].wholeMilliseconds, 123456.0);
        for (std::size_t i = 0; i < sequence.frames.size(); ++i) {
            QCOMPARE(again.runs[0].frames[i].featureError, plain.runs[0].frames[i].featureError);
            QCOMPARE(again.runs[0].frames[i].kl, plain.runs[0].frames[i].kl);
        }
        auto other = sequence;
        other.frames[7].image[3] += 1;
        QVERIFY(runReuse(test::vit20(), other, gate, settings, {}).runs[0].frames[2].wholeMilliseconds < 123456);
        settings.whole = partOf(*marked, 1, 4);
        QCOMPARE(runReuse(test::vit20(), test::motionPart(26, 29), gate, settings, {}).runs[0].frames[1].wholeMilliseconds, 123456.0);
    }

    /// As much is asked for as is then held, and no multiple of it.
    void memoryOfResultsIsForeseen()
    {
        const Configuration all[] = {test::configured("reuse.block-match", {}), test::configured("reuse.eventful", {})};
        const auto report = runReuse(test::vit20(), test::motionPart(0, 5), all, {}, {});
        std::uint64_t held = 0;
        for (const auto& run : report.runs)
            for (const auto& frame : run.frames)
                held += sizeof(FrameResult) + frame.patches.size() + 4 * (frame.change.size() + frame.movedFrom.size());
        const std::uint64_t foreseen = resultBytes(256, 6, report.runs.size());
        QVERIFY(foreseen >= held && foreseen < 3 * held);
    }

    /// Less contrast leaves the signs of differences: the same dHash, another content. Frames A, B, A, B: three hits, those of B on A are false.
    void collisionsOfKeysAreCounted()
    {
        auto sequence = test::motionPart(0, 3);
        auto& frames = sequence.frames;
        frames[2].image = frames[0].image;
        for (float& value : frames[1].image = frames[0].image)
            value = 0.05f * value - 1.5f;
        frames[3].image = frames[1].image;
        const Configuration keys[] = {test::configured("reuse.content-key", {{"radius", "0"}})};
        const auto run = runReuse(test::vit20(), sequence, keys, {}, {}).runs.front();
        QVERIFY(run.frames[0].wholeLabel != run.frames[1].wholeLabel);
        QCOMPARE(run.hits, std::uint64_t{3});
        QCOMPARE(run.falseHits, std::uint64_t{2});
        QVERIFY(run.falseHitsMeasured);
        const auto model = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/tests/golden/models/hf_clip_vision")); // says no classes: nothing tells false hits from right ones
        FrameSequence flat;
        flat.preprocess.height = model->spec().patch.imageHeight;
        flat.preprocess.width = model->spec().patch.imageWidth;
        flat.frames.assign(3, {"flat", std::vector<float>(flat.preprocess.values(), 0.25f), {}});
        const auto features = runReuse(model, flat, keys, {}, {}).runs.front();
        QCOMPARE(features.hits, std::uint64_t{2});
        QVERIFY(!features.falseHitsMeasured);
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

    /// A search of one frame for some seconds: 65 x 65 places of blocks of 36 x 36 pixels. The stop comes while it searches.
    void searchesStopSoon()
    {
        std::stop_source source;
        test::StopClock clock;
        const Configuration all[] = {test::configured("reuse.block-match", {{"range", "8"}, {"margin", "4"}})};
        ReuseSettings settings;
        settings.whole = runWhole(test::vit20(), test::motionPart(0, 3), 1, {});
        std::jthread asks;
        try {
            runReuse(test::vit20(), test::motionPart(0, 3), all, settings, RunContext(source.get_token()), [&](std::size_t, std::size_t frame, const FrameResult&) {
                if (frame == 0)
                    asks = std::jthread([&] {
                        std::this_thread::sleep_for(std::chrono::milliseconds(50));
                        clock.ask(source);
                    });
            });
            QFAIL("went on to the end");
        } catch (const Error& error) {
            asks.join();
            QCOMPARE(error.code(), ErrorCode::Cancelled);
            QVERIFY2(clock.seconds() < 0.1, qPrintable(QString::number(clock.seconds())));
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
            runReuse(test::vit20(), test::motionPart(0, 15), all, {.baselines = true, .rounds = 1}, RunContext(source.get_token()), [&](std::size_t, std::size_t, const FrameResult&) {
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
