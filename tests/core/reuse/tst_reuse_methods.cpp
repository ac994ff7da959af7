// SPDX-License-Identifier: GPL-3.0-or-later
// Motion, key frames, content keys, windows and pyramids over the bundled sequence: what they compute, what they leave, and what is exact.
#include "core/reuse/crops.h"
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

    /// The cost of the search shows.
    void searchesCostWhatTheyCompare()
    {
        const auto sequence = test::motionPart(0, 3);
        const auto overhead = [&](const char* search) { return runOne(sequence, "reuse.block-match", {{"search", search}}).frames[1].overheadMacs; };
        const double all = overhead("exhaustive"), steps = overhead("three-step"), diamonds = overhead("diamond");
        QVERIFY(steps < 0.4 * all && diamonds < 0.4 * all);
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
        const auto report = sweepReuse(test::vit20(), sequence, test::configured("reuse.content-key", {}), "radius", radii, {.seed = 0, .baselines = false, .rounds = 1}, {});
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
        const auto report = sweepReuse(test::vit20(), sequence, test::configured("reuse.content-key", {{"key", "pca-lsh"}, {"tables", "1"}}), "bits", bits, {.seed = 0, .baselines = false, .rounds = 1}, {});
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
        const auto report = runReuse(test::vit20(), test::motionPart(0, 2), all, {.seed = 0, .baselines = false, .rounds = 1}, {});
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
