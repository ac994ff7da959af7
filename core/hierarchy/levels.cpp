// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/hierarchy/levels.h"

#include "core/base/error.h"
#include "core/cache/method.h"
#include "core/hierarchy/feature_types.h"
#include "core/hierarchy/simulate.h"

#include <array>
#include <chrono>

namespace tamis::hierarchy {
namespace {
constexpr std::uint64_t kSeed = 1; ///< of policies that draw

/// RAM 200 to 400 cycles, NVMe 1e4 to 1e5 cycles of 3 GHz. Energy: Horowitz, ISSCC 2014, 45 nm: 100 pJ for 8 bytes of a 1 MB cache, 1.3 nJ of DRAM.
/// What on-chip memory takes, energy of storage and bandwidths are assumptions.
struct LevelDefaults {
    const char *name, *title, *place;
    double capacity, timeNs, energyPj, bandwidth;
};
constexpr std::array<LevelDefaults, 3> kLevels{{{"l1", "L1", "on-chip", 262144, 10, 12.5, 100}, {"l2", "L2", "RAM", 4194304, 100, 162.5, 20}, {"l3", "L3", "storage", 67108864, 33000, 2000, 3}}};

void addLevel(std::vector<ParameterSpec>& specs, const LevelDefaults& level, const std::vector<std::string>& policies)
{
    const std::string name = level.name, title = level.title, place = std::string(" (") + level.place + ")";
    const auto real = [&](const char* part, const char* what, double value, double low, double high, const char* unit, const char* help) {
        specs.push_back({.name = name + "-" + part, .title = title + " " + what, .type = ParameterType::Real, .defaultValue = value, .minimum = low, .maximum = high, .logarithmic = true, .unit = unit, .help = help});
    };
    specs.push_back({.name = name + "-capacity", .title = title + place, .type = ParameterType::Integer, .defaultValue = static_cast<std::int64_t>(level.capacity), .minimum = 0, .maximum = 1e13,
                     .logarithmic = true, .unit = "bytes", .help = "0: there is no such level"});
    specs.push_back({.name = name + "-policy", .title = title + " policy", .type = ParameterType::Choice, .defaultValue = std::string("cache.lru"),
                     .help = "Inclusive and exclusive levels need one that can give up an object", .choices = policies});
    real("time", "look-up", level.timeNs, 0, 1e9, "ns", "Whether it hits or not");
    real("energy", "energy", level.energyPj, 0, 1e6, "pJ/byte", "Of a byte read or written");
    real("bandwidth", "bandwidth", level.bandwidth, 0.001, 1e5, "GB/s", "Of what it gives to a request");
}

ParameterSchema schema()
{
    std::vector<std::string> policies;
    for (const cache::Method& method : cache::methods())
        if (!method.knowsFuture && !method.bound)
            policies.push_back(method.declaration.id);
    std::vector<ParameterSpec> specs;
    for (const LevelDefaults& level : kLevels)
        addLevel(specs, level, policies);
    const auto choice = [&](const char* name, const char* title, const char* value, std::vector<std::string> choices, const char* help) {
        specs.push_back({.name = name, .title = title, .type = ParameterType::Choice, .defaultValue = std::string(value), .help = help, .choices = std::move(choices)});
    };
    choice("inclusion", "Levels are", "inclusive", {"inclusive", "exclusive", "non-inclusive"}, "A level holds all that those above hold; an object is in one alone; neither is enforced");
    choice("writes", "Writes go", "back", {"back", "through"}, "Down when they are evicted, or at once");
    choice("type", "Stored as", "f32", {"f32", "f16", "int8"}, "Of features; int8 with one scale of 4 bytes each");
    specs.push_back({.name = "features", .title = "Width", .type = ParameterType::Integer, .defaultValue = std::int64_t{768}, .minimum = 1, .maximum = 1e6, .logarithmic = true, .unit = "features",
                     .help = "Of the objects of a trace without sizes; frames have the model's"});
    specs.push_back({.name = "measured-encode", .title = "Measured recomputing", .type = ParameterType::Boolean, .defaultValue = true, .help = "Frames: as long as the model took here; else as given"});
    specs.push_back({.name = "encode-time", .title = "Recomputing", .type = ParameterType::Real, .defaultValue = 50000.0, .minimum = 0.001, .maximum = 1e12, .logarithmic = true, .unit = "ns", .help = "Of one object, if not measured"});
    specs.push_back({.name = "encode-power", .title = "Power of recomputing", .type = ParameterType::Real, .defaultValue = 15.0, .minimum = 0, .maximum = 1e5, .unit = "W", .help = "An assumption: energy of recomputing is its time by this"});
    choice("prefetch", "Fetch ahead", "none", {"none", "neighbours", "motion", "layer"}, "Cells around one as they last were (traces: the next ids), the next frame's by motion, the same cell behind the next block");
    specs.push_back({.name = "degree", .title = "Neighbours", .type = ParameterType::Integer, .defaultValue = std::int64_t{4}, .minimum = 1, .maximum = 8, .help = "Fetched with each; prefetch neighbours alone"});
    choice("prefetch-from", "Fetched from", "levels", {"levels", "all"}, "All: what is in no level is made ahead, too");
    specs.push_back({.name = "tolerance", .title = "Same content within", .type = ParameterType::Real, .defaultValue = 0.25, .minimum = 0, .maximum = 8, .unit = "deviations",
                     .help = "Frames: steps of a cell's quarter means, in normalised pixel values, that share an entry; 0: equal ones"});
    specs.push_back({.name = "same-cell", .title = "At the same place", .type = ParameterType::Boolean, .defaultValue = true, .help = "Frames: entries are of a place, too; else moved content is found again"});
    return ParameterSchema(std::move(specs));
}

/// What is asked of one of the inputs.
struct Asked {
    const RequestStream* stream = nullptr;
    const PrefetchTable* prefetch = nullptr;
    std::shared_ptr<const FeatureStream> features; ///< keeps the two above
    PrefetchTable neighbours;                      ///< of a trace
};

Asked askedOf(const Inputs& inputs, const Parameters& parameters, const RunContext& context)
{
    Asked asked;
    const std::string& kind = parameters.text("prefetch");
    if (inputs.features) {
        asked.features = inputs.features->stream({parameters.real("tolerance"), parameters.boolean("same-cell"), static_cast<int>(parameters.integer("degree"))}, context);
        asked.stream = &asked.features->requests;
        asked.prefetch = kind == "neighbours" ? &asked.features->neighbours : kind == "motion" ? &asked.features->motion : kind == "layer" ? &asked.features->layers : nullptr;
        return asked;
    }
    if (!inputs.trace)
        throw Error(ErrorCode::InvalidParameter, "found neither a trace nor frames, expected one of them", "inputs");
    if (kind == "motion" || kind == "layer")
        throw Error(ErrorCode::InvalidParameter, "found '" + kind + "' on a trace, expected frames and a model for it, or neighbours or none", "prefetch");
    asked.stream = inputs.trace.get();
    if (kind == "neighbours")
        asked.neighbours = neighbouringIds(inputs.trace->ids, static_cast<int>(parameters.integer("degree")), context);
    return asked;
}

std::uint32_t objectBytes(const Inputs& inputs, const Parameters& parameters)
{
    const std::int64_t width = inputs.features ? inputs.features->frames().width : parameters.integer("features");
    return static_cast<std::uint32_t>(storedBytes(storedTypeNamed(parameters.text("type")), width));
}

double meanBytes(const RequestStream& stream, std::uint32_t object)
{
    if (stream.sizes.empty())
        return object;
    double sum = 0;
    for (const std::uint32_t size : stream.sizes)
        sum += size;
    return sum / static_cast<double>(stream.requests());
}

struct Built {
    std::vector<cache::PolicyPtr> policies;
    std::vector<LevelCosts> costs;
    std::vector<report::HierarchyLevel> levels; ///< names and capacities
};

Built build(const Parameters& parameters, double meanSize)
{
    Built built;
    for (const LevelDefaults& level : kLevels) {
        const std::string name = level.name;
        const auto capacity = static_cast<std::uint64_t>(parameters.integer(name + "-capacity"));
        if (capacity == 0)
            continue;
        const std::string& id = parameters.text(name + "-policy");
        built.policies.push_back(cache::findMethod(id)->policy({capacity, kSeed, meanSize}, {}));
        built.costs.push_back({parameters.real(name + "-time"), parameters.real(name + "-energy"), parameters.real(name + "-bandwidth")});
        report::HierarchyLevel made;
        made.name = level.title;
        made.place = level.place;
        made.policy = id;
        made.capacity = capacity;
        built.levels.push_back(std::move(made));
    }
    if (built.policies.empty())
        throw Error(ErrorCode::InvalidParameter, "found no level with a capacity, expected one at least", "l1-capacity, l2-capacity, l3-capacity");
    return built;
}

void warn(report::HierarchyReport& report, const Inputs& inputs, const Parameters& parameters)
{
    for (std::size_t i = 0; i + 1 < report.levels.size(); ++i)
        if (report.inclusion == "inclusive" && report.levels[i].capacity > report.levels[i + 1].capacity)
            report.warnings.push_back(report.levels[i].name + " is larger than " + report.levels[i + 1].name + ", which must hold all that it holds");
    for (const report::HierarchyLevel& level : report.levels) {
        if (!level.pays)
            report.warnings.push_back("a hit in " + level.name + " takes longer than recomputing");
        if (level.held == 0 && report.requests > 0 && level.fillBytes + level.movedDownBytes + level.writeBackBytes + level.storeBytes == 0)
            report.warnings.push_back(level.name + " took nothing in: no object fits, or none came down to it");
    }
    if (inputs.trace && inputs.trace->sizes.empty() == false && parameters.text("type") != "f32")
        report.warnings.push_back("the trace has sizes of its own: objects are not stored as " + parameters.text("type"));
}

report::HierarchyReport run(const Inputs& inputs, const Parameters& given, const RunContext& context)
{
    const auto start = std::chrono::steady_clock::now();
    context.setParts(2);
    report::HierarchyReport report;
    report.method = "hierarchy.levels";
    report.parameters = levelsMethod().declaration.schema.complete(given);
    const Parameters& parameters = report.parameters;
    const Asked asked = askedOf(inputs, parameters, context.part(1, "requests"));
    SimulationSettings settings{.objectBytes = objectBytes(inputs, parameters), .prefetch = asked.prefetch ? asked.prefetch : &asked.neighbours, .prefetchMissing = parameters.text("prefetch-from") == "all",
                                .limit = inputs.limit};
    report.encodeMeasured = inputs.features && parameters.boolean("measured-encode");
    settings.encodeNs = report.encodeMeasured ? inputs.features->frames().encodeNs : parameters.real("encode-time");
    settings.encodeWatt = parameters.real("encode-power");
    report.inclusion = parameters.text("inclusion");
    report.writes = parameters.text("writes");
    report.type = parameters.text("type");
    report.source = asked.stream->name;
    report.prefetch.kind = parameters.text("prefetch");
    Built built = build(parameters, meanBytes(*asked.stream, settings.objectBytes));
    settings.costs = std::move(built.costs);
    report.levels = std::move(built.levels);
    LevelStack stack(std::move(built.policies), report.inclusion == "inclusive" ? Inclusion::Inclusive : report.inclusion == "exclusive" ? Inclusion::Exclusive : Inclusion::NonInclusive,
                     report.writes == "back" ? WritePolicy::Back : WritePolicy::Through);
    simulate(*asked.stream, stack, settings, report, context.part(1, "levels"));
    if (inputs.features) {
        report.types = inputs.features->frames().types;
        report.reuseError = asked.features->reuseError;
    }
    warn(report, inputs, parameters);
    report.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    return report;
}
} // namespace

Method levelsMethod()
{
    Method method;
    method.declaration = {.id = "hierarchy.levels",
                          .lab = "hierarchy",
                          .title = "Levels of caches before recomputing",
                          .reference = "average access time t1 + m1 (t2 + m2 (t3 + m3 t)): Hennessy and Patterson; speed-up 1 / (1 - h + h t_hit / t_miss)",
                          .schema = schema()};
    method.run = run;
    return method;
}

} // namespace tamis::hierarchy
