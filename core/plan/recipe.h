// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The small JSON files of an export. Internal to core/plan.
#include "core/plan/export.h"
#include "core/plan/operator_content.h"

#include <string>
#include <vector>

namespace tamis::plan {

/// recipe.json, schema tamis.recipe/1: docs/formats-plan.md. `files`: names relative to the export's directory.
std::string recipeJson(const Plan& plan, const ExportOptions& options, const ExportResult& result,
                       const std::vector<std::string>& files);

/// PEFT's adapter_config.json for the adapter that addresses every replacement.
std::string adapterConfigJson(const std::vector<Replacement>& replacements);

} // namespace tamis::plan
