// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the cache lab's jobs and lanes compute. No widgets: any thread.
#include "app/jobs/lane.h"
#include "app/session/cache_choice.h"
#include "core/cache/load_trace.h"
#include "core/cache/object_sample.h"
#include "core/cache/rough_inspection.h"
#include "core/cache/simulate.h"
#include "core/report/cache_size_report.h"

#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace tamis::app {

/// A trace that is open, with what every panel needs of it. Immutable.
struct CacheSources {
    std::filesystem::path file;
    io::TraceOptions options;
    bool table = false;                     ///< it has columns
    cache::Trace trace;
    std::optional<cache::Trace> unsized;    ///< the same where it has sizes, each object counting 1; for playing
    std::vector<std::uint32_t> next;        ///< of nextRequests()
    std::vector<std::uint64_t> sizes;       ///< at which curves are computed
    cache::ObjectSample preview;            ///< some objects: small enough to simulate while a slider is dragged
    cache::ThinnedTrace thinned;            ///< for first answers at one size
    std::map<std::uint64_t, std::string> names; ///< by id, where ids are keys
    double previewRate = 1;                 ///< 1: `preview` is empty, the trace is small
    double cost = 0;                        ///< of all requests, where the trace has costs
    std::uint64_t workingSet = 0;           ///< of the trace, which takes a pass over it
    const cache::Trace& played() const noexcept { return unsized ? *unsized : trace; }
    std::uint64_t warmUpRequests(double share) const noexcept;
};

/// A file whose name is one of a trace's: .csv, .txt, .trace, ... also compressed.
bool looksLikeTrace(const std::filesystem::path& path);
/// Of the session's words; throws Error{InvalidParameter} for a format that there is not.
io::TraceOptions traceOptions(const CacheChoice& choice);
/// Throws what reading throws.
std::shared_ptr<const CacheSources> openTrace(const std::filesystem::path& file, const io::TraceOptions& options, const RunContext& context);

/// Exact curves that were computed, by policy, settings, rules and warm-up, of one trace. Thread-safe.
class CurveMemory {
public:
    struct Key {
        std::string policy;
        Parameters parameters; ///< complete
        Parameters rules;      ///< those that are not the defaults; none of what does not obey them
        double warmUp = 0;
        bool operator==(const Key&) const = default;
    };
    std::optional<report::PolicyCurve> find(const Key& key) const;
    void keep(const Key& key, const report::PolicyCurve& curve); ///< the oldest go beyond kMost
    static constexpr std::size_t kMost = 400;

private:
    mutable std::mutex m_mutex;
    std::vector<std::pair<Key, report::PolicyCurve>> m_curves;
};

struct CurveRequest {
    std::shared_ptr<const CacheSources> sources;
    std::shared_ptr<CurveMemory> memory;                 ///< of this trace
    std::vector<cache::Configuration> configurations;    ///< complete parameters
    std::vector<Parameters> rules;                       ///< [configurations] of rulesOf()
    std::size_t first = 0;                               ///< of them: the one that the user looks at
    double warmUp = 0;                                   ///< share
};
/// Of `rules`, what this policy is asked for: those that are not the defaults, none of what knows the future.
Parameters rulesOf(const std::string& policy, const Parameters& rules);

/// Curves so far, one a configuration: those that are not there yet have no points and no failure.
struct CurvePicture {
    report::CacheReport about; ///< without curves
    std::vector<report::PolicyCurve> curves;
    bool sampled = false; ///< some are of samples: exact ones follow
};
/// At Level::Coarse what is known, and the first configuration on the preview; at Level::Final samples of long traces, then exact curves, each as it
/// is ready. Throws Error{InvalidParameter} for rules that cannot be.
std::shared_ptr<const CurvePicture> curvesOf(const CurveRequest& request, Level level, const RunContext& context, const std::function<void(std::shared_ptr<const CurvePicture>)>& publish);

struct SizeRequest {
    std::shared_ptr<const CacheSources> sources;
    cache::Configuration configuration;
    std::uint64_t size = 1;
    double warmUp = 0;
    Parameters rules; ///< of rulesOf()
};
/// At Level::Coarse of a sample, as large as there is time for, or null; at Level::Final of the whole.
std::shared_ptr<const report::CacheSizeReport> sizeOf(const SizeRequest& request, Level level, const RunContext& context);

struct StepRequest {
    std::shared_ptr<const CacheSources> sources;
    cache::Configuration configuration;
    std::optional<cache::Configuration> beside;
    std::uint64_t cells = 16, first = 0;
    Parameters rules; ///< of both
};
struct StepPicture {
    std::shared_ptr<const report::CacheStepReport> steps, beside; ///< `beside` may be null
};
std::shared_ptr<const StepPicture> stepsOf(const StepRequest& request, const RunContext& context);

/// As `tamis-cli run cache.* --json` names things.
std::string curvesToJson(const report::CacheReport& about, const std::vector<report::PolicyCurve>& curves);

} // namespace tamis::app
