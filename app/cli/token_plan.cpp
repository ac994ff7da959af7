// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/cli/token_plan.h"

#include "app/cli/run_inputs.h"
#include "app/cli/usage_error.h"
#include "core/base/error.h"
#include "core/io/calibration.h"
#include "core/plan/apply_plan.h"
#include "core/plan/model_cost.h"

namespace tamis::cli {

std::optional<plan::Plan> tokenPlanOf(const RunOptions& options, const tokens::Method& method)
{
    if (options.plan.empty())
        return std::nullopt;
    auto plan = plan::readPlan(options.plan);
    if (plan.tokens && !tokens::findMethod(plan.tokens->method))
        throw Error(ErrorCode::UnsupportedFeature, "tokens.method: found '" + plan.tokens->method + "', expected a method that this program has (tamis-cli methods)", options.plan);
    if (plan.tokens && plan.tokens->method != method.declaration.id)
        throw UsageError("--plan: " + options.plan + " plans " + plan.tokens->method + ", expected " + method.declaration.id + " (run " + plan.tokens->method + ")");
    return plan;
}

Parameters tokenParameters(const tokens::Method& method, const std::optional<plan::Plan>& plan, const RunOptions& options, const CommonOptions& common)
{
    const Parameters typed = parametersFrom(method.declaration, options.settings, common);
    if (!plan || !plan->tokens)
        return typed;
    Parameters all;
    try {
        all = method.declaration.schema.complete(plan->tokens->parameters);
    } catch (const Error& error) {
        throw Error(ErrorCode::MalformedFile, "tokens.parameters: " + std::string(error.what()), options.plan);
    }
    if (common.seed && typed.contains("seed"))
        all.set("seed", typed.value("seed"));
    for (const auto& setting : options.settings) {
        const std::string name = splitAssignment(setting, "--set").first;
        all.set(name, typed.value(name));
    }
    return all;
}

std::shared_ptr<const nn::Model> plannedModel(const std::shared_ptr<const nn::Model>& model, const std::shared_ptr<const io::Checkpoint>& checkpoint, const std::optional<plan::Plan>& plan,
                                              const RunOptions& options, const RunContext& context)
{
    if (!plan)
        return model;
    if (!plan->attention.empty() && options.method.starts_with("tokens."))
        context.warn("The plan's attention is left aside: tokens are reduced in a model with its own (tamis-cli evaluate --plan measures it).");
    context.setParts(4);
    const std::string calibration = calibrationOf(options.calibration, options.plan, *plan);
    const auto statistics = calibration.empty() ? nullptr : io::CalibrationSet::open(calibration, context.part(1, "opening"));
    return plan::applyPlan(*model, checkpoint, statistics, *plan, context.part(3, "applying the plan"));
}

void saveTokenPlan(std::optional<plan::Plan> plan, plan::PlannedTokens tokens, const io::Checkpoint& checkpoint, const RunOptions& options, const RunContext& context)
{
    if (!plan) {
        plan.emplace();
        plan->modelPath = options.model;
        plan->modelSha256 = checkpoint.sha256(context);
        plan->budget.keep = 1;
        plan->cost = plan->baseline = plan::modelCost(checkpoint);
    }
    plan->tokens = std::move(tokens);
    plan::writePlan(options.savePlan, *plan);
}

} // namespace tamis::cli
