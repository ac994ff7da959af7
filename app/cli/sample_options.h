// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// The options that say what a model is run on: the same for capture and evaluate.
#include "app/cli/options.h"
#include "app/samples/sample_request.h"

#include <string>

namespace tamis::cli {

struct SampleOptions {
    std::string images, labels, tokens, text, resize = "config";
    std::int64_t context = 0, stride = 0, limit = 0;
};

/// `limitFlag`: "--samples" or "--limit".
void declareSamples(OptionSet& set, SampleOptions& options, const std::string& limitFlag);

/// Throws UsageError unless exactly one of --images, --tokens and --text was given, and for --labels without --images.
app::SampleRequest requestFrom(const SampleOptions& options);

} // namespace tamis::cli
