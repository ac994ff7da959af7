// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/rough_inspection.h"

#include "core/base/error.h"
#include "core/base/split_mix.h"
#include "core/cache/followed_size.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

namespace tamis::cache {
namespace {
using report::CacheSizeReport;
using report::HitWindow;
using Clock = std::chrono::steady_clock;

constexpr double kUsualRequests = 50'000; ///< that an answer is made of
constexpr double kGrain = 60;             ///< objects that a smaller cache holds at least
constexpr double kTurns = 100;            ///< length of a stretch in sizes of the cache: what counts requests takes long to settle
constexpr std::size_t kMostStretches = 20;
constexpr std::size_t kCheck = 65536;

bool chosen(std::uint64_t id, double rate) { return static_cast<double>(mixedBits(id ^ mixedBits(kSplitMixStep)) >> 11U) < std::ldexp(rate, 53); }

/// Requests of the chosen objects in one stretch, the objects numbered anew.
struct Stretch {
    std::size_t first = 0, counted = 0, end = 0; ///< of the trace: the cache is filled before `counted`
    std::vector<std::uint32_t> requests, objects; ///< places in the trace; new numbers
    std::vector<std::uint32_t> which;             ///< [new numbers] objects of the trace
};

struct Seen {
    std::uint64_t requests = 0, hits = 0, bytes = 0, hitBytes = 0;
    void add(std::uint32_t size, bool hit)
    {
        ++requests;
        bytes += size;
        hits += hit ? 1U : 0U;
        hitBytes += hit ? size : 0U;
    }
};

class RoughInspection {
public:
    RoughInspection(const Trace& trace, std::span<const std::uint32_t> next, const ThinnedTrace& thinned, const Configuration& configuration, std::uint64_t size, const InspectSettings& settings, const RunContext& context)
        : m_trace(trace), m_next(next), m_thinned(thinned), m_configuration(configuration), m_size(size), m_settings(settings), m_protected(protectedObjects(settings.rules, trace)), m_context(context)
    {
        m_settings.warmUp = std::min<std::uint64_t>(settings.warmUp, trace.requests());
    }

