// SPDX-License-Identifier: GPL-3.0-or-later
// Motion against known shifts, OpenCV (tests/golden/make_reuse_golden.py) and datasets/motion/motion.tsv; warps against plain loops.
#include "core/io/npz.h"
#include "core/reuse/block_match.h"
#include "core/reuse/global_motion.h"
#include "core/reuse/optical_flow.h"
#include "core/reuse/warp.h"
#include "tests/core/base/stop_clock.h"
#include "tests/core/reuse/frames.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <random>
#include <sstream>
#include <thread>
#include <tuple>

using namespace tamis;
using namespace tamis::reuse;

namespace {
io::NpyArray golden(const std::string& name)
{
    static const auto archive = io::NpzArchive::open(TAMIS_SOURCE_DIR "/tests/golden/reuse_golden.npz");
    return archive->read(name);
}

Plane planeOf(const std::string& name)
{
    const auto array = golden(name);
    const auto values = array.toFloats();
    Plane plane(array.shape[0], array.shape[1]);
    std::ranges::copy(values, plane.values().begin());
    return plane;
}

/// A smooth picture, 32 x 48, with content moved by (dx, dy): what is at p was at p + (dx, dy) in the picture without motion.
Plane waves(double dx, double dy)
{
    Plane plane(32, 48);
    for (std::int64_t y = 0; y < 32; ++y)
        for (std::int64_t x = 0; x < 48; ++x) {
            const double u = static_cast<double>(x) + dx, v = static_cast<double>(y) + dy;
            plane(y, x) = static_cast<float>(128 + 40 * std::sin(0.35 * u + 0.2 * v) + 30 * std::cos(0.23 * v - 0.11 * u) + 20 * std::sin(0.05 * u * v / 8));
        }
    return plane;
}

struct TrueMotion {
    double dx = 0, dy = 0, zoom = 1;
    bool cut = false;
};

/// motion.tsv: what was at p from the centre is now at zoom p + (dx, dy), in pixels of 256 x 192.
std::vector<TrueMotion> trueMotions()
{
    std::ifstream file(TAMIS_SOURCE_DIR "/datasets/motion/motion.tsv");
    std::string line, name;
    std::getline(file, line);
    std::vector<TrueMotion> all;
    while (std::getline(file, line)) {
        std::istringstream fields(line);
        TrueMotion motion;
        fields >> name >> motion.dx >> motion.dy >> motion.zoom >> motion.cut;
        all.push_back(motion);
    }
    return all;
}

/// The motion of one frame against its predecessor, by matches of blocks.
std::optional<GlobalMotion> estimated(std::size_t frame, MotionKind kind)
{
    const auto& sequence = test::motion();
    const Plane now = greyOf(sequence.frames[frame].image, sequence.preprocess), before = greyOf(sequence.frames[frame - 1].image, sequence.preprocess);
    const auto found = matchBlocks(now.view(), before.view(), 16, 16, {8, 4, BlockSearch::Exhaustive, true});
    std::vector<PointMatch> matches;
    for (std::size_t p = 0; p < found.size(); ++p) {
        const double x = 4 * static_cast<double>(p % 16) + 1.5, y = 4 * static_cast<double>(p / 16) + 1.5;
        matches.push_back({x, y, x + static_cast<double>(found[p].dx), y + static_cast<double>(found[p].dy)});
    }
    return fitMotion(matches, kind, {0.75, 200, 10, 0});
}
} // namespace

class TstMotion : public QObject {
    Q_OBJECT

private slots:
    void wholeShiftsAreFound_data()
    {
        QTest::addColumn<int>("search");
        QTest::newRow("exhaustive") << static_cast<int>(BlockSearch::Exhaustive);
        QTest::newRow("three-step") << static_cast<int>(BlockSearch::ThreeStep);
        QTest::newRow("diamond") << static_cast<int>(BlockSearch::Diamond);
    }
    void wholeShiftsAreFound()
    {
        QFETCH(int, search);
        const Plane before = waves(0, 0), now = waves(3, -2);
        double differences = 0;
        const auto found = matchBlocks(now.view(), before.view(), 8, 12, {6, 4, static_cast<BlockSearch>(search), false}, &differences);
        for (std::int64_t row = 2; row < 6; ++row) // blocks that were in the picture
            for (std::int64_t column = 2; column < 9; ++column) {
                const Displacement& of = found[static_cast<std::size_t>(row * 12 + column)];
                QCOMPARE(of.dx, 3.0f);
                QCOMPARE(of.dy, -2.0f);
                QVERIFY(of.error < 1e-4f);
            }
        QVERIFY(differences > 96 * 64 && differences < 96.0 * (search == static_cast<int>(BlockSearch::Exhaustive) ? 169 : 40) * 144); // 13 x 13 places, 64 to 144 pixels
    }

