// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// Pieces of plan.json that recipe.json shares. Internal to core/plan.
#include "core/plan/plan.h"

#include <nlohmann/json_fwd.hpp>

namespace tamis::plan {

/// {"parameters", "bytes", "macs", "latencyMs"}: NaN becomes null.
nlohmann::ordered_json costToJson(const report::Cost& cost);
nlohmann::ordered_json parametersToJson(const Parameters& parameters);
/// Two-space indentation and a final newline. Text that is not UTF-8 (paths) gets replacement characters.
std::string jsonText(const nlohmann::ordered_json& document);

} // namespace tamis::plan
