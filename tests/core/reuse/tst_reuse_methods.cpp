// SPDX-License-Identifier: GPL-3.0-or-later
// Motion, key frames, content keys, windows and pyramids over the bundled sequence: what they compute, what they leave, and what is exact.
#include "core/base/parallel.h"
#include "core/reuse/crops.h"
#include "core/reuse/decisions.h"
#include "core/reuse/key_frames.h"
#include "tests/core/method_pages.h"
#include "tests/core/reuse/frames.h"

#include <QFile>
#include <QTest>

#include <algorithm>
#include <cmath>

using namespace tamis;
using namespace tamis::reuse;
using report::PatchSource;
using test::runOne;
using test::Settings;

namespace {
std::size_t countOf(const report::FrameResult& frame, PatchSource source) { return static_cast<std::size_t>(std::ranges::count(frame.patches, source)); }

void motionRows()
{
    QTest::addColumn<QString>("id");
    for (const char* id : {"reuse.block-match", "reuse.flow", "reuse.affine", "reuse.perspective"})
        QTest::newRow(id) << id;
}
} // namespace

class TstReuseMethods : public QObject {
    Q_OBJECT

private slots:
    void everyMethodIsDeclaredAndDocumented()
    {
        test::verifyIds(methods(), [](const Method& method) { return static_cast<bool>(method.make); });
        QFile page(QStringLiteral(TAMIS_SOURCE_DIR "/docs/reuse-lab.md"));
        QVERIFY(page.open(QIODevice::ReadOnly));
        const QString text = QString::fromUtf8(page.readAll());
        for (const Method& method : methods()) {
            QVERIFY2(text.contains(QStringLiteral("`%1`").arg(QString::fromStdString(method.declaration.id))), method.declaration.id.c_str());
            QVERIFY(!method.declaration.reference.empty() && !method.declaration.title.empty());
            for (const auto& spec : method.declaration.schema.specs())
                QVERIFY2(!spec.title.empty() && !spec.help.empty(), spec.name.c_str());
        }
    }

    void everyMethodHasAPage_data() { test::addMethodRows(methods()); }
    void everyMethodHasAPage()
    {
        QFETCH(QString, id);
        test::verifyPage(findMethod(id.toStdString())->declaration);
    }

    /// One thread or two: the same bits of everything but times.
    void threadsChangeNothing_data() { test::addMethodRows(methods()); }
    void threadsChangeNothing()
    {
        QFETCH(QString, id);
        const auto sequence = test::motionPart(27, 32);
        const Configuration all[] = {{id.toStdString(), {}}};
        const auto run = [&](int threads) {
            const ThreadLimit limit(threads);
            return runReuse(test::vit20(), sequence, all, {.baselines = false}, {}).runs.front();
        };
        const auto one = run(1), two = run(2);
        QCOMPARE(one.frames.size(), two.frames.size());
        for (std::size_t i = 0; i < one.frames.size(); ++i) {
            const auto &a = one.frames[i], &b = two.frames[i];
            QVERIFY(a.patches == b.patches && a.change == b.change && a.movedFrom == b.movedFrom && a.keyFrame == b.keyFrame);
            QVERIFY(a.macs == b.macs && a.overheadMacs == b.overheadMacs); // QCOMPARE would take nearly equal ones
            QVERIFY(a.featureError == b.featureError && a.kl == b.kl && a.probability == b.probability && a.label == b.label);
        }
    }

