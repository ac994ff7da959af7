// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The reuse lab's part of a plan.
#include "app/cli/options.h"
#include "app/cli/run_options.h"
#include "core/plan/plan.h"
#include "core/report/reuse_report.h"
#include "core/reuse/method.h"

#include <optional>

namespace tamis::cli {

/// The plan of --plan; nothing without. Throws UsageError for one without reuse or whose method is another, and what reading throws.
std::optional<plan::Plan> reusePlanOf(const RunOptions& options, const reuse::Method& method);
/// The method's defaults, the plan's settings, --set, each before the ones in front of it. Throws UsageError with the schema's sentence for what was typed,
/// Error{MalformedFile} for what the plan holds.
Parameters reuseParameters(const reuse::Method& method, const std::optional<plan::Plan>& plan, const RunOptions& options, const CommonOptions& common);
/// Writes --save-plan, into the plan of --plan where there was one. Throws Error{IoFailure}.
void saveReusePlan(std::optional<plan::Plan> plan, const RunOptions& options, const report::ReuseRun& run, const std::string& sequence);

} // namespace tamis::cli
