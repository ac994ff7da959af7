// SPDX-License-Identifier: GPL-3.0-or-later
// What the frame player asks of core: scenes, pictures made back from what the model reads, the names of settings.
#include "app/window/reuse_plan.h"
#include "app/window/reuse_runs.h"
#include "app/window/reuse_work.h"
#include "core/base/error.h"
#include "core/plan/plan.h"
#include "core/reuse/method.h"

#include <QElapsedTimer>
#include <QTemporaryDir>
#include <QTest>

#include <cmath>
#include <filesystem>

using namespace tamis;
using namespace tamis::app;

class TstReuseWork : public QObject {
    Q_OBJECT

    /// Frames of one grey level each, 4 x 2 pixels.
    static reuse::FrameSequence greys(const std::vector<int>& levels)
    {
        reuse::FrameSequence made;
        made.preprocess.height = 2;
        made.preprocess.width = 4;
        made.preprocess.mean = {0.5F, 0.4F, 0.3F};
        made.preprocess.std = {0.25F, 0.5F, 0.125F};
        for (const int level : levels) {
            reuse::Frame frame;
            for (std::size_t channel = 0; channel < 3; ++channel)
                frame.image.insert(frame.image.end(), 8, (static_cast<float>(level) / 255.0F - made.preprocess.mean[channel]) / made.preprocess.std[channel]);
            made.frames.push_back(std::move(frame));
        }
        return made;
    }

private slots:
    void scenesBeginWhereGreysChange()
    {
        // 13 and 14 share one of 64 levels; 13 and 202 do not.
        QCOMPARE(sceneCutsOf(greys({13, 14, 13, 202, 201, 13}), {}), (std::vector<int>{3, 5}));
        QVERIFY(sceneCutsOf(greys({13, 13, 13}), {}).empty());
        QVERIFY(sceneCutsOf(greys({13}), {}).empty());
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(sceneCutsOf(greys({1, 2}), RunContext(stop.get_token())), Error);
    }

    void aQuarterOfAPictureIsNoScene()
    {
        auto sequence = greys({13, 13});
        auto& image = sequence.frames[1].image;
        const auto changed = greys({202}).frames[0].image;
        for (std::size_t channel = 0; channel < 3; ++channel)
            for (std::size_t i = 0; i < 2; ++i)
                image[channel * 8 + i] = changed[channel * 8 + i];
        QVERIFY(sceneCutsOf(sequence, {}).empty()); // 2 of 8 pixels
        for (std::size_t channel = 0; channel < 3; ++channel)
            image[channel * 8 + 2] = changed[channel * 8 + 2]; // 3 of 8
        QCOMPARE(sceneCutsOf(sequence, {}), (std::vector<int>{1}));
    }

    void picturesAreMadeBack()
    {
        auto sequence = greys({0});
        const auto& preprocess = sequence.preprocess;
        for (std::size_t i = 0; i < 24; ++i) // every value another level
            sequence.frames[0].image[i] = (static_cast<float>(10 * i) / 255.0F - preprocess.mean[i / 8]) / preprocess.std[i / 8];
        const QImage image = imageOf(sequence.frames[0], preprocess);
        QCOMPARE(image.size(), QSize(4, 2));
        for (int y = 0; y < 2; ++y)
            for (int x = 0; x < 4; ++x) {
                const int at = 10 * (4 * y + x);
                QCOMPARE(image.pixelColor(x, y), QColor(at, at + 80, at + 160));
            }
        sequence.frames[0].image[0] = 1000; // beyond white
        QCOMPARE(imageOf(sequence.frames[0], preprocess).pixelColor(0, 0).red(), 255);
    }

