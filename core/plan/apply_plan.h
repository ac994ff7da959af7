// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// A model with the operators that a plan says, in memory: what an export of the plan would run as.
#include "core/base/run_context.h"
#include "core/io/calibration.h"
#include "core/io/checkpoint.h"
#include "core/nn/model.h"
#include "core/plan/plan.h"

#include <memory>
#include <string>
#include <vector>

namespace tamis::plan {

/// A replaced operator as a plan's factor file holds it, its bias included.
struct StoredOperator {
    std::string name;
    nn::LinearPtr op;
};

/// The operators of plan.factorsPath, in the plan's order. Throws Error{InvalidParameter} when the file has another hash than the
/// plan says, Error{MalformedFile} for an operator that is missing or of another shape, form or rank.
std::vector<StoredOperator> readStoredOperators(const Plan& plan, const RunContext& context = {});

/// `model` is of `checkpoint`, the plan's tokens and attention are left aside; `calibration` may be null where the plan's method needs none. The factors are those that
/// exportPlan() writes as float32, biases stay; a plan with a factor file takes operators and biases from there, and needs no
/// calibration set. Model and calibration set must have the hashes that the plan holds.
/// Throws Error{InvalidParameter (another model, another calibration set, an operator that the model has not),
/// UnsupportedFeature ("remapped"; an unknown method), NonFinite, Cancelled}.
std::shared_ptr<const nn::Model> applyPlan(const nn::Model& model, std::shared_ptr<const io::Checkpoint> checkpoint,
                                           std::shared_ptr<const io::CalibrationSet> calibration, const Plan& plan,
                                           const RunContext& context = {});

} // namespace tamis::plan
