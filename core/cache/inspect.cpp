// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/inspect.h"

#include "core/base/error.h"
#include "core/base/split_mix.h"
#include "core/cache/in_stretches.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cmath>
#include <utility>

namespace tamis::cache {
namespace {
using report::CacheSizeReport;
using report::HitWindow;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kCoarseRequests = 50'000;  ///< of the sample that answers first
constexpr std::uint64_t kGrain = 60;             ///< objects that the sample's cache holds at least

/// Some of the objects, numbered anew in their order.
struct Chosen {
    double rate = 1;
    std::vector<std::uint32_t> numbers; ///< kNever: left out; empty: all, as they are
    std::size_t objects = 0;
};

Chosen chosenObjects(const Trace& trace, double rate, std::uint64_t seed)
{
    Chosen chosen{.rate = rate};
    chosen.numbers.assign(trace.ids.size(), kNever);
    const double limit = std::ldexp(rate, 53);
    for (std::size_t object = 0; object < trace.ids.size(); ++object)
        if (static_cast<double>(mixedBits(trace.ids[object] ^ mixedBits(seed + kSplitMixStep)) >> 11U) < limit)
            chosen.numbers[object] = static_cast<std::uint32_t>(chosen.objects++);
    return chosen;
}

class Inspection {
public:
    Inspection(const Trace& trace, std::span<const std::uint32_t> next, const Configuration& configuration, std::uint64_t size, const InspectSettings& settings)
        : m_trace(trace), m_next(next), m_configuration(configuration), m_size(size), m_warmUp(std::min<std::uint64_t>(settings.warmUp, trace.requests())), m_seed(settings.seed), m_rules(settings.rules), m_protected(protectedObjects(settings.rules, trace)),
          m_window(std::max<std::size_t>(1, (trace.requests() + static_cast<std::size_t>(settings.windows) - 1) / static_cast<std::size_t>(settings.windows)))
    {
    }

    CacheSizeReport run(const Chosen& chosen, const RunContext& context) const
    {
        const bool watches = watchesScene();
        context.setParts(watches ? 2 : 1);
        CacheSizeReport report = followed(chosen, m_rules, context.part(1, "simulating"));
        if (watches) {
            CapacityRules rules = m_rules;
            rules.scene.signal = SceneSignal::Off;
            CacheSizeReport unwatched = followed(chosen, rules, context.part(1, "simulating without looking for scene changes"));
            report.unwatched = std::move(unwatched.windows);
            report.unwatchedHits = unwatched.hits;
            report.unwatchedHitBytes = unwatched.hitBytes;
            report.seconds += unwatched.seconds;
        }
        return report;
    }

private:
    struct Fate {
        std::uint32_t next = kNever; ///< request at which it comes again
        bool used = false;           ///< hit since it entered
    };

