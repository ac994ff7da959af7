// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/simulate.h"

#include "core/base/error.h"
#include "core/base/memory_estimate.h"
#include "core/base/parallel.h"
#include "core/cache/in_stretches.h"
#include "core/cache/object_sample.h"
#include "core/cache/sized_bound.h"
#include "core/cache/stack_distance.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <mutex>
#include <new>
#include <numeric>

namespace tamis::cache {
namespace {
using report::PolicyCurve;
using report::PolicyPoint;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kGrain = 30;     ///< objects in the cache of a sample below which its hits are coarse
constexpr std::uint64_t kMostSize = std::uint64_t{1} << 60U;

double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// What is simulated: the whole trace, or one sample of its objects.
struct Part {
    const Trace* trace = nullptr;
    std::vector<std::uint32_t> next; ///< empty where no policy looks ahead
    std::uint64_t warmUp = 0;
    std::vector<bool> protectedObjects;
};

/// One policy on one part, at all sizes.
struct Task {
    std::size_t configuration = 0, part = 0, size = 0;
};

struct Outcome {
    Counts counts;
    Counts unruled; ///< without the rule of scene changes, where there is one
    std::vector<PolicyFigure> figures;
    double seconds = 0;
    std::uint64_t stateBytes = 0;
    std::string failure;
};

double meanSize(const Trace& trace) { return trace.sized() ? static_cast<double>(trace.workingSet()) / static_cast<double>(trace.ids.size()) : 1; }

void requireSize(std::uint64_t size)
{
    if (size == 0 || size > kMostSize)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(size) + ", expected a cache size of 1 to 2^60", "size");
}

void requireSettings(const std::vector<Configuration>& configurations, const CurveSettings& settings)
{
    if (settings.sizes.empty() || !std::ranges::is_sorted(settings.sizes) || settings.sizes.front() == 0 || settings.sizes.back() > kMostSize)
        throw Error(ErrorCode::InvalidParameter, "expected cache sizes of 1 to 2^60, ascending", "sizes");
    if (!(settings.rate > 0 && settings.rate <= 1))
        throw Error(ErrorCode::InvalidParameter, "expected a rate above 0, 1 at most", "rate");
    if (settings.rate < 1 && settings.samples < 2)
        throw Error(ErrorCode::InvalidParameter, "expected 2 samples at least, to see how they differ", "samples");
    for (const Configuration& each : configurations)
        methodOf(each);
    requireRules(settings.rules);
}

/// That the policy may keep for an object that it knows: vectors grow by doubling, and heaps fill later, hence twice what knowing of one more takes now.
std::uint64_t bytesAnObject(const Method& method, const PolicyInputs& inputs, const Parameters& parameters)
{
    constexpr std::size_t kFew = 4096;
    constexpr std::uint64_t kLeast = 96, kBeside = 32;
    if (method.bound)
        return sizeof(std::uint32_t);
    try {
        const PolicyPtr policy = method.policy(inputs, parameters);
        policy->know(kFew);
        const std::size_t few = policy->stateBytes();
        policy->know(2 * kFew);
        return std::max<std::uint64_t>(kLeast, kBeside + 2 * (policy->stateBytes() - few) / kFew);
    } catch (const Error&) {
        return 0; // it will say so in its curve
    }
}

/// A cache on a sample is as much smaller as the sample; one object at least.
std::uint64_t scaled(std::uint64_t size, double rate) { return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::llround(static_cast<double>(size) * rate))); }