    /// The least sum of all and, of equal ones, the shortest displacement, then the upper, then the left: found by plain loops. Few whole levels, so that sums are
    /// exact and many are equal.
    void exhaustiveIsTheLeast_data()
    {
        QTest::addColumn<int>("levels");
        QTest::addColumn<bool>("started");
        QTest::newRow("many levels") << 256 << false;
        QTest::newRow("three levels: ties") << 3 << false;
        QTest::newRow("three levels, begun elsewhere") << 3 << true;
        QTest::newRow("one level: all alike") << 1 << true;
    }
    void exhaustiveIsTheLeast()
    {
        QFETCH(int, levels);
        QFETCH(bool, started);
        std::mt19937 random(5);
        Plane a(24, 40), b(24, 40);
        for (Plane* plane : {&a, &b})
            for (float& value : plane->values())
                value = static_cast<float>(random() % static_cast<unsigned>(levels));
        std::vector<Displacement> starts;
        for (int p = 0; started && p < 15; ++p)
            starts.push_back({static_cast<float>(p % 7 - 3), static_cast<float>(3 - p % 5), 0});
        const auto found = matchBlocks(a.view(), b.view(), 3, 5, {3, 1, BlockSearch::Exhaustive, false}, nullptr, {}, starts);
        for (std::int64_t p = 0; p < 15; ++p) {
            const std::int64_t top = std::max<std::int64_t>(p / 5 * 8 - 1, 0), left = std::max<std::int64_t>(p % 5 * 8 - 1, 0), bottom = std::min<std::int64_t>(p / 5 * 8 + 9, 24), right = std::min<std::int64_t>(p % 5 * 8 + 9, 40);
            std::tuple<double, std::int64_t, std::int64_t, std::int64_t> least{1e9, 0, 0, 0};
            for (std::int64_t dy = -3; dy <= 3; ++dy)
                for (std::int64_t dx = -3; dx <= 3; ++dx) {
                    if (top + dy < 0 || left + dx < 0 || bottom + dy > 24 || right + dx > 40)
                        continue;
                    double sum = 0;
                    for (std::int64_t y = top; y < bottom; ++y)
                        for (std::int64_t x = left; x < right; ++x)
                            sum += std::abs(static_cast<double>(a(y, x)) - static_cast<double>(b(y + dy, x + dx)));
                    least = std::min(least, std::tuple(sum, dx * dx + dy * dy, dy, dx));
                }
            const Displacement& of = found[static_cast<std::size_t>(p)];
            QCOMPARE(static_cast<std::int64_t>(of.dy), std::get<2>(least));
            QCOMPARE(static_cast<std::int64_t>(of.dx), std::get<3>(least));
            QCOMPARE(of.error, static_cast<float>(std::get<0>(least)) / static_cast<float>((bottom - top) * (right - left)));
        }
    }

    /// Pixels compared, where they can be counted by hand: patches of 16 x 16, range 2, so that a sum is looked at behind every row.
    void comparisonsAreCounted()
    {
        const auto compared = [](const Plane& now, const Plane& then) {
            double differences = 0;
            matchBlocks(now.view(), then.view(), 3, 3, {2, 0, BlockSearch::Exhaustive, false}, &differences);
            return differences;
        };
        Plane black(48, 48), grey(48, 48);
        for (float& value : grey.values())
            value = 7;
        const double all = 4 * (3 * 3) + 4 * (3 * 5) + 5 * 5; // places: of the blocks in the corners, at the edges, in the middle
        QCOMPARE(compared(black, black), 9.0 * 256);     // nothing is better than no difference at no displacement
        QCOMPARE(compared(black, grey), all * 256);      // all alike: none can be given up before its end
        Plane steep(48, 48), nearly(48, 48);
        for (std::int64_t y = 0; y < 48; ++y)
            for (std::int64_t x = 0; x < 48; ++x) {
                steep(y, x) = static_cast<float>(1000 * x + 7000 * y);
                nearly(y, x) = steep(y, x) + (y % 16 == 15 && x % 16 == 15 ? 1.0f : 0.0f);
            }
        QCOMPARE(compared(nearly, steep), 9.0 * 256 + (all - 9) * 16); // one level off where it is right, far off elsewhere: a row is enough
    }

