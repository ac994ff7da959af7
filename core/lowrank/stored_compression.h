// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/lowrank/method.h"
#include "core/plan/plan.h"

#include <filesystem>

namespace tamis::lowrank {

/// Writes factors.safetensors (the replaced operators, float32 but for what is remapped, as nn::LinearOp::tensors() names them) and plan.json into
/// `directory`, which is made where it is missing; both appear whole or not at all, the plan last. Returns the plan, which
/// plan::applyPlan() runs and plan::exportPlan() exports. Hashes the inputs' files. Throws Error{IoFailure, Cancelled},
/// Error{InvalidParameter} when nothing was replaced.
plan::Plan storeCompression(const Inputs& inputs, const plan::BudgetRequest& budget, const Compression& compression,
                            const std::filesystem::path& directory, const RunContext& context = {});

/// What storeCompression() wrote, read back without running the method: the operators of the plan's factor file, and a report with
/// the plan's costs and losses on the replaced matrices (charts, heads and held-out losses are not stored). Hashes model and factor
/// file. Throws Error{InvalidParameter} for a plan without a factor file, of another model or with other factors, and what
/// plan::readStoredOperators() throws.
Compression readCompression(const Inputs& inputs, const plan::Plan& plan, const RunContext& context = {});

} // namespace tamis::lowrank
