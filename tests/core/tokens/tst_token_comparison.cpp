// SPDX-License-Identifier: GPL-3.0-or-later
// Reductions compared over several photos: against runs one by one, with photos that cannot be read and settings that will not do.
#include "core/tokens/comparison.h"

#include "core/base/parallel.h"
#include "core/measure/logit_metrics.h"
#include "core/tokens/token_cost.h"
#include "tests/core/base/stop_clock.h"
#include "tests/core/tokens/bundled_model.h"

#include <QTest>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <set>
#include <thread>

using namespace tamis;
using namespace tamis::tokens;

namespace {
/// The images of the golden archive, turned in brightness to be more; some are unreadable.
class FewPhotos : public measure::SampleSource {
public:
    FewPhotos(const test::TokenImages& images, std::size_t count, std::set<std::size_t> broken = {}, std::vector<int> labels = {})
        : m_images(images), m_count(count), m_broken(std::move(broken)), m_labels(std::move(labels))
    {
    }
    std::size_t count() const noexcept override { return m_count; }
    std::string name(std::size_t index) const override { return "photo " + std::to_string(index); }
    void load(std::size_t index, measure::LoadedSample& sample) const override
    {
        if (m_broken.contains(index))
            throw Error(ErrorCode::MalformedFile, "is cut off", name(index));
        const auto from = m_images.samples[index % m_images.samples.size()].image;
        sample.image.assign(from.begin(), from.end());
        for (float& value : sample.image)
            value += 0.1F * static_cast<float>(index / m_images.samples.size());
        sample.label = index < m_labels.size() ? m_labels[index] : -1;
    }
    std::string description() const override { return "a few photos"; }
    std::string sha256(const RunContext&) const override { return {}; }

private:
    const test::TokenImages& m_images;
    std::size_t m_count;
    std::set<std::size_t> m_broken;
    std::vector<int> m_labels;
};

ComparedSetting with(const char* method, const char* name, ParameterValue value)
{
    ComparedSetting made{method, {}};
    made.parameters.set(name, std::move(value));
    return made;
}
const ComparisonOptions kNoLatency{.batch = 4, .latencySeconds = 0};
} // namespace

