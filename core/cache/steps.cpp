// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/steps.h"

#include "core/base/error.h"
#include "core/cache/in_stretches.h"
#include "core/cache/standing_text.h"

#include <algorithm>
#include <set>

namespace tamis::cache {
namespace {
using report::CacheStep;
using report::CacheStepReport;
using report::StepEviction;

constexpr std::uint64_t kMostSteps = 100'000;

class Player {
public:
    Player(const Trace& trace, std::span<const std::uint32_t> next, const Configuration& configuration, std::uint64_t size, const StepSettings& settings)
        : m_trace(trace), m_next(next), m_policy(policyFor(configuration, trace, size, settings.seed, settings.rules, protectedObjects(settings.rules, trace))), m_facts(trace.ids.size())
    {
        m_policy->know(trace.ids.size());
    }
    /// Plays `count` requests; so many `steps` may follow.
    void fill(std::uint64_t count, std::uint64_t steps, const RunContext& context)
    {
        m_policy->heed(context.stopToken());
        inStretches(0, static_cast<std::size_t>(count), 0, context, [&](std::size_t first, std::size_t end) {
            context.setFraction(static_cast<double>(first) / static_cast<double>(count));
            for (; m_now < end; ++m_now)
                request();
        });
        m_cells = m_policy->contents();
        for (std::size_t cell = 0; cell < m_cells.size(); ++cell)
            m_facts[m_cells[cell]].cell = static_cast<int>(cell);
        orderByRequest(steps);
        m_policy->watchEvictions([this](std::uint32_t object) {
            m_evicted.push_back(told(object));
            m_leaving += m_facts[object].size;
            setPlace(m_facts[object], kNowhere); // others that leave with this request are among those that stay
        });
    }
    const std::vector<std::uint32_t>& cells() const noexcept { return m_cells; }
    CacheStep step()
    {
        CacheStep step{.request = m_now, .object = m_trace.objects[m_now], .size = sizeNow()};
        m_evicted.clear();
        m_leaving = 0;
        m_before = m_policy->occupied();
        step.hit = request();
        bool itself = false;
        for (const StepEviction& each : m_evicted) {
            itself = itself || each.object == step.object;
            if (each.cell >= 0)
                leave(each.object);
        }
        if (!step.hit && !itself && entered())
            settle(step.object);
        if (m_facts[step.object].cell >= 0)
            setPlace(m_facts[step.object], m_nextPlace);
        ++m_nextPlace;
        step.bypassed = !step.hit && m_facts[step.object].cell < 0;
        step.cell = m_facts[step.object].cell;
        step.evicted = m_evicted;
        ++m_now;
        return step;
    }

private:
    struct Facts {
        std::uint64_t last = 0, entered = 0; ///< requests
        std::uint32_t times = 0;             ///< requested since it entered, that one too
        std::uint32_t next = kNever;
        std::uint32_t size = 1;              ///< that it was put in with
        std::size_t place = kNowhere;        ///< in the order of last requests
        int cell = -1;
    };
    static constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);
    /// What is held, in the order of its last requests: sums over places that are taken or not (Fenwick 1994). What is held now comes first, each step then has the place behind.
    void orderByRequest(std::uint64_t steps)
    {
        std::vector<std::uint32_t> held = m_cells;
        std::ranges::sort(held, {}, [this](std::uint32_t object) { return m_facts[object].last; });
        m_sums.assign(held.size() + static_cast<std::size_t>(steps) + 1, 0);
        for (const std::uint32_t object : held)
            setPlace(m_facts[object], m_nextPlace++);
    }
    void setPlace(Facts& facts, std::size_t place)
    {
        const auto add = [this](std::size_t at, std::int32_t change) {
            for (std::size_t i = at + 1; i < m_sums.size(); i += i & (~i + 1))
                m_sums[i] += change;
            m_held += change;
        };
        if (facts.place != kNowhere)
            add(facts.place, -1);
        if (facts.place = place; place != kNowhere)
            add(place, 1);
    }
    std::int32_t heldBefore(std::size_t place) const
    {
        std::int32_t sum = 0;
        for (std::size_t i = place; i > 0; i &= i - 1)
            sum += m_sums[i];
        return sum;
    }
    std::uint32_t sizeNow() const { return m_trace.sized() ? m_trace.sizes[m_now] : 1; }
    bool request()
    {
        const std::uint32_t object = m_trace.objects[m_now];
        Facts& facts = m_facts[object];
        facts.next = m_next[m_now];
        Requests all = m_trace.view();
        all.next = m_next;
        const bool hit = m_policy->request(all.at(m_now));
        if (!hit) {
            facts.entered = m_now;
            facts.size = sizeNow();
            facts.times = 0;
        }
        ++facts.times;
        facts.last = m_now;
        return hit;
    }
    /// Of one that missed and was not told to have left again: it is held, or passed by.
    bool entered() const
    {
        return m_policy->occupied() + m_leaving > m_before;
    }
    void leave(std::uint32_t object)
    {
        int& cell = m_facts[object].cell;
        m_cells[static_cast<std::size_t>(cell)] = kNever;
        m_free.insert(cell);
        cell = -1;
    }
    void settle(std::uint32_t object)
    {
        int cell = static_cast<int>(m_cells.size());
        if (m_free.empty())
            m_cells.push_back(object);
        else {
            cell = *m_free.begin();
            m_free.erase(m_free.begin());
            m_cells[static_cast<std::size_t>(cell)] = object;
        }
        m_facts[object].cell = cell;
    }
    StepEviction told(std::uint32_t object) const
    {
        const Facts& facts = m_facts[object];
        return {.object = object, .cell = facts.cell, .why = whyText(object), .wantedIn = facts.next == kNever ? -1 : static_cast<std::int64_t>(facts.next - m_now)};
    }
    std::string whyText(std::uint32_t object) const
    {
        const Facts& facts = m_facts[object];
        const std::string standing = m_policy->standing(object), own = standing.empty() ? "" : "; " + standing;
        if (facts.cell < 0)
            return "came with this request and was not kept" + own;
        if (object == m_trace.objects[m_now])
            return "left with its own request" + own;
        const std::uint64_t held = static_cast<std::uint64_t>(m_held), older = static_cast<std::uint64_t>(heldBefore(facts.place));
        std::string text = (older == 0 ? "" : ordinal(older + 1) + " ") + "least recently requested of the " + std::to_string(held) + " held, " + counted(m_now - facts.last, "request") + " ago; ";
        const std::string since = " since it entered " + counted(m_now - facts.entered, "request") + " ago";
        text += facts.times <= 1 ? "not requested again" + since : "requested again " + timesText(facts.times - 1) + since;
        return text + own;
    }