    /// What is decided without the blocks is what the whole run finds.
    void decisionsAreThoseOfTheRun_data() { test::addMethodRows(methods()); }
    void decisionsAreThoseOfTheRun()
    {
        QFETCH(QString, id);
        auto sequence = test::motionPart(24, 45); // a cut, and stills
        const Method& method = *findMethod(id.toStdString());
        if (method.frames)
            sequence = method.frames(TokenModel(test::vit20()), sequence, method.declaration.schema.defaults());
        for (const Settings& settings : {Settings{}, id == "reuse.content-key" ? Settings{{"of", "patch"}, {"key", "pca-lsh"}} : id == "reuse.key-frames" ? Settings{{"rule", "motion"}, {"between", "block-match"}}
                                                     : id == "reuse.gate" || id == "reuse.eventful"                                  ? Settings{{"policy", "top-r"}, {"r", "20"}}
                                                                                                                                     : Settings{}}) {
            const auto configuration = test::configured(id.toStdString(), settings);
            ReuseSettings given{.baselines = false};
            if (method.frames)
                given.made = std::make_shared<const FrameSequence>(sequence);
            const Configuration all[] = {configuration};
            const auto run = runReuse(test::vit20(), sequence, all, given, {}).runs.front();
            std::size_t next = 0;
            decide(test::vit20(), sequence, configuration, 0, sequence.frames.size(), [&](std::size_t i, const report::FrameResult& decided) {
                QCOMPARE(i, next++);
                const auto& found = run.frames[i];
                QVERIFY2(decided.patches == found.patches && decided.change == found.change && decided.movedFrom == found.movedFrom, found.file.c_str());
                QCOMPARE(decided.keyFrame, found.keyFrame);
                QVERIFY(id == "reuse.eventful" ? std::isnan(decided.macs) : decided.macs == found.macs && decided.overheadMacs == found.overheadMacs);
                QCOMPARE(decided.wholeMacs, found.wholeMacs);
                QVERIFY(decided.label < 0 && std::isnan(decided.featureError) && decided.milliseconds == 0);
            }, {});
            QCOMPARE(next, sequence.frames.size());
        }
    }

    void movedFramesAreExactWhereAllIsComputed_data() { motionRows(); }
    void movedFramesAreExactWhereAllIsComputed()
    {
        QFETCH(QString, id);
        const auto run = runOne(test::motionPart(0, 4), id.toStdString(), {{"residual", "0"}, {"whole-above", "1"}});
        for (const auto& frame : run.frames)
            if (countOf(frame, PatchSource::Computed) == 256)
                QVERIFY2(frame.featureError < 1e-5, qPrintable(QString::number(frame.featureError)));
        QCOMPARE(countOf(run.frames[1], PatchSource::Computed), std::size_t{256}); // no patch is met to the last bit
    }

    /// Stills are met by no motion at all; a cut is computed whole; between them patches move.
    void motionIsFollowed_data() { motionRows(); }
    void motionIsFollowed()
    {
        QFETCH(QString, id);
        const auto run = runOne(test::motionPart(10, 33), id.toStdString(), {});
        QVERIFY(run.frames[20].keyFrame);              // frame 30
        QCOMPARE(run.frames[20].featureError, run.frames[0].featureError);
        QVERIFY(run.frames[20].featureError < 1e-5);
        std::size_t warped = 0;
        for (const auto& frame : run.frames) {
            warped += countOf(frame, PatchSource::Warped);
            QVERIFY(frame.overheadMacs > 0 && frame.overheadMacs <= frame.macs);
            for (std::size_t p = 0; p < frame.movedFrom.size(); ++p)
                QVERIFY(frame.movedFrom[p] >= 0 && frame.movedFrom[p] < 256 && (frame.patches[p] != PatchSource::Computed || frame.movedFrom[p] == static_cast<std::int32_t>(p)));
        }
        QVERIFY(warped > 256);
        QVERIFY2(run.macsShare < 0.9, qPrintable(QString::number(run.macsShare)));
        const auto still = runOne(test::motionPart(13, 16), id.toStdString(), {});
        for (std::size_t i = 1; i < 4; ++i) {
            QCOMPARE(countOf(still.frames[i], PatchSource::Reused), std::size_t{256});
            QVERIFY(still.frames[i].featureError < 1e-5 && still.frames[i].macs < 0.05 * still.frames[i].wholeMacs); // the search alone
        }
    }