    std::optional<CacheSizeReport> run(std::size_t requests)
    {
        const auto start = Clock::now();
        const bool watches = watchesScene(m_configuration, m_settings.rules);
        const std::vector<Stretch> stretches = cut(static_cast<double>(requests));
        if (watches && stretches.size() > 1)
            return {};
        std::optional<CacheSizeReport> report = followed(stretches, m_settings.rules);
        if (report && watches) {
            CapacityRules rules = m_settings.rules;
            rules.scene.signal = SceneSignal::Off;
            std::optional<CacheSizeReport> unwatched = followed(stretches, rules);
            if (!unwatched)
                return {};
            const std::size_t both = std::min(report->windows.size(), unwatched->windows.size());
            unwatched->windows.resize(both);
            report->windows.resize(both);
            report->unwatched = std::move(unwatched->windows);
            report->unwatchedHits = unwatched->hits;
            report->unwatchedHitBytes = unwatched->hitBytes;
        }
        if (report)
            report->seconds = std::chrono::duration<double>(Clock::now() - start).count();
        return report;
    }

private:
    /// The whole with few objects, or stretches with more of them, evenly over the trace.
    std::vector<Stretch> cut(double requests)
    {
        const auto all = static_cast<double>(m_trace.requests());
        const double few = requests / all, objects = std::max(1.0, static_cast<double>(m_size) / m_thinned.meanSize);
        m_rate = std::clamp(kGrain / objects, few, 1.0);
        std::vector<Stretch> made;
        if (m_rate <= few) {
            made.push_back(gathered(0, 0, m_trace.requests()));
            return made;
        }
        const double span = requests / m_rate;
        const std::size_t count = std::clamp<std::size_t>(static_cast<std::size_t>(span / (kTurns * objects)), 2, kMostStretches), length = static_cast<std::size_t>(span) / count;
        for (std::size_t i = 0; i < count && !m_context.stopRequested(); ++i) {
            const std::size_t first = m_trace.requests() * i / count;
            made.push_back(gathered(first, first + length / 3, first + length));
        }
        return made;
    }
    Stretch gathered(std::size_t first, std::size_t counted, std::size_t end) const
    {
        Stretch made{.first = first, .counted = counted, .end = end, .requests = {}, .objects = {}, .which = {}};
        ObjectNumbers numbers;
        const auto take = [&](std::uint32_t request, bool known) {
            const std::uint32_t object = m_trace.objects[request];
            const std::uint64_t id = m_trace.ids[object];
            if (!known && !chosen(id, m_rate))
                return;
            const std::uint32_t number = numbers.of(id);
            if (number == made.which.size())
                made.which.push_back(object);
            made.requests.push_back(request);
            made.objects.push_back(number);
        };
        if (m_thinned.rate < 1 && m_rate <= m_thinned.rate) {
            const auto from = std::ranges::lower_bound(m_thinned.requests, static_cast<std::uint32_t>(first));
            for (auto each = from; each != m_thinned.requests.end() && *each < end; ++each)
                take(*each, m_rate == m_thinned.rate);
        } else {
            for (std::size_t request = first; request < end; ++request)
                take(static_cast<std::uint32_t>(request), m_rate == 1);
        }
        return made;
    }
    std::optional<CacheSizeReport> followed(const std::vector<Stretch>& stretches, const CapacityRules& rules)
    {
        CacheSizeReport report = emptySizeReport(m_trace, m_configuration, m_size, m_settings);
        report.exact = false;
        m_seen = {};
        m_stood = 0;
        for (std::size_t i = 0; i < stretches.size() && !m_context.stopRequested(); ++i) {
            std::vector<HitWindow> windows = stretches.size() == 1 ? windowsOf(0, m_trace.requests(), static_cast<std::size_t>(m_settings.windows))
                                                                   : windowsOf(stretches[i].first, i + 1 < stretches.size() ? stretches[i + 1].first : m_trace.requests(), 1);
            follow(stretches[i], rules, windows, report);
            report.windows.insert(report.windows.end(), windows.begin(), windows.end());
        }
        if (m_seen.requests == 0 || m_stood == 0)
            return {};
        scale(report);
        return report;
    }
    static std::vector<HitWindow> windowsOf(std::size_t first, std::size_t end, std::size_t most)
    {
        const std::size_t each = std::max<std::size_t>(1, (end - first + most - 1) / most);
        std::vector<HitWindow> windows;
        for (; first < end; first += each)
            windows.push_back({.first = first, .requests = std::min(each, end - first)});
        return windows;
    }
    PolicyPtr made(const Stretch& stretch, const CapacityRules& rules) const
    {
        const auto capacity = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::llround(static_cast<double>(m_size) * m_rate)));
        const Method& method = methodOf(m_configuration);
        const PolicyInputs inputs{capacity, m_settings.seed, m_thinned.meanSize};
        if (!obeysRules(method, rules))
            return method.policy(inputs, m_configuration.parameters);
        std::vector<bool> among(stretch.which.size());
        for (std::size_t i = 0; i < among.size(); ++i)
            among[i] = m_protected[stretch.which[i]];
        return ruledPolicy(method, inputs, m_configuration.parameters, scaledRules(rules, m_rate), std::move(among));
    }
    /// Until the end of the stretch, or a stop: windows behind that go.
    void follow(const Stretch& stretch, const CapacityRules& rules, std::vector<HitWindow>& windows, CacheSizeReport& report)
    {
        const PolicyPtr policy = made(stretch, rules);
        policy->know(stretch.which.size());
        policy->heed(m_context.stopToken());
        std::vector<Fate> fates(stretch.which.size());
        std::size_t now = stretch.first, window = 0;
        const std::size_t from = std::max<std::size_t>(stretch.counted, static_cast<std::size_t>(m_settings.warmUp));
        policy->watchEvictions([&](std::uint32_t object) {
            if (now >= from)
                countEviction(fates[object], now, report.evicted);
        });
        const bool watched = watchesScene(m_configuration, rules), inSteps = methodOf(m_configuration).knowsFuture && !methodOf(m_configuration).limit; // weighs times by its own count of requests
        std::uint64_t changes = 0;
        Requests all = m_trace.view();
        all.next = m_next;
        std::vector<Seen> seen(windows.size());
        std::size_t done = 0;
        try {
            for (; done < stretch.requests.size() && !m_context.stopRequested(); ++done) {
                now = stretch.requests[done];
                const std::size_t before = window;
                while (now >= windows[window].first + windows[window].requests)
                    ++window;
                if (watched && window > before) {
                    const std::uint64_t sofar = sceneChangesOf(*policy);
                    windows[before].sceneChanges = sofar - std::exchange(changes, sofar);
                }
                Request one = all.at(now);
                one.object = stretch.objects[done];
                Fate& fate = fates[one.object];
                fate.next = one.next;
                if (inSteps && one.next != kNever) // as many as are shown until then
                    one.next = static_cast<std::uint32_t>(std::min(static_cast<double>(done) + std::max(1.0, std::round(m_rate * static_cast<double>(one.next - now))), kNever - 1.0));
                fate.used = policy->request(one);
                if (now >= stretch.counted)
                    seen[window].add(one.size, fate.used);
                if (now >= from)
                    m_seen.add(one.size, fate.used);
            }
        } catch (const Error& error) { // a policy that heard the stop
            if (error.code() != ErrorCode::Cancelled)
                throw;
        }
        const bool whole = done == stretch.requests.size();
        const std::size_t reached = whole ? stretch.end : now;
        if (watched)
            windows[window].sceneChanges = sceneChangesOf(*policy) - changes;
        m_stood += reached > from ? reached - from : 0;
        report.held = policy->contents().size();
        report.stateBytes = policy->stateBytes();
        for (std::size_t i = 0; i < windows.size(); ++i) {
            const std::size_t begin = std::max<std::size_t>(windows[i].first, stretch.counted), end = std::min<std::size_t>(windows[i].first + windows[i].requests, reached);
            estimate(windows[i], seen[i], end > begin ? static_cast<double>(end - begin) : 0);
        }
        if (!whole) // the last one was not seen to its end
            windows.resize(window);
    }
    /// Misses stand for as many more as objects were left out; how many requests they are of is known (SHARDS_adj, as in the curves). Bytes are the sample's, scaled.
    void estimate(HitWindow& window, const Seen& seen, double stood) const
    {
        if (stood <= 0)
            return;
        const auto requests = static_cast<double>(window.requests);
        const double share = std::clamp(1 - static_cast<double>(seen.requests - seen.hits) / (m_rate * stood), 0.0, 1.0);
        window.hits = static_cast<std::uint64_t>(std::llround(share * requests));
        const double more = m_trace.sized() ? requests / (m_rate * stood) : 1;
        window.bytes = m_trace.sized() ? rounded(seen.bytes, more) : window.requests;
        window.hitBytes = m_trace.sized() ? rounded(seen.hitBytes, more) : window.hits;
    }
    void scale(CacheSizeReport& report) const
    {
        HitWindow all{.first = m_settings.warmUp, .requests = m_trace.requests() - m_settings.warmUp};
        const auto stood = static_cast<double>(m_stood);
        estimate(all, m_seen, stood);
        report.requests = all.requests;
        report.hits = all.hits;
        report.bytes = all.bytes;
        report.hitBytes = all.hitBytes;
        const double more = static_cast<double>(all.requests) / (m_rate * stood);
        for (std::uint64_t* number : {&report.evicted.evictions, &report.evicted.neverWanted, &report.evicted.neverUsed})
            *number = rounded(*number, more);
        for (std::uint64_t& number : report.evicted.wantedAfter)
            number = rounded(number, more);
        report.held = rounded(report.held, 1 / m_rate);
        report.stateBytes = rounded(report.stateBytes, 1 / m_rate);
    }
    static std::uint64_t rounded(std::uint64_t number, double times) { return static_cast<std::uint64_t>(std::llround(static_cast<double>(number) * times)); }

