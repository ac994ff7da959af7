// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
#include "core/report/evaluation_report.h"

#include <nlohmann/json_fwd.hpp>

namespace tamis::cli {

/// tamis.evaluate/1: docs/command-line.md. What was not measured is null, without a warning.
nlohmann::ordered_json toJson(const report::EvaluationReport& report);

} // namespace tamis::cli
