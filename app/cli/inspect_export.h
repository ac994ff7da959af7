// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What an exported directory saves over the model it was made from.
#include "core/base/run_context.h"
#include "core/report/budget_report.h"

#include <nlohmann/json_fwd.hpp>

#include <filesystem>
#include <optional>

namespace tamis::cli {

/// Read from the directory's recipe.json and counted in its factors.
struct ExportSummary {
    report::Cost original;      ///< of the whole model, as the recipe records it
    report::Cost compressed;    ///< parameters and bytes counted in the factor files where there are any, else as recorded
    bool counted = false;       ///< compressed was counted, not only recorded
    std::int64_t replaced = 0;  ///< operators that are not dense
    std::string method, accounting;
    double keep = 1;
};

/// nullopt when `directory` has no recipe.json. Throws Error{MalformedFile, UnsupportedFeature} when there is one that
/// cannot be read, or factors that disagree with it.
std::optional<ExportSummary> summariseExport(const std::filesystem::path& directory, const RunContext& context);

/// {"original", "compressed", "saved": {parameters, bytes, macs}, "replaced", "method", "accounting", "keep"}
void addExport(nlohmann::ordered_json& document, const ExportSummary& summary);

} // namespace tamis::cli