    /// Differences that are compared show in the cost: searches by steps and diamonds compare a small part of all, and the exhaustive one, which gives sums up, less
    /// than half of all for the same result.
    void searchesCostWhatTheyCompare()
    {
        const auto sequence = test::motionPart(0, 1);
        const auto overhead = [&](const char* search) { return runOne(sequence, "reuse.block-match", {{"search", search}, {"range", "2"}}).frames[1].overheadMacs; };
        double places = 0; // of each block all displacements of 8 pixels that stay in the picture, each pixel
        for (std::int64_t p = 0; p < 256; ++p) {
            const std::int64_t top = std::max<std::int64_t>(p / 16 * 4 - 2, 0), left = std::max<std::int64_t>(p % 16 * 4 - 2, 0), bottom = std::min<std::int64_t>(p / 16 * 4 + 6, 64), right = std::min<std::int64_t>(p % 16 * 4 + 6, 64);
            const auto ways = [](std::int64_t before, std::int64_t behind) { return std::min<std::int64_t>(before, 8) + 1 + std::min<std::int64_t>(behind, 8); };
            places += static_cast<double>(ways(top, 64 - bottom) * ways(left, 64 - right) * (bottom - top) * (right - left));
        }
        const double all = overhead("exhaustive"), steps = overhead("three-step"), diamonds = overhead("diamond");
        QVERIFY2(all < 0.5 * places + std::min(steps, diamonds), qPrintable(QString::number(all / places))); // what is no comparison is in all three
        QVERIFY(all - steps > 0 && all - diamonds > 0);
    }

    void keyFramesComeByTheirRule()
    {
        const auto sequence = test::motionPart(20, 39);
        const auto every = runOne(sequence, "reuse.key-frames", {{"rule", "interval"}, {"interval", "5"}});
        for (std::size_t i = 0; i < every.frames.size(); ++i) {
            QCOMPARE(every.frames[i].keyFrame, i % 5 == 0);
            QCOMPARE(countOf(every.frames[i], PatchSource::Dropped), i % 5 == 0 ? std::size_t{0} : std::size_t{256});
            QCOMPARE(every.frames[i].macs, i % 5 == 0 ? every.frames[i].wholeMacs : 0);
            QCOMPARE(every.frames[i].label, every.frames[i - i % 5].wholeLabel);
        }
        for (const char* rule : {"histogram", "motion"}) {
            const auto run = runOne(sequence, "reuse.key-frames", {{"rule", rule}, {"interval", "0"}});
            QVERIFY2(run.frames[10].keyFrame, rule); // the cut
            QVERIFY(run.frames[10].featureError < 1e-5);
            QVERIFY(run.computedWhole < 20);
        }
        const auto between = runOne(sequence, "reuse.key-frames", {{"rule", "interval"}, {"interval", "5"}, {"between", "gate"}});
        QVERIFY(between.macsShare > every.macsShare && between.meanError < every.meanError);
        QCOMPARE(between.computedWhole, 4);
    }

    /// A camera that pans by a patch a frame over a large picture: a key frame whenever so much has gone by, for thresholds over all of their range.
    void keyFramesFollowLargeMotion_data()
    {
        QTest::addColumn<double>("threshold");
        for (const double threshold : {0.5, 1.5, 2.5, 3.5, 5.5})
            QTest::newRow(qPrintable(QString::number(threshold))) << threshold;
    }
    void keyFramesFollowLargeMotion()
    {
        QFETCH(double, threshold);
        const auto& given = test::motion();
        FrameSequence pan{"pan", given.preprocess, {}, {}};
        for (int i = 0; i < 24; ++i) { // 64 x 64 pixels of waves long enough to be followed and too many to be mistaken
            Frame frame{"pan" + std::to_string(i), std::vector<float>(given.preprocess.values()), {}};
            for (std::size_t channel = 0; channel < 3; ++channel)
                for (int y = 0; y < 64; ++y)
                    for (int x = 0; x < 64; ++x) {
                        const double u = x + 4 * i;
                        const double level = 128 + 45 * std::sin(0.13 * u + 0.05 * y) + 35 * std::sin(0.071 * u - 0.11 * y + 1) + 25 * std::cos(0.17 * y + 0.029 * u);
                        frame.image[(channel * 64 + static_cast<std::size_t>(y)) * 64 + static_cast<std::size_t>(x)] =
                            (static_cast<float>(level) * static_cast<float>(given.preprocess.rescaleFactor) - given.preprocess.mean[channel]) / given.preprocess.std[channel];
                    }
            pan.frames.push_back(std::move(frame));
        }
        const auto run = runOne(pan, "reuse.key-frames", {{"rule", "motion"}, {"motion", std::to_string(threshold)}, {"interval", "0"}});
        const int every = static_cast<int>(std::floor(threshold)) + 1; // frames until more than that has gone by
        std::string keys;
        for (std::size_t i = 0; i < run.frames.size(); ++i)
            keys += run.frames[i].keyFrame ? 'k' : '.';
        for (std::size_t i = 0; i < run.frames.size(); ++i)
            QVERIFY2(run.frames[i].keyFrame == (static_cast<int>(i) % every == 0), keys.c_str());
        const auto& spec = *findMethod("reuse.key-frames")->declaration.schema.find("motion");
        QVERIFY(threshold < spec.maximum && spec.maximum <= 6);
    }

