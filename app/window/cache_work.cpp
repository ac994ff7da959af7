// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/window/cache_work.h"

#include "app/jobs/deadline.h"
#include "app/window/trace_names.h"
#include "core/base/error.h"
#include "core/cache/inspect.h"
#include "core/cache/rule_settings.h"
#include "core/cache/steps.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <string_view>

namespace tamis::app {
namespace {
namespace fs = std::filesystem;
using report::PolicyCurve;

constexpr int kSizes = 24;                      ///< of a curve
constexpr double kPreviewRequests = 4000;       ///< about what eight sizes of take in 30 ms
constexpr std::size_t kPreviewSizes = 8;
constexpr double kSampledRequests = 12'000;     ///< of each sample that comes before the exact curves
constexpr std::size_t kExactAtOnce = 40'000;    ///< requests below which samples would not be sooner
constexpr std::uint64_t kStepCount = 2000;
constexpr std::size_t kCoarseWhole = 30'000;    ///< requests that are simulated whole in 30 ms
constexpr std::size_t kRoughFew = 3000, kRoughRequests = 50'000; ///< that a first answer at one size is made of
constexpr std::chrono::milliseconds kRoughWanted(15), kRoughMost(35); ///< that it takes; after which it is what was seen until then

std::string lowered(std::string text)
{
    std::ranges::transform(text, text.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    return text;
}

/// Every second size and the last, so that a preview is soon there.
std::vector<std::uint64_t> fewer(const std::vector<std::uint64_t>& sizes, std::size_t most)
{
    std::vector<std::uint64_t> some;
    const std::size_t stride = std::max<std::size_t>(1, (sizes.size() + most - 1) / most);
    for (std::size_t i = (sizes.size() - 1) % stride; i < sizes.size(); i += stride)
        some.push_back(sizes[i]);
    return some;
}

/// Everything but curves. Objects are numbered in the order of their first request: the warm-up has requested those up to its highest, all others have their first request behind it.
report::CacheReport aboutOf(const CacheSources& sources, double warmUp)
{
    report::CacheReport about{.trace = sources.trace.name, .requests = sources.trace.requests(), .objects = sources.trace.ids.size(), .workingSet = sources.workingSet,
                              .sized = sources.trace.sized(), .costed = sources.trace.costed(), .warmUp = sources.warmUpRequests(warmUp)};
    const auto& objects = sources.trace.objects;
    const std::uint64_t known = about.warmUp == 0 ? 0 : std::uint64_t{*std::max_element(objects.begin(), objects.begin() + static_cast<std::ptrdiff_t>(about.warmUp))} + 1;
    const std::uint64_t counted = about.requests - about.warmUp;
    about.compulsory = counted == 0 ? report::kNotMeasured : static_cast<double>(about.objects - known) / static_cast<double>(counted);
    return about;
}

/// On the preview's few objects: misses are scaled to what they stand for, as missRatioCurves() does.
PolicyCurve previewed(const CurveRequest& request)
{
    const CacheSources& sources = *request.sources;
    const double rate = sources.previewRate;
    cache::CurveSettings settings;
    std::vector<std::uint64_t> shown;
    for (const std::uint64_t size : fewer(sources.sizes, kPreviewSizes)) {
        const auto scaled = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::llround(static_cast<double>(size) * rate)));
        if (!settings.sizes.empty() && settings.sizes.back() == scaled)
            continue;
        settings.sizes.push_back(scaled);
        shown.push_back(size);
    }
    settings.warmUp = static_cast<std::uint64_t>(static_cast<double>(sources.preview.trace.requests()) * request.warmUp);
    settings.rules = cache::scaledRules(cache::rulesFrom(request.rules[request.first], sources.trace), rate);
    PolicyCurve curve = cache::missRatioCurves(sources.preview.trace, {request.configurations[request.first]}, settings, RunContext()).curves.front();
    const double counted = static_cast<double>(sources.trace.requests()) * (1 - request.warmUp);
    for (std::size_t i = 0; i < curve.points.size(); ++i) {
        auto& point = curve.points[i];
        const double missed = static_cast<double>(point.requests - point.hits) / (rate * counted);
        point.size = shown[i];
        point.hitRatio = std::clamp(1 - missed, 0.0, 1.0);
        point.requests = static_cast<std::uint64_t>(counted);
        if (std::isfinite(point.costMissRatio)) {
            const double cost = sources.cost * (1 - request.warmUp);
            point.costMissRatio = cost > 0 ? std::clamp(point.missCost / (rate * cost), 0.0, 1.0) : report::kNotMeasured;
            point.cost = cost;
            point.missCost = point.costMissRatio * cost;
        }
        point.bytes = static_cast<std::uint64_t>(static_cast<double>(point.bytes) / rate);
    }
    curve.exact = false;
    return curve;
}

/// Where it lies among the configurations that are asked for.
std::size_t placeOf(const std::vector<cache::Configuration>& all, const PolicyCurve& curve, const std::vector<std::size_t>& among)
{
    for (const std::size_t i : among)
        if (all[i].method == curve.policy && all[i].parameters == curve.parameters)
            return i;
    return all.size();
}

/// The first alone, so that it is on screen before the others are begun; then those of the same rules together.
std::vector<std::vector<std::size_t>> together(const std::vector<std::size_t>& missing, const std::vector<Parameters>& rules)
{
    std::vector<std::vector<std::size_t>> groups;
    for (std::size_t i = 0; i < missing.size(); ++i) {
        const auto same = std::find_if(groups.begin() + std::min<std::ptrdiff_t>(1, std::ssize(groups)), groups.end(), [&](const auto& group) { return rules[group.front()] == rules[missing[i]]; });
        if (i == 0 || same == groups.end())
            groups.push_back({missing[i]});
        else
            same->push_back(missing[i]);
    }
    return groups;
}

/// Curves that are missing, in parallel, each published as it is ready.
class CurveSeries {
public:
    CurveSeries(const CurveRequest& request, const RunContext& context, const std::function<void(std::shared_ptr<const CurvePicture>)>& publish)
        : m_request(request), m_context(context), m_publish(publish)
    {
        m_picture.about = aboutOf(*request.sources, request.warmUp);
        m_picture.curves.resize(request.configurations.size());
        for (std::size_t i = 0; i < request.configurations.size(); ++i)
            if (auto known = request.memory->find(keyOf(i)))
                m_picture.curves[i] = std::move(*known);
            else
                m_missing.push_back(i);
        const auto looked = std::ranges::find(m_missing, request.first);
        if (looked != m_missing.end())
            std::rotate(m_missing.begin(), looked, looked + 1); // it comes first
    }
    std::shared_ptr<const CurvePicture> picture() const { return std::make_shared<const CurvePicture>(m_picture); }
    bool complete() const noexcept { return m_missing.empty(); }
    void run()
    {
        m_publish(picture()); // what is known, and what has left
        m_context.setParts(4);
        const CacheSources& sources = *m_request.sources;
        const auto requests = static_cast<double>(sources.trace.requests());
        if (sources.trace.requests() > kExactAtOnce)
            compute(fewer(sources.sizes, sources.sizes.size() / 2), std::min(0.5, kSampledRequests / requests), m_context.part(1, "samples"));
        compute(sources.sizes, 1, m_context.part(3, "exact curves"));
    }
    void preview()
    {
        const bool missing = std::ranges::find(m_missing, m_request.first) != m_missing.end();
        if (!missing || m_request.sources->previewRate >= 1)
            return;
        PolicyCurve curve = previewed(m_request);
        if (curve.failure.empty()) {
            m_picture.curves[m_request.first] = std::move(curve);
            m_picture.sampled = true;
        }
    }

private:
    CurveMemory::Key keyOf(std::size_t i) const { return {m_request.configurations[i].method, m_request.configurations[i].parameters, m_request.rules[i], m_request.warmUp}; }
    void compute(const std::vector<std::uint64_t>& sizes, double rate, const RunContext& context)
    {
        cache::CurveSettings settings;
        settings.sizes = sizes;
        settings.warmUp = m_picture.about.warmUp;
        settings.rate = rate;
        const bool exact = rate >= 1;
        context.setParts(static_cast<double>(std::max<std::size_t>(1, m_missing.size())));
        for (const std::vector<std::size_t>& group : together(m_missing, m_request.rules)) {
            std::vector<cache::Configuration> wanted;
            for (const std::size_t i : group)
                wanted.push_back(m_request.configurations[i]);
            settings.rules = cache::rulesFrom(m_request.rules[group.front()], m_request.sources->trace);
            cache::missRatioCurves(m_request.sources->trace, wanted, settings, context.part(static_cast<double>(wanted.size()), exact ? "exact" : "sampled"),
                                   [&](const PolicyCurve& curve) { take(curve, group, exact); });
        }
    }
    /// One after another, from whatever thread.
    void take(const PolicyCurve& curve, const std::vector<std::size_t>& among, bool exact)
    {
        const std::size_t place = placeOf(m_request.configurations, curve, among);
        const bool refused = !curve.failure.empty() && !exact; // a sample may have too few objects: the whole will tell
        if (place == m_request.configurations.size() || refused)
            return;
        m_picture.curves[place] = curve;
        if (exact && curve.failure.empty())
            m_request.memory->keep(keyOf(place), curve);
        m_picture.sampled = std::ranges::any_of(m_picture.curves, [](const PolicyCurve& each) { return !each.exact; });
        m_publish(picture());
    }

