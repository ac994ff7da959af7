// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/cache_rules.h"

#include "app/cli/usage_error.h"
#include "core/base/error.h"
#include "core/io/trace_reader.h"

#include <unordered_set>

namespace tamis::cli {

cache::CapacityRules capacityRulesFrom(const RunOptions& options)
{
    const CacheRuleOptions& given = options.cacheRules;
    cache::CapacityRules rules;
    try {
        rules.hard = given.hard;
        rules.soft = given.soft > 0 ? given.soft : given.hard;
        rules.batch = static_cast<std::uint64_t>(given.batch);
        rules.protectedShare = given.protectMost;
        rules.scene = {cache::sceneSignalNamed(given.sceneChange), static_cast<std::uint64_t>(given.sceneWindow), given.sceneThreshold};
        rules.action = cache::sceneActionNamed(given.sceneAction);
        cache::requireRules(rules);
    } catch (const Error& error) {
        throw UsageError(error.what());
    }
    return rules;
}

void protect(cache::CapacityRules& rules, const std::vector<std::string>& ids, const cache::Trace& trace)
{
    if (ids.empty())
        return;
    const std::unordered_set<std::uint64_t> known(trace.ids.begin(), trace.ids.end());
    for (const std::string& text : ids) {
        const io::TraceIds candidates = io::traceIds(text);
        const std::uint64_t id = candidates.number && known.contains(*candidates.number) ? *candidates.number : candidates.key;
        if (!known.contains(id))
            throw UsageError("--protect: found '" + text + "', expected an id that the trace has");
        rules.protectedIds.push_back(id);
    }
}

} // namespace tamis::cli
