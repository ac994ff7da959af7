// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Rules of capacity from the options of `run cache.*`, and from a plan.
#include "app/cli/run_options.h"
#include "core/cache/rule_settings.h"
#include "core/plan/plan.h"

#include <optional>

namespace tamis::cli {

/// Those that are not the defaults: of `plan`, and before them what was typed. Throws UsageError for what was typed, Error{MalformedFile} for what the plan holds.
Parameters ruleSettings(const RunOptions& options, const std::optional<plan::Plan>& plan);

/// Throws UsageError for an id that the trace does not have.
cache::CapacityRules rulesOn(const Parameters& settings, const cache::Trace& trace);

} // namespace tamis::cli