    const CurveRequest& m_request;
    const RunContext& m_context;
    const std::function<void(std::shared_ptr<const CurvePicture>)>& m_publish;
    std::vector<std::size_t> m_missing;
    CurvePicture m_picture;
};

nlohmann::ordered_json orNull(double value) { return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr); }
} // namespace

std::uint64_t CacheSources::warmUpRequests(double share) const noexcept
{
    return std::min<std::uint64_t>(static_cast<std::uint64_t>(static_cast<double>(trace.requests()) * share), trace.requests() > 0 ? trace.requests() - 1 : 0);
}

Parameters rulesOf(const std::string& policy, const Parameters& rules)
{
    const auto* method = cache::findMethod(policy);
    return method && !method->knowsFuture && !method->bound ? cache::changedRules(rules) : Parameters();
}

bool looksLikeTrace(const fs::path& path)
{
    std::error_code error;
    if (fs::is_directory(path, error))
        return false;
    std::string name = lowered(path.filename().string());
    for (const std::string_view packed : {".gz", ".xz", ".zst"})
        if (name.ends_with(packed))
            name.resize(name.size() - packed.size());
    constexpr std::array kSuffixes{".csv", ".txt", ".trace", ".trc", ".lis", ".arc", ".lirs", ".oraclegeneral", ".oraclegeneral.bin", ".vscsi", ".vscsitrace", ".be64", ".be32", ".le64", ".le32"};
    return std::ranges::any_of(kSuffixes, [&](const char* suffix) { return name.ends_with(suffix); });
}