class Curves {
public:
    Curves(const Trace& trace, const std::vector<Configuration>& configurations, const CurveSettings& settings, const RunContext& context,
           const std::function<void(const PolicyCurve&)>& ready)
        : m_trace(trace), m_configurations(configurations), m_settings(settings), m_context(context), m_ready(ready)
    {
        const std::size_t first = static_cast<std::size_t>(std::min<std::uint64_t>(trace.requests(), settings.warmUp));
        m_counted.requests = trace.requests() - first;
        m_counted.bytes = trace.sized() ? std::accumulate(trace.sizes.begin() + static_cast<std::ptrdiff_t>(first), trace.sizes.end(), std::uint64_t{0}) : m_counted.requests;
        for (std::size_t i = first; i < trace.costs.size(); ++i)
            m_counted.cost += static_cast<double>(trace.costs[i]);
    }
    report::CacheReport run()
    {
        const auto start = Clock::now();
        requireRoom();
        makeParts();
        report::CacheReport report{.trace = m_trace.name, .requests = m_trace.requests(), .objects = m_trace.ids.size(), .workingSet = m_trace.workingSet(), .sized = m_trace.sized(),
                                   .costed = m_trace.costed(), .warmUp = m_settings.warmUp, .compulsory = compulsory()};
        m_outcomes.assign(m_configurations.size() * perConfiguration(), {});
        m_left = std::vector<std::atomic<std::size_t>>(m_configurations.size());
        m_curves.resize(m_configurations.size());
        std::vector<Task> tasks;
        for (std::size_t c = 0; c < m_configurations.size(); ++c) {
            const bool onePass = isOnePass(c);
            for (std::size_t part = 0; part < m_parts.size(); ++part)
                for (std::size_t size = m_settings.sizes.size(); size-- > (onePass ? m_settings.sizes.size() - 1 : 0);)
                    tasks.push_back({c, part, size});
            m_left[c] = m_parts.size() * (onePass ? 1 : m_settings.sizes.size());
        }
        std::atomic<std::size_t> done = 0;
        parallelFor(m_context, tasks.size(), [&](std::size_t i) {
            runTask(tasks[i]);
            m_context.setFraction(static_cast<double>(++done) / static_cast<double>(tasks.size()));
            if (--m_left[tasks[i].configuration] == 0)
                finish(tasks[i].configuration);
        });
        report.curves = std::move(m_curves);
        warn(report);
        report.seconds = secondsSince(start);
        return report;
    }

private:
    std::size_t perConfiguration() const noexcept { return m_parts.size() * m_settings.sizes.size(); }
    bool isOnePass(std::size_t c) const { return m_configurations[c].method == "cache.lru" && !m_trace.sized() && !m_trace.costed() && !m_settings.rules.active(); }
    bool ruled(const Method& method) const { return obeysRules(method, m_settings.rules); }
    bool watchesScene(const Method& method) const { return ruled(method) && m_settings.rules.scene.signal != SceneSignal::Off; }
    Outcome& outcome(const Task& task) { return m_outcomes[task.configuration * perConfiguration() + task.part * m_settings.sizes.size() + task.size]; }

