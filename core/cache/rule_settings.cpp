// SPDX-License-Identifier: GPL-3.0-or-later
#include "core/cache/rule_settings.h"

#include "core/base/error.h"
#include "core/io/trace_reader.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <vector>

namespace tamis::cache {
namespace {
/// Ids between commas, without blanks around them; a backslash takes what follows it as it is.
std::vector<std::string> idsIn(std::string_view text)
{
    std::vector<std::string> ids(1);
    std::size_t meant = 0; ///< characters of the last one that are no blanks at its end
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool taken = text[i] == '\\' && i + 1 < text.size();
        if (text[i] == ',') {
            ids.back().resize(meant);
            ids.emplace_back();
            meant = 0;
        } else if (taken || text[i] != ' ' || meant > 0) {
            ids.back() += text[taken ? ++i : i];
            meant = taken || text[i] != ' ' ? ids.back().size() : meant;
        }
    }
    ids.back().resize(meant);
    std::erase(ids, std::string());
    return ids;
}

/// As the trace has them: the few candidates are looked for in one pass over its objects.
std::vector<std::uint64_t> idsOf(const std::vector<std::string>& names, const Trace& trace)
{
    std::set<std::uint64_t> candidates, known;
    for (const std::string& name : names) {
        const io::TraceIds ids = io::traceIds(name);
        candidates.insert(ids.key);
        if (ids.number)
            candidates.insert(*ids.number);
    }
    for (std::size_t object = 0; !names.empty() && object < trace.ids.size(); ++object)
        if (candidates.contains(trace.ids[object]))
            known.insert(trace.ids[object]);
    std::vector<std::uint64_t> found;
    for (const std::string& name : names) {
        const io::TraceIds ids = io::traceIds(name);
        const std::uint64_t id = ids.number && known.contains(*ids.number) ? *ids.number : ids.key;
        if (!known.contains(id))
            throw Error(ErrorCode::InvalidParameter, "found '" + name + "', expected an id that the trace has", "protect");
        found.push_back(id);
    }
    return found;
}
} // namespace

const ParameterSchema& ruleSchema()
{
    using enum ParameterType;
    static const ParameterSchema schema({
        {.name = "hard", .title = "Hard limit", .type = Real, .defaultValue = 1.0, .minimum = 0.001, .maximum = 1, .help = "Share of the cache that is used: what would pass it makes room"},
        {.name = "soft", .title = "Soft limit", .type = Real, .defaultValue = 1.0, .minimum = 0.001, .maximum = 1, .help = "Share down to which room is made then; above the hard limit: as it"},
        {.name = "evict-batch", .title = "Batch", .type = Integer, .defaultValue = std::int64_t{1}, .minimum = 1, .maximum = 1e9, .logarithmic = true, .unit = "objects", .help = "That leave together at least"},
        {.name = "protect-most", .title = "Protect most", .type = Real, .defaultValue = 0.0, .minimum = 0, .maximum = 0.99, .help = "Share of the cache for the most requested objects, which are not evicted; below the hard limit"},
        {.name = "protect", .title = "Protect", .type = Text, .defaultValue = std::string(), .help = "Objects that are never evicted: ids as the trace has them, between commas"},
        {.name = "scene-change", .title = "Scene change", .type = Choice, .defaultValue = std::string("off"), .help = "What is watched for a change of the requests", .choices = {"off", "hit-ratio", "new-objects"}},
        {.name = "scene-action", .title = "Then", .type = Choice, .defaultValue = std::string("clear"), .help = "What a change does: clear the cache, halve it, or forget what was counted", .choices = {"clear", "halve", "forget"}},
        {.name = "scene-window", .title = "Looked at every", .type = Integer, .defaultValue = std::int64_t{1000}, .minimum = 1, .maximum = 1e9, .logarithmic = true, .unit = "requests", .help = "Requests between looks for a change"},
        {.name = "scene-threshold", .title = "Threshold", .type = Real, .defaultValue = 5.0, .minimum = 0.01, .maximum = 1000, .logarithmic = true, .unit = "deviations", .help = "That must add up for a change: fewer find more of them"},
    });
    return schema;
}

CapacityRules rulesFrom(const Parameters& given, const Trace& trace)
{
    const Parameters all = ruleSchema().complete(given);
    CapacityRules rules;
    rules.hard = all.real("hard");
    rules.soft = std::min(rules.hard, all.real("soft"));
    rules.batch = static_cast<std::uint64_t>(all.integer("evict-batch"));
    rules.protectedShare = all.real("protect-most");
    rules.protectedIds = idsOf(idsIn(all.text("protect")), trace);
    rules.scene = {sceneSignalNamed(all.text("scene-change")), static_cast<std::uint64_t>(all.integer("scene-window")), all.real("scene-threshold")};
    rules.action = sceneActionNamed(all.text("scene-action"));
    requireRules(rules);
    return rules;
}

std::string idsText(const std::vector<std::string>& ids)
{
    std::string text;
    for (const std::string& id : ids) {
        text += text.empty() ? "" : ",";
        for (const char c : id)
            text += c == ',' || c == '\\' || c == ' ' ? std::string{'\\', c} : std::string{c};
    }
    return text;
}

Parameters changedRules(const Parameters& given)
{
    const Parameters usual = ruleSchema().defaults();
    Parameters changed;
    for (const auto& [name, value] : given.all())
        if (!usual.contains(name) || usual.value(name) != value)
            changed.set(name, value);
    return changed;
}

} // namespace tamis::cache
