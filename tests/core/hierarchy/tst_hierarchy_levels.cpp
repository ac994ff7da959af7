// SPDX-License-Identifier: GPL-3.0-or-later
// The lab's method as the program runs it: its declaration and page, frames and traces, types, refusals.
#include "core/base/error.h"
#include "core/hierarchy/method.h"
#include "core/io/checkpoint.h"
#include "tests/core/cache/mixed_trace.h"
#include "tests/core/hierarchy/moving_noise.h"
#include "tests/core/hierarchy/noise_frames.h"
#include "tests/core/method_pages.h"

#include <QTest>

#include <cmath>

using namespace tamis;
using namespace tamis::hierarchy;

namespace {
Parameters with(std::initializer_list<std::pair<const char*, ParameterValue>> values)
{
    Parameters parameters;
    for (const auto& [name, value] : values)
        parameters.set(name, value);
    return parameters;
}
Inputs mixed(bool sized)
{
    const cache::Trace trace = mixedTrace(7, 6000, sized);
    Inputs inputs;
    inputs.trace = std::make_shared<const RequestStream>(RequestStream{.name = "mixed", .objects = trace.objects, .sizes = trace.sizes, .writes = {}, .ids = trace.ids});
    return inputs;
}
report::HierarchyReport run(const Inputs& inputs, const Parameters& parameters) { return methods().front().run(inputs, parameters, {}); }
const ParameterValue kNone = std::int64_t{0};
} // namespace

