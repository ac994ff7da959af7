// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// What stands where, from the command line and from a plan.
#include "app/cli/options.h"
#include "app/cli/run_options.h"
#include "core/attention/assignment.h"
#include "core/plan/plan.h"

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace tamis::cli {

/// "0,3"; "all" or empty: all blocks, an empty list; "none": nothing. Throws UsageError.
std::optional<std::vector<int>> blocksFrom(const std::string& text);
/// "BLOCK[:HEAD]=METHOD[,NAME=VALUE...]" of --choose; METHOD "exact": the model's own. Throws UsageError with what was found, and the schema's sentence.
attention::HeadChoice choiceFrom(const std::string& text, const CommonOptions& common);
/// "a=1,b=2" at its separators. A piece without '=' continues the value before it: "pattern=local:1,global:1" is one setting.
std::vector<std::string> settingsBetween(const std::string& text, char separator);
/// "LAYER:HEAD" of --view. Throws UsageError.
std::pair<int, std::int64_t> headFrom(const std::string& text, const std::string& flag);
/// The plan's, the method in the blocks of --blocks (in all without, unless the plan chooses), --choose: each in front of the ones before. Throws UsageError, and what
/// app::choicesOf throws.
std::vector<attention::HeadChoice> choicesFrom(const RunOptions& options, const nn::Model& model, const std::string& method, const Parameters& parameters, const std::optional<plan::Plan>& plan,
                                               const CommonOptions& common);

} // namespace tamis::cli
