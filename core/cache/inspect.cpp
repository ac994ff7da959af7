// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/inspect.h"

#include "core/base/error.h"
#include "core/cache/followed_size.h"
#include "core/cache/in_stretches.h"

#include <algorithm>
#include <bit>
#include <chrono>
#include <utility>

namespace tamis::cache {
namespace {
using report::CacheSizeReport;
using report::HitWindow;
using Clock = std::chrono::steady_clock;

class Inspection {
public:
    Inspection(const Trace& trace, std::span<const std::uint32_t> next, const Configuration& configuration, std::uint64_t size, const InspectSettings& settings)
        : m_trace(trace), m_next(next), m_configuration(configuration), m_size(size), m_settings(settings), m_protected(protectedObjects(settings.rules, trace)),
          m_window(std::max<std::size_t>(1, (trace.requests() + static_cast<std::size_t>(settings.windows) - 1) / static_cast<std::size_t>(settings.windows)))
    {
        m_settings.warmUp = std::min<std::uint64_t>(settings.warmUp, trace.requests());
    }

    CacheSizeReport run(const RunContext& context) const
    {
        const bool watches = watchesScene(m_configuration, m_settings.rules);
        context.setParts(watches ? 2 : 1);
        CacheSizeReport report = followed(m_settings.rules, context.part(1, "simulating"));
        if (watches) {
            CapacityRules rules = m_settings.rules;
            rules.scene.signal = SceneSignal::Off;
            CacheSizeReport unwatched = followed(rules, context.part(1, "simulating without looking for scene changes"));
            report.unwatched = std::move(unwatched.windows);
            report.unwatchedHits = unwatched.hits;
            report.unwatchedHitBytes = unwatched.hitBytes;
            report.seconds += unwatched.seconds;
        }
        return report;
    }

private:
    CacheSizeReport empty() const
    {
        CacheSizeReport report = emptySizeReport(m_trace, m_configuration, m_size, m_settings);
        for (std::size_t first = 0; first < m_trace.requests(); first += m_window)
            report.windows.push_back({.first = first, .requests = std::min(m_window, m_trace.requests() - first)});
        return report;
    }
    CacheSizeReport followed(const CapacityRules& rules, const RunContext& context) const
    {
        const auto start = Clock::now();
        CacheSizeReport report = empty();
        const PolicyPtr policy = policyFor(m_configuration, m_trace, m_size, m_settings.seed, rules, m_protected);
        policy->know(m_trace.ids.size());
        policy->heed(context.stopToken());
        std::vector<Fate> fates(m_trace.ids.size());
        std::size_t now = 0;
        policy->watchEvictions([&](std::uint32_t object) {
            if (now >= m_settings.warmUp)
                countEviction(fates[object], now, report.evicted);
        });
        const bool watched = watchesScene(m_configuration, rules);
        std::uint64_t changes = 0;
        const auto noteScenes = [&](std::size_t window) { // of the one before it
            const std::uint64_t before = std::exchange(changes, sceneChangesOf(*policy));
            if (window > 0)
                report.windows[window - 1].sceneChanges = changes - before;
        };
        Requests all = m_trace.view();
        all.next = m_next;
        const auto request = [&] {
            const std::size_t window = now / m_window;
            if (watched && now % m_window == 0)
                noteScenes(window);
            const Request one = all.at(now);
            Fate& fate = fates[one.object];
            fate.next = m_next[now];
            fate.used = policy->request(one);
            add(report.windows[window], one.size, fate.used);
            if (now >= m_settings.warmUp)
                add(report, one.size, fate.used);
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
        report.seconds = std::chrono::duration<double>(Clock::now() - start).count();
        context.finish();
        return report;
    }
    static void add(HitWindow& window, std::uint32_t size, bool hit)
    {
        window.bytes += size;
        window.hits += hit ? 1U : 0U;
        window.hitBytes += hit ? size : 0U;
    }
    static void add(CacheSizeReport& report, std::uint32_t size, bool hit)
    {
        ++report.requests;
        report.bytes += size;
        report.hits += hit ? 1U : 0U;
        report.hitBytes += hit ? size : 0U;
    }

    const Trace& m_trace;
    std::span<const std::uint32_t> m_next;
    const Configuration& m_configuration;
    std::uint64_t m_size;
    InspectSettings m_settings;
    std::vector<bool> m_protected; ///< [objects]
    std::size_t m_window; ///< requests
};
} // namespace

void requireInspectable(const Trace& trace, std::span<const std::uint32_t> next, std::uint64_t size, const InspectSettings& settings)
{
    if (settings.windows < 1 || settings.windows > 1'000'000)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(settings.windows) + ", expected 1 to 1,000,000", "windows");
    if (!next.empty() && next.size() != trace.requests())
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(next.size()) + " next requests, expected " + std::to_string(trace.requests()), "next");
    if (size == 0)
        throw Error(ErrorCode::InvalidParameter, "found 0, expected a cache size of 1 at least", "size");
}

CacheSizeReport emptySizeReport(const Trace& trace, const Configuration& configuration, std::uint64_t size, const InspectSettings& settings)
{
    const Method& method = methodOf(configuration);
    CacheSizeReport report{.trace = trace.name, .policy = configuration.method, .title = method.declaration.title, .settings = settingsText(configuration),
                           .parameters = method.declaration.schema.complete(configuration.parameters), .size = size, .warmUp = settings.warmUp, .sized = trace.sized(), .exact = true,
                           .rules = obeysRules(method, settings.rules) ? inWords(settings.rules) : std::string()};
    report.evicted.wantedAfter.assign(static_cast<std::size_t>(std::bit_width(trace.requests())), 0);
    return report;
}

void countEviction(const Fate& fate, std::size_t now, report::EvictionOutcome& outcome)
{
    ++outcome.evictions;
    outcome.neverUsed += fate.used ? 0U : 1U;
    if (fate.next == kNever)
        ++outcome.neverWanted;
    else
        ++outcome.wantedAfter[static_cast<std::size_t>(std::bit_width(std::max<std::size_t>(fate.next - now, 1)) - 1)];
}

bool watchesScene(const Configuration& configuration, const CapacityRules& rules) { return obeysRules(methodOf(configuration), rules) && rules.scene.signal != SceneSignal::Off; }

std::uint64_t sceneChangesOf(const Policy& policy)
{
    const std::vector<PolicyFigure> figures = policy.figures();
    const auto changes = std::ranges::find(figures, kSceneChanges, &PolicyFigure::name);
    return changes == figures.end() ? 0 : static_cast<std::uint64_t>(changes->value);
}

CacheSizeReport inspectSize(const Trace& trace, std::span<const std::uint32_t> next, const Configuration& configuration, std::uint64_t size, const InspectSettings& settings, const RunContext& context)
{
    requireInspectable(trace, next, size, settings);
    std::vector<std::uint32_t> own;
    if (next.empty())
        next = own = nextRequests(trace);
    return Inspection(trace, next, configuration, size, settings).run(context);
}

} // namespace tamis::cache