    const Trace& m_trace;
    std::span<const std::uint32_t> m_next;
    PolicyPtr m_policy;
    std::vector<Facts> m_facts;         ///< [objects]
    std::vector<std::uint32_t> m_cells; ///< kNever: free
    std::set<int> m_free;
    std::vector<StepEviction> m_evicted; ///< by the request that is played
    std::uint64_t m_now = 0, m_before = 0, m_leaving = 0; ///< occupied before the request, and what it has evicted
    std::vector<std::int32_t> m_sums;
    std::size_t m_nextPlace = 0;
    std::int32_t m_held = 0;
};

void addNames(CacheStepReport& report, const Trace& trace)
{
    std::set<std::uint32_t> named;
    for (const std::uint32_t object : report.start)
        if (object != kNever)
            named.insert(object);
    for (const CacheStep& step : report.steps) {
        named.insert(step.object);
        for (const StepEviction& each : step.evicted)
            named.insert(each.object);
    }
    for (const std::uint32_t object : named) {
        report.named.push_back(object);
        report.names.push_back(std::to_string(trace.ids[object]));
    }
}
} // namespace

CacheStepReport playSteps(const Trace& trace, std::span<const std::uint32_t> next, const Configuration& configuration, std::uint64_t size, const StepSettings& settings, const RunContext& context)
{
    if (settings.first >= trace.requests())
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(settings.first) + ", expected a request of the trace, below " + std::to_string(trace.requests()), "first");
    if (settings.count < 1 || settings.count > kMostSteps)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(settings.count) + ", expected 1 to 100,000 requests", "steps");
    if (!next.empty() && next.size() != trace.requests())
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(next.size()) + " next requests, expected " + std::to_string(trace.requests()), "next");
    std::vector<std::uint32_t> own;
    if (next.empty())
        next = own = nextRequests(trace);
    const Method& method = methodOf(configuration);
    CacheStepReport report{.trace = trace.name, .policy = configuration.method, .title = method.declaration.title, .settings = settingsText(configuration),
                           .parameters = method.declaration.schema.complete(configuration.parameters),
                           .rules = obeysRules(method, settings.rules) ? inWords(settings.rules) : std::string(), .size = size, .first = settings.first};
    context.setParts(2);
    Player player(trace, next, configuration, size, settings);
    const std::uint64_t count = std::min<std::uint64_t>(settings.count, trace.requests() - settings.first);
    player.fill(settings.first, count, context.part(1, "filling the cache"));
    const RunContext playing = context.part(1, "playing");
    report.start = player.cells();
    for (std::uint64_t i = 0; i < count; ++i) {
        playing.throwIfStopped();
        report.steps.push_back(player.step());
        if (i % 64 == 0)
            playing.setFraction(static_cast<double>(i) / static_cast<double>(count));
    }
    report.cells = static_cast<int>(player.cells().size());
    report.start.resize(player.cells().size(), kNever);
    addNames(report, trace);
    playing.finish();
    return report;
}

} // namespace tamis::cache