    /// A picture that nobody would wait for: 96 x 96 blocks of 48 x 48 pixels, 129 x 129 places.
    void largeSearchesStopSoon()
    {
        std::mt19937 random(8);
        Plane a(1536, 1536), b(1536, 1536);
        for (Plane* plane : {&a, &b})
            for (float& value : plane->values())
                value = static_cast<float>(random() % 256);
        std::stop_source source;
        test::StopClock clock;
        std::jthread asks([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            clock.ask(source);
        });
        try {
            matchBlocks(a.view(), b.view(), 96, 96, {64, 16, BlockSearch::Exhaustive, true}, nullptr, RunContext(source.get_token()));
            QFAIL("went on to the end");
        } catch (const Error& error) {
            asks.join();
            QCOMPARE(error.code(), ErrorCode::Cancelled);
            QVERIFY2(clock.seconds() < test::kSoonSeconds, qPrintable(QString::number(clock.seconds())));
        }
    }

    /// Every part that goes over pixels or tokens leaves where a stop was asked for.
    void everyPartStops()
    {
        std::stop_source source;
        source.request_stop();
        const RunContext stopped(source.get_token());
        const Plane plane = waves(0, 0);
        const MotionField field{Plane(32, 48), Plane(32, 48)};
        const std::vector<Displacement> patches(96);
        const Warp warp = warpOf(patches, 8, 12, 4, 4, true);
        TokenState state, moved;
        for (TokenState* each : {&state, &moved}) {
            each->keys.emplace_back(97, 8);
            each->values.emplace_back(97, 8);
            each->hidden = tensor::Matrix<float>(97, 8);
        }
        const std::pair<const char*, std::function<void()>> parts[] = {
            {"matches", [&] { matchBlocks(plane.view(), plane.view(), 8, 12, {}, nullptr, stopped); }},
            {"spread", [&] { spread(patches, 8, 12, 32, 48, stopped); }},
            {"patch motion", [&] { patchMotion(field, plane.view(), plane.view(), 8, 12, stopped); }},
            {"field", [&] { fieldOf(GlobalMotion{}, 32, 48, stopped); }},
            {"flow", [&] { denseFlow(plane.view(), plane.view(), {}, nullptr, stopped); }},
            {"warp", [&] { warpState(warp, 1, state, moved, stopped); }},
        };
        for (const auto& [name, part] : parts)
            try {
                part();
                QFAIL(name);
            } catch (const Error& error) {
                QCOMPARE(error.code(), ErrorCode::Cancelled);
            }
    }

    void partsOfPixelsAreFound()
    {
        const Plane before = waves(0, 0), now = waves(1.4, -0.7);
        const Plane across = waves(1.4, 0);
        const auto found = matchBlocks(across.view(), before.view(), 8, 12, {4, 4, BlockSearch::Exhaustive, true});
        const auto flow = denseFlow(now.view(), before.view(), {2, 4, 6});
        double meanMatch = 0, worstFlow = 0;
        for (std::int64_t row = 2; row < 6; ++row)
            for (std::int64_t column = 2; column < 10; ++column) {
                const Displacement& of = found[static_cast<std::size_t>(row * 12 + column)];
                meanMatch += std::abs(static_cast<double>(of.dx) - 1.4) / 32;
                worstFlow = std::max(worstFlow, std::hypot(static_cast<double>(flow.dx(4 * row + 2, 4 * column + 2)) - 1.4, static_cast<double>(flow.dy(4 * row + 2, 4 * column + 2)) + 0.7));
            }
        QVERIFY2(meanMatch < 0.25, qPrintable(QString::number(meanMatch))); // whole displacements are off by 0.4; each axis is refined by itself, which a slanting valley of sums spoils: hence one
        QVERIFY2(worstFlow < 0.1, qPrintable(QString::number(worstFlow))); // bilinear samples of waves of 0.35 a pixel: 0.35^2 / 8 of 60 levels, over slopes of some 10
    }

