// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once
// `run` of the hierarchy lab: levels of caches before recomputing, on a trace or on the features of real frames.
#include "app/cli/console.h"
#include "app/cli/run_options.h"

namespace tamis::cli {

/// Throws UsageError for a method that there is not, options that are missing or of other labs, and settings that its schema refuses.
void runHierarchy(Console& console, const RunOptions& options);

} // namespace tamis::cli
