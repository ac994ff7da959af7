// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What `run attention.*` says of heads and writes of one of them.
#include "core/attention/suited_methods.h"
#include "core/report/attention_report.h"

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace tamis::cli {

/// null for what is not finite, without a warning: what was not asked for.
nlohmann::ordered_json orNull(double value);
nlohmann::ordered_json headsJson(const std::vector<report::HeadComparison>& heads);
nlohmann::ordered_json choicesJson(std::span<const attention::HeadChoice> choices);
/// {zero, meanV, meanPool}: {mapError, outputError}, those that there are.
nlohmann::ordered_json trivialJson(const std::vector<report::TrivialErrors>& trivial);
/// Errors, grid and, of a sparse operator, what it read; the maps are in the files.
nlohmann::ordered_json viewJson(const report::AttentionHeadView& view, const std::vector<std::int32_t>& tokenIds);
/// A table of heads, one line of means below; columns for what was measured.
std::string headsText(const report::AttentionReport& report);

/// exact, approximate and, of a sparse operator, what was selected: "layer3.head1.exact.npy" ... [tokens, tokens], and view.json beside them.
std::vector<std::filesystem::path> viewFiles(const std::filesystem::path& directory, const report::AttentionHeadView& view);
/// Writes them; the directory is made. Throws Error{IoFailure}.
void writeView(const std::filesystem::path& directory, const report::AttentionHeadView& view, const std::vector<std::int32_t>& tokenIds);

} // namespace tamis::cli
