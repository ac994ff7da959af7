// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Rules of capacity as settings: what the window's sliders, `run cache.*`, the session and the plan have of them.
#include "core/base/parameter_schema.h"
#include "core/cache/capacity_rules.h"
#include "core/cache/trace.h"

#include <string>
#include <vector>

namespace tamis::cache {

/// "hard", "soft", "evict-batch", "protect-most", "protect", "scene-change", "scene-action", "scene-window", "scene-threshold". The defaults: no rules.
const ParameterSchema& ruleSchema();

/// `given` need not be complete. A soft limit above the hard one is as it; the ids of "protect", between commas (a backslash stands before one that is part of an id), are numbers or
/// keys as the trace's file has them. Throws
/// Error{InvalidParameter} whose subject is the setting: out of its range, an id that the trace does not have, rules that contradict one another.
CapacityRules rulesFrom(const Parameters& given, const Trace& trace);

/// What "protect" is for these ids.
std::string idsText(const std::vector<std::string>& ids);

/// Those of `given` that are not the defaults: empty where nothing is asked for.
Parameters changedRules(const Parameters& given);

} // namespace tamis::cache
