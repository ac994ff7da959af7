// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/streamed_curves.h"

#include "core/base/error.h"
#include "core/base/parallel.h"
#include "core/cache/in_stretches.h"
#include "core/cache/load_trace.h"
#include "core/cache/method.h"

#include <algorithm>
#include <chrono>
#include <numeric>

namespace tamis::cache {
namespace {
using Clock = std::chrono::steady_clock;
double secondsSince(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// Of the whole trace.
struct Totals {
    std::uint64_t requests = 0, objects = 0, firstCounted = 0; ///< firstCounted: objects first asked for behind the warm-up
    std::uint64_t workingSet = 0;                              ///< as Trace::workingSet()
    bool sized = false, costed = false;
};

Totals totalsOf(const std::filesystem::path& file, const io::TraceOptions& options, std::uint64_t warmUp, const RunContext& context)
{
    Totals totals;
    std::vector<std::uint32_t> last; // sizes
    std::uint64_t position = 0;
    totals.requests = streamTrace(file, options, context, [&](const Requests& requests, std::size_t objects) {
        totals.sized = !requests.sizes.empty();
        totals.costed = !requests.costs.empty();
        for (std::size_t i = 0; i < requests.objects.size(); ++i, ++position) {
            if (requests.objects[i] >= totals.objects) { // numbers come in the order of the first requests
                totals.objects = std::uint64_t{requests.objects[i]} + 1;
                totals.firstCounted += position >= warmUp ? 1U : 0U;
            }
            if (totals.sized) {
                last.resize(std::max<std::size_t>(last.size(), objects));
                last[requests.objects[i]] = requests.sizes[i];
            }
        }
    });
    totals.workingSet = totals.sized ? std::accumulate(last.begin(), last.end(), std::uint64_t{0}) : totals.objects;
    return totals;
}

/// One policy at one size.
struct Cache {
    std::size_t configuration = 0;
    std::uint64_t size = 0;
    PolicyPtr policy;
    Counts before, counts;
    double seconds = 0;
    std::string failure;
};

/// Runs `part` and keeps what goes wrong, so that the others go on. Throws Error{Cancelled}.
template <class Part> void guarded(Cache& cache, Part&& part)
{
    if (!cache.failure.empty())
        return;
    const auto start = Clock::now();
    try {
        part();
    } catch (const Error& error) {
        if (error.code() == ErrorCode::Cancelled)
            throw;
        cache.failure = error.what();
    } catch (const std::bad_alloc&) {
        cache.failure = "found no memory for it, expected some";
    }
    cache.seconds += secondsSince(start);
}

void requireStreamed(const std::vector<Configuration>& configurations, const CurveSettings& settings)
{
    const auto refuse = [](const std::string& what, const std::string& where) { throw Error(ErrorCode::UnsupportedFeature, what + ", which a trace that is not held does not allow", where); };
    if (settings.rate != 1)
        refuse("found a rate below 1", "rate");
    if (inWords(settings.rules) != inWords({}))
        refuse("found rules of capacity", "rules");
    for (const Configuration& each : configurations)
        if (const Method& method = methodOf(each); method.knowsFuture || method.bound)
            refuse("found a policy that looks ahead", each.method);
}

report::PolicyCurve curveOf(const Configuration& configuration, std::size_t c, const std::vector<Cache>& caches, bool costed)
{
    const Method& method = methodOf(configuration);
    report::PolicyCurve curve{.policy = configuration.method, .title = method.declaration.title};
    curve.parameters = method.declaration.schema.complete(configuration.parameters);
    curve.settings = settingsText(configuration);
    for (const Cache& cache : caches) {
        if (cache.configuration != c)
            continue;
        curve.seconds += cache.seconds;
        if (curve.failure.empty())
            curve.failure = cache.failure;
        if (!cache.policy)
            continue;
        curve.stateBytes = std::max<std::uint64_t>(curve.stateBytes, cache.policy->stateBytes());
        report::PolicyPoint point{.size = cache.size, .requests = cache.counts.requests, .hits = cache.counts.hits, .bytes = cache.counts.bytes, .hitBytes = cache.counts.hitBytes};
        point.hitRatio = static_cast<double>(point.hits) / static_cast<double>(point.requests);
        point.byteHitRatio = static_cast<double>(point.hitBytes) / static_cast<double>(point.bytes);
        if (costed) {
            point.cost = cache.counts.cost;
            point.missCost = std::max(0.0, cache.counts.cost - cache.counts.hitCost);
            point.costMissRatio = point.missCost / point.cost;
        }
        for (const PolicyFigure& figure : cache.policy->figures())
            point.figures.push_back({figure.name, figure.value});
        curve.points.push_back(std::move(point));
    }
    if (!curve.failure.empty())
        curve.points.clear();
    return curve;
}

std::vector<Cache> cachesOf(const std::vector<Configuration>& configurations, const CurveSettings& settings, double meanSize, const RunContext& context)
{
    std::vector<Cache> caches;
    for (std::size_t c = 0; c < configurations.size(); ++c)
        for (const std::uint64_t size : settings.sizes)
            caches.push_back({.configuration = c, .size = size, .policy = {}, .before = {}, .counts = {}, .seconds = 0, .failure = {}});
    for (Cache& cache : caches)
        guarded(cache, [&] {
            cache.policy = methodOf(configurations[cache.configuration]).policy({cache.size, settings.seed, meanSize}, configurations[cache.configuration].parameters);
            cache.policy->heed(context.stopToken());
        });
    return caches;
}

void feed(std::vector<Cache>& caches, const std::filesystem::path& file, const io::TraceOptions& options, std::uint64_t warmUp, const RunContext& context)
{
    std::uint64_t position = 0;
    const RunContext stopping(context.stopToken()); // progress is the reading's
    streamTrace(file, options, context, [&](const Requests& requests, std::size_t objects) {
        const std::size_t count = requests.objects.size();
        const std::size_t warm = position >= warmUp ? 0 : static_cast<std::size_t>(std::min<std::uint64_t>(warmUp - position, count));
        parallelFor(stopping, caches.size(), [&](std::size_t i) {
            Cache& cache = caches[i];
            guarded(cache, [&] {
                cache.policy->know(objects);
                inStretches(0, count, warm, stopping, [&](std::size_t first, std::size_t end) { cache.policy->run(requests.stretch(first, end), first < warm ? cache.before : cache.counts); });
            });
        });
        position += count;
    });
}
} // namespace

report::CacheReport streamedCurves(const std::filesystem::path& file, const io::TraceOptions& options, const std::vector<Configuration>& configurations, CurveSettings settings,
                                   int count, const RunContext& context)
{
    const auto start = Clock::now();
    requireStreamed(configurations, settings);
    context.setParts(10);
    const Totals totals = totalsOf(file, options, settings.warmUp, context.part(1, "reading the trace"));
    if (settings.warmUp >= totals.requests)
        throw Error(ErrorCode::InvalidParameter, "found " + std::to_string(settings.warmUp) + ", expected fewer than the trace's " + std::to_string(totals.requests) + " requests", "warm-up");
    if (settings.sizes.empty())
        settings.sizes = usualSizes(totals.workingSet, count);
    if (!std::ranges::is_sorted(settings.sizes) || settings.sizes.front() == 0)
        throw Error(ErrorCode::InvalidParameter, "expected cache sizes of 1 at least, ascending", "sizes");
    const double meanSize = totals.sized ? static_cast<double>(totals.workingSet) / static_cast<double>(totals.objects) : 1;
    std::vector<Cache> caches = cachesOf(configurations, settings, meanSize, context);
    feed(caches, file, options, settings.warmUp, context.part(9, "simulating"));
    report::CacheReport report{.trace = file.filename().string(), .requests = totals.requests, .objects = totals.objects, .workingSet = totals.workingSet, .sized = totals.sized, .costed = totals.costed, .warmUp = settings.warmUp,
                               .compulsory = static_cast<double>(totals.firstCounted) / static_cast<double>(totals.requests - settings.warmUp)};
    for (std::size_t c = 0; c < configurations.size(); ++c)
        report.curves.push_back(curveOf(configurations[c], c, caches, totals.costed));
    report.seconds = secondsSince(start);
    return report;
}

} // namespace tamis::cache