io::TraceOptions traceOptions(const CacheChoice& choice)
{
    const auto format = io::traceFormatNamed(choice.format);
    if (!format)
        throw Error(ErrorCode::InvalidParameter, "found the format '" + choice.format + "', expected automatic, ids, csv, lirs, arc, oracle-general, vscsi, be64, be32, le64 or le32", choice.trace);
    return {*format, choice.columns};
}

std::shared_ptr<const CacheSources> openTrace(const fs::path& file, const io::TraceOptions& options, const RunContext& context)
{
    context.setParts(10);
    auto sources = std::make_shared<CacheSources>();
    sources->file = file;
    sources->options = options;
    const io::TraceFormat format = io::TraceReader::open(file, options)->format();
    sources->table = format == io::TraceFormat::Csv;
    sources->trace = cache::loadTrace(file, options, context.part(8, "reading the trace"));
    const cache::Trace& trace = sources->trace;
    context.throwIfStopped();
    if (sources->table || format == io::TraceFormat::Ids)
        sources->names = traceNames(file, trace, context);
    sources->next = cache::nextRequests(trace);
    sources->sizes = cache::usualSizes(trace, kSizes);
    sources->workingSet = trace.workingSet();
    if (trace.sized())
        sources->unsized = cache::Trace{trace.name, trace.objects, trace.ids, {}, {}, trace.costs, trace.uniqueness};
    for (const float cost : trace.costs)
        sources->cost += static_cast<double>(cost);
    const auto requests = static_cast<double>(trace.requests());
    const RunContext rest = context.part(2, "a sample of the objects");
    if (requests > 3 * kPreviewRequests) {
        sources->previewRate = kPreviewRequests / requests;
        sources->preview = cache::sampleObjects(trace, sources->previewRate, 17, 0, rest);
        if (sources->preview.trace.requests() == 0)
            sources->previewRate = 1;
    }
    sources->thinned = cache::thinnedTrace(trace, rest);
    rest.finish();
    return sources;
}

