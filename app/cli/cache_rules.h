// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Rules of capacity from the options of `run cache.*`.
#include "app/cli/run_options.h"
#include "core/cache/capacity_rules.h"

namespace tamis::cli {

/// All but the protected ids. Throws UsageError.
cache::CapacityRules capacityRulesFrom(const RunOptions& options);

/// Numbers or keys, as the trace's file has them. Throws UsageError where the trace does not have one.
void protect(cache::CapacityRules& rules, const std::vector<std::string>& ids, const cache::Trace& trace);

} // namespace tamis::cli