    void histogramsChangeByShares()
    {
        tensor::Matrix<float> dark(4, 4), half(4, 4);
        for (std::size_t i = 0; i < 16; ++i)
            half.values()[i] = i < 4 ? 200.0f : 0.0f;
        QCOMPARE(histogramChange(dark, dark), 0.0);
        QCOMPARE(histogramChange(dark, half), 0.25);
    }

    /// A wider radius finds more and misses less; what is found exactly again is right.
    void contentKeysTradeMissesForCollisions()
    {
        const auto sequence = test::motionPart(0, 59);
        const ParameterValue radii[] = {std::int64_t{0}, std::int64_t{6}, std::int64_t{32}};
        const auto report = sweepReuse(test::vit20(), sequence, test::configured("reuse.content-key", {}), "radius", radii, {.baselines = false, .rounds = 1}, {});
        for (std::size_t i = 0; i < 3; ++i) {
            QCOMPARE(report.runs[i].hits + report.runs[i].misses, std::uint64_t{60});
            QVERIFY(report.runs[i].falseHits <= report.runs[i].hits);
            QVERIFY(i == 0 || report.runs[i].hits >= report.runs[i - 1].hits);
        }
        QVERIFY(report.runs[0].hits >= 6); // stills
        QVERIFY(report.runs[2].hits > 50 && report.runs[2].meanError > report.runs[0].meanError);
        QVERIFY(report.runs[0].macsShare > report.runs[2].macsShare);
        for (const auto& frame : report.runs[0].frames)
            QCOMPARE(frame.keyFrame, countOf(frame, PatchSource::Fetched) == 0);
    }

    void hashedTokensFindStillsAndMore()
    {
        const auto sequence = test::motionPart(0, 33);
        const ParameterValue bits[] = {std::int64_t{4}, std::int64_t{16}, std::int64_t{64}};
        const auto report = sweepReuse(test::vit20(), sequence, test::configured("reuse.content-key", {{"key", "pca-lsh"}, {"tables", "1"}}), "bits", bits, {.baselines = false, .rounds = 1}, {});
        QVERIFY(report.runs[0].hits > report.runs[1].hits && report.runs[1].hits >= report.runs[2].hits);
        QVERIFY(report.runs[2].hits >= 3); // the stills
        for (std::size_t frame = 14; frame <= 16; ++frame) {
            QCOMPARE(report.runs[2].frames[frame].keyFrame, false);
            QCOMPARE(report.runs[2].frames[frame].label, report.runs[2].frames[13].label);
        }
    }

    void patchesAreFoundByTheirKeys()
    {
        const auto sequence = test::motionPart(11, 18);
        for (const char* key : {"dhash", "phash", "pca-lsh"}) {
            const auto run = runOne(sequence, "reuse.content-key", {{"of", "patch"}, {"key", key}, {"radius", "0"}, {"bits", "24"}});
            QCOMPARE(run.hits + run.misses, std::uint64_t{8 * 256});
            QVERIFY2(run.hits >= 3 * 256, key); // three stills
            QCOMPARE(countOf(run.frames[4], PatchSource::Fetched), std::size_t{256});
            QVERIFY(run.frames[4].macs < 0.1 * run.frames[4].wholeMacs);
            QVERIFY(run.frames[0].featureError < 1e-5);
            QVERIFY(run.macsShare < 1);
        }
        const auto few = runOne(sequence, "reuse.content-key", {{"of", "patch"}, {"radius", "0"}, {"entries", "64"}});
        const auto many = runOne(sequence, "reuse.content-key", {{"of", "patch"}, {"radius", "0"}});
        QVERIFY(few.hits < many.hits); // they have left
        const auto anywhere = runOne(sequence, "reuse.content-key", {{"of", "patch"}, {"radius", "0"}, {"anywhere", "true"}});
        QVERIFY(anywhere.hits >= many.hits);
    }

