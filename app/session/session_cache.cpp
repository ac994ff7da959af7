// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/session/session_cache.h"

#include "core/io/json_limits.h"

namespace tamis::app {
namespace {
using Json = nlohmann::ordered_json;
constexpr double kMostWarmUp = 0.9;
constexpr std::int64_t kMostCells = 256;
constexpr std::uint64_t kMostSize = std::uint64_t{1} << 60U;

/// Its list of objects `key`, each given to `take`.
template <class Take> void readList(const SessionReader& reader, const char* key, Take take)
{
    const auto* list = reader.child(key);
    if (!list)
        return;
    reader.require(list->is_array(), reader.at(key), *list, "a list");
    for (const auto& value : *list)
        take(SessionReader(value, reader.at(key), reader.subject()));
}

/// Of its object "rules", which may be missing.
Parameters rulesFrom(const SessionReader& reader)
{
    const auto* value = reader.child("rules");
    return value ? parametersFrom(SessionReader(*value, reader.at("rules"), reader.subject())) : Parameters();
}
} // namespace

Json cacheToJson(const CacheChoice& choice, const std::filesystem::path& base)
{
    Json parameters = Json::array(), kept = Json::array();
    for (const auto& [policy, values] : choice.parameters)
        parameters.push_back({{"policy", policy}, {"parameters", parametersToJson(values)}});
    for (const KeptCache& each : choice.kept)
        kept.push_back({{"policy", each.policy}, {"parameters", parametersToJson(each.parameters)}, {"rules", {{"parameters", parametersToJson(each.rules)}}}});
    return {{"trace", writtenPath(choice.trace, base)},
            {"format", choice.format},
            {"columns", {{"id", choice.columns.id}, {"time", choice.columns.time}, {"size", choice.columns.size}, {"cost", choice.columns.cost}, {"uniqueness", choice.columns.uniqueness}, {"operation", choice.columns.operation}}},
            {"policies", choice.policies ? Json(*choice.policies) : Json(nullptr)},
            {"policy", choice.policy},
            {"settings", std::move(parameters)},
            {"rules", {{"parameters", parametersToJson(choice.rules)}}},
            {"size", choice.size},
            {"warmUp", choice.warmUp},
            {"kept", std::move(kept)},
            {"cells", choice.cells},
            {"firstStep", choice.firstStep},
            {"beside", choice.beside}};
}

CacheChoice cacheFrom(const SessionReader& reader, const std::filesystem::path& base)
{
    CacheChoice choice;
    choice.trace = readPath(reader, "trace", base);
    reader.read("format", choice.format);
    if (const auto* value = reader.child("columns")) {
        const SessionReader columns(*value, reader.at("columns"), reader.subject());
        columns.read("id", choice.columns.id);
        columns.read("time", choice.columns.time);
        columns.read("size", choice.columns.size);
        columns.read("cost", choice.columns.cost);
        columns.read("uniqueness", choice.columns.uniqueness);
        columns.read("operation", choice.columns.operation);
    }
    if (reader.child("policies"))
        reader.read("policies", choice.policies.emplace());
    reader.read("policy", choice.policy);
    readList(reader, "settings", [&](const SessionReader& entry) {
        std::string policy;
        entry.read("policy", policy);
        if (!policy.empty())
            choice.parameters[policy] = parametersFrom(entry);
    });
    choice.rules = rulesFrom(reader);
    reader.read("size", choice.size);
    reader.requireValue(choice.size <= kMostSize, "size", std::to_string(choice.size), "0 to 2^60");
    reader.read("warmUp", choice.warmUp);
    reader.requireValue(choice.warmUp >= 0 && choice.warmUp <= kMostWarmUp, "warmUp", toText(choice.warmUp), "0 to 0.9");
    readList(reader, "kept", [&](const SessionReader& entry) {
        KeptCache kept;
        entry.read("policy", kept.policy);
        kept.parameters = parametersFrom(entry);
        kept.rules = rulesFrom(entry);
        if (!kept.policy.empty())
            choice.kept.push_back(std::move(kept));
    });
    reader.read("cells", choice.cells);
    reader.requireValue(choice.cells >= 1 && choice.cells <= kMostCells, "cells", std::to_string(choice.cells), "1 to 256");
    reader.read("firstStep", choice.firstStep);
    reader.requireValue(choice.firstStep >= 0, "firstStep", std::to_string(choice.firstStep), "at least 0");
    reader.read("beside", choice.beside);
    return choice;
}

Json plannedCacheToJson(const std::optional<plan::PlannedCache>& planned)
{
    if (!planned)
        return nullptr;
    return {{"policy", planned->policy}, {"parameters", parametersToJson(planned->parameters)}, {"size", planned->size}, {"bytes", planned->bytes}, {"warmUp", planned->warmUp}, {"trace", planned->trace},
            {"rules", {{"parameters", parametersToJson(planned->rules)}}}};
}

plan::PlannedCache plannedCacheFrom(const SessionReader& reader)
{
    plan::PlannedCache planned;
    reader.read("policy", planned.policy);
    reader.requireValue(!planned.policy.empty(), "policy", "\"\"", "the name of a cache policy");
    planned.parameters = parametersFrom(reader);
    reader.read("size", planned.size);
    reader.requireValue(planned.size >= 1 && planned.size <= kMostSize, "size", std::to_string(planned.size), "1 to 2^60");
    reader.read("bytes", planned.bytes);
    reader.read("warmUp", planned.warmUp);
    reader.requireValue(planned.warmUp >= 0 && planned.warmUp < 1, "warmUp", toText(planned.warmUp), "0 to below 1");
    reader.read("trace", planned.trace);
    planned.rules = rulesFrom(reader);
    return planned;
}

} // namespace tamis::app