    bool watchesScene() const { return obeysRules(methodOf(m_configuration), m_rules) && m_rules.scene.signal != SceneSignal::Off; }
    CacheSizeReport followed(const Chosen& chosen, const CapacityRules& rules, const RunContext& context) const
    {
        const auto start = Clock::now();
        CacheSizeReport report = empty(chosen.rate == 1);
        const std::size_t objects = chosen.numbers.empty() ? m_trace.ids.size() : chosen.objects;
        const std::uint64_t capacity = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::llround(static_cast<double>(m_size) * chosen.rate)));
        const PolicyPtr policy = policyFor(m_configuration, m_trace, capacity, m_seed, scaledRules(rules, chosen.rate), protectedAmong(chosen));
        policy->know(objects);
        policy->heed(context.stopToken());
        std::vector<Fate> fates(objects);
        std::size_t now = 0;
        policy->watchEvictions([&](std::uint32_t object) {
            if (now >= m_warmUp)
                count(fates[object], now, report.evicted);
        });
        const bool watched = watchesScene() && rules.scene.signal != SceneSignal::Off;
        std::uint64_t changes = 0;
        const auto noteScenes = [&](std::size_t window) { // of the one before it
            const std::uint64_t before = std::exchange(changes, sceneChangesOf(*policy));
            if (window > 0)
                report.windows[window - 1].sceneChanges = changes - before;
        };
        std::vector<HitWindow> seen = report.windows; // requests and bytes that the policy was shown
        Requests all = m_trace.view();
        all.next = m_next;
        const auto request = [&] {
            const std::uint32_t size = m_trace.sized() ? m_trace.sizes[now] : 1;
            const std::size_t window = now / m_window;
            if (watched && now % m_window == 0)
                noteScenes(window);
            report.windows[window].bytes += size;
            const std::uint32_t object = chosen.numbers.empty() ? m_trace.objects[now] : chosen.numbers[m_trace.objects[now]];
            if (object == kNever)
                return;
            Fate& fate = fates[object];
            fate.next = m_next[now];
            Request one = all.at(now);
            one.object = object;
            const bool hit = policy->request(one);
            fate.used = hit;
            ++seen[window].requests;
            seen[window].bytes += size;
            seen[window].hits += hit ? 1U : 0U;
            seen[window].hitBytes += hit ? size : 0U;
            if (now >= m_warmUp)
                add(report, size, hit);
        };
        inStretches(0, m_trace.requests(), 0, context, [&](std::size_t first, std::size_t end) {
            context.setFraction(static_cast<double>(first) / static_cast<double>(m_trace.requests()));
            for (now = first; now < end; ++now)
                request();
        });
        if (watched)
            noteScenes(report.windows.size());
        report.held = policy->contents().size();
        report.stateBytes = policy->stateBytes();
        finish(report, seen, chosen.rate);
        report.seconds = std::chrono::duration<double>(Clock::now() - start).count();
        context.finish();
        return report;
    }
    static std::uint64_t sceneChangesOf(const Policy& policy)
    {
        const std::vector<PolicyFigure> figures = policy.figures();
        const auto changes = std::ranges::find(figures, kSceneChanges, &PolicyFigure::name);
        return changes == figures.end() ? 0 : static_cast<std::uint64_t>(changes->value);
    }
    std::vector<bool> protectedAmong(const Chosen& chosen) const
    {
        if (chosen.numbers.empty())
            return m_protected;
        std::vector<bool> among(chosen.objects, false);
        for (std::size_t object = 0; object < chosen.numbers.size(); ++object)
            if (chosen.numbers[object] != kNever)
                among[chosen.numbers[object]] = m_protected[object];
        return among;
    }
    CacheSizeReport empty(bool exact) const
    {
        const Method& method = methodOf(m_configuration);
        CacheSizeReport report{.trace = m_trace.name, .policy = m_configuration.method, .title = method.declaration.title, .settings = settingsText(m_configuration),
                               .parameters = method.declaration.schema.complete(m_configuration.parameters), .size = m_size, .warmUp = m_warmUp, .sized = m_trace.sized(), .exact = exact,
                               .rules = obeysRules(method, m_rules) ? inWords(m_rules) : std::string()};
        for (std::size_t first = 0; first < m_trace.requests(); first += m_window)
            report.windows.push_back({.first = first, .requests = std::min(m_window, m_trace.requests() - first)});
        report.evicted.wantedAfter.assign(static_cast<std::size_t>(std::bit_width(m_trace.requests())), 0);
        return report;
    }
    static void count(const Fate& fate, std::size_t now, report::EvictionOutcome& outcome)
    {
        ++outcome.evictions;
        outcome.neverUsed += fate.used ? 0U : 1U;
        if (fate.next == kNever)
            ++outcome.neverWanted;
        else
            ++outcome.wantedAfter[static_cast<std::size_t>(std::bit_width(std::max<std::size_t>(fate.next - now, 1)) - 1)];
    }
    static void add(CacheSizeReport& report, std::uint32_t size, bool hit)
    {
        ++report.requests;
        report.bytes += size;
        report.hits += hit ? 1U : 0U;
        report.hitBytes += hit ? size : 0U;
    }
    /// Misses stand for as many more as objects were left out; requests and bytes of the whole are known (SHARDS_adj, as in the curves).
    static std::uint64_t hitsOf(std::uint64_t all, std::uint64_t seen, std::uint64_t hits, double rate)
    {
        const double missed = static_cast<double>(seen - hits) / rate;
        return static_cast<std::uint64_t>(std::llround(std::max(0.0, static_cast<double>(all) - missed)));
    }
    void finish(CacheSizeReport& report, const std::vector<HitWindow>& seen, double rate) const
    {
        for (std::size_t i = 0; i < seen.size(); ++i) {
            report.windows[i].hits = rate == 1 ? seen[i].hits : hitsOf(report.windows[i].requests, seen[i].requests, seen[i].hits, rate);
            report.windows[i].hitBytes = rate == 1 ? seen[i].hitBytes : hitsOf(report.windows[i].bytes, seen[i].bytes, seen[i].hitBytes, rate);
        }
        if (rate == 1)
            return;
        const std::uint64_t requests = m_trace.requests() - m_warmUp;
        std::uint64_t bytes = requests;
        if (m_trace.sized()) {
            bytes = 0;
            for (std::size_t i = m_warmUp; i < m_trace.requests(); ++i)
                bytes += m_trace.sizes[i];
        }
        report.hits = hitsOf(requests, report.requests, report.hits, rate);
        report.hitBytes = hitsOf(bytes, report.bytes, report.hitBytes, rate);
        report.requests = requests;
        report.bytes = bytes;
        const auto scale = [&](std::uint64_t& number) { number = static_cast<std::uint64_t>(std::llround(static_cast<double>(number) / rate)); };
        for (std::uint64_t* number : {&report.evicted.evictions, &report.evicted.neverWanted, &report.evicted.neverUsed, &report.held, &report.stateBytes})
            scale(*number);
        for (std::uint64_t& number : report.evicted.wantedAfter)
            scale(number);
    }

