// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/inspect_export.h"

#include "app/cli/json_output.h"
#include "core/base/error.h"
#include "core/io/checkpoint.h"
#include "core/io/json_limits.h"

#include <nlohmann/json.hpp>

#include <cmath>

namespace tamis::cli {
namespace {
using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::string_view kSchema = "tamis.recipe/1";
constexpr io::JsonLimits kLimits{.bytes = 64u << 20, .depth = 16, .values = 8'000'000};

[[noreturn]] void refuse(const std::string& message, const std::filesystem::path& file)
{
    throw Error(ErrorCode::MalformedFile, message, file.string());
}

const json& member(const json& object, const char* key, const std::filesystem::path& file)
{
    if (!object.is_object() || !object.contains(key))
        refuse(std::string("found no '") + key + "', expected it", file);
    return object[key];
}

std::uint64_t count(const json& object, const char* key, const std::filesystem::path& file)
{
    const auto& value = member(object, key, file);
    if (!value.is_number_unsigned())
        refuse(std::string(key) + ": found " + io::quotedName(value.dump(-1, ' ', true, json::error_handler_t::replace)) +
                   ", expected a whole number",
               file);
    return value.get<std::uint64_t>();
}

std::string text(const json& object, const char* key, const std::filesystem::path& file)
{
    const auto& value = member(object, key, file);
    if (!value.is_string())
        refuse(std::string(key) + ": expected a text", file);
    return value.get<std::string>();
}

report::Cost cost(const json& object, const char* key, const std::filesystem::path& file)
{
    const auto& value = member(object, key, file);
    report::Cost cost{count(value, "parameters", file), count(value, "bytes", file), count(value, "macs", file)};
    if (const auto& latency = member(value, "latencyMs", file); latency.is_number())
        cost.latencyMs = latency.get<double>();
    return cost;
}

/// Parameters (permutations are bytes, not parameters) and bytes of the factor files, or nullopt without any.
std::optional<std::pair<std::uint64_t, std::uint64_t>> countFactors(const std::filesystem::path& directory, const RunContext& context)
{
    std::error_code failure;
    for (const char* name : {"factors.safetensors", "factors.safetensors.index.json"}) {
        if (!std::filesystem::exists(directory / name, failure))
            continue;
        const auto factors = io::Checkpoint::open(directory / name, context);
        std::uint64_t parameters = factors->parameters();
        for (const auto& tensor : factors->tensors())
            if (tensor.name.ends_with(".lowrank_perm"))
                parameters -= tensor.elements();
        return std::pair(parameters, factors->bytes());
    }
    return std::nullopt;
}

/// {"parameters", "bytes", "macs"}: before - after, negative where an export is larger.
ordered_json difference(const report::Cost& before, const report::Cost& after)
{
    const auto less = [](std::uint64_t a, std::uint64_t b) { return static_cast<std::int64_t>(a) - static_cast<std::int64_t>(b); };
    return {{"parameters", less(before.parameters, after.parameters)}, {"bytes", less(before.bytes, after.bytes)},
            {"macs", less(before.macs, after.macs)}};
}
} // namespace

std::optional<ExportSummary> summariseExport(const std::filesystem::path& directory, const RunContext& context)
{
    const auto file = directory / "recipe.json";
    std::error_code failure;
    if (!std::filesystem::exists(file, failure))
        return std::nullopt;
    const auto recipe = io::readJson(file, kLimits);
    if (const auto schema = text(recipe, "schema", file); schema != kSchema)
        throw Error(ErrorCode::UnsupportedFeature,
                    "schema: found " + io::quotedName(schema) + ", expected '" + std::string(kSchema) + "'", file.string());
    ExportSummary summary;
    summary.original = cost(recipe, "baseline", file);
    summary.compressed = cost(recipe, "cost", file);
    summary.method = text(recipe, "method", file);
    summary.accounting = text(recipe, "accounting", file);
    if (const auto& keep = member(recipe, "keep", file); keep.is_number())
        summary.keep = keep.get<double>();
    const auto& operators = member(recipe, "operators", file);
    if (!operators.is_array())
        refuse("operators: expected an array", file);
    for (const auto& op : operators)
        summary.replaced += text(op, "layout", file) != "dense";
    if (const auto counted = countFactors(directory, context)) {
        if (counted->first != summary.compressed.parameters)
            refuse("cost.parameters: found " + std::to_string(summary.compressed.parameters) + ", but the factors hold " +
                       std::to_string(counted->first),
                   file);
        summary.compressed.bytes = counted->second;
        summary.counted = true;
    }
    return summary;
}

void addExport(ordered_json& document, const ExportSummary& summary)
{
    document["original"] = toJson(summary.original);
    document["compressed"] = toJson(summary.compressed);
    document["saved"] = difference(summary.original, summary.compressed);
    document["export"] = {{"method", summary.method}, {"accounting", summary.accounting}, {"keep", summary.keep},
                          {"replaced", summary.replaced}, {"counted", summary.counted}};
}

} // namespace tamis::cli
