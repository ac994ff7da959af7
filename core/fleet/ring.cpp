// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/fleet/ring.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/split_mix.h"
#include "core/fleet/device_caches.h"
#include "core/fleet/hot_keys.h"
#include "core/fleet/placement.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

namespace tamis::fleet {
namespace {
constexpr std::size_t kLook = 1024; ///< requests, or keys, between looks at the stop
constexpr std::size_t kWindows = 50, kHotShown = 20, kSpreadKeys = 8192;
constexpr int kRings = 16; ///< whose spread is averaged

struct Settings {
    std::uint32_t devices, leaving;
    int virtualNodes;
    std::size_t replicas, hotReplicas;
    std::string policy;
    double capacity, hotShare;
    std::uint64_t window, seed;
};

std::vector<std::uint32_t> numbered(std::uint32_t count)
{
    std::vector<std::uint32_t> devices(count);
    std::iota(devices.begin(), devices.end(), 0U);
    return devices;
}

/// The holders of every object of a trace.
class Holders {
public:
    Holders(const cache::Trace& trace, const Placement& placement, std::size_t most, const RunContext& context) : m_most(std::min(most, placement.devices()))
    {
        requireMemory(trace.ids.size() * m_most * sizeof(std::uint32_t), "the devices that hold each object");
        m_all.resize(trace.ids.size() * m_most);
        for (std::size_t object = 0; object < trace.ids.size(); ++object) {
            if (object % kLook == 0)
                context.throwIfStopped();
            placement.holders(trace.ids[object], std::span(m_all).subspan(object * m_most, m_most));
        }
    }
    std::uint32_t first(std::size_t object) const { return m_all[object * m_most]; }
    /// One of the first `count`, by `draw`.
    std::uint32_t one(std::uint32_t object, std::size_t count, std::uint64_t draw) const { return m_all[object * m_most + draw % std::min(count, m_most)]; }
    std::size_t objects() const { return m_all.size() / m_most; }

private:
    std::size_t m_most;
    std::vector<std::uint32_t> m_all;
};

double movedShare(const Holders& before, const Holders& after, const RunContext& context)
{
    std::size_t moved = 0;
    for (std::size_t object = 0; object < before.objects(); ++object) {
        if (object % kLook == 0)
            context.throwIfStopped();
        moved += before.first(object) != after.first(object) ? 1U : 0U;
    }
    return static_cast<double>(moved) / static_cast<double>(before.objects());
}

double maxOverMean(const std::vector<std::uint64_t>& counts)
{
    const auto sum = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}));
    return static_cast<double>(std::ranges::max(counts)) * static_cast<double>(counts.size()) / sum;
}

class RingRun {
public:
    RingRun(const cache::Trace& trace, const Settings& settings, const RunContext& context) : m_trace(trace), m_settings(settings), m_context(context) {}
    report::RingReport run()
    {
        m_context.setParts(10);
        report::RingReport report;
        report.devices = static_cast<int>(m_settings.devices);
        report.virtualNodes = m_settings.virtualNodes;
        report.replicas = static_cast<int>(m_settings.replicas);
        report.idealLeave = 1.0 / m_settings.devices;
        report.idealJoin = 1.0 / (m_settings.devices + 1);
        for (const Rule rule : {Rule::Ring, Rule::Rendezvous, Rule::Modulo})
            report.placements.push_back(load(rule, report, m_context.part(2, ruleName(rule))));
        const RunContext rest = m_context.part(2, "caches without placement");
        report.scatteredHitRatio = scattered(m_settings.devices, rest);
        report.pooledHitRatio = scattered(1, rest);
        report.spread = spread(m_context.part(2, "virtual nodes"));
        return report;
    }

private:
    Placement placement(Rule rule, std::vector<std::uint32_t> devices) const { return {rule, std::move(devices), m_settings.virtualNodes, m_settings.seed}; }
    std::uint64_t draw(std::size_t request) const { return mixedBits(m_settings.seed + (request + 1) * kSplitMixStep) >> 8U; }
    double requests() const { return static_cast<double>(m_trace.requests()); }
    DeviceCaches caches(std::size_t devices, const RunContext& context) const
    {
        return {m_settings.policy, devices, capacityEach(m_settings.capacity, m_trace.ids.size(), devices), m_trace.ids.size(), m_settings.seed, context};
    }