std::optional<PolicyCurve> CurveMemory::find(const Key& key) const
{
    const std::lock_guard lock(m_mutex);
    for (const auto& [each, curve] : m_curves)
        if (each == key)
            return curve;
    return {};
}

void CurveMemory::keep(const Key& key, const PolicyCurve& curve)
{
    const std::lock_guard lock(m_mutex);
    if (m_curves.size() >= kMost)
        m_curves.erase(m_curves.begin());
    m_curves.emplace_back(key, curve);
}

std::shared_ptr<const CurvePicture> curvesOf(const CurveRequest& request, Level level, const RunContext& context, const std::function<void(std::shared_ptr<const CurvePicture>)>& publish)
{
    CurveSeries series(request, context, publish);
    if (level == Level::Coarse)
        series.preview();
    else if (!series.complete())
        series.run();
    return series.picture();
}

namespace {
using SizePointer = std::shared_ptr<const report::CacheSizeReport>;

/// Few requests first, which tell what a request costs; then as many as there is time for. Small traces whole.
SizePointer roughSizeOf(const SizeRequest& request, const cache::InspectSettings& settings)
{
    const CacheSources& sources = *request.sources;
    const auto start = std::chrono::steady_clock::now();
    const Deadline deadline(kRoughMost);
    const RunContext context = deadline.context();
    const std::size_t all = sources.trace.requests();
    const auto some = [&](std::size_t requests) { return cache::inspectRoughly(sources.trace, sources.next, sources.thinned, request.configuration, request.size, settings, requests, context); };
    std::optional<report::CacheSizeReport> rough = some(kRoughFew);
    const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
    const double left = std::chrono::duration<double>(kRoughWanted).count() - spent.count();
    const double affordable = rough && spent.count() > 0 ? std::max(left, 0.0) / spent.count() * static_cast<double>(kRoughFew) : static_cast<double>(kRoughRequests);
    if (all <= kCoarseWhole && affordable >= static_cast<double>(all)) {
        try {
            return std::make_shared<const report::CacheSizeReport>(cache::inspectSize(sources.trace, sources.next, request.configuration, request.size, settings, context));
        } catch (const Error& error) {
            if (error.code() != ErrorCode::Cancelled)
                throw;
        }
    } else if (affordable >= 2.0 * static_cast<double>(kRoughFew)) {
        if (auto better = some(std::min({kRoughRequests, static_cast<std::size_t>(affordable), all / 2})))
            rough = std::move(better);
    }
    return rough ? std::make_shared<const report::CacheSizeReport>(std::move(*rough)) : nullptr;
}
} // namespace