    void settingsThatSayTheSame()
    {
        const std::string gate = reuse::methods().front().declaration.id;
        const auto& schema = reuse::methods().front().declaration.schema;
        ReuseSetting plain{gate, {}}, full{gate, schema.defaults()}, other{gate, {}}, strange{gate, {}};
        other.parameters.set("threshold", 0.55);
        strange.parameters.set("no-such", 1.0);
        QCOMPARE(settingKey(plain), settingKey(full));
        QCOMPARE(settingKey(plain), settingKey(strange));
        QVERIFY(settingKey(plain) != settingKey(other));
        QCOMPARE(reuseSettingTitle(full), QString::fromStdString(reuse::methods().front().declaration.title));
        QVERIFY(reuseSettingTitle(other).endsWith(", threshold 0.55"));
        QCOMPARE(reuseSettingTitle({"reuse.none", {}}), QString("reuse.none"));
    }

    void keysAreSweptByWhatLoosensThem()
    {
        ReuseSetting setting{"reuse.content-key", {}};
        QCOMPARE(sweptParameter(setting), std::string("radius"));
        setting.parameters.set("of", std::string("patch"));
        const auto radii = sweptSettings(setting);
        QVERIFY(radii.size() > 4);
        const auto& schema = reuse::findMethod(setting.method)->declaration.schema;
        for (std::size_t i = 0; i < radii.size(); ++i) {
            QCOMPARE(schema.complete(radii[i].parameters).text("of"), std::string("patch")); // the rest stays, and all is within its limits
            QVERIFY(i == 0 || radii[i].parameters.integer("radius") > radii[i - 1].parameters.integer("radius"));
        }
        setting.parameters.set("key", std::string("pca-lsh"));
        QCOMPARE(sweptParameter(setting), std::string("bits"));
        QVERIFY(sweptSettings(setting).size() > 4 && sweptSettings(setting).front().parameters.contains("bits"));
        QVERIFY(sweptParameter({"reuse.gate", {}}).empty() && sweptSettings({"reuse.gate", {}}).empty());
    }

    /// Three frames of the bundled sequence with its model.
    static std::shared_ptr<const ReuseSources> threeFrames(const QTemporaryDir& folder)
    {
        const std::filesystem::path datasets = TAMIS_SOURCE_DIR "/datasets";
        for (const char* file : {"frame00.jpg", "frame01.jpg", "frame02.jpg"})
            std::filesystem::copy_file(datasets / "motion" / file, folder.filePath(file).toStdString());
        return openReuseSources(std::make_shared<RunnableModel>(openWorkspace(datasets / "vit20", {}, {})), folder.path().toStdString(), {});
    }

    /// The first look is what the whole run finds, but for answers; it costs a small part of it.
    void decisionsComeFirst()
    {
        QTemporaryDir folder;
        const auto sources = threeFrames(folder);
        ReuseWork work;
        const ReuseRequest gate{sources, {"reuse.gate", {}}, 2};
        const auto first = work.coarse(gate);
        QVERIFY(first && !first->whole);
        std::vector<ReuseWork::Result> published;
        const auto whole = work.refine(gate, {}, [&](const ReuseWork::Result& result) { published.push_back(result); });
        QVERIFY(whole->whole && !published.empty());
        const auto &decided = first->report->runs.front().frames, &found = whole->report->runs.front().frames, &looked = published.front()->report->runs.front().frames;
        QCOMPARE(decided.size(), std::size_t{3});
        for (std::size_t i = 0; i < 3; ++i) {
            QVERIFY(decided[i].patches == found[i].patches && decided[i].keyFrame == found[i].keyFrame);
            QCOMPARE(decided[i].macs, found[i].macs);
            QVERIFY(std::isnan(decided[i].featureError) && decided[i].label < 0);
        }
        QVERIFY(std::isfinite(looked[2].featureError)); // the frame that is looked at has its answer before all others
        QVERIFY(std::isnan(looked[0].featureError));
        ReuseRequest windows = gate;
        windows.setting.method = "reuse.crops";
        QVERIFY(!work.coarse(windows)); // frames of its own
        ReuseRequest wrong = gate;
        wrong.setting.parameters.set("threshold", -1.0);
        QVERIFY(!work.coarse(wrong)); // refine() says why
        QVERIFY_EXCEPTION_THROWN(work.refine(wrong, {}, {}), Error);
    }

