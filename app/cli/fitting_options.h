// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// --fit-images and --fit-tokens: samples that attention operators are fitted to, apart from those that are scored.
#include "app/cli/options.h"
#include "app/cli/sample_options.h"
#include "core/measure/sample_source.h"

#include <filesystem>
#include <memory>
#include <string>

namespace tamis::cli {

struct FittingOptions {
    std::string images, tokens;
};

/// `prefix`: "attention.*: ", or what else help says in front.
void declareFitting(OptionSet& set, FittingOptions& options, const std::string& prefix);
/// Nothing where neither was given: the first of the samples are fitted to then, and the rest scored. Windows and resizing are those of `scored`.
/// Throws UsageError for what is scored as well, and what openSamples throws.
std::shared_ptr<const measure::SampleSource> openFitting(const FittingOptions& options, const SampleOptions& scored, const std::filesystem::path& modelPath, const nn::Model& model,
                                                         const RunContext& context);

} // namespace tamis::cli
