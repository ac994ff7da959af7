// SPDX-License-Identifier: GPL-3.0-or-later
// What the frame player asks of core: scenes, pictures made back from what the model reads, the names of settings.
#include "app/window/reuse_plan.h"
#include "app/window/reuse_runs.h"
#include "app/window/reuse_work.h"
#include "core/base/error.h"
#include "core/plan/plan.h"
#include "core/reuse/method.h"

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

    void realNumbersAloneLeaveACostAsItWas()
    {
        const ReuseSetting gate{"reuse.gate", {}}, match{"reuse.block-match", {}};
        ReuseSetting threshold = gate, policy = gate, range = match;
        threshold.parameters.set("threshold", 0.55);
        policy.parameters.set("policy", std::string("top-r"));
        range.parameters.set("range", std::int64_t{8});
        QCOMPARE(costKind(threshold), costKind(gate));
        QVERIFY(costKind(policy) != costKind(gate));
        QVERIFY(costKind(match) != costKind(gate));
        QVERIFY(costKind(range) != costKind(match));
    }

    void nothingUntimedRunsBeforeItCanBeStopped()
    {
        const std::filesystem::path datasets = TAMIS_SOURCE_DIR "/datasets";
        QTemporaryDir folder;
        for (const char* file : {"frame00.jpg", "frame01.jpg", "frame02.jpg"})
            std::filesystem::copy_file(datasets / "motion" / file, folder.filePath(file).toStdString());
        const auto sources = openReuseSources(std::make_shared<RunnableModel>(openWorkspace(datasets / "vit20", {}, {})), folder.path().toStdString(), {});
        ReuseWork work;
        ReuseRequest gate{sources, {"reuse.gate", {}}, 2}, match{sources, {"reuse.block-match", {}}, 2};
        match.setting.parameters.set("range", std::int64_t{8});
        match.setting.parameters.set("margin", std::int64_t{4});
        QVERIFY(!work.coarse(gate)); // never run
        int published = 0;
        const auto count = [&](const ReuseWork::Result& result) {
            ++published;
            QVERIFY(!result->whole);
        };
        const auto whole = work.refine(gate, {}, count);
        QVERIFY(whole->whole && whole->report->runs.front().frames.size() == 3);
        QVERIFY(published > 0); // what is looked at came first
        QVERIFY(!work.coarse(match)); // timed by the gate alone
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(work.refine(match, RunContext(stop.get_token()), count), Error);
        QVERIFY(!work.coarse(match)); // stopped before it was timed
        const auto matched = work.refine(match, {}, count);
        QVERIFY(matched->whole);
        ReuseRequest other = match;
        other.setting.parameters.set("range", std::int64_t{7});
        QVERIFY(!work.coarse(other) && !work.coarse(gate)); // the last kind alone is known
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