class TstHierarchyLevels : public QObject {
    Q_OBJECT
    Inputs m_frames, m_round; ///< contents are in each place once; every place has the same again after eight frames

private slots:
    void initTestCase()
    {
        const auto model = nn::Model::load(*io::Checkpoint::open(TAMIS_SOURCE_DIR "/datasets/vit20"));
        m_frames.features = std::make_shared<const FeatureSource>(computeFrames(*model, MovingNoise(5, 4, 0), {}));
        m_round.features = std::make_shared<const FeatureSource>(computeFrames(*model, MovingNoise(12, 8, 0), {}));
    }
    void declaration()
    {
        QVERIFY(findMethod("hierarchy.levels") && !findMethod("hierarchy.other"));
        test::verifyPage(methods().front().declaration);
    }
    void frames()
    {
        const auto report = run(m_frames, with({{"same-cell", false}, {"tolerance", 0.0}}));
        QCOMPARE(report.reads, std::uint64_t{5 * 6 * 256});
        QCOMPARE(report.objects, std::uint64_t{6 * 256});
        QCOMPARE(report.workingSet, std::uint64_t{6 * 256 * 512});
        QCOMPARE(report.misses, report.objects); // L3 holds all
        QCOMPARE(report.levels.size(), std::size_t{3});
        QVERIFY(report.encodeMeasured && report.encodeNs > 0 && report.speedUp > 0);
        QCOMPARE(report.types.size(), std::size_t{3});
        QVERIFY(report.reuseError > 0 && report.whole);
        QCOMPARE(report.prefetch.asked, std::uint64_t{0});
        const auto layer = run(m_frames, with({{"same-cell", false}, {"tolerance", 0.0}, {"prefetch", std::string("layer")}}));
        QVERIFY(layer.prefetch.accuracy > 0.9); // the next block's entry is asked for 256 requests later, and 512 stay
        QVERIFY(layer.levels[0].hits > 1000 && layer.levels[0].hits > run(m_frames, with({{"same-cell", false}, {"tolerance", 0.0}})).levels[0].hits);
    }
    /// From frame 7 on what comes next was asked for before: motion names it but at the edges, where nothing is known of what comes round. Only the
    /// fetches of the last frame are for a frame that does not come.
    void motionFetchesTheNextFrame()
    {
        const auto at = [&](const char* prefetch) { return run(m_round, with({{"tolerance", 0.0}, {"l1-capacity", std::int64_t{2'000'000}}, {"prefetch", std::string(prefetch)}})); };
        const auto ahead = at("motion"), plain = at("none");
        QCOMPARE(ahead.objects, std::uint64_t{8 * 6 * 256});
        QVERIFY(ahead.prefetch.useful > 4 * 6 * 256 / 2 && ahead.prefetch.useful <= 4 * 6 * 256);
        QVERIFY(ahead.prefetch.accuracy > 0.6);
        QVERIFY(ahead.prefetch.absent > 5 * 6 * 256); // frames 0 to 6: never asked for before
        QCOMPARE(ahead.prefetch.issued, ahead.prefetch.useful + ahead.prefetch.unused);
        QVERIFY(ahead.levels[0].hits >= plain.levels[0].hits + ahead.prefetch.useful / 2);
    }
    /// Frames that have nothing in common, said to move: seven of eight columns are fetched ahead for nothing. The first names what is there.
    void motionThatIsWrongFetchesForNothing()
    {
        Inputs inputs;
        inputs.features = std::make_shared<const FeatureSource>(std::make_shared<const FrameFeatures>(noiseFrames(6, 8)));
        const auto at = [&](const char* from) { return run(inputs, with({{"tolerance", 0.0}, {"prefetch", std::string("motion")}, {"prefetch-from", std::string(from)}})); };
        const auto all = at("all"), levels = at("levels");
        QCOMPARE(all.prefetch.asked, std::uint64_t{6 * 2 * 64});
        QCOMPARE(all.prefetch.redundant, std::uint64_t{6 * 2 * 8});
        QCOMPARE(all.prefetch.issued, std::uint64_t{6 * 2 * 56});
        QCOMPARE(all.prefetch.accuracy, 0.0);
        QCOMPARE(all.objects, std::uint64_t{6 * 2 * 64}); // of requests
        QCOMPARE(levels.prefetch.issued, std::uint64_t{0});
        QCOMPARE(levels.prefetch.absent, all.prefetch.issued);
        QVERIFY(all.recomputePj > 1.8 * levels.recomputePj); // what was made for nothing, too
    }
    /// One level and objects of one size: halves hold twice as many, as twice the bytes of f32 do.
    void smallerTypesHoldMore()
    {
        const auto one = [&](std::int64_t capacity, const char* type) {
            return run(mixed(false), with({{"l1-capacity", capacity}, {"l2-capacity", kNone}, {"l3-capacity", kNone}, {"type", std::string(type)}}));
        };
        QCOMPARE(one(307'200, "f16").levels[0].hits, one(614'400, "f32").levels[0].hits);
        QVERIFY(one(307'200, "int8").levels[0].hits > one(307'200, "f16").levels[0].hits);
        QCOMPARE(one(307'200, "f32").levels[0].held, std::uint64_t{100});
        QCOMPARE(one(307'200, "f32").workingSet % 3072, std::uint64_t{0});
    }
    void inclusionDecidesWhatFits()
    {
        std::vector<std::uint64_t> misses;
        for (const char* inclusion : {"exclusive", "inclusive"})
            misses.push_back(run(mixed(false), with({{"l1-capacity", std::int64_t{307'200}}, {"l2-capacity", std::int64_t{614'400}}, {"l3-capacity", kNone}, {"inclusion", std::string(inclusion)}})).misses);
        QVERIFY(misses[0] < misses[1]); // 300 objects against 200
        QCOMPARE(run(mixed(false), with({{"l1-capacity", std::int64_t{921'600}}, {"l2-capacity", kNone}, {"l3-capacity", kNone}})).misses, misses[0]);
    }
    void policies()
    {
        for (const auto& spec : methods().front().declaration.schema.specs()) {
            if (spec.name != "l1-policy")
                continue;
            QVERIFY(spec.choices.size() >= 15);
            QVERIFY(std::ranges::find(spec.choices, "cache.belady") == spec.choices.end());
            for (const std::string& policy : spec.choices) {
                const auto report = run(mixed(true), with({{"l1-policy", policy}, {"l1-capacity", std::int64_t{2000}}, {"inclusion", std::string("non-inclusive")}}));
                QVERIFY2(report.levels[0].hits > 0 && std::isfinite(report.amat), policy.c_str());
                QVERIFY2(std::abs(report.amat - report.amatClosed) < 1e-9 * report.amat, policy.c_str());
            }
        }
        QVERIFY_EXCEPTION_THROWN(run(mixed(true), with({{"l2-policy", std::string("cache.arc")}})), Error);
    }
    void warnings()
    {
        const auto slow = run(mixed(false), with({{"encode-time", 1000.0}}));
        QVERIFY(!slow.levels[2].pays && slow.levels[1].pays);
        QVERIFY(std::ranges::find(slow.warnings, "a hit in L3 takes longer than recomputing") != slow.warnings.end());
        QVERIFY(slow.speedUp < 1); // looking into L3 first costs more than it saves
        QVERIFY(run(mixed(false), with({{"l1-capacity", std::int64_t{100}}})).levels[0].held == 0);
        QVERIFY(!run(mixed(true), with({{"type", std::string("int8")}})).warnings.empty());
    }
    void refusals()
    {
        QVERIFY_EXCEPTION_THROWN(run({}, {}), Error);
        QVERIFY_EXCEPTION_THROWN(run(mixed(false), with({{"prefetch", std::string("motion")}})), Error);
        QVERIFY_EXCEPTION_THROWN(run(mixed(false), with({{"prefetch", std::string("layer")}})), Error);
        QVERIFY_EXCEPTION_THROWN(run(mixed(false), with({{"l1-capacity", kNone}, {"l2-capacity", kNone}, {"l3-capacity", kNone}})), Error);
        QVERIFY_EXCEPTION_THROWN(run(mixed(false), with({{"l1-capacity", std::int64_t{-1}}})), Error);
        QVERIFY_EXCEPTION_THROWN(run(mixed(false), with({{"l1-policy", std::string("cache.belady")}})), Error);
    }
};

QTEST_APPLESS_MAIN(TstHierarchyLevels)
#include "tst_hierarchy_levels.moc"