    /// OpenCV's points against ours at the same pixels: windows of 21 x 21 both, other gradients and other samples.
    void flowIsOpenCvs()
    {
        double macs = 0;
        const auto field = denseFlow(planeOf("flow.before").view(), planeOf("flow.after").view(), {3, 10, 10}, &macs); // from before to after, as OpenCV is asked
        const auto points = golden("flow.points").toFloats(), moved = golden("flow.moved").toFloats();
        std::vector<double> off;
        for (std::size_t i = 0; i < points.size() / 2; ++i) {
            const auto x = static_cast<std::int64_t>(points[2 * i]), y = static_cast<std::int64_t>(points[2 * i + 1]);
            off.push_back(std::hypot(static_cast<double>(points[2 * i] + field.dx(y, x) - moved[2 * i]), static_cast<double>(points[2 * i + 1] + field.dy(y, x) - moved[2 * i + 1])));
        }
        std::ranges::sort(off);
        QVERIFY2(off[off.size() / 2] < 0.1, qPrintable(QString::number(off[off.size() / 2])));
        QVERIFY2(off[off.size() * 9 / 10] < 0.3, qPrintable(QString::number(off[off.size() * 9 / 10])));
        QVERIFY(macs > 96 * 128 * 100 && macs < 96 * 128 * 1000);
    }

    /// OpenCV refines over its inliers of the same matches by other weights: a tenth of a pixel of noise over sixty matches leaves some hundredths.
    void globalMotionIsOpenCvs()
    {
        const auto from = golden("match.from").toDoubles();
        for (const auto& [kind, to, reference] : {std::tuple{MotionKind::Perspective, "match.to", "match.homography"}, {MotionKind::Affine, "match.affineTo", "match.affine"}}) {
            const auto target = golden(to).toDoubles(), expected = golden(reference).toDoubles();
            std::vector<PointMatch> matches;
            for (std::size_t i = 0; i < from.size() / 2; ++i)
                matches.push_back({from[2 * i], from[2 * i + 1], target[2 * i], target[2 * i + 1]});
            const auto motion = fitMotion(matches, kind, {0.5, 500, 10, 0});
            QVERIFY(motion.has_value());
            QVERIFY(motion->inliers >= 62 && motion->inliers <= 68); // two thirds of 96, and what is right by chance
            QVERIFY2(motion->error < 0.12, qPrintable(QString::number(motion->error)));
            GlobalMotion theirs;
            std::ranges::copy(expected, theirs.m.begin());
            for (const double x : {0.0, 20.0, 40.0, 63.0})
                for (const double y : {0.0, 20.0, 40.0, 63.0}) {
                    const auto a = motion->at(x, y), b = theirs.at(x, y);
                    QVERIFY2(std::hypot(a[0] - b[0], a[1] - b[1]) < 0.08, qPrintable(QString::number(std::hypot(a[0] - b[0], a[1] - b[1]))));
                }
        }
        QVERIFY(!fitMotion(std::vector<PointMatch>(5), MotionKind::Affine, {}).has_value());
        QVERIFY(!fitMotion(std::vector<PointMatch>(50), MotionKind::Perspective, {}).has_value()); // all at one place
    }