    const Trace& m_trace;
    std::span<const std::uint32_t> m_next;
    const ThinnedTrace& m_thinned;
    const Configuration& m_configuration;
    std::uint64_t m_size;
    InspectSettings m_settings;
    std::vector<bool> m_protected; ///< [objects]
    const RunContext& m_context;
    double m_rate = 1;
    Seen m_seen;             ///< behind the warm-up
    std::uint64_t m_stood = 0; ///< requests of the trace that m_seen is a share of
};
} // namespace

ThinnedTrace thinnedTrace(const Trace& trace, const RunContext& context)
{
    ThinnedTrace thinned;
    if (trace.sized())
        thinned.meanSize = static_cast<double>(trace.workingSet()) / static_cast<double>(std::max<std::size_t>(trace.ids.size(), 1));
    const double rate = std::sqrt(kUsualRequests / static_cast<double>(std::max<std::size_t>(trace.requests(), 1)));
    if (rate >= 1)
        return thinned;
    thinned.rate = rate;
    std::vector<bool> in(trace.ids.size());
    for (std::size_t object = 0; object < in.size(); ++object) {
        if (object % kCheck == 0)
            context.throwIfStopped();
        in[object] = chosen(trace.ids[object], rate);
    }
    for (std::size_t request = 0; request < trace.requests(); ++request) {
        if (request % kCheck == 0)
            context.throwIfStopped();
        if (in[trace.objects[request]])
            thinned.requests.push_back(static_cast<std::uint32_t>(request));
    }
    return thinned;
}

std::optional<CacheSizeReport> inspectRoughly(const Trace& trace, std::span<const std::uint32_t> next, const ThinnedTrace& thinned, const Configuration& configuration, std::uint64_t size,
                                              const InspectSettings& settings, std::size_t requests, const RunContext& context)
{
    requireInspectable(trace, next, size, settings);
    requireRules(settings.rules);
    if (trace.requests() < 2 * requests || requests == 0 || next.empty())
        return {};
    return RoughInspection(trace, next, thinned, configuration, size, settings, context).run(requests);
}

} // namespace tamis::cache