SizePointer sizeOf(const SizeRequest& request, Level level, const RunContext& context)
{
    const CacheSources& sources = *request.sources;
    cache::InspectSettings settings;
    settings.warmUp = sources.warmUpRequests(request.warmUp);
    settings.rules = cache::rulesFrom(request.rules, sources.trace);
    if (level == Level::Coarse)
        return roughSizeOf(request, settings);
    return std::make_shared<const report::CacheSizeReport>(cache::inspectSize(sources.trace, sources.next, request.configuration, request.size, settings, context));
}

std::shared_ptr<const StepPicture> stepsOf(const StepRequest& request, const RunContext& context)
{
    const cache::Trace& trace = request.sources->played();
    cache::StepSettings settings;
    settings.first = std::min<std::uint64_t>(request.first, trace.requests() - 1);
    settings.count = kStepCount;
    context.setParts(request.beside ? 2 : 1);
    const auto play = [&](const cache::Configuration& configuration, const char* label) {
        settings.rules = cache::rulesFrom(rulesOf(configuration.method, request.rules), trace);
        report::CacheStepReport steps = cache::playSteps(trace, request.sources->next, configuration, request.cells, settings, context.part(1, label));
        for (std::size_t i = 0; i < steps.named.size() && i < steps.names.size(); ++i)
            if (const auto name = request.sources->names.find(trace.ids[steps.named[i]]); name != request.sources->names.end())
                steps.names[i] = name->second;
        return std::make_shared<const report::CacheStepReport>(std::move(steps));
    };
    auto picture = std::make_shared<StepPicture>();
    picture->steps = play(request.configuration, "playing");
    if (request.beside)
        picture->beside = play(*request.beside, "playing beside");
    return picture;
}

std::string curvesToJson(const report::CacheReport& about, const std::vector<PolicyCurve>& curves)
{
    nlohmann::ordered_json document{{"schema", "tamis.cache-curves/1"}, {"trace", about.trace}, {"requests", about.requests}, {"objects", about.objects}, {"workingSet", about.workingSet},
                                    {"unit", about.sized ? "bytes" : "objects"}, {"warmUp", about.warmUp}, {"compulsory", orNull(about.compulsory)}};
    document["curves"] = nlohmann::ordered_json::array();
    for (const PolicyCurve& curve : curves) {
        nlohmann::ordered_json parameters = nlohmann::ordered_json::object();
        for (const auto& [name, value] : curve.parameters.all())
            std::visit([&, &key = name](const auto& v) { parameters[key] = v; }, value);
        nlohmann::ordered_json json{{"policy", curve.policy}, {"title", curve.title}, {"parameters", parameters}, {"limit", curve.limit}, {"knowsFuture", curve.knowsFuture}, {"exact", curve.exact}};
        for (const char* key : {"sizes", "hits", "hitRatio", "byteHitRatio", "deviation"})
            json[key] = nlohmann::ordered_json::array();
        for (const auto& point : curve.points) {
            json["sizes"].push_back(point.size);
            json["hits"].push_back(point.hits);
            json["hitRatio"].push_back(orNull(point.hitRatio));
            json["byteHitRatio"].push_back(orNull(point.byteHitRatio));
            json["deviation"].push_back(orNull(point.deviation));
        }
        if (about.costed)
            for (const auto& point : curve.points) {
                json["missCost"].push_back(orNull(point.missCost));
                json["costMissRatio"].push_back(orNull(point.costMissRatio));
            }
        if (!curve.rules.empty())
            json["rules"] = curve.rules;
        if (!curve.points.empty() && std::isfinite(curve.points.front().unruledHitRatio))
            for (const auto& point : curve.points) {
                json["sceneChanges"].push_back(point.sceneChanges);
                json["hitRatioWithoutScene"].push_back(orNull(point.unruledHitRatio));
            }
        if (curve.bound)
            json["bound"] = true;
        if (!curve.failure.empty())
            json["failure"] = curve.failure;
        document["curves"].push_back(std::move(json));
    }
    return document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

} // namespace tamis::app
