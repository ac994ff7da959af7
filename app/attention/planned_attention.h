// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// From a plan's attention to the lab's choices and back, and the model with them.
#include "core/attention/assignment.h"
#include "core/measure/sample_source.h"
#include "core/plan/plan.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace tamis::app {

/// Of plan.attention, parameters complete. Throws Error{UnsupportedFeature} for a method that this program has not, Error{MalformedFile} for parameters that it
/// does not take; `subject`: the plan's file.
std::vector<attention::HeadChoice> choicesOf(const plan::Plan& plan, const std::string& subject);
std::vector<plan::PlannedAttention> plannedOf(std::span<const attention::HeadChoice> choices);
/// `model` with plan.attention in place; itself where the plan has none. Operators that are fitted are to the samples of `fitted` (attention::splitForFitting), as `model`
/// sees them; null where none is. Throws what choicesOf, collectSamples and operatorsFor throw.
std::shared_ptr<const nn::Model> withPlannedAttention(std::shared_ptr<const nn::Model> model, const plan::Plan& plan, const std::string& subject,
                                                      const measure::SampleSource* fitted, const RunContext& context);

} // namespace tamis::app
