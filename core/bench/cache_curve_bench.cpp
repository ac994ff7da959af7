// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/addressing/read_costs.h"
#include "core/base/error.h"
#include "core/base/number_text.h"
#include "core/base/parallel.h"
#include "core/bench/cache_bench_parts.h"
#include "core/bench/zipf_ids.h"
#include "core/cache/load_trace.h"
#include "core/cache/simulate.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <thread>

namespace tamis::bench {
namespace {
using namespace tamis::cache;

constexpr double kRate = 0.05;   ///< of the objects in a sample
constexpr std::size_t kWritten = 65536; ///< ids between looks at the stop

const std::vector<Configuration>& tenPolicies()
{
    static const std::vector<Configuration> ten{{"cache.lru", {}}, {"cache.lru-k", {}}, {"cache.slru", {}}, {"cache.fifo", {}}, {"cache.sieve", {}}, {"cache.s3-fifo", {}}, {"cache.arc", {}}, {"cache.lirs", {}}, {"cache.w-tinylfu", {}}, {"cache.belady", {}}};
    return ten;
}

Trace zipfTrace(std::size_t objects, std::size_t requests)
{
    const std::vector<std::uint64_t> ids = ZipfIds(objects, 1.0, 7).next(requests);
    Trace trace;
    trace.name = "Zipf(1.0)";
    trace.objects.resize(requests);
    ObjectNumbers numbers;
    numbers.of(ids, trace.objects);
    trace.ids = numbers.takeIds();
    return trace;
}

/// How far the samples are from the whole, in hit ratios: at worst, on average, and how many points lie within twice their deviation.
std::string agreement(const report::CacheReport& exact, const report::CacheReport& sampled)
{
    double worst = 0, sum = 0;
    int points = 0, within = 0;
    for (std::size_t c = 0; c < exact.curves.size(); ++c)
        for (std::size_t i = 0; i < std::min(exact.curves[c].points.size(), sampled.curves[c].points.size()); ++i) {
            const report::PolicyPoint& point = sampled.curves[c].points[i];
            const double difference = std::abs(point.hitRatio - exact.curves[c].points[i].hitRatio);
            worst = std::max(worst, difference);
            sum += difference;
            ++points;
            within += difference <= 2 * point.deviation ? 1 : 0;
        }
    return "hit ratios differ from the exact ones by " + fixedText(points > 0 ? sum / points : 0, 4) + " on average, " + fixedText(worst, 4) + " at most; " + std::to_string(within) + " of " +
           std::to_string(points) + " within twice the deviation of four samples";
}

/// Seconds from the request to stop to the return; NaN where it was done before.
double secondsToStop(const Trace& trace, const CurveSettings& settings, double delay, const RunContext& context)
{
    using Clock = std::chrono::steady_clock;
    std::stop_source stop;
    const std::stop_callback outer(context.stopToken(), [&] { stop.request_stop(); });
    Clock::time_point asked{};
    bool cancelled = false;
    std::jthread asking([&](const std::stop_token& done) {
        const auto until = Clock::now() + std::chrono::duration<double>(delay);
        while (!done.stop_requested() && Clock::now() < until)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        asked = Clock::now();
        stop.request_stop();
    });
    try {
        missRatioCurves(trace, tenPolicies(), settings, RunContext(stop.get_token()));
    } catch (const Error& error) {
        if (error.code() != ErrorCode::Cancelled)
            throw;
        cancelled = true;
    }
    const auto returned = Clock::now();
    asking.request_stop();
    asking.join();
    context.throwIfStopped();
    return cancelled ? std::chrono::duration<double>(returned - asked).count() : kNoFigure;
}

/// "VmHWM" or "VmRSS" of this process in bytes; 0 where the system does not say.
std::uint64_t residentBytes(const std::string& key)
{
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);)
        if (line.starts_with(key + ":"))
            return std::stoull(line.substr(key.size() + 1)) * 1024;
    return 0;
}
/// False where the system does not allow it: the peak is then that of the process's life.
bool forgetPeak()
{
    std::ofstream file("/proc/self/clear_refs");
    file << 5 << std::flush;
    return file.good();
}

void writeIds(const std::filesystem::path& file, std::size_t objects, std::size_t count, const RunContext& context)
{
    std::ofstream out(file, std::ios::binary);
    ZipfIds ids(objects, 1.0, 42);
    std::vector<unsigned char> bytes;
    for (std::size_t first = 0; first < count; first += kWritten) {
        context.throwIfStopped();
        context.setFraction(static_cast<double>(first) / static_cast<double>(count));
        bytes.clear();
        for (std::size_t i = first; i < std::min(first + kWritten, count); ++i)
            for (std::uint64_t id = ids.next(), byte = 0; byte < 8; ++byte, id >>= 8U)
                bytes.push_back(static_cast<unsigned char>(id & 255U));
        out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    }
    out.close();
    if (!out)
        throw Error(ErrorCode::IoFailure, "the file of " + std::to_string(count * 8) + " bytes cannot be written", file.string());
}
} // namespace