    /// Of what every thread's policy keeps for each object, and of looking ahead.
    void requireRoom() const
    {
        const auto share = [&](std::uint64_t count) { return static_cast<std::uint64_t>(m_settings.rate * static_cast<double>(count)); };
        std::uint64_t most = 0;
        for (const Configuration& each : m_configurations) {
            const Method& method = methodOf(each);
            const PolicyInputs inputs{scaled(m_settings.sizes.front(), m_settings.rate), m_settings.seed, m_meanSize};
            most = std::max(most, share(m_trace.ids.size()) * bytesAnObject(method, inputs, each.parameters) + (method.bound ? share(m_trace.requests()) * kBoundBytes : 0));
        }
        requireMemory(static_cast<std::uint64_t>(threadCount()) * most + m_trace.requests() * sizeof(std::uint32_t), "simulating caches on this trace");
    }
    void warn(report::CacheReport& report) const
    {
        for (const PolicyCurve& curve : report.curves)
            if (!curve.failure.empty())
                report.warnings.push_back(curve.policy + ": " + curve.failure);
        const auto grain = static_cast<double>(kGrain) * m_meanSize;
        if (m_settings.rate < 1 && static_cast<double>(m_settings.sizes.front()) * m_settings.rate < grain)
            report.warnings.push_back("caches of fewer than " + std::to_string(kGrain) + " objects in the samples are coarse: sizes below " +
                                      std::to_string(static_cast<std::uint64_t>(grain / m_settings.rate)) + " are not to be trusted at this rate");
    }
    void makeParts()
    {
        const bool ahead = std::ranges::any_of(m_configurations, [](const Configuration& each) { return findMethod(each.method)->knowsFuture; });
        if (m_settings.rate == 1) {
            m_parts.push_back({&m_trace, {}, m_settings.warmUp, {}});
        } else {
            m_samples.resize(static_cast<std::size_t>(m_settings.samples));
            parallelFor(m_context, m_samples.size(), [&](std::size_t i) { m_samples[i] = sampleObjects(m_trace, m_settings.rate, m_settings.seed + i, m_settings.warmUp, m_context); });
            for (const ObjectSample& sample : m_samples)
                m_parts.push_back({&sample.trace, {}, sample.warmUp, {}});
        }
        for (Part& part : m_parts) {
            if (ahead)
                part.next = nextRequests(*part.trace);
            part.protectedObjects = protectedObjects(m_settings.rules, *part.trace);
        }
    }
    double compulsory() const
    {
        std::vector<bool> seen(m_trace.ids.size(), false);
        std::uint64_t first = 0;
        for (std::size_t i = 0; i < m_trace.requests(); ++i)
            if (!seen[m_trace.objects[i]]) {
                seen[m_trace.objects[i]] = true;
                first += i >= m_settings.warmUp ? 1U : 0U;
            }
        const std::uint64_t counted = m_trace.requests() - std::min<std::uint64_t>(m_trace.requests(), m_settings.warmUp);
        return counted == 0 ? report::kNotMeasured : static_cast<double>(first) / static_cast<double>(counted);
    }
    void runTask(const Task& task)
    {
        const auto start = Clock::now();
        const Part& part = m_parts[task.part];
        try {
            if (isOnePass(task.configuration)) {
                runOnePass(task, part);
            } else {
                runPolicy(task, part);
            }
        } catch (const Error& error) {
            if (error.code() == ErrorCode::Cancelled)
                throw;
            outcome(task).failure = error.what();
        } catch (const std::bad_alloc&) {
            outcome(task).failure = "found no memory for it, expected some";
        }
        if (outcome(task).failure.empty() && part.trace->requests() <= part.warmUp)
            outcome(task).failure = "found a sample of the objects without a request to count, expected some: take a higher rate";
        outcome(task).seconds = secondsSince(start);
    }
    void runPolicy(const Task& task, const Part& part)
    {
        const Configuration& configuration = m_configurations[task.configuration];
        const Method& method = methodOf(configuration);
        const PolicyInputs inputs{scaled(m_settings.sizes[task.size], m_settings.rate), m_settings.seed, m_meanSize};
        const RunContext context(m_context.stopToken());
        Outcome& result = outcome(task);
        if (method.bound) {
            Requests requests = part.trace->view();
            requests.next = part.next;
            result.counts = method.bound(requests, inputs.capacity, part.warmUp, context);
            return;
        }
        const auto with = [&](const CapacityRules& rules) {
            const PolicyPtr policy = ruled(method) ? ruledPolicy(method, inputs, configuration.parameters, rules, part.protectedObjects) : method.policy(inputs, configuration.parameters);
            const Counts counts = simulate(*part.trace, part.next, *policy, part.warmUp, context);
            result.stateBytes = policy->stateBytes();
            result.figures = policy->figures();
            return counts;
        };
        if (watchesScene(method)) {
            CapacityRules unwatched = m_rules;
            unwatched.scene.signal = SceneSignal::Off;
            result.unruled = with(unwatched);
        }
        result.counts = with(m_rules);
    }
    void runOnePass(const Task& task, const Part& part)
    {
        const StackDistances distances = stackDistances(part.trace->objects, part.trace->ids.size(), part.warmUp, RunContext(m_context.stopToken()));
        for (std::size_t size = 0; size < m_settings.sizes.size(); ++size) {
            const std::uint64_t hits = distances.hits(scaled(m_settings.sizes[size], m_settings.rate));
            outcome({task.configuration, task.part, size}).counts = {distances.requests, hits, distances.requests, hits, 0, 0};
        }
    }
    /// Of a sample: requests of the whole that it stands for are known, its misses are scaled (SHARDS_adj's correction for popular objects that are
    /// in it or not).
    std::pair<double, double> ratios(const Counts& counts) const
    {
        const auto requests = static_cast<double>(counts.requests), bytes = static_cast<double>(counts.bytes);
        if (m_settings.rate == 1)
            return {static_cast<double>(counts.hits) / requests, static_cast<double>(counts.hitBytes) / bytes};
        const double missed = (requests - static_cast<double>(counts.hits)) / (m_settings.rate * static_cast<double>(m_counted.requests));
        const double missedBytes = (bytes - static_cast<double>(counts.hitBytes)) / (m_settings.rate * static_cast<double>(m_counted.bytes));
        return {std::clamp(1 - missed, 0.0, 1.0), std::clamp(1 - missedBytes, 0.0, 1.0)};
    }
    PolicyPoint point(std::size_t c, std::size_t size)
    {
        PolicyPoint point{.size = m_settings.sizes[size]};
        double sum = 0, squares = 0, bytes = 0, missCost = 0, unruled = 0;
        const auto parts = static_cast<double>(m_parts.size());
        for (std::size_t part = 0; part < m_parts.size(); ++part) {
            const Counts& counts = outcome({c, part, size}).counts;
            const auto [hit, byteHit] = ratios(counts);
            sum += hit;
            squares += hit * hit;
            bytes += byteHit;
            point.requests += counts.requests;
            point.hits += counts.hits;
            point.bytes += counts.bytes;
            point.hitBytes += counts.hitBytes;
            point.cost += counts.cost;
            missCost += counts.cost - counts.hitCost;
            unruled += ratios(outcome({c, part, size}).unruled).first;
            for (const PolicyFigure& figure : outcome({c, part, size}).figures)
                addFigure(point, figure);
        }
        if (const auto changes = std::ranges::find(point.figures, kSceneChanges, &report::PolicyFigure::name); changes != point.figures.end()) {
            point.sceneChanges = static_cast<std::uint64_t>(std::llround(changes->value));
            point.figures.erase(changes);
        }
        if (m_trace.costed()) { // of samples: of all requests that they stand for, as misses are
            const double whole = m_settings.rate == 1 ? point.cost : parts * m_settings.rate * m_counted.cost;
            point.costMissRatio = std::clamp(missCost / whole, 0.0, 1.0);
            point.cost = m_counted.cost;
            point.missCost = point.costMissRatio * m_counted.cost;
        }
        if (watchesScene(*findMethod(m_configurations[c].method)))
            point.unruledHitRatio = unruled / parts;
        point.hitRatio = sum / parts;
        point.byteHitRatio = bytes / parts;
        if (m_settings.rate < 1) {
            point.deviation = std::sqrt(std::max(0.0, (squares - sum * sum / parts) / (parts - 1)));
            point.requests = m_counted.requests;
            point.hits = static_cast<std::uint64_t>(std::llround(point.hitRatio * static_cast<double>(point.requests)));
            point.bytes = m_counted.bytes;
            point.hitBytes = static_cast<std::uint64_t>(std::llround(point.byteHitRatio * static_cast<double>(point.bytes)));
        }
        return point;
    }
    /// Of samples: means.
    void addFigure(PolicyPoint& point, const PolicyFigure& figure) const
    {
        auto found = std::ranges::find(point.figures, figure.name, &report::PolicyFigure::name);
        if (found == point.figures.end())
            found = point.figures.insert(found, {figure.name, 0});
        found->value += figure.value / static_cast<double>(m_parts.size());
    }
    /// Rules that protect may refuse newcomers, which MIN must take in: it is no limit of such caches.
    bool isLimit(const Method& method) const { return method.limit && (method.bound || (!m_trace.sized() && !m_settings.rules.protects())); }
    void finish(std::size_t c)
    {
        const Method& method = *findMethod(m_configurations[c].method);
        PolicyCurve curve{.policy = m_configurations[c].method, .title = method.declaration.title, .limit = isLimit(method), .bound = static_cast<bool>(method.bound),
                          .rules = ruled(method) ? inWords(m_settings.rules) : std::string(), .knowsFuture = method.knowsFuture, .exact = m_settings.rate == 1};
        try {
            curve.parameters = method.declaration.schema.complete(m_configurations[c].parameters);
            curve.settings = settingsText(m_configurations[c]);
        } catch (const Error& error) {
            curve.failure = error.what();
        }
        for (std::size_t i = 0; i < perConfiguration(); ++i) {
            const Outcome& one = m_outcomes[c * perConfiguration() + i];
            curve.seconds += one.seconds;
            curve.stateBytes = std::max(curve.stateBytes, one.stateBytes);
            if (curve.failure.empty())
                curve.failure = one.failure;
        }
        if (curve.failure.empty())
            for (std::size_t size = 0; size < m_settings.sizes.size(); ++size)
                curve.points.push_back(point(c, size));
        m_curves[c] = std::move(curve);
        if (m_ready) {
            const std::lock_guard lock(m_mutex);
            m_ready(m_curves[c]);
        }
    }