    report::PlacementLoad load(Rule rule, report::RingReport& report, const RunContext& context)
    {
        const auto devices = numbered(m_settings.devices);
        auto without = devices;
        std::erase(without, m_settings.leaving);
        const std::size_t most = m_settings.replicas + m_settings.hotReplicas;
        const Holders holders(m_trace, placement(rule, devices), most, context);
        const Holders left(m_trace, placement(rule, without), most, context);
        const Holders joined(m_trace, placement(rule, numbered(m_settings.devices + 1)), 1, context);
        report::PlacementLoad load{.rule = ruleName(rule), .keys = std::vector<std::uint64_t>(devices.size()), .requests = std::vector<std::uint64_t>(devices.size()), .hits = std::vector<std::uint64_t>(devices.size())};
        for (std::size_t object = 0; object < holders.objects(); ++object)
            ++load.keys[holders.first(object)];
        load.keySpread = spreadOf(load.keys);
        load.movedOnLeave = movedShare(holders, left, context);
        load.movedOnJoin = movedShare(holders, joined, context);
        serve(holders, load, rule == Rule::Ring ? &report : nullptr, context);
        if (rule != Rule::Rendezvous)
            (rule == Rule::Ring ? report.ringWindows : report.moduloWindows) = throughALeave(holders, left, context);
        return load;
    }
    /// Requests to holders, hot ones to more of them.
    void serve(const Holders& holders, report::PlacementLoad& load, report::RingReport* report, const RunContext& context) const
    {
        DeviceCaches all = caches(m_settings.devices, context);
        HotKeys hot(m_trace.ids.size(), m_settings.hotShare, m_settings.window);
        std::vector<std::uint64_t> plain(m_settings.devices);
        std::uint64_t hits = 0;
        for (std::size_t i = 0; i < m_trace.requests(); ++i) {
            if (i % kLook == 0)
                context.throwIfStopped();
            const std::uint32_t object = m_trace.objects[i];
            const std::uint64_t drawn = draw(i);
            ++plain[holders.one(object, m_settings.replicas, drawn)];
            const std::uint32_t device = holders.one(object, m_settings.replicas + (hot.request(object) ? m_settings.hotReplicas : 0), drawn);
            const bool hit = all.request(device, object);
            ++load.requests[device];
            load.hits[device] += hit ? 1U : 0U;
            hits += hit ? 1U : 0U;
        }
        load.maxOverMean = maxOverMean(load.requests);
        load.hitRatio = static_cast<double>(hits) / requests();
        if (!report)
            return;
        report->maxOverMeanWithoutHot = maxOverMean(plain);
        report->hot = hottest(hot);
    }
    std::vector<report::HotKey> hottest(const HotKeys& hot) const
    {
        std::vector<std::uint64_t> counts(m_trace.ids.size());
        for (const std::uint32_t object : m_trace.objects)
            ++counts[object];
        std::vector<std::uint32_t> order;
        for (std::uint32_t object = 0; object < counts.size(); ++object)
            if (hot.firstHot()[object] != HotKeys::kNever)
                order.push_back(object);
        std::ranges::stable_sort(order, [&](std::uint32_t a, std::uint32_t b) { return counts[a] > counts[b]; });
        std::vector<report::HotKey> keys;
        for (const std::uint32_t object : order)
            if (keys.size() < kHotShown)
                keys.push_back({std::to_string(m_trace.ids[object]), static_cast<double>(counts[object]) / requests(), hot.firstHot()[object]});
        return keys;
    }
    /// Replicas alone, no hot keys: a device leaves with what it held at the middle.
    std::vector<double> throughALeave(const Holders& before, const Holders& after, const RunContext& context) const
    {
        DeviceCaches all = caches(m_settings.devices, context);
        const std::size_t count = std::min(kWindows, m_trace.requests()), middle = m_trace.requests() / 2;
        std::vector<double> hits(count), asked(count);
        for (std::size_t i = 0; i < m_trace.requests(); ++i) {
            if (i % kLook == 0)
                context.throwIfStopped();
            const std::uint32_t object = m_trace.objects[i];
            const std::size_t window = i * count / m_trace.requests();
            asked[window] += 1;
            hits[window] += all.request((i < middle ? before : after).one(object, m_settings.replicas, draw(i)), object) ? 1 : 0;
        }
        for (std::size_t window = 0; window < count; ++window)
            hits[window] /= asked[window];
        return hits;
    }
    /// Every device asked alike: each keeps what it was asked for.
    double scattered(std::size_t devices, const RunContext& context) const
    {
        DeviceCaches all = caches(devices, context);
        std::uint64_t hits = 0;
        for (std::size_t i = 0; i < m_trace.requests(); ++i) {
            if (i % kLook == 0)
                context.throwIfStopped();
            hits += all.request(static_cast<std::uint32_t>(draw(i) % devices), m_trace.objects[i]) ? 1U : 0U;
        }
        return static_cast<double>(hits) / requests();
    }
    std::vector<report::SpreadPoint> spread(const RunContext& context) const
    {
        std::vector<report::SpreadPoint> points;
        for (int v = 1; v <= 512; v *= 2) {
            double sum = 0, squares = 0;
            for (int ring = 0; ring < kRings; ++ring) {
                const Placement placement(Rule::Ring, numbered(m_settings.devices), v, mixedBits(m_settings.seed + static_cast<std::uint64_t>(ring) + 1));
                std::vector<std::uint64_t> counts(m_settings.devices);
                for (std::size_t key = 0; key < kSpreadKeys; ++key) {
                    if (key % kLook == 0)
                        context.throwIfStopped();
                    ++counts[placement.first(key)];
                }
                const double variance = spreadOf(counts) * spreadOf(counts);
                sum += variance;
                squares += variance * variance;
            }
            const double mean = sum / kRings, deviation = std::sqrt(std::max(0.0, (squares - sum * mean) / (kRings - 1)) / kRings); // of the mean variance
            points.push_back({v, std::sqrt(mean), mean > 0 ? deviation / (2 * std::sqrt(mean)) : 0, expectedSpread(m_settings.devices, v, kSpreadKeys)});
        }
        return points;
    }

