// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The cache lab's part of a plan.
#include "app/cli/options.h"
#include "app/cli/run_options.h"
#include "core/cache/method.h"
#include "core/cache/trace.h"
#include "core/plan/plan.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace tamis::cli {

/// The plan of --plan; nothing without. Throws UsageError for one without a cache or whose policy is another, and what reading throws.
std::optional<plan::Plan> cachePlanOf(const RunOptions& options, const cache::Method& method);
/// The policy's defaults, the plan's settings, --seed, `settings`, each before the ones in front of it. Throws UsageError with the schema's sentence for
/// what was typed, Error{MalformedFile} for what the plan holds.
Parameters cacheParameters(const cache::Method& method, const std::optional<plan::Plan>& plan, const RunOptions& options, const std::vector<std::string>& settings, const CommonOptions& common);
/// The plan's size and warm-up, where none was typed. Throws UsageError for a size in the other unit than the trace's.
void takePlanned(const plan::PlannedCache& planned, const RunOptions& options, const cache::Trace& trace, std::vector<std::uint64_t>& sizes, std::uint64_t& warmUp);
struct PlannedSettings {
    Parameters parameters, rules; ///< of the policy; of capacity
};
/// Writes --save-plan, into the plan of --plan where there was one. Throws UsageError without exactly one size, Error{IoFailure}.
void saveCachePlan(std::optional<plan::Plan> plan, const RunOptions& options, const PlannedSettings& settings, const cache::Trace& trace, const std::vector<std::uint64_t>& sizes, std::uint64_t warmUp);

} // namespace tamis::cli