    const Trace& m_trace;
    const std::vector<Configuration>& m_configurations;
    const CurveSettings& m_settings;
    const RunContext& m_context;
    const std::function<void(const PolicyCurve&)>& m_ready;
    CapacityRules m_rules = scaledRules(m_settings.rules, m_settings.rate); ///< of the parts
    double m_meanSize = meanSize(m_trace);
    Counts m_counted; ///< requests and bytes of the whole behind the warm-up
    std::vector<ObjectSample> m_samples;
    std::vector<Part> m_parts;
    std::vector<Outcome> m_outcomes; ///< [configurations, parts, sizes]
    std::vector<std::atomic<std::size_t>> m_left;
    std::vector<PolicyCurve> m_curves;
    std::mutex m_mutex;
};
} // namespace

const Method& methodOf(const Configuration& configuration)
{
    if (const Method* method = findMethod(configuration.method))
        return *method;
    throw Error(ErrorCode::InvalidParameter, "found '" + configuration.method + "', expected a policy of the cache lab", "policy");
}

PolicyPtr policyFor(const Configuration& configuration, const Trace& trace, std::uint64_t size, std::uint64_t seed)
{
    requireSize(size);
    return methodOf(configuration).policy({size, seed, meanSize(trace)}, configuration.parameters);
}