    const cache::Trace& m_trace;
    const Settings& m_settings;
    const RunContext& m_context;
};

Settings settingsFrom(const Parameters& parameters, std::uint64_t seed)
{
    Settings settings{static_cast<std::uint32_t>(parameters.integer("devices")), static_cast<std::uint32_t>(parameters.integer("leaving")), static_cast<int>(parameters.integer("virtual-nodes")),
                      static_cast<std::size_t>(parameters.integer("replicas")), static_cast<std::size_t>(parameters.integer("hot-replicas")), parameters.text("policy"), parameters.real("capacity"),
                      parameters.real("hot-share"), static_cast<std::uint64_t>(parameters.integer("window")), seed};
    if (settings.leaving >= settings.devices)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(settings.leaving) + ", expected one of the devices 0 to " + std::to_string(settings.devices - 1), "leaving");
    if (settings.replicas >= settings.devices)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(settings.replicas) + ", expected fewer than the " + std::to_string(settings.devices) + " devices", "replicas");
    return settings;
}

report::FleetReport run(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const auto start = std::chrono::steady_clock::now();
    const Method method = ringMethod();
    report::FleetReport report;
    report.method = method.declaration.id;
    report.parameters = method.declaration.schema.complete(given);
    const Settings settings = settingsFrom(report.parameters, inputs.seed);
    if (!inputs.trace || inputs.trace->requests() == 0)
        throw Error(ErrorCode::InvalidParameter, "found no requests, expected a trace", "trace");
    report.trace = inputs.trace->name;
    report.requests = inputs.trace->requests();
    report.objects = inputs.trace->ids.size();
    report.ring = RingRun(*inputs.trace, settings, context).run();
    report.hasRing = true;
    report.warnings.push_back("This ring is a model for planning: no device was asked.");
    if (report.objects < 10ULL * settings.devices)
        report.warnings.push_back("The trace has fewer than 10 objects a device: how they fall says little of the rule.");
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report;
}
} // namespace

Method ringMethod()
{
    using Type = ParameterType;
    Method method;
    method.trace = Need::Required;
    method.declaration = {.id = "fleet.ring", .lab = "fleet", .title = "Keys divided among devices",
        .reference = "Karger et al. 1997, consistent hashing with virtual nodes, against rendezvous hashing (Thaler, Ravishankar 1998) and the hash modulo the number of devices",
        .schema = ParameterSchema({
            {.name = "devices", .title = "Devices", .type = Type::Integer, .defaultValue = std::int64_t{8}, .minimum = 2, .maximum = 256, .help = "That hold keys"},
            {.name = "virtual-nodes", .title = "Virtual nodes", .type = Type::Integer, .defaultValue = std::int64_t{64}, .minimum = 1, .maximum = 1024, .logarithmic = true, .help = "Points of each device on the ring"},
            {.name = "replicas", .title = "Replicas", .type = Type::Integer, .defaultValue = std::int64_t{1}, .minimum = 1, .maximum = 8, .help = "Devices that hold a key; a request goes to one of them"},
            {.name = "leaving", .title = "Leaves", .type = Type::Integer, .defaultValue = std::int64_t{0}, .minimum = 0, .maximum = 255, .help = "Number of the device that leaves, at the middle of the trace"},
            {.name = "policy", .title = "Policy", .type = Type::Choice, .defaultValue = std::string("lru"), .help = "Of each device's cache", .choices = devicePolicies()},
            {.name = "capacity", .title = "Capacity", .type = Type::Real, .defaultValue = 0.1, .minimum = 0.0001, .maximum = 1, .logarithmic = true, .help = "Of all caches together, share of the objects"},
            {.name = "hot-share", .title = "Hot share", .type = Type::Real, .defaultValue = 0.02, .minimum = 0, .maximum = 1, .help = "Share of a window's requests from which a key is hot; 0: none is"},
            {.name = "hot-replicas", .title = "Hot replicas", .type = Type::Integer, .defaultValue = std::int64_t{2}, .minimum = 0, .maximum = 32, .help = "More devices that hold a hot key"},
            {.name = "window", .title = "Window", .type = Type::Integer, .defaultValue = std::int64_t{2000}, .minimum = 10, .maximum = 1e7, .logarithmic = true, .unit = "requests", .help = "That hot keys are counted in"},
        })};
    method.run = run;
    return method;
}

} // namespace tamis::fleet
