// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// JSON as scripts depend on it: shortest round-trip numbers with a point in every locale, null for what is not finite.
#include "core/base/parameter_schema.h"
#include "core/report/budget_report.h"
#include "core/report/spectrum_report.h"

#include <nlohmann/json_fwd.hpp>

#include <string>

namespace tamis::cli {

/// Two-space indentation, arrays of numbers on one line, a final newline. Every NaN or infinity becomes null and a
/// sentence in the document's "warnings" that names its key (one for an array). Text that is not UTF-8 gets replacement
/// characters.
std::string jsonText(nlohmann::ordered_json document);

/// Appends to document["warnings"], once.
void addWarning(nlohmann::ordered_json& document, const std::string& sentence);

nlohmann::ordered_json toJson(const report::Cost& cost);
nlohmann::ordered_json toJson(const Parameters& parameters);
nlohmann::ordered_json toJson(const ParameterValue& value);
nlohmann::ordered_json toJson(const report::MatrixSpectrum& matrix);
nlohmann::ordered_json toJson(const report::MatrixBudget& matrix);

} // namespace tamis::cli