    /// Every moving frame of the bundled sequence: the model's 64 x 64 are the middle of the shorter side of 192, so a pixel of the file is a third of one here.
    /// Blocks of 12 pixels are met to half a
    /// pixel, their mean to less: a tenth over all frames, a quarter in the worst. A homography has two unknowns more, and half of the first shot is a
    /// plate without texture: half a pixel in the worst.
    void bundledMotionIsFound_data()
    {
        QTest::addColumn<int>("kind");
        QTest::newRow("affine") << static_cast<int>(MotionKind::Affine);
        QTest::newRow("perspective") << static_cast<int>(MotionKind::Perspective);
    }
    void bundledMotionIsFound()
    {
        QFETCH(int, kind);
        const auto motions = trueMotions();
        QCOMPARE(motions.size(), std::size_t{60});
        double worst = 0, mean = 0, worstZoom = 0, meanZoom = 0;
        for (std::size_t i = 1; i < motions.size(); ++i) {
            if (motions[i].cut)
                continue;
            const auto found = estimated(i, static_cast<MotionKind>(kind));
            QVERIFY2(found.has_value(), qPrintable(QString::number(i)));
            // what is at p now was at (p - d) / zoom from the centre
            const double scale = 64.0 / 192;
            const auto was = found->at(31.5, 31.5);
            const double off = std::hypot(was[0] - 31.5 + scale * motions[i].dx / motions[i].zoom, was[1] - 31.5 + scale * motions[i].dy / motions[i].zoom);
            worst = std::max(worst, off);
            mean += off / 58;
            const auto left = found->at(21.5, 31.5), right = found->at(41.5, 31.5);
            const double offZoom = std::abs((right[0] - left[0]) / 20 - 1 / motions[i].zoom);
            worstZoom = std::max(worstZoom, offZoom);
            meanZoom += offZoom / 58;
        }
        const bool affine = kind == static_cast<int>(MotionKind::Affine);
        QVERIFY2(mean < 0.1, qPrintable(QString::number(mean)));
        QVERIFY2(worst < (affine ? 0.25 : 0.5), qPrintable(QString::number(worst)));
        QVERIFY2(meanZoom < 0.01, qPrintable(QString::number(meanZoom))); // a third of a pixel from the middle to the border
        QVERIFY2(worstZoom < 0.03, qPrintable(QString::number(worstZoom)));
    }

    void warpsAreBilinear()
    {
        std::vector<Displacement> motion(12);
        motion[5] = {6, -2, 0};   // 1.5 columns right, half a row up of patches of 4: out of row 1, column 1
        motion[0] = {-40, 0, 0};  // beyond the border
        motion[7] = {0.05f, 0, 0}; // as good as none
        tensor::Matrix<float> rows(13, 3), moved(13, 3);
        for (std::int64_t i = 0; i < 13; ++i)
            for (std::int64_t j = 0; j < 3; ++j)
                rows(i, j) = static_cast<float>(10 * i + j);
        const Warp warp = warpOf(motion, 3, 4, 4, 4, true);
        QVERIFY(warp.moves());
        warpRows(warp, 1, rows.view(), moved.view());
        QCOMPARE(moved(0, 1), rows(0, 1));
        QCOMPARE(moved(1, 0), rows(1, 0)); // brought to the border: its own cell
        QCOMPARE(moved(8, 2), rows(8, 2));
        QCOMPARE(moved(6, 1), 0.25f * (rows(1 + 2, 1) + rows(1 + 3, 1) + rows(1 + 6, 1) + rows(1 + 7, 1))); // rows 0 and 1, columns 2 and 3
        const Warp nearest = warpOf(motion, 3, 4, 4, 4, false);
        warpRows(nearest, 1, rows.view(), moved.view());
        QCOMPARE(moved(6, 0), rows(1 + nearest.nearestCell[5], 0));
        QVERIFY(!warpOf(std::vector<Displacement>(12), 3, 4, 4, 4, true).moves());
    }

    /// A picture that leaves by four patches: what is left is where it was taken from, what came in does not look alike.
    void residualsShowWhatCameIn()
    {
        const Plane before = waves(0, 0), now = waves(8, 0); // two patches of 4 to the left; the last two columns are new
        MotionField field{Plane(32, 48), Plane(32, 48)};
        for (float& dx : field.dx.values())
            dx = 8;
        const auto patches = patchMotion(field, now.view(), before.view(), 8, 12);
        for (std::int64_t p = 0; p < 96; ++p) {
            QCOMPARE(patches[static_cast<std::size_t>(p)].dx, 8.0f);
            QVERIFY((patches[static_cast<std::size_t>(p)].error < 1e-3f) == (p % 12 < 10));
        }
        QCOMPARE(patches[11].error, 255.0f);
    }
};

QTEST_GUILESS_MAIN(TstMotion)
#include "tst_motion.moc"