std::vector<BenchResult> benchCacheCurves(const RunContext& context, const CacheBenchInputs& in)
{
    context.setParts(6);
    const Trace trace = zipfTrace(in.curveObjects, in.curveRequests);
    CurveSettings settings{.sizes = usualSizes(trace, in.sizes)};
    double first = kNoFigure;
    const auto start = std::chrono::steady_clock::now();
    report::CacheReport exact, sampled;
    const double exactSeconds = wallSeconds([&] {
        exact = missRatioCurves(trace, tenPolicies(), settings, context.part(4, "exact"), [&](const report::PolicyCurve&) {
            if (std::isnan(first))
                first = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        });
    });
    const double stopSeconds = secondsToStop(trace, settings, std::min(1.0, 0.4 * exactSeconds), context);
    settings.rate = kRate;
    double firstSampled = kNoFigure;
    const auto second = std::chrono::steady_clock::now();
    const double sampledSeconds = wallSeconds([&] {
        sampled = missRatioCurves(trace, tenPolicies(), settings, context.part(1, "samples"), [&](const report::PolicyCurve&) {
            if (std::isnan(firstSampled))
                firstSampled = std::chrono::duration<double>(std::chrono::steady_clock::now() - second).count();
        });
    });
    const std::string what = std::to_string(settings.sizes.size()) + " sizes of 10 policies, " + std::to_string(trace.requests()) + " requests, " + std::to_string(trace.ids.size()) + " objects, " +
                             std::to_string(threadCount()) + " threads";
    std::string dearest;
    double most = 0;
    for (const report::PolicyCurve& curve : exact.curves)
        if (curve.seconds > most) {
            most = curve.seconds;
            dearest = curve.policy;
        }
    std::vector<BenchResult> results{againstGoal("curves, exact", exactSeconds, 40, what + "; the dearest is " + dearest + ", " + fixedText(most, 2) + " s on one thread"),
                                     againstGoal("curves, samples of " + fixedText(kRate, 2) + " of the objects", sampledSeconds, 4, what + "; " + agreement(exact, sampled) + "; the first after " + fixedText(firstSampled, 3) + " s"),
                                     againstGoal("curves, the first of the exact ones", first, 0.5, "from the call to the callback")};
    if (!std::isnan(stopSeconds))
        results.push_back(againstGoal("curves, to a stop", stopSeconds, 0.1, "from the request to stop in the middle of the exact ones to the return"));
    return results;
}

std::vector<BenchResult> benchCacheStream(const RunContext& context, const CacheBenchInputs& in)
{
    const std::size_t count = in.streamed > 0 ? in.streamed : in.directory.empty() ? 10'000'000 : 100'000'000;
    context.setParts(2);
    const addressing::ScratchDirectory scratch(in.directory);
    const std::filesystem::path file = scratch.path() / "requests.le64";
    writeIds(file, in.objects, count, context.part(1, "writing ids"));
    const PolicyPtr policy = findMethod("cache.lru")->policy({in.capacity, 0, 1}, {});
    Counts counts;
    const bool forgotten = forgetPeak();
    const std::uint64_t before = residentBytes("VmRSS");
    const double seconds = wallSeconds([&] {
        streamTrace(file, {.format = io::TraceFormat::Le64}, context.part(1, "streaming"), [&](const Requests& requests, std::size_t objects) {
            policy->know(objects);
            policy->run(requests, counts);
        });
    });
    const std::uint64_t peak = residentBytes("VmHWM");
    BenchResult result{.name = "lru from a file", .oursSeconds = seconds, .peerSeconds = kNoFigure, .ratio = kNoFigure, .unit = "s for " + fixedText(static_cast<double>(count) * 1e-6, 1) + " M requests",
                       .boundFraction = kNoFigure};
    result.note = fixedText(static_cast<double>(count) / seconds * 1e-6, 2) + " M requests/s from " + fixedText(static_cast<double>(count) * 8e-6, 0) + " MB as le64, hit ratio " +
                  fixedText(static_cast<double>(counts.hits) / static_cast<double>(counts.requests), 4) + "; resident memory " + fixedText(static_cast<double>(before) * 1e-6, 0) + " MB before, " +
                  fixedText(static_cast<double>(peak) * 1e-6, 0) + " MB at most" + (forgotten ? "" : " in this process's life");
    return {result};
}

} // namespace tamis::bench