    void windowsShareTheirPatches()
    {
        const auto run = runOne(test::motionPart(0, 1), "reuse.crops", {{"scale", "2"}, {"step", "4"}});
        const TokenModel model(test::vit20());
        const auto windows = windowsOf(model, test::motion(), 2, 4);
        QCOMPARE(run.frames.size(), windows.frames.size());
        QVERIFY(windows.frames.size() >= 25);
        std::vector<std::vector<bool>> seen(64, std::vector<bool>(64));
        for (std::size_t i = 0; i < windows.frames.size(); ++i) {
            const Place place = *windows.frames[i].place;
            std::size_t fresh = 0;
            for (std::int64_t p = 0; p < 256; ++p) {
                auto&& cell = seen[static_cast<std::size_t>(place.row + p / 16)][static_cast<std::size_t>(place.column + p % 16)];
                fresh += cell ? 0 : 1;
                cell = true;
            }
            QCOMPARE(countOf(run.frames[i], PatchSource::Computed), fresh);
        }
        QVERIFY(run.frames[0].featureError < 1e-5);
        QVERIFY(run.macsShare < 0.3);
        // Windows that overlap show the same pixels there
        const auto &a = windows.frames[0], &b = windows.frames[1];
        const auto moved = static_cast<std::size_t>(4 * (b.place->column - a.place->column));
        QCOMPARE(b.place->row, a.place->row);
        for (std::size_t y = 0; y < 64; ++y)
            for (std::size_t x = moved; x < 64; ++x)
                QCOMPARE(a.image[y * 64 + x], b.image[y * 64 + x - moved]);
        auto none = test::motionPart(0, 1);
        none.picture = {};
        QVERIFY_THROWS_EXCEPTION(Error, windowsOf(model, none, 2, 4));
        none.picture = inputs::blankImage(64, 64);
        QVERIFY_THROWS_EXCEPTION(Error, windowsOf(model, none, 1, 4)); // one window
    }

    /// Behind another method windows cannot be had: said, and the other runs stand.
    void windowsBehindOtherMethodsFail()
    {
        const Configuration all[] = {test::configured("reuse.gate", {}), test::configured("reuse.crops", {})};
        const auto report = runReuse(test::vit20(), test::motionPart(0, 2), all, {.baselines = false, .rounds = 1}, {});
        QVERIFY(report.runs[0].failure.empty());
        QVERIFY(report.runs[1].failure.find("windows") != std::string::npos);
    }

    void pyramidsRunWhatTheSmallPictureHides()
    {
        const auto sequence = test::motionPart(0, 2);
        const auto whole = runOne(sequence, "reuse.pyramid", {{"residual", "0"}, {"order", "together"}});
        for (const auto& frame : whole.frames) {
            if (countOf(frame, PatchSource::Computed) == 256)
                QVERIFY2(frame.featureError < 1e-5, qPrintable(QString::number(frame.featureError))); // nothing of the small picture stays
        }
        QCOMPARE(countOf(whole.frames[0], PatchSource::Computed), std::size_t{256});
        const auto coarse = runOne(sequence, "reuse.pyramid", {{"residual", "255"}});
        QCOMPARE(countOf(coarse.frames[0], PatchSource::Coarse), std::size_t{256});
        QVERIFY(coarse.macsShare < 0.26);
        const auto first = runOne(sequence, "reuse.pyramid", {{"residual", "6"}}), together = runOne(sequence, "reuse.pyramid", {{"residual", "6"}, {"order", "together"}});
        for (std::size_t i = 0; i < 3; ++i) {
            QCOMPARE(countOf(first.frames[i], PatchSource::Computed), countOf(together.frames[i], PatchSource::Computed));
            QCOMPARE(countOf(first.frames[i], PatchSource::Computed) + countOf(first.frames[i], PatchSource::Coarse), std::size_t{256});
        }
        QVERIFY(together.macsShare < first.macsShare);
    }
};

QTEST_GUILESS_MAIN(TstReuseMethods)
#include "tst_reuse_methods.moc"