bool obeysRules(const Method& method, const CapacityRules& rules) { return rules.active() && !method.knowsFuture && !method.bound; }

PolicyPtr policyFor(const Configuration& configuration, const Trace& trace, std::uint64_t size, std::uint64_t seed, const CapacityRules& rules, std::vector<bool> protectedObjects)
{
    requireRules(rules);
    const Method& method = methodOf(configuration);
    if (!obeysRules(method, rules))
        return policyFor(configuration, trace, size, seed);
    requireSize(size);
    return ruledPolicy(method, {size, seed, meanSize(trace)}, configuration.parameters, rules, std::move(protectedObjects));
}

std::string settingsText(const Configuration& configuration)
{
    const ParameterSchema& schema = methodOf(configuration).declaration.schema;
    const Parameters parameters = schema.complete(configuration.parameters);
    std::string text;
    for (const ParameterSpec& spec : schema.specs())
        text += (text.empty() ? "" : ", ") + spec.name + " " + toText(parameters.value(spec.name));
    return text;
}

Counts simulate(const Trace& trace, std::span<const std::uint32_t> next, Policy& policy, std::uint64_t warmUp, const RunContext& context)
{
    policy.know(trace.ids.size());
    policy.heed(context.stopToken());
    Counts before, counts;
    const std::size_t warm = static_cast<std::size_t>(std::min<std::uint64_t>(warmUp, trace.requests()));
    Requests all = trace.view();
    all.next = next;
    inStretches(0, trace.requests(), warm, context, [&](std::size_t first, std::size_t end) { policy.run(all.stretch(first, end), first < warm ? before : counts); });
    return counts;
}

std::vector<std::uint64_t> usualSizes(const Trace& trace, int count) { return usualSizes(trace.workingSet(), count); }

std::vector<std::uint64_t> usualSizes(std::uint64_t workingSet, int count)
{
    const auto most = static_cast<double>(std::max<std::uint64_t>(workingSet, 1));
    const double least = std::max(1.0, most / 1000);
    std::vector<std::uint64_t> sizes;
    for (int i = 0; i < count; ++i)
        sizes.push_back(static_cast<std::uint64_t>(std::llround(least * std::pow(most / least, count > 1 ? static_cast<double>(i) / (count - 1) : 1.0))));
    sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
    return sizes;
}

report::CacheReport missRatioCurves(const Trace& trace, const std::vector<Configuration>& configurations, const CurveSettings& settings, const RunContext& context,
                                    const std::function<void(const report::PolicyCurve&)>& ready)
{
    requireSettings(configurations, settings);
    return Curves(trace, configurations, settings, context, ready).run();
}

} // namespace tamis::cache