    void aFirstLookIsGivenUpInTime()
    {
        QTemporaryDir folder;
        const auto sources = threeFrames(folder);
        ReuseWork work;
        ReuseRequest match{sources, {"reuse.block-match", {}}, 2};
        for (const auto& [name, value] : {std::pair{"range", 8.0}, {"margin", 4.0}})
            match.setting.parameters.set(name, value);
        QElapsedTimer clock;
        clock.start();
        const auto first = work.coarse(match); // two attempts of 20 ms, or done within
        QVERIFY2(clock.elapsed() < 500, qPrintable(QString::number(clock.elapsed()))); // of a busy machine
        QVERIFY(!first || first->report->runs.front().frames.size() == 3);
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(work.refine(match, RunContext(stop.get_token()), {}), Error);
    }

    /// Windows are not made once the run was stopped.
    void windowsAreNotMadeBehindAStop()
    {
        QTemporaryDir folder;
        ReuseWork work;
        const ReuseRequest windows{threeFrames(folder), {"reuse.crops", {}}, 0};
        std::stop_source stop;
        stop.request_stop();
        int published = 0;
        try {
            work.refine(windows, RunContext(stop.get_token()), [&](const ReuseWork::Result&) { ++published; });
            QFAIL("went on");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::Cancelled);
        }
        QCOMPARE(published, 0);
    }

    void theOldestRunsThatNobodyKeptGo()
    {
        ReuseRuns runs;
        const auto run = std::make_shared<const report::ReuseRun>();
        const std::vector<std::string> kept{"first"};
        runs.add("first", run, kept);
        for (std::size_t i = 0; i < ReuseRuns::kMost + 3; ++i)
            runs.add(std::to_string(i), run, kept);
        QCOMPARE(runs.size(), ReuseRuns::kMost + 1);
        QVERIFY(runs.find("first") && !runs.find("2") && runs.find("3"));
        const auto newer = std::make_shared<const report::ReuseRun>();
        runs.add("3", newer, kept); // in place of the older one, and the newest
        QCOMPARE(runs.size(), ReuseRuns::kMost + 1);
        QCOMPARE(runs.find("3"), newer);
        runs.add("new", run, {});
        QVERIFY(!runs.find("first") && runs.find("3"));
    }

    void plansOfOtherProgramsAreRefused()
    {
        plan::Plan plan;
        QVERIFY(!plannedReuseOf(plan, "p.json"));
        plan.reuse = plan::PlannedReuse{reuse::methods().front().declaration.id, {}, "motion", 0.5};
        QVERIFY(plannedReuseOf(plan, "p.json")->parameters == reuse::methods().front().declaration.schema.defaults());
        plan.reuse->parameters.set("threshold", std::string("much"));
        QVERIFY_EXCEPTION_THROWN(plannedReuseOf(plan, "p.json"), Error);
        plan.reuse = plan::PlannedReuse{"reuse.none", {}, {}, 0};
        try {
            plannedReuseOf(plan, "p.json");
            QFAIL("a method that there is not");
        } catch (const Error& error) {
            QCOMPARE(error.code(), ErrorCode::UnsupportedFeature);
            QCOMPARE(error.subject(), std::string("p.json"));
        }
        SessionState state;
        takePlannedReuse(state, plan.reuse);
        QCOMPARE(state.reuse.setting.method, std::string("reuse.none"));
        takePlannedReuse(state, {});
        QVERIFY(!state.plannedReuse);
        QCOMPARE(state.reuse.setting.method, std::string("reuse.none")); // the player keeps its setting
    }
};

QTEST_APPLESS_MAIN(TstReuseWork)
#include "tst_reuse_work.moc"
