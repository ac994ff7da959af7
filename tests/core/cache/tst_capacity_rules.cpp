// SPDX-License-Identifier: GPL-3.0-or-later
// Rules of capacity: limits, batches and protected objects against a plain list, the policy alone where no rule asks for anything, and what a change
// of scene does to a trace that changes.
#include "core/base/error.h"
#include "core/cache/capacity_rules.h"
#include "core/cache/rule_settings.h"
#include "core/cache/simulate.h"
#include "core/io/trace_reader.h"
#include "tests/core/cache/mixed_trace.h"

#include <QTest>

#include <cmath>
#include <set>

using namespace tamis;
using namespace tamis::cache;

namespace {
/// Least recently used under the rules, by searching a vector: oldest first.
struct PlainList {
    std::uint64_t hard, soft, batch;
    std::set<std::uint32_t> kept;
    std::vector<std::pair<std::uint32_t, std::uint64_t>> list;

    std::uint64_t bytes() const
    {
        std::uint64_t sum = 0;
        for (const auto& each : list)
            sum += each.second;
        return sum;
    }
    bool evict()
    {
        const auto victim = std::ranges::find_if(list, [this](const auto& each) { return !kept.contains(each.first); });
        if (victim == list.end())
            return false;
        list.erase(victim);
        return true;
    }
    bool request(std::uint32_t object, std::uint64_t size)
    {
        const auto found = std::ranges::find(list, object, &std::pair<std::uint32_t, std::uint64_t>::first);
        if (found != list.end()) {
            const auto moved = *found;
            list.erase(found);
            list.push_back(moved);
            return true;
        }
        std::uint64_t fixed = size;
        for (const auto& each : list)
            fixed += kept.contains(each.first) ? each.second : 0;
        if (fixed > hard)
            return false; // what must stay leaves no room
        if (bytes() + size > hard)
            for (std::uint64_t gone = 0; bytes() + size > std::max(soft, size) || gone < batch; ++gone)
                if (!evict())
                    break;
        list.emplace_back(object, size);
        return false;
    }
};

/// Two sets of 200 popular objects, one after the other, and strays.
Trace sceneTrace(std::size_t requests, std::size_t changeAt)
{
    Trace trace;
    ObjectNumbers numbers;
    std::uint64_t state = 1;
    for (std::size_t i = 0; i < requests; ++i) {
        const std::uint64_t a = nextBits(state) % 200, b = nextBits(state) % 200;
        trace.objects.push_back(numbers.of((i < changeAt ? 0 : 1000) + std::min(a, b) + (nextBits(state) % 20 == 0 ? 100'000 + i : 0)));
    }
    trace.ids = numbers.takeIds();
    return trace;
}

CapacityRules watching(SceneSignal signal, SceneAction action, std::uint64_t window = 500)
{
    CapacityRules rules;
    rules.scene = {signal, window, 5};
    rules.action = action;
    return rules;
}

std::uint64_t hitsOf(const Trace& trace, const std::string& id, std::uint64_t capacity, const CapacityRules& rules)
{
    const PolicyPtr policy = ruledPolicy(*findMethod(id), {capacity, 3}, {}, rules, protectedObjects(rules, trace));
    return simulate(trace, {}, *policy, 0, {}).hits;
}
} // namespace

class TstCapacityRules : public QObject {
    Q_OBJECT
private slots:
    void againstAPlainList()
    {
        struct Case {
            double hard, soft;
            std::uint64_t batch;
            bool keeps;
        };
        for (const bool sized : {false, true}) {
            const Trace trace = mixedTrace(5, 4000, sized);
            const std::uint64_t capacity = sized ? 3000 : 100;
            for (const Case& each : {Case{1, 1, 1, false}, Case{0.8, 0.8, 1, false}, Case{1, 0.7, 1, false}, Case{0.9, 0.5, 3, false}, Case{1, 1, 7, false}, Case{1, 1, 1, true}, Case{0.9, 0.6, 4, true}}) {
                CapacityRules rules{.hard = each.hard, .soft = each.soft, .batch = each.batch, .protectedIds = {}};
                PlainList list{static_cast<std::uint64_t>(each.hard * static_cast<double>(capacity)), static_cast<std::uint64_t>(each.soft * static_cast<double>(capacity)), each.batch, {}, {}};
                if (each.keeps)
                    for (const std::uint32_t object : {3U, 10U, 50U, 200U, 201U, 202U}) {
                        rules.protectedIds.push_back(trace.ids[object]);
                        list.kept.insert(object);
                    }
                const PolicyPtr policy = ruledPolicy(*findMethod("cache.lru"), {capacity, 1}, {}, rules, protectedObjects(rules, trace));
                policy->know(trace.ids.size());
                std::set<std::uint32_t> evicted;
                policy->watchEvictions([&](std::uint32_t object) { evicted.insert(object); });
                for (std::size_t i = 0; i < trace.requests(); ++i) {
                    const std::uint32_t size = sized ? trace.sizes[i] : 1;
                    QCOMPARE(policy->request({trace.objects[i], size}), list.request(trace.objects[i], size));
                    QCOMPARE(policy->occupied(), list.bytes());
                }
                QVERIFY(evicted.size() > 100);
                for (const std::uint32_t object : list.kept)
                    QVERIFY(!evicted.contains(object));
                const std::vector<std::uint32_t> held = policy->contents();
                QCOMPARE(held.size(), list.list.size());
                for (const auto& [object, size] : list.list)
                    QVERIFY(std::ranges::find(held, object) != held.end());
            }
        }
    }
    /// A watch that never finds anything changes nothing; every policy keeps what it must, and the limit, whatever its order.
    void anyPolicy()
    {
        for (const bool sized : {false, true}) {
            const Trace trace = mixedTrace(7, 4000, sized);
            const std::uint64_t capacity = sized ? 3000 : 100;
            CapacityRules idle = watching(SceneSignal::HitRatio, SceneAction::Clear), busy{.hard = 0.9, .soft = 0.6, .batch = 2, .protectedIds = {trace.ids[0], trace.ids[5], trace.ids[9]}};
            idle.scene.threshold = 1e9;
            busy.protectedShare = 0.2;
            for (const Method& method : methods()) {
                if (method.knowsFuture || method.bound)
                    continue;
                const PolicyPtr alone = method.policy({capacity, 3}, {});
                QVERIFY2(hitsOf(trace, method.declaration.id, capacity, idle) == simulate(trace, {}, *alone, 0, {}).hits, method.declaration.id.c_str());
                const PolicyPtr policy = ruledPolicy(method, {capacity, 3}, {}, busy, protectedObjects(busy, trace));
                policy->know(trace.ids.size());
                std::set<std::uint32_t> held;
                policy->watchEvictions([&](std::uint32_t object) {
                    QVERIFY2(object != 0 && object != 5 && object != 9, method.declaration.id.c_str());
                    held.erase(object);
                });
                for (std::size_t i = 0; i < trace.requests(); ++i) {
                    const bool there = held.contains(trace.objects[i]);
                    const bool hit = policy->request({trace.objects[i], sized ? trace.sizes[i] : 1});
                    QVERIFY2(hit <= there, method.declaration.id.c_str());
                    QVERIFY2(policy->occupied() <= capacity * 9 / 10, method.declaration.id.c_str());
                    if (i % 50 == 49) {
                        const std::vector<std::uint32_t> contents = policy->contents();
                        held = {contents.begin(), contents.end()};
                        QCOMPARE(held.size(), contents.size());
                        std::uint64_t bytes = 0;
                        for (const std::uint32_t object : held)
                            bytes += sized ? 1 + trace.ids[object] * 2654435761U % 64 : 1;
                        QVERIFY2(bytes == policy->occupied(), method.declaration.id.c_str());
                    } else {
                        held.insert(trace.objects[i]); // at most: it may have passed by
                    }
                }
            }
        }
    }
    /// All that fits is protected: newcomers are refused, and nothing leaves.
    void refusedWhenAllIsProtected()
    {
        const Trace trace = mixedTrace(5, 3000, false);
        CapacityRules rules;
        rules.protectedIds.assign(trace.ids.begin(), trace.ids.begin() + 10);
        const PolicyPtr policy = ruledPolicy(*findMethod("cache.lru"), {5, 1}, {}, rules, protectedObjects(rules, trace));
        policy->know(trace.ids.size());
        for (std::uint32_t object = 0; object < 10; ++object)
            QVERIFY(!policy->request({object}));
        policy->watchEvictions([](std::uint32_t) { QFAIL("nothing may leave"); });
        for (int round = 0; round < 3; ++round)
            for (std::uint32_t object = 0; object < 20; ++object)
                QCOMPARE(policy->request({object}), object < 5);
        QCOMPARE(policy->occupied(), std::uint64_t{5});
        QVERIFY(!policy->evictOne());
    }
    /// A scan washes a cache of the most recent out, but for the objects that were requested most.
    void mostRequestedStay()
    {
        Trace trace;
        ObjectNumbers numbers;
        for (std::uint64_t round = 0; round < 40; ++round) {
            for (int twice = 0; twice < 2; ++twice)
                for (std::uint64_t id = 0; id < 20; ++id)
                    trace.objects.push_back(numbers.of(id));
            for (std::uint64_t id = 0; id < 200; ++id)
                trace.objects.push_back(numbers.of(1000 + 200 * round + id));
        }
        trace.ids = numbers.takeIds();
        CapacityRules rules;
        rules.protectedShare = 0.5;
        QCOMPARE(hitsOf(trace, "cache.lru", 100, {}), std::uint64_t{800});
        QVERIFY(hitsOf(trace, "cache.lru", 100, rules) > 1500); // of 1580 that come again
    }
    void sceneChanges()
    {
        const Trace trace = sceneTrace(30000, 15000), steady = sceneTrace(30000, 30000);
        for (const SceneSignal signal : {SceneSignal::HitRatio, SceneSignal::NewObjects})
            for (const SceneAction action : {SceneAction::Clear, SceneAction::Halve, SceneAction::Forget}) {
                const CapacityRules rules = watching(signal, action);
                const CacheRun changed = runOf(trace, rules), same = runOf(steady, rules);
                QCOMPARE(changed.changes, std::uint64_t{1});
                QCOMPARE(same.changes, std::uint64_t{0});
                QCOMPARE(same.hits, same.unruled);
                if (action != SceneAction::Halve) // half of the old favourites stay, and are still the most counted
                    QVERIFY(changed.hits > changed.unruled + 2000);
            }
    }
    /// New objects are seen whatever is held, hence in the same request by every policy. What each holds then, cleared: nothing, and from there it is a fresh cache. Forgotten: what a fresh cache takes
    /// of it, and from there that cache. Halved: what the policy alone holds once it has evicted so much, and from there the policy alone.
    void sceneChangesOfAnyPolicy_data()
    {
        QTest::addColumn<QString>("id");
        for (const Method& method : methods())
            if (!method.knowsFuture && !method.bound)
                QTest::newRow(method.declaration.id.c_str()) << QString::fromStdString(method.declaration.id);
    }
    void sceneChangesOfAnyPolicy()
    {
        QFETCH(QString, id);
        const Method& method = *findMethod(id.toStdString());
        for (const bool sized : {false, true}) {
            Trace trace = sceneTrace(15000, 7500);
            for (std::size_t i = 0; sized && i < trace.requests(); ++i)
                trace.sizes.push_back(1 + trace.objects[i] % 7);
            const PolicyInputs inputs{sized ? 400U : 100U, 3, sized ? 4.0 : 1.0};
            for (const SceneAction action : {SceneAction::Clear, SceneAction::Halve, SceneAction::Forget})
                verifySceneChange(method, inputs, trace, watching(SceneSignal::NewObjects, action, kShort));
        }
    }
    /// A change that ends in the middle of a stretch is what it is request by request.
    void sceneChangeWithinAStretch()
    {
        const Trace trace = sceneTrace(15000, 7500);
        for (const SceneAction action : {SceneAction::Clear, SceneAction::Halve, SceneAction::Forget}) {
            const CapacityRules rules = watching(SceneSignal::NewObjects, action, kShort);
            const PolicyPtr whole = ruledPolicy(*findMethod("cache.arc"), {100, 3}, {}, rules, {}), single = ruledPolicy(*findMethod("cache.arc"), {100, 3}, {}, rules, {});
            whole->know(trace.ids.size());
            single->know(trace.ids.size());
            Counts counts;
            whole->run(trace.view(), counts);
            std::uint64_t hits = 0;
            for (const std::uint32_t object : trace.objects)
                hits += single->request({object}) ? 1U : 0U;
            QCOMPARE(counts.hits, hits);
            QCOMPARE(changesOf(*whole), 1.0);
            QVERIFY(whole->contents() == single->contents());
        }
    }
    /// One request may have to let all go that is held: a stop is heard before the next of them leaves.
    void makingMuchRoomHearsAStop()
    {
        const Trace trace = sceneTrace(15000, 7500);
        CapacityRules batches;
        batches.batch = 80;
        for (const CapacityRules& rules : {watching(SceneSignal::NewObjects, SceneAction::Clear, kShort), watching(SceneSignal::NewObjects, SceneAction::Halve, kShort), batches}) {
            const PolicyPtr policy = ruledPolicy(*findMethod("cache.lfu"), {100, 3}, {}, rules, {});
            policy->know(trace.ids.size());
            std::stop_source stop;
            policy->heed(stop.get_token());
            int told = 0, after = 0;
            bool cancelled = false;
            policy->watchEvictions([&](std::uint32_t) {
                after += stop.stop_requested() ? 1 : 0;
                if (++told == 10) // within the request that makes the room
                    stop.request_stop();
            });
            try {
                for (std::size_t i = 0; i < trace.requests(); ++i) {
                    told = 0;
                    policy->request({trace.objects[i]});
                }
            } catch (const Error& error) {
                cancelled = error.code() == ErrorCode::Cancelled;
            }
            QVERIFY(cancelled);
            QCOMPARE(after, 0);
        }
    }
    void detectorIsLateByFewWindows()
    {
        SceneDetector detector({SceneSignal::HitRatio, 100, 5});
        std::uint64_t state = 3;
        std::vector<int> found;
        for (int i = 0; i < 20000; ++i)
            if (detector.after(0, nextBits(state) % 100 < (i < 10000 ? 70U : 40U)))
                found.push_back(i);
        QCOMPARE(found.size(), std::size_t{1});
        QVERIFY(found[0] >= 10000 && found[0] < 10400); // six deviations off: seen in four windows at most
    }
    /// Objects of a law with a long tail (of 20,000 the first come most), all others after every ten windows, with the usual settings: the windows in which a scene is new hide nothing.
    void newObjectsAreSeenSoonBehindTheStart()
    {
        const SceneSettings usual{.signal = SceneSignal::NewObjects};
        constexpr int kScenes = 5, kWindows = 10, kObjects = 20'000;
        SceneDetector detector(usual);
        detector.know(std::size_t{kScenes} * kObjects);
        std::uint64_t state = 5;
        std::vector<std::uint64_t> found;
        const std::uint64_t scene = kWindows * usual.window;
        for (std::uint64_t i = 0; i < kScenes * scene; ++i) {
            const double uniform = static_cast<double>(nextBits(state) % 1'000'000) / 1e6;
            const auto object = static_cast<std::uint32_t>(i / scene * kObjects) + static_cast<std::uint32_t>(kObjects * std::pow(uniform, 4));
            if (detector.after(object, false))
                found.push_back(i);
        }
        QCOMPARE(found.size(), std::size_t{kScenes - 1});
        for (std::size_t i = 0; i < found.size(); ++i)
            QVERIFY(found[i] / usual.window - (i + 1) * kWindows < 2);
    }
    void wrongRules()
    {
        const auto refused = [](CapacityRules rules) { QVERIFY_THROWS_EXCEPTION(Error, requireRules(rules)); };
        refused({.hard = 0, .protectedIds = {}});
        refused({.hard = 0.5, .soft = 0.6, .protectedIds = {}});
        refused({.batch = 0, .protectedIds = {}});
        refused({.protectedIds = {}, .protectedShare = 1.5});
        refused({.protectedIds = {}, .protectedShare = 1}); // nothing else could ever enter
        refused({.hard = 0.5, .soft = 0.5, .protectedIds = {}, .protectedShare = 0.5});
        CapacityRules rules = watching(SceneSignal::HitRatio, SceneAction::Clear);
        rules.scene.window = 0;
        refused(rules);
        QVERIFY_THROWS_EXCEPTION(Error, sceneSignalNamed("loud"));
        QVERIFY_THROWS_EXCEPTION(Error, sceneActionNamed("sleep"));
        QVERIFY_THROWS_EXCEPTION(Error, ruledPolicy(*findMethod("cache.belady"), {10, 1}, {}, watching(SceneSignal::HitRatio, SceneAction::Clear), {}));
    }
    /// By the names of sliders and options, on a trace whose ids are numbers and keys.
    void settings()
    {
        Trace trace = mixedTrace(5, 200, false);
        QVERIFY(rulesFrom({}, trace) == CapacityRules());
        QVERIFY(changedRules(ruleSchema().defaults()) == Parameters());
        const std::vector<std::string> names{std::to_string(trace.ids[3]), "odd, name ", "back\\slash"};
        trace.ids[4] = io::traceIds(names[1]).key;
        trace.ids[5] = io::traceIds(names[2]).key;
        Parameters given;
        given.set("hard", 0.8);
        given.set("soft", 0.5);
        given.set("evict-batch", std::int64_t{7});
        given.set("protect-most", 0.25);
        given.set("protect", " , " + idsText(names) + ",");
        given.set("scene-change", std::string("new-objects"));
        given.set("scene-action", std::string("halve"));
        given.set("scene-window", std::int64_t{300});
        given.set("scene-threshold", 2.0);
        const CapacityRules expected{.hard = 0.8, .soft = 0.5, .batch = 7, .protectedIds = {trace.ids[3], trace.ids[4], trace.ids[5]}, .protectedShare = 0.25, .scene = {SceneSignal::NewObjects, 300, 2}, .action = SceneAction::Halve};
        QVERIFY(rulesFrom(given, trace) == expected);
        QVERIFY(changedRules(given) == given);
        given.set("scene-threshold", 5.0);
        QVERIFY(!changedRules(given).contains("scene-threshold") && changedRules(given).contains("hard"));
        given.set("hard", 0.4);
        QCOMPARE(rulesFrom(given, trace).soft, 0.4); // a slider below the other takes it along
        const auto subject = [&](const char* name, ParameterValue value) {
            Parameters wrong = given;
            wrong.set(name, std::move(value));
            try {
                rulesFrom(wrong, trace);
            } catch (const Error& error) {
                return error.subject();
            }
            return std::string("none");
        };
        QCOMPARE(subject("protect", std::string("nobody")), std::string("protect"));
        QCOMPARE(subject("protect-most", 0.4), std::string("protect-most")); // of a hard limit of 0.4
        QCOMPARE(subject("scene-change", std::string("loud")), std::string("scene-change"));
        QCOMPARE(subject("hard", 0.0), std::string("hard"));
        QCOMPARE(subject("loud", 0.0), std::string("loud"));
    }
    /// What is protected by counts is never more than its share. Nor, once the cache is full, less by as much as the largest object: what is protected does not leave between counts.
    void shareOfTheMostRequested()
    {
        const Trace trace = mixedTrace(5, 6000, true);
        CapacityRules rules;
        rules.protectedShare = 0.3;
        const PolicyPtr policy = ruledPolicy(*findMethod("cache.lru"), {3000, 1}, {}, rules, {});
        policy->know(trace.ids.size());
        double most = 0;
        for (std::size_t i = 0; i < trace.requests(); ++i) {
            policy->request({trace.objects[i], trace.sizes[i]});
            const std::vector<PolicyFigure> figures = policy->figures();
            const double bytes = std::ranges::find(figures, "protected", &PolicyFigure::name)->value;
            QVERIFY(bytes <= 900);
            QVERIFY2(i < 1000 || bytes > 900 - 64, qPrintable(QString::number(bytes)));
            most = std::max(most, bytes);
        }
        QVERIFY(most > 0);
    }
    /// A cycle of ten through five places: what stays whatever comes hits five of ten, the farthest next request, which must take everybody in, four of nine. MIN is no limit then.
    void protectionPassesTheLimit()
    {
        Trace trace;
        ObjectNumbers numbers;
        for (std::uint64_t i = 0; i < 1000; ++i)
            trace.objects.push_back(numbers.of(i % 10));
        trace.ids = numbers.takeIds();
        CurveSettings settings{.sizes = {5}};
        settings.rules.protectedIds = {0, 1, 2, 3, 4};
        const report::CacheReport report = missRatioCurves(trace, {{"cache.lru", {}}, {"cache.belady", {}}, {"cache.sized-bound", {}}}, settings, {});
        QVERIFY(report.curves[0].points[0].hits > report.curves[1].points[0].hits);
        QVERIFY(!report.curves[1].limit);
        QVERIFY(report.curves[2].limit && report.curves[0].points[0].hits <= report.curves[2].points[0].hits);
    }
    /// Batches and windows count objects and requests, of which a sample has fewer; each sample sees the one change.
    void onSamples()
    {
        CapacityRules rules = watching(SceneSignal::NewObjects, SceneAction::Clear);
        rules.batch = 30;
        const CapacityRules tenth = scaledRules(rules, 0.1), least = scaledRules(rules, 1e-6);
        QVERIFY(tenth.batch == 3 && tenth.scene.window == 50 && least.batch == 1 && least.scene.window == 1);
        QVERIFY(scaledRules(rules, 1) == rules);
        const Trace trace = sceneTrace(60000, 30000);
        CurveSettings settings{.sizes = {100}, .rate = 0.5};
        settings.rules = watching(SceneSignal::NewObjects, SceneAction::Clear);
        QCOMPARE(missRatioCurves(trace, {{"cache.lfu", {}}}, settings, {}).curves[0].points[0].sceneChanges, std::uint64_t{1});
    }
    /// Rules reach the curves, but not those that know the future; an ordinary pass for all sizes is not taken.
    void inCurves()
    {
        const Trace trace = mixedTrace(9, 5000, false);
        CurveSettings settings{.sizes = {50, 100}};
        settings.rules = {.hard = 0.9, .soft = 0.5, .protectedIds = {}};
        const report::CacheReport report = missRatioCurves(trace, {{"cache.lru", {}}, {"cache.belady", {}}}, settings, {});
        QCOMPARE(report.curves[0].points[1].hits, hitsOf(trace, "cache.lru", 100, settings.rules));
        QCOMPARE(report.curves[0].rules, std::string("hard 0.9, soft 0.5"));
        QVERIFY(report.curves[1].rules.empty());
        QVERIFY(report.curves[1].limit);
    }

private:
    static constexpr std::uint64_t kShort = 250; ///< requests a window: 30 before the change, among which the cold start no longer counts for much
    static double changesOf(const Policy& policy)
    {
        for (const PolicyFigure& figure : policy.figures())
            if (figure.name == kSceneChanges)
                return figure.value;
        return -1;
    }
    static std::set<std::uint32_t> held(const Policy& policy)
    {
        const std::vector<std::uint32_t> contents = policy.contents();
        return {contents.begin(), contents.end()};
    }
    /// The request whose window shows the one change there is.
    static std::size_t changeIn(const Trace& trace, const SceneSettings& settings)
    {
        SceneDetector detector(settings);
        detector.know(trace.ids.size());
        std::vector<std::size_t> found;
        for (std::size_t i = 0; i < trace.requests(); ++i)
            if (detector.after(trace.objects[i], false))
                found.push_back(i);
        return found.size() == 1 ? found[0] : trace.requests();
    }
    static void verifySceneChange(const Method& method, const PolicyInputs& inputs, const Trace& trace, const CapacityRules& rules)
    {
        const std::size_t change = changeIn(trace, rules.scene);
        QVERIFY(change > 7500 && change < 10000);
        const PolicyPtr ruled = ruledPolicy(method, inputs, {}, rules, {});
        PolicyPtr plain = method.policy(inputs, {}); // what the ruled one should be
        ruled->know(trace.ids.size());
        plain->know(trace.ids.size());
        const Requests all = trace.view();
        std::set<std::uint32_t> evicted;
        for (std::size_t i = 0; i <= change; ++i) {
            QCOMPARE(changesOf(*ruled), 0.0);
            if (i == change)
                ruled->watchEvictions([&](std::uint32_t object) { evicted.insert(object); });
            QCOMPARE(ruled->request(all.at(i)), plain->request(all.at(i)));
        }
        QCOMPARE(changesOf(*ruled), 1.0);
        const std::vector<std::uint32_t> before = plain->contents();
        QVERIFY(!before.empty());
        if (rules.action == SceneAction::Halve) {
            while (plain->occupied() > inputs.capacity / 2)
                QVERIFY(plain->evictOne());
        } else {
            plain = method.policy(inputs, {});
            plain->know(trace.ids.size());
            for (std::size_t i = before.size(); rules.action == SceneAction::Forget && i-- > 0;)
                plain->request({before[i], trace.sized() ? 1 + before[i] % 7 : 1});
        }
        QCOMPARE(ruled->occupied(), plain->occupied());
        QVERIFY(ruled->contents() == plain->contents());
        const std::set<std::uint32_t> left = held(*ruled);
        for (const std::uint32_t object : before) // told of all that is gone, and of nothing else
            QVERIFY(left.contains(object) != evicted.contains(object));
        ruled->watchEvictions({});
        for (std::size_t i = change + 1; i < trace.requests(); ++i)
            QVERIFY2(ruled->request(all.at(i)) == plain->request(all.at(i)), method.declaration.id.c_str());
        QVERIFY(ruled->contents() == plain->contents());
        QCOMPARE(changesOf(*ruled), 1.0);
    }
    struct CacheRun {
        std::uint64_t hits, unruled, changes;
    };
    static CacheRun runOf(const Trace& trace, const CapacityRules& rules)
    {
        CurveSettings settings{.sizes = {100}};
        settings.rules = rules;
        const report::PolicyPoint point = missRatioCurves(trace, {{"cache.lfu", {}}}, settings, {}).curves[0].points[0];
        return {point.hits, static_cast<std::uint64_t>(std::llround(point.unruledHitRatio * static_cast<double>(trace.requests()))), point.sceneChanges};
    }
};

QTEST_GUILESS_MAIN(TstCapacityRules)
#include "tst_capacity_rules.moc"
