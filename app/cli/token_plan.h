// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The token lab's part of a plan, and the operators below it.
#include "app/cli/options.h"
#include "app/cli/run_options.h"
#include "core/io/checkpoint.h"
#include "core/nn/model.h"
#include "core/plan/plan.h"
#include "core/tokens/method.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace tamis::cli {

/// The plan of --plan, null without. Throws UsageError for one whose tokens are another method's, and what reading throws.
std::optional<plan::Plan> tokenPlanOf(const RunOptions& options, const tokens::Method& method);
/// The method's defaults, the plan's settings, --seed, --set, each before the ones in front of it. Throws UsageError with the schema's sentence for what was
/// typed, Error{MalformedFile} for what the plan holds.
Parameters tokenParameters(const tokens::Method& method, const std::optional<plan::Plan>& plan, const RunOptions& options, const CommonOptions& common);
/// The model with the plan's operators; `model` itself without any. Throws what applyPlan throws.
std::shared_ptr<const nn::Model> plannedModel(const std::shared_ptr<const nn::Model>& model, const std::shared_ptr<const io::Checkpoint>& checkpoint, const std::optional<plan::Plan>& plan,
                                              const RunOptions& options, const RunContext& context);
/// Writes --save-plan. Hashes the model where there was no plan. Throws Error{IoFailure, Cancelled}.
void saveTokenPlan(std::optional<plan::Plan> plan, plan::PlannedTokens tokens, const io::Checkpoint& checkpoint, const RunOptions& options, const RunContext& context);

} // namespace tamis::cli