    const Trace& m_trace;
    std::span<const std::uint32_t> m_next;
    const Configuration& m_configuration;
    std::uint64_t m_size, m_warmUp, m_seed;
    const CapacityRules& m_rules;
    std::vector<bool> m_protected; ///< [objects]
    std::size_t m_window; ///< requests
};

/// 1: a sample would not be much sooner, or too coarse, or not what the policy is about.
double coarseRate(const Trace& trace, const Configuration& configuration, std::uint64_t size)
{
    const Method& method = methodOf(configuration);
    if (method.knowsFuture && !method.limit)
        return 1; // weighs distances against one another
    const double byRequests = static_cast<double>(kCoarseRequests) / static_cast<double>(std::max<std::size_t>(trace.requests(), 1));
    const double mean = trace.sized() ? static_cast<double>(trace.workingSet()) / static_cast<double>(trace.ids.size()) : 1;
    const double rate = std::max(byRequests, static_cast<double>(kGrain) * mean / static_cast<double>(size));
    return rate > 0.25 ? 1 : rate;
}
} // namespace

CacheSizeReport inspectSize(const Trace& trace, std::span<const std::uint32_t> next, const Configuration& configuration, std::uint64_t size, const InspectSettings& settings,
                            const RunContext& context, const std::function<void(const CacheSizeReport&)>& partial)
{
    if (settings.windows < 1 || settings.windows > 1'000'000)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(settings.windows) + ", expected 1 to 1,000,000", "windows");
    if (!next.empty() && next.size() != trace.requests())
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(next.size()) + " next requests, expected " + std::to_string(trace.requests()), "next");
    if (size == 0)
        throw Error(ErrorCode::InvalidParameter, "found 0, expected a cache size of 1 at least", "size");
    std::vector<std::uint32_t> own;
    if (next.empty())
        next = own = nextRequests(trace);
    const Inspection inspection(trace, next, configuration, size, settings);
    if (partial)
        if (const double rate = coarseRate(trace, configuration, size); rate < 1)
            partial(inspection.run(chosenObjects(trace, rate, settings.seed), RunContext(context.stopToken())));
    return inspection.run({}, context);
}

} // namespace tamis::cache
