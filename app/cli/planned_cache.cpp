// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/planned_cache.h"

#include "app/cli/method_choice.h"
#include "app/cli/run_inputs.h"
#include "app/cli/usage_error.h"
#include "core/base/error.h"

#include <algorithm>

namespace tamis::cli {

std::optional<plan::Plan> cachePlanOf(const RunOptions& options, const cache::Method& method)
{
    if (options.plan.empty())
        return {};
    plan::Plan plan = plan::readPlan(options.plan);
    if (!plan.cache)
        throw UsageError("--plan: " + options.plan + " has no cache, expected one (the window and --save-plan put one in)");
    if (plan.cache->policy != method.declaration.id)
        throw UsageError("--plan: " + options.plan + " plans " + plan.cache->policy + ", expected " + method.declaration.id + " (run " + plan.cache->policy + ")");
    return plan;
}

Parameters cacheParameters(const cache::Method& method, const std::optional<plan::Plan>& plan, const RunOptions& options, const std::vector<std::string>& settings, const CommonOptions& common)
{
    const Parameters typed = parametersFrom(method.declaration, settings, common);
    if (!plan)
        return typed;
    Parameters all;
    try {
        all = method.declaration.schema.complete(plan->cache->parameters);
    } catch (const Error& error) {
        throw Error(ErrorCode::MalformedFile, "cache.parameters: " + std::string(error.what()), options.plan);
    }
    if (common.seed && typed.contains("seed"))
        all.set("seed", typed.value("seed"));
    for (const std::string& setting : settings) {
        const std::string name = splitAssignment(setting, "--set").first;
        all.set(name, typed.value(name));
    }
    return all;
}

void takePlanned(const plan::PlannedCache& planned, const RunOptions& options, const cache::Trace& trace, std::vector<std::uint64_t>& sizes, std::uint64_t& warmUp)
{
    if (sizes.empty()) {
        if (planned.bytes != trace.sized())
            throw UsageError("--plan: " + options.plan + " has a size in " + (planned.bytes ? "bytes" : "objects") + ", and the trace " + (trace.sized() ? "has sizes" : "has none") + ": name one with --set sizes=");
        sizes = {planned.size};
    }
    if (options.warmUp == 0)
        warmUp = std::min<std::uint64_t>(static_cast<std::uint64_t>(planned.warmUp * static_cast<double>(trace.requests())), trace.requests() - 1);
}

void saveCachePlan(std::optional<plan::Plan> plan, const RunOptions& options, const PlannedSettings& settings, const cache::Trace& trace, const std::vector<std::uint64_t>& sizes, std::uint64_t warmUp)
{
    if (sizes.size() != 1)
        throw UsageError("--save-plan: found " + std::to_string(sizes.size()) + " sizes, expected one: --set sizes=");
    if (!plan) {
        plan.emplace();
        plan->budget.keep = 1; // of no model: all operators as they are
    }
    plan->cache = plan::PlannedCache{options.method, settings.parameters, sizes.front(), trace.sized(), static_cast<double>(warmUp) / static_cast<double>(trace.requests()), trace.name, settings.rules};
    plan::writePlan(options.savePlan, *plan);
}

} // namespace tamis::cli
