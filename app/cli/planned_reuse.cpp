// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/planned_reuse.h"

#include "app/cli/method_choice.h"
#include "app/cli/run_inputs.h"
#include "app/cli/usage_error.h"
#include "core/base/error.h"

namespace tamis::cli {

std::optional<plan::Plan> reusePlanOf(const RunOptions& options, const reuse::Method& method)
{
    if (options.plan.empty())
        return {};
    plan::Plan plan = plan::readPlan(options.plan);
    const std::string& id = method.declaration.id;
    if (!plan.reuse)
        throw UsageError("--plan: " + options.plan + " reuses no features, expected a plan that does (the window and --save-plan put that in)");
    if (plan.reuse->method != id)
        throw UsageError("--plan: " + options.plan + " plans " + plan.reuse->method + ", expected " + id + " (run " + plan.reuse->method + ")");
    return plan;
}

Parameters reuseParameters(const reuse::Method& method, const std::optional<plan::Plan>& plan, const RunOptions& options, const CommonOptions& common)
{
    const Parameters typed = parametersFrom(method.declaration, options.settings, common);
    if (!plan)
        return typed;
    Parameters all;
    try {
        all = method.declaration.schema.complete(plan->reuse->parameters);
    } catch (const Error& error) {
        throw Error(ErrorCode::MalformedFile, "reuse.parameters: " + std::string(error.what()), options.plan);
    }
    for (const std::string& setting : options.settings) {
        const std::string name = splitAssignment(setting, "--set").first;
        all.set(name, typed.value(name));
    }
    return all;
}

void saveReusePlan(std::optional<plan::Plan> plan, const RunOptions& options, const report::ReuseRun& run, const std::string& sequence)
{
    if (!plan) {
        plan.emplace();
        plan->budget.keep = 1; // of no operator: all as they are
    }
    plan->reuse = plan::PlannedReuse{run.method, run.parameters, sequence, run.macsShare > 0 ? run.macsShare : 0};
    plan::writePlan(options.savePlan, *plan);
}

} // namespace tamis::cli