class TestTokenComparison : public QObject {
    Q_OBJECT
    std::shared_ptr<const nn::Model> m_model = test::tokenModel("vit20");
    test::TokenImages m_images{"vit20"};
    Inputs inputs() const { return {m_model, nullptr, nullptr}; }

private slots:
    void pointsAreThoseOfRunsOneByOne()
    {
        const std::vector<ComparedSetting> asked{with("tokens.evit", "keep", 0.5), with("tokens.tome", "r", std::int64_t{20})};
        const FewPhotos photos(m_images, 5);
        const auto found = compareMethods(inputs(), photos, asked, kNoLatency);
        QCOMPARE(found.points.size(), std::size_t(3));
        QCOMPARE(found.photos, std::int64_t(5));
        QCOMPARE(found.points[0].agreement, 1.0);
        QCOMPARE(found.points[0].kl, 0.0);
        QCOMPARE(found.points[0].tokensKept, 1.0);
        QVERIFY(found.points[0].baseline);
        for (std::size_t at = 0; at < asked.size(); ++at) {
            const auto& point = found.points[at + 1];
            const auto& method = *findMethod(asked[at].method);
            const Chain chain = method.chain(inputs(), method.declaration.schema.complete(asked[at].parameters), {});
            double kl = 0, agree = 0, macs = 0;
            std::vector<std::int64_t> kept;
            for (std::size_t i = 0; i < 5; ++i) {
                measure::LoadedSample sample;
                photos.load(i, sample);
                Trace trace;
                const auto reduced = test::runOne(*m_model, chain, sample.view(), &trace), whole = test::runOne(*m_model, {}, sample.view());
                const auto difference = measure::compareLogits(whole, reduced);
                kl += difference.kl / 5;
                agree += difference.agree ? 0.2 : 0;
                macs += static_cast<double>(trace.macs) / 5;
                kept.push_back(trace.layers.back().tokens.mlp);
            }
            // The same bits run alone and side by side; only the sums are in another order.
            QVERIFY(std::abs(point.kl - kl) <= 1e-12 * std::max(1.0, kl));
            QVERIFY(std::abs(point.agreement - agree) < 1e-12);
            QVERIFY(std::abs(static_cast<double>(point.macs) - macs) <= 1);
            QCOMPARE(point.keptCounts, kept);
            QVERIFY(point.macs < found.points[0].macs);
            QVERIFY(point.tokensKept < 1 && point.tokensKept > 0);
            QVERIFY(std::isnan(point.top1)); // no labels
            QVERIFY(std::isnan(point.latencyMs));
        }
        QCOMPARE(found.points[1].settings, std::string("keep 0.5"));
    }
    void threadsAndMemoryDoNotMatter()
    {
        const std::vector<ComparedSetting> asked{with("tokens.random", "keep", 0.6)};
        const FewPhotos photos(m_images, 6);
        const auto many = compareMethods(inputs(), photos, asked, kNoLatency);
        const ThreadLimit one(1);
        ComparisonOptions forgetful = kNoLatency;
        forgetful.sampleBytes = 0; // every photo is read again for every point
        const auto again = compareMethods(inputs(), photos, asked, forgetful);
        QCOMPARE(again.points[1].kl, many.points[1].kl);
        QCOMPARE(again.points[1].macs, many.points[1].macs);
        QCOMPARE(again.points[1].tokensPerLayer, many.points[1].tokensPerLayer);
    }
    void labelsAreScored()
    {
        const FewPhotos unlabelled(m_images, 2);
        std::vector<int> labels;
        for (std::size_t i = 0; i < 2; ++i) {
            measure::LoadedSample sample;
            unlabelled.load(i, sample);
            labels.push_back(measure::bestClasses(test::runOne(*m_model, {}, sample.view()), 1).front());
        }
        labels[1] = (labels[1] + 1) % static_cast<int>(m_model->spec().classes); // wrong
        const auto found = compareMethods(inputs(), FewPhotos(m_images, 3, {}, labels), {}, kNoLatency); // the third has no label
        QCOMPARE(found.points[0].top1, 0.5);
    }
    void photosThatCannotBeReadAreNamed()
    {
        const auto found = compareMethods(inputs(), FewPhotos(m_images, 4, {1, 2}), {with("tokens.evit", "keep", 0.5)}, kNoLatency);
        QCOMPARE(found.photos, std::int64_t(2));
        QCOMPARE(found.warnings.size(), std::size_t(2));
        QVERIFY(found.warnings[0].find("photo 1") != std::string::npos);
        QCOMPARE(found.points[1].keptCounts.size(), std::size_t(2));
        QVERIFY_THROWS_EXCEPTION(Error, compareMethods(inputs(), FewPhotos(m_images, 2, {0, 1}), {}, kNoLatency));
    }
    void settingsThatWillNotDoArePointsWithAReason()
    {
        int calls = 0;
        std::size_t most = 0;
        const auto found = compareMethods(inputs(), FewPhotos(m_images, 1), {with("tokens.nowhere", "keep", 0.5), with("tokens.evit", "keep", 7.0), with("tokens.evit", "keep", 0.5)},
                                             kNoLatency, {}, [&](const report::TokenComparison& soFar) {
                                                 ++calls;
                                                 most = soFar.points.size();
                                             });
        QCOMPARE(found.points.size(), std::size_t(4));
        QVERIFY(found.points[1].failure.find("tokens.nowhere") != std::string::npos);
        QVERIFY(found.points[2].failure.find("keep") != std::string::npos);
        QVERIFY(found.points[3].failure.empty());
        QCOMPARE(calls, 4);
        QCOMPARE(most, std::size_t(4));
        QCOMPARE(found.planned, std::size_t(4));
    }
    void latencyIsMeasured()
    {
        ComparisonOptions options{.batch = 2, .latencySeconds = 0.01};
        const auto found = compareMethods(inputs(), FewPhotos(m_images, 1), {with("tokens.tome", "r", std::int64_t{20})}, options);
        QVERIFY(found.points[0].latencyMs > 0);
        QVERIFY(found.points[1].wholeLatencyMs > 0);
        QVERIFY(found.points[1].matchingMs > 0 && found.points[1].matchingMs < found.points[1].latencyMs);
    }
    void itStopsSoon()
    {
        std::stop_source stop;
        test::StopClock clock;
        std::size_t done = 0;
        QVERIFY_THROWS_EXCEPTION(Error, compareMethods(inputs(), FewPhotos(m_images, 8), usualSettings(m_model->spec()), kNoLatency, RunContext(stop.get_token()),
                                                       [&](const report::TokenComparison& soFar) {
                                                           done = soFar.points.size();
                                                           if (done == 2)
                                                               clock.ask(stop);
                                                       }));
        QVERIFY2(clock.seconds() < test::kSoonSeconds, qPrintable(QString::number(clock.seconds())));
        QCOMPARE(done, std::size_t(2));
    }
    void itStopsAmidAPoint()
    {
        for (const double latency : {0.0, 60.0}) { // photos are run; times are taken
            std::stop_source stop;
            test::StopClock clock;
            const std::jthread later([&] {
                std::this_thread::sleep_for(std::chrono::milliseconds(300));
                clock.ask(stop);
            });
            QVERIFY_THROWS_EXCEPTION(Error, compareMethods(inputs(), FewPhotos(m_images, latency > 0 ? 2 : 400), {}, {.batch = 64, .latencySeconds = latency}, RunContext(stop.get_token())));
            QVERIFY2(clock.seconds() < test::kSoonSeconds, qPrintable(QString::number(clock.seconds())));
        }
    }
    void labelsBeyondTheClassesAreLeftOut()
    {
        const auto found = compareMethods(inputs(), FewPhotos(m_images, 3, {}, {20, 3, -1}), {}, kNoLatency);
        QCOMPARE(found.photos, std::int64_t(3));
        QCOMPARE(found.warnings.size(), std::size_t(1));
        QVERIFY(found.warnings[0].find("label 20") != std::string::npos);
        QVERIFY(found.points[0].top1 == 0 || found.points[0].top1 == 1); // one photo has a label
    }
    void spreadSettingsKeepWhatIsGiven()
    {
        for (const auto& method : methods()) {
            const auto all = spreadSettings(method, {}, m_model->spec());
            QVERIFY(!all.empty());
            for (std::size_t i = 0; i < all.size(); ++i) {
                QCOMPARE(all[i].method, method.declaration.id);
                method.declaration.schema.complete(all[i].parameters); // throws for what is out of range
                for (std::size_t j = 0; j < i; ++j)
                    QVERIFY(!(all[i].parameters == all[j].parameters));
                QCOMPARE(spreadSettings(method, all[i].parameters, m_model->spec()).size(), std::size_t(1)); // what is traded is said
            }
        }
        Parameters fused;
        fused.set("fuse", false);
        const auto all = spreadSettings(*findMethod("tokens.evit"), fused, m_model->spec());
        QVERIFY(all.size() > 3);
        for (const auto& each : all)
            QVERIFY(!each.parameters.boolean("fuse"));
    }
    /// Against the definition, pair by pair, and an example by hand.
    void frontIsOfThosePointsThatNoneBeats()
    {
        report::TokenComparison comparison;
        const auto add = [&](std::uint64_t macs, double agreement) {
            comparison.points.emplace_back();
            comparison.points.back().macs = macs;
            comparison.points.back().agreement = agreement;
        };
        add(100, 1);
        add(80, 0.9);
        add(80, 0.8); // as dear, worse
        add(90, 0.9); // dearer, no better
        add(50, 0.5);
        add(50, 0.5); // its twin: neither beats the other
        add(10, 0.9);
        comparison.points.back().failure = "none";
        QCOMPARE(paretoFront(comparison), (std::vector<bool>{true, true, false, false, true, true, false}));
        comparison.points[0].top1 = 0.7; // labels: accuracy counts, and points without one are nowhere
        comparison.points[1].top1 = 0.75;
        QCOMPARE(paretoFront(comparison), (std::vector<bool>{false, true, false, false, false, false, false}));
    }
    /// No setting that is tried by itself fails on the bundled model, and every method saves something at one of them at least.
    void usualSettingsAreAllowedAndReduce()
    {
        const auto settings = usualSettings(m_model->spec());
        const auto found = compareMethods(inputs(), FewPhotos(m_images, 2), settings, kNoLatency);
        QCOMPARE(found.points.size(), settings.size() + 1);
        std::map<std::string, std::uint64_t> fewest;
        for (std::size_t i = 0; i < settings.size(); ++i) {
            const auto& point = found.points[i + 1];
            QVERIFY2(point.failure.empty(), (point.title + " (" + point.settings + "): " + point.failure).c_str());
            const auto known = fewest.try_emplace(point.method, point.macs).first;
            known->second = std::min(known->second, point.macs);
        }
        for (const auto& method : methods()) {
            const auto& id = method.declaration.id;
            QCOMPARE(fewest.contains(id), !method.trains() && !method.declaration.schema.find("file"));
            if (fewest.contains(id))
                QVERIFY2(fewest[id] < found.points[0].macs, (id + ": " + std::to_string(fewest[id]) + " of " + std::to_string(found.points[0].macs)).c_str());
        }
    }
    /// Where the general rule does not fit a method says what it is tried at: values that are allowed, different, and move what it does.
    void methodsMaySpreadThemselves()
    {
        nn::ModelSpec spec = m_model->spec();
        const auto integers = [&](const char* id, const char* name) {
            std::vector<std::int64_t> values;
            for (const auto& each : spreadSettings(*findMethod(id), {}, spec))
                values.push_back(each.parameters.contains(name) ? each.parameters.integer(name) : -1);
            return values;
        };
        QCOMPARE(integers("tokens.truncated", "blocks"), (std::vector<std::int64_t>{5, 4, 3, 2, 1}));
        spec.blocks.resize(2, spec.blocks.front());
        QCOMPARE(integers("tokens.truncated", "blocks"), (std::vector<std::int64_t>{1}));
        spec.blocks.resize(1);
        QCOMPARE(integers("tokens.truncated", "blocks"), (std::vector<std::int64_t>{-1})); // once, at its default
        spec.blocks.resize(24, spec.blocks.front());
        const auto deep = integers("tokens.truncated", "blocks");
        QCOMPARE(deep.size(), std::size_t(8));
        QVERIFY(deep.front() == 23 && deep.back() == 1 && std::ranges::is_sorted(deep, std::greater<>()));
        for (const auto& each : spreadSettings(*findMethod("tokens.visionzip"), {}, spec))
            QVERIFY(each.parameters.real("dominant") > 0 && each.parameters.real("dominant") < 1); // shares: a number above 1 is one of tokens
        for (const auto& method : methods())
            for (const auto& each : method.trains() ? spreadSettings(method, {}, m_model->spec()) : std::vector<ComparedSetting>())
                for (const auto& [name, value] : each.parameters.all()) // what is traded needs no other training
                    QVERIFY2(std::ranges::find(method.afterTraining, name) != method.afterTraining.end(), (each.method + " " + name).c_str());
        spec.classes = 0; // no confidence to go by
        for (const auto& each : spreadSettings(*findMethod("tokens.resolution-routing"), {}, spec))
            QVERIFY(each.parameters.text("by") != "confidence");
        Parameters one;
        one.set("blocks", std::int64_t{2});
        const auto given = spreadSettings(*findMethod("tokens.truncated"), one, m_model->spec());
        QVERIFY(given.size() == 1 && given[0].parameters == one);
    }
};

QTEST_GUILESS_MAIN(TestTokenComparison)
#include "tst_token_comparison.moc"
