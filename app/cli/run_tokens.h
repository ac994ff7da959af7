// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// `run` of a method of the token lab: a folder of photos through the model, whole and reduced.
#include "app/cli/console.h"
#include "app/cli/run_options.h"

namespace tamis::cli {

/// Throws UsageError for a method that there is not, options that are missing or of other labs, and settings that its schema refuses.
void runTokens(Console& console, const RunOptions& options);

} // namespace tamis::cli
