// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What the low-rank tab asks of core. Everything here runs on workers, never on the window's thread.
#include "app/session/workspace.h"
#include "app/window/model_work.h"
#include "core/lowrank/method.h"

#include <memory>

namespace tamis::app {

/// What a method of the lab works on: the workspace and its model, which is loaded at first use. Throws what loading throws.
lowrank::Inputs lowRankInputs(RunnableModel& model, std::shared_ptr<const measure::SampleSource> samples, const RunContext& context);

} // namespace tamis::app
