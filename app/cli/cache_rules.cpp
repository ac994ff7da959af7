// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/cache_rules.h"

#include "app/cli/usage_error.h"
#include "core/base/error.h"

namespace tamis::cli {
namespace {
Parameters typedRules(const CacheRuleOptions& given)
{
    Parameters typed;
    if (given.hard > 0)
        typed.set("hard", given.hard);
    if (given.soft > 0)
        typed.set("soft", given.soft);
    if (given.batch > 0)
        typed.set("evict-batch", given.batch);
    if (given.protectMost >= 0)
        typed.set("protect-most", given.protectMost);
    if (!given.protectedIds.empty())
        typed.set("protect", cache::idsText(given.protectedIds));
    if (!given.sceneChange.empty())
        typed.set("scene-change", given.sceneChange);
    if (!given.sceneAction.empty())
        typed.set("scene-action", given.sceneAction);
    if (given.sceneWindow > 0)
        typed.set("scene-window", given.sceneWindow);
    if (given.sceneThreshold > 0)
        typed.set("scene-threshold", given.sceneThreshold);
    return typed;
}

/// All but the ids, which are the trace's to know.
void requireWithoutIds(Parameters settings)
{
    settings.set("protect", std::string());
    cache::rulesFrom(settings, {});
}
} // namespace

Parameters ruleSettings(const RunOptions& options, const std::optional<plan::Plan>& plan)
{
    Parameters settings = plan ? plan->cache->rules : Parameters();
    try {
        requireWithoutIds(settings);
    } catch (const Error& error) {
        throw Error(ErrorCode::MalformedFile, "cache.rules: " + std::string(error.what()), options.plan);
    }
    const Parameters typed = typedRules(options.cacheRules);
    for (const auto& [name, value] : typed.all())
        settings.set(name, value);
    try {
        requireWithoutIds(settings);
    } catch (const Error& error) {
        throw UsageError(error.what());
    }
    const Parameters all = cache::ruleSchema().complete(settings);
    if (options.cacheRules.soft > all.real("hard"))
        throw UsageError("--soft: found " + toText(options.cacheRules.soft) + ", expected a share of the cache, no larger than the hard limit " + toText(all.real("hard")));
    return cache::changedRules(settings);
}

cache::CapacityRules rulesOn(const Parameters& settings, const cache::Trace& trace)
{
    try {
        return cache::rulesFrom(settings, trace);
    } catch (const Error& error) {
        throw UsageError("--" + std::string(error.what()));
    }
}

} // namespace tamis::cli
